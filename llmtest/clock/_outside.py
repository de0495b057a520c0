# ruff: noqa: SLF001 - the loop and the clock are one machine here
"""What a virtual loop does not do itself: threads, child processes and sockets, during which time stands still."""

from __future__ import annotations

import asyncio
import os
import selectors
import stat
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeVar

from llmtest.clock._clock import NS_PER_SECOND, VirtualClock, to_ns
from llmtest.clock._real import REAL
from llmtest.errors import HarnessError

if TYPE_CHECKING:
    import socket
    from collections import deque

T = TypeVar("T")

GRACE_S = 0.02
"""Real seconds without socket activity before a loop without a simulation jumps."""
PROCESS_GRACE_S = 0.25
"""Real seconds that a child process may be silent before time jumps."""


class OutsideWork(asyncio.SelectorEventLoop):
    """An event loop that knows what goes on outside it.

    Args:
        clock: Clock to live by.
    """

    if TYPE_CHECKING:  # what the stock loop has and its stubs do not tell
        _ready: deque[asyncio.Handle]
        _selector: selectors.BaseSelector
        _ssock: socket.socket
        _debug: bool
        _closed: bool
        _stopping: bool
        _thread_id: int | None

        def _check_closed(self) -> None: ...
        def _check_thread(self) -> None: ...
        def _check_callback(self, callback: object, method: str) -> None: ...
        def _process_events(self, events: object) -> None: ...
        def _write_to_self(self) -> None: ...

    def __init__(self, clock: VirtualClock) -> None:
        super().__init__(selectors.DefaultSelector())
        self.clock = clock

    def live_by(self, clock: VirtualClock) -> None:
        """Start to watch what goes on outside the loop.

        Args:
            clock: The clock from now on.
        """
        self.clock = clock
        self._external = 0
        self._quiet_from_ns = 0
        selector: Any = self._selector
        self._fds: Any = getattr(selector, "_fd_to_key", None) or selector.get_map()  # the table itself counts faster
        self._own_fds = self._fds_before = 1  # the pair through which other threads wake the loop

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        """Log what nobody caught, except harness errors: they are recorded, and fail the test by themselves.

        Such an error is often still held by a task of another plugin when the garbage collector finds it. Telling of it
        then, with a traceback, may happen in the middle of anything: inside `ast.parse` it breaks pytest on 3.11.
        """
        if not isinstance(context.get("exception"), HarnessError):
            asyncio.SelectorEventLoop.call_exception_handler(self, context)  # also for one that was released meanwhile

    def run_in_executor(  # type: ignore[override]  # the stub's variadic types cannot be repeated here
        self, executor: Executor | None, func: Callable[..., T], *args: Any
    ) -> asyncio.Future[T]:
        """Run a function in a thread or process; time stands still until it is done."""
        future: asyncio.Future[T] = super().run_in_executor(executor, func, *args)
        if self.clock._party is None or not isinstance(executor, ThreadPoolExecutor | None):
            self.hold(future)  # the threads of a simulation are watched one by one, and may themselves wait for time
        return future

    def hold(self, future: asyncio.Future[Any]) -> None:
        """Keep time still until a future, which something outside the loop will complete, is done."""
        self._external += 1
        future.add_done_callback(self._release)

    def _release(self, _: object) -> None:
        self._external -= 1

    @contextmanager
    def holding(self) -> Iterator[None]:
        """Keep time still, unless the work is done by threads of a simulation, which are watched one by one."""
        watched = self.clock._party is not None
        self._external += not watched
        try:
            yield
        finally:
            self._external -= not watched

    async def shutdown_default_executor(self, timeout: float | None = None) -> None:  # noqa: ARG002, ASYNC109 - the stock loop's parameter, since 3.12
        """Wait for the default executor's threads; without a limit, as a thread's end comes in real time."""
        with self.holding():
            await super().shutdown_default_executor()

    async def subprocess_exec(self, *args: Any, **options: Any) -> Any:
        """Start a child process; time stands still while it talks."""
        self._note_io(PROCESS_GRACE_S)
        return await super().subprocess_exec(*args, **options)

    async def subprocess_shell(self, *args: Any, **options: Any) -> Any:
        """Start a shell command; time stands still while it talks."""
        self._note_io(PROCESS_GRACE_S)
        return await super().subprocess_shell(*args, **options)

    def _note_io(self, grace_s: float) -> None:
        """Note that something real is going on, and for how long it may be silent."""
        party = self.clock._party
        if party is not None:
            party.note_real_io(grace_s=grace_s)
        self._quiet_from_ns = max(self._quiet_from_ns, REAL.monotonic_ns() + to_ns(grace_s))

    def _grace_left_s(self) -> float:
        """Return for how many real seconds time must still stand because of socket activity."""
        party = self.clock._party
        if party is not None:
            return party.grace_left_ns() / NS_PER_SECOND
        if len(self._fds) != self._fds_before:
            self._fds_before = len(self._fds)
            self._note_io(GRACE_S)
        return max(0.0, (self._quiet_from_ns - REAL.monotonic_ns()) / NS_PER_SECOND)


def grace_of(fd: int) -> float:
    """Return how long the other end may be silent before time goes on: a child process computes, a server answers."""
    return GRACE_S if stat.S_ISSOCK(os.fstat(fd).st_mode) else PROCESS_GRACE_S
