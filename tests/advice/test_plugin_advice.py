"""What the plugin advises about markers and settings is written as it stands, and the same test passes."""

import re
import sys
from pathlib import Path

import pytest

from tests.advice.provoking import advice_of

ROOT = Path(__file__).parent.parent.parent

MARKERS = {
    "budget": "@pytest.mark.llm_budget",
    "budget-twice": '@pytest.mark.llm_budget("0.01", "0.02")',
    "prices": "@pytest.mark.llm_prices",
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
    (pytester.path / "prices.toml").write_text('free = ["cellar"]')


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


GUEST = """
import asyncio, pytest, trio
{mark}
def test_it(llm_sim):
    async def main():
        loop = asyncio.get_running_loop()
        done = loop.create_future()
        trio.lowlevel.start_guest_run(
            trio.sleep, 0, run_sync_soon_threadsafe=loop.call_soon_threadsafe, done_callback=done.set_result)
        await done
    asyncio.run(main())
"""
KEPT_LOOP = """
import asyncio, pytest, uvloop
loop = uvloop.new_event_loop()
{mark}
def test_it(llm_sim):
    loop.call_soon(loop.stop)
    try:
        loop.run_forever()
    finally:
        loop.close()
"""
NO_DATES = """
import pytest
{mark}
def test_it(llm_sim):
    pass
"""
JOURNEY = """
import datetime, pytest, sys, types
OLD = types.ModuleType("time_machine")
class Travel:
    def __init__(self, destination):
        pass
    def start(self):
        pass
OLD.travel = Travel
sys.modules["time_machine"] = OLD
{mark}
def test_it(llm_sim):
    import time_machine
    if {travels}:
        time_machine.travel("2026-03-01").start()
    else:
        assert datetime.date.today() == datetime.date(2026, 3, 1)
"""


@pytest.mark.parametrize("code", [GUEST, KEPT_LOOP, NO_DATES], ids=["guest-of-asyncio", "loop-of-another", "dates"])
def test_t19_real_time_where_it_is_advised(run_tests, monkeypatch, code):
    """What cannot be virtual says which marker turns virtual time off; with it the same test passes."""
    if code is NO_DATES:
        monkeypatch.setattr("llmtest.clock._datetime._set_methods", lambda *methods: None)  # as an interpreter may
    result = run_tests(code.format(mark=""))
    assert result.ret != 0
    advised = re.search(r"@pytest\.mark\.llm_time\(\"real\"\)", advice_of(shown(result)))
    assert advised is not None, shown(result)
    run_tests(code.format(mark=advised[0])).assert_outcomes(passed=1)


def test_t19_a_date_where_an_old_release_cannot_set_it(run_tests):
    """time-machine before version 3 is refused; the marker that is advised sets the date, and version 3 travels."""
    result = run_tests(JOURNEY.format(mark="", travels=True))
    advised = re.search(r"@pytest\.mark\.llm_time\(start=[^)]*\)", advice_of(shown(result)))
    assert advised is not None, shown(result)
    run_tests(JOURNEY.format(mark=advised[0], travels=False)).assert_outcomes(passed=1)
    run_tests(
        """
        import datetime, time_machine

        def test_it(llm_sim):
            with time_machine.travel("2026-03-01"):
                assert datetime.date.today() == datetime.date(2026, 3, 1)
        """
    ).assert_outcomes(passed=1)


def test_t19_an_entry_point_that_is_advised_works(pytester):
    """An installed package whose dialect is none names the object to make, and is known once it is one."""
    installed = pytester.path / "mine-1.0.dist-info"
    installed.mkdir()
    (installed / "METADATA").write_text("Metadata-Version: 2.1\nName: mine\nVersion: 1.0\n")
    (installed / "entry_points.txt").write_text("[llmtest.dialects]\nmine = mine:API\n")
    code = "import sys; sys.path.insert(0, '.'); from llmtest.wire import dialects; print('mine' in dialects())"

    def known(api):
        pytester.makepyfile(mine=f"import llmtest.wire\nAPI = {api}")
        return pytester.run(sys.executable, "-B", "-c", code)

    advised = re.search(r"`mine:API` name an object made by (llmtest\.wire\.Dialect)\(", known("{}").stderr.str())
    assert advised is not None
    assert known(f"{advised[1]}('mine', root='/v1', endpoints=())").stdout.lines == ["True"]
