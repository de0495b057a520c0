"""The caller's limits on the direct path: how long to wait for what, and the error when it takes longer."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Iterable
from datetime import datetime
from typing import TYPE_CHECKING, Any

from llmtest.clock import AsyncWaiter, Waiter
from llmtest.errors import ProviderTimeoutError, TimeoutPhase, VirtualTimeStalledError
from llmtest.simulation.plan._billing import note_unsent

if TYPE_CHECKING:
    from llmtest.simulation._engine import Engine
    from llmtest.simulation.plan._answer import Answer
    from llmtest.types import Timeouts

__all__ = ["Patience"]


class Patience:
    """Waits for a simulated provider as long as the caller's limits allow.

    Args:
        engine: The simulated provider.
        answer: What it decided.
        timeouts: The caller's limits.
        waiter: Lets time pass, blocking or not.
    """

    __slots__ = ("_answer", "_engine", "_timeouts", "_waiter", "visible")

    def __init__(self, engine: Engine, answer: Answer, timeouts: Timeouts, waiter: Waiter) -> None:
        self._engine = engine
        self._answer = answer
        self._timeouts = timeouts
        self._waiter = waiter
        self.visible = False
        """Whether the caller has something of the answer."""

    def now(self) -> datetime:
        """Return the time of the world."""
        return self._engine.world.clock.now()

    async def until_connected(self) -> None:
        """Wait for a connection that never comes about."""
        try:
            await self._wait(None, ((self._timeouts.connect, "connect"),))
        except BaseException as error:
            note_unsent(error)
            raise

    def until_head(self, ns: int | None) -> Coroutine[Any, Any, None]:
        """Wait for the beginning of the answer; None: it never comes."""
        limits = self._timeouts
        first = limits.first_token
        return self._wait(ns, ((limits.read, "read") if first is None else (first, "first_token"),))

    def until_first_piece(self, ns: int | None) -> Coroutine[Any, Any, None]:
        """Wait for the first piece of a stream that has opened; None: it never comes."""
        limits = self._timeouts
        return self._wait(ns, ((limits.read, "read"), (self._left(limits.first_token), "first_token")))

    def until_next_piece(self, ns: int | None) -> Coroutine[Any, Any, None]:
        """Wait for any later piece; None: it never comes."""
        return self._wait(ns, ((self._timeouts.read, "read"),))

    def _left(self, limit: float | None) -> float | None:
        if limit is None:
            return None
        return limit - (self._engine.world.clock.now_ns() - self._answer.start_ns) / 1e9

    async def _wait(self, ns: int | None, limits: Iterable[tuple[float | None, TimeoutPhase]]) -> None:
        allowed: int | None = None
        phase: TimeoutPhase = "read"
        for limit, name in (*limits, (self._left(self._timeouts.total), "total")):
            if limit is not None:
                limit_ns = round(limit * 1e9)
                if allowed is None or limit_ns < allowed:
                    allowed, phase = limit_ns, name
        if allowed is None and ns is None:
            await self._for_ever()
        elif ns is not None and (allowed is None or ns <= allowed):
            await self._waiter.sleep_ns(ns)
        else:
            if allowed is not None and allowed > 0:
                await self._waiter.sleep_ns(allowed)
            raise self._timeout(phase)

    def _timeout(self, phase: TimeoutPhase) -> ProviderTimeoutError:
        limits = self._timeouts
        limit, words = {
            "connect": (limits.connect, "the connection did not stand"),
            "first_token": (limits.first_token, "the answer did not begin"),
            "total": (limits.total, "the answer was not complete"),
        }.get(phase, (limits.read, "nothing more came"))
        error = ProviderTimeoutError(
            f"{words} within {limit:g} s", provider=self._engine.name, model=self._answer.model
        )
        error.phase = phase
        error.timeout = limit
        return error

    async def _for_ever(self) -> None:
        if isinstance(self._waiter, AsyncWaiter):
            # Somebody further out may hold a limit and cancel this; where nobody does, the virtual loop reports it.
            await asyncio.get_running_loop().create_future()
        raise self._engine.world.record_harness_error(
            VirtualTimeStalledError(
                f"`{self._engine.name}` never answers request {self._answer.number}, and the caller set no limit.\n\n"
                "To fix: give the call a timeout; without one it would hang for ever."
            )
        )
