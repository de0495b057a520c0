"""The contract of a dialect: what every codec can do, and the plain records it takes and gives.

One object per dialect serves two users (design D1). A provider of our own layer uses the *client half*: it encodes
requests and decodes answers. A simulated provider uses the *server half*: it decodes requests and encodes answers. All
functions are pure: bytes and types in, bytes and types out. No I/O, no clock (a time that matters is passed in), no
randomness (ids are built from numbers passed in).

**Nothing is lost.** What the types do not model stays verbatim: fields of the body in `extra`, by dialect and under
their own name, content blocks in `OpaquePart`. What is of one dialect is never written in another. Where a modelled
field (`messages`, `choices`, `content`, `usage`, ...) holds more than its type can say, `extra` keeps the JSON of that
whole field beside the typed form, and encoding writes that JSON again as long as the typed form still says the same. So
`decode(encode(x)) == x`, and what was recorded is said again in full.

**Paths** that `encode_request` gives are relative to `default_base_url` (OpenAI's ends in `/v1`, Anthropic's does not).
`decode_call` looks at the end of the path only, so any prefix of a base URL is accepted.

**Headers** come in as any mapping with lower-case keys or without regard to case, and go out as pairs.

**Errors.** `decode_error` never fails: whatever the body is, there is an error for it. `encode_error` sends
`error.body` verbatim where it is set; otherwise `worded` first fills in, in the provider's genuine wording, what the
error does not say itself (status, code, message), so that `RateLimitedError("")` is enough. Errors that a call brings
upon itself (`decode_call`) are raised as `WireFormatError`, which carries the `ProviderError` to send back.

**Streams.** `feed` returns the events that a piece of bytes completes. It raises what the stream says is wrong only
after the events before it have been returned (at the next `feed` or at `close`), so that no chunk boundary loses an
event. A stream that breaks raises `StreamInterruptedError`: `kind="error"` for an error event (its `__cause__` is the
typed error, with status 200), `malformed` for an event that cannot be read, `truncated` at `close` where the terminator
never came. `done` tells that the terminator was seen; whatever follows it is ignored. `close` returns the `end` event.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal, Protocol

from llmtest.errors import ProviderError, StreamInterruptedError
from llmtest.types import (
    CompletionRequest,
    CompletionResponse,
    EmbeddingRequest,
    EmbeddingResponse,
    ModelCard,
    StreamEvent,
)

Headers = tuple[tuple[str, str], ...]
Operation = str
EPOCH = datetime(2026, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class WireRequest:
    """A request ready to be sent; `path` continues the base URL."""

    method: str
    path: str
    headers: Headers
    body: bytes = b""


@dataclass(slots=True)
class Unread:
    """A completion request that was checked and not yet read, because most are never looked at.

    Args:
        texts: What each message says, system prompts included, none of which has more than a role and a text; there
            are no tools.
        max_tokens: Most tokens of the answer.
        read: Reads it, which cannot fail any more.
    """

    texts: Sequence[str]
    max_tokens: int | None
    read: Callable[[], CompletionRequest]


class WireCall:
    """A request as a server understood it.

    Args:
        operation: What is asked for.
        request: The completion or embedding request; None for `models` and `model`.
        model: Model that was named, in the body or in the path.
        stream: Whether the answer is to be a stream.
        api_key: The key that came with it; None where there was none. Nobody has judged it yet.
        include_usage: Whether a stream ends with its usage (always, where the dialect has no such switch).
        include_obfuscation: Whether OpenAI's padding is wanted; its default is yes.
        unread: The request, where it is read when somebody asks for it.
        choices: How many answers are asked for at once, OpenAI's `n`.
    """

    __slots__ = (
        "_request",
        "api_key",
        "choices",
        "include_obfuscation",
        "include_usage",
        "model",
        "operation",
        "stream",
        "unread",
    )

    def __init__(
        self,
        operation: Operation,
        request: CompletionRequest | EmbeddingRequest | None = None,
        model: str | None = None,
        stream: bool = False,
        api_key: str | None = None,
        include_usage: bool = False,
        include_obfuscation: bool = True,
        unread: Unread | None = None,
        choices: int = 1,
    ) -> None:
        self.operation = operation
        self._request = request
        self.model = model
        self.stream = stream
        self.api_key = api_key
        self.include_usage = include_usage
        self.include_obfuscation = include_obfuscation
        self.unread = unread
        self.choices = choices

    @property
    def request(self) -> CompletionRequest | EmbeddingRequest | None:
        """The completion or embedding request; None for `models` and `model`."""
        if self._request is None and self.unread is not None:
            self._request = self.unread.read()
        return self._request


@dataclass(frozen=True, slots=True)
class LimitState:
    """One limit: how much a minute, how much is left, and seconds until all of it is back."""

    limit: int
    remaining: int
    reset_after: float = 0.0


@dataclass(frozen=True, slots=True)
class RateLimits:
    """The limits a provider tells of in its headers."""

    requests: LimitState | None = None
    tokens: LimitState | None = None
    input_tokens: LimitState | None = None
    output_tokens: LimitState | None = None


@dataclass(slots=True)
class ResponseMeta:
    """What surrounds an answer and is not part of it.

    Args:
        id: Id of the answer, where the response has none.
        created_s: Epoch seconds of the answer.
        request_id: Id of the request, for the header.
        model: Model that answers, where the response names none.
        limits: Rate limits to tell of.
        now: Time of the answer; Anthropic's limits reset at a time of day.
        processing_ms: What OpenAI says it took.
        organization: What OpenAI and Anthropic call the caller's organisation.
        api_key: The caller's key; a 401 shows a masked piece of it. An empty text means that none was sent.
    """

    id: str | None = None
    created_s: int = 0
    request_id: str | None = None
    model: str | None = None
    limits: RateLimits | None = None
    now: datetime = EPOCH
    processing_ms: int | None = None
    organization: str = "org-llmtest"
    api_key: str | None = None


class WireFormatError(Exception):
    """A request that the provider would turn down before it looks at the model.

    Args:
        error: What to answer; give it to `encode_error`.
    """

    def __init__(self, error: ProviderError) -> None:
        super().__init__(error.message)
        self.error = error


class StreamDecoder(Protocol):
    """Reads one streamed answer; see the module's docstring for when it raises."""

    done: bool
    """Whether the terminator has been seen."""

    def feed(self, data: bytes) -> list[StreamEvent]:
        """Take the next bytes; return the events that they complete."""
        ...

    def close(self) -> list[StreamEvent]:
        """Say that no more bytes come; return the `end` event.

        Raises:
            StreamInterruptedError: The stream ended without its terminator, or an error of it is still to be told.
        """
        ...

    def interrupted(
        self, kind: Literal["truncated", "dropped", "stalled", "error", "malformed"], message: str
    ) -> StreamInterruptedError:
        """Make the error of a stream that broke from outside, with the text and usage that had arrived."""
        ...


class Codec(Protocol):
    """One dialect, both directions; the module's docstring is the contract."""

    dialect: str
    default_base_url: str

    # Client half.

    def auth_headers(self, api_key: str | None) -> Headers:
        """Write the headers that carry the key."""
        ...

    def encode_request(self, request: CompletionRequest, *, stream: bool) -> WireRequest:
        """Write a completion request."""
        ...

    def decode_response(self, body: bytes, headers: Mapping[str, str]) -> CompletionResponse:
        """Read a complete answer.

        Raises:
            EmptyResponseError: The body has no answer in it.
            InvalidResponseError: The body is not of this dialect.
            ProviderError: The body is an error although the status was a success.
        """
        ...

    def decode_error(self, status: int, headers: Mapping[str, str], body: bytes, *, now: datetime) -> ProviderError:
        """Read an error of any make; the class follows from status, code and wording."""
        ...

    def stream_decoder(self, headers: Mapping[str, str] | None = None) -> StreamDecoder:
        """Start to read a streamed answer."""
        ...

    def encode_models_request(self, model: str | None = None) -> WireRequest:
        """Write a request for the list of models, or for one of them."""
        ...

    def decode_models(self, body: bytes) -> tuple[ModelCard, ...]:
        """Read a list of models, or a single one."""
        ...

    def decode_limits(self, headers: Mapping[str, str], *, now: datetime) -> RateLimits | None:
        """Read what the headers say about rate limits."""
        ...

    # Server half.

    def decode_call(self, method: str, path: str, query: str, headers: Mapping[str, str], body: bytes) -> WireCall:
        """Read any request to this provider.

        Raises:
            WireFormatError: The provider would refuse it; `.error` is its answer.
        """
        ...

    def response_headers(self, meta: ResponseMeta, *, stream: bool = False) -> Headers:
        """Write the headers of a successful answer, rate limits included."""
        ...

    def encode_response(self, response: CompletionResponse, call: WireCall, meta: ResponseMeta) -> bytes:
        """Write a complete answer."""
        ...

    def encode_stream(
        self, response: CompletionResponse, call: WireCall, meta: ResponseMeta, chunks: Sequence[str] | None = None
    ) -> list[bytes]:
        """Write a streamed answer, one element per event, terminator included.

        `chunks` are the pieces in which the text arrives (their concatenation is the text); None cuts it into words.
        """
        ...

    def worded(self, error: ProviderError, meta: ResponseMeta) -> ProviderError:
        """Fill in status, code, message and request id where the error has none; returns the same error."""
        ...

    def encode_error(self, error: ProviderError, meta: ResponseMeta) -> tuple[int, Headers, bytes]:
        """Write an error as status, headers and body."""
        ...

    def encode_stream_error(self, error: ProviderError, meta: ResponseMeta) -> bytes:
        """Write an error as an event inside a stream."""
        ...

    def encode_embeddings(self, response: EmbeddingResponse, call: WireCall, meta: ResponseMeta) -> bytes:
        """Write vectors, in the encoding that was asked for."""
        ...

    def encode_models(self, models: Sequence[ModelCard], call: WireCall, meta: ResponseMeta) -> bytes:
        """Write the list of models, or for operation `model` the first of them."""
        ...

    def encode_token_count(self, tokens: int) -> bytes:
        """Write the answer to `count_tokens`."""
        ...

    def response_id(self, value: int) -> str:
        """Build an answer's id from a number of up to 256 bits."""
        ...

    def request_id(self, value: int) -> str:
        """Build a request's id from a number."""
        ...

    def tool_call_id(self, value: int) -> str:
        """Build a tool call's id from a number."""
        ...
