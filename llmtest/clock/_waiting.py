"""Waits that suit their caller, so that one coroutine serves synchronous and asynchronous code.

A policy or a transport is written once, as a coroutine that waits through a `Waiter`. Given a `BlockingWaiter` it never
suspends, and `run_blocking` drives it to its end without any event loop.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Coroutine, Generator
from typing import Any, Protocol, TypeVar

from llmtest.clock._clock import Clock
from llmtest.errors import SimulationStateError

T = TypeVar("T")


class Waiter(Protocol):
    """Something that lets time pass."""

    async def sleep_ns(self, ns: int) -> None:
        """Wait whole nanoseconds."""
        ...


class BlockingWaiter:
    """Waits by blocking the thread; a coroutine that uses only this never suspends."""

    __slots__ = ("clock",)

    def __init__(self, clock: Clock) -> None:
        self.clock = clock

    async def sleep_ns(self, ns: int) -> None:
        """Block for whole nanoseconds."""
        self.clock.sleep_ns(ns)


class AsyncWaiter:
    """Waits by suspending the task."""

    __slots__ = ("clock",)

    def __init__(self, clock: Clock) -> None:
        self.clock = clock

    def sleep_ns(self, ns: int) -> Coroutine[Any, Any, None]:
        """Suspend for whole nanoseconds."""
        return self.clock.sleep_async_ns(ns)


def run_blocking(coroutine: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine that never suspends, and return its result.

    Raises:
        SimulationStateError: The coroutine suspended, so it was given a part that is not blocking.
    """
    try:
        coroutine.send(None)
    except StopIteration as stop:
        result: T = stop.value
        return result
    _refuse(coroutine)
    raise AssertionError  # pragma: no cover - `_refuse` always raises


def _refuse(coroutine: Coroutine[Any, Any, Any]) -> None:
    name = getattr(coroutine, "__qualname__", type(coroutine).__name__)
    coroutine.close()
    raise SimulationStateError(
        f"`{name}` suspended while it was run without an event loop.\n"
        "To fix: give it blocking parts only (`BlockingWaiter`, a synchronous transport), or await it."
    )


def iterate_blocking(source: AsyncGenerator[T, None]) -> Generator[T, None, None]:
    """Iterate over an asynchronous generator that never suspends; closing this one closes that one.

    Raises:
        SimulationStateError: The generator suspended.
    """
    try:
        while True:
            try:
                item = run_blocking(source.__anext__())
            except StopAsyncIteration:
                return
            yield item
    finally:
        run_blocking(source.aclose())
