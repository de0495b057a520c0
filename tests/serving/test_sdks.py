"""The official SDKs against the server: answers, streams, tools, and every fault as a real provider would have it."""

import json

import anthropic
import httpx2
import openai
import pytest
from pydantic import BaseModel, Field

from llmtest import Reply, faults
from llmtest.errors import ConfigurationError
from llmtest.serving import Server, served_world
from llmtest.types import ToolCall
from tests.serving.served_calls import EVERY, MESSAGES, STREAMED, WHOLE, anthropic_options, openai_options

READ_LIMIT = 0.1
"""Seconds that a client waits where the server never answers."""


@pytest.mark.parametrize(("provider", "ask"), EVERY.values(), ids=EVERY)
def test_an_answer_arrives(llm_server, provider, ask):
    """Every way of asking gets the scripted text, whole or streamed."""
    llm_server.provider(provider).replies("Paris, of course")
    assert ask(llm_server.base_url) == "Paris, of course"
    llm_server.assert_sequence(f"{provider}:200")


EMOJI = "Grüße aus 東京 🗼 — 👩‍👩‍👧 and naïve crêpes."


@pytest.mark.parametrize("mode", ["whole", "random", 3])
@pytest.mark.parametrize(("provider", "ask"), STREAMED.values(), ids=STREAMED)
def test_e06_a_stream_arrives_in_any_pieces(llm_server, provider, ask, mode):
    """The SDKs read the same from a socket whose pieces are no events."""
    llm_server.provider(provider).fragmentation(mode).replies(EMOJI)
    assert ask(llm_server.base_url) == EMOJI


@pytest.mark.parametrize("mode", ["events", "random"])
def test_e06_a_reader_that_takes_pieces_for_events_fails_on_the_port_too(llm_server, mode):
    """By default its bug stays hidden; under random pieces it does not."""
    llm_server.openai.fragmentation(mode).replies(EMOJI)
    body = {"model": "gpt-4o", "messages": MESSAGES, "stream": True}
    found, problem = [], None
    with httpx2.stream("POST", f"{llm_server.base_url}/v1/chat/completions", json=body, timeout=5) as answer:
        try:
            for piece in answer.iter_raw():
                for line in piece.decode().split("\n\n"):
                    if line.startswith("data: {"):
                        choices = json.loads(line.removeprefix("data: "))["choices"]
                        found += [choice["delta"].get("content") or "" for choice in choices]
        except ValueError as error:
            problem = error
    assert (problem is None) == (mode == "events")
    assert ("".join(found) == EMOJI) == (mode == "events")


STATUS_FAULTS = [
    (faults.InvalidRequest(), "BadRequestError", "BadRequestError"),
    (faults.ContextLengthExceeded(), "BadRequestError", "BadRequestError"),
    (faults.AuthenticationFailed(), "AuthenticationError", "AuthenticationError"),
    (faults.PermissionDenied(), "PermissionDeniedError", "PermissionDeniedError"),
    (faults.ModelNotFound(), "NotFoundError", "NotFoundError"),
    (faults.RequestTooLarge(), "APIStatusError", "ContentTooLargeError"),
    (faults.RateLimited(retry_after=7), "RateLimitError", "RateLimitError"),
    (faults.ServerError(), "InternalServerError", "InternalServerError"),
    (faults.ServerError(503), "InternalServerError", "ServiceUnavailableError"),
    (faults.ServerError(502), "InternalServerError", "InternalServerError"),
    (faults.Overloaded(), "InternalServerError", "OverloadedError"),
]


@pytest.mark.parametrize(("provider", "ask"), EVERY.values(), ids=EVERY)
@pytest.mark.parametrize(("fault", "of_openai", "of_anthropic"), STATUS_FAULTS, ids=str)
def test_a_refusal_is_the_sdk_s_own_error(llm_server, provider, ask, fault, of_openai, of_anthropic):
    """A fault with a status raises the class that the real provider's answer raises."""
    llm_server.provider(provider).fails(fault)
    sdk, name = (openai, of_openai) if provider == "openai" else (anthropic, of_anthropic)
    with pytest.raises(sdk.APIStatusError) as caught:
        ask(llm_server.base_url)
    assert type(caught.value).__name__ == name


def test_the_sdk_waits_as_long_as_the_server_says(llm_server):
    """`Retry-After` reaches the SDK, which comes back after it."""
    llm_server.openai.fails(faults.RateLimited(retry_after=0.05), times=2).replies("Paris")
    assert WHOLE["openai-sync"][1](llm_server.base_url, max_retries=2) == "Paris"
    llm_server.assert_sequence("openai:429", "openai:429", "openai:200")
    llm_server.assert_waited(at_least=0.1)


CONNECTION_FAULTS = [
    (faults.ConnectionReset(), "reset", "[Errno 104] Connection reset by peer"),
    (faults.ConnectionRefused(), "refused", "[Errno 104] Connection reset by peer"),
]


@pytest.mark.parametrize(("provider", "ask"), EVERY.values(), ids=EVERY)
@pytest.mark.parametrize(("fault", "outcome", "text"), CONNECTION_FAULTS, ids=str)
def test_a_connection_breaks_before_the_answer(llm_server, provider, ask, fault, outcome, text):
    """A reset is a real one; a port that listens cannot refuse, so a refused connection is reset as well."""
    llm_server.provider(provider).fails(fault)
    sdk = openai if provider == "openai" else anthropic
    with pytest.raises(sdk.APIConnectionError) as caught:
        ask(llm_server.base_url)
    cause = caught.value.__cause__
    assert text in str(cause) or isinstance(cause, httpx2.ReadError)
    llm_server.assert_sequence(f"{provider}:{outcome}")


@pytest.mark.parametrize(("provider", "ask"), EVERY.values(), ids=EVERY)
def test_a_silent_server_runs_into_the_client_s_limit(llm_server, provider, ask):
    """A provider that never answers is silent until the client leaves, which the server notices."""
    llm_server.provider(provider).fails(faults.Timeout())
    sdk = openai if provider == "openai" else anthropic
    with pytest.raises(sdk.APITimeoutError):
        ask(llm_server.base_url, timeout=READ_LIMIT)
    llm_server.assert_sequence(f"{provider}:timeout")


@pytest.mark.parametrize(("provider", "ask"), STREAMED.values(), ids=STREAMED)
def test_a_stream_is_dropped(llm_server, provider, ask):
    """A stream that is dropped ends inside its chunked body, which every client notices."""
    llm_server.provider(provider).fails(faults.StreamDropped(after_chunks=2))
    with pytest.raises((openai.APIConnectionError, httpx2.RemoteProtocolError)) as caught:
        ask(llm_server.base_url)
    error = caught.value if provider == "anthropic" else caught.value.__cause__
    assert str(error) == "peer closed connection without sending complete message body (incomplete chunked read)"
    llm_server.assert_sequence(f"{provider}:dropped")


@pytest.mark.parametrize(("provider", "ask"), STREAMED.values(), ids=STREAMED)
def test_a_stream_stalls(llm_server, provider, ask):
    """A stream that stalls stays open and silent until the client's limit."""
    llm_server.provider(provider).fails(faults.StreamStalled(after_chunks=2))
    with pytest.raises((openai.APITimeoutError, httpx2.ReadTimeout)):
        ask(llm_server.base_url, timeout=READ_LIMIT)
    llm_server.assert_sequence(f"{provider}:stalled")


@pytest.mark.parametrize(("provider", "ask"), STREAMED.values(), ids=STREAMED)
def test_a_stream_is_cut_short_cleanly(llm_server, provider, ask):
    """A truncated stream ends like a whole one, without its terminator; no SDK notices."""
    llm_server.provider(provider).fails(faults.StreamTruncated(after_chunks=2))
    assert ask(llm_server.base_url) == "This is"
    llm_server.assert_sequence(f"{provider}:truncated")


@pytest.mark.parametrize(("provider", "ask"), STREAMED.values(), ids=STREAMED)
def test_a_stream_carries_an_error(llm_server, provider, ask):
    """An error event inside a stream is raised as the SDK raises it: of status 200, or of none."""
    llm_server.provider(provider).fails(faults.StreamError(after_chunks=1))
    with pytest.raises((openai.APIError, anthropic.APIStatusError)) as caught:
        ask(llm_server.base_url)
    if provider == "anthropic":
        assert caught.value.status_code == 200
    else:
        assert type(caught.value) is openai.APIError
    llm_server.assert_sequence(f"{provider}:error")


@pytest.mark.parametrize(("provider", "ask"), EVERY.values(), ids=EVERY)
def test_json_breaks_off(llm_server, provider, ask):
    """Malformed JSON is no error of the SDK's own."""
    llm_server.provider(provider).fails(faults.MalformedBody())
    with pytest.raises(json.JSONDecodeError):
        ask(llm_server.base_url)
    llm_server.assert_sequence(f"{provider}:malformed")


@pytest.mark.parametrize(("provider", "ask"), STREAMED.values(), ids=STREAMED)
def test_an_event_breaks_off(llm_server, provider, ask):
    """An event whose JSON stops in the middle is no error of the SDK's own either."""
    llm_server.provider(provider).fails(faults.StreamMalformed(after_chunks=1))
    with pytest.raises(json.JSONDecodeError):
        ask(llm_server.base_url)
    llm_server.assert_sequence(f"{provider}:malformed")


@pytest.mark.parametrize("fault", [faults.EmptyResponse(), faults.WrongContentType()], ids=str)
@pytest.mark.parametrize(("provider", "ask"), STREAMED.values(), ids=STREAMED)
def test_a_stream_without_events(llm_server, provider, ask, fault):
    """A stream that holds no event is empty for openai, and an assertion for anthropic's helper."""
    llm_server.provider(provider).fails(fault)
    assert ask(llm_server.base_url) == ""


def test_a_whole_answer_without_a_body(llm_server):
    """An empty body of JSON cannot be parsed."""
    llm_server.openai.fails(faults.EmptyResponse())
    with pytest.raises(json.JSONDecodeError):
        WHOLE["openai-sync"][1](llm_server.base_url)


def test_a_whole_answer_is_dropped(llm_server):
    """A connection that drops in the middle of a body is a connection error."""
    llm_server.openai.fails(faults.StreamDropped(after_chunks=1))
    with pytest.raises(openai.APIConnectionError):
        WHOLE["openai-sync"][1](llm_server.base_url)
    llm_server.assert_sequence("openai:dropped")


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
def test_openai_calls_tools(llm_server, stream):
    """Tool calls arrive with name, arguments and an id, whole or in pieces."""
    llm_server.openai.calls_tool("weather", {"city": "Paris"})
    with openai.OpenAI(**openai_options(llm_server.base_url)) as client:
        answer = client.chat.completions.create(model="gpt-4o", messages=MESSAGES, stream=stream)
        if stream:
            pieces = [call for chunk in answer for call in chunk.choices[0].delta.tool_calls or ()]
            name = pieces[0].function.name
            arguments = "".join(piece.function.arguments or "" for piece in pieces)
        else:
            call = answer.choices[0].message.tool_calls[0]
            assert call.id.startswith("call_")
            name, arguments = call.function.name, call.function.arguments
    assert (name, json.loads(arguments)) == ("weather", {"city": "Paris"})


def test_anthropic_calls_tools(llm_server):
    """Several tool calls beside a text arrive as blocks, streamed or not."""
    calls = ToolCall("", "weather", '{"city": "Paris"}'), ToolCall("", "news", "{}")
    llm_server.anthropic.calls_tools(*calls, text="One moment", times=2)
    options = {"model": "claude-sonnet-4-6", "max_tokens": 50, "messages": MESSAGES}
    with anthropic.Anthropic(**anthropic_options(llm_server.base_url)) as client:
        whole = client.messages.create(**options)
        with client.messages.stream(**options) as stream:
            streamed = stream.get_final_message()
    for message in (whole, streamed):
        assert [block.type for block in message.content] == ["text", "tool_use", "tool_use"]
        assert message.content[1].input == {"city": "Paris"}
        assert message.stop_reason == "tool_use"


def test_embeddings_are_the_same_every_time(llm_server):
    """A text has one vector, of length 1, in either encoding."""
    with openai.OpenAI(**openai_options(llm_server.base_url)) as client:
        packed = client.embeddings.create(model="text-embedding-3-small", input=["a", "b"], dimensions=8)
        plain = client.embeddings.create(
            model="text-embedding-3-small", input="a", dimensions=8, encoding_format="float"
        )
    assert plain.data[0].embedding == pytest.approx(packed.data[0].embedding, abs=1e-6)
    assert packed.data[0].embedding != packed.data[1].embedding
    assert sum(value * value for value in plain.data[0].embedding) == pytest.approx(1.0)


def test_models_come_in_the_dialect_that_is_asked_in(llm_server):
    """One path lists the models of either provider; the header `anthropic-version` decides."""
    with openai.OpenAI(**openai_options(llm_server.base_url)) as client:
        assert "gpt-4o" in [model.id for model in client.models.list()]
        assert client.models.retrieve("gpt-4o-mini").id == "gpt-4o-mini"
    with anthropic.Anthropic(**anthropic_options(llm_server.base_url)) as client:
        assert "claude-sonnet-4-6" in [model.id for model in client.models.list()]
        assert client.models.retrieve("claude-haiku-4-5").type == "model"


def test_tokens_are_counted(llm_server):
    """`count_tokens` says what the same prompt is billed as."""
    llm_server.anthropic.replies("Paris")
    with anthropic.Anthropic(**anthropic_options(llm_server.base_url)) as client:
        counted = client.messages.count_tokens(model="claude-sonnet-4-6", messages=MESSAGES).input_tokens
        answer = client.messages.create(model="claude-sonnet-4-6", max_tokens=50, messages=MESSAGES)
    assert counted == answer.usage.input_tokens


def test_a_name_in_the_path_picks_the_provider(llm_server):
    """`/{provider}/v1` is that provider, with its own script and its own bill."""
    llm_server.ollama.replies("from ollama")
    llm_server.provider("mine", dialect="anthropic").replies("from mine")
    assert WHOLE["openai-sync"][1](f"{llm_server.base_url}/ollama") == "from ollama"
    assert WHOLE["anthropic-sync"][1](f"{llm_server.base_url}/mine") == "from mine"
    llm_server.assert_sequence("ollama:200", "mine:200")


def test_headers_of_a_reply_reach_the_client(llm_server):
    """Headers of an answer go out beside the provider's own; one with a line break is refused before it goes out."""
    llm_server.openai.replies(Reply("Paris", headers={"x-team": "blue"}))
    with openai.OpenAI(**openai_options(llm_server.base_url)) as client:
        answer = client.chat.completions.with_raw_response.create(model="gpt-4o", messages=MESSAGES)
    assert answer.headers["x-team"] == "blue"
    assert answer.headers["x-request-id"].startswith("req_")
    with pytest.raises(ConfigurationError, match="the header `x-team` cannot be"):
        Reply("Rome", headers={"x-team": "a\r\nb: c"})


class City(BaseModel):
    """What an application wants back."""

    city: str
    population: int = Field(ge=1)


def test_e05_a_plain_server_gives_models_and_tool_calls():
    """`llmtest serve` without any script: `parse(Model)` succeeds, a required tool is called, a limit cuts."""
    world, _ = served_world()
    with Server(world) as served:
        client = openai.OpenAI(**openai_options(served.base_url))
        parsed = client.chat.completions.parse(model="gpt-4o", messages=MESSAGES, response_format=City)
        assert isinstance(parsed.choices[0].message.parsed, City)
        tool = {"type": "function", "function": {"name": "tell", "parameters": City.model_json_schema()}}
        called = client.chat.completions.create(model="gpt-4o", messages=MESSAGES, tools=[tool], tool_choice="required")
        (call,) = called.choices[0].message.tool_calls
        assert City.model_validate_json(call.function.arguments)
        cut = client.chat.completions.create(model="gpt-4o", messages=MESSAGES, max_tokens=3)
        assert (cut.choices[0].finish_reason, cut.usage.completion_tokens) == ("length", 3)
