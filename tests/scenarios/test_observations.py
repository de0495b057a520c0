"""Checks on what callers got and on how single calls treated a provider: what they measure, and what they refuse."""

import pytest

from llmtest.errors import ScenarioError
from llmtest.scenarios import load_scenario, run_scenario

FILE = """\
version: 1
name: observed
providers:
  openai: {{model: gpt-4o, latency: {{total: 2s}}}}
  anthropic: {{model: claude-sonnet-4-5, latency: {{total: 1s}}}}
chain:
  {chain}
  providers: [{{provider: openai}}, {{provider: anthropic}}]
load: {{rate: 1/min, arrivals: constant, {load}}}
faults:
  - {fault}
expect:
  {expect}
"""
RETRIES = "retry: {max_attempts: 3, base_delay: 3s, jitter: false}"
DOWN = "{name: down, where: {provider: openai}, for: 10s, what: {server_error: {status: 503}}}"


def run(tmp_path, expect, *, chain=RETRIES, load="max_calls: 2", fault=DOWN):
    """Run a scenario with one expectation and return how it was judged."""
    path = tmp_path / "observed.yaml"
    path.write_text(FILE.format(chain=chain, load=load, fault=fault, expect=expect))
    return run_scenario(load_scenario(path)).expectations[0]


@pytest.mark.parametrize("load", ["", ", stream: true", ", blocking: true", ", stream: true, blocking: true"])
@pytest.mark.parametrize(
    ("expect", "actual", "ok"),
    [
        ("call_time.max: <= 10s", "10s", True),
        ("call_time.max: < 10s", "10s", False),
        ("call_time.p50: '> 0s'", "2s", True),
        ("retry_gap.openai: '>= 3s'", "3s", True),
        ("retry_gap.openai: '> 3s'", "3s", False),
        ("retry_gap.anthropic: '>= 0s'", "nothing was measured", False),
        ("burst.openai: '<= 1 in 3s'", "1 in 3s", True),
        ("burst.openai: '<= 2 in 10s'", "3 in 10s", False),
        ("burst.anthropic: 1 in 1h", "1 in 1h", True),
        ("recovery.openai: '<= 52s'", "52s", True),
        ("recovery.openai: '<= 51s'", "52s", False),
        ("spend.anthropic: '> 0'", "0.0038", True),
        ("spend.openai: 0", "0.0028", False),
        ("errors.AllProvidersFailedError: 0", "0", True),
        ("whole_answers: 100%", "100%", True),
        ("broken_answers: 0", "0", True),
        ("usage_reported: 100%", "100%", True),
        ("reported_model.gpt-4o: 1", "1", True),
        ("reported_model.claude-sonnet-4-5: 2", "1", False),
    ],
)
def test_what_is_measured(tmp_path, expect, actual, ok, load):
    """Two calls, the first in an outage: the same numbers whole and streamed, on an event loop and in blocking code."""
    check = run(tmp_path, expect, load="max_calls: 2" + load)
    assert (check.actual, check.ok) == (actual, ok)


@pytest.mark.parametrize(
    ("expect", "actual"),
    [
        ("whole_answers: 100%", "50%"),
        ("broken_answers: 0", "0"),
        ("errors.StreamInterruptedError: 0", "1"),
    ],
)
def test_a_piece_that_is_told_as_an_error_is_no_broken_answer(tmp_path, expect, actual):
    """A call that failed has no whole answer; what it had shown before its error is not called one."""
    fault = "{name: cut, where: {provider: openai}, for: 10s, what: {stream_dropped: {after_chunks: 1}}}"
    assert run(tmp_path, expect, load="max_calls: 2, stream: true", fault=fault).actual == actual


def test_an_answer_of_one_s_own_is_what_callers_get(tmp_path):
    """`answer` is what the provider says; a caller who gets less has a broken answer."""
    long = FILE.replace("latency: {{total: 2s}}", "latency: {{total: 2s}}, answer: A longer answer of its own")
    path = tmp_path / "own.yaml"
    for tokens, broken in ((50, "0"), (2, "1")):
        load = f"max_calls: 1, output_tokens: {tokens}"
        fault = DOWN.replace("server_error: {status: 503}", "slow_first_token: {seconds: 1s}")
        path.write_text(long.format(chain=RETRIES, load=load, fault=fault, expect="broken_answers: 0"))
        assert run_scenario(load_scenario(path)).expectations[0].actual == broken


@pytest.mark.parametrize(
    ("expect", "message"),
    [
        (
            "burst.openai: '<= 4'",
            "`expect.burst.openai`: must be a number of requests in a time, such as `<= 4 in 3s`.",
        ),
        ("burst.openai: '<= 4 in 0s'", "`expect.burst.openai`: a burst needs a time above 0, such as `<= 4 in 3s`."),
        (
            "burst.openai: '<= 4 in 3'",
            (
                "`expect.burst.openai`: `3` has no unit; write a number with a unit: `250ms`, `20s`, `5m`, `1h`; a "
                "comparison looks like `<= 4 in 3s`."
            ),
        ),
        (
            "burst.opnai: '<= 4 in 3s'",
            (
                "`expect.burst.opnai`: unknown provider `opnai`. Did you mean `openai`?\n"
                "Known providers: openai, anthropic."
            ),
        ),
        (
            "recovery.anthropic: '<= 3s'",
            (
                "`expect.recovery.anthropic`: no fault at `anthropic` ends, so that it cannot recover.\n"
                "To fix: give one a length: `for: 60s`."
            ),
        ),
        (
            "call_time.p98: '<= 3s'",
            "`expect.call_time.p98`: unknown measure `p98`. Did you mean `p99`?\nKnown measures: p50, p95, p99, max.",
        ),
        ("whole_answers: yes", "`expect.whole_answers`: must be a comparison such as `>= 99.9%`."),
    ],
)
def test_wrong_checks_are_refused(tmp_path, expect, message):
    """Each mistake is named with its line, and what to write instead."""
    with pytest.raises(ScenarioError) as error:
        run(tmp_path, expect)
    assert str(error.value).partition(": ")[2] == message


@pytest.mark.parametrize(
    "check", ["whole_answers: 100%", "broken_answers: 0", "usage_reported: 1", "reported_model.x: 1"]
)
def test_what_a_target_makes_of_answers_is_not_judged(tmp_path, check):
    """Your own app may do with an answer what it likes."""
    path = tmp_path / "target.yaml"
    path.write_text(
        "version: 1\nname: t\nproviders: {openai: {model: gpt-4o}}\ntarget: app:ask\n"
        f"load: {{rate: 1/s, duration: 1s}}\nexpect: {{{check}}}\n"
    )
    with pytest.raises(ScenarioError, match="what a `target` makes of an answer is its own"):
        load_scenario(path)


def test_a_check_that_nobody_asks_for_costs_nothing(tmp_path):
    """Without one of these checks a run keeps no notes, and its history is the same with them."""
    path = tmp_path / "observed.yaml"
    digests = set()
    for expect in ("availability: 100%", "whole_answers: 100%"):
        path.write_text(FILE.format(chain=RETRIES, load="max_calls: 2", fault=DOWN, expect=expect))
        digests.add(run_scenario(load_scenario(path)).digest)
    assert len(digests) == 1
