"""Threads that are older than a simulation and work for it: a pool's worker, a loop that a module made when imported.

They keep real time, and nobody counts what they do. When a participant hands something to one of them, time stands
still until they are all back where they were found when the simulation began: at the same place in their code, waiting
as they did then. A thread that waits for another one without a limit, or an idle loop, is never at work, wherever it
stands; one that comes back to the same place again and again polls.
"""

from __future__ import annotations

import asyncio
import asyncio.tasks
import threading
from asyncio.base_events import BaseEventLoop
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from weakref import WeakSet

from llmtest.clock._clock import NS_PER_SECOND
from llmtest.clock._frames import stack_of
from llmtest.clock._names import also_by_name, party_of_caller
from llmtest.clock._real import REAL
from llmtest.clock._thread_state import Doing, ThreadProbe
from llmtest.clock._waits import ThreadWait

if TYPE_CHECKING:
    from llmtest.clock._participants import Party
    from llmtest.clock._patches import Patches

LOOK_AGAIN_NS = 1_000_000
"""Real time until strangers at work are looked at again."""
PATIENCE_NS = 30 * NS_PER_SECOND
"""How long strangers may work before time goes on without them."""

INPUT_NS = NS_PER_SECOND // 4
"""How long a thread waits for input without a limit before it is one that does nothing else."""
VISITS = 10
POLLING_NS = NS_PER_SECOND
"""How often, and over how long, a thread comes back to one place before that is polling."""
ONLY_STRANGERS_NS = 1
"""What the party's `quiet_from_ns` reads where nothing but strangers keeps a thread from jumping by itself."""

Place = tuple[tuple[tuple[int, int], ...], bool]


class _Stranger:
    """A thread that takes no part."""

    def __init__(self, thread: threading.Thread) -> None:
        self.probe = ThreadProbe(thread.ident or 0, thread.native_id or 0)
        self.homes: set[Place] = set()
        self._visits: dict[Place, tuple[int, int]] = {}

    def place(self) -> Place:
        """Return where it is: the lines it stands on, and whether it waits there without a limit."""
        stack = tuple((id(frame.f_code), frame.f_lasti) for frame in stack_of(self.probe.ident))
        return stack, self.probe.is_endless

    def settle(self) -> None:
        """Note where it is before the simulation, unless it is on its way."""
        doing, _ = self.probe.look()
        if doing is not Doing.WORK:
            self.homes.add(self.place())

    def is_home(self) -> bool:
        """Tell whether it does nothing."""
        doing, age_ns = self.probe.look()
        if self.probe.gone:
            return True
        if doing is Doing.WORK:
            return False
        place = self.place()
        if place in self.homes:
            self._visits.clear()
            return True
        if age_ns == 0:
            self._count_visit(place)
            return False
        if self.probe.is_endless and age_ns > INPUT_NS:  # a server's thread waits for whoever comes
            self.homes.add(place)
        return self.probe.is_endless and (doing is Doing.WAIT or self.probe.is_idle_loop)

    def _count_visit(self, place: Place) -> None:
        """Notice a thread that polls: it is where it was, many times, over a while."""
        now = REAL.monotonic_ns()
        count, first_ns = self._visits.get(place, (0, now))
        self._visits[place] = count + 1, first_ns
        if count >= VISITS and now - first_ns > POLLING_NS:
            self.homes.add(place)


class Strangers:
    """The threads that take no part in a simulation.

    Args:
        party: Those that do.
    """

    def __init__(self, party: Party) -> None:
        self._party = party
        self._threads: dict[int, _Stranger] = {}
        self._asked: WeakSet[threading.Condition] = WeakSet()
        self._waiting_until_ns: dict[object, int] = {}
        self._since_ns = 0
        self.active = False
        """Whether strangers may be at work for the simulation."""

    def begin(self) -> None:
        """Note where the threads are that are there before the simulation."""
        for stranger in self._found():
            stranger.settle()

    def close(self) -> None:
        """Give back what was opened to watch them."""
        for stranger in self._threads.values():
            stranger.probe.close()
        self._threads.clear()

    def _found(self) -> list[_Stranger]:
        own = threading.get_ident()
        for thread in threading.enumerate():
            ident = thread.ident
            if ident is not None and ident != own and ident not in self._party.idents and ident not in self._threads:
                self._threads[ident] = _Stranger(thread)
        return [stranger for ident, stranger in self._threads.items() if ident not in self._party.idents]

    def handed_over(self) -> None:
        """Note that a participant has handed something to somebody who may be none."""
        if threading.active_count() > len(self._party.idents):
            self._activate()
            self._since_ns = REAL.monotonic_ns()

    def _activate(self) -> None:
        self.active = True
        self._party.quiet_from_ns = max(ONLY_STRANGERS_NS, self._party.quiet_from_ns)

    def asked(self, future: Any) -> None:
        """Note that a loop of theirs has been asked for a result."""
        self._asked.add(future._condition)  # noqa: SLF001 - whoever waits for it waits for that
        self.handed_over()

    @contextmanager
    def waited(self, condition: threading.Condition, seconds: float) -> Iterator[None]:
        """Keep time still while somebody waits for a result of theirs, as long as he would in real time."""
        if condition not in self._asked:
            yield
            return
        key = object()
        self._waiting_until_ns[key] = REAL.monotonic_ns() + int(min(seconds, PATIENCE_NS / 1e9) * NS_PER_SECOND)
        self._activate()
        try:
            yield
        finally:
            del self._waiting_until_ns[key]

    def left_ns(self) -> int:
        """Return for how many real nanoseconds time must at least stand; 0 where no stranger works."""
        now = REAL.monotonic_ns()
        if any(until_ns > now for until_ns in tuple(self._waiting_until_ns.values())):
            return LOOK_AGAIN_NS
        away = [stranger for stranger in self._found() if not stranger.is_home()]
        for ident in [ident for ident, stranger in self._threads.items() if stranger.probe.gone]:
            self._threads.pop(ident).probe.close()
        if away and now - self._since_ns < PATIENCE_NS:
            return LOOK_AGAIN_NS
        for stranger in away:  # it works in the background
            stranger.homes.add(stranger.place())
        self.active = False
        if self._party.quiet_from_ns == ONLY_STRANGERS_NS:
            self._party.quiet_from_ns = 0
        return 0


_real_notify = threading.Condition.notify
_real_run = asyncio.run_coroutine_threadsafe
_real_call = BaseEventLoop.call_soon_threadsafe


def _notify(self: threading.Condition, n: int = 1) -> None:
    """Wake waiting threads; some of them may be strangers to the simulation."""
    waiters: Any = self._waiters  # type: ignore[attr-defined]
    party = party_of_caller() if waiters else None
    if party is not None and not all(isinstance(waiter, ThreadWait) for waiter in waiters):
        party.strangers.handed_over()
    _real_notify(self, n)


def _run_coroutine_threadsafe(coro: Any, loop: asyncio.AbstractEventLoop) -> Any:
    """Submit a coroutine to the loop of another thread, which may be a stranger to the simulation."""
    future = _real_run(coro, loop)
    party = party_of_caller()
    if party is not None and not hasattr(loop, "clock"):
        party.strangers.asked(future)
    return future


def _call_soon_threadsafe(self: Any, callback: Any, *args: Any, context: Any = None) -> asyncio.Handle:
    """Run a callback in the loop of another thread, which may be a stranger to the simulation."""
    handle: asyncio.Handle = _real_call(self, callback, *args, context=context)
    if not hasattr(self, "clock"):
        party = party_of_caller()
        if party is not None:
            party.strangers.handed_over()
    return handle


also_by_name(_real_run, _run_coroutine_threadsafe)


def install_strangers(patches: Patches) -> None:
    """Notice what participants hand to strangers."""
    patches.replace(threading.Condition, "notify", _notify)
    patches.replace(asyncio, "run_coroutine_threadsafe", _run_coroutine_threadsafe)
    patches.replace(asyncio.tasks, "run_coroutine_threadsafe", _run_coroutine_threadsafe)
    patches.replace(BaseEventLoop, "call_soon_threadsafe", _call_soon_threadsafe)
