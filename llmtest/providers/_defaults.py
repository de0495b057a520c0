"""What a provider is told about its model, and how long it may take where nobody says."""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Mapping
from typing import Any, TypedDict

from llmtest.types import Timeouts
from llmtest.types._spelling import did_you_mean

__all__ = ["DEFAULT_TIMEOUTS", "Defaults", "refuse_unknown"]

DEFAULT_TIMEOUTS = Timeouts(connect=10.0, read=60.0)


class Defaults(TypedDict, total=False):
    """What a provider is told about its model.

    `max_tokens` and `temperature` are sent where a request does not say; `context_window` is how many tokens prompt and
    answer may hold together, `price` what its model costs, in the arguments of `Prices.add`:
    `{"input_usd_per_mtok": "1.25", "output_usd_per_mtok": "10"}`.
    `chunk_size` gathers the words of a stream into pieces of so many characters at least, of which one is handed over
    after `buffer_timeout_ms` (100) whatever its size; by default a stream is handed over as it comes.
    """

    max_tokens: int | None
    temperature: float | None
    context_window: int | None
    price: Mapping[str, Any] | None
    chunk_size: int | None
    buffer_timeout_ms: float | None


def refuse_unknown(kind: type, given: Iterable[str]) -> None:
    """Refuse what a provider was given and has no argument for: in `**defaults` Python lets every name pass.

    Args:
        kind: Class of the provider, whose arguments are named.
        given: Names of what came as defaults.

    Raises:
        TypeError: One of them is no default.
    """
    unknown = next((name for name in given if name not in Defaults.__annotations__), None)
    if unknown is None:
        return
    known: dict[str, None] = {}
    for each in kind.__mro__:
        made = vars(each).get("__init__")
        if inspect.isfunction(made):
            parameters = inspect.signature(made).parameters
            known.update((name, None) for name, it in parameters.items() if it.kind is not it.VAR_KEYWORD)
            if "defaults" in parameters:  # Above it are the arguments that this class fills in itself.
                break
    names = [name for name in (*known, *Defaults.__annotations__) if name != "self"]
    hint = did_you_mean(unknown, names)
    raise TypeError(f"{kind.__name__}() has no argument `{unknown}`.{hint} Arguments: {', '.join(names)}.")
