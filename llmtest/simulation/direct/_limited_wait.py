"""Waiting for a simulated provider, as long as the caller's limits allow and not longer."""

from __future__ import annotations

from collections.abc import Coroutine
from datetime import datetime
from typing import TYPE_CHECKING, Any

from llmtest.clock import AsyncWaiter, TimeLimit, TimeLimits, Waiter, wait_for_ever
from llmtest.errors import ProviderTimeoutError, TimeoutPhase, VirtualTimeStalledError
from llmtest.simulation.plan._billing import note_unsent

if TYPE_CHECKING:
    from llmtest.simulation._engine import Engine
    from llmtest.simulation.plan._answer import Answer
    from llmtest.types import Timeouts

__all__ = ["LimitedWait"]


class LimitedWait:
    """Waits for a simulated provider as long as the caller's limits allow.

    Args:
        engine: The simulated provider.
        answer: What it decided.
        timeouts: The caller's limits.
        waiter: Lets time pass, blocking or not.
    """

    __slots__ = ("_answer", "_engine", "_waiter", "limits")

    def __init__(self, engine: Engine, answer: Answer, timeouts: Timeouts, waiter: Waiter) -> None:
        self._engine = engine
        self._answer = answer
        self._waiter = waiter
        self.limits = TimeLimits(timeouts, engine.world.clock, start_ns=answer.start_ns, streaming=answer.stream)

    def now(self) -> datetime:
        """Return the time of the world."""
        return self._engine.world.clock.now()

    async def until_connected(self) -> None:
        """Wait for a connection that never comes about."""
        try:
            await self._wait(None, self.limits.connecting())
        except BaseException as error:
            note_unsent(error)
            raise

    def until_head(self, ns: int | None) -> Coroutine[Any, Any, None]:
        """Wait for the beginning of the answer; None: it never comes."""
        return self._wait(ns, self.limits.head())

    def until_piece(self, ns: int | None) -> Coroutine[Any, Any, None]:
        """Wait for the next piece, of a stream the first one too; None: it never comes."""
        return self._wait(ns, self.limits.piece())

    async def _wait(self, ns: int | None, limit: TimeLimit) -> None:
        allowed = limit.ns
        if allowed is None and ns is None:
            await self._for_ever()
        elif ns is not None and (allowed is None or ns <= allowed):
            await self._waiter.sleep_ns(ns)
        else:
            if allowed is not None and allowed > 0:
                await self._waiter.sleep_ns(allowed)
            raise self._timeout(limit.phase)

    def _timeout(self, phase: TimeoutPhase) -> ProviderTimeoutError:
        error = self.limits.error(phase)
        error.provider = self._engine.name
        error.model = self._answer.model
        return error

    async def _for_ever(self) -> None:
        if isinstance(self._waiter, AsyncWaiter):
            # Somebody further out may hold a limit and cancel this; where nobody does, the virtual loop reports it.
            await wait_for_ever()
        raise self._engine.world.record_harness_error(
            VirtualTimeStalledError(
                f"`{self._engine.name}` never answers request {self._answer.number}, and the caller set no limit.\n\n"
                "To fix: give the call a timeout; without one it would hang for ever."
            )
        )
