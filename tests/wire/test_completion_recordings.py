"""What legacy completions really sent: we read what was said, and say it again."""

import json
from functools import cache

import pytest
import yaml

from llmtest.errors import StreamInterruptedError
from llmtest.wire import ResponseMeta
from llmtest.wire import dialect as dialect_of
from tests.wire.recorded_cases import decode_at_random
from tests.wire.wire_recordings import RECORDINGS, body_of, needs_recordings, unpacked

ENDPOINT = dialect_of("openai_compatible").endpoint("completions")
META = ResponseMeta(created_s=1, model="unused", number=1)


@cache
def recorded():
    """Return the request and the body of every recorded legacy completion."""
    found = []
    for path in sorted(RECORDINGS.rglob("*.yaml")) if RECORDINGS.is_dir() else ():
        text = path.read_text(errors="replace")
        if "/v1/completions" not in text:
            continue
        for one in yaml.load(text, Loader=yaml.CSafeLoader)["interactions"]:
            request, response = one["request"], one["response"]
            if not request["uri"].endswith("/v1/completions") or response["status"]["code"] != 200:
                continue
            named = {name.lower(): value for name, value in response["headers"].items()}
            packed = (named.get("content-encoding") or [""])[0]
            found.append((json.loads(body_of(request)), unpacked(body_of(response), packed)))
    return tuple(found)


def call_of(request):
    """Return the call that was recorded, read by the server half."""
    return ENDPOINT.dialect.read("POST", "/v1/completions", "", {}, json.dumps(request).encode())


@needs_recordings
def test_every_recorded_legacy_completion_is_read_and_written_again():
    """Text, reason and counts come back, whole and streamed, wherever the stream is cut."""
    kinds = set()
    for seed, (request, body) in enumerate(recorded()):
        call = call_of(request)
        if request.get("stream"):
            kinds.add("stream")
            end = decode_at_random(ENDPOINT, body, seed)[-1].response
            call.include_usage = end.usage.source != "unknown"
            again = decode_at_random(ENDPOINT, b"".join(ENDPOINT.encode_stream(end, call, META)), seed)[-1].response
        else:
            kinds.add("answer")
            said = json.loads(body)
            end = ENDPOINT.decode_answer(body, {})
            again = ENDPOINT.decode_answer(ENDPOINT.encode_answer(end, call, META), {})
            assert end.content == said["choices"][0]["text"]
            assert end.usage.output_tokens == said["usage"]["completion_tokens"]
        assert (again.parts, again.finish_reason, again.usage, again.model) == (
            end.parts,
            end.finish_reason,
            end.usage,
            end.model,
        )
        assert again.id == end.id
    assert kinds == {"stream", "answer"}


def test_a_recording_of_an_event_that_is_no_json_is_malformed():
    """The text that had arrived is kept."""
    decoder = ENDPOINT.stream_decoder({})
    decoder.feed(b'data: {"id": "cmpl-1", "choices": [{"text": "Par", "index": 0, "finish_reason": null}]}\n\n')
    with pytest.raises(StreamInterruptedError, match="cannot be read") as caught:
        decoder.feed(b"data: {no\n\n")
    assert caught.value.partial_text == "Par"
