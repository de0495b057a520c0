"""What Cohere's second version really sent: we read it as its client does, keep all of it, and write it again."""

import json
from functools import cache

import cohere
import httpx
import pytest

from llmtest.types import FinishReason, ToolCall
from llmtest.wire import ResponseMeta
from llmtest.wire import dialect as dialect_of
from tests.whole_sdks import load
from tests.wire.recorded_cases import cases, decode_at_random, decode_stream, kind_of
from tests.wire.wire_recordings import at_host, needs_recordings

load("cohere")

COHERE = dialect_of("cohere")
META = ResponseMeta(number=1, model="unused")


@cache
def recorded():
    """Return every recorded interaction with the second version."""
    return tuple(one for one in at_host("api.cohere.com", "cohere") if one.path.startswith("/v2/"))


def chats():
    """Return those that are conversations."""
    return [one for one in recorded() if one.path == "/v2/chat"]


def call_of(one):
    """Return the call that was recorded, read by the server half."""
    found = COHERE.match("POST", one.path)
    return found.endpoint.read({"authorization": "Bearer k"}, json.dumps(one.request).encode(), found.parameters)


def client_of(one):
    """Return Cohere's client in front of a recorded answer."""
    kept = [(name, value) for name, value in one.headers.items() if name not in ("content-encoding", "content-length")]
    transport = httpx.MockTransport(lambda request: httpx.Response(one.status, headers=kept, content=one.body))
    return cohere.ClientV2(api_key="k", httpx_client=httpx.Client(transport=transport))


def assert_says(response, message):
    """Assert that our answer says what the client's message says."""
    texts = [block.text for block in message.content or () if block.type == "text"]
    assert response.content == ("".join(texts) or message.tool_plan)
    assert [(call.id, call.name, call.arguments) for call in response.tool_calls] == [
        (call.id, call.function.name, call.function.arguments) for call in message.tool_calls or ()
    ]
    cited = [part.citations for part in response.parts if not isinstance(part, ToolCall) and part.text in texts]
    spans = [(each.start, each.end) for citations in cited for each in citations]
    assert spans == [(each.start, each.end) for each in message.citations or ()]


@needs_recordings
def test_every_recorded_answer_of_cohere_s_second_version_is_covered():
    """The tests below see every interaction with it."""
    kinds = [kind_of(one) for one in recorded()]
    assert (kinds.count("answer"), kinds.count("stream"), kinds.count("error")) == (11, 5, 0)
    assert len(chats()) == 12


@needs_recordings
@pytest.mark.parametrize("one", cases(chats(), "answer"))
def test_an_answer_of_cohere_is_read_and_written_again_in_full(one):
    """Text, plan, calls, citations and usage are read, and every field comes back."""
    read = client_of(one).chat(model="m", messages=[{"role": "user", "content": "hi"}])
    response = COHERE.chat.decode_answer(one.body, one.headers)
    assert_says(response, read.message)
    assert (response.id, response.raw_finish_reason) == (read.id, read.finish_reason)
    billed = read.usage.billed_units
    assert (response.usage.input_tokens, response.usage.output_tokens) == (billed.input_tokens, billed.output_tokens)
    assert (response.finish_reason is FinishReason.TOOL_USE) == bool(response.tool_calls)
    again = COHERE.chat.encode_answer(response, call_of(one), META)
    assert json.loads(again) == json.loads(one.body)
    assert COHERE.chat.decode_answer(again, one.headers) == response


@needs_recordings
@pytest.mark.parametrize("one", cases(chats(), "stream"))
def test_a_stream_of_cohere_is_read_and_written_again(one):
    """Every cut gives the same events, and what we write of it reads the same, by its client too."""
    events = decode_stream(COHERE.chat, one.body, len(one.body))
    assert decode_stream(COHERE.chat, one.body, 7) == events
    assert decode_at_random(COHERE.chat, one.body, str(one)) == events
    response = events[-1].response
    theirs = list(client_of(one).chat_stream(model="m", messages=[{"role": "user", "content": "hi"}]))
    texts = [event.delta.message.content.text for event in theirs if event.type == "content-delta"]
    plans = [event.delta.message.tool_plan for event in theirs if event.type == "tool-plan-delta"]
    assert (response.content or "") == "".join(texts or plans)
    arguments = [event for event in theirs if event.type == "tool-call-delta"]
    assert "".join(call.arguments for call in response.tool_calls) == "".join(
        event.delta.message.tool_calls.function.arguments for event in arguments
    )
    again = b"".join(COHERE.chat.encode_stream(response, call_of(one), META))
    assert decode_stream(COHERE.chat, again, 11)[-1].response == response


@needs_recordings
@pytest.mark.parametrize("one", cases([one for one in recorded() if one.path == "/v2/embed"]))
def test_embeddings_of_cohere_are_read(one):
    """Vectors and what was billed are those that its client reads."""
    read = client_of(one).embed(model="m", texts=["a"], input_type="search_document", embedding_types=["float"])
    call = call_of(one)
    response = call.endpoint.decode_answer(one.body, one.headers)
    assert [list(vector) for vector in response.vectors] == read.embeddings.float_
    assert response.usage.input_tokens == read.meta.billed_units.input_tokens
    again = json.loads(call.endpoint.encode_answer(response, call, META))
    assert again["embeddings"] == json.loads(one.body)["embeddings"]
    assert again["meta"] == json.loads(one.body)["meta"]


@needs_recordings
@pytest.mark.parametrize("one", cases(recorded()))
def test_a_request_to_cohere_is_read_and_written_again(one):
    """A recorded request is understood; a conversation or texts are sent again by our own client as they were."""
    call = call_of(one)
    assert call.model == one.request["model"]
    if call.request is None:
        assert call.shaping == one.request
        return
    written = json.loads(call.endpoint.encode_call(call.request, stream=call.stream).body)
    usual = {"stream": False} if one.path == "/v2/chat" else {"embedding_types": ["float"]}
    assert written == {**usual, **one.request}


@cache
def first_version():
    """Return every recorded conversation with the first version."""
    return tuple(one for one in at_host("api.cohere.com", "cohere") if one.path == "/v1/chat")


@needs_recordings
def test_recorded_conversations_of_the_first_version_are_covered():
    """The tests below see each of them."""
    assert len(first_version()) == 21
    assert sum(one.body.startswith(b'{"is_finished"') for one in first_version()) == 2


@needs_recordings
@pytest.mark.parametrize("one", cases([one for one in first_version() if b'"is_finished"' not in one.body], "answer"))
def test_an_answer_of_the_first_version_is_read_and_written_again_in_full(one):
    """Text, calls and what was billed are read, and every field comes back."""
    call = call_of(one)
    response = call.endpoint.decode_answer(one.body, one.headers)
    told = json.loads(one.body)
    assert (response.content or "", response.id) == (told["text"], told["response_id"])
    assert response.usage.output_tokens == told["meta"]["billed_units"]["output_tokens"]
    assert [(each.name, json.loads(each.arguments)) for each in response.tool_calls] == [
        (each["name"], each["parameters"]) for each in told.get("tool_calls") or ()
    ]
    assert json.loads(call.endpoint.encode_answer(response, call, META)) == told


@needs_recordings
@pytest.mark.parametrize("one", cases([one for one in first_version() if b'"is_finished"' in one.body]))
def test_a_stream_of_the_first_version_is_read_and_written_again(one):
    """Every cut gives the same events, and what we write of it reads the same."""
    call = call_of(one)
    events = decode_stream(call.endpoint, one.body + b"\n", len(one.body) + 1)
    assert decode_at_random(call.endpoint, one.body + b"\n", str(one)) == events
    response = events[-1].response
    assert "".join(event.text for event in events if event.kind == "text") == response.content
    again = b"".join(call.endpoint.encode_stream(response, call, META))
    assert decode_stream(call.endpoint, again, 11)[-1].response == response
