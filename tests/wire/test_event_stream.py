"""Amazon's binary messages: written as botocore reads them, read wherever they are cut, and broken ones told."""

import json
from itertools import pairwise
from zlib import crc32

import pytest
from botocore.eventstream import EventStreamBuffer
from hypothesis import given, settings
from hypothesis import strategies as st

from llmtest.wire.framing import EVENT_STREAM, EventStreamParser, event_message, exception_message

TEXTS = ["{}", '{"type":"ping"}', json.dumps({"text": "Grüße, 東京 🗼"}), "x" * 3000]


def read(pieces):
    """Return what a parser finds in pieces of bytes."""
    parser = EventStreamParser()
    return [event for piece in pieces for event in parser.feed(piece)]


def test_botocore_reads_what_is_written():
    """Prelude, headers and both checksums are those that Amazon's own parser accepts."""
    buffer = EventStreamBuffer()
    buffer.add_data(EVENT_STREAM.packed(b'{"type":"ping"}') + exception_message("throttlingException", "Slow down"))
    event, failure = (message.to_response_dict() for message in buffer)
    assert event["headers"] == {
        ":event-type": "chunk",
        ":content-type": "application/json",
        ":message-type": "event",
    }
    assert set(json.loads(event["body"])) == {"bytes", "p"}
    assert (failure["status_code"], failure["headers"][":exception-type"]) == (400, "throttlingException")
    assert json.loads(failure["body"]) == {"message": "Slow down"}


@settings(max_examples=25)
@given(st.lists(st.sampled_from(TEXTS), max_size=5), st.lists(st.integers(0, 4000), max_size=12))
def test_any_pieces_give_the_same_events(texts, cuts):
    """Wherever the bytes are cut, inside a prelude or a checksum too, the events are the same."""
    body = b"".join(EVENT_STREAM.packed(text.encode()) for text in texts)
    edges = sorted({0, len(body), *(cut for cut in cuts if cut < len(body))})
    pieces = [body[start:end] for start, end in pairwise(edges)]
    assert [event.data for event in read(pieces)] == texts


def test_single_bytes_give_the_same_events():
    """The smallest pieces are no exception."""
    body = EVENT_STREAM.packed(b'{"a":1}') + exception_message("validationException", "No")
    found = read([body[place : place + 1] for place in range(len(body))])
    assert [(event.event, json.loads(event.data)) for event in found] == [
        ("", {"a": 1}),
        ("error", {"type": "error", "error": {"type": "validationException", "message": "No"}}),
    ]


@pytest.mark.parametrize(("place", "what"), [(1, "prelude"), (9, "prelude"), (20, "an event"), (-1, "an event")])
def test_a_flipped_bit_is_told_and_nothing_after_it(place, what):
    """A checksum that is wrong makes an event that is no JSON; what follows cannot be told apart."""
    body = bytearray(EVENT_STREAM.packed(b'{"a":1}'))
    body[place] ^= 1
    (found,) = read([bytes(body), EVENT_STREAM.packed(b'{"b":2}')])
    assert what in found.data
    assert "checksum" in found.data


def test_headers_of_other_types_and_other_payloads_are_passed_over():
    """A message with a number among its headers, and one whose payload is no JSON, are events all the same."""
    number = b"\x01n\x04\x00\x00\x00\x07"
    name = b"\x0e:message-type\x07\x00\x05event"
    plain = event_message(b"plain", "chunk")
    (found,) = read([plain])
    assert found.data == "plain"
    headers = number + b"\x0d" + name[1:]
    body = _message(headers, b'{"bytes":"e30="}')
    assert [event.data for event in read([body])] == ["{}"]
    assert [event.data for event in read([event_message(b'{"other":1}', "metadata")])] == ['{"other":1}']


def _message(headers, payload):
    prelude = (16 + len(headers) + len(payload)).to_bytes(4) + len(headers).to_bytes(4)
    body = prelude + crc32(prelude).to_bytes(4) + headers + payload
    return body + crc32(body).to_bytes(4)


def test_an_event_cut_short_is_framed_whole():
    """The JSON inside stops in the middle; the message around it is one that every parser takes."""
    (found,) = read([EVENT_STREAM.cut_short(EVENT_STREAM.packed(b'{"type":"ping"}'))])
    assert found.data == '{"type"'
