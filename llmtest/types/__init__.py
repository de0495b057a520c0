"""What is said: messages, requests, responses, streams, usage, attempts, and the `Provider` protocol.

Plain frozen dataclasses: they are made on every simulated call, so they cost what a tuple costs, and pydantic accepts
them as field types. What a user passes in is checked where it enters (`CompletionRequest`), once.

No wire format lives here. A field that a dialect has and this room does not model is carried verbatim, under the
dialect's name, in `extra` (requests, responses) or in an `OpaquePart` (content), so that nothing is lost on the way
through and nothing of one API is sent to another.

| file | what it is |
|---|---|
| `_parts` | text, images, files, sound, thinking, refusals and tool calls: what messages and answers are made of |
| `_messages`, `_tools`, `_formats`, `_requests` | what is asked |
| `_responses`, `_streams`, `_usage` | what is answered, whole and in pieces, and how many tokens that was |
| `_embeddings`, `_models` | the same for vectors, and for lists of models |
| `_batches`, `_token_counts` | many requests at once, and how many tokens a prompt has |
| `_attempts`, `_provider` | one request to one provider; whoever answers |
| `_extra` | what only one dialect has a word for |
| `_numbers` | which numbers may be written |
| `_spelling` | the nearest name there is |
| `_quick_init` | records that are made on every simulated call, made in half the time |
"""

from llmtest.types._attempts import Attempt
from llmtest.types._batches import BatchJob, BatchOutcome, BatchRequest, BatchResult, BatchStatus
from llmtest.types._embeddings import EmbeddingRequest, EmbeddingResponse
from llmtest.types._extra import ExtraByDialect
from llmtest.types._formats import ResponseFormat
from llmtest.types._messages import ChatMessage, Role
from llmtest.types._models import ModelCard, ModelMetadata
from llmtest.types._numbers import is_number, is_whole
from llmtest.types._parts import (
    AudioPart,
    CacheTtl,
    Citation,
    ContentPart,
    FilePart,
    ImagePart,
    OpaquePart,
    RefusalPart,
    ResponsePart,
    TextPart,
    ThinkingPart,
    TokenLogprob,
    ToolCall,
)
from llmtest.types._provider import NO_TIMEOUTS, Capabilities, HealthReport, Provider, Timeouts
from llmtest.types._requests import CompletionRequest, refuse_what_is_no_request
from llmtest.types._responses import CompletionResponse, FinishReason
from llmtest.types._streams import StreamEvent, StreamEventKind
from llmtest.types._token_counts import TokenCountRequest, TokenCountResult
from llmtest.types._tools import ToolDefinition, ToolResult
from llmtest.types._usage import UNKNOWN_USAGE, Usage, UsageSource

__all__ = [
    "NO_TIMEOUTS",
    "UNKNOWN_USAGE",
    "Attempt",
    "AudioPart",
    "BatchJob",
    "BatchOutcome",
    "BatchRequest",
    "BatchResult",
    "BatchStatus",
    "CacheTtl",
    "Capabilities",
    "ChatMessage",
    "Citation",
    "CompletionRequest",
    "CompletionResponse",
    "ContentPart",
    "EmbeddingRequest",
    "EmbeddingResponse",
    "ExtraByDialect",
    "FilePart",
    "FinishReason",
    "HealthReport",
    "ImagePart",
    "ModelCard",
    "ModelMetadata",
    "OpaquePart",
    "Provider",
    "RefusalPart",
    "ResponseFormat",
    "ResponsePart",
    "Role",
    "StreamEvent",
    "StreamEventKind",
    "TextPart",
    "ThinkingPart",
    "Timeouts",
    "TokenCountRequest",
    "TokenCountResult",
    "TokenLogprob",
    "ToolCall",
    "ToolDefinition",
    "ToolResult",
    "Usage",
    "UsageSource",
    "is_number",
    "is_whole",
    "refuse_what_is_no_request",
]
