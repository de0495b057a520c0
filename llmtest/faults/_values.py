"""What can be made to go wrong, by name: `from llmtest import faults`.

A fault says *what* happens; a script step (`handle.fails(fault)`) or a rule of a scenario says when. Each is rendered
in the dialect of the provider it hits: the same `RateLimited(retry_after=30)` is OpenAI's 429 at OpenAI and Anthropic's
at Anthropic, wording, headers and all.

Faults belong to one stage of an answer, and the stages come in a fixed order, whatever the order of declaration:

| stage | faults |
|---|---|
| abort | everything that is answered by an error, and every failure of the connection |
| latency | `SlowFirstToken` |
| body | `MalformedBody`, `WrongContentType`, `EmptyResponse` |
| stream | `StreamDropped`, `StreamTruncated`, `StreamStalled`, `StreamError`, `StreamMalformed` |

`after_chunks` counts pieces of the answer that the client gets to see. With 0 the stream opens and breaks before the
first of them. An answer with fewer pieces breaks after its last one, before its end. A request that asked for no stream
meets a stream fault in its single body: dropped, truncated or stalled half-way; `StreamError` is then a plain 500, and
`StreamMalformed` a malformed body.

Faults are plain values: equal, hashable, printed as they are written, and pytest uses their text as the id of a
parametrised case.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

from llmtest import errors
from llmtest.faults._fault import (
    FAULTS,
    FailureKind,
    Fault,
    Stage,
    check_count,
    check_phase,
    check_seconds,
    check_status,
)
from llmtest.types import is_whole

__all__ = [
    "FAULTS",
    "AuthenticationFailed",
    "ConnectionClosed",
    "ConnectionRefused",
    "ConnectionReset",
    "ContentFiltered",
    "ContextLengthExceeded",
    "EmptyResponse",
    "Fault",
    "InvalidRequest",
    "MalformedBody",
    "ModelNotFound",
    "Overloaded",
    "PermissionDenied",
    "QuotaExceeded",
    "RateLimited",
    "RequestTooLarge",
    "ServerError",
    "SlowFirstToken",
    "StreamDropped",
    "StreamError",
    "StreamMalformed",
    "StreamStalled",
    "StreamTruncated",
    "Timeout",
    "WrongContentType",
]


@dataclass(frozen=True, slots=True)
class RateLimited(Fault):
    """The provider counts too many requests: 429.

    Args:
        retry_after: Seconds it asks to wait, 0 or more; None sends no such header.
    """

    retry_after: float | None = None

    def __post_init__(self) -> None:
        check_seconds(self, "retry_after", self.retry_after, example="RateLimited(retry_after=30)")

    def error(self, model: str | None) -> errors.ProviderError:
        """Return a rate limit on requests."""
        error = errors.RateLimitedError("", model=model, status=429, retry_after=self.retry_after)
        error.limit_kind = "requests"
        return error


@dataclass(frozen=True, slots=True)
class QuotaExceeded(Fault):
    """The account has no credit left; waiting does not help: 429 at OpenAI, 402 at Anthropic.

    Args:
        status: 402 or 429, as gateways choose it; None: the provider's own.
    """

    status: int | None = None

    def __post_init__(self) -> None:
        check_status(self, self.status, (None, 402, 429))

    def error(self, model: str | None) -> errors.ProviderError:
        """Return an exhausted quota."""
        return errors.QuotaExceededError("", model=model, status=self.status)


@dataclass(frozen=True, slots=True)
class AuthenticationFailed(Fault):
    """The key is wrong: 401."""

    def error(self, model: str | None) -> errors.ProviderError:
        """Return a refused key."""
        return errors.AuthenticationError("", model=model, status=401)


@dataclass(frozen=True, slots=True)
class PermissionDenied(Fault):
    """The key may not do this: 403."""

    def error(self, model: str | None) -> errors.ProviderError:
        """Return a missing permission."""
        return errors.PermissionDeniedError("", model=model, status=403)


@dataclass(frozen=True, slots=True)
class ModelNotFound(Fault):
    """The model does not exist, or the key has no access to it: 404."""

    def error(self, model: str | None) -> errors.ProviderError:
        """Return a missing model."""
        return errors.ModelNotFoundError("", model=model, status=404)


@dataclass(frozen=True, slots=True)
class ContextLengthExceeded(Fault):
    """The prompt does not fit the model's window: 400.

    Args:
        requested_tokens: Tokens the provider says were asked for, 1 or more.
        max_tokens: Tokens the provider says its window holds, 1 or more.
    """

    requested_tokens: int = 210_000
    max_tokens: int = 200_000

    def __post_init__(self) -> None:
        check_count(self, "requested_tokens", self.requested_tokens, least=1)
        check_count(self, "max_tokens", self.max_tokens, least=1)

    def error(self, model: str | None) -> errors.ProviderError:
        """Return a prompt that is too long."""
        error = errors.ContextLengthExceededError("", model=model, status=400)
        error.requested_tokens = self.requested_tokens
        error.max_tokens = self.max_tokens
        return error


@dataclass(frozen=True, slots=True)
class InvalidRequest(Fault):
    """The provider finds the request itself wrong: 400, 409 (a conflict) or 422 (it cannot be processed).

    Args:
        message: What it says about it; the dialect's own words by default.
        param: Name of the field it complains about.
        status: 400, 409 or 422. The official SDKs ask again after a 409, and after none of the others.
    """

    message: str = ""
    param: str | None = None
    status: int = 400

    def __post_init__(self) -> None:
        check_status(self, self.status, (400, 409, 422))

    def error(self, model: str | None) -> errors.ProviderError:
        """Return a refused request."""
        error = errors.InvalidRequestError(self.message, model=model, status=self.status)
        error.param = self.param
        return error


@dataclass(frozen=True, slots=True)
class ContentFiltered(Fault):
    """A content policy refuses the prompt: 400."""

    def error(self, model: str | None) -> errors.ProviderError:
        """Return a refused prompt."""
        return errors.ContentFilteredError("", model=model, status=400)


@dataclass(frozen=True, slots=True)
class RequestTooLarge(Fault):
    """The body is larger than the endpoint accepts: 413."""

    def error(self, model: str | None) -> errors.ProviderError:
        """Return a refused body."""
        return errors.RequestTooLargeError("", model=model, status=413)


@dataclass(frozen=True, slots=True)
class ServerError(Fault):
    """The provider fails on its own side.

    Args:
        status: 500 to 599.
        retry_after: Seconds it asks to wait, 0 or more; None sends no such header.
    """

    status: int = 500
    retry_after: float | None = None

    def __post_init__(self) -> None:
        if not is_whole(self.status, 500) or self.status > 599:
            raise errors.ConfigurationError(
                f"ServerError: status must be from 500 to 599, got {self.status!r}.\n\n"
                "To fix: ServerError(status=503); for a 4xx use the fault of that name, such as "
                "RateLimited or InvalidRequest"
            )
        check_seconds(self, "retry_after", self.retry_after, example="ServerError(status=503, retry_after=30)")

    def error(self, model: str | None) -> errors.ProviderError:
        """Return a failure of the provider."""
        return errors.ServerError("", model=model, status=self.status, retry_after=self.retry_after)


@dataclass(frozen=True, slots=True)
class Overloaded(Fault):
    """The provider is up and too busy: 529 at Anthropic, 503 elsewhere.

    Args:
        retry_after: Seconds it asks to wait, 0 or more; None sends no such header.
    """

    retry_after: float | None = None

    def __post_init__(self) -> None:
        check_seconds(self, "retry_after", self.retry_after, example="Overloaded(retry_after=30)")

    def error(self, model: str | None) -> errors.ProviderError:
        """Return an overload."""
        return errors.OverloadedError("", model=model, retry_after=self.retry_after)


@dataclass(frozen=True, slots=True)
class Timeout(Fault):
    """The provider never answers, so that the client's own limit ends the call; or it gives up itself.

    A client without a limit waits for ever, which virtual time reports as a deadlock.

    Args:
        phase: `connect`: no connection comes about. `read`: the request is accepted and never answered.
            `first_token`: a stream opens and stays silent; without a stream as `read`. `server`: a 408, at once.
    """

    phase: Literal["connect", "read", "first_token", "server"] = "read"

    def __post_init__(self) -> None:
        check_phase(self, self.phase, ("connect", "read", "first_token", "server"))

    def error(self, model: str | None) -> errors.ProviderError | None:
        """Return the provider's own timeout; None where it says nothing."""
        return errors.ProviderTimeoutError("", model=model, status=408) if self.phase == "server" else None

    def failure(self) -> FailureKind | None:
        """Return a connection that does not come about, or one that stays silent; None where there is an answer."""
        return None if self.phase == "server" else "connect_timeout" if self.phase == "connect" else "read_timeout"


@dataclass(frozen=True, slots=True)
class ConnectionRefused(Fault):
    """Nobody listens: the connection is refused."""

    def failure(self) -> FailureKind:
        """Return a refused connection."""
        return "connect_refused"


@dataclass(frozen=True, slots=True)
class ConnectionReset(Fault):
    """The connection is reset after the request was sent, before any answer."""

    def failure(self) -> FailureKind:
        """Return a reset connection."""
        return "reset"


@dataclass(frozen=True, slots=True)
class ConnectionClosed(Fault):
    """The provider hangs up in good order after the request was sent, without a word, as a server that restarts."""

    def failure(self) -> FailureKind:
        """Return a closed connection."""
        return "closed"


@dataclass(frozen=True, slots=True)
class MalformedBody(Fault):
    """A 200 whose JSON stops in the middle; in a stream, a first event whose JSON does."""

    stage: ClassVar[Stage] = "body"


@dataclass(frozen=True, slots=True)
class WrongContentType(Fault):
    """A 200 that carries a gateway's HTML page instead of an answer."""

    stage: ClassVar[Stage] = "body"


@dataclass(frozen=True, slots=True)
class EmptyResponse(Fault):
    """A 200 with no body at all; a stream that opens and ends."""

    stage: ClassVar[Stage] = "body"


@dataclass(frozen=True, slots=True)
class SlowFirstToken(Fault):
    """The answer is right and late: a stream opens at once and its first piece comes after `seconds`.

    Without a stream the whole answer is late. The text is the handle's default (`echoes`, `generates`), else filler.

    Args:
        seconds: How late, 0 or more.
    """

    stage: ClassVar[Stage] = "latency"

    seconds: float

    def __post_init__(self) -> None:
        check_seconds(self, "seconds", self.seconds, example="SlowFirstToken(seconds=20)")


@dataclass(frozen=True, slots=True)
class _StreamFault(Fault):
    stage: ClassVar[Stage] = "stream"

    after_chunks: int

    def __post_init__(self) -> None:
        check_count(self, "after_chunks", self.after_chunks)


@dataclass(frozen=True, slots=True)
class StreamDropped(_StreamFault):
    """The connection breaks inside the stream: the chunked body stays incomplete, which every client notices.

    Args:
        after_chunks: Visible pieces before it, 0 or more.
    """


@dataclass(frozen=True, slots=True)
class StreamTruncated(_StreamFault):
    """The stream ends cleanly and too early, without its terminator. No official SDK notices.

    Args:
        after_chunks: Visible pieces before it, 0 or more.
    """


@dataclass(frozen=True, slots=True)
class StreamStalled(_StreamFault):
    """The stream falls silent with the connection open.

    Args:
        after_chunks: Visible pieces before it, 0 or more.
        seconds: How long; then the stream goes on. None: for ever.
    """

    seconds: float | None = None

    def __post_init__(self) -> None:
        check_count(self, "after_chunks", self.after_chunks)
        check_seconds(self, "seconds", self.seconds, example="StreamStalled(after_chunks=2, seconds=120)")


@dataclass(frozen=True, slots=True)
class StreamError(_StreamFault):
    """The provider reports an overload inside the stream, as an event, after its 200.

    Args:
        after_chunks: Visible pieces before it, 0 or more.
    """

    def error(self, model: str | None) -> errors.ProviderError:
        """Return what the event, or the plain answer, says."""
        return errors.OverloadedError("", model=model)


@dataclass(frozen=True, slots=True)
class StreamMalformed(_StreamFault):
    """An event of the stream carries JSON that stops in the middle; the stream ends there.

    Args:
        after_chunks: Visible pieces before it, 0 or more.
    """


del FAULTS[_StreamFault.name]
