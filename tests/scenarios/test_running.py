"""Running scenarios: what a run counts, what fails it, and that it is the same everywhere."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from llmtest.errors import ScenarioError
from llmtest.scenarios import load_scenario, run_scenario, with_trace

ROOT = Path(__file__).parents[2]
TRACES = ROOT.parent / "shared" / "traces"

SMALL = """\
version: 1
name: small
seed: 3
providers:
  openai: {model: gpt-4o, latency: {total: 200ms}}
  anthropic: {model: claude-sonnet-4-5}
chain:
  retry: {max_attempts: 2}
  circuit_breaker: {failure_threshold: 3, cooldown_secs: 30}
  providers:
    - {provider: openai}
    - {provider: anthropic, trigger: any_error}
load: {rate: 2/s, arrivals: constant, duration: 5m}
faults:
  - {name: outage, at: 1m, for: 1m, where: {provider: openai}, what: {server_error: {status: 503}}}
expect:
  availability: ">= 99.9%"
"""


def run(tmp_path, text, **options):
    """Run a scenario of this text."""
    path = tmp_path / "scenario.yaml"
    path.write_text(text)
    return run_scenario(load_scenario(path), **options)


def test_an_outage_is_survived_and_counted(tmp_path):
    """Calls, fallbacks, breaker and faults of a one-minute outage are what the clock says they must be."""
    result = run(tmp_path, SMALL)
    assert (result.calls, result.succeeded, result.failed) == (600, 600, 0)
    assert result.served_by["openai"] + result.served_by["anthropic"] == 600
    assert result.fallbacks == result.served_by["anthropic"] > 100
    assert result.breaker["openai"][:3] == ["closed", "open", "half_open"]
    assert result.breaker["openai"][-1] == "closed"
    assert result.breaker["anthropic"] == ["closed"]
    assert result.latency["p50"] == 0.2
    assert result.virtual_seconds == 300.0
    assert result.ok


def test_a_failed_expectation_says_what_was_found(tmp_path):
    """An expectation that does not hold carries what was expected and what was found."""
    result = run(
        tmp_path, SMALL.replace('availability: ">= 99.9%"', "fallbacks: 0\n  breaker.openai: {exactly: [closed]}")
    )
    assert not result.ok
    fallbacks, breaker = result.expectations
    assert (fallbacks.check, fallbacks.expected, fallbacks.actual) == ("fallbacks", "== 0", str(result.fallbacks))
    assert (breaker.expected, breaker.ok) == ("exactly closed", False)
    assert breaker.actual.startswith("closed -> open -> half_open")


def test_a_fault_that_never_struck_fails_the_run(tmp_path):
    """A rule that fires in no call is a failed check of its own, unless the file calls it optional."""
    late = SMALL.replace("at: 1m", "at: 2h")
    assert [(check.check, check.actual, check.ok) for check in run(tmp_path, late).expectations][1:] == [
        ("faults_fired.outage", "0: the rule never struck", False)
    ]
    assert run(tmp_path, late.replace("name: outage", "name: outage, optional: true")).ok


def test_a_seed_decides_everything(tmp_path):
    """Equal seeds give equal digests, other seeds others."""
    text = SMALL.replace("arrivals: constant", "arrivals: poisson")
    first, again, other = run(tmp_path, text), run(tmp_path, text), run(tmp_path, text, seed=4)
    assert first.digest == again.digest != other.digest
    assert (first.seed, other.seed) == (3, 4)


def test_a_budget_refuses_calls_and_is_kept(tmp_path):
    """A limit on money refuses what would pass it: calls fail, the limit holds, and the verdict is clean."""
    text = SMALL.replace("load:", "budget: {max_cost_per_day: 0.50}\nload:")
    text = text.replace('availability: ">= 99.9%"', 'spend: "<= 0.50"\n  rejected: ">= 1"\n  verdict: clean')
    result = run(tmp_path, text)
    assert result.ok, result.expectations
    assert result.errors == {"BudgetExceededError": result.failed}
    assert result.failed > 0


def test_streamed_calls_have_a_first_token(tmp_path):
    """With `stream: true` the time to the first token is measured apart from the whole answer."""
    text = SMALL.replace("latency: {total: 200ms}", "latency: {ttft: 300ms, tokens_per_second: 100}")
    text = text.replace("duration: 5m}", "duration: 5m, stream: true}").replace("availability", "ttft.p50")
    result = run(tmp_path, text.replace('">= 99.9%"', '"<= 300ms"'))
    assert result.ttft["p50"] == 0.3
    assert result.latency["p50"] == pytest.approx(1.8)


def test_users_wait_and_think(tmp_path):
    """Closed load: four users with 0.2 s of waiting and 1.8 s of thinking ask 2 times a second."""
    text = SMALL.replace("rate: 2/s, arrivals: constant", "users: 4, think: 1800ms")
    result = run(tmp_path, text)
    assert 570 <= result.calls <= 640


def test_a_trace_is_replayed(tmp_path):
    """A recorded trace sets times and tokens; `--trace-file` replaces a load by one."""
    trace = tmp_path / "three.csv"
    trace.write_text(
        "TIMESTAMP,ContextTokens,GeneratedTokens\n"
        "2023-11-16 18:15:46.0000000,374,44\n2023-11-16 18:15:50.5000000,396,109\n2023-11-16 18:17:16.0000000,100,9\n"
    )
    path = tmp_path / "scenario.yaml"
    path.write_text(SMALL)
    events = []
    result = run_scenario(with_trace(load_scenario(path), trace), on_event=events.append)
    assert result.calls == 3
    assert [event.at for event in events if event.kind == "call"] == [0.0, 4.5, 90.0]
    usages = [event.usage for event in events if event.kind == "answer" and event.usage]
    assert [(usage.input_tokens, usage.output_tokens) for usage in usages] == [(374, 44), (396, 109), (100, 9)]


@pytest.mark.parametrize(
    ("row", "problem"),
    [
        ("2023-11-16 18:15:50,396", "2 columns instead of 3: `2023-11-16 18:15:50,396`"),
        ("yesterday,396,109", "`yesterday` is not a TIMESTAMP such as `2023-11-16 18:15:46.6805900`"),
        ("2023-11-16 18:15:50.5,many,109", "`many` is not a number of ContextTokens"),
        ("2023-11-16 18:15:50.5,396,-1", "`-1` is not a number of GeneratedTokens"),
        ("2023-11-16 18:15:45.5,396,1", "the time goes backwards: `2023-11-16 18:15:45.5` is before the row above"),
    ],
)
def test_a_broken_row_names_file_and_line(tmp_path, row, problem):
    """A row that cannot be read ends the run with its file and line."""
    trace = tmp_path / "bad.csv"
    trace.write_text(f"TIMESTAMP,ContextTokens,GeneratedTokens\n2023-11-16 18:15:46.0000000,374,44\n{row}\n")
    path = tmp_path / "scenario.yaml"
    path.write_text(SMALL)
    with pytest.raises(ScenarioError) as caught:
        run_scenario(with_trace(load_scenario(path), trace))
    assert str(caught.value) == f"{trace}:3: broken row: {problem}."


TARGET = """\
import openai

client = openai.OpenAI()


def ask(prompt):
    answer = client.chat.completions.create(model="gpt-4o", messages=[{"role": "user", "content": prompt}])
    return answer.choices[0].message.content


async def ask_async(prompt):
    async with openai.AsyncOpenAI() as another:
        answer = await another.chat.completions.create(model="gpt-4o", messages=[{"role": "user", "content": prompt}])
    return answer.choices[0].message.content
"""

TARGET_SCENARIO = """\
version: 1
name: my own app
providers: {openai: {latency: {total: 500ms}}}
target: scenario_app:ask
load: {rate: 1/s, arrivals: constant, duration: 20s, input_tokens: 50, output_tokens: 20}
faults: [{name: busy, when: {calls: {first: 3, last: 4}}, what: {rate_limited: {retry_after: 7s}}}]
expect: {availability: 100%, retries: 2, verdict: clean}
"""


@pytest.mark.parametrize("name", ["ask", "ask_async"])
def test_a_target_is_somebody_s_own_app(tmp_path, monkeypatch, name):
    """A callable on the official SDK runs under the scenario's load, faults and clock, sync or async."""
    monkeypatch.syspath_prepend(tmp_path)
    sys.modules.pop("scenario_app", None)
    (tmp_path / "scenario_app.py").write_text(TARGET)
    result = run(tmp_path, TARGET_SCENARIO.replace(":ask", f":{name}"))
    assert result.ok, result.expectations
    assert (result.calls, result.succeeded, result.attempts) == (20, 20, 22)
    assert result.latency["p50"] == 0.5
    assert result.served_by == {"openai": 20}


AGENT = """\
import openai

client = openai.OpenAI(max_retries=0)


def turn(model, **more):
    answer = client.chat.completions.create(model=model, messages=[{"role": "user", "content": "Hi"}], **more)
    if not more:
        return answer.choices[0].message.content
    with answer:
        return next(iter(answer)).choices[0].delta.content


def ask(prompt):
    turn("gpt-4o", stream=True)
    try:
        return turn("gpt-4o")
    except openai.RateLimitError:
        return turn("gpt-4o")
"""


def test_the_turns_of_an_agent_are_no_retries(tmp_path, monkeypatch):
    """A request after an answer, or after a stream that its reader left, repeats nothing; one after a failure does."""
    monkeypatch.syspath_prepend(tmp_path)
    sys.modules.pop("scenario_app", None)
    (tmp_path / "scenario_app.py").write_text(AGENT)
    text = TARGET_SCENARIO.replace("calls: {first: 3, last: 4}", "calls: {first: 4, last: 4}")
    result = run(tmp_path, text.replace("retries: 2, verdict: clean", "retries: 1, fallbacks: 0, attempts: 41"))
    assert result.ok, result.expectations


def test_a_target_that_does_not_exist(tmp_path):
    """A module that cannot be found is named, with the way out."""
    with pytest.raises(ScenarioError) as caught:
        run(tmp_path, TARGET_SCENARIO.replace("scenario_app", "no_such_app"))
    assert str(caught.value) == (
        f"{tmp_path / 'scenario.yaml'}: `target`: no module `no_such_app`.\n"
        "To fix: run from the folder that holds it, or install the package it belongs to."
    )


def _digest(arguments, hash_seed):
    command = [sys.executable, "-m", "llmtest", "simulate", *arguments, "--json"]
    environment = {**os.environ, "PYTHONHASHSEED": hash_seed}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, cwd=ROOT, check=False)
    assert done.returncode in {0, 1}, done.stderr
    found = json.loads(done.stdout)
    found.pop("wall_seconds")
    return found


@pytest.mark.slow
def test_two_processes_agree():
    """The primary outage is the same run in two processes with different hash seeds, and every expectation holds."""
    first, second = (_digest(["scenarios/primary_outage.yaml"], seed) for seed in ("1", "2"))
    assert first == second
    assert all(check["ok"] for check in first["expectations"])


@pytest.mark.slow
@pytest.mark.skipif(not TRACES.is_dir(), reason="../shared/traces is missing: it is test data beside the repository")
def test_two_processes_agree_on_a_recorded_hour():
    """The recorded hour of conversation is the same run in two processes with different hash seeds."""
    arguments = ["scenarios/primary_outage.yaml", "--trace-file", str(TRACES / "AzureLLMInferenceTrace_conv.csv")]
    first, second = (_digest(arguments, seed) for seed in ("1", "2"))
    assert first == second
    assert first["calls"] == 19_366


@pytest.mark.parametrize(
    ("code", "problem"),
    [
        (
            "import nowhere_at_all\n",
            "importing `scenario_app` failed: No module named 'nowhere_at_all'.",
        ),
        ("1 / 0\n", "importing `scenario_app` failed: ZeroDivisionError: division by zero"),
        ("def asks(prompt):\n    pass\n", "`scenario_app` has no `ask`. Did you mean `asks`?"),
        ("ask = 5\n", "`scenario_app:ask` is not callable."),
    ],
    ids=["missing-import", "broken", "misspelt", "not-callable"],
)
def test_a_target_that_cannot_be_called(tmp_path, monkeypatch, code, problem):
    """What is wrong with the app's module is told with the scenario's name."""
    monkeypatch.syspath_prepend(tmp_path)
    sys.modules.pop("scenario_app", None)
    (tmp_path / "scenario_app.py").write_text(code)
    with pytest.raises(ScenarioError) as caught:
        run(tmp_path, TARGET_SCENARIO)
    assert str(caught.value) == f"{tmp_path / 'scenario.yaml'}: `target`: {problem}"


def test_a_scenario_says_how_its_streams_are_cut(tmp_path):
    """The key reaches the world, and a mode that does not exist is named with its line."""
    from llmtest.clock import VirtualClock
    from llmtest.events import Trace
    from llmtest.scenarios import furnish
    from llmtest.simulation import World

    path = tmp_path / "scenario.yaml"
    for value, mode in (("random", "random"), ("bytes=7", 7), ("7", 7)):
        path.write_text(SMALL.replace("seed: 3", f"seed: 3\nfragmentation: {value}"))
        world = World(VirtualClock(), Trace())
        furnish(world, load_scenario(path))
        assert world.fragmentation == mode
    path.write_text(SMALL.replace("seed: 3", "fragmentation: randm"))
    with pytest.raises(ScenarioError) as caught:
        load_scenario(path)
    assert str(caught.value).endswith(
        "scenario.yaml:3: `fragmentation`: cannot be 'randm'. Did you mean `random`? It is events, whole, random or a "
        "number of bytes, 1 or more."
    )


def test_e07_e08_faults_of_the_wire_are_said_in_a_file(tmp_path):
    """Errors inside streams, headers, forms of `Retry-After` and edits; a rule that finds nothing has not fired."""
    text = SMALL.replace("duration: 5m}", "duration: 30s, stream: true}").replace(
        "{name: outage, at: 1m, for: 1m, where: {provider: openai}, what: {server_error: {status: 503}}}",
        """{name: dates, when: {calls: {last: 1}}, what: {rate_limited: {retry_after: date, seconds: 1s}}}
  - {name: told, when: {calls: {first: 3, last: 4}}, what: {stream_error: {after_chunks: 0, error: overloaded}}}
  - {name: noise, when: {probability: 0.5}, what: {wire_edit: {comment: hello, headers: {x-note: a}}}}
  - {name: index, optional: true, what: {wire_edit: {drop: "choices[0].delta.tool_calls[*].index"}}}""",
    )
    result = run(tmp_path, text)
    assert result.ok, result
    fired = dict(result.faults_fired)
    assert (fired["dates"], fired["told"], fired["index"]) == (1, 2, 0)
    assert 10 < fired["noise"] < 60
    assert result.digest == run(tmp_path, text).digest
