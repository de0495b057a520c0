"""How it is written: one codec per dialect, both directions, pure functions over bytes and types.

`codec_for("openai")` and `codec_for("anthropic")` give the codecs; the contract, from what is kept verbatim to when a
stream decoder raises, is the docstring of `llmtest.wire._records`. No I/O, no clock, no randomness here: times and the
numbers that ids are made of are passed in.
"""

from llmtest.wire._headers import format_duration, parse_duration, parse_retry_after
from llmtest.wire._records import (
    EPOCH,
    Codec,
    Headers,
    LimitState,
    RateLimits,
    ResponseMeta,
    StreamDecoder,
    WireCall,
    WireFormatError,
    WireRequest,
)
from llmtest.wire._registry import DIALECTS, codec_for
from llmtest.wire.framing._sse import ServerSentEvent, SseParser

__all__ = [
    "DIALECTS",
    "EPOCH",
    "Codec",
    "Headers",
    "LimitState",
    "RateLimits",
    "ResponseMeta",
    "ServerSentEvent",
    "SseParser",
    "StreamDecoder",
    "WireCall",
    "WireFormatError",
    "WireRequest",
    "codec_for",
    "format_duration",
    "parse_duration",
    "parse_retry_after",
]
