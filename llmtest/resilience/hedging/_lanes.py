"""Requests side by side: as tasks on an event loop, and as threads in blocking code.

A task is cancelled wherever it waits, and what it held is given back before anything else happens. A thread cannot be
interrupted: one that has been given up ends at the next piece of its stream, before its next attempt or in the wait for
it; one that waits for a whole answer ends when that has come, or at its time limit, and is charged what it came to.
Threads live by the clock of whoever starts them, so that both are the same in a simulation.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncGenerator, Callable, Coroutine, Sequence
from contextvars import copy_context
from typing import TYPE_CHECKING, Any, Protocol

from llmtest.clock import VirtualClock, run_blocking
from llmtest.errors import ConfigurationError
from llmtest.resilience.pipeline._open_stream import OpenStream, deliver
from llmtest.resilience.pipeline._sync_async import ASYNC, BLOCKING, Parts
from llmtest.types import CompletionRequest, CompletionResponse, Provider, StreamEvent, Timeouts

if TYPE_CHECKING:
    from llmtest.clock import Clock

__all__ = ["Lane", "Lanes", "lanes_for"]

NS = 1_000_000_000
Asked = Coroutine[Any, Any, CompletionResponse | OpenStream]


class Lane:
    """One of the requests.

    Args:
        number: Its number; where two have ended, the lower one is looked at first.
    """

    __slots__ = ("error", "number", "result", "task")

    def __init__(self, number: int) -> None:
        self.number = number
        self.result: CompletionResponse | OpenStream | None = None
        self.error: BaseException | None = None
        self.task: Any = None


class Lanes(Protocol):
    """Requests side by side, in one world."""

    def parts(self) -> Parts:
        """Return how the next request asks and waits."""
        ...

    def start(self, lane: Lane, asked: Asked) -> None:
        """Let a request run."""
        ...

    async def first(self, lanes: Sequence[Lane], ns: int | None) -> Lane | None:
        """Return the first that has ended; None if none has in so many nanoseconds."""
        ...

    async def give_up(self, lanes: Sequence[Lane]) -> None:
        """Let requests go that are not wanted any more."""
        ...


def lanes_for(parts: Parts, clock: Clock) -> Lanes:
    """Return how requests run side by side in the world of a call.

    Raises:
        ConfigurationError: They cannot, there.
    """
    if not parts.is_async:
        if isinstance(clock, VirtualClock) and not clock.is_shared:
            raise ConfigurationError(
                "hedging needs two threads in blocking code, and this virtual clock is of one thread alone.\n"
                "To fix: run the call inside `with Simulation():`, or ask with `complete_async` and `stream_async`"
            )
        return ThreadLanes()
    if asyncio._get_running_loop() is None:  # noqa: SLF001 - the public name raises where there is no loop
        raise ConfigurationError(
            "hedging runs on event loops of asyncio, and this one is another.\n"
            "To fix: ask from asyncio, or from blocking code"
        )
    return TaskLanes()


class TaskLanes:
    """Tasks of an event loop."""

    def parts(self) -> Parts:
        """Return the event loop's."""
        return ASYNC

    def start(self, lane: Lane, asked: Asked) -> None:
        """Run it as a task."""
        lane.task = asyncio.ensure_future(asked)

    async def first(self, lanes: Sequence[Lane], ns: int | None) -> Lane | None:
        """Wait for the first task."""
        tasks = [lane.task for lane in lanes]
        done, _ = await asyncio.wait(
            tasks, timeout=None if ns is None else max(ns, 0) / NS, return_when=asyncio.FIRST_COMPLETED
        )
        if not done:
            return None
        lane = next(lane for lane in lanes if lane.task in done)
        _read(lane)
        return lane

    async def give_up(self, lanes: Sequence[Lane]) -> None:
        """Cancel the tasks, and return when each has given back what it held."""
        for lane in lanes:
            lane.task.cancel()
        interrupted: asyncio.CancelledError | None = None
        while pending := [lane.task for lane in lanes if not lane.task.done()]:
            try:
                await asyncio.wait(pending)
            except asyncio.CancelledError as error:
                interrupted = error
        for lane in lanes:
            _read(lane)
            await _drop(lane)
        if interrupted is not None:
            raise interrupted


def _read(lane: Lane) -> None:
    """Take over how a task has ended."""
    task = lane.task
    if task.cancelled():
        lane.error = asyncio.CancelledError()
    elif task.exception() is not None:
        lane.error = task.exception()
    else:
        lane.result = task.result()


async def _drop(lane: Lane) -> None:
    """Leave a stream that nobody will read; whole answers are recorded already."""
    if isinstance(lane.result, OpenStream):
        events = deliver(lane.result)
        async for _ in events:
            break
        await events.aclose()


class ThreadLanes:
    """Threads, each with a copy of the caller's context."""

    def __init__(self) -> None:
        self._ended: list[Lane] = []
        self._changed = threading.Condition()
        self._given_up: set[Lane] = set()
        self._stops: list[threading.Event] = []

    def parts(self) -> Parts:
        """Return those of a thread that may be told to stop."""
        stop = threading.Event()
        self._stops.append(stop)
        return StoppableParts(stop)

    def start(self, lane: Lane, asked: Asked) -> None:
        """Run it in a thread."""
        run: Callable[..., None] = copy_context().run
        lane.task = self._stops[-1]
        name = f"llmtest-hedge-{lane.number}"
        threading.Thread(target=run, args=(self._run, lane, asked), name=name, daemon=True).start()

    def _run(self, lane: Lane, asked: Asked) -> None:
        try:
            lane.result = run_blocking(asked)
        except BaseException as error:  # noqa: BLE001 - the caller raises it, or has given it up
            lane.error = error
        with self._changed:
            is_wanted = lane not in self._given_up
            if is_wanted:
                self._ended.append(lane)
                self._changed.notify()
        if not is_wanted:
            run_blocking(_drop(lane))

    async def first(self, lanes: Sequence[Lane], ns: int | None) -> Lane | None:
        """Wait for the first thread."""
        del lanes
        with self._changed:
            if not self._ended and (ns is None or ns > 0):
                self._changed.wait(None if ns is None else ns / NS)
            if not self._ended:
                return None
            self._ended.sort(key=_number)
            return self._ended.pop(0)

    async def give_up(self, lanes: Sequence[Lane]) -> None:
        """Tell the threads to stop; those that can do so at once leave what they held."""
        with self._changed:
            waiting = [lane for lane in lanes if lane not in self._ended]
            self._given_up.update(waiting)
        for lane in waiting:
            lane.task.set()
        for lane in lanes:
            if lane in self._ended:
                await _drop(lane)


def _number(lane: Lane) -> int:
    return lane.number


class StoppableParts:
    """Blocking code that can be told to stop where it does not wait for a provider.

    Args:
        stop: Tells it.
    """

    __slots__ = ("_stop",)

    is_async = False

    def __init__(self, stop: threading.Event) -> None:
        self._stop = stop

    def _go_on(self) -> None:
        if self._stop.is_set():
            raise asyncio.CancelledError

    async def complete(self, provider: Provider, request: CompletionRequest, timeouts: Timeouts) -> CompletionResponse:
        """Ask for a whole answer."""
        self._go_on()
        return provider.complete(request, timeouts)

    async def stream(
        self, provider: Provider, request: CompletionRequest, timeouts: Timeouts
    ) -> AsyncGenerator[StreamEvent, None]:
        """Ask for an answer in pieces."""
        self._go_on()
        events = BLOCKING.stream(provider, request, timeouts)
        try:
            async for event in events:
                yield event  # What has come is charged, whoever wants it.
                self._go_on()
        finally:
            await events.aclose()

    async def sleep_ns(self, clock: Clock, ns: int) -> None:
        """Block the thread."""
        del clock
        if self._stop.wait(ns / NS):
            raise asyncio.CancelledError
