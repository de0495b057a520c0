"""One pytest run as the plugin sees it: which world each test lives in, how it ends, and what it came to."""

from __future__ import annotations

from collections.abc import Generator, Iterable
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any, Literal

import pytest

from llmtest.errors import ConfigurationError, HarnessError, SimulationStateError
from llmtest.testing import _totals
from llmtest.testing._failure_section import failure_section, noted_sections, shown
from llmtest.testing._plugin_anyio import Carried, carry_harness_errors, without_dead_runner
from llmtest.testing._plugin_budget import marked_limit
from llmtest.testing._plugin_cassette import CassetteShelf
from llmtest.testing._plugin_hypothesis import refuse_one_world_for_all_examples
from llmtest.testing._plugin_late import LateErrors
from llmtest.testing._plugin_loops import refuse_wider_loops
from llmtest.testing._plugin_options import (
    fragmentation_of,
    ini_of,
    marker_slip,
    refuse_another_start,
    seed_of,
    start_of,
    time_of,
)
from llmtest.testing._plugin_prices import TestPrices
from llmtest.testing._plugin_summary import Summary
from llmtest.testing._plugin_worlds import make_world
from llmtest.testing._plugin_xfail import fail_for_harness_error
from llmtest.testing._totals import Totals
from llmtest.testing._verdict import combined, harness_error_in, is_reported

if TYPE_CHECKING:
    from llmtest.cassettes import Cassette
    from llmtest.testing._plugin_scenario_marker import ScenarioMark
    from llmtest.testing._simulation import Simulation

__all__ = ["PluginSession"]

FIXTURE_NODES: dict[str, type[pytest.Collector]] = {"llm_sim_module": pytest.Module, "llm_sim_session": pytest.Session}
"""Fixtures that share one world, and the node whose tests share it."""

SHARING = {("llm_cassette", name) for name in ("llm_sim", *FIXTURE_NODES)}
"""Worlds of one fixture that another may hand out."""

WORLD = pytest.StashKey["Simulation"]()
"""The world of a test, on its item; the shared world of a module or a run, on its node."""
CASSETTE = pytest.StashKey["Cassette"]()
"""The cassette of a test, on its item."""
SCENARIO = pytest.StashKey["ScenarioMark"]()
"""The scenario that a test's marker names."""
FAILURE = pytest.StashKey[BaseException]()
"""What a test failed with."""
OWN = pytest.StashKey[BaseException]()
"""What the plugin itself raised for a test: its text says all, and lines of the plugin say nothing to anybody."""
SECTION = pytest.StashKey[str]()
"""What the world of a test said when the test failed at its end."""
PASSED = pytest.StashKey[bool]()
"""That the body of a test has passed; only then is what it recorded kept."""


class PluginSession:
    """The plugin's state in one pytest run."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._summary = Summary()
        self._shared: list[tuple[pytest.Collector, Simulation]] = []
        self._cassettes = CassetteShelf(config)
        self.prices = TestPrices(config, OWN)
        self._guard: ExitStack | None = None
        self._late = LateErrors(ini_of(config, "llmtest_allowed_hosts"))
        self._blocked: list[HarnessError] = []
        """Live requests that were refused outside any simulation, until the test that made them ends."""

    def refuse_slip(self, item: pytest.Item, name: str, known: Iterable[str]) -> None:
        """Stop a test whose marker is almost one of ours, and would silently do nothing.

        Raises:
            ConfigurationError: It is, and nobody registered it.
        """
        error = marker_slip(self._config, name, known)
        if error is not None:
            item.stash[OWN] = error
            raise error

    def arm(self, item: pytest.Item, *, world: bool, cassette: bool) -> None:
        """Start what a test asks for: a simulated world, a cassette, or both.

        A cassette that is only played lives in a world, whose time is virtual; a session is recorded in real time.

        Raises:
            CassetteFileError: Its cassette cannot be read.
            ConfigurationError: A marker or a setting is wrong.
            SimulationStateError: It asks for two worlds, or another one is running, or a loop was made before it.
        """
        try:
            self._arm(item, world=world, cassette=cassette)
        except (ConfigurationError, SimulationStateError) as error:
            item.stash[OWN] = error
            raise

    def _arm(self, item: pytest.Item, *, world: bool, cassette: bool) -> None:
        tape = self._cassettes.cassette_of(item) if cassette else None
        if world or (tape is not None and not tape.records):
            recording = tape is not None and tape.records
            self._arm_world(item, "llm_sim" if world else "llm_cassette", recording=recording)
        if tape is not None:
            self._insert(item, tape)

    def _arm_world(self, item: pytest.Item, name: str, *, recording: bool) -> None:
        names = getattr(item, "fixturenames", ())
        asked = [name for name in ("llm_sim", "llm_server", *FIXTURE_NODES) if name in names]
        if len(asked) > 1:
            raise SimulationStateError(
                f"`{asked[0]}` and `{asked[1]}` cannot be used by one test: a test lives in one simulated world.\n"
                "To fix: use one of the two."
            )
        fixture = asked[0] if asked else name
        if asked:
            refuse_one_world_for_all_examples(item, fixture)
        time = "real" if recording or fixture == "llm_server" else time_of(item, self._config)
        if time == "virtual":
            refuse_wider_loops(item, fixture)
        scenario = self._scenario_of(item)
        item.stash[WORLD] = self._start(item, fixture, time, None if scenario is None else scenario.seed)
        self._introduce(item)
        if scenario is not None:
            item.stash[SCENARIO] = scenario
            world = item.stash[WORLD]
            scenario.furnish(world)
            world.world.fragmentation = fragmentation_of(self._config, scenario.scenario.fragmentation)

    def _introduce(self, item: pytest.Item) -> None:
        """Tell a world what it has to know of the test that lives in it."""
        world = item.stash[WORLD]
        world.spend_limit = marked_limit(item)
        world.costs.test = item.nodeid
        if self.prices.current is not None:
            world.world.prices = self.prices.current  # A world that tests share has the first one's.
        world.world.origins.begin_test(getattr(item, "obj", None))

    def _scenario_of(self, item: pytest.Item) -> ScenarioMark | None:
        if not item.get_closest_marker("llm_scenario"):
            return None
        from llmtest.testing._plugin_scenario_marker import scenario_mark

        return scenario_mark(item)

    def _insert(self, item: pytest.Item, cassette: Cassette) -> None:
        world = item.stash.get(WORLD, None)
        report = self._blocked.append if world is None else world.world.record_harness_error
        self._cassettes.insert(cassette, item, report)
        item.stash[CASSETTE] = cassette

    def cassette(self, request: pytest.FixtureRequest) -> Cassette:
        """Return the cassette that a fixture hands to its test, put into use now where the test asked only now."""
        item = request._pyfuncitem  # noqa: SLF001 - as in `simulation`
        if CASSETTE not in item.stash:
            self.arm(item, world=False, cassette=True)
        return item.stash[CASSETTE]

    def _start(
        self, item: pytest.Item, fixture: str, time: Literal["virtual", "real"], seed: int | None = None
    ) -> Simulation:
        node_type = FIXTURE_NODES.get(fixture)
        node = item.getparent(node_type) if node_type is not None else None
        start = start_of(item) if time == "virtual" else None
        if node is not None and WORLD in node.stash:
            refuse_another_start(fixture, node.stash[WORLD].began, start)
            return node.stash[WORLD]
        simulation = make_world(fixture, seed_of(self._config, seed), time, fragmentation_of(self._config), start)
        for host in ini_of(self._config, "llmtest_allowed_hosts"):
            simulation.allow(host)
        # Who asks for a cassette alone asks nothing about attempts and costs.
        simulation.world.counts_replays = fixture != "llm_cassette"
        simulation.start()
        if node is not None:
            node.stash[WORLD] = simulation
            self._shared.append((node, simulation))
        return simulation

    def simulation(self, request: pytest.FixtureRequest) -> Simulation:
        """Return the world that a fixture hands to its test, started now where the test asked for it only now."""
        item = request._pyfuncitem  # noqa: SLF001 - a module's fixture has no public way to the test that asks first
        if WORLD not in item.stash:
            name = request.fixturename or "llm_sim"
            item.stash[WORLD] = self._start(item, name, time_of(item, self._config))
            self._introduce(item)
        world = item.stash[WORLD]
        if world.name != request.fixturename and (world.name, request.fixturename) not in SHARING:
            raise SimulationStateError(
                f"`{request.fixturename}` cannot start inside `{world.name}`: a test lives in one simulated world.\n"
                "To fix: use one of the two."
            )
        world.world.counts_replays = True
        return world

    def call(self, item: pytest.Item) -> Generator[None, Any, Any]:
        """Run the test; a harness error comes out of its group; a budget and a scenario are held to what it did."""
        __tracebackhide__ = True
        if WORLD in item.stash or CASSETTE in item.stash:
            carry_harness_errors(item)
        try:
            result = yield
        except (HarnessError, BaseExceptionGroup, Carried) as raised:
            error = raised.error if isinstance(raised, Carried) else raised
            found = harness_error_in(error)
            if found is None or (WORLD not in item.stash and CASSETTE not in item.stash):
                raise
            if not item.config.getoption("fulltrace"):
                from llmtest.simulation import user_traceback

                found.with_traceback(user_traceback(error.__traceback__))
            raise found from None
        except ConfigurationError as error:
            # Its text says all; the lines of this package that checked the argument say nothing to anybody.
            if (WORLD in item.stash or CASSETTE in item.stash) and not item.config.getoption("fulltrace"):
                from llmtest.simulation import user_traceback

                error.__traceback__ = user_traceback(error.__traceback__) or error.__traceback__
            raise
        mark = item.get_closest_marker("llm_budget")
        if mark is not None and WORLD in item.stash:
            from llmtest.testing._plugin_budget import check_budget

            check_budget(mark, item.stash[WORLD])
        if SCENARIO in item.stash:
            item.stash[SCENARIO].judge(item, item.stash[WORLD])
        return result

    def teardown(self, item: pytest.Item, nextitem: pytest.Item | None) -> Generator[None, Any, Any]:
        """Tear down the fixtures inside the world, then end it, and fail the test for what was swallowed."""
        problem: BaseException | None = None
        result = None
        try:
            result = yield
        except BaseException as error:  # noqa: BLE001 - raised again below, once the world is gone
            problem = error
        problem = without_dead_runner(problem, item.stash.get(FAILURE, None))
        cassette = item.stash.get(CASSETTE, None)
        self._cassettes.eject()
        self.prices.end()
        simulation = item.stash.get(WORLD, None)
        if simulation is not None:
            found = self._end(item, simulation, problem)
            if found is not None:
                problem = found
        left = self._end_shared(nextitem)
        if left and harness_error_in(problem) is None:
            problem = combined(left)
        blocked, self._blocked[:] = self._unreported(item, self._blocked), []
        if blocked and harness_error_in(problem) is None:
            problem = combined(blocked)
        if cassette is not None:
            problem = self._keep(item, cassette, problem)
        self._count(item)
        if problem is not None:
            if isinstance(problem, HarnessError) and not item.config.getoption("fulltrace"):
                item.stash[OWN] = problem
            raise problem
        return result

    def _keep(self, item: pytest.Item, cassette: Cassette, problem: BaseException | None) -> BaseException | None:
        """Write what a test recorded, if it has passed; returns what it failed with, which may be the writing."""
        del item.stash[CASSETTE]
        _totals.finished.append(Totals(cassettes=int(bool(cassette.requests)), live=cassette.live))
        if problem is None and item.stash.get(PASSED, default=False):
            try:
                self._cassettes.save(cassette)
            except ConfigurationError as error:
                item.stash[OWN] = error
                return error
        return problem

    def _unreported(self, item: pytest.Item, errors: list[HarnessError]) -> list[HarnessError]:
        failure = item.stash.get(FAILURE, None)
        return [error for error in errors if not is_reported(error, failure)]

    def _end(self, item: pytest.Item, simulation: Simulation, problem: BaseException | None) -> HarnessError | None:
        failed = FAILURE in item.stash or problem is not None
        new = self._unreported(item, simulation.findings(failed=failed))
        shared = any(simulation is world for _, world in self._shared)
        if new or (problem is not None and FAILURE not in item.stash):
            # The world is about to end; a test that failed before has told it already.
            error = new[0] if new else problem
            section = None if FAILURE in item.stash else failure_section(simulation, error, unused=False)
            item.stash[SECTION] = section or ""
        if shared:
            simulation.reset()
        else:
            simulation.stop()
            self._late.watch(simulation.world)
        del item.stash[WORLD]
        if new:
            return combined(new)
        return harness_error_in(problem)

    def _end_shared(self, nextitem: pytest.Item | None) -> list[HarnessError]:
        """End the worlds that the next test does not share; returns what was recorded since their last own test."""
        chain = nextitem.listchain() if nextitem is not None else []
        found: list[HarnessError] = []
        for node, simulation in tuple(self._shared):
            if node not in chain:
                self._shared.remove((node, simulation))
                del node.stash[WORLD]
                simulation.stop()
                found += simulation.findings(failed=True)
                self._late.watch(simulation.world)
        return found

    def _count(self, item: pytest.Item) -> None:
        totals = _totals.drain()
        if totals.simulations or totals.cassettes:
            self._summary.add(item.nodeid, totals)
            item.user_properties += [
                ("llm_calls", totals.calls),
                ("llm_cost_usd", f"{totals.cost_usd.normalize():f}"),
                ("llm_fallbacks", totals.fallbacks),
            ]

    def reported(self, item: pytest.Item, call: pytest.CallInfo[None], report: pytest.TestReport) -> None:
        """Remember what a test failed with, and say which steps it left unplayed."""
        if call.excinfo is not None and call.excinfo.value is item.stash.get(OWN, None):
            report.longrepr = shown(call.excinfo.value)
        if call.when == "call" and report.passed:
            item.stash[PASSED] = True
        if call.excinfo is not None:
            fail_for_harness_error(item, call.excinfo.value, report)
        if call.when == "teardown" and report.failed and (section := item.stash.get(SECTION, None)):
            report.sections.append(("llmtest", section))
        expected = hasattr(report, "wasxfail")
        if call.excinfo is None or not (report.failed or expected) or call.when == "teardown":
            return
        item.stash[FAILURE] = call.excinfo.value
        simulation = item.stash.get(WORLD, None)
        if not report.failed:
            return
        if simulation is not None and (section := failure_section(simulation, call.excinfo.value)):
            report.sections.append(("llmtest", section))
        report.sections += [("llmtest", section) for section in noted_sections(call.excinfo.value)]

    def block_network(self, hosts: list[str]) -> None:
        """Refuse live requests from now on, in every test."""
        from llmtest.simulation import block_network

        self._guard = ExitStack()
        self._guard.enter_context(block_network(hosts, self._blocked.append))

    def unblock_network(self) -> None:
        """Let live requests through again."""
        self._late.close()
        if self._guard is not None:
            self._guard.close()
            self._guard = None

    def finish(self) -> bool:
        """End what an interrupted run left running, and hand a worker's counts over; returns whether all is well."""
        from llmtest.testing._simulation import running_simulation

        self._cassettes.eject()
        for error in self._end_shared(None):
            self._late.add(error)
        left = running_simulation()
        if left is not None and left.name.startswith("llm_"):
            left.stop()
        self._summary.add("", _totals.drain())
        output = getattr(self._config, "workeroutput", None)
        if output is not None:
            output["llmtest"] = [self._summary.as_data(), self._late.texts]
        return not self._late.texts

    def add_worker(self, data: list[Any]) -> None:
        """Add what a worker of pytest-xdist counted."""
        counts, late = data
        self._summary.add_data(counts)
        self._late.add_texts(late)

    def summarise(self, terminal: Any) -> None:
        """Print the line that sums everything up."""
        if hasattr(self._config, "workerinput"):
            return
        for line in self._late.lines():
            terminal.write_line(line, red=True)
        for line in self._summary.lines(dearest=self._config.getoption("llmtest_costs") or 0):
            terminal.write_line(line)

    @property
    def totals(self) -> Totals:
        """The sum over all tests so far."""
        return self._summary.totals
