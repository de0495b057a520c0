"""What Gemini really sent: we read it, keep all of it, and write it again as it was."""

import json
from datetime import UTC, datetime
from functools import cache

import pytest

from llmtest import errors
from llmtest.types import FinishReason
from llmtest.wire import ResponseMeta
from llmtest.wire import dialect as dialect_of
from tests.wire.recorded_cases import cases, decode_at_random, decode_stream, kind_of
from tests.wire.wire_recordings import at_host, needs_recordings

GEMINI = dialect_of("gemini")
META = ResponseMeta(number=1, model="unused")
NOW = datetime(2026, 1, 1, tzinfo=UTC)


@cache
def recorded():
    """Return every recorded interaction with Gemini's own API."""
    return at_host("generativelanguage.googleapis.com", "gemini")


def call_of(one):
    """Return the call that was recorded, read by the server half."""
    found = GEMINI.match("POST", one.path)
    body = json.dumps(one.request).encode()
    return found.endpoint.read({"x-goog-api-key": "k"}, body, {"alt": "sse", **found.parameters})


def summed_up(body):
    """Return what the first candidate of a body says."""
    found = []
    for part in body["candidates"][0]["content"]["parts"]:
        if "functionCall" in part:
            found.append((part["functionCall"]["name"], part["functionCall"]["args"], part.get("thoughtSignature")))
        else:
            found.append((part["text"], part.get("thought", False)))
    return found


def ours_summed_up(response):
    """Return what our answer says, in the same form."""
    found = []
    for part in response.parts:
        if type(part).__name__ == "ToolCall":
            found.append((part.name, json.loads(part.arguments), part.signature))
        else:
            found.append((part.text, type(part).__name__ == "ThinkingPart"))
    return found


@needs_recordings
def test_every_recorded_answer_of_gemini_is_covered():
    """The tests below see every interaction with its own API."""
    kinds = [kind_of(one) for one in recorded()]
    assert (kinds.count("answer"), kinds.count("stream"), kinds.count("error")) == (12, 11, 6)


@needs_recordings
@pytest.mark.parametrize("one", cases(recorded(), "answer"))
def test_an_answer_of_gemini_is_read_and_written_again_in_full(one):
    """Parts, signatures, reason and usage are read, and every field comes back."""
    body = json.loads(one.body)
    response = GEMINI.chat.decode_answer(one.body, one.headers)
    assert ours_summed_up(response) == summed_up(body)
    usage = body["usageMetadata"]
    told = usage.get("candidatesTokenCount", 0) + usage.get("thoughtsTokenCount", 0)
    assert (response.usage.input_tokens, response.usage.output_tokens) == (usage["promptTokenCount"], told)
    assert response.usage.total_tokens == usage["totalTokenCount"]
    assert (response.id, response.model) == (body["responseId"], body["modelVersion"])
    if response.tool_calls:
        assert response.finish_reason is FinishReason.TOOL_USE
    again = GEMINI.chat.encode_answer(response, call_of(one), META)
    assert json.loads(again) == body
    assert GEMINI.chat.decode_answer(again, one.headers) == response


@needs_recordings
@pytest.mark.parametrize("one", cases(recorded(), "stream"))
def test_a_stream_of_gemini_is_read_and_written_again(one):
    """Every chunk boundary gives the same events, and what we write of it reads the same."""
    events = decode_stream(GEMINI.chat, one.body, len(one.body))
    assert decode_stream(GEMINI.chat, one.body, 7) == events
    assert decode_at_random(GEMINI.chat, one.body, str(one)) == events
    response = events[-1].response
    bodies = [json.loads(line[6:]) for line in one.body.decode().splitlines() if line.startswith("data: ")]
    texts = [part for body in bodies for part in body["candidates"][0].get("content", {}).get("parts", ())]
    assert (response.content or "") == "".join(part.get("text", "") for part in texts if not part.get("thought"))
    assert response.usage.total_tokens == bodies[-1]["usageMetadata"]["totalTokenCount"]
    again = b"".join(GEMINI.chat.encode_stream(response, call_of(one), META))
    assert decode_stream(GEMINI.chat, again, 11)[-1].response == response


@needs_recordings
@pytest.mark.parametrize("one", cases(recorded(), "error"))
def test_an_error_of_gemini_has_its_class_and_its_words(one):
    """A wrong key and an unknown model are told apart, and we say both as Google does."""
    error = GEMINI.errors.decode(one.status, one.headers, one.body, NOW)
    body = json.loads(one.body)
    kind = errors.AuthenticationError if one.status == 400 else errors.ModelNotFoundError
    assert type(error) is kind
    model = one.path.partition("models/")[2].partition(":")[0]
    status, _, said = GEMINI.errors.encode(kind("", model=model), ResponseMeta(api_key="k"), ())
    assert (status, json.loads(said)) == (one.status, body)


@needs_recordings
@pytest.mark.parametrize("one", cases(recorded()))
def test_a_request_to_gemini_is_read_and_written_again(one):
    """A recorded request is understood, and sent again by our own client as it was."""
    call = call_of(one)
    written = GEMINI.chat.encode_call(call.request, stream=call.stream)
    assert json.loads(written.body) == one.request
    assert "/v1beta" + written.path.partition("?")[0] == one.path
