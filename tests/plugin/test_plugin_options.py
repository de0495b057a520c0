"""Settings: flag beats marker beats ini beats default, and each mistake is told."""

import pytest

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
        pytest.param("llm_time", "*`llm_time` needs a mode.", id="llm_time"),
        pytest.param("llm_budget", "*`llm_budget` needs a limit.", id="llm_budget"),
    ],
)
def test_a_marker_without_its_argument_is_told(run_tests, marker, message):
    """A marker that says nothing fails its test with the way to write it."""
    result = run_tests(SEEN.format(marker=f"@pytest.mark.{marker}"))
    assert result.ret == 1
    result.stdout.fnmatch_lines([message])


def test_the_settings_are_described(run_tests):
    """`pytest --help` shows every flag and every ini setting."""
    text = run_tests("", "--help").stdout.str()
    for name in ("--llmtest-seed", "--llmtest-time", "--llmtest-block-network", "--llmtest-costs"):
        assert name in text
    for name in ("time", "block_network", "allowed_hosts", "dummy_keys", "scenarios", "seed"):
        assert f"llmtest_{name}" in text
