"""The caller's limits on the direct path: how long to wait for what, and the error when it takes longer."""

from __future__ import annotations

import asyncio
from datetime import datetime
from typing import TYPE_CHECKING

from llmtest.clock import AsyncWaiter, Waiter
from llmtest.errors import ProviderTimeoutError, TimeoutPhase, VirtualTimeStalledError

if TYPE_CHECKING:
    from llmtest.simulation._answer import Answer
    from llmtest.simulation._engine import Engine
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
        await self._wait(None, self._timeouts.connect, "connect")

    async def until_head(self, ns: int | None) -> None:
        """Wait for the beginning of the answer; None: it never comes."""
        await self.until_first_piece(ns)

    async def until_first_piece(self, ns: int | None) -> None:
        """Wait for the first piece of the answer; None: it never comes."""
        first = self._timeouts.first_token
        if first is None:
            await self._wait(ns, self._timeouts.read, "read")
        else:
            begun = (self._engine.world.clock.now_ns() - self._answer.start_ns) / 1e9
            await self._wait(ns, first, "first_token", begun)

    async def until_next_piece(self, ns: int | None) -> None:
        """Wait for any later piece; None: it never comes."""
        await self._wait(ns, self._timeouts.read, "read")

    async def _wait(self, ns: int | None, limit: float | None, phase: TimeoutPhase, begun: float = 0.0) -> None:
        allowed = None if limit is None else round((limit - begun) * 1e9)
        total = self._timeouts.total
        if total is not None:
            left = round(total * 1e9) - (self._engine.world.clock.now_ns() - self._answer.start_ns)
            if allowed is None or left < allowed:
                allowed, limit, phase = left, total, "total"
        if allowed is None:
            if ns is None:
                await self._for_ever()
            else:
                await self._waiter.sleep_ns(ns)
        elif ns is not None and ns <= allowed:
            await self._waiter.sleep_ns(ns)
        else:
            if allowed > 0:
                await self._waiter.sleep_ns(allowed)
            raise self._timeout(limit, phase)

    def _timeout(self, limit: float | None, phase: TimeoutPhase) -> ProviderTimeoutError:
        what = "connection" if phase == "connect" else "answer"
        error = ProviderTimeoutError(
            f"no {what} within {limit:g} s", provider=self._engine.name, model=self._answer.model
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
