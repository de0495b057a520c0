"""Who may turn a request away before it is sent: the simulated provider then never hears of it."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import TYPE_CHECKING, NamedTuple, Protocol

if TYPE_CHECKING:
    from llmtest.simulation.plan._plan import Exchange
    from llmtest.types import Usage
    from llmtest.wire import WireCall

__all__ = ["Admission", "Permit", "TurnedAway"]


class Permit(Protocol):
    """What a request under way has been granted; it is settled or released once."""

    def settle(self, usage: Usage | None, cost_usd: Decimal | None, model: str | None, tier: str | None) -> None:
        """Charge what the answer is billed; without a usage nothing is billed."""

    def release(self) -> None:
        """Give everything back: nothing was sent."""


class TurnedAway(NamedTuple):
    """What a client reads whose request was not sent."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes


Admission = Callable[[str, "WireCall", "Exchange"], Permit | TurnedAway | None]
"""Says whether a provider is asked; None lets a request pass that nobody counts.

It may raise what the client is to meet instead of an answer."""
