"""What OpenAI's Responses really sent: we read what the official SDK reads, and write it so that it reads it again."""

import json
from collections import Counter
from datetime import UTC, datetime

import httpx2
import openai
import pytest

from llmtest import errors
from llmtest.wire import ResponseMeta, WireFormatError
from llmtest.wire import dialect as dialect_of
from llmtest.wire.openai.responses._response import decode_body
from tests.wire.recorded_cases import cases, decode_at_random, decode_stream, kind_of
from tests.wire.wire_recordings import needs_recordings, responses

ENDPOINT = dialect_of("openai").endpoint("responses")
META = ResponseMeta(created_s=1, model="unused", number=1)
NOW = datetime(2026, 1, 1, tzinfo=UTC)


def call_of(one):
    """Return the call that was recorded, read by the server half."""
    body = json.dumps(one.request).encode()
    return dialect_of("openai").read("POST", "/v1/responses", "", {"authorization": "Bearer k"}, body)


def read_by_sdk(status, headers, body, *, stream):
    """Return what the official SDK makes of an answer: the response, or the list of its events."""
    kept = {name: value for name, value in headers if name not in ("content-encoding", "content-length")}
    transport = httpx2.MockTransport(lambda request: httpx2.Response(status, headers=kept, content=body))
    with openai.OpenAI(api_key="k", max_retries=0, http_client=httpx2.Client(transport=transport)) as client:
        if not stream:
            return client.responses.create(model="m", input="x").to_dict(mode="json")
        return [event.to_dict(mode="json") for event in client.responses.create(model="m", input="x", stream=True)]


def summed_up(response):
    """Return what a response of the SDK says, in the order of its items."""
    found = []
    for item in response["output"]:
        if item["type"] == "message":
            found += [(part["type"], part.get("text", part.get("refusal"))) for part in item["content"]]
        elif item["type"] == "function_call":
            found.append(("call", item["call_id"], item["name"], item["arguments"]))
        elif item["type"] == "reasoning":
            found.append(("thinking", tuple(part["text"] for part in item["summary"])))
        else:
            found.append((item["type"],))
    return found


def ours_summed_up(response):
    """Return what our answer says, in the same form."""
    found = []
    for part in response.parts:
        match type(part).__name__:
            case "TextPart":
                found.append(("output_text", part.text))
            case "RefusalPart":
                found.append(("refusal", part.text))
            case "ToolCall":
                found.append(("call", part.id, part.name, part.arguments))
            case "ThinkingPart":
                found.append(("thinking", part.summary))
            case _:
                found.append((part.data["type"],))
    return found


def assert_usage(response, usage):
    """Assert that our counts are the SDK's."""
    ours = response.usage
    assert (ours.input_tokens, ours.output_tokens) == (usage["input_tokens"], usage["output_tokens"])
    assert ours.cache_read_tokens == usage["input_tokens_details"]["cached_tokens"]
    assert ours.reasoning_tokens == usage["output_tokens_details"]["reasoning_tokens"]


@needs_recordings
def test_every_recorded_response_is_covered():
    """The tests below see every response of the recordings."""
    assert Counter(kind_of(one) for one in responses()) == {"stream": 31, "answer": 36, "error": 7}


@needs_recordings
@pytest.mark.parametrize("one", cases(responses(), "answer"))
def test_a_response_says_what_the_sdk_reads_and_says_it_again(one):
    """A response decodes to what the official SDK reads, and encoded again is the same to it in every field."""
    read = read_by_sdk(one.status, one.headers.items(), one.body, stream=False)
    response = ENDPOINT.decode_answer(one.body, one.headers)
    assert ours_summed_up(response) == summed_up(read)
    assert (response.id, response.model, response.raw_finish_reason) == (read["id"], read["model"], read["status"])
    assert_usage(response, read["usage"])
    again = ENDPOINT.encode_answer(response, call_of(one), META)
    assert json.loads(again) == json.loads(one.body)
    assert ENDPOINT.decode_answer(again, one.headers) == response


@needs_recordings
@pytest.mark.parametrize("one", cases(responses(), "stream"))
def test_a_stream_of_events_says_what_the_sdk_reads_and_says_it_again(one):
    """A stream decodes to what the official SDK reads at any chunk boundary, and encoded again is the same to it."""
    read = read_by_sdk(one.status, one.headers.items(), one.body, stream=True)
    last = read[-1]["response"]
    events = decode_stream(ENDPOINT, one.body, len(one.body))
    assert decode_stream(ENDPOINT, one.body, 7) == events
    assert decode_at_random(ENDPOINT, one.body, str(one)) == events
    response = events[-1].response
    assert ours_summed_up(response) == summed_up(last)
    assert_usage(response, last["usage"])
    pieces = {"text": "", "tool_arguments": ""}
    for event in events:
        if event.kind in pieces:
            pieces[event.kind] += event.text
    assert pieces["text"] == (response.content or "")
    assert pieces["tool_arguments"] == "".join(call.arguments for call in response.tool_calls)
    again = b"".join(ENDPOINT.encode_stream(response, call_of(one), META))
    told = read_by_sdk(200, ENDPOINT.response_headers(META, stream=True), again, stream=True)
    assert told[-1]["response"] == last
    assert kinds_of(told) == kinds_of(read)
    assert [event["sequence_number"] for event in told] == list(range(len(told)))
    assert decode_stream(ENDPOINT, again, 11)[-1].response == response


def kinds_of(events):
    """Return the order of the kinds of events, however often a piece of text comes."""
    found = [event["type"] for event in events]
    return [kind for place, kind in enumerate(found) if place == 0 or kind != found[place - 1]]


@needs_recordings
@pytest.mark.parametrize("one", cases(responses(), "error"))
def test_a_refused_response_says_what_the_sdk_reads_and_says_it_again(one):
    """A recorded error has our class, and the words that we would say for it are those that OpenAI said."""
    with pytest.raises(openai.APIStatusError) as caught:
        read_by_sdk(one.status, one.headers.items(), one.body, stream=False)
    error = ENDPOINT.decode_error(one.status, one.headers, one.body, now=NOW)
    if b"Invalid schema" in one.body:
        with pytest.raises(WireFormatError) as refused:
            call_of(one)
        status, _, body = ENDPOINT.encode_error(refused.value.error, META)
        assert (status, json.loads(body)) == (one.status, json.loads(one.body))
        assert type(error) is errors.InvalidRequestError
        return
    known = {"AuthenticationError": errors.AuthenticationError, "BadRequestError": errors.ModelNotFoundError}
    assert type(error) is known[type(caught.value).__name__]
    told = type(error)("", model=one.request["model"])
    status, _, body = ENDPOINT.encode_error(told, ResponseMeta(api_key="invalid-key-12345"))
    assert (status, json.loads(body)) == (one.status, json.loads(one.body))


def test_what_a_response_says_of_the_future_is_kept():
    """Fields and items that nobody knows yet come back as they were."""
    body = {"id": "resp_1", "object": "response", "status": "completed", "model": "m", "shiny": {"a": 1}}
    body["output"] = [{"type": "hologram", "id": "h_1", "beam": [1]}]
    response = decode_body(body, None)
    again = json.loads(ENDPOINT.encode_answer(response, call_of_plain(), META))
    assert (again["shiny"], again["output"]) == (body["shiny"], body["output"])


def call_of_plain():
    """Return a call that asks for nothing special."""
    return dialect_of("openai").read("POST", "/v1/responses", "", {}, b'{"model":"m","input":"x"}')
