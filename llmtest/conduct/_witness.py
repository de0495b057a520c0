"""What is known of requests beside their events."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from llmtest.simulation import RequestRecord

__all__ = ["Witness"]


class Witness:
    """What is known of requests beside their events.

    Args:
        caller: Who sends them all.
    """

    def __init__(self, caller: str = "the caller") -> None:
        self.caller = caller

    def sender(self, exchange: int, call: int) -> str:  # noqa: ARG002 - who knows more looks at them
        """Return who sent a repeated request: `exchange` is its number, `call` that of its logical call."""
        return self.caller

    def is_same(self, first: int, second: int) -> bool:  # noqa: ARG002 - who knows more looks at them
        """Tell whether two exchanges carried the same request; True where that is not known."""
        return True

    def record(self, exchange: int) -> RequestRecord | None:  # noqa: ARG002 - who keeps records looks it up
        """Return what the provider kept of an exchange; None where nothing was kept."""
        return None
