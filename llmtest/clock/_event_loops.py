"""Every way to an event loop leads to virtual time, for the threads of a simulation.

A loop that is made inside a simulation is virtual, whoever makes it: asyncio, a policy, a runner with a factory of its
own, uvloop. A loop that was made before is adopted when it begins to run. One that can be neither replaced nor adopted
is refused at that moment: it would wait in real time and nobody would know.
"""

from __future__ import annotations

import asyncio
import asyncio.events
import asyncio.runners
import sys
from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any

from llmtest.clock._adoption import adopt
from llmtest.clock._loop import VirtualTimeLoop
from llmtest.clock._names import also_by_name, party_of_caller
from llmtest.errors import SimulationStateError

if TYPE_CHECKING:
    from llmtest.clock._late_imports import LateImports
    from llmtest.clock._participants import Party
    from llmtest.clock._patches import Patches

_real_lazy_init = asyncio.Runner._lazy_init  # type: ignore[attr-defined]  # noqa: SLF001 - where a runner makes its loop
_real_set_hooks = sys.set_asyncgen_hooks
_real_set_running = asyncio.events._set_running_loop  # noqa: SLF001 - every loop of asyncio says here that it runs


def install_loops(patches: Patches, party: Party, imports: LateImports) -> None:
    """Make every way to a new event loop lead to a virtual one, and adopt older ones, for participants."""
    _install_makers(patches, party)
    patches.replace(asyncio.Runner, "_lazy_init", _lazy_init)
    patches.replace(asyncio.events, "_set_running_loop", _set_running_loop)
    patches.replace(sys, "set_asyncgen_hooks", _set_asyncgen_hooks)
    imports.when_imported("uvloop", lambda: _install_uvloop(patches))


def new_loop(party: Party) -> VirtualTimeLoop:
    """Make a loop that lives by the clock of a simulation, until that ends."""
    loop = VirtualTimeLoop(party.clock, jumps_max=party.jumps_max, elapsed_max=party.elapsed_max)
    party.loops.add(loop)
    party.made_loops.add(loop)
    return loop


def _install_makers(patches: Patches, party: Party) -> None:
    policy = type(asyncio.get_event_loop_policy())
    owner = next((base for base in policy.__mro__ if "_loop_factory" in vars(base)), None)
    real_new = asyncio.events.new_event_loop

    def new_event_loop() -> asyncio.AbstractEventLoop:
        return new_loop(party) if party_of_caller() is party else real_new()

    patches.replace(asyncio.events, "new_event_loop", new_event_loop)
    patches.replace(asyncio, "new_event_loop", new_event_loop)
    if owner is not None:
        real_factory = owner._loop_factory  # type: ignore[attr-defined]  # noqa: SLF001 - the hook of every policy

        def loop_factory(*args: Any) -> asyncio.AbstractEventLoop:
            loop: asyncio.AbstractEventLoop = new_loop(party) if party_of_caller() is party else real_factory(*args)
            return loop

        patches.replace(owner, "_loop_factory", staticmethod(loop_factory))


def _lazy_init(self: Any) -> None:
    """Make the loop of a runner; one whose factory makes what cannot be adopted gets a virtual one instead."""
    party, factory = party_of_caller(), self._loop_factory  # as it was given to `Runner`, or to `asyncio.run`
    if party is None or factory is None:
        _real_lazy_init(self)
        return
    self._loop_factory = lambda: _adoptable(factory(), party)
    try:
        _real_lazy_init(self)
    finally:
        self._loop_factory = factory


def _adoptable(loop: asyncio.AbstractEventLoop, party: Party) -> asyncio.AbstractEventLoop:
    if adopt(loop, party):
        return loop
    loop.close()
    return new_loop(party)


def _set_running_loop(loop: asyncio.AbstractEventLoop | None) -> None:
    if loop is not None:
        _enter(loop)
    _real_set_running(loop)


def _set_asyncgen_hooks(*args: Any, **options: Any) -> None:
    """Set the hooks of asynchronous generators; loops that are not asyncio's do it where they begin to run."""
    owner = getattr(args[0] if args else options.get("firstiter"), "__self__", None)
    if isinstance(owner, asyncio.AbstractEventLoop):
        _enter(owner)
    _real_set_hooks(*args, **options)


def _enter(loop: asyncio.AbstractEventLoop) -> None:
    """Let a loop run in a thread of a simulation, in virtual time.

    Raises:
        SimulationStateError: It can only run in real time.
    """
    party = party_of_caller()
    if party is None or isinstance(loop, VirtualTimeLoop) or adopt(loop, party):
        return
    error = SimulationStateError(
        f"`{type(loop).__module__.partition('.')[0]}.{type(loop).__name__}` cannot run in a simulation: it keeps real "
        "time, and its clock cannot be replaced once it is made.\n"
        "To fix: let the test make its loop, by `asyncio.run(...)` or `asyncio.Runner()`, or turn virtual time off for "
        'it: `@pytest.mark.llm_time("real")`, `Simulation(time="real")`.'
    )
    if party.on_error is not None:
        party.on_error(error)
    raise error


class _Uvloop:
    """uvloop's makers of loops: inside a simulation they make virtual ones; beyond asyncio they promise speed alone."""

    real_new: Callable[[], asyncio.AbstractEventLoop]
    real_run: Callable[..., Any]

    @staticmethod
    def new_event_loop() -> asyncio.AbstractEventLoop:
        """Return a new event loop."""
        party = party_of_caller()
        return _Uvloop.real_new() if party is None else new_loop(party)

    @staticmethod
    def run(main: Coroutine[Any, Any, Any], *, debug: bool | None = None, **options: Any) -> Any:
        """Run a coroutine to its end."""
        if party_of_caller() is None:
            return _Uvloop.real_run(main, debug=debug, **options)
        with asyncio.Runner(debug=debug, loop_factory=options.get("loop_factory")) as runner:
            return runner.run(main)


def _install_uvloop(patches: Patches) -> None:
    uvloop: Any = sys.modules["uvloop"]
    if not hasattr(_Uvloop, "real_new"):
        _Uvloop.real_new, _Uvloop.real_run = staticmethod(uvloop.new_event_loop), staticmethod(uvloop.run)
        also_by_name(uvloop.new_event_loop, _Uvloop.new_event_loop)
        also_by_name(uvloop.run, _Uvloop.run)
    patches.replace(uvloop, "new_event_loop", _Uvloop.new_event_loop)
    patches.replace(uvloop, "run", _Uvloop.run)
