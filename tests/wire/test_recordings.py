"""What real providers sent: our codecs read what the official SDKs read, and write it so that they read it again."""

import gzip
import json
from collections import Counter
from datetime import UTC, datetime

import anthropic
import openai
import pytest

from llmtest import errors
from llmtest.types import CompletionResponse, FinishReason
from llmtest.wire import ResponseMeta
from llmtest.wire import dialect as dialect_of
from tests.wire import wire_sdk
from tests.wire.lenient import lenient
from tests.wire.recorded_cases import cases, decode_at_random, decode_stream, kind_of
from tests.wire.wire_recordings import body_of, interactions, needs_recordings, unpacked

NOW = datetime(2026, 1, 1, tzinfo=UTC)
META = ResponseMeta(id="unused", created_s=1, model="unused")
READ = {"openai": wire_sdk.read_openai, "anthropic": wire_sdk.read_anthropic}
ERROR_CLASSES = {
    "AuthenticationError": errors.AuthenticationError,
    "NotFoundError": errors.ModelNotFoundError,
    "BadRequestError": errors.InvalidRequestError,
}
COVERED = Counter(
    {
        ("openai", "answer"): 92,
        ("openai", "stream"): 53,
        ("openai", "error"): 14,
        ("anthropic", "answer"): 17,
        ("anthropic", "stream"): 17,
        ("anthropic", "error"): 12,
    }
)
"""How many interactions of each kind the recordings hold."""


def call_of(one, *, include_usage=True):
    """Return the call that was recorded, read by the server half."""
    # What a provider took our simulation of it must take; Together only speaks like OpenAI.
    dialect = lenient(one.dialect) if "together" in one.file or one.status >= 400 else dialect_of(one.dialect)
    headers = {"authorization": "Bearer k", "anthropic-beta": "compact-2026-01-12"}
    call = dialect.read("POST", one.path, "", headers, json.dumps(one.request).encode())
    call.include_usage = include_usage
    return call


def openai_says(response: CompletionResponse) -> dict:
    """Say of our answer what `wire_sdk.sum_up` says of the SDK's."""
    return {
        "content": response.content or "",
        "refusal": response.refusal or "",
        "reasoning": response.thinking or "",
        "tool_calls": [{"id": call.id, "name": call.name, "arguments": call.arguments} for call in response.tool_calls],
        "finish_reason": response.raw_finish_reason,
    }


def assert_openai_usage(response, usage):
    """Assert that our counts are the SDK's."""
    if usage is None:
        assert response.usage.source == "unknown"
        return
    prompt, completion = usage["prompt_tokens_details"] or {}, usage["completion_tokens_details"] or {}
    ours = response.usage
    assert (ours.input_tokens, ours.output_tokens) == (usage["prompt_tokens"], usage["completion_tokens"])
    assert ours.cache_read_tokens == (prompt.get("cached_tokens") or 0)
    assert ours.cache_write_tokens == (prompt.get("cache_write_tokens") or 0)
    assert ours.reasoning_tokens == (completion.get("reasoning_tokens") or 0)


def assert_anthropic_says(response, message):
    """Assert that our answer says what the SDK's message says."""
    assert (response.id, response.model) == (message["id"], message["model"])
    assert response.raw_finish_reason == message["stop_reason"]
    texts = [block["text"] for block in message["content"] if block["type"] == "text"]
    assert (response.content or "") == "".join(texts)
    thoughts = [block for block in message["content"] if block["type"] == "thinking"]
    assert (response.thinking or "") == "".join(block["thinking"] for block in thoughts)
    calls = [block for block in message["content"] if block["type"] == "tool_use"]
    assert [(call.id, call.name, call.parsed_arguments()) for call in response.tool_calls] == [
        (block["id"], block["name"], block["input"]) for block in calls
    ]
    usage = message["usage"]
    read, written = usage["cache_read_input_tokens"] or 0, usage["cache_creation_input_tokens"] or 0
    assert response.usage.input_tokens == usage["input_tokens"] + read + written
    assert response.usage.output_tokens == usage["output_tokens"]
    assert (response.usage.cache_read_tokens, response.usage.cache_write_tokens) == (read, written)


@needs_recordings
def test_every_recorded_interaction_is_covered():
    """The tests below see every chat completion and every message of the recordings."""
    assert Counter((one.dialect, kind_of(one)) for one in interactions()) == COVERED
    assert sum(COVERED.values()) == 205


@needs_recordings
@pytest.mark.parametrize("one", cases(interactions(), "answer"))
def test_an_answer_says_what_the_sdk_reads_and_says_it_again(one):
    """A complete answer decodes to what the official SDK reads, and encoded again is the same to it in every field."""
    codec = dialect_of(one.dialect).chat
    read = READ[one.dialect](one.status, one.headers.items(), one.wire, stream=False)
    response = codec.decode_answer(one.body, one.headers)
    if one.dialect == "anthropic":
        assert_anthropic_says(response, read)
    else:
        assert (response.id, response.model) == (read["id"], read["model"])
        for ours, theirs in zip((response, *response.alternatives), read["choices"], strict=True):
            message = theirs["message"]
            assert openai_says(ours) == {
                "content": message["content"] or "",
                "refusal": message["refusal"] or "",
                "reasoning": message.get("reasoning_content") or message.get("reasoning") or "",
                "tool_calls": [{"id": call["id"], **call["function"]} for call in message["tool_calls"] or ()],
                "finish_reason": theirs["finish_reason"],
            }
        assert_openai_usage(response, read["usage"])
    again = codec.encode_answer(response, call_of(one), META)
    headers = codec.response_headers(META)
    assert READ[one.dialect](200, headers, again, stream=False) == read
    assert codec.decode_answer(again, one.headers) == response


@needs_recordings
@pytest.mark.parametrize("one", cases(interactions(), "stream"))
def test_a_stream_says_what_the_sdk_reads_and_says_it_again(one):
    """A stream decodes to what the official SDK reads at any chunk boundary, and encoded again is the same to it."""
    codec = dialect_of(one.dialect).chat
    read = READ[one.dialect](one.status, one.headers.items(), one.wire, stream=True)
    events = decode_stream(codec, one.body, len(one.body))
    assert decode_stream(codec, one.body, 7) == events
    assert decode_at_random(codec, one.body, str(one)) == events
    response = events[-1].response
    assert "".join(event.text for event in events if event.kind == "text") == (response.content or "")
    if one.dialect == "anthropic":
        assert_anthropic_says(response, read)
        has_usage = True
    else:
        assert (response.id, response.model) == (read["id"], read["model"])
        ours = {index: openai_says(answer) for index, answer in enumerate((response, *response.alternatives))}
        assert ours == read["choices"]
        assert_openai_usage(response, read["usage"])
        has_usage = read["usage"] is not None
    again = b"".join(codec.encode_stream(response, call_of(one, include_usage=has_usage), META))
    headers = codec.response_headers(META, stream=True)
    assert READ[one.dialect](200, headers, again, stream=True) == read
    assert decode_stream(codec, again, 11)[-1].response == response


@needs_recordings
@pytest.mark.parametrize("one", cases(interactions(), "error"))
def test_an_error_says_what_the_sdk_reads_and_says_it_again(one):
    """An error has the class, status, code and words that the official SDK reads, also when encoded from its facts."""
    codec = dialect_of(one.dialect).chat
    read = READ[one.dialect](one.status, one.headers.items(), one.wire, stream=False)
    error = codec.decode_error(one.status, one.headers, one.body, now=NOW)
    assert type(error) is ERROR_CLASSES[read["class"]]
    detail = read["body"].get("error", read["body"])
    assert (error.status, error.message) == (read["status"], detail["message"])
    assert error.code == (detail.get("code") or detail["type"])
    assert error.request_id == (read["request_id"] or one.headers.get("apim-request-id"))
    assert error.should_retry is (False if one.headers.get("x-should-retry") == "false" else None)
    meta = ResponseMeta(request_id=error.request_id)
    status, headers, body = codec.encode_error(error, meta)
    read["request_id"] = error.request_id
    assert READ[one.dialect](status, headers, body, stream=False) == read
    error.body = None
    status, headers, body = codec.encode_error(error, meta)
    rebuilt = READ[one.dialect](status, headers, body, stream=False)
    if one.dialect == "openai":
        rebuilt["body"] = {name: value for name, value in rebuilt["body"].items() if name in read["body"]}
    assert rebuilt == read


@needs_recordings
@pytest.mark.parametrize("one", cases(interactions()))
def test_a_recorded_request_is_understood_and_written_again(one):
    """What clients really sent decodes, and is written again with the same meaning and every unknown field."""
    codec = dialect_of(one.dialect).chat
    call = call_of(one)
    assert call.model == one.request["model"]
    assert call.stream is bool(one.request.get("stream"))
    written = codec.encode_call(call.request, stream=call.stream)
    again = lenient(one.dialect).read("POST", written.path, "", {}, written.body)
    assert again.request == call.request
    sent = {
        name: value for name, value in one.request.items() if value is not None and (name, value) != ("stream", False)
    }
    body = json.loads(written.body)
    for options in (sent, body):
        options.pop("stream_options", None)
        if "max_completion_tokens" in options:
            options["max_tokens"] = options.pop("max_completion_tokens")
    assert body == sent


@pytest.mark.parametrize(
    ("part", "encoding"),
    [
        ({"body": {"string": '{"a": 1}'}}, ""),
        ({"body": {"string": b'{"a": 1}'}}, ""),
        ({"body": {"string": gzip.compress(b'{"a": 1}')}}, "gzip"),
        ({"body": {"base64_string": "eyJhIjogMX0="}}, ""),
        ({"body": '{"a": 1}'}, ""),
        ({"parsed_body": {"a": 1}}, ""),
    ],
    ids=["string", "bytes", "gzip", "base64_string", "plain", "parsed_body"],
)
def test_every_form_of_a_recorded_body_is_read(part, encoding):
    """Cassettes hold bodies in several forms; each gives the same bytes."""
    assert unpacked(body_of(part), encoding) == b'{"a": 1}'


def test_the_sdks_are_those_of_the_contract():
    """The comparison is with the SDK generations that this dialect was measured on."""
    assert openai.__version__.split(".")[0] == "3"
    assert anthropic.__version__.split(".")[0] == "2"
    assert FinishReason.STOP == "stop"
