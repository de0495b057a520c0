"""What Ollama's own API really sent: we read it, keep all of it, and write it again as it was."""

import json
from functools import cache
from itertools import pairwise
from urllib.parse import urlsplit

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from llmtest.types import FinishReason
from llmtest.wire import ResponseMeta
from llmtest.wire import dialect as dialect_of
from tests.wire.wire_recordings import RECORDINGS, Interaction, body_of, needs_recordings

OLLAMA = dialect_of("ollama")
META = ResponseMeta(number=1, model="unused")


@cache
def recorded() -> tuple[Interaction, ...]:
    """Return every recorded interaction with Ollama's own API."""
    found = []
    for file in sorted(RECORDINGS.rglob("*ollama*.yaml")):
        for number, one in enumerate(yaml.load(file.read_text(), yaml.CSafeLoader).get("interactions", ())):
            path = urlsplit(one["request"]["uri"]).path
            if not path.startswith("/api/"):
                continue
            headers = {name.lower(): values[0] for name, values in one["response"]["headers"].items()}
            body = body_of(one["response"])
            asked = json.loads(body_of(one["request"]))
            status = one["response"]["status"]["code"]
            name = file.stem
            found.append(Interaction(name, number, "ollama", path, status, headers, asked, body, body))
    return tuple(found)


def cases(*kinds):
    """Return the interactions of some kinds, as parameters."""
    return [pytest.param(one, id=str(one)) for one in recorded() if kind_of(one) in kinds]


def kind_of(one) -> str:
    """Tell which test an interaction belongs to."""
    if one.path == "/api/embeddings":
        return "embedding"
    return "stream" if one.request["stream"] else "answer"


def endpoint_of(one):
    """Return the endpoint that was asked."""
    return OLLAMA.match("POST", one.path).endpoint


def call_of(one):
    """Return the call that was recorded, read by the server half."""
    return endpoint_of(one).read({}, json.dumps(one.request).encode(), {})


def lines_of(body):
    """Return the lines of a stream."""
    return [json.loads(line) for line in body.decode().splitlines() if line]


def text_in(body):
    """Return the text of an answer, or of a line."""
    return body["message"]["content"] if "message" in body else body["response"]


def decode_stream(one, body, cuts):
    """Decode a stream cut at some places; return its events."""
    decoder = endpoint_of(one).stream_decoder({})
    events = []
    places = [0, *sorted({cut % len(body) for cut in cuts}), len(body)]
    for start, end in pairwise(places):
        events += decoder.feed(body[start:end])
    assert decoder.done
    return events + decoder.close()


@needs_recordings
def test_every_recorded_answer_of_ollama_is_covered():
    """The tests below see every interaction with its own API."""
    kinds = [kind_of(one) for one in recorded()]
    assert (kinds.count("answer"), kinds.count("stream"), kinds.count("embedding")) == (9, 6, 3)


@needs_recordings
@pytest.mark.parametrize("one", cases("answer"))
def test_an_answer_of_ollama_is_read_and_written_again_in_full(one):
    """Text, calls, reason, counts and durations are read, and every field comes back."""
    body = json.loads(one.body)
    endpoint = endpoint_of(one)
    response = endpoint.decode_answer(one.body, one.headers)
    assert (response.content or "") == text_in(body)
    raw = body.get("message", {}).get("tool_calls", [])
    assert [(call.name, json.loads(call.arguments)) for call in response.tool_calls] == [
        (call["function"]["name"], call["function"]["arguments"]) for call in raw
    ]
    assert response.usage.output_tokens == body["eval_count"]
    assert response.usage.input_tokens == body.get("prompt_eval_count", 0)
    assert response.finish_reason is (FinishReason.TOOL_USE if raw else FinishReason.STOP)
    again = endpoint.encode_answer(response, call_of(one), META)
    assert json.loads(again) == body
    assert endpoint.decode_answer(again, one.headers) == response


@needs_recordings
@pytest.mark.parametrize("one", cases("stream"))
@settings(max_examples=5, deadline=None)
@given(cuts=st.lists(st.integers(0, 1 << 20), max_size=30))
def test_a_stream_of_ollama_cut_anywhere_gives_the_same_events(one, cuts):
    """No boundary of a piece changes what is read."""
    assert decode_stream(one, one.body, cuts) == decode_stream(one, one.body, ())


@needs_recordings
@pytest.mark.parametrize("one", cases("stream"))
def test_a_stream_of_ollama_is_read_and_written_again(one):
    """Its text is that of all lines, and what we write of it reads the same."""
    lines = lines_of(one.body)
    events = decode_stream(one, one.body, ())
    response = events[-1].response
    assert response.content == "".join(map(text_in, lines))
    assert "".join(event.text for event in events if event.kind == "text") == response.content
    assert response.usage.output_tokens == lines[-1]["eval_count"]
    chunks = [text_in(line) for line in lines[:-1]]
    written = endpoint_of(one).encode_stream(response, call_of(one), META, chunks)
    assert [text_in(json.loads(line)) for line in written] == [*chunks, ""]
    assert json.loads(written[-1]) == lines[-1]
    assert decode_stream(one, b"".join(written), (11, 12, 300))[-1].response == response


@needs_recordings
@pytest.mark.parametrize("one", cases("embedding"))
def test_an_embedding_of_ollama_is_read_and_written_again(one):
    """The vector comes back."""
    endpoint = endpoint_of(one)
    response = endpoint.decode_answer(one.body, one.headers)
    assert list(response.vectors[0]) == json.loads(one.body)["embedding"]
    assert json.loads(endpoint.encode_answer(response, call_of(one), META)) == json.loads(one.body)


@needs_recordings
@pytest.mark.parametrize("one", cases("answer", "stream"))
def test_a_request_to_ollama_is_read_and_written_again(one):
    """A recorded request is understood, and sent again by our own client as it was."""
    call = call_of(one)
    written = endpoint_of(one).encode_call(call.request, stream=call.stream)
    assert json.loads(written.body) == one.request
    assert "/api" + written.path == one.path
