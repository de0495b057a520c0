"""Answers that grow piece by piece, in the less usual forms that compatible servers stream."""

import json

import pytest

from llmtest.errors import StreamInterruptedError
from llmtest.wire import dialect as dialect_of

THOUGHT = {"type": "thinking", "thinking": [{"type": "text", "text": "France: Paris."}]}


def chunk(finish=None, **delta):
    """Return a chunk of a chat completion."""
    choice = {"index": 0, "delta": delta, "finish_reason": finish}
    return b"data: " + json.dumps({"id": "c-1", "model": "m-1", "choices": [choice]}).encode() + b"\n\n"


def read(*pieces):
    """Return the events of a stream of chunks, and the whole answer."""
    decoder = dialect_of("openai").chat.stream_decoder()
    events = [event for piece in pieces for event in decoder.feed(piece)]
    return events, decoder.close()[-1].response


def test_a_text_after_parts_belongs_to_the_answer():
    """Mistral's reasoning models stream thoughts as parts, then the answer as a plain text; neither is lost."""
    events, answer = read(
        chunk(content=[THOUGHT]), chunk(content="Par"), chunk("stop", content="is"), b"data: [DONE]\n\n"
    )
    assert [event.text for event in events if event.kind == "text"] == ["Par", "is"]
    assert answer.content == "Paris"


def test_parts_after_a_text_keep_the_text():
    """Parts that come after a plain text stand behind it."""
    more = {"type": "text", "text": "is"}
    _, answer = read(chunk(content="Par"), chunk("stop", content=[more]), b"data: [DONE]\n\n")
    assert answer.content == "Paris"


def test_an_event_keeps_what_it_brought():
    """What comes later grows the answer, and no event that was handed over before."""
    events, answer = read(
        chunk(reasoning_details=[{"text": "a"}], audio={"id": "x", "parts": ["1"]}),
        chunk("stop", content="Hi", reasoning_details=[{"text": "b"}], audio={"parts": ["2"]}),
        b"data: [DONE]\n\n",
    )
    brought = [event.data for event in events if event.kind == "opaque"]
    assert brought == [
        {"reasoning_details": [{"text": "a"}], "audio": {"id": "x", "parts": ["1"]}},
        {"reasoning_details": [{"text": "b"}], "audio": {"parts": ["2"]}},
    ]
    assert answer.content == "Hi"


def test_a_call_that_is_no_function_grows_and_its_events_stay():
    """The input of a custom tool call grows in the answer alone."""
    events, _ = read(
        chunk(tool_calls=[{"index": 0, "id": "t", "type": "custom", "custom": {"name": "g", "input": "x"}}]),
        chunk("tool_calls", tool_calls=[{"index": 0, "custom": {"input": "y"}}]),
        b"data: [DONE]\n\n",
    )
    brought = [event.data["custom"]["input"] for event in events if event.kind == "opaque"]
    assert brought == ["x", "y"]


@pytest.mark.parametrize("arguments", [5, {"city": "Paris"}])
def test_arguments_that_are_no_text_break_the_stream(arguments):
    """A piece of arguments that cannot be appended is a malformed event, told where it came."""
    call = {"index": 0, "id": "t", "type": "function", "function": {"name": "f", "arguments": arguments}}
    with pytest.raises(StreamInterruptedError) as caught:
        read(chunk(tool_calls=[call]), chunk("tool_calls"), b"data: [DONE]\n\n")
    assert caught.value.kind == "malformed"
