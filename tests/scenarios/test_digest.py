"""One seed, one history: on every machine, every supported Python and every hash seed."""

from pathlib import Path

from llmtest.events import BreakerChanged, FaultFired
from llmtest.scenarios import load_scenario, run_scenario

OUTAGE = Path(__file__).parents[2] / "scenarios" / "primary_outage.yaml"
DIGEST = "fb0f180c1ff53626089dd800c04e1910"
"""Of the README's first command. CI runs this on three Pythons; a change here changes what every user sees."""


def test_the_outage_is_the_same_everywhere():
    """The hash of the whole history is known in advance."""
    assert run_scenario(load_scenario(OUTAGE)).digest == DIGEST


def test_another_seed_is_another_history():
    """The digest follows the seed."""
    assert run_scenario(load_scenario(OUTAGE), seed=8).digest != DIGEST


def test_t26_the_outage_that_is_shipped_is_seen_as_one():
    """Calls are struck in each of its five minutes, and the circuit opens within ten seconds of its beginning."""
    struck, opened = set(), []

    def note(event):
        if isinstance(event, FaultFired) and event.rule == "outage":
            struck.add(event.at_ns // 60_000_000_000)
        if isinstance(event, BreakerChanged) and event.to_state == "open":
            opened.append(event.at_ns / 1e9)

    scenario = load_scenario(OUTAGE)
    run_scenario(scenario, on_event=note)
    begins = next(fault.arguments["at_ns"] for fault in scenario.faults if fault.name == "outage") / 1e9
    first = int(begins // 60)
    assert struck == set(range(first, first + 5))
    assert begins <= opened[0] <= begins + 10
