# ruff: noqa: SLF001 - a subclass of the loop, its handles and the clock are one machine here
"""An asyncio event loop that jumps: when no task can run, time moves to the next deadline at once.

It differs from the stock loop where virtual time would otherwise show: deadlines are integer nanoseconds and hit
exactly; equal deadlines fire first in, first out; work outside the loop holds time still; and a program in which
everything waits for nothing is reported instead of hanging.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable, Generator
from contextvars import Context
from heapq import heapify, heappop, heappush
from typing import TYPE_CHECKING, Any, TypeVar

from llmtest.clock._clock import NEVER_NS, NS_PER_SECOND, VirtualClock, to_ns
from llmtest.clock._handles import Soon, Timer
from llmtest.clock._order import order_anyio_scopes, ordered_task_factory
from llmtest.clock._outside import OutsideWork, grace_of
from llmtest.clock._real import REAL
from llmtest.clock._rounds import PAUSE_S, SPINS_MAX, Polling, as_running, can_be_nested, run_nested, spin
from llmtest.clock._stall import livelock_error, stalled_error
from llmtest.clock._waits import LoopWait
from llmtest.errors import HarnessError

if TYPE_CHECKING:
    from llmtest.clock._participants import Party

T = TypeVar("T")

_get_ident = threading.get_ident

INFINITE = float("inf")
SETTLED = 1 << 61
"""Sequence number of a timer that fires only when nothing else is left to do at its instant."""
COMPACT_ABOVE = 100
"""Cancelled timers are swept out when there are more than this many and they are more than half of the heap."""
FOREIGN_PATIENCE_S = 1.0
"""Real seconds that a loop with nothing to wait for gives to threads it does not know, before it reports a stall."""
IO_PATIENCE_S = 10.0
"""Real seconds that a loop with nothing but open sockets waits for them, before it reports a stall."""


class VirtualTimeLoop(OutsideWork):
    """An event loop on a `VirtualClock`.

    Args:
        clock: Clock to live by; by default a new one.
        jumps_max: Most jumps before the run is reported as a livelock; None for no limit.
        elapsed_max: Most virtual seconds likewise; None for no limit.
    """

    _nest_patched = True
    """What `nest_asyncio` asks a class before it replaces its methods: it can be run again from within by itself."""

    def __init__(
        self, clock: VirtualClock | None = None, *, jumps_max: int | None = None, elapsed_max: float | None = None
    ) -> None:
        super().__init__(VirtualClock() if clock is None else clock)
        self.begin(self.clock, jumps_max=jumps_max, elapsed_max=elapsed_max)

    def begin(self, clock: VirtualClock, *, jumps_max: int | None, elapsed_max: float | None) -> None:
        """Live by a clock from now on, with no timer yet; the arguments are those of the class."""
        self.live_by(clock)
        self._timers: list[tuple[int, int, Any]] = []
        self._sequence = 0
        self._dead = 0
        self._spins = 0
        self._jumps_left = -1 if jumps_max is None else jumps_max
        self._end_ns = NEVER_NS if elapsed_max is None else to_ns(elapsed_max)
        self._poked = False
        self._clock_resolution = 1e-9
        self._retired = False
        self.reads = 0
        """How often somebody has asked the loop for the time."""
        self.polled = Polling(0, 0)
        if self.get_task_factory() is None:
            self.set_task_factory(ordered_task_factory())
        order_anyio_scopes()

    def time(self) -> float:
        """Return seconds since the clock's start."""
        self.reads += 1
        clock = self.clock
        return (clock._base_ns + clock._ns) / NS_PER_SECOND

    def call_soon(  # type: ignore[override]  # the stub's variadic types cannot be repeated here
        self, callback: Callable[..., object], *args: Any, context: Context | None = None
    ) -> asyncio.Handle:
        """Run a callback in the next round."""
        if self._debug or self._closed:
            return super().call_soon(callback, *args, context=context)
        handle = Soon(callback, args, self, context)
        self._ready.append(handle)
        return handle

    def call_later(  # type: ignore[override]  # the stub's variadic types cannot be repeated here
        self, delay: float, callback: Callable[..., object], *args: Any, context: Context | None = None
    ) -> asyncio.TimerHandle:
        """Run a callback `delay` virtual seconds from now."""
        clock = self.clock
        if self._debug or self._closed or delay == INFINITE:
            when_ns = clock._base_ns + clock._ns + to_ns(delay)
            return self.call_at(when_ns / NS_PER_SECOND, callback, *args, context=context)
        ns = clock._ns + round(delay * NS_PER_SECOND)
        timer = Timer((clock._base_ns + ns) / NS_PER_SECOND, callback, args, self, context)
        self._sequence = sequence = self._sequence + 1
        heappush(self._timers, (ns, sequence, timer))
        return timer

    def call_at(  # type: ignore[override]  # the stub's variadic types cannot be repeated here
        self, when: float, callback: Callable[..., object], *args: Any, context: Context | None = None
    ) -> asyncio.TimerHandle:
        """Run a callback when `time()` reads `when`."""
        if self._debug or self._closed:
            self._check_closed()
            self._check_callback(callback, "call_at")
            self._check_thread()
        timer = Timer(when, callback, args, self, context)
        self._sequence = sequence = self._sequence + 1
        heappush(self._timers, (to_ns(when) - self.clock._base_ns, sequence, timer))
        return timer

    def run_until_complete(self, future: Generator[Any, None, T] | Awaitable[T]) -> T:
        """Run until a future is done; where `nest_asyncio` was applied also from within a run."""
        if can_be_nested():
            result: T = run_nested(self, future)
            return result
        return super().run_until_complete(future)

    async def wait_until_ns(self, ns: int) -> None:
        """Suspend the task until the clock reads `ns`: half the work of `asyncio.sleep`."""
        self._sequence = sequence = self._sequence + 1
        future = self.create_future()
        heappush(self._timers, (ns, sequence, future))
        try:
            await future
        except BaseException:
            if isinstance(self, VirtualTimeLoop):  # else its simulation has ended meanwhile
                self.count_dead_timer()
            raise

    async def settle_at_ns(self, ns: int) -> None:
        """Suspend the task until the clock reads `ns` and nothing else is left to do at that instant."""
        self._sequence += 1
        future = self.create_future()
        heappush(self._timers, (ns, SETTLED + self._sequence, future))
        await future

    def count_dead_timer(self) -> None:
        """Note that a timer in the heap has been cancelled; sweep when the dead are the majority."""
        self._dead = dead = self._dead + 1
        if dead > COMPACT_ABOVE and dead * 2 > len(self._timers):
            self._timers[:] = [entry for entry in self._timers if not _is_dead(entry[2])]
            heapify(self._timers)
            self._dead = 0

    def _timer_handle_cancelled(self, handle: asyncio.TimerHandle) -> None:
        """Count a cancelled timer that was made by somebody else's subclass."""
        if handle._scheduled:  # type: ignore[attr-defined]
            self.count_dead_timer()

    def _run_once(self) -> None:
        """Do rounds until told to stop, known to the thread as the loop that runs in it."""
        as_running(self, self._do_rounds)

    def _do_rounds(self) -> None:  # noqa: C901, PLR0912 - the hot path, in one piece for speed
        """Do rounds until told to stop; the caller's loop of single rounds would cost as much again as some of them."""
        ready = self._ready
        timers = self._timers
        clock = self.clock
        fds, own_fds = self._fds, self._own_fds
        get_ident = _get_ident
        while True:
            if not ready and not self._stopping:
                self._spins = 0
                if (
                    self._external
                    or self._quiet_from_ns
                    or self._retired
                    or (
                        (party := clock._party) is not None and (party.quiet_from_ns or party.solo_ident != get_ident())
                    )
                    or len(fds) != own_fds
                    or not timers
                    or (item._cancelled if (item := timers[0][2]).__class__ is Timer else item.done())
                    or timers[0][0] > self._end_ns
                    or not self._jumps_left
                ):
                    self.wait()
                    if self._retired:
                        return
                else:
                    ns, _, item = heappop(timers)
                    if ns > clock._ns:
                        self._jumps_left -= 1
                        clock._ns = ns
                    if item.__class__ is Timer:
                        item._scheduled = False
                        ready.append(item)
                    else:
                        item.set_result(None)
                    if timers and timers[0][0] <= ns:
                        self.release_due()
            else:
                self._spins += 1
                if len(fds) != own_fds:
                    self._process_events(self._selector.select(0))
                if timers and timers[0][0] <= clock._ns:
                    self.release_due()
                if self._spins > SPINS_MAX:
                    spin(self)
            for _ in range(len(ready)):
                if not ready:  # a run within this one has run them
                    break
                handle: Any = ready.popleft()
                if not handle._cancelled:
                    try:
                        handle._context.run(handle._callback, *handle._args)
                    except (SystemExit, KeyboardInterrupt):
                        raise
                    except BaseException as error:  # noqa: BLE001 - as the stock handle does
                        self._report(handle, error)
                handle = None
            if self._stopping:
                return

    def _report(self, handle: Any, error: BaseException) -> None:
        """Hand an error in a callback to the exception handler, as the stock handle does."""
        context = {"message": f"Exception in callback {handle!r}", "exception": error, "handle": handle}
        if handle._source_traceback:
            context["source_traceback"] = handle._source_traceback
        self.call_exception_handler(context)

    def release_due(self) -> None:
        """Make everything ready whose deadline has come, in the order of deadline and registration."""
        timers = self._timers
        ready = self._ready
        now = self.clock._ns
        while timers:
            ns, sequence, item = timers[0]
            if ns > now or (sequence > SETTLED and ready):
                break
            heappop(timers)
            if item.__class__ is Timer:
                item._scheduled = False
                if item._cancelled:
                    self._dead -= 1
                else:
                    ready.append(item)
            elif item.done():
                self._dead -= 1
            else:
                item.set_result(None)

    def next_ns(self) -> int:
        """Return the earliest live deadline, `NEVER_NS` where there is none."""
        timers = self._timers
        while timers:
            if not _is_dead(timers[0][2]):
                return timers[0][0]
            heappop(timers)
            self._dead -= 1
        return NEVER_NS

    def wait(self) -> None:
        """Nothing can run: wait for what is outside, or else jump."""
        self._spins = 0
        if self._retired:
            self._go_real()
            return
        party = self.clock._party
        if party is not None and party.solo_ident != _get_ident():
            self._wait_with_others(party)
        elif self._is_busy_outside():
            self._wait_outside()
        else:
            ns = self.next_ns()
            if ns < NEVER_NS:
                self.jump(ns)
            else:
                self._wait_for_strangers()

    def _is_busy_outside(self) -> bool:
        """Tell whether anything real has been used that may still be active."""
        party = self.clock._party
        return (
            self._external > 0
            or len(self._fds) != self._own_fds
            or self._quiet_from_ns > 0
            or (party is not None and party.quiet_from_ns > 0)
        )

    def jump(self, ns: int) -> None:
        """Move the clock, and make ready what is due then.

        Raises:
            VirtualTimeLivelockError: It has moved as far or as often as it may.
        """
        clock = self.clock
        if ns > clock._ns:
            if ns > self._end_ns:
                raise self.livelock(f"virtual time would pass its limit of {self._end_ns / NS_PER_SECOND:,.0f} s")
            if self._jumps_left == 0:
                raise self.livelock("virtual time has jumped as often as it may")
            self._jumps_left -= 1
            clock._ns = ns
        self.release_due()

    def _wait_with_others(self, party: Party) -> None:
        """Wait among the threads of a simulation, which jump together."""
        self._poked = False
        if self._ready:
            return
        party.loops.add(self)
        party.hold(LoopWait(self, self.next_ns()))
        self.release_due()

    def retire(self) -> None:
        """Keep real time from now on: the simulation of this loop has ended."""
        self._retired = True
        if not self.is_running():
            self._go_real()

    def _go_real(self) -> None:
        from llmtest.clock._adoption import release

        release(self)

    def _wait_outside(self) -> None:
        """Wait for work outside the loop, or for real sockets as long as they are active."""
        ns = self.next_ns()
        grace_s = self._grace_left_s()
        patience_s = None if self._external else grace_s or (0.0 if ns < NEVER_NS else IO_PATIENCE_S)
        if self.take_events(patience_s) or self._ready or self._external or grace_s:
            return
        if ns < NEVER_NS:
            self.jump(ns)
        else:
            raise self.stalled()

    def take_events(self, seconds: float | None) -> bool:
        """Wait in real time for the selector, at most so long; tell whether anything came."""
        if seconds is not None and 0.0 < seconds < PAUSE_S:  # the selector rounds up to whole milliseconds
            REAL.sleep(seconds)
            seconds = 0.0
        events = self._selector.select(seconds)
        if not events:
            return False
        own = self._ssock.fileno()
        for key, _ in events:
            if key.fd != own:
                self._note_io(grace_of(key.fd))
        self._process_events(events)
        return True

    def call_soon_threadsafe(  # type: ignore[override]  # the stub's variadic types cannot be repeated here
        self, callback: Callable[..., object], *args: Any, context: Context | None = None
    ) -> asyncio.Handle:
        """Run a callback in the next round; may be called from any thread."""
        self._poked = True
        return super().call_soon_threadsafe(callback, *args, context=context)

    @property
    def has_work(self) -> bool:
        """Whether something was handed to the loop that it has not seen, or runs for it outside the process."""
        return self._poked or self._external > 0

    def wake(self) -> None:
        """End the loop's wait for its selector; may be called from any thread."""
        self._write_to_self()

    def _wait_for_strangers(self) -> None:
        """Give threads that nobody told us about a moment to call in, then report the stall."""
        patience_s = FOREIGN_PATIENCE_S if threading.active_count() > 1 else 0.0
        if not self.take_events(patience_s) and not self._ready:
            raise self.stalled()

    def stalled(self) -> HarnessError:
        """Make and record the report that nothing can go on."""
        return self._recorded(stalled_error(self))

    def livelock(self, reason: str) -> HarnessError:
        """Make and record the report that the loop does not come to an end."""
        self._spins, self._jumps_left, self._end_ns = 0, -1, NEVER_NS  # whoever cleans up may still wait
        return self._recorded(livelock_error(self, reason))

    def _recorded(self, error: HarnessError) -> HarnessError:
        party = self.clock._party
        if party is not None and party.on_error is not None:
            party.on_error(error)
        return error


def _is_dead(item: Any) -> bool:
    return item._cancelled if item.__class__ is Timer else item.done()
