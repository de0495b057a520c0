"""How it is written: one record per dialect, both directions, pure functions over bytes and types.

`dialect("openai")` gives a record; what its endpoints promise, from what is kept verbatim to when a stream decoder
raises, is the docstring of `llmtest.wire._endpoint`. No I/O, no clock, no randomness here: times and the numbers that
ids are made of are passed in.

| file | what it is |
|---|---|
| `_dialect`, `_endpoint`, `_registry` | the records, and which there are |
| `_custom` | a record made of a mapping |
| `_records` | what endpoints take and give |
| `_vocabulary`, `_classify`, `_json_errors` | from the words of an error to its class, and back |
| `_logprobs` | made-up probabilities of a simulated answer's words |
| `_answer_bodies` | how answers in JSON are read |
| `_store`, `_batches` | what a provider keeps between requests, and batches on their way |
| `_batch_api` | batches as a client asks for them |
| `_served` | what a service answers that plain JSON does not say |
| `_variables` | the variables of the environment by which SDKs find a provider |
| `_headers`, `_json`, `_ids` | the small change of the wire |
| `framing/` | events cut out of bytes |
| `openai/`, `anthropic/`, ... | the dialects, a folder each |
"""

from llmtest.wire._batch_api import BatchApi, BatchSteps, WireAnswer
from llmtest.wire._batches import BatchLine, BatchStage, BatchWork, LineResult
from llmtest.wire._custom import CustomFields, custom_dialect
from llmtest.wire._dialect import Dialect, Errors, Match, Unserved, Variables
from llmtest.wire._endpoint import Endpoint, Gives, call_without_body
from llmtest.wire._headers import format_duration, parse_duration, parse_retry_after
from llmtest.wire._json_errors import JsonErrors
from llmtest.wire._logprobs import with_logprobs
from llmtest.wire._owners import owner_of
from llmtest.wire._records import (
    EPOCH,
    Headers,
    LimitState,
    RateLimits,
    ResponseMeta,
    StreamDecoder,
    Unread,
    WireCall,
    WireFormatError,
    WireRequest,
)
from llmtest.wire._registry import (
    common_dialect,
    default_dialect,
    dialect,
    dialects,
    marked_by,
    match_bare,
    register,
    registered,
    unregister,
)
from llmtest.wire._served import Served
from llmtest.wire._shutdowns import Shutdown, shutdowns_at
from llmtest.wire._store import MODELS_KEPT, Store
from llmtest.wire._vocabulary import Vocabulary
from llmtest.wire.framing import FRAMINGS, NDJSON, SSE, EventDecoder, Framing, ServerSentEvent, SseParser

__all__ = [
    "EPOCH",
    "FRAMINGS",
    "MODELS_KEPT",
    "NDJSON",
    "SSE",
    "BatchApi",
    "BatchLine",
    "BatchStage",
    "BatchSteps",
    "BatchWork",
    "CustomFields",
    "Dialect",
    "Endpoint",
    "Errors",
    "EventDecoder",
    "Framing",
    "Gives",
    "Headers",
    "JsonErrors",
    "LimitState",
    "LineResult",
    "Match",
    "RateLimits",
    "ResponseMeta",
    "Served",
    "ServerSentEvent",
    "Shutdown",
    "SseParser",
    "Store",
    "StreamDecoder",
    "Unread",
    "Unserved",
    "Variables",
    "Vocabulary",
    "WireAnswer",
    "WireCall",
    "WireFormatError",
    "WireRequest",
    "call_without_body",
    "common_dialect",
    "custom_dialect",
    "default_dialect",
    "dialect",
    "dialects",
    "format_duration",
    "marked_by",
    "match_bare",
    "owner_of",
    "parse_duration",
    "parse_retry_after",
    "register",
    "registered",
    "shutdowns_at",
    "unregister",
    "with_logprobs",
]
