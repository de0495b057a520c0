"""Responses with one odd value in one place: whatever it is, what comes out is an answer or one of our own errors."""

import json

import pytest

from llmtest import Simulation
from llmtest.errors import InvalidResponseError, ProviderError
from llmtest.simulation import Exchange
from llmtest.wire import dialect as dialect_of
from tests.wire.odd_documents import odd_versions

ENDPOINT = dialect_of("openai").endpoint("responses")
FUNCTION = {"type": "object", "properties": {}, "required": [], "additionalProperties": False}
REQUEST = {
    "model": "gpt-4o",
    "instructions": "s",
    "input": [
        {
            "role": "user",
            "content": [
                {"type": "input_text", "text": "x"},
                {"type": "input_image", "image_url": "data:image/png;base64,AA==", "detail": "low"},
                {"type": "input_file", "file_data": "data:application/pdf;base64,AA==", "filename": "f.pdf"},
                {"type": "input_audio", "input_audio": {"data": "AA==", "format": "wav"}},
            ],
        },
        {"type": "reasoning", "id": "rs_1", "summary": [{"type": "summary_text", "text": "t"}]},
        {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "y", "annotations": []}]},
        {"type": "function_call", "id": "fc_1", "call_id": "c", "name": "f", "arguments": "{}"},
        {"type": "function_call_output", "call_id": "c", "output": [{"type": "input_text", "text": "r"}]},
        {"type": "web_search_call", "id": "ws_1", "status": "completed"},
    ],
    "tools": [{"type": "function", "name": "f", "description": "d", "parameters": FUNCTION, "strict": True}],
    "tool_choice": {"type": "function", "name": "f"},
    "text": {"format": {"type": "json_schema", "name": "n", "schema": FUNCTION, "strict": True}, "verbosity": "low"},
    "reasoning": {"effort": "low", "summary": "auto"},
    "include": ["message.output_text.logprobs"],
    "top_logprobs": 1,
    "max_output_tokens": 64,
    "max_tool_calls": 2,
    "temperature": 1,
    "top_p": 1,
    "metadata": {"a": "b"},
    "parallel_tool_calls": True,
    "service_tier": "flex",
    "store": True,
    "background": False,
    "stream": True,
    "stream_options": {"include_obfuscation": False},
    "truncation": "auto",
    "user": "u",
}
ANSWER = {
    "id": "resp_1",
    "object": "response",
    "created_at": 1,
    "status": "incomplete",
    "incomplete_details": {"reason": "max_output_tokens"},
    "error": None,
    "model": "m",
    "output": [
        {
            "id": "rs_1",
            "type": "reasoning",
            "summary": [{"type": "summary_text", "text": "t"}],
            "encrypted_content": "e",
        },
        {
            "id": "msg_1",
            "type": "message",
            "role": "assistant",
            "status": "completed",
            "content": [
                {
                    "type": "output_text",
                    "text": "x",
                    "logprobs": [{"token": "x", "logprob": -1, "bytes": [120], "top_logprobs": []}],
                    "annotations": [
                        {"type": "url_citation", "url": "u", "title": "t", "start_index": 0, "end_index": 1},
                        {"type": "file_citation", "file_id": "f", "filename": "n", "index": 0},
                    ],
                },
                {"type": "refusal", "refusal": "no"},
            ],
        },
        {"id": "fc_1", "type": "function_call", "call_id": "c", "name": "f", "arguments": "{}", "status": "completed"},
    ],
    "service_tier": "default",
    "usage": {
        "input_tokens": 1,
        "input_tokens_details": {"cached_tokens": 1},
        "output_tokens": 2,
        "output_tokens_details": {"reasoning_tokens": 1},
        "total_tokens": 3,
    },
}


def events():
    """Return the events of that answer, and those of a failure."""
    response = ENDPOINT.decode_answer(json.dumps(ANSWER).encode(), {})
    call = dialect_of("openai").read("POST", "/v1/responses", "", {}, json.dumps({**REQUEST, "store": False}).encode())
    from llmtest.wire import ResponseMeta

    pieces = ENDPOINT.encode_stream(response, call, ResponseMeta(number=1))
    return [json.loads(piece.partition(b"data: ")[2]) for piece in pieces]


def as_stream(found):
    """Write events."""
    return b"".join(b"data: " + json.dumps(each).encode() + b"\n\n" for each in found)


def test_an_odd_response_is_read_or_refused():
    """No provider can make the decoder stumble."""
    for path, odd, version in odd_versions(ANSWER):
        try:
            ENDPOINT.decode_answer(json.dumps(version).encode(), {})
        except ProviderError:
            pass
        except Exception as error:  # noqa: BLE001 - the place belongs into the failure
            pytest.fail(f"{path} = {odd!r}: {type(error).__name__}: {error}")


@pytest.mark.slow
def test_an_odd_event_is_read_or_breaks_the_stream():
    """An odd event is read, or breaks the stream with an error that carries what had come."""
    for path, odd, version in odd_versions(events()):
        if not isinstance(version, list):
            continue
        decoder = ENDPOINT.stream_decoder()
        try:
            decoder.feed(as_stream(version))
            decoder.close()
        except ProviderError:
            pass
        except Exception as error:  # noqa: BLE001 - the place belongs into the failure
            pytest.fail(f"{path} = {odd!r}: {type(error).__name__}: {error}")


def test_an_odd_request_for_a_response_is_answered_or_refused():
    """The simulated provider answers, or refuses with a 400 or 404 in OpenAI's words; it never stumbles."""
    statuses = set()
    headers = {"authorization": "Bearer sk-test", "content-type": "application/json"}
    with Simulation() as sim:
        handle = sim.openai.echoes()
        for place, odd, version in odd_versions(REQUEST):
            body = json.dumps(version).encode()
            exchange = Exchange("POST", "https", "api.openai.com", 443, "/v1/responses", "", headers, body)
            try:
                plan = handle._provider.receive(exchange)
                statuses.add(next(step.status for step in plan.steps if hasattr(step, "status")))
            except Exception as error:  # noqa: BLE001 - the place belongs into the failure
                pytest.fail(f"{place} = {odd!r}: {type(error).__name__}: {error}")
    assert statuses == {200, 400}


def test_an_empty_answer_is_no_answer():
    """A response without an item says nothing, and its decoder says so."""
    with pytest.raises(ProviderError, match="the answer has no items"):
        ENDPOINT.decode_answer(b'{"status": "completed", "output": []}', {})
    with pytest.raises(InvalidResponseError):
        ENDPOINT.decode_answer(b'{"status": "completed", "output": 5}', {})
