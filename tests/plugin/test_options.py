"""Settings: flag beats marker beats ini beats default, and each mistake is told."""

import pytest

from llmtest import pytest_plugin

SEEN = """
import pytest

{marker}
def test_it(llm_sim):
    print("SEED", llm_sim.seed, "TIME", type(llm_sim.clock).__name__)
"""


@pytest.mark.parametrize(
    ("arguments", "ini", "seed"),
    [
        pytest.param((), "", 0, id="default"),
        pytest.param((), "llmtest_seed = 5", 5, id="ini"),
        pytest.param(("--llmtest-seed=7",), "llmtest_seed = 5", 7, id="flag-over-ini"),
        pytest.param(("--llmtest-seed=0",), "llmtest_seed = 5", 0, id="zero-is-a-flag-too"),
    ],
)
def test_the_seed(run_tests, arguments, ini, seed):
    """The seed of a world comes from the flag, else from the ini file, else it is 0."""
    result = run_tests(SEEN.format(marker=""), "-s", *arguments, ini=ini)
    result.stdout.fnmatch_lines([f"*SEED {seed} *"])


@pytest.mark.parametrize(
    ("arguments", "marker", "ini", "clock"),
    [
        pytest.param((), "", "", "VirtualClock", id="default"),
        pytest.param((), "", "llmtest_time = real", "SystemClock", id="ini"),
        pytest.param((), "virtual", "llmtest_time = real", "VirtualClock", id="marker-over-ini"),
        pytest.param(("--llmtest-time=real",), "virtual", "", "SystemClock", id="flag-over-marker"),
    ],
)
def test_the_kind_of_time(run_tests, arguments, marker, ini, clock):
    """The kind of time comes from the flag, else from the marker, else from the ini file, else it is virtual."""
    mark = f'@pytest.mark.llm_time("{marker}")' if marker else ""
    result = run_tests(SEEN.format(marker=mark), "-s", *arguments, ini=ini)
    result.stdout.fnmatch_lines([f"*TIME {clock}*"])


PIECES = """
import pytest

{marker}
def test_it(llm_sim):
    print("PIECES", repr(llm_sim.world.fragmentation))
"""

IN_WHOLE = """\
version: 1
name: in one piece
fragmentation: whole
providers: {openai: {model: gpt-4o}}
target: app:ask
load: {rate: 1/s, duration: 1s}
"""


@pytest.mark.parametrize(
    ("arguments", "environment", "marker", "ini", "mode"),
    [
        pytest.param((), None, "", "", "events", id="default"),
        pytest.param((), None, "", "llmtest_fragmentation = random", "random", id="ini"),
        pytest.param((), "7", "", "llmtest_fragmentation = random", 7, id="environment-over-ini"),
        pytest.param((), "7", "llm_scenario", "", "whole", id="marker-over-environment"),
        pytest.param(("--llmtest-fragmentation=bytes=9",), "7", "llm_scenario", "", 9, id="flag-over-marker"),
    ],
)
def test_the_fragmentation(run_tests, pytester, monkeypatch, arguments, environment, marker, ini, mode):
    """How streams are cut comes from the flag, else from the scenario, the environment, the ini file."""
    if environment:
        monkeypatch.setenv("LLMTEST_FRAGMENTATION", environment)
    (pytester.path / "whole.yaml").write_text(IN_WHOLE)
    mark = '@pytest.mark.llm_scenario("whole.yaml")' if marker else ""
    result = run_tests(PIECES.format(marker=mark), "-s", *arguments, ini=ini)
    result.stdout.fnmatch_lines([f"*PIECES {mode!r}"])


def test_every_setting_has_a_variable(run_tests, monkeypatch):
    """A list and switches come from the environment, which goes before the ini file."""
    monkeypatch.setenv("LLMTEST_ALLOWED_HOSTS", "db.example.org, other.example.org")
    monkeypatch.setenv("LLMTEST_DUMMY_KEYS", "true")
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    test = """
    import os
    from llmtest.interception import current_gate

    KEY = os.environ.get("OPENAI_API_KEY")

    def test_it(llm_sim, request):
        assert KEY
        assert current_gate().is_allowed("db.example.org")
        assert current_gate().is_allowed("other.example.org")
        assert not current_gate().is_allowed("ini.example.org")
    """
    settings = "llmtest_allowed_hosts = ini.example.org\nllmtest_dummy_keys = false"
    run_tests(test, ini=settings).assert_outcomes(passed=1)


def test_a_variable_of_a_switch_that_says_something_else_is_told(run_tests, monkeypatch):
    """A switch is `true` or `false`, in the environment too."""
    monkeypatch.setenv("LLMTEST_DUMMY_KEYS", "perhaps")
    result = run_tests("def test_it(): pass")
    result.stderr.fnmatch_lines(["*LLMTEST_DUMMY_KEYS=perhaps is neither `true` nor `false`*"])


def test_one_line_turns_a_whole_suite_on_random_pieces(run_tests):
    """A reader that takes pieces for events passes without the line, and fails with it."""
    test = """
    import json
    import httpx2

    def test_it(llm_sim):
        llm_sim.openai.replies("one two three")
        body = {"model": "gpt-4o", "messages": [{"role": "user", "content": "Hi"}], "stream": True}
        with httpx2.stream("POST", "https://api.openai.com/v1/chat/completions", json=body) as answer:
            for piece in answer.iter_bytes():
                for line in piece.decode().splitlines():
                    if line.startswith("data: {"):
                        json.loads(line.removeprefix("data: "))
    """
    run_tests(test).assert_outcomes(passed=1)
    failing = run_tests(test, ini="llmtest_fragmentation = random")
    failing.stdout.fnmatch_lines(["FAILED test_it.py::test_it - *Error: *"])


def test_a_fragmentation_that_does_not_exist_is_told(run_tests):
    """The setting, the nearest mode and the line to write."""
    result = run_tests(PIECES.format(marker=""), ini="llmtest_fragmentation = randm")
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(
        [
            "E *ConfigurationError: llmtest_fragmentation = randm: fragmentation cannot be 'randm'. Did you mean *",
            "E *To fix: llmtest_fragmentation = random",
        ]
    )


def test_a_seed_that_is_no_number_is_told(run_tests):
    """A mistake in the ini file fails the test that meets it, with the line to write."""
    result = run_tests(SEEN.format(marker=""), ini="llmtest_seed = lucky")
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(
        [
            "E *ConfigurationError: llmtest_seed = lucky: a seed is a whole number.",
            "E *To fix: llmtest_seed = 7",
        ]
    )


@pytest.mark.parametrize(
    ("marker", "message"),
    [
        pytest.param("llm_time", "*`llm_time` needs a mode or a date.", id="llm_time"),
        pytest.param("llm_budget", "*`llm_budget` needs a limit.", id="llm_budget"),
    ],
)
def test_a_marker_without_its_argument_is_told(run_tests, marker, message):
    """A marker that says nothing fails its test with the way to write it."""
    result = run_tests(SEEN.format(marker=f"@pytest.mark.{marker}"))
    assert result.ret == 1
    result.stdout.fnmatch_lines([message])


def test_a_misspelt_setting_ends_the_run_at_once(run_tests):
    """A setting that nobody reads would silently leave its tests unguarded."""
    result = run_tests(SEEN.format(marker=""), ini="llmtest_block_netwrk = true")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(
        [
            "ERROR: there is no setting `llmtest_block_netwrk`. Did you mean `llmtest_block_network`?",
            "To fix: correct it in the ini file. Settings: llmtest_seed, *, llmtest_scenarios.",
        ]
    )


@pytest.mark.parametrize("name", ["llmtest_block_network", "llmtest_dummy_keys", "llmtest_vcr_marker"])
def test_a_switch_that_is_neither_true_nor_false_is_named(run_tests, name):
    """Pytest says which word it did not understand, and we say of which setting."""
    result = run_tests(SEEN.format(marker=""), ini=f"{name} = ture")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([f"ERROR: {name}: invalid truth value 'ture'.", f"To fix: {name} = true, or false."])


def test_every_declared_setting_is_known(pytestconfig):
    """The list that misspelt settings are told from is the list of those declared."""
    declared = [name for name in pytestconfig._parser._inidict if name.startswith("llmtest_")]
    assert sorted(declared) == sorted(pytest_plugin.SETTINGS)


def test_a_misspelt_marker_fails_its_test(run_tests):
    """A marker that is almost one of ours would do nothing; one that is registered is somebody's own."""
    result = run_tests(
        """
        import pytest

        @pytest.mark.llm_budgt(usd="0.01")
        def test_slip(llm_sim):
            pass

        @pytest.mark.llm_budgets
        def test_registered():
            pass

        @pytest.mark.llm_needs_gpu
        def test_own():
            pass
        """,
        "-Wignore",
        ini="markers = llm_budgets: of our own",
    )
    result.assert_outcomes(errors=1, passed=2)
    result.stdout.fnmatch_lines(
        [
            "E *ConfigurationError: there is no marker `llm_budgt`. Did you mean `llm_budget`?",
            "E *To fix: correct it, or register a marker of your own under `markers` in the ini file.",
        ]
    )


def test_a_wrong_argument_shows_the_users_line_alone(run_tests):
    """Of a mistake in a script the traceback holds the test's line, not the lines that checked it."""
    result = run_tests(
        """
        def test_it(llm_sim):
            llm_sim.openai.fails(429)
        """
    )
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        [">       llm_sim.openai.fails(429)", "E *fails() takes a fault of llmtest.faults, got 429."]
    )
    result.stdout.no_fnmatch_line("*_handle.py*")


def test_the_settings_are_described(run_tests):
    """`pytest --help` shows every flag and every ini setting."""
    text = run_tests("", "--help").stdout.str()
    for name in ("--llmtest-seed", "--llmtest-time", "--llmtest-block-network", "--llmtest-costs"):
        assert name in text
    for name in ("time", "block_network", "allowed_hosts", "dummy_keys", "scenarios", "seed"):
        assert f"llmtest_{name}" in text


def test_the_marker_sets_the_date(run_tests):
    """`llm_time(start=...)` lets virtual time begin on a date, in a world of one test and in a shared one."""
    result = run_tests(
        """
        import datetime as dt
        import pytest

        @pytest.mark.llm_time(start="2027-03-01T23:59")
        def test_own(llm_sim):
            assert dt.datetime.now(dt.UTC) == llm_sim.clock.now() == dt.datetime(2027, 3, 1, 23, 59, tzinfo=dt.UTC)

        @pytest.mark.llm_time(start="2028-01-01")
        def test_shared(llm_sim_module):
            assert llm_sim_module.clock.now().year == 2028

        @pytest.mark.llm_time(start="2028-01-01T01:00+01:00")
        def test_shared_again(llm_sim_module):
            assert llm_sim_module.clock.now().year == 2028

        @pytest.mark.llm_time(start="2029-01-01")
        def test_shared_otherwise(llm_sim_module):
            pass
        """
    )
    result.assert_outcomes(passed=3, errors=1)
    result.stdout.fnmatch_lines(
        [
            (
                "E *ConfigurationError: @pytest.mark.llm_time(start='2029-01-01'): `llm_sim_module` has begun already, "
                "at 2028-01-01T00:00:00."
            ),
            "E *To fix: use `llm_sim`, or give every test that shares the world the same start, as by `pytestmark`.",
        ]
    )


@pytest.mark.parametrize(
    ("marker", "line"),
    [
        pytest.param('"real", start="2027-03-01"', '*`llm_time("real")` takes no start: *', id="real"),
        pytest.param('start="March"', "*ConfigurationError: start='March' is no date.", id="no-date"),
    ],
)
def test_a_date_that_cannot_be_is_told(run_tests, marker, line):
    """What is wrong with the start of virtual time is said where the test begins."""
    result = run_tests(f"import pytest\n@pytest.mark.llm_time({marker})\ndef test_it(llm_sim): pass")
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines([line])


def test_a_date_is_left_alone_where_time_is_real(run_tests):
    """A run in real time has the machine's date, whatever the markers of its tests say."""
    code = SEEN.format(marker='@pytest.mark.llm_time(start="2027-03-01")')
    run_tests(code, "-s", "--llmtest-time=real").stdout.fnmatch_lines(["*SystemClock*"])
