"""How messages are cut out of a stream of bytes, and put into one.

| file | what it is |
|---|---|
| `_sse`, `_ndjson`, `_json_array` | server-sent events; lines of JSON; an array of JSON |
| `_event_stream` | Amazon's binary messages |
| `_framing` | what every framing can do |
| `_event_decoder` | what all decoders of streamed answers share |
| `_words` | text as the pieces in which a stream delivers it |
"""

from llmtest.wire.framing._event_decoder import EventDecoder
from llmtest.wire.framing._event_stream import EventStreamParser, event_message, exception_message
from llmtest.wire.framing._framing import (
    EVENT_STREAM,
    FRAMINGS,
    JSON_ARRAY,
    JSON_LINES,
    NDJSON,
    SSE,
    SSE_CRLF,
    TYPED_EVENT_STREAM,
    EventParser,
    Framing,
)
from llmtest.wire.framing._json_array import JsonArrayParser
from llmtest.wire.framing._ndjson import NdjsonParser, line
from llmtest.wire.framing._sse import ServerSentEvent, SseParser, frame
from llmtest.wire.framing._words import words

__all__ = [
    "EVENT_STREAM",
    "FRAMINGS",
    "JSON_ARRAY",
    "JSON_LINES",
    "NDJSON",
    "SSE",
    "SSE_CRLF",
    "TYPED_EVENT_STREAM",
    "EventDecoder",
    "EventParser",
    "EventStreamParser",
    "Framing",
    "JsonArrayParser",
    "NdjsonParser",
    "ServerSentEvent",
    "SseParser",
    "event_message",
    "exception_message",
    "frame",
    "line",
    "words",
]
