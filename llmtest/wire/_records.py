"""The plain records that endpoints take and give."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal, Protocol

from llmtest.errors import ProviderError, StreamInterruptedError
from llmtest.types import (
    CompletionRequest,
    EmbeddingRequest,
    StreamEvent,
)

if TYPE_CHECKING:
    from llmtest.wire._endpoint import Endpoint

Headers = tuple[tuple[str, str], ...]
EPOCH = datetime(2026, 1, 1, tzinfo=UTC)
NO_FIELDS: Mapping[str, Any] = MappingProxyType({})


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
        is_bare: Whether it asks for nothing that changes the answer beside its length.
    """

    texts: Sequence[str]
    max_tokens: int | None
    read: Callable[[], CompletionRequest]
    is_bare: bool = False


class WireCall:
    """A request as a server understood it.

    Args:
        endpoint: What is asked for.
        request: The completion or embedding request; None for `models` and `model`.
        model: Model that was named, in the body or in the path.
        stream: Whether the answer is to be a stream.
        api_key: The key that came with it; None where there was none. Nobody has judged it yet.
        include_usage: Whether a stream ends with its usage (always, where the dialect has no such switch).
        include_obfuscation: Whether OpenAI's padding is wanted; its default is yes.
        unread: The request, where it is read when somebody asks for it.
        choices: How many answers are asked for at once, OpenAI's `n`.
        shaping: Fields of the body, in the dialect's words, that the writing of the answer depends on.
        recalled: What `Endpoint.recall` found, for `Endpoint.keep`.

    Attributes:
        is_batched: Whether it is a line of a batch, which has quotas and prices of its own.
    """

    __slots__ = (
        "_request",
        "api_key",
        "choices",
        "endpoint",
        "include_obfuscation",
        "include_usage",
        "is_batched",
        "model",
        "recalled",
        "shaping",
        "stream",
        "unread",
    )

    def __init__(
        self,
        endpoint: Endpoint,
        request: CompletionRequest | EmbeddingRequest | None = None,
        model: str | None = None,
        stream: bool = False,
        api_key: str | None = None,
        include_usage: bool = False,
        include_obfuscation: bool = True,
        unread: Unread | None = None,
        choices: int = 1,
        shaping: Mapping[str, Any] = NO_FIELDS,
        recalled: Any = None,
    ) -> None:
        self.endpoint = endpoint
        self._request = request
        self.model = model
        self.stream = stream
        self.api_key = api_key
        self.include_usage = include_usage
        self.include_obfuscation = include_obfuscation
        self.unread = unread
        self.choices = choices
        self.shaping = shaping
        self.recalled = recalled
        self.is_batched = False

    def with_request(self, request: CompletionRequest | EmbeddingRequest, recalled: Any = None) -> WireCall:
        """Return the same call of another request."""
        found = WireCall(
            self.endpoint,
            request,
            self.model,
            self.stream,
            self.api_key,
            self.include_usage,
            self.include_obfuscation,
            None,
            self.choices,
            self.shaping,
            recalled,
        )
        found.is_batched = self.is_batched
        return found

    @property
    def operation(self) -> str:
        """What is asked for, as traces, scripts and fault rules call it."""
        return self.endpoint.operation

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
        id: Id of the answer, where the response has none; made of `number` where it is None.
        created_s: Epoch seconds of the answer.
        request_id: Id of the request, for the header.
        number: From which a dialect makes its ids, each in its own form; up to 256 bits. None: it makes none.
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
    number: int | None = None
    events_sent: int = 0


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
