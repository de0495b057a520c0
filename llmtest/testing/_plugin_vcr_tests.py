"""Tests that play a cassette of vcrpy: their waits are virtual, and what vcrpy does not tell is told at the end.

It makes no difference who put the cassette into use, our fixture `vcr` or that of pytest-recording.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

import pytest

from llmtest.errors import SimulationStateError
from llmtest.testing._plugin_loops import refuse_wider_loops
from llmtest.testing._plugin_options import time_of

if TYPE_CHECKING:
    from llmtest.cassettes.vcr import BesideCassette, CassetteWatch

__all__ = ["VcrTests"]

WATCH = pytest.StashKey["CassetteWatch"]()
"""What was seen of the cassette of a test, on its item."""
HOSTS_SHOWN = 3


@dataclass(slots=True)
class Counts:
    """What all cassettes of a run came to; plain values, so that a worker of pytest-xdist can send them."""

    played: int = 0
    differing: int = 0
    missed: int = 0
    """Requests without a recorded answer, in tests that passed."""
    hosts: dict[str, int] = field(default_factory=dict)
    """Hosts that were connected to beside the cassettes, and by how many tests."""

    def add(self, other: Counts) -> None:
        """Add another count to this one."""
        self.played += other.played
        self.differing += other.differing
        self.missed += other.missed
        for host, tests in other.hosts.items():
            self.hosts[host] = self.hosts.get(host, 0) + tests

    def line(self) -> str | None:
        """Return what is worth a word at the end of a run; None where nothing is."""
        parts = []
        if self.differing:
            parts.append(
                f"{self.differing} of {self.played} answers were played to another body than the recorded one "
                "(`match_on` compares no body)"
            )
        if self.missed:
            parts.append(f"{_count(self.missed, 'request')} had no recorded answer, in tests that passed")
        if self.hosts:
            names = sorted(self.hosts)
            more = f" and {len(names) - HOSTS_SHOWN} more" if len(names) > HOSTS_SHOWN else ""
            parts.append(f"connected to beside the cassettes: {', '.join(names[:HOSTS_SHOWN])}{more}")
        return f"llmtest: vcr: {'; '.join(parts)}" if parts else None


@dataclass(slots=True)
class Use:
    """One cassette in use.

    Args:
        seen: What is seen of it.
        gate: Notes what leaves the process beside it.
        cassette: The cassette.
        loaded: How many interactions it had at the beginning.
        is_fixture: Whether a fixture has put it into use, which ends it.
    """

    seen: CassetteWatch
    gate: BesideCassette
    cassette: Any
    loaded: int
    is_fixture: bool = False


class VcrTests:
    """The hooks of a run whose marker `vcr` is honoured.

    Args:
        config: The run.
    """

    def __init__(self, config: pytest.Config) -> None:
        from llmtest.cassettes.vcr import is_cassette, prepare_vcrpy, tell_uses

        prepare_vcrpy()
        tell_uses(self._use)
        self._config = config
        self._is_cassette = is_cassette
        self.counts = Counts()
        self._uses: dict[int, Use] = {}
        """What is in use now, by the cassette."""
        self._in_code: list[CassetteWatch] = []
        """What code of the current test has put into use by itself, and ended."""

    @contextmanager
    def _use(self, cassette: Any) -> Iterator[None]:
        """Look at a cassette while it is in use; what no fixture has put there is counted when it ends."""
        from llmtest.cassettes.vcr import beside, watch

        with beside() as gate:
            use = self._uses[id(cassette)] = Use(watch(cassette), gate, cassette, len(cassette))
            try:
                yield
            finally:
                del self._uses[id(cassette)]
                if not use.is_fixture:
                    self._in_code.append(use.seen)
                    self._end(use)

    @pytest.hookimpl(wrapper=True)
    def pytest_fixture_setup(
        self, fixturedef: pytest.FixtureDef[Any], request: pytest.FixtureRequest
    ) -> Generator[None, Any, Any]:
        """Begin where the fixture `vcr` hands a cassette to its test, and end before it takes it away."""
        value = yield
        if fixturedef.argname == "vcr" and self._is_cassette(value):
            stack = ExitStack()
            fixturedef.addfinalizer(stack.close)
            self._begin(stack, request.node, value, own=fixturedef.scope == "function")
        return value

    def _begin(self, stack: ExitStack, node: Any, cassette: Any, *, own: bool) -> None:
        from llmtest.clock import replay_time

        use = self._uses.get(id(cassette))
        if use is None:  # Somebody's own fixture has put it into use in its own way.
            stack.enter_context(self._use(cassette))
            use = self._uses[id(cassette)]
        use.is_fixture = True
        if own:
            node.stash[WATCH] = use.seen
            if self._waits_for_nothing(node, cassette):
                stack.enter_context(replay_time("`vcr`", passing=True))
        stack.callback(self._end, use)

    def _waits_for_nothing(self, item: pytest.Item, cassette: Any) -> bool:
        """Tell whether a test lives in virtual time: its cassette is only played, and its loop is its own."""
        if not cassette.write_protected or time_of(item, self._config) != "virtual":
            return False
        try:
            refuse_wider_loops(item, "llm_sim")
        except SimulationStateError:
            return False
        return True

    def _end(self, use: Use) -> None:
        recorded = {request.host for request in use.cassette.requests[use.loaded :]}
        hosts = dict.fromkeys((host for host in use.gate.hosts if host not in recorded), 1)
        self.counts.add(Counts(use.seen.played, use.seen.differing, 0, hosts))

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(self, item: pytest.Item, call: pytest.CallInfo[None]) -> Generator[None, Any, Any]:
        """Say which requests a failed test had no answer for: its client may have put an error of its own there."""
        report = yield
        if call.when != "call":
            return report
        fixture = item.stash.get(WATCH, None)
        watched = self._in_code if fixture is None else [fixture, *self._in_code]
        missed = [request for seen in watched for request in seen.missed]
        self._in_code.clear()
        if not missed:
            return report
        if report.passed:
            self.counts.missed += len(missed)
        elif call.excinfo is not None and type(call.excinfo.value).__module__ != "vcr.errors":
            lines = [f"  {request}" for request in dict.fromkeys(missed)]
            report.sections.append(("llmtest", "\n".join(["The cassette has no answer for:", *lines])))
        return report

    def pytest_unconfigure(self) -> None:
        """Look at no more cassettes."""
        from llmtest.cassettes.vcr import forget_uses

        forget_uses(self._use)

    def pytest_sessionfinish(self) -> None:
        """Send a worker's counts to its controller."""
        output = getattr(self._config, "workeroutput", None)
        if output is not None:
            output["llmtest_vcr"] = asdict(self.counts)

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any) -> None:
        """Add the counts of a worker of pytest-xdist."""
        data = getattr(node, "workeroutput", {}).get("llmtest_vcr")
        if data is not None:
            self.counts.add(Counts(**data))

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        """Print the line."""
        line = self.counts.line()
        if line is not None and not hasattr(self._config, "workerinput"):
            terminalreporter.write_line(line)


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
