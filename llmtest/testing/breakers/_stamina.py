"""stamina: its hook is the process's, called before each retry with the name of what is retried."""

from __future__ import annotations

import sys
from types import FunctionType
from typing import Any

from llmtest.testing.breakers._layers import held_by
from llmtest.testing.breakers._watch import Detach, Listener, Watch

__all__ = ["watch_of"]

CALLERS = ("RetryingCaller", "AsyncRetryingCaller", "BoundRetryingCaller", "BoundAsyncRetryingCaller")
CONTEXT_BLOCK = "<context block>"
"""The name that stamina gives to what no decorator names."""


def watch_of(thing: object) -> Watch | None:
    """Return how a function that `stamina.retry` decorates, or a retrying caller, is watched; None for the rest."""
    library = sys.modules.get("stamina")
    if library is None:
        return None
    if isinstance(thing, FunctionType):
        if not any(type(held).__module__ == "stamina._core" for held in held_by(thing).values()):
            return None
        name = f"{thing.__module__}.{thing.__qualname__}"
    elif type(thing).__name__ in CALLERS and type(thing).__module__.partition(".")[0] == "stamina":
        name = CONTEXT_BLOCK
    else:
        return None
    return Watch(thing, lambda listener: _attach(library.instrumentation, listener, name))


def _attach(hooks: Any, listener: Listener, name: str) -> Detach:
    def on_retry(details: Any) -> None:
        if details.name == name:
            listener.retried(details.retry_num, float(details.wait_for), details.caused_by)

    hooks.set_on_retry_hooks([*hooks.get_on_retry_hooks(), on_retry])
    return lambda: hooks.set_on_retry_hooks([hook for hook in hooks.get_on_retry_hooks() if hook is not on_retry])
