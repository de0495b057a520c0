"""Words of a chain file about who is asked first, and for what."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any

from pydantic import BeforeValidator, WithJsonSchema

from llmtest.config._validation import one_of
from llmtest.resilience import ORDERS, STRATEGIES, ChainOrder, Strategy, StreamCommit, UnmappedModels

__all__ = ["Commit", "OrderName", "StrategyName", "Unmapped"]

COMMITS = ("first_token", "end")
UNMAPPED = ("refuse", "pass")


def _among(noun: str, choices: tuple[str, ...]) -> Callable[[Any], str]:
    def check(value: Any) -> str:
        if value not in choices:
            raise ValueError(one_of(noun, value, list(choices)))
        return str(value)

    return check


Commit = Annotated[StreamCommit, BeforeValidator(_among("choice", COMMITS)), WithJsonSchema({"enum": list(COMMITS)})]
"""Until when a stream may be replaced."""
OrderName = Annotated[ChainOrder, BeforeValidator(_among("order", ORDERS)), WithJsonSchema({"enum": list(ORDERS)})]
"""Which system's order the policies have."""
StrategyName = Annotated[
    Strategy, BeforeValidator(_among("strategy", STRATEGIES)), WithJsonSchema({"enum": list(STRATEGIES)})
]
"""Who is asked first."""
Unmapped = Annotated[
    UnmappedModels, BeforeValidator(_among("choice", UNMAPPED)), WithJsonSchema({"enum": list(UNMAPPED)})
]
"""What becomes of a request for a model that a slot has no equivalent of."""
