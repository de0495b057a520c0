"""Scenario files as tests, and tests inside a scenario's world."""

import pytest

OUTAGE = """
version: 1
name: short outage
seed: 7
providers:
  openai: {model: gpt-4o}
  anthropic: {model: claude-sonnet-4-6}
chain:
  retry: {max_attempts: 2}
  circuit_breaker: {failure_threshold: 3, cooldown_secs: 30}
  providers: [{provider: openai}, {provider: anthropic, trigger: any_error}]
load: {rate: 1/s, duration: 5m}
faults:
  - {name: outage, at: 1m, for: 1m, where: {provider: openai}, what: {server_error: {status: 503}}}
expect:
  availability: ">= 99.9%"
  fallbacks: ">= 1"
"""


@pytest.fixture
def scenario(pytester):
    """Return a function that writes a scenario file below the root of the small run."""

    def write(text=OUTAGE, name="scenarios/outage.yaml"):
        path = pytester.path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path

    return write


@pytest.mark.parametrize(
    ("ini", "arguments"),
    [
        pytest.param("llmtest_scenarios = scenarios/*.yaml", (), id="ini"),
        pytest.param("", ("scenarios/outage.yaml",), id="command-line"),
    ],
)
def test_a_scenario_is_a_test(run_tests, scenario, ini, arguments):
    """A file that the ini setting matches, or that is named, is run as one test."""
    scenario()
    result = run_tests("", "-v", *arguments, ini=ini)
    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines(["scenarios/outage.yaml::outage PASSED*"])


def test_a_scenario_nobody_asked_for_is_no_test(run_tests, scenario):
    """A YAML file in a folder that is collected is left alone, and so is any other YAML file that is named."""
    scenario()
    scenario("steps: [1, 2]\n", "playbook.yaml")
    assert run_tests("").ret == pytest.ExitCode.NO_TESTS_COLLECTED
    result = run_tests("", "playbook.yaml")
    result.stdout.no_fnmatch_line("*passed*")


def test_an_expectation_that_does_not_hold_fails_the_test(run_tests, scenario):
    """The failure lists every expectation with what was found, and the line that reproduces the run."""
    scenario(OUTAGE.replace('fallbacks: ">= 1"', 'fallbacks: "== 0"'))
    result = run_tests("", "scenarios/outage.yaml", "--llmtest-seed=3")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        [
            "ExpectationFailedError: `short outage`: 1 of 2 expectations did not hold, seed 3.",
            "",
            "  availability  expected >= 99.9%, was 100%",
            "> fallbacks     expected == 0, was *",
            "",
            "* calls, * attempts, * fallbacks in * virtual seconds",
            "Reproduce: llmtest simulate scenarios/outage.yaml --seed 3",
        ]
    )
    result.stdout.no_fnmatch_line("*_plugin_scenarios.py*")


def test_a_broken_scenario_fails_its_test_alone(run_tests, scenario):
    """What is wrong with a file is said with its line, without a traceback, and other tests run on."""
    scenario(OUTAGE.replace("server_error", "sever_error"))
    result = run_tests("def test_it():\n    pass\n", ini="llmtest_scenarios = scenarios/*.yaml")
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(["ScenarioError: scenarios/outage.yaml:14: *sever_error*Did you mean `server_error`?*"])


def test_a_test_inside_a_scenario(run_tests, scenario):
    """The marker gives the test the scenario's faults and quotas at the scenario's times, not its load."""
    scenario()
    result = run_tests(
        """
        import time
        import openai, pytest

        QUESTION = {"model": "gpt-4o", "messages": [{"role": "user", "content": "Hi"}]}

        @pytest.mark.llm_scenario("scenarios/outage.yaml")
        def test_outage(llm_sim):
            client = openai.OpenAI(max_retries=0)
            client.chat.completions.create(**QUESTION)
            time.sleep(90)
            with pytest.raises(openai.InternalServerError):
                client.chat.completions.create(**QUESTION)
            time.sleep(60)
            client.chat.completions.create(**QUESTION)
            llm_sim.assert_sequence("openai:200", "openai:503", "openai:200")

        @pytest.mark.llm_scenario("scenarios/outage.yaml")
        def test_without_the_fixture():
            started = time.monotonic()
            time.sleep(3600)
            assert time.monotonic() - started == 3600.0
        """
    )
    result.assert_outcomes(passed=2)


def test_a_marker_s_missing_file_is_told(run_tests, scenario):
    """A scenario that is not there fails the test that names it, and the nearest file is named."""
    scenario(OUTAGE)
    result = run_tests(
        """
        import pytest

        @pytest.mark.llm_scenario("scenarios/outages.yaml")
        def test_it(llm_sim):
            pass
        """
    )
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(
        [
            "E *: `llm_scenario`: there is no file `scenarios/outages.yaml`. Did you mean `outage.yaml`?",
            "E *To fix: write its path as seen from the test's file, or from the root of the run.",
        ]
    )


def test_a_named_file_that_is_no_text_is_no_scenario(run_tests, pytester):
    """A YAML file that is not UTF-8 is left to whoever it belongs to."""
    pytester.path.joinpath("blob.yaml").write_bytes(b"chain: \xff\n")
    run_tests("", "blob.yaml").stdout.no_fnmatch_line("*passed*")


def test_a_run_that_cannot_end_is_told(run_tests, scenario):
    """A chain without limits at a silent provider waits for ever, which fails the test with the tasks that wait."""
    text = OUTAGE.replace("  retry: {max_attempts: 2}", "  retry: null\n  timeouts: null")
    scenario(text.replace("server_error: {status: 503}", "timeout"))
    result = run_tests("", "scenarios/outage.yaml")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["E *VirtualTimeStalledError: *"])
