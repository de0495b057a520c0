"""The threads that live by one virtual clock, and how they agree that it is time to jump.

A thread in a virtual sleep and an idle virtual loop register a wait with a deadline. Whoever registered last leads:
it looks at the threads that wait for something else, and when nobody works it moves time to the earliest deadline and
wakes the one thread it belongs to. The next is woken when that one waits again, so that threads take turns in an order
that does not depend on the machine: by deadline, then by the order in which they were started.

With one thread there is nobody to ask: `solo_ident` is set, and clock and loop jump without coming here.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from itertools import count
from typing import TYPE_CHECKING
from weakref import WeakSet

from llmtest.clock._children import ChildBook
from llmtest.clock._clock import NEVER_NS, NS_PER_SECOND, VirtualClock, to_ns
from llmtest.clock._jobs import JobBook
from llmtest.clock._member import Participant, Patience
from llmtest.clock._readings import Readings
from llmtest.clock._real import REAL
from llmtest.clock._socket_replies import ReplyBook
from llmtest.clock._strangers import Strangers
from llmtest.clock._waits import ThreadWait, Wait
from llmtest.errors import HarnessError, VirtualTimeLivelockError

if TYPE_CHECKING:
    from llmtest.clock._loop import VirtualTimeLoop

_allocate_lock = threading.Lock
_get_ident = threading.get_ident

PAUSE_MIN_S = 50e-6
PAUSE_MAX_S = 2e-3
TURN_PATIENCE_S = 0.5
"""CPU seconds of this process that a new thread waits for its turn; real ones where the others wait for input."""
STALL_PATIENCE_S = 1.0
"""Real seconds without a deadline anywhere before a stall is reported, if the first thread runs a loop."""
LOCKED_PATIENCE_S = 5.0
"""The same, if the first thread waits for a lock, which somebody outside the simulation may yet release."""


def _is_idle(wait: Wait) -> bool:
    """Tell whether a thread that waits for time has nothing to do."""
    return not wait.due and not wait.busy()


class Party:
    """The threads of one simulation.

    Args:
        clock: The clock they share.
        grace_s: Real seconds without socket activity before time may jump, once real sockets have been used.
        jumps_max: Most jumps of the whole party, before it is reported as a livelock.
        elapsed_max: Most virtual seconds likewise.
        on_real_io: Called once for each peer of a real connection.
        on_error: Called with a stall or a livelock before it is raised.
    """

    def __init__(
        self,
        clock: VirtualClock,
        *,
        grace_s: float = 0.02,
        jumps_max: int | None = None,
        elapsed_max: float | None = None,
        on_real_io: Callable[[str], None] | None = None,
        on_error: Callable[[HarnessError], None] | None = None,
    ) -> None:
        self.clock = clock
        self.idents: dict[int, Participant] = {}
        self.solo_ident: int | None = None
        self.local_offset: timedelta | None = None
        """What freezegun adds to UTC to make local time; None leaves it to the machine's time zone."""
        self.quiet_from_ns = 0
        """Real time until which socket activity keeps time still; 0 where no real socket was used."""
        self.replies = ReplyBook()
        self.children = ChildBook()
        self.strangers = Strangers(self)
        self.loops: WeakSet[VirtualTimeLoop] = WeakSet()
        self.made_loops: WeakSet[VirtualTimeLoop] = WeakSet()
        self.born: WeakSet[threading.Thread] = WeakSet()
        """Threads that a participant started."""
        self.bare: set[int] = set()
        """The numbers of those that have no object."""
        self.grace_ns = int(grace_s * NS_PER_SECOND)
        self.jumps_max = jumps_max
        self.elapsed_max = elapsed_max
        self.on_error = on_error
        self._on_real_io = on_real_io
        self._peers: set[str] = set()
        self._members: list[Participant] = []
        self.numbers = count()
        self.readings = Readings(clock, self._recorded)
        self.count_reads = self.readings.count
        self._mutex = _allocate_lock()
        self.jobs = JobBook()
        self._leader: Wait | None = None
        self._pause_s = PAUSE_MIN_S
        self._quiet_since_ns = 0
        self._jumps = 0
        self.is_closed = False

    def invite(self) -> Participant:
        """Count in a thread that is about to start."""
        with self._mutex:
            member = Participant(next(self.numbers))
            self._members.append(member)
            self._count()
        return member

    def join(self, member: Participant) -> None:
        """Take part as the calling thread."""
        member.begin()
        with self._mutex:
            if not self.is_closed:
                self.idents[member.ident] = member
            self._count()

    def dismiss(self, member: Participant) -> None:
        """Forget a thread that could not be started."""
        with self._mutex:
            self._members.remove(member)
            self._count()

    def leave(self, member: Participant) -> None:
        """Stop taking part, as the calling thread, which is about to end.

        It stays a member until the system says it is gone: whoever joins it has been woken by then.
        """
        with self._mutex:
            self.idents.pop(member.ident, None)
            if member.probe is not None:
                member.probe.end()
            self._stir()
            member.ident = 0  # the system gives it to the next thread at once

    def close(self) -> None:
        """Release everybody who waits; they go on in real time."""
        with self._mutex:
            self.is_closed = True
            self.idents.clear()
            for member in self._members:
                if member.probe is not None:
                    member.probe.close()
                if member.wait is not None:
                    member.wait.due = True
                    member.wait.wake()
            self._members.clear()
            self.strangers.close()
        for loop in tuple(self.loops):
            loop.retire()

    def _count(self) -> None:
        """Find out whether one thread is all there is."""
        members = self._members
        self.solo_ident = members[0].ident if len(members) == 1 and not self.jobs.are_queued else None

    def _member(self) -> Participant:
        member = self.idents.get(_get_ident())
        if member is not None:
            return member
        member = self.invite()
        self.join(member)
        return member

    def sleep_until(self, ns: int) -> None:
        """Block the calling thread until the clock reads `ns`."""
        clock = self.clock
        if self.solo_ident == _get_ident() and self.quiet_from_ns == 0:
            clock._ns = max(ns, clock._ns)  # noqa: SLF001 - the clock and its party are one machine
        else:
            self.hold(ThreadWait(ns))

    def hold(self, wait: Wait, *, patience_s: float | None = None) -> None:
        """Block the calling thread until its wait is due or over, leading the party where it is its turn.

        Args:
            wait: What it waits for.
            patience_s: Most CPU seconds of this process to wait, and real ones if nobody runs; None for no limit.

        Raises:
            HarnessError: Nobody waits for time any more, or time moves without end.
        """
        member = self._member()
        with self._mutex:
            member.wait = wait
            self._leader = wait
            self._stir()
            self._pause_s = PAUSE_MIN_S
        patience = None if patience_s is None else Patience(patience_s)
        try:
            while not wait.due and not self.is_closed:
                if patience is not None and (patience.is_over() or (patience.has_lasted() and self._nobody_runs())):
                    break
                pause = self._lead(wait) if self._leader is wait else patience_s
                if pause == 0.0 or wait.block(pause):
                    break
                if self._leader is None:
                    self._leader = wait
        finally:
            self._step_down(member, wait)
        if wait.error is not None:
            raise wait.error

    def _stir(self) -> None:
        """Somebody begins or stops to run, and may have woken others."""
        for member in self._members:
            if member.probe is not None:
                member.probe.forget()

    def _step_down(self, member: Participant, wait: Wait) -> None:
        with self._mutex:
            member.wait = None
            self._stir()
            if self._leader is not wait:
                return
            self._leader = None
            for other in self._members:
                if other.wait is not None and not other.wait.due:
                    self._leader = other.wait
                    other.wait.wake()
                    return

    def _lead(self, wait: Wait) -> float | None:
        """Jump if nobody works; return how long to pause before the next look."""
        with self._mutex:
            if not self._all_quiet():
                self._quiet_since_ns = 0
                self._pause_s = min(PAUSE_MAX_S, self._pause_s * 2)
                return self._pause_s
            left = self.grace_left_ns()
            if left > 0:
                return left / NS_PER_SECOND
            self._pause_s = PAUSE_MIN_S
            return self._jump(wait)

    def _jump(self, wait: Wait) -> float | None:
        waits = [(member.wait.deadline_ns, member.number, member.wait) for member in self._members if member.wait]
        ns, _, first = min(waits, key=lambda entry: entry[:2])
        if ns >= NEVER_NS:
            return self._stall()
        clock = self.clock
        if ns > clock._ns:  # noqa: SLF001 - the clock and its party are one machine
            first.error = self._limit(ns)
            clock._ns = ns  # noqa: SLF001 - the clock and its party are one machine
            self._jumps += 1
        first.due = True
        if first is not wait:
            first.wake()
            return PAUSE_MIN_S
        return 0.0

    def _limit(self, ns: int) -> HarnessError | None:
        reason = None
        if self.jumps_max is not None and self._jumps >= self.jumps_max:
            reason = f"virtual time has jumped {self._jumps:,} times"
        elif self.elapsed_max is not None and ns > self.elapsed_max * NS_PER_SECOND:
            reason = f"virtual time would pass its limit of {self.elapsed_max:,.0f} s"
        if reason is None:
            return None
        self._jumps, self.elapsed_max = 0, None  # whoever cleans up may still wait
        return self._recorded(
            VirtualTimeLivelockError(
                f"the threads of this simulation do not come to an end: {reason}.\n"
                "This usually means a thread sleeps in a loop while the others wait for it.\n"
                "To fix: end the loop, or give the wait a timeout."
            )
        )

    def _recorded(self, error: HarnessError) -> HarnessError:
        if self.on_error is not None:
            self.on_error(error)
        return error

    def _stall(self) -> float | None:
        """Nobody waits for time: give outsiders a moment, then tell the loop of the first thread that has one."""
        now = REAL.monotonic_ns()
        if self._quiet_since_ns == 0:
            self._quiet_since_ns = now
        loops = [member for member in self._members if member.wait is not None and member.wait.loop is not None]
        if not loops:
            return PAUSE_MAX_S
        first_runs_a_loop = loops[0] is self._members[0] and self.quiet_from_ns == 0
        patience = STALL_PATIENCE_S if first_runs_a_loop else LOCKED_PATIENCE_S
        if now - self._quiet_since_ns < patience * NS_PER_SECOND:
            return PAUSE_MAX_S
        victim = loops[0].wait
        assert victim is not None
        assert victim.loop is not None
        victim.error = victim.loop.stalled()
        victim.due = True
        victim.wake()
        self._quiet_since_ns = 0
        return PAUSE_MAX_S

    def _all_quiet(self) -> bool:
        """Tell whether every thread waits; forgets those that have ended."""
        quiet = True
        ended = False
        for member in self._members:
            wait = member.wait
            if wait is not None:
                quiet = quiet and _is_idle(wait)
            elif member.probe is None:
                quiet = False
            else:
                quiet = member.is_at_rest(self.grace_ns) and quiet
                ended = ended or member.probe.gone
        if ended:
            for member in self._members:
                if member.probe is not None and member.probe.gone:
                    member.probe.close()
            self._members = [member for member in self._members if member.probe is None or not member.probe.gone]
            self._count()
        return quiet and not self.jobs.is_about_to_start(self._will_take_a_job)

    def _will_take_a_job(self, ident: int) -> bool:
        member = self.idents.get(ident)
        return member is None or member.wait is None

    def _nobody_runs(self) -> bool:
        """Tell whether everybody waits: for time, for a lock, or for input as long as this waits for its turn."""
        limit_ns = to_ns(TURN_PATIENCE_S)
        with self._mutex:
            return all(
                member.awaits_others(limit_ns) if member.wait is None else _is_idle(member.wait)
                for member in self._members
            )

    def note_real_io(self, peer: str | None = None, *, grace_s: float = 0.0) -> None:
        """Note that a real socket was used just now; `peer` names its other end, where it is known."""
        grace_ns = max(self.grace_ns, int(grace_s * NS_PER_SECOND))
        self.quiet_from_ns = max(self.quiet_from_ns, REAL.monotonic_ns() + grace_ns)
        member = self.idents.get(_get_ident())
        if member is not None:
            member.uses_sockets = True
        if peer is not None and peer not in self._peers:
            self._peers.add(peer)
            if self._on_real_io is not None:
                self._on_real_io(peer)

    def grace_left_ns(self) -> int:
        """Return for how many real nanoseconds time must still stand because of socket activity."""
        if self.strangers.active and (left_ns := self.strangers.left_ns()):
            return left_ns
        if self.quiet_from_ns == 0:
            return 0
        return max(0, self.quiet_from_ns - REAL.monotonic_ns(), self.replies.left_ns(), self.children.left_ns())

    def others_wait(self) -> bool:
        """Tell whether every thread but the calling one waits for something."""
        with self._mutex:
            own = _get_ident()
            others = [member for member in self._members if member.ident != own]
            return all(self._waits(member) for member in others) and not self.jobs.is_about_to_start(
                self._will_take_a_job
            )

    def _waits(self, member: Participant) -> bool:
        if member.wait is not None:
            return _is_idle(member.wait)
        return member.is_at_rest(self.grace_ns)

    def take_turn(self, number: int | None = None) -> None:
        """Wait until everybody who came before waits, so that threads and jobs begin in a repeatable order.

        Whoever spins without sleeping for what this thread will do gives it no turn, so it takes one after a moment.
        """
        if number is not None:  # of a job: which worker takes which is for the machine to say
            self._member().number = number
        if self.solo_ident != _get_ident():
            self.hold(ThreadWait(self.clock.now_ns()), patience_s=TURN_PATIENCE_S)

    def queue_job(self, executor: ThreadPoolExecutor) -> int:
        """Note that a job is on its way to a worker, who takes part once he has it; returns its number."""
        self.jobs.queued(executor)
        with self._mutex:
            self._count()
        return next(self.numbers)

    def cancel_job(self, executor: ThreadPoolExecutor) -> None:
        """Note that a job was cancelled before any worker took it."""
        self.jobs.cancelled(executor)
        with self._mutex:
            self._count()

    def work_for(self, executor: ThreadPoolExecutor, number: int) -> None:
        """Note, in the worker, that a job has been taken; the worker takes part from now on, in the job's turn."""
        self._member()
        self.jobs.started(executor)
        self.take_turn(number)
