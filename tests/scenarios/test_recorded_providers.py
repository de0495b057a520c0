"""Providers of a scenario that play a recorded session, under its faults, its load and its clock."""

import sys

import httpx2
import pytest

from llmtest.errors import ScenarioError, UnscriptedRequestError
from llmtest.scenarios import load_scenario, run_scenario
from llmtest.serving import Server, served_world
from tests.simulation.recorded_sessions import asked, interaction, streaming, whole, write_session

TARGET = """\
import openai

client = openai.OpenAI()
PROMPT = "1"


def ask(prompt):
    messages = [{"role": "user", "content": PROMPT}]
    return client.chat.completions.create(model="gpt-4o", messages=messages).choices[0].message.content
"""

SCENARIO = """
version: 1
name: recorded
providers: {openai: {plays: tapes/session.yaml}}
target: recorded_app:ask
load: {rate: 1/s, arrivals: constant, duration: 10s}
faults: [{name: busy, when: {calls: {first: 3, last: 4}}, what: {rate_limited: {retry_after: 7s}}}]
expect: {availability: 100%, retries: 2, served_by.openai: 10}
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder with an app and a session of one answer that took 250 ms."""
    monkeypatch.syspath_prepend(tmp_path)
    sys.modules.pop("recorded_app", None)
    (tmp_path / "recorded_app.py").write_text(TARGET)
    (tmp_path / "tapes").mkdir()
    one = {**interaction(asked("1"), whole("answer 1")), "llmtest": {"head_ms": 250}}
    write_session(tmp_path / "tapes/session.yaml", one)
    yield tmp_path
    sys.modules.pop("recorded_app", None)


def scenario_of(folder, text=SCENARIO):
    """Write and load a scenario."""
    path = folder / "recorded.yaml"
    path.write_text(text)
    return load_scenario(path)


def test_a_target_is_answered_from_the_recording_under_faults(folder):
    """Each call gets the recorded answer at its pace, refusals come over it, and its tokens are billed."""
    result = run_scenario(scenario_of(folder))
    assert result.ok, result.expectations
    assert (result.calls, result.attempts, result.latency["p50"]) == (10, 12, 0.25)
    assert str(result.cost_usd) == "0.00075000"


def test_a_latency_of_the_file_counts_in_place_of_the_recorded_pauses(folder):
    """Who says how long answers take is heard."""
    text = SCENARIO.replace("session.yaml}", "session.yaml, latency: {total: 2s}}")
    assert run_scenario(scenario_of(folder, text)).latency["p50"] == 2.0


def test_a_request_that_is_not_recorded_ends_the_run(folder):
    """A recording that does not have what the app asks is an error of the experiment, not an answer."""
    (folder / "recorded_app.py").write_text(TARGET.replace('PROMPT = "1"', 'PROMPT = "another one"'))
    with pytest.raises(UnscriptedRequestError, match=r"body\.messages\[0\]\.content"):
        run_scenario(scenario_of(folder))


def test_a_served_scenario_plays_it_too(folder):
    """On a port the host of the recording does not matter; other providers go on answering with generated text."""
    scenario_of(folder, SCENARIO.replace("when: {", "where: {provider: openai}, when: {"))
    world, _ = served_world(scenario=folder / "recorded.yaml")
    with Server(world) as server, httpx2.Client(base_url=server.base_url) as http:
        answers = [http.post("/v1/chat/completions", json=asked("1")) for _ in range(3)]
        other = http.post("/groq/v1/chat/completions", json={**asked("2"), "model": "llama-3.3-70b-versatile"})
        missed = [http.post("/v1/chat/completions", json=asked("2")).status_code for _ in range(2)]
    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert answers[0].text == whole("answer 1")
    assert (other.status_code, missed) == (200, [429, 500])


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (("session.yaml}", "sesion.yaml}"), "`providers.openai.plays`: no such file: .*Did you mean `session.yaml`"),
        (("session.yaml}", "session.yaml, answer: Hi}"), "`answer` and `plays` are two answers"),
    ],
)
def test_a_recording_that_cannot_be_played_is_a_mistake_of_the_file(folder, change, told):
    """A file that is not there names its neighbour; two answers are one too many."""
    with pytest.raises(ScenarioError, match=told):
        scenario_of(folder, SCENARIO.replace(*change))


CHAIN = """
version: 1
name: recorded chain
providers: {openai: {model: gpt-4o, plays: tapes/chat.yaml}, anthropic: {model: claude-sonnet-4-5}}
chain: {providers: [{provider: openai}, {provider: anthropic}], retry: {max_attempts: 1}}
load: {rate: 1/s, arrivals: constant, duration: 9s}
"""


@pytest.fixture
def chat(folder):
    """A folder with a session of two whole answers, a streamed one, and what no chat answered."""
    slow = {**interaction(asked("1"), whole("answer 1")), "llmtest": {"head_ms": 500}}
    models = interaction({}, '{"object": "list", "data": []}', uri="https://api.openai.com/v1/models")
    other = interaction(asked("x"), whole("nobody's"), uri="https://api.groq.com/openai/v1/chat/completions")
    found = (slow, models, streaming(), other, interaction(asked("2"), whole("answer 2")))
    write_session(folder / "tapes/chat.yaml", *found)
    return folder


def test_a_chain_is_answered_from_a_recording_at_its_pace_and_in_the_account(chat):
    """In recorded order and again from the first, whatever the load asks; nobody fails over."""
    result = run_scenario(scenario_of(chat, CHAIN + "expect: {served_by.openai: 9, whole_answers: 100%}\n"))
    assert result.ok, result.expectations
    assert (result.calls, result.attempts, result.latency["p50"], result.latency["p99"]) == (9, 9, 0.5, 0.5)
    assert str(result.cost_usd) == "0.00067500"  # nine times 10 and 5 tokens


@pytest.mark.parametrize("blocking", ["false", "true"])
def test_faults_strike_what_a_chain_is_answered_from_a_recording(chat, blocking):
    """A refusal in place of the third answer goes to the next provider, and a body that breaks too."""
    text = (
        CHAIN.replace("duration: 9s", f"duration: 9s, blocking: {blocking}")
        + """
faults:
  - {name: busy, where: {provider: openai}, when: {calls: {first: 3, last: 3}}, what: rate_limited}
  - {name: torn, where: {provider: openai}, when: {calls: {first: 5, last: 5}}, what: malformed_body}
expect: {availability: 100%, served_by.openai: 7, served_by.anthropic: 2, whole_answers: 100%}
"""
    )
    result = run_scenario(scenario_of(chat, text))
    assert result.ok, result.expectations
    assert (result.calls, result.attempts, result.fallbacks) == (9, 11, 2)


def test_a_chain_streams_what_was_streamed_and_it_breaks_where_a_fault_says(chat):
    """The pieces of the recording, not words of ours; a stream that drops is a call that failed."""
    text = (
        CHAIN.replace("9s", "9s, stream: true")
        + """
faults: [{name: cut, when: {calls: {first: 2, last: 2}}, what: {stream_dropped: {after_chunks: 3}}}]
expect: {availability: "> 88%", whole_answers: "> 88%", broken_answers: 0}
"""
    )
    result = run_scenario(scenario_of(chat, text))
    assert result.ok, result.expectations
    assert (result.calls, result.failed) == (9, 1)


def test_a_latency_of_the_file_counts_in_a_chain_too(chat):
    """In place of the recorded pauses."""
    text = CHAIN.replace("chat.yaml}", "chat.yaml, latency: {total: 2s}}")
    assert run_scenario(scenario_of(chat, text)).latency["p50"] == 2.0


def test_a_recording_without_an_answer_for_a_chain_is_refused_and_the_advice_works(chat):
    """It has other ones, or none of that provider."""
    text = CHAIN.replace("9s", "9s, stream: true")
    write_session(chat / "tapes/chat.yaml", interaction(asked("1"), whole("answer 1")))
    with pytest.raises(ScenarioError) as caught:
        run_scenario(scenario_of(chat, text))
    assert "`providers.openai.plays`: " in str(caught.value)
    assert "has no streamed answer that `openai` could give a chain.\nTo fix: `load: {stream: false}`" in str(
        caught.value
    )
    assert run_scenario(scenario_of(chat, text.replace("stream: true", "stream: false"))).ok
    groq = "https://api.groq.com/openai/v1/chat/completions"
    models = interaction({}, '{"object": "list", "data": []}', uri="https://api.openai.com/v1/models")
    unread = interaction(asked("1"), '{"object": "page"}')
    write_session(chat / "tapes/chat.yaml", interaction(asked("1"), whole("x"), uri=groq), models, unread)
    with pytest.raises(ScenarioError, match=r"no whole answer .*\nTo fix: play a session in which its chat was asked"):
        run_scenario(scenario_of(chat, CHAIN))


def test_the_marker_of_a_scenario_plays_it(run_tests, folder, pytester):
    """A test that runs inside a scenario gets its recorded answers."""
    scenario_of(folder)
    code = f"""
        import openai, pytest

        @pytest.mark.llm_scenario("{folder / "recorded.yaml"}")
        def test_inside(llm_sim):
            messages = [{{"role": "user", "content": "1"}}]
            answer = openai.OpenAI().chat.completions.create(model="gpt-4o", messages=messages)
            assert answer.choices[0].message.content == "answer 1"
            assert llm_sim.clock.elapsed() == 0.25
    """
    run_tests(code).assert_outcomes(passed=1)
