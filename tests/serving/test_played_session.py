"""A recorded session on a port: any client asks for it there, faults come over it, and what it has not is an error."""

import json

import anthropic
import httpx2
import openai
import pytest

from llmtest import faults
from llmtest.errors import CassetteFileError, ConfigurationError
from llmtest.serving import Server, Sessions, served_world
from tests.simulation.recorded_sessions import WORDS, asked, interaction, streaming, whole, write_session

CLAUDE = {"model": "claude-opus-5", "max_tokens": 9, "messages": [{"role": "user", "content": "1"}]}
BONJOUR = {
    "id": "msg_recorded",
    "type": "message",
    "role": "assistant",
    "model": "claude-opus-5",
    "content": [{"type": "text", "text": "bonjour"}],
    "stop_reason": "end_turn",
    "usage": {"input_tokens": 3, "output_tokens": 2},
}
GROQ = "https://api.groq.com/openai/v1/chat/completions"


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """One server of one session of several providers, for all tests of this file."""
    path = write_session(
        tmp_path_factory.mktemp("served") / "session.yaml",
        *(interaction(asked(str(each)), whole(f"answer {each}"), headers={"date": ["then"]}) for each in (1, 2)),
        streaming(),
        interaction(CLAUDE, json.dumps(BONJOUR), uri="https://api.anthropic.com/v1/messages"),
        interaction(asked("fast"), whole("fast answer"), uri=GROQ),
        interaction({"q": "rain"}, '{"wet": true}', uri="https://weather.example.com/now"),
    )
    world, set_up = served_world(sessions=Sessions(files=[path], speed=None))
    with Server(world, on_reset=set_up) as running:
        yield running


@pytest.fixture
def http(server):
    """A client of a server that has forgotten everything, and plays from the beginning."""
    with httpx2.Client(base_url=server.base_url) as found:
        assert found.post("/_llmtest/reset").json() == {"status": "ok"}
        yield found


@pytest.fixture
def sdk(http, server):
    """OpenAI's SDK before that server."""
    with openai.OpenAI(api_key="k", base_url=f"{server.base_url}/v1", max_retries=0) as found:
        yield found


def say(sdk, prompt):
    """Ask for a whole answer, and return its text."""
    return sdk.chat.completions.create(**asked(prompt)).choices[0].message.content


def test_a_session_answers_on_a_port_byte_for_byte(http):
    """Body, status and headers are the recorded ones; the date is the server's."""
    answer = http.post("/v1/chat/completions", json=asked("2"))
    assert answer.text == whole("answer 2")
    assert answer.headers["x-request-id"] == "req_recorded"
    assert answer.headers.get_list("date") != ["then"]
    assert len(answer.headers.get_list("date")) == 1


def test_sdks_and_streams_of_several_providers(sdk, http, server):
    """Each finds its part, at the bare path and below the name of its provider; costs are counted."""
    assert say(sdk, "1") == "answer 1"
    stream = sdk.chat.completions.create(**asked("count", stream=True))
    assert "".join(chunk.choices[0].delta.content or "" for chunk in stream) == "".join(WORDS)
    with anthropic.Anthropic(api_key="k", base_url=server.base_url, max_retries=0) as claude:
        assert claude.messages.create(**CLAUDE).content[0].text == "bonjour"
    costs = http.get("/_llmtest/costs").json()
    assert (costs["calls"], list(costs["by_provider"])) == (3, ["openai", "anthropic"])


@pytest.mark.parametrize("path", ["/openai/v1", "/groq/openai/v1", "/groq/v1"])
def test_a_path_that_was_recorded_belongs_to_who_was_there(http, path):
    """Groq's own path is Azure's elsewhere; the recording says whose it is here."""
    answer = http.post(f"{path}/chat/completions", json=asked("fast"))
    assert answer.json()["choices"][0]["message"]["content"] == "fast answer"
    (seen,) = http.get("/_llmtest/requests").json()["requests"]
    assert (seen["provider"], seen["outcome"]) == ("groq", "200")


def test_what_no_api_has_is_played_too(http):
    """A tool's own API that was recorded beside the model answers at its path."""
    assert http.post("/now", json={"q": "rain"}).json() == {"wet": True}


def test_a_request_that_is_not_recorded_is_an_error_in_the_shape_of_the_api(sdk, http):
    """The SDK raises what a 500 is, once; the text says what differs, and how it is mended on the command line."""
    with pytest.raises(openai.InternalServerError) as missed:
        say(sdk, "3")
    error = missed.value.body
    assert error["code"] == "llmtest_harness_error"
    assert "no interaction in" in error["message"]
    assert "body.messages[0].content" in error["message"]
    assert "session.yaml --ignore 'messages[0].content'" in error["message"]
    assert "session.yaml --to https://api.openai.com" in error["message"]
    (seen,) = http.get("/_llmtest/requests").json()["requests"]
    assert seen["outcome"] == "unscripted"
    assert missed.value.response.headers["x-should-retry"] == "false"


def test_each_answer_is_given_once_until_a_reset(sdk, http):
    """The same question again is one too many; after a reset the session begins anew."""
    assert say(sdk, "1") == "answer 1"
    with pytest.raises(openai.InternalServerError, match="answers this request 1 time"):
        say(sdk, "1")
    http.post("/_llmtest/reset")
    assert say(sdk, "1") == "answer 1"


def test_faults_come_over_a_served_session_by_the_control_plane(sdk, http):
    """A refusal leaves the answer to the retry; a stream that drops is the recorded one."""
    drop = {"fails": {"stream_dropped": {"after_chunks": 2}}}
    http.post("/_llmtest/script", json={"openai": [{"fails": {"rate_limited": {"retry_after": 0.01}}}]})
    with pytest.raises(openai.RateLimitError):
        say(sdk, "1")
    assert say(sdk, "1") == "answer 1"
    assert http.post("/_llmtest/script", json={"openai": [drop]}).json()["status"] == "ok"
    heard = []
    with pytest.raises((httpx2.HTTPError, openai.APIError)):
        heard += [
            chunk.choices[0].delta.content for chunk in sdk.chat.completions.create(**asked("count", stream=True))
        ]
    outcomes = [each["outcome"] for each in http.get("/_llmtest/requests").json()["requests"]]
    assert outcomes == ["429", "200", "dropped"]


def test_fields_that_are_ignored_and_answers_that_repeat(tmp_path):
    """What is told not to be compared is not; the last answer comes again for who polls."""
    path = write_session(tmp_path / "session.yaml", interaction(asked("1"), whole("one")))
    sessions = Sessions(files=[path], ignore=["messages[0].content"], repeats=True)
    world, _ = served_world(sessions=sessions)
    with Server(world) as server, httpx2.Client(base_url=server.base_url) as http:
        answers = [http.post("/v1/chat/completions", json=asked(word)).text for word in ("a", "b")]
    assert answers == [whole("one")] * 2


def test_a_session_is_played_as_fast_as_it_is_told(tmp_path):
    """Recorded pauses pass in real time: here 60 ms, six times faster than recorded."""
    one = streaming()
    pieces = one["response"]["body"]["string"].encode()
    chunks = [[0, 100], [360, len(pieces) - 100]]
    path = write_session(tmp_path / "slow.yaml", {**one, "llmtest": {"chunks": chunks}})
    world, _ = served_world(sessions=Sessions(files=[path], speed=6))
    with Server(world) as server, httpx2.Client(base_url=server.base_url) as http:
        begun = world.clock.now_ns()
        assert http.post("/v1/chat/completions", json=asked("count", stream=True)).content == pieces
        assert 0.05 < (world.clock.now_ns() - begun) / 1e9 < 0.3


def test_llm_server_plays_a_session_with_faults(tmp_path, llm_server):
    """The fixture's handles play on the port as well, whatever host was recorded."""
    path = write_session(tmp_path / "session.yaml", *(interaction(asked(each), whole(each)) for each in "ab"))
    llm_server.openai.plays(path, faults={2: faults.Overloaded()}, speed=None)
    with httpx2.Client(base_url=llm_server.base_url) as http:
        statuses = [http.post("/v1/chat/completions", json=asked(each)).status_code for each in "abb"]
    assert statuses == [200, 503, 200]
    llm_server.assert_sequence("openai:200", "openai:503", "openai:200")


def test_a_session_that_cannot_be_played_is_refused_at_the_start(tmp_path):
    """A file that is not there, with the command that records it, and a speed of nothing."""
    with pytest.raises(CassetteFileError, match=r"llmtest serve --record .*none\.yaml --to https://"):
        served_world(sessions=Sessions(files=[tmp_path / "none.yaml"]))
    path = write_session(tmp_path / "session.yaml", interaction(asked("1"), whole("one")))
    with pytest.raises(ConfigurationError, match="speed must be above 0"):
        served_world(sessions=Sessions(files=[path], speed=0))
