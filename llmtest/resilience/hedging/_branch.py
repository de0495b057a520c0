"""The same call once more: a branch has attempts and records of its own, and shares everything else with its call."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from llmtest.resilience.pipeline._running_call import RunningCall

if TYPE_CHECKING:
    from llmtest.resilience.pipeline._running_slot import RunningSlot
    from llmtest.resilience.pipeline._sync_async import Parts

__all__ = ["Branch"]


class Branch(RunningCall):
    """One of the requests of a call that run side by side.

    Args:
        call: The call.
        number: 0: the first; from 1: those that were sent beside it.
        parts: How it asks and waits.
        siblings: The branches before it.
    """

    __slots__ = ("at", "number", "root", "siblings")

    def __init__(self, call: RunningCall, number: int, parts: Parts, siblings: Sequence[Branch]) -> None:
        self.root = call
        for name in RunningCall.__slots__:
            if name != "begun":
                setattr(self, name, getattr(call, name))
        self.number = number
        self.siblings = siblings
        self.at: RunningSlot | None = None
        """Where it is."""
        self.parts = parts
        self.attempts = []
        if number:
            self.purpose = "hedge"
            self._name = None
            if self.request.idempotency_key is not None:
                # Under the same name a provider would not answer it, but point at the first.
                key = f"{self.request.idempotency_key}-hedge-{number}"
                self.request = replace(self.request, idempotency_key=key)

    @property
    def begun(self) -> int:
        """How many attempts were begun, over all branches."""
        return self.root.begun

    @begun.setter
    def begun(self, count: int) -> None:
        self.root.begun = count

    def closes(self, branches: Sequence[Branch]) -> None:
        """Let the call go on as this branch did, with the attempts of the others before its own."""
        before: list[Any] = list(self.root.attempts)
        for other in branches:
            if other is not self:
                before += other.attempts
        self.attempts[:0] = before
        self.root.attempts = self.attempts
        self.root.has_moved = self.root.has_moved or self.has_moved
