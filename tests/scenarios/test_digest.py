"""One seed, one history: on every machine, every supported Python and every hash seed."""

from pathlib import Path

from llmtest.scenarios import load_scenario, run_scenario

OUTAGE = Path(__file__).parents[2] / "scenarios" / "primary_outage.yaml"
DIGEST = "c62e9fec1bf30d31ccde5762ad011fc9"
"""Of the README's first command. CI runs this on three Pythons; a change here changes what every user sees."""


def test_the_outage_is_the_same_everywhere():
    """The hash of the whole history is known in advance."""
    assert run_scenario(load_scenario(OUTAGE)).digest == DIGEST


def test_another_seed_is_another_history():
    """The digest follows the seed."""
    assert run_scenario(load_scenario(OUTAGE), seed=8).digest != DIGEST
