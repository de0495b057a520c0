"""Faults in which the provider answers, and the answer is an error: a status, a body and headers of its own."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal, get_args

from llmtest import errors
from llmtest.faults._fault import FAULTS, Fault, HeaderChanges, check_count, check_seconds, check_status
from llmtest.faults._retry_after import WORDS, RetryAfter, check_retry_after, retry_after_headers, wait_in
from llmtest.types import is_whole

__all__ = [
    "AuthenticationFailed",
    "ContentFiltered",
    "ContextLengthExceeded",
    "InvalidRequest",
    "ModelNotFound",
    "Overloaded",
    "PermissionDenied",
    "QuotaExceeded",
    "RateLimited",
    "RequestTooLarge",
    "ServerError",
]

LimitName = Literal["requests", "tokens", "daily", "concurrent"]
SOON: float = 30
"""Seconds until a limit is back, where a test does not say."""


@dataclass(frozen=True, slots=True)
class _Refusal(Fault):
    """An error that may say when to come back."""

    def _retry_after(self) -> RetryAfter:
        """Return the argument of that name."""
        return None

    def _seconds(self) -> float:
        """Return how long it really takes, where `retry_after` is a word."""
        return SOON

    def wait(self, now: datetime) -> float | None:
        """Return how many seconds the client is asked to wait; None where it is not, or cannot read it."""
        return wait_in(self._retry_after(), self._seconds(), now)

    def header_changes(self, now: datetime) -> HeaderChanges:
        """Return the headers of a `Retry-After` that is not plain seconds, and those that the test gave."""
        # What a test writes itself comes last, and the last word counts.
        own = Fault.header_changes(self, now)
        said = {name for name, _ in own}
        forms = retry_after_headers(self._retry_after(), self._seconds(), now)
        return (*(each for each in forms if each[0] not in said), *own)


@dataclass(frozen=True, slots=True)
class RateLimited(_Refusal):
    """The provider counts too many requests: 429, with the limit headers of its API.

    Args:
        retry_after: When it asks to come back: seconds, 0 or more, or a `timedelta`; `"date"` for an HTTP date, or the
            text of one; `"ms"` for the header `retry-after-ms` alone; `"unreadable"` for a text that no client can
            read. None sends no such header.
        seconds: How long it really takes, 0 or more, where `retry_after` is not a time itself: what the date, the
            milliseconds and the limit headers say.
        limit: Which limit was reached: `requests` or `tokens` a minute, those of a day (`daily`), or those that are
            under way at once (`concurrent`). An API that has no words for one says what it says of requests.

    Raises:
        ConfigurationError: `retry_after` is none of these, or two different times are given.

    Example:
        >>> RateLimited(retry_after="date", seconds=20)
        RateLimited(retry_after='date', seconds=20)
    """

    retry_after: RetryAfter = None
    seconds: float = SOON
    limit: LimitName = "requests"

    def _check(self) -> None:
        if self.limit not in get_args(LimitName):
            raise errors.ConfigurationError(
                f"RateLimited: limit is one of {', '.join(get_args(LimitName))}, got {self.limit!r}.\n\n"
                'To fix: RateLimited(limit="daily")'
            )
        check_retry_after(self, self.retry_after, words=WORDS, example="RateLimited(retry_after=30)")
        check_seconds(self, "seconds", self.seconds, example='RateLimited(retry_after="date", seconds=30)')
        if self.seconds != SOON and self.retry_after not in (None, *WORDS):
            raise errors.ConfigurationError(
                f"RateLimited: retry_after={self.retry_after!r} and seconds={self.seconds!r} are two times for one "
                "wait.\n\n"
                'To fix: RateLimited(retry_after=30), or a word with its time: RateLimited(retry_after="date", '
                "seconds=30)"
            )

    def __repr__(self) -> str:
        more = "" if self.seconds == SOON else f", seconds={self.seconds!r}"
        more += "" if self.limit == "requests" else f", limit={self.limit!r}"
        return f"RateLimited(retry_after={self.retry_after!r}{more})"

    def _retry_after(self) -> RetryAfter:
        return self.retry_after

    def _seconds(self) -> float:
        return self.seconds

    def limit_reset(self, now: datetime) -> float:
        """Return in how many seconds the limit is back, whatever `Retry-After` says about it."""
        known = self.wait(now)
        return self.seconds if known is None else known

    def refusal(self, model: str | None) -> errors.ProviderError:
        """Return a rate limit on requests."""
        error = errors.RateLimitedError("", model=model, status=429)
        error.limit_kind = self.limit
        return error


@dataclass(frozen=True, slots=True)
class QuotaExceeded(Fault):
    """The account has no credit left; waiting does not help: 429 at OpenAI, 402 at Anthropic.

    Args:
        status: 402 or 429, as gateways choose it; None: the provider's own.
    """

    status: int | None = None

    def _check(self) -> None:
        check_status(self, self.status, (None, 402, 429))

    def refusal(self, model: str | None) -> errors.ProviderError:
        """Return an exhausted quota."""
        return errors.QuotaExceededError("", model=model, status=self.status)


@dataclass(frozen=True, slots=True)
class AuthenticationFailed(Fault):
    """The key is wrong: 401."""

    def refusal(self, model: str | None) -> errors.ProviderError:
        """Return a refused key."""
        return errors.AuthenticationError("", model=model, status=401)


@dataclass(frozen=True, slots=True)
class PermissionDenied(Fault):
    """The key may not do this: 403."""

    def refusal(self, model: str | None) -> errors.ProviderError:
        """Return a missing permission."""
        return errors.PermissionDeniedError("", model=model, status=403)


@dataclass(frozen=True, slots=True)
class ModelNotFound(Fault):
    """The model does not exist, or the key has no access to it: 404."""

    def refusal(self, model: str | None) -> errors.ProviderError:
        """Return a missing model."""
        return errors.ModelNotFoundError("", model=model, status=404)


@dataclass(frozen=True, slots=True)
class ContextLengthExceeded(Fault):
    """The prompt does not fit the model's window: 400.

    Args:
        requested_tokens: Tokens the provider says were asked for, 1 or more; None: a twentieth more than the window.
        max_tokens: Tokens the provider says its window holds, 1 or more; None: the window of the model that was asked,
            or of the handle (`context_window`), and where nobody knows it what the API commonly has.
    """

    requested_tokens: int | None = None
    max_tokens: int | None = None

    def _check(self) -> None:
        for name, value in (("requested_tokens", self.requested_tokens), ("max_tokens", self.max_tokens)):
            if value is not None:
                check_count(self, name, value, least=1)

    def refusal(self, model: str | None) -> errors.ProviderError:
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

    def _check(self) -> None:
        check_status(self, self.status, (400, 409, 422))

    def refusal(self, model: str | None) -> errors.ProviderError:
        """Return a refused request."""
        error = errors.InvalidRequestError(self.message, model=model, status=self.status)
        error.param = self.param
        return error


@dataclass(frozen=True, slots=True)
class ContentFiltered(Fault):
    """A content policy refuses the prompt: 400."""

    def refusal(self, model: str | None) -> errors.ProviderError:
        """Return a refused prompt."""
        return errors.ContentFilteredError("", model=model, status=400)


@dataclass(frozen=True, slots=True)
class RequestTooLarge(Fault):
    """The body is larger than the endpoint accepts: 413."""

    def refusal(self, model: str | None) -> errors.ProviderError:
        """Return a refused body."""
        return errors.RequestTooLargeError("", model=model, status=413)


@dataclass(frozen=True, slots=True)
class ServerError(_Refusal):
    """The provider fails on its own side.

    Args:
        status: 500 to 599.
        retry_after: When it asks to come back: seconds, 0 or more, a `timedelta`, or the text of an HTTP date; None
            sends no such header.
    """

    status: int = 500
    retry_after: RetryAfter = None

    def _check(self) -> None:
        if not is_whole(self.status, 500) or self.status > 599:
            raise errors.ConfigurationError(
                f"ServerError: status must be from 500 to 599, got {self.status!r}.\n\n"
                "To fix: ServerError(status=503); for a 4xx use the fault of that name, such as "
                "RateLimited or InvalidRequest"
            )
        check_retry_after(self, self.retry_after, words=(), example="ServerError(status=503, retry_after=30)")

    def _retry_after(self) -> RetryAfter:
        return self.retry_after

    def refusal(self, model: str | None) -> errors.ProviderError:
        """Return a failure of the provider."""
        return errors.ServerError("", model=model, status=self.status)


@dataclass(frozen=True, slots=True)
class Overloaded(_Refusal):
    """The provider is up and too busy: 529 at Anthropic, 503 elsewhere.

    Args:
        retry_after: When it asks to come back: seconds, 0 or more, a `timedelta`, or the text of an HTTP date; None
            sends no such header.
    """

    retry_after: RetryAfter = None

    def _check(self) -> None:
        check_retry_after(self, self.retry_after, words=(), example="Overloaded(retry_after=30)")

    def _retry_after(self) -> RetryAfter:
        return self.retry_after

    def refusal(self, model: str | None) -> errors.ProviderError:
        """Return an overload."""
        return errors.OverloadedError("", model=model)


@dataclass(frozen=True, slots=True)
class NotThere(Fault):
    """An endpoint that the provider does not have: 404, in the words in which its API says so.

    Args:
        error: What it answers.
    """

    error: errors.ProviderError

    def __str__(self) -> str:
        return "not there (404)"

    def refusal(self, model: str | None) -> errors.ProviderError:
        """Return the API's own words."""
        return type(self.error)(self.error.message, model=model, status=404, code=self.error.code)


# Which endpoint it is about is a script's to say: neither of these has a name in files.
del FAULTS[_Refusal.name], FAULTS[NotThere.name]
