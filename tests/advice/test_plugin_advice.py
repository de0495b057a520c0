"""What the plugin advises about markers and settings is written as it stands, and the same test passes."""

import re
from pathlib import Path

import pytest

from tests.advice.provoking import advice_of

ROOT = Path(__file__).parent.parent.parent

MARKERS = {
    "budget": "@pytest.mark.llm_budget",
    "budget-twice": '@pytest.mark.llm_budget("0.01", "0.02")',
    "time": "@pytest.mark.llm_time",
    "scenario": "@pytest.mark.llm_scenario",
    "cassette": '@pytest.mark.llm_cassette("a.yaml", "b.yaml")',
}
SETTINGS = {
    "seed": "llmtest_seed = seven",
    "time": "llmtest_time = fast",
    "fragmentation": "llmtest_fragmentation = pieces",
    "block-network": "llmtest_block_network = maybe",
}


def shown(result):
    """Return what a run printed, without pytest's mark of an error's lines."""
    text = result.stdout.str() + result.stderr.str()
    return re.sub(r"^E   ?", "", text, flags=re.MULTILINE)


@pytest.fixture
def files(pytester):
    """Lay the files that the advice names beside the test."""
    for name in ("scenarios/primary_outage.yaml", "cassettes/capital.yaml"):
        path = pytester.path / name
        path.parent.mkdir()
        path.write_text((ROOT / name).read_text())


@pytest.mark.parametrize("marker", MARKERS.values(), ids=list(MARKERS))
def test_t19_a_marker_that_is_advised_works(run_tests, files, marker):
    """The marker of the text, put where the refused one stood."""
    code = "import pytest\n\n{}\ndef test_it(llm_sim):\n    pass\n"
    result = run_tests(code.format(marker))
    assert "passed" not in result.parseoutcomes() or result.ret != 0
    advised = re.match(r"@pytest\.mark\.\w+\([^)]*\)", advice_of(shown(result)))
    assert advised is not None, shown(result)
    run_tests(code.format(advised[0])).assert_outcomes(passed=1)


@pytest.mark.parametrize("setting", SETTINGS.values(), ids=list(SETTINGS))
def test_t19_a_setting_that_is_advised_works(run_tests, setting):
    """The line of the text, put where the refused one stood."""
    code = "def test_it(llm_sim):\n    pass\n"
    result = run_tests(code, ini=setting)
    assert result.ret != 0
    advised = re.match(r"\w+ = \w+", advice_of(shown(result)))
    assert advised is not None, shown(result)
    run_tests(code, ini=advised[0]).assert_outcomes(passed=1)
