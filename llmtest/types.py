"""What is said: messages, requests, responses, stream events, usage, attempts, and the `Provider` protocol.

Plain frozen dataclasses: they are made on every simulated call, so they cost what a tuple costs, and pydantic accepts
them as field types. What a user passes in is checked where it enters (`CompletionRequest`), once.

No wire format lives here. A field that a dialect has and this module does not model is carried verbatim in `extra`
(requests, responses) or in an `OpaquePart` (content), so that nothing is lost on the way through.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal
from enum import StrEnum
from typing import Any, Literal, Protocol, runtime_checkable

from llmtest.errors import ConfigurationError, InvalidResponseError

__all__ = [
    "Attempt",
    "Capabilities",
    "ChatMessage",
    "CompletionRequest",
    "CompletionResponse",
    "ContentPart",
    "FinishReason",
    "ImagePart",
    "OpaquePart",
    "Provider",
    "RefusalPart",
    "ResponsePart",
    "Role",
    "StreamEvent",
    "TextPart",
    "ThinkingPart",
    "Timeouts",
    "ToolCall",
    "ToolDefinition",
    "ToolResult",
    "Usage",
]

Role = Literal["system", "user", "assistant", "tool"]
UsageSource = Literal["exact", "estimated", "unknown"]
EMPTY: Mapping[str, Any] = {}


class FinishReason(StrEnum):
    """Why the model stopped."""

    STOP = "stop"
    LENGTH = "length"
    TOOL_USE = "tool_use"
    CONTENT_FILTER = "content_filter"
    REFUSAL = "refusal"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class TextPart:
    """Text of a message or an answer."""

    text: str


@dataclass(frozen=True, slots=True)
class ImagePart:
    """An image in a prompt: a `url`, or base64 `data` with its `media_type`."""

    url: str | None = None
    data: str | None = None
    media_type: str | None = None
    detail: str | None = None


@dataclass(frozen=True, slots=True)
class ThinkingPart:
    """What the model thought before it answered.

    `signature` is the provider's proof that the text is its own; a `redacted` part carries only opaque data there.
    """

    text: str
    signature: str | None = None
    redacted: bool = False


@dataclass(frozen=True, slots=True)
class RefusalPart:
    """The model's own refusal to answer, which OpenAI keeps apart from the text."""

    text: str


@dataclass(frozen=True, slots=True)
class OpaquePart:
    """A content block this package does not model, kept verbatim in its dialect's JSON."""

    data: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class ToolCall:
    """One call of a tool that the model asks for.

    Args:
        id: The provider's id of this call; the tool's result refers to it.
        name: Name of the tool.
        arguments: The arguments as JSON text, exactly as the model wrote them, malformed ones included.
    """

    id: str
    name: str
    arguments: str = "{}"

    def parsed_arguments(self) -> dict[str, Any]:
        """Return the arguments as a mapping.

        Raises:
            InvalidResponseError: The model wrote something that is not a JSON object.
        """
        try:
            parsed = json.loads(self.arguments or "{}")
        except ValueError as error:
            raise InvalidResponseError(f"tool `{self.name}`: arguments are not JSON: {error}") from error
        if not isinstance(parsed, dict):
            raise InvalidResponseError(f"tool `{self.name}`: arguments are not a JSON object: {self.arguments[:80]}")
        return parsed


ContentPart = TextPart | ImagePart | ThinkingPart | RefusalPart | OpaquePart
ResponsePart = TextPart | ThinkingPart | RefusalPart | ToolCall | OpaquePart


@dataclass(frozen=True, slots=True)
class ToolDefinition:
    """A tool the model may call; `parameters` is a JSON Schema."""

    name: str
    description: str | None = None
    parameters: Mapping[str, Any] = field(default_factory=lambda: {"type": "object", "properties": {}})
    extra: Mapping[str, Any] = field(default_factory=dict)
    """Fields of the dialect that are not modelled (`strict`, `cache_control`), verbatim."""


@dataclass(frozen=True, slots=True)
class ToolResult:
    """What a tool returned, on its way back to the model."""

    tool_call_id: str
    content: str
    name: str | None = None
    is_error: bool = False


@dataclass(frozen=True, slots=True)
class ChatMessage:
    """One message of a conversation; use the constructors.

    Example:
        >>> ChatMessage.user("Capital of France?").text
        'Capital of France?'
    """

    role: Role
    content: str | tuple[ContentPart, ...] | None = None
    tool_calls: tuple[ToolCall, ...] = ()
    tool_call_id: str | None = None
    name: str | None = None
    is_error: bool = False

    @classmethod
    def system(cls, content: str) -> ChatMessage:
        """Make an instruction that precedes the conversation."""
        return cls("system", content)

    @classmethod
    def user(cls, content: str | tuple[ContentPart, ...], *, name: str | None = None) -> ChatMessage:
        """Make a message of the user."""
        return cls("user", content, name=name)

    @classmethod
    def assistant(cls, content: str) -> ChatMessage:
        """Make an answer the model gave earlier."""
        return cls("assistant", content)

    @classmethod
    def assistant_with_tool_calls(cls, content: str | None, tool_calls: tuple[ToolCall, ...]) -> ChatMessage:
        """Make an answer that called tools, with the text beside the calls, if any."""
        return cls("assistant", content, tool_calls=tuple(tool_calls))

    @classmethod
    def tool_result(
        cls, tool_call_id: str, content: str, *, name: str | None = None, is_error: bool = False
    ) -> ChatMessage:
        """Make the result of one tool call."""
        return cls("tool", content, tool_call_id=tool_call_id, name=name, is_error=is_error)

    @property
    def text(self) -> str:
        """All text of the message, joined."""
        if self.content is None:
            return ""
        if isinstance(self.content, str):
            return self.content
        return "".join(part.text for part in self.content if isinstance(part, TextPart))


@dataclass(frozen=True, slots=True, kw_only=True)
class CompletionRequest:
    """What is asked of a model.

    Args:
        messages: The conversation; at least one message.
        model: Model to use; None takes the provider's default.
        max_tokens: Most tokens to generate; 1 or more.
        temperature: 0.0 to 2.0.
        top_p: 0.0 to 1.0.
        stop_sequences: Texts that end the answer.
        tools: Tools the model may call.
        tool_choice: `auto`, `required`, `none`, or the name of one tool.
        seed: Asks the provider for a repeatable answer.
        stream: Whether the answer comes as a stream; set by the client.
        metadata: Labels for the user's own bookkeeping. Not part of a cache key.
        extra: Further fields of the dialect's body, sent verbatim.
        idempotency_key: Name of the request, for providers that answer a repeated one once. It is no part of what is
            asked: a chain gives one to each call of a provider that has an `idempotency_header`.

    Raises:
        ConfigurationError: No messages, or a number outside its range.
    """

    messages: tuple[ChatMessage, ...]
    model: str | None = None
    max_tokens: int | None = None
    temperature: float | None = None
    top_p: float | None = None
    stop_sequences: tuple[str, ...] = ()
    tools: tuple[ToolDefinition, ...] = ()
    tool_choice: str | None = None
    seed: int | None = None
    stream: bool = False
    metadata: Mapping[str, str] = field(default_factory=dict)
    extra: Mapping[str, Any] = field(default_factory=dict)
    idempotency_key: str | None = field(default=None, compare=False, repr=False)

    def __post_init__(self) -> None:
        if type(self.messages) is not tuple:
            object.__setattr__(self, "messages", tuple(self.messages))
        if self.max_tokens is not None and self.max_tokens < 1:
            raise ConfigurationError(f"max_tokens must be 1 or more, got {self.max_tokens}")
        if self.temperature is not None and not 0.0 <= self.temperature <= 2.0:
            raise ConfigurationError(f"temperature must be from 0.0 to 2.0, got {self.temperature}")
        if self.top_p is not None and not 0.0 <= self.top_p <= 1.0:
            raise ConfigurationError(f"top_p must be from 0.0 to 1.0, got {self.top_p}")
        if not self.messages:
            raise ConfigurationError("messages must hold at least one message")

    @classmethod
    def ask(cls, prompt: str, *, system: str | None = None, model: str | None = None) -> CompletionRequest:
        """Make a request of one user prompt, with a system prompt before it if given."""
        user = ChatMessage("user", prompt)
        messages = (user,) if system is None else (ChatMessage("system", system), user)
        return cls(messages=messages, model=model)

    def with_model(self, model: str | None) -> CompletionRequest:
        """Return the same request for another model."""
        return replace(self, model=model)

    def with_max_tokens(self, max_tokens: int) -> CompletionRequest:
        """Return the same request with another limit on the answer."""
        return replace(self, max_tokens=max_tokens)

    def with_temperature(self, temperature: float) -> CompletionRequest:
        """Return the same request with another temperature."""
        return replace(self, temperature=temperature)

    def with_idempotency_key(self, key: str) -> CompletionRequest:
        """Return the same request with a name, so that a provider can tell a repeated one."""
        return replace(self, idempotency_key=key)


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens of one attempt.

    Counts are inclusive: `input_tokens` contains the cached ones, `output_tokens` the reasoning. (Anthropic's wire
    format excludes cached tokens from `input_tokens`; its codec adds them up.)

    `source` says how well they are known: `exact`, as the provider counted; `estimated`, where an answer was cut off
    before the provider had counted (cancelled, timed out, a stream that broke or was left); `unknown`, where a provider
    that answered did not say.
    """

    input_tokens: int = 0
    output_tokens: int = 0
    cache_read_tokens: int = 0
    cache_write_tokens: int = 0
    reasoning_tokens: int = 0
    source: UsageSource = "exact"

    @property
    def total_tokens(self) -> int:
        """Input and output together."""
        return self.input_tokens + self.output_tokens

    def __add__(self, other: Usage) -> Usage:
        """Return the sum; it is as uncertain as the more uncertain of the two."""
        order: tuple[UsageSource, ...] = ("exact", "estimated", "unknown")
        return Usage(
            self.input_tokens + other.input_tokens,
            self.output_tokens + other.output_tokens,
            self.cache_read_tokens + other.cache_read_tokens,
            self.cache_write_tokens + other.cache_write_tokens,
            self.reasoning_tokens + other.reasoning_tokens,
            max(self.source, other.source, key=order.index),
        )


UNKNOWN_USAGE = Usage(source="unknown")


@dataclass(slots=True)
class Attempt:
    """One request to one provider, as part of a logical call. Treat as read-only.

    Args:
        provider: Name of the provider.
        model: Model that was asked for.
        start_ns: When it started, in nanoseconds of the clock.
        end_ns: When it ended.
        outcome: `200`, another status, or a word: `timeout`, `reset`, `refused`, `truncated`, `dropped`, `stalled`,
            `malformed`, `circuit_open`, `cache_hit`, `cancelled`.
        usage: Tokens, as far as known.
        billed: Whether the provider charges for it; a failed attempt can be billed.
        cost_usd: Its price; None where it is unknown, which is not zero.
        retry_after: Seconds the provider asked to wait.
        slept_before: Seconds slept before it.
        credential: Label of the key that was used, never the key.
        purpose: `call`, or `summary`, `health`, `hedge`, `cascade`.
        error: The error it ended with.
    """

    provider: str
    model: str | None
    start_ns: int
    end_ns: int
    outcome: str
    usage: Usage | None = None
    billed: bool = False
    cost_usd: Decimal | None = None
    retry_after: float | None = None
    slept_before: float = 0.0
    credential: str | None = None
    purpose: str = "call"
    error: Exception | None = None

    @property
    def duration(self) -> float:
        """Seconds from start to end."""
        return (self.end_ns - self.start_ns) / 1e9


@dataclass(frozen=True, slots=True, kw_only=True)
class CompletionResponse:
    """What a model answered.

    `parts` keeps what the provider sent in its order; `content`, `thinking` and `tool_calls` read it.

    Args:
        parts: Text, thinking, refusal, tool calls and unmodelled blocks, in order.
        finish_reason: Why the model stopped.
        raw_finish_reason: The provider's own word for it.
        usage: Tokens; `source="unknown"` where the provider did not say.
        model: The model that answered; often a dated snapshot of the one asked for.
        id: The provider's id of the answer.
        provider: Name of the provider that answered, also behind a chain.
        request_id: The provider's id of the request, from its headers.
        alternatives: Further answers, where more than one was asked for (`n`).
        attempts: Every attempt of the logical call, the answered one last.
        extra: Further fields of the dialect's body, verbatim.
    """

    parts: tuple[ResponsePart, ...] = ()
    finish_reason: FinishReason | None = FinishReason.STOP
    raw_finish_reason: str | None = None
    usage: Usage = UNKNOWN_USAGE
    model: str | None = None
    id: str | None = None
    provider: str | None = None
    request_id: str | None = None
    alternatives: tuple[CompletionResponse, ...] = ()
    attempts: tuple[Attempt, ...] = ()
    extra: Mapping[str, Any] = field(default_factory=dict)

    @property
    def content(self) -> str | None:
        """All text of the answer, joined; None where there is none."""
        if len(self.parts) == 1 and isinstance(self.parts[0], TextPart):
            return self.parts[0].text
        texts = [part.text for part in self.parts if isinstance(part, TextPart)]
        return "".join(texts) if texts else None

    @property
    def thinking(self) -> str | None:
        """All thinking, joined; None where there is none."""
        texts = [part.text for part in self.parts if isinstance(part, ThinkingPart)]
        return "".join(texts) if texts else None

    @property
    def refusal(self) -> str | None:
        """The model's refusal, where it refused."""
        texts = [part.text for part in self.parts if isinstance(part, RefusalPart)]
        return "".join(texts) if texts else None

    @property
    def tool_calls(self) -> tuple[ToolCall, ...]:
        """The tool calls, in order."""
        return tuple(part for part in self.parts if isinstance(part, ToolCall))

    @property
    def input_tokens(self) -> int:
        """Tokens of the prompt, cached ones included."""
        return self.usage.input_tokens

    @property
    def output_tokens(self) -> int:
        """Tokens of the answer, reasoning included."""
        return self.usage.output_tokens


StreamEventKind = Literal[
    "start",
    "text",
    "thinking",
    "signature",
    "refusal",
    "tool_call",
    "tool_arguments",
    "opaque",
    "usage",
    "finish",
    "end",
]


@dataclass(frozen=True, slots=True)
class StreamEvent:
    """One piece of a streamed answer.

    | kind | carries |
    |---|---|
    | `start` | `id`, `model`; nothing is visible yet |
    | `text`, `thinking`, `refusal`, `signature` | `text`: what to append to part `index` |
    | `tool_call` | `index`, `id`, `name`: a tool call begins |
    | `tool_arguments` | `index`, `text`: JSON text to append to its arguments |
    | `opaque` | `data`: an event this package does not model, verbatim |
    | `usage` | `usage`: cumulative so far |
    | `finish` | `finish_reason`, `raw_finish_reason` |
    | `end` | `response`: the whole answer; the stream ended as it should |
    """

    kind: StreamEventKind
    text: str = ""
    index: int = 0
    id: str | None = None
    name: str | None = None
    model: str | None = None
    usage: Usage | None = None
    finish_reason: FinishReason | None = None
    raw_finish_reason: str | None = None
    data: Mapping[str, Any] | None = None
    response: CompletionResponse | None = None

    @property
    def visible(self) -> bool:
        """Whether the caller has something of the answer after this event (the commit point of a stream)."""
        return self.kind in _VISIBLE


_VISIBLE = frozenset({"text", "thinking", "refusal", "tool_call", "tool_arguments"})


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Limits of one attempt, in seconds; None means no limit.

    Args:
        connect: Until the connection stands.
        first_token: Until the first piece of the answer; for an answer that is no stream, until its headers.
        read: Longest silence between two pieces.
        total: The whole attempt.
    """

    connect: float | None = None
    first_token: float | None = None
    read: float | None = None
    total: float | None = None


NO_TIMEOUTS = Timeouts()


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What a provider can do, so that a chain can skip a slot that cannot serve a request."""

    tools: bool = True
    vision: bool = True
    streaming: bool = True
    context_window: int | None = None
    """Tokens that prompt and answer may hold together; None where it is unknown."""


@runtime_checkable
class Provider(Protocol):
    """Anything that answers completion requests: a real provider, a simulated one, a chain, your own.

    The four methods mean the same; each may be called from the world it belongs to (`complete` and `stream` from
    blocking code, the other two from a running event loop). Errors are those of `llmtest.errors`. A stream ends with
    exactly one `end` event; one that stops without it was truncated. Closing the iterator early gives up the stream.
    """

    name: str
    model: str | None

    @property
    def capabilities(self) -> Capabilities:
        """What this provider can do."""
        ...

    def complete(self, request: CompletionRequest, timeouts: Timeouts = ...) -> CompletionResponse:
        """Answer a request, blocking."""
        ...

    async def complete_async(self, request: CompletionRequest, timeouts: Timeouts = ...) -> CompletionResponse:
        """Answer a request on the event loop."""
        ...

    def stream(self, request: CompletionRequest, timeouts: Timeouts = ...) -> Iterator[StreamEvent]:
        """Answer a request piece by piece, blocking."""
        ...

    def stream_async(self, request: CompletionRequest, timeouts: Timeouts = ...) -> AsyncIterator[StreamEvent]:
        """Answer a request piece by piece on the event loop."""
        ...
