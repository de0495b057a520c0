"""`Simulation`, the object behind the fixture `llm_sim`: one world, one clock, one trace, and its assertions."""

from __future__ import annotations

import asyncio
import sys
import threading
from collections.abc import Coroutine
from contextlib import ExitStack
from datetime import date
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal, Self, TypeVar

from llmtest import events
from llmtest.clock import (
    DEFAULT_EPOCH,
    SystemClock,
    VirtualClock,
    active_clock,
    epoch_of,
    is_virtual_loop,
    run_virtual,
    virtual_time,
)
from llmtest.costs import CostLedger, Prices
from llmtest.errors import ConfigurationError, HarnessError, SimulationStateError
from llmtest.simulation import Fragmentation, ProviderHandle, World, intercept
from llmtest.testing import _totals
from llmtest.testing._assertions import Assertions
from llmtest.testing._child_errors import ChildErrors
from llmtest.testing._environment import dummy_keys
from llmtest.testing._failure import did_you_mean
from llmtest.testing._failure_section import note_section
from llmtest.testing._handles import Handles
from llmtest.testing._marked_call import MarkedCall
from llmtest.testing._real_time import foreign_clocks, note_foreign_clock, note_real_time
from llmtest.testing._simulated_budget import Budgets
from llmtest.testing._verdict import combined, harness_error_in, is_reported
from llmtest.types._spelling import words_tell_near_arguments
from llmtest.wire import dialects

__all__ = ["Simulation", "running_simulation"]

if TYPE_CHECKING:
    from llmtest.simulation.script._recording import Recording
    from llmtest.testing.breakers import WatchedBreakers

T = TypeVar("T")
_running: Simulation | None = None
_starting = threading.Lock()


def running_simulation() -> Simulation | None:
    """Return the simulation that is running in this process, if any."""
    return _running


@words_tell_near_arguments
class Simulation(Handles, Assertions, Budgets):
    """A simulated world: providers on a script, a clock that jumps, and a trace of everything.

    While it runs, requests of every HTTP client to a known provider are answered by its simulated providers, time is
    virtual, missing API keys are dummies, and any other connection out of the process is refused.

    Args:
        seed: Decides every random choice in the world; any integer.
        strict: Whether steps that were never played fail the simulation at its end.
        time: `virtual`, or `real` to let waits take their time.
        start: The date on which virtual time begins: an ISO date with or without a time, as text or object, in UTC
            where it names no zone; `"now"` for the machine's. By default 2026-01-01.
        prices: Prices to charge by; the published ones by default.
        fragmentation: How streamed answers are cut into network pieces, where a handle and a reply do not say:
            `events`, `whole`, `random`, or a number of bytes, 1 or more.
        name: What errors call it.

    Example:
        >>> with Simulation() as sim:
        ...     _ = sim.openai.echoes()
    """

    def __init__(
        self,
        seed: int = 0,
        strict: bool = True,
        *,
        time: Literal["virtual", "real"] = "virtual",
        start: str | date | None = None,
        prices: Prices | None = None,
        fragmentation: Fragmentation = "events",
        name: str = "Simulation",
    ) -> None:
        if time not in {"virtual", "real"}:
            raise ConfigurationError(
                f"time=`{time}` is unknown.{did_you_mean(time, ('virtual', 'real'))}\nTime is `virtual` or `real`."
            )
        if start is not None and time == "real":
            text = f'time="real", start={start!r}: the machine\'s clock has a date of its own.'
            raise ConfigurationError(f"{text}\nTo fix: leave one of the two out.")
        self.seed = seed
        self.name = name
        self.began = DEFAULT_EPOCH if start is None else epoch_of(start)
        """When virtual time begins."""
        self._clock: VirtualClock | SystemClock = VirtualClock(self.began) if time == "virtual" else SystemClock()
        # Our own layer reads the process's one system clock, so a world in real time has to read the same.
        world_clock = self._clock if isinstance(self._clock, VirtualClock) else active_clock()
        self._stack: ExitStack | None = None
        self._counted = False
        self.trace = events.Trace()
        self._world = World(world_clock, self.trace, seed, prices, strict, fragmentation=fragmentation)
        self._world.open_recording = _open_recording
        self._fragmentation = self._world.fragmentation
        self._prices = self._world.prices
        self._started_ns = self._clock.now_ns()
        self._breakers: WatchedBreakers | None = None
        self._child_errors = ChildErrors(self._world)

    @property
    def strict(self) -> bool:
        """Whether steps that were never played fail the simulation at its end."""
        return self._world.strict

    @strict.setter
    def strict(self, value: bool) -> None:
        self._world.strict = value

    @property
    def world(self) -> World:
        """The providers and their shared state."""
        return self._world

    @property
    def clock(self) -> Any:
        """The clock: `.elapsed()` seconds, `.now()`, `.advance(seconds)`, `await .advance_async(seconds)`."""
        return self._clock

    @property
    def costs(self) -> CostLedger:
        """What was spent: `.total_usd`, `.by_provider()`, `.by_model()`, `.entries`."""
        return self._world.costs

    @property
    def waited(self) -> float:
        """Seconds of the simulation's clock since it started, or since its scripts were reset."""
        return (self._clock.now_ns() - self._started_ns) / 1e9

    if not TYPE_CHECKING:  # A type checker shall go on to know every name.

        def __getattr__(self, name: str) -> Any:
            """Return the provider of a dialect that was registered, or say how one of another name is made."""
            known = {} if name.startswith("_") else dialects()
            if name in known and known[name].is_provider:
                return self.provider(name)
            text = f"`{self.__dict__.get('name', 'Simulation')}` has no attribute `{name}`."
            if not name.startswith("_"):
                words = [word for word in dir(type(self)) if not word.startswith("_")]
                words += (each for each, dialect in known.items() if dialect.is_provider)
                text += did_you_mean(name, words)
            if not name.startswith(("_", "assert")):
                text += f' A provider of that name: .provider("{name}", base_url="https://...").'
            raise AttributeError(text, name=name, obj=self)

    def provider(self, name: str, *, dialect: str | None = None, base_url: str | None = None) -> ProviderHandle:
        """Return the handle of a simulated provider, made on first use.

        Args:
            name: Its name in steps, traces and costs.
            dialect: The API it speaks, where the name does not say: `openai`, `anthropic`.
            base_url: Where it is reached, where the name does not say; loopback addresses are fine.
        """
        return self._world.provider(name, dialect=dialect, base_url=base_url)

    def allow(self, host: str) -> None:
        """Let requests to a host pass through to whatever handles them: the network, or another mock."""
        self._world.allow(host)

    def call(self, label: str) -> MarkedCall:
        """Mark what runs inside as one logical call of the code under test: `with llm_sim.call("summary"):`.

        Without marks, requests are put into calls by evidence. Mark calls where that does not suffice, and where what
        the caller got matters: `with llm_sim.call("summary") as call: call.returned(my_app.summarise(text))`, or
        `summarise = llm_sim.call("summary")(my_app.summarise)`.

        Args:
            label: How the trace calls it.
        """
        return MarkedCall(self, label)

    def note_mark(self, call: events.LogicalCall, *, begins: bool) -> None:
        """Hear that a marked call begins or ends; a world that is reached over a socket has to know."""

    def watch_breaker(self, breaker: object, provider: str | None = None) -> None:
        """Read a circuit breaker of another library, so that its states are told and need not be inferred.

        What it does becomes events of the trace, at the simulation's time: `assert_breaker`, the findings of
        `assert_resilient` and reports see them. Retries of tenacity and stamina become events as well. When the
        simulation ends, the object is as it was.

        Args:
            breaker: A breaker of pybreaker, aiobreaker or circuitbreaker, a factory of purgatory or one of its
                breakers, a `Retrying` of tenacity, a caller of stamina, or any function that one of them decorates.
            provider: Whose circuit it is: a provider, or `provider/model` where each model has a circuit. By default
                the provider that the breaker is named after, else the only one there is.

        Raises:
            ConfigurationError: It cannot be read, or it is unknown whose circuit it is.
            SimulationStateError: The simulation is not running.

        Example:
            `llm_sim.watch_breaker(app.openai_breaker, provider="openai")`
        """
        if self._stack is None:
            raise SimulationStateError(
                f"`{self.name}` is not running, so no breaker can be watched.\n"
                "To fix: call `sim.watch_breaker(...)` inside `with Simulation() as sim:`."
            )
        if self._breakers is None:
            from llmtest.testing.breakers import WatchedBreakers

            self._breakers = WatchedBreakers(self._world, lambda: self.trace)
            self._stack.callback(self._breakers.close)
        self._breakers.watch(breaker, provider)

    def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine on the virtual loop and return its result; `asyncio.run` inside the `with` does the same.

        Raises:
            SimulationStateError: The simulation is not running.
        """
        if self._stack is None:
            coroutine.close()
            raise SimulationStateError(
                f"`{self.name}` is not running, so nothing would answer this coroutine's requests.\n"
                "To fix: call `sim.run(...)` inside `with Simulation() as sim:`."
            )
        if isinstance(self._clock, SystemClock):
            return asyncio.run(coroutine)
        return run_virtual(coroutine, self._clock)

    def start(self) -> None:
        """Begin to answer requests and to keep time.

        Raises:
            SimulationStateError: Another simulation is running, or an event loop that keeps real time is.
        """
        _claim(self)
        stack = ExitStack()
        try:
            stack.callback(_release)
            self._refuse_real_loop()
            stack.enter_context(dummy_keys())
            stack.enter_context(events.subscribed(self._record, number_call=self._number_call))
            if isinstance(self._clock, VirtualClock):
                stack.enter_context(
                    virtual_time(
                        self._clock,
                        seed=self.seed,
                        label=f"`{self.name}`",
                        on_real_io=self._note_real_io,
                        on_error=self._note_harness_error,
                        on_real_time=lambda *seen: note_real_time(self.trace, self._clock.now_ns(), *seen),
                    )
                )
                stack.enter_context(foreign_clocks(lambda name: note_foreign_clock(self.trace, self._clock, name)))
            stack.enter_context(intercept(self._world))
            self._child_errors.start()
            stack.callback(self._child_errors.stop)
        except BaseException:
            stack.close()
            raise
        self._stack = stack
        self._counted = False
        self._started_ns = self._clock.now_ns()

    def stop(self) -> None:
        """Take everything away again; harmless where the simulation does not run."""
        stack, self._stack, self._breakers = self._stack, None, None
        if stack is not None:
            stack.close()
            self._count()

    def reset(self) -> None:
        """Forget scripts, requests, trace and costs, as between two tests; the clock goes on."""
        self._count()
        self._world.reset()
        self._child_errors.forget()
        self._world.prices = self._prices  # A scenario may have brought its own.
        self._world.fragmentation = self._fragmentation
        self.trace = self._world.trace = events.Trace()
        if self._breakers is not None:
            self._breakers.announce()
        self._started_ns = self._clock.now_ns()

    def _count(self) -> None:
        if not self._counted or len(self.trace):
            totals = _totals.totals_of(self.trace, self.costs)
            totals.unmet = tuple(self._world.unmet_defaults())
            _totals.finished.append(totals)
        self._counted = True

    def _record(self, event: events.Event) -> None:
        self.trace.append(event)

    def _number_call(self, label: str) -> events.LogicalCall:
        return self.trace.next_call(label)

    def _note_harness_error(self, error: HarnessError) -> None:
        self._world.record_harness_error(error)

    def _note_real_io(self, peer: str) -> None:
        self.trace.append(events.RealIoObserved(self._clock.now_ns(), 0, peer))

    def _refuse_real_loop(self) -> None:
        loop = asyncio._get_running_loop()  # noqa: SLF001 - the public name raises where there is no loop
        if loop is not None and isinstance(self._clock, VirtualClock) and not is_virtual_loop(loop):
            raise SimulationStateError(
                f"`{self.name}` cannot start inside a running event loop: that loop was made before it and keeps real "
                "time.\nTo fix: enter it in synchronous code and run the coroutine with `sim.run(...)` or "
                "`asyncio.run(...)`, or use the fixture `llm_sim`; in a notebook, whose loop always runs, let time be "
                'real: `Simulation(time="real")`.'
            )

    def findings(self, *, failed: bool = False) -> list[HarnessError]:
        """Return what is wrong with the test: recorded harness errors, else steps that were never played.

        Args:
            failed: Whether the test has failed already; unused steps are then its consequence, not a finding.
        """
        recorded = [*self._world.harness_errors, *self._child_errors.found()]
        if recorded or failed or not self.strict:
            return recorded
        return list(self._world.unused_steps())

    def unused_note(self) -> str | None:
        """Return which steps were never played, as text beside another failure; None where all were."""
        unused = self._world.unused_steps() if self.strict else []
        return "\n\n".join(str(error) for error in unused) or None

    def __enter__(self) -> Self:
        self.start()
        self._world.origins.begin_test(sys._getframe(1).f_code)  # noqa: SLF001 - whoever enters it is the test
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()
        found = [each for each in self.findings(failed=error is not None) if not is_reported(each, error)]
        problem = combined(found) if found else harness_error_in(error) or error
        if problem is not None:
            note_section(self, problem, unused=not found)
            if problem is not error:
                raise problem from error if found and not isinstance(error, HarnessError) else None


def _open_recording(*facts: Any) -> Recording:
    """Open a recorded session; only who plays one needs the room of cassettes."""
    from llmtest.scenarios._played_recording import CassetteRecording

    return CassetteRecording(*facts)


def _claim(simulation: Simulation) -> None:
    global _running  # noqa: PLW0603 - at most one world at a time, which is what this variable enforces
    with _starting:
        if _running is not None:
            raise SimulationStateError(
                f"`{simulation.name}` cannot start inside `{_running.name}`: one simulated world runs at a time.\n"
                "To fix: use one of the two, or end the first before the second begins."
            )
        _running = simulation


def _release() -> None:
    global _running  # noqa: PLW0603 - see `_claim`
    _running = None
