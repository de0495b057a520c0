"""Providers of a scenario that play a recorded session, under its faults, its load and its clock."""

import sys

import httpx2
import pytest

from llmtest.errors import ScenarioError, UnscriptedRequestError
from llmtest.scenarios import load_scenario, run_scenario
from llmtest.serving import Server, served_world
from tests.simulation.recorded_sessions import asked, interaction, whole, write_session

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


def test_a_chain_of_a_scenario_cannot_ask_a_recording(folder):
    """It asks without HTTP, and says who does not."""
    text = SCENARIO.replace("target: recorded_app:ask", "chain: {providers: [{provider: openai}]}")
    with pytest.raises(ScenarioError, match=r"`providers\.openai\.plays`: .*without HTTP"):
        run_scenario(scenario_of(folder, text))


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
