"""tenacity: `before_sleep` is called before each retry, by the copy of the object that runs a call as well."""

from __future__ import annotations

import inspect
import sys
from typing import Any

from llmtest.testing.breakers._watch import Detach, Listener, Watch

__all__ = ["watch_of"]


def watch_of(thing: object) -> Watch | None:
    """Return how a `Retrying` or `AsyncRetrying` of tenacity is watched; None for anything else."""
    library = sys.modules.get("tenacity")
    if library is None or not isinstance(thing, library.BaseRetrying):
        return None
    retrying: Any = thing
    return Watch(retrying, lambda listener: _attach(retrying, listener))


def _attach(retrying: Any, listener: Listener) -> Detach:
    original = retrying.before_sleep

    def tell(state: Any) -> None:
        listener.retried(state.attempt_number, float(state.next_action.sleep), state.outcome.exception())

    if inspect.iscoroutinefunction(original) or inspect.iscoroutinefunction(getattr(original, "__call__", None)):  # noqa: B004 - an object may be called with `await`

        async def before_sleep_async(state: Any) -> None:
            tell(state)
            await original(state)

        retrying.before_sleep = before_sleep_async
    else:

        def before_sleep(state: Any) -> None:
            tell(state)
            if original is not None:
                original(state)

        retrying.before_sleep = before_sleep

    def detach() -> None:
        retrying.before_sleep = original

    return detach
