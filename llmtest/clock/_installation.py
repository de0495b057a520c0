"""Putting a thread, and all that it starts, into virtual time."""

from __future__ import annotations

import random
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

from llmtest.clock import _clock
from llmtest.clock._children import install_children
from llmtest.clock._clock import NS_PER_SECOND, VirtualClock
from llmtest.clock._datetime import install_datetime, real_datetime, uninstall_datetime
from llmtest.clock._event_loops import install_loops
from llmtest.clock._freezegun import install_freezegun
from llmtest.clock._late_imports import LateImports
from llmtest.clock._names import install_names, keep_hypothesis_real, uninstall_names
from llmtest.clock._order import deterministic_order
from llmtest.clock._outlived import leave_behind
from llmtest.clock._participants import Party
from llmtest.clock._patches import Patches
from llmtest.clock._real import REAL
from llmtest.clock._sockets import install_sockets
from llmtest.clock._strangers import install_strangers
from llmtest.clock._threads import install_threads
from llmtest.clock._time_machine import install_time_machine
from llmtest.clock._trio import install_trio
from llmtest.clock._watch import watch
from llmtest.errors import HarnessError, SimulationStateError

JUMPS_MAX = 2_000_000
"""Most jumps of one simulation; a test that jumps more often never ends."""
ELAPSED_MAX_S = 100 * 365.25 * 86_400.0
_BASE_NS = (1 << 20) * NS_PER_SECOND
"""Monotonic clocks start at a multiple of this: 12 days, above the reading of most machines, exact as a float."""


class _Running:
    """The simulation that is installed, and the highest monotonic reading that any has shown."""

    label: str | None = None
    highest_ns = 0
    lock = threading.Lock()


def is_installed() -> bool:
    """Tell whether a simulation has replaced time in this process."""
    return _Running.label is not None


@contextmanager
def virtual_time(
    clock: VirtualClock | None = None,
    *,
    seed: int = 0,
    label: str = "a simulation",
    grace: float = 0.02,
    on_real_io: Callable[[str], None] | None = None,
    on_error: Callable[[HarnessError], None] | None = None,
    on_real_time: Callable[[float, str | None], None] | None = None,
    jumps_max: int | None = JUMPS_MAX,
    elapsed_max: float | None = ELAPSED_MAX_S,
) -> Iterator[VirtualClock]:
    """Let the calling thread and every thread it starts live by a virtual clock while the context is open.

    `time.time`, `monotonic`, `perf_counter`, `sleep` and their kin, `datetime.now`, `date.today`, waits with a limit on
    events, conditions, queues, futures, locks and threads, and every event loop made inside read one clock. Threads
    that were there before keep real time, and so do locks that were made before.

    Args:
        clock: Clock to live by; by default a new one.
        seed: Seed of the global `random` for the duration.
        label: What is being simulated, for the message when a second simulation is started.
        grace: Real seconds without socket activity before time jumps, once a real connection was used; default 0.02.
        on_real_io: Called with `host:port`, once for each peer of a real connection.
        on_error: Called with a stall or a livelock report before it is raised.
        on_real_time: Called with the seconds and the `file:line` of a wait that is not virtual; again as it goes on.
        jumps_max: Most jumps before a livelock is reported; None for no limit.
        elapsed_max: Most virtual seconds likewise; None for no limit.

    Yields:
        The clock.

    Raises:
        SimulationStateError: Another simulation is running.
    """
    clock = VirtualClock() if clock is None else clock
    with _Running.lock:
        if _Running.label is not None:
            raise SimulationStateError(
                f"{label} cannot start while {_Running.label} is running: a process has one virtual time.\n"
                "To fix: end the first one, or use one simulation for both."
            )
        _Running.label = label
    party = Party(
        clock,
        grace_s=grace,
        jumps_max=jumps_max,
        elapsed_max=elapsed_max,
        on_real_io=on_real_io,
        on_error=on_error,
    )
    with ExitStack() as stack:
        stack.callback(_forget)
        _install(stack, clock, party, seed)
        if on_real_time is not None:
            stack.callback(watch(party, on_real_time))
        yield clock


def _forget() -> None:
    _Running.label = None


def _install(stack: ExitStack, clock: VirtualClock, party: Party, seed: int) -> None:
    """Install everything; the stack takes it away again in reverse order."""
    patches = Patches()
    imports = LateImports(lambda: _real_time(patches))
    clock._base_ns = _monotonic_base(clock)  # noqa: SLF001 - the clock and its installation are one machine
    party.join(party.invite())
    party.strangers.begin()
    clock._party = party  # noqa: SLF001 - see above
    stack.callback(_retire, clock, party)
    _clock.install_clock(clock)
    stack.callback(_clock.install_clock, None)
    stack.enter_context(deterministic_order())
    afterwards = stack.enter_context(ExitStack())
    stack.callback(patches.undo)
    stack.callback(uninstall_names)
    install_freezegun(afterwards, patches, party, imports)
    install_time_machine(patches, party, imports)
    install_loops(patches, party, imports)  # before the names, which are then found in every module at once
    install_names(patches, party)
    if "hypothesis" not in sys.modules:
        imports.when_imported("hypothesis.core", lambda: keep_hypothesis_real(patches))
    install_threads(patches)
    install_trio(stack, patches, party, imports)
    install_children(patches, imports)
    install_strangers(patches)
    install_sockets(patches)
    stack.enter_context(imports.listening())
    install_datetime()
    stack.callback(uninstall_datetime)
    stack.callback(random.setstate, random.getstate())
    random.seed(seed)


@contextmanager
def _real_time(patches: Patches) -> Iterator[None]:
    with patches.paused(time), real_datetime():
        yield


def _monotonic_base(clock: VirtualClock) -> int:
    """Return a start above everything a monotonic clock has shown, so that none goes back within a process."""
    shown = max(REAL.monotonic_ns(), _Running.highest_ns) - clock.now_ns()
    return max(1, -(-shown // _BASE_NS)) * _BASE_NS


def _retire(clock: VirtualClock, party: Party) -> None:
    _Running.highest_ns = max(_Running.highest_ns, clock.monotonic_ns())
    party.close()
    leave_behind(party)
    clock._party = None  # noqa: SLF001 - the clock and its installation are one machine
