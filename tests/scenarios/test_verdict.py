"""`verdict: clean` and what else a run is judged by: findings, harness errors, unknown prices, and the load's ends."""

import sys
import textwrap

import pytest

from llmtest.scenarios import load_scenario, run_scenario

TARGET = """\
version: 1
name: my own app
providers: {openai: {}}
target: judged_app:ask
load: {rate: 1/s, arrivals: constant, duration: 5s, input_tokens: 50, output_tokens: 20}
faults: [{name: busy, when: {calls: {first: 2, last: 3}}, what: {rate_limited: {retry_after: 7s}}}]
expect: {verdict: clean}
"""

APP = """\
import time
import openai

client = openai.OpenAI(max_retries=0)
MESSAGES = [{"role": "user", "content": "Hi"}]

def once(**more):
    return client.chat.completions.create(model="gpt-4o", messages=MESSAGES, **more)
"""


@pytest.fixture
def run_app(tmp_path, monkeypatch):
    """Return a function that runs a scenario whose target is the given code."""

    def run(code, scenario=TARGET):
        monkeypatch.syspath_prepend(tmp_path)
        sys.modules.pop("judged_app", None)
        (tmp_path / "judged_app.py").write_text(APP + textwrap.dedent(code))
        path = tmp_path / "scenario.yaml"
        path.write_text(scenario)
        return run_scenario(load_scenario(path))

    return run


def verdict(result):
    """Return what the verdict found."""
    (found,) = [check.actual for check in result.expectations if check.check == "verdict"]
    return found


def test_a_retry_before_its_time(run_app):
    """An app that asks again at once after a Retry-After is found out, with the first case and who is to blame."""
    result = run_app("""
        def ask(prompt):
            try:
                return once()
            except openai.RateLimitError:
                time.sleep(0.5)
                return once()
        """)
    assert verdict(result) == (
        "retry_after_ignored: call 2 asked `openai` again at 1.500 s, 6.500 s before it was to. "
        "To blame: the app, or its SDK."
    )


def test_calls_that_give_up(run_app):
    """An app that fails at the first rate limit gave up; what it does not see is no answer."""
    result = run_app("def ask(prompt):\n    return once()\n")
    assert (result.succeeded, result.failed) == (3, 2)
    assert verdict(result) == (
        "gave_up: call 2 failed with `openai:429` at 1.000 s and did not try again. (2 such findings) "
        "To blame: the app, or its SDK."
    )


def test_a_truncated_stream_taken_for_whole(run_app):
    """An app that returns half an answer is found out."""
    result = run_app(
        "def ask(prompt):\n    return [chunk for chunk in once(stream=True)]\n",
        TARGET.replace("rate_limited: {retry_after: 7s}", "stream_truncated: {after_chunks: 1}"),
    )
    assert result.succeeded == 5
    assert verdict(result) == (
        "truncated_answer_accepted: call 2 took a stream of `openai` for whole that ended too early, at 1.000 s. "
        "(2 such findings) To blame: the app, because no SDK tells it."
    )


def test_several_findings_are_all_told(run_app):
    """A hasty app that does not stop is told everything it did, each kind once."""
    result = run_app(
        """
        def ask(prompt):
            for _ in range(12):
                try:
                    return once()
                except openai.APIStatusError:
                    pass
        """,
        TARGET.replace("{calls: {first: 2, last: 3}}", "{times: 60}").replace(
            "rate_limited: {retry_after: 7s}", "server_error: {status: 503}"
        ),
    )
    assert verdict(result) == (
        "retry_storm: call 1 sent more than 10 requests without an answer. (6 such findings) "
        "To blame: the app, or its SDK.; "
        "no_backoff: call 1 asked `openai` again twice without a pause, last at 0.000 s. (5 such findings) "
        "To blame: the app, or its SDK.; "
        "gave_up: call 1 met `openai:503` at 0.000 s, and ended without an answer and without an error. "
        "(5 such findings) To blame: the app, or its SDK."
    )


def test_an_unscripted_request_ends_the_run(run_app):
    """A request that nobody is there to answer is the run's own error, and fails it without being asked for."""
    result = run_app(
        'def ask(prompt):\n    import urllib.request\n    urllib.request.urlopen("http://192.0.2.1/")\n',
        TARGET.replace("expect: {verdict: clean}", ""),
    )
    harness = [check for check in result.expectations if check.check == "harness"]
    assert [(check.expected, check.ok) for check in harness] == [("no error", False)]
    assert harness[0].actual.startswith("NetworkBlockedError: ")
    assert result.calls == 1


def test_the_same_as_a_finding(run_app):
    """Asked for a verdict, a harness error is one of its findings and no second check."""
    result = run_app('def ask(prompt):\n    import urllib.request\n    urllib.request.urlopen("http://192.0.2.1/")\n')
    assert verdict(result).startswith("harness_error: NetworkBlockedError: ")
    assert not [check for check in result.expectations if check.check == "harness"]


def test_an_app_that_fails_by_itself(run_app):
    """What an app raises of its own is a failed call, by class."""
    result = run_app("def ask(prompt):\n    once()\n    raise LookupError\n", TARGET.partition("faults:")[0])
    assert (result.failed, result.errors) == (5, {"LookupError": 5})


def test_an_asynchronous_object_as_target(run_app):
    """A target may be an object whose `__call__` is a coroutine function, behind an attribute."""
    result = run_app(
        """
        class Agent:
            async def __call__(self, prompt):
                async with openai.AsyncOpenAI() as client:
                    await client.chat.completions.create(model="gpt-4o", messages=MESSAGES)

        class Box:
            agent = Agent()
        """,
        TARGET.replace("judged_app:ask", "judged_app:Box.agent"),
    )
    assert (result.succeeded, verdict(result)) == (5, "clean")


CHAIN = """\
version: 1
name: ours
providers: {openai: {model: house-model}, anthropic: {model: claude-sonnet-4-5}}
chain:
  providers: [{provider: openai}, {provider: anthropic, trigger: any_error}]
load: {rate: 1/s, arrivals: constant, duration: 5s, input_tokens: 50, output_tokens: 20}
"""


def run(tmp_path, text):
    """Run a scenario of this text."""
    path = tmp_path / "scenario.yaml"
    path.write_text(text)
    return run_scenario(load_scenario(path))


def test_an_unknown_price_is_not_zero(tmp_path):
    """Spend that cannot be known fails its expectation, and an expectation of what was not measured fails too."""
    text = CHAIN + 'expect: {spend: "<= 25.00"}\n'
    (check,) = run(tmp_path, text).expectations
    assert (check.actual, check.ok) == ("unknown: a price is missing", False)
    (check,) = run(tmp_path, text.replace('spend: "<= 25.00"', 'latency.p50: "<= 1s"')).expectations
    assert (check.actual, check.ok) == ("0s", True)
    outage = "faults: [{what: server_error}]\nexpect: {latency.p50: '<= 1s', served_by.openai: '<= 10%'}\n"
    latency, served = run(tmp_path, CHAIN + outage).expectations
    assert (latency.actual, latency.ok) == ("nothing was measured", False)
    assert (served.actual, served.ok) == ("0%", True)


def test_the_scenario_s_own_price(tmp_path):
    """A price in the file makes the spend known; a provider of another name is priced as its dialect."""
    text = CHAIN.replace("{model: house-model}", "{model: house-model, price: {input: 1, output: 2}}")
    text = text.replace("{model: claude-sonnet-4-5}", "{model: claude-sonnet-4-5, dialect: anthropic}")
    (check,) = run(tmp_path, text + 'expect: {spend: "== 0.00045"}\n').expectations
    assert check.ok, check


def test_a_named_provider_is_priced_as_its_dialect(tmp_path):
    """`dialect` says whose prices a provider of another name has."""
    text = CHAIN.replace("openai: {model: house-model}", "east: {model: gpt-4o, dialect: openai}")
    result = run(tmp_path, text.replace("provider: openai", "provider: east"))
    assert result.cost_usd == result.cost_by_provider["east"] > 0


def test_a_stream_that_breaks_is_a_failed_call(tmp_path):
    """Streamed calls of a chain fail where the stream breaks after its first words."""
    text = CHAIN.replace("duration: 5s", "duration: 5s, stream: true")
    text += "faults: [{when: {calls: {first: 2, last: 2}}, what: {stream_dropped: {after_chunks: 1}}}]\n"
    result = run(tmp_path, text)
    assert (result.failed, result.errors) == (1, {"StreamInterruptedError": 1})


def test_users_who_never_think_ask_until_they_are_told_to_stop(tmp_path):
    """A closed load ends after `max_calls`; answers in no time at all do not stop the clock."""
    text = CHAIN.replace("rate: 1/s, arrivals: constant, duration: 5s", "users: 3, max_calls: 1200")
    reports = []
    path = tmp_path / "scenario.yaml"
    path.write_text(text)
    result = run_scenario(load_scenario(path), on_progress=lambda share, made: reports.append((share, made)))
    assert result.calls == 1200
    assert reports == [(None, 500), (None, 1000)]


@pytest.mark.parametrize("load", ["users: 2, think: 100ms, duration: 60s", "rate: 20/s, duration: 60s"])
def test_progress_is_told_as_a_share_of_the_duration(tmp_path, load):
    """Every 500 calls the share of the load that is done is told, open and closed."""
    path = tmp_path / "scenario.yaml"
    path.write_text(CHAIN.replace("rate: 1/s, arrivals: constant, duration: 5s", load))
    reports = []
    run_scenario(load_scenario(path), on_progress=lambda share, made: reports.append((share, made)))
    assert [made for _, made in reports] == [500, 1000]
    assert [share for share, _ in reports] == [pytest.approx(made / 1200, abs=0.06) for _, made in reports]


@pytest.mark.parametrize("limit", ["max_cost_per_day", "max_cost_per_session"])
def test_a_budget_that_only_warns_is_overshot(tmp_path, limit):
    """A limit that does not halt lets the calls pass, and the verdict tells by how much it was passed."""
    text = CHAIN.replace("model: house-model", "model: gpt-4o").replace(
        "load:", f"budget: {{{limit}: 0.001, halt_on_budget_exceeded: false}}\nload:"
    )
    result = run(tmp_path, text + "expect: {verdict: clean}\n")
    assert result.rejected == 0
    scope = limit.rpartition("_")[2]
    assert verdict(result) == (f"budget_overshoot: $0.0016 were spent of the {scope}'s $0.001. To blame: the chain.")


def test_a_chain_with_a_retry_budget_may_give_up(tmp_path):
    """A chain that may not always retry does what its file says where it fails at once; another one gave up."""
    text = CHAIN.replace(", {provider: anthropic, trigger: any_error}", "")
    text += "faults: [{what: {server_error: {status: 503}}}]\nexpect: {verdict: clean}\n"
    hasty = text.replace("chain:\n", "chain:\n  retry: null\n")
    assert verdict(run(tmp_path, hasty)).startswith("gave_up: call 1 failed with `openai:503` at 0.000 s")
    frugal = text.replace("chain:\n", "chain:\n  retry: {budget: {ratio: 0, reserve: 0}}\n")
    assert verdict(run(tmp_path, frugal)) == "clean"


def test_an_open_circuit_is_no_giving_up(tmp_path):
    """Calls that an open circuit refuses, or that find one beside a failing provider, did what they could."""
    text = CHAIN.replace("chain:\n", "chain:\n  retry: null\n  circuit_breaker: {failure_threshold: 1}\n")
    text = text.replace("duration: 5s", "duration: 20s")
    text += "faults: [{what: {server_error: {status: 503}}}]\nexpect: {verdict: clean}\n"
    result = run(tmp_path, text)
    assert (result.failed, verdict(result)) == (20, "clean")


def test_probes_one_after_the_other_are_no_herd(tmp_path):
    """A circuit that wants three probes to succeed, one at a time, lets no herd through."""
    text = CHAIN.replace(
        "chain:\n",
        "chain:\n  circuit_breaker: {failure_threshold: 1, cooldown_secs: 2, half_open_max_calls: 1, "
        "half_open_successes: 3}\n",
    ).replace("duration: 5s", "duration: 30s")
    text += (
        "faults: [{at: 3s, for: 4s, where: {provider: openai}, what: {server_error: {status: 503}}}]\n"
        "expect: {verdict: clean}\n"
    )
    result = run(tmp_path, text)
    assert result.breaker["openai"][-3:] == ["open", "half_open", "closed"]
    assert verdict(result) == "clean"


NOISY = """\
version: 1
name: noisy
providers: {openai: {model: gpt-4o, limits: {rpm: 600}}, anthropic: {model: claude-sonnet-4-5}}
chain:
  circuit_breaker: {failure_threshold: 3, cooldown_secs: 30}
  providers: [{provider: openai}, {provider: anthropic, trigger: any_error}]
load: {rate: 8/s, duration: 4m, stream: true}
faults:
  - {name: outage, at: 1m, for: 2m, where: {provider: openai}, what: {server_error: {status: 503}}}
  - {name: noise, where: {provider: openai}, when: {probability: 0.05}, what: {rate_limited: {retry_after: 20s}}}
  - {name: drops, when: {probability: 0.02}, what: {stream_dropped: {after_chunks: 1}}}
  - {name: truncations, when: {probability: 0.02}, what: {stream_truncated: {after_chunks: 2}}}
  - {name: silence, when: {probability: 0.01}, what: timeout}
  - {name: resets, when: {probability: 0.02}, what: connection_reset}
  - {name: mistakes, when: {probability: 0.01}, what: invalid_request}
expect: {verdict: clean}
"""


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1, 2])
def test_our_own_chain_is_clean_whatever_happens(tmp_path, seed):
    """A chain with its defaults has no finding in an outage with noise of every kind, whatever the seed."""
    path = tmp_path / "scenario.yaml"
    path.write_text(NOISY)
    assert verdict(run_scenario(load_scenario(path), seed=seed)) == "clean"
