"""What OpenRouter really sent: we read it, and write it again as it was, its own fields included."""

import json
import random
from itertools import pairwise

import pytest

from llmtest.wire import ResponseMeta
from llmtest.wire import dialect as dialect_of
from tests.wire.wire_recordings import interactions, needs_recordings

CHAT = dialect_of("openrouter").chat
META = ResponseMeta(number=1, model="unused")


def cases(*, streamed):
    """Return the recorded interactions with OpenRouter, as parameters."""
    found = (one for one in interactions() if one.path == "/api/v1/chat/completions" and one.status == 200)
    return [pytest.param(one, id=str(one)) for one in found if one.streamed == streamed]


def call_of(one):
    """Return the call that was recorded, read by the server half."""
    return CHAT.read({}, json.dumps(one.request).encode(), {})


def decode_stream(body, cuts=()):
    """Decode a stream cut at some places."""
    decoder = CHAT.stream_decoder({})
    places = [0, *sorted(cuts), len(body)]
    events = [event for start, end in pairwise(places) for event in decoder.feed(body[start:end])]
    return events + decoder.close()


@needs_recordings
def test_every_recording_of_openrouter_is_covered():
    """Three whole answers and two streams."""
    assert (len(cases(streamed=False)), len(cases(streamed=True))) == (3, 2)


@needs_recordings
@pytest.mark.parametrize("one", cases(streamed=False))
def test_an_answer_of_openrouter_is_written_again_in_full(one):
    """Provider, native reason, thoughts and cost come back, and so does the request."""
    body = json.loads(one.body)
    response = CHAT.decode_answer(one.body, one.headers)
    assert json.loads(CHAT.encode_answer(response, call_of(one), META)) == body
    assert float(response.usage.cost_usd) == body["usage"]["cost"]
    call = call_of(one)
    assert json.loads(CHAT.encode_call(call.request, stream=False).body) == one.request


@needs_recordings
@pytest.mark.parametrize("one", cases(streamed=True))
def test_a_stream_of_openrouter_cut_anywhere_is_the_same(one):
    """Its cost is in the last event, and what we write of it reads the same."""
    events = decode_stream(one.body)
    response = events[-1].response
    for seed in range(5):
        cuts = random.Random(seed).sample(range(1, len(one.body)), 20)
        assert decode_stream(one.body, cuts) == events
    assert response.usage.cost_usd > 0
    again = b"".join(CHAT.encode_stream(response, call_of(one), META))
    assert decode_stream(again)[-1].response == response
