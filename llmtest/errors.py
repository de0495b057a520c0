"""What can go wrong: one tree.

Your code catches the first branch, the configuration's author reads the second, and nobody catches the
third: a harness error means that the *test* is wrong.

LLMTestError
├── ProviderError                  a provider failed, or answered with a failure
│   ├── RateLimitedError           429: too many requests or tokens per minute
│   ├── QuotaExceededError         402, or 429 `insufficient_quota`: no credit left
│   ├── AuthenticationError        401: the key is missing or wrong
│   │   └── SessionExpiredError    the session that the key stood for has ended
│   ├── SessionRenewalFailedError  no new token could be had now; nothing was sent
│   ├── PermissionDeniedError      403: the key is right, the permission is missing
│   ├── InvalidRequestError        400, 409, 422: the request itself is wrong
│   │   ├── ContextLengthExceededError   the prompt does not fit the model's window
│   │   └── RequestTooLargeError   413: the body does not fit the endpoint
│   ├── ContentFilteredError       the prompt was refused by a content policy
│   ├── ModelNotFoundError         404: no such model, or no access to it
│   ├── NotSupportedError          the provider lacks the capability that was asked for
│   ├── ServerError                500 and its like
│   │   └── OverloadedError        503, 529: the provider is up, and too busy
│   ├── ProviderConnectionError    refused, reset, or closed before an answer
│   ├── ProviderTimeoutError       no answer within the limit
│   ├── InvalidResponseError       an answer that cannot be read
│   │   └── EmptyResponseError     an answer with nothing in it
│   └── StreamInterruptedError     a stream that broke, or ended without its terminator
├── RejectedError                  our own layer refused the call; no provider was asked
│   ├── CircuitOpenError
│   ├── BudgetExceededError
│   ├── ThrottledError             a limit of our own, requests or tokens a minute, or requests at a time
│   └── DeadlineExceededError
├── AllProvidersFailedError        every provider of a chain failed; `.errors` has each one
└── ConfigurationError             a setting, file or argument is wrong
    ├── CassetteFileError
    ├── ScenarioError
    ├── UnknownProviderError
    └── UnknownPriceError

HarnessError (BaseException)       the test is wrong; recorded, and raised again at teardown
├── UnscriptedRequestError
├── UnusedStepsError
├── NetworkBlockedError
├── CassetteMismatchError
├── VirtualTimeStalledError
├── VirtualTimeLivelockError
├── AmbiguousCallError
└── SimulationStateError

`HarnessError` derives from `BaseException` because both official SDKs wrap their transport in `except Exception` and
retry: anthropic's retries even an `AssertionError` and reports "Connection error.". Only a `BaseException` comes
through on its first call, so that no retry, fallback or `except Exception` can turn a wrong test into a green one.

Every error keeps the facts it states as attributes. `CassetteWarning` is no error: it tells what is odd about a file.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime
    from decimal import Decimal

    from llmtest.types import Attempt, StreamEvent, Usage

__all__ = [
    "AllProvidersFailedError",
    "AmbiguousCallError",
    "AuthenticationError",
    "BudgetExceededError",
    "CassetteFileError",
    "CassetteMismatchError",
    "CircuitOpenError",
    "ConfigurationError",
    "ContentFilteredError",
    "ContextLengthExceededError",
    "DeadlineExceededError",
    "EmptyResponseError",
    "HarnessError",
    "InvalidRequestError",
    "InvalidResponseError",
    "LLMTestError",
    "ModelNotFoundError",
    "NetworkBlockedError",
    "NotSupportedError",
    "OverloadedError",
    "PermissionDeniedError",
    "ProviderConnectionError",
    "ProviderError",
    "ProviderTimeoutError",
    "QuotaExceededError",
    "RateLimitedError",
    "RejectedError",
    "RequestTooLargeError",
    "ScenarioError",
    "ServerError",
    "SessionExpiredError",
    "SessionRenewalFailedError",
    "SimulationStateError",
    "StreamInterruptedError",
    "ThrottledError",
    "UnknownPriceError",
    "UnknownProviderError",
    "UnscriptedRequestError",
    "UnusedStepsError",
    "VirtualTimeLivelockError",
    "VirtualTimeStalledError",
]

RateLimitKind = Literal["requests", "tokens", "concurrent", "daily", "unknown"]
TimeoutPhase = Literal["connect", "write", "pool", "first_token", "read", "throughput", "total"]
ConnectionKind = Literal["refused", "reset", "closed", "dns", "tls", "other"]


class LLMTestError(Exception):
    """Base of every error that code under test may meet and catch."""

    attempts: Sequence[Attempt] = ()
    """Every attempt of the logical call that ended with this error, in order."""

    def __reduce__(self) -> tuple[object, ...]:
        """Let an error pass between processes as it is: text and facts, not the arguments the text was made of."""
        return _restored, (type(self), self.args, self.__dict__)


def _restored(kind: type[LLMTestError], arguments: tuple[object, ...], facts: dict[str, object]) -> LLMTestError:
    error = kind.__new__(kind, *arguments)
    error.__dict__.update(facts)
    return error


class ProviderError(LLMTestError):
    """A provider failed, or answered with a failure.

    Args:
        message: What the provider said, or what happened to the connection.
        provider: Name of the provider, as the chain or the simulation calls it.
        model: Model that was asked for.
        status: HTTP status, or None where there was no answer. An error inside a stream has status 200.
        code: The provider's own code or error type (`rate_limit_exceeded`, `overloaded_error`).
        retry_after: Seconds the provider asked to wait; None where it did not say.
        request_id: The provider's id of the request.
        body: The body of the answer, as received.
    """

    outcome: ClassVar[str | None] = None
    """Word for this error in a trace; None where the status is the better word."""

    should_retry: bool | None = None
    """What the provider says about trying again (`x-should-retry`); None where it says nothing."""

    accepted: bool | None = None
    """Whether the provider had taken the request on, and so bills it; None where the kind of error tells."""

    late: Sequence[StreamEvent] = ()
    """What came after a limit had passed and was not handed over; it is billed all the same."""

    def __init__(
        self,
        message: str,
        *,
        provider: str | None = None,
        model: str | None = None,
        status: int | None = None,
        code: str | None = None,
        retry_after: float | None = None,
        request_id: str | None = None,
        body: bytes | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.provider = provider
        self.model = model
        self.status = status
        self.code = code
        self.retry_after = retry_after
        self.request_id = request_id
        self.body = body


class RateLimitedError(ProviderError):
    """The provider counted too many requests or tokens; `retry_after` says when to come back."""

    limit_kind: RateLimitKind = "unknown"
    """Which limit was reached."""


class QuotaExceededError(ProviderError):
    """The account has no credit left; waiting does not help, unless `reset_time` says so."""

    required: int | None = None
    """How much the request needs, in what the provider counts, where it says."""
    available: int | None = None
    """How much is left of it, where the provider says."""
    reset_time: datetime | None = None
    """When there is credit again, where the provider says."""


class AuthenticationError(ProviderError):
    """The key is missing, wrong or revoked."""


class SessionExpiredError(AuthenticationError):
    """The session that the token stood for has ended: the provider says so, or refuses a token just renewed as well.

    Another key may help, and the same one after somebody has signed in again. A circuit counts it, as IronClaw's does.
    """


class SessionRenewalFailedError(ProviderError):
    """No new token could be had where one was needed, for a reason that may pass; nothing was sent to the provider."""

    accepted: bool | None = False


class PermissionDeniedError(ProviderError):
    """The key is valid and may not do this."""


class InvalidRequestError(ProviderError):
    """The request is wrong and will be wrong again."""

    param: str | None = None
    """Name of the offending field, where the provider names it."""


class ContextLengthExceededError(InvalidRequestError):
    """The prompt and the answer asked for do not fit the model's context window."""

    requested_tokens: int | None = None
    """Tokens the request needs, where the provider says."""
    max_tokens: int | None = None
    """Tokens the model's window holds, where the provider says."""


class RequestTooLargeError(InvalidRequestError):
    """The body is larger than the endpoint accepts."""


class ContentFilteredError(ProviderError):
    """A content policy refused the prompt."""


class ModelNotFoundError(ProviderError):
    """The model does not exist, or this key has no access to it."""

    available_models: tuple[str, ...] = ()
    """Models that the provider has, as far as its list has been read (`list_models`)."""

    @property
    def fallback_model(self) -> str | None:
        """The model of those that are available whose name is nearest; None where none is near."""
        from difflib import get_close_matches

        others = [name for name in self.available_models if name != self.model]
        near = get_close_matches(self.model or "", others, n=1)
        return near[0] if near else None


class NotSupportedError(ProviderError):
    """The provider or the model lacks the capability that was asked for."""


class ServerError(ProviderError):
    """The provider failed on its own side."""


class OverloadedError(ServerError):
    """The provider is up and too busy to answer."""


class ProviderConnectionError(ProviderError):
    """The connection was refused, reset, or closed before an answer came."""

    kind: ConnectionKind = "other"

    @property
    def outcome(self) -> str:  # type: ignore[override]  # the word depends on how the connection failed
        """Word for this error in a trace: `refused` or `reset`."""
        return "refused" if self.kind in {"refused", "dns"} else "reset"


class ProviderTimeoutError(ProviderError):
    """No answer came within the limit."""

    outcome: ClassVar[str | None] = "timeout"
    phase: TimeoutPhase = "read"
    timeout: float | None = None
    """The limit that was passed, in seconds."""


class InvalidResponseError(ProviderError):
    """The provider answered with something that cannot be read."""


class EmptyResponseError(InvalidResponseError):
    """The provider answered with success and nothing in it."""


class StreamInterruptedError(ProviderError):
    """A stream broke after it had begun, or ended without its terminator.

    What had arrived is not lost: `partial_text` and `partial_usage` carry it. `visible` tells whether any of it had
    been handed to the caller, the point after which another provider's answer would only be glued to this one.
    """

    partial_text: str = ""
    partial_usage: Usage | None = None
    visible: bool = False
    bytes_received: int = 0
    """Bytes of the answer that had come, its framing included."""
    kind: Literal["truncated", "dropped", "stalled", "error", "malformed"] = "dropped"

    @property
    def recovery_possible(self) -> bool:
        """Whether the call can be made again without the caller noticing: nothing of the answer was handed over."""
        return not self.visible

    @property
    def outcome(self) -> str:  # type: ignore[override]  # the word depends on how the stream ended
        """Word for this error in a trace: `truncated`, `dropped`, `stalled`, `error` or `malformed`."""
        return self.kind


class RejectedError(LLMTestError):
    """Our own layer refused the call; no provider was asked."""


class CircuitOpenError(RejectedError):
    """The circuit of this provider is open.

    Args:
        provider: Whose circuit it is.
        retry_after: Seconds until the circuit lets a call through; None where somebody isolated it by hand.
        last_error: The failure that opened it.
        cause: What kept the call back: the circuit is `open`, it is `cooling` down after a rate limit, its probes are
            under way (`probing`), it is `isolated`, or it lets only a share of calls through (`restoring`); or what
            keeps its state cannot be asked, and was told to refuse then (`unknown`).
    """

    def __init__(
        self,
        provider: str,
        *,
        retry_after: float | None,
        last_error: BaseException | None = None,
        cause: Literal["open", "cooling", "probing", "isolated", "restoring", "unknown"] = "open",
    ) -> None:
        self.provider = provider
        self.retry_after = retry_after
        self.last_error = last_error
        self.cause = cause
        if retry_after is None:
            super().__init__(
                f"the circuit `{provider}` is isolated; it lets nothing through until its `release()` is called"
            )
            return
        if cause == "restoring":
            super().__init__(f"the circuit `{provider}` is being restored; this call was not of the share let through")
            return
        if cause == "unknown":
            super().__init__(
                f"the state of circuit `{provider}` cannot be asked for, and its store refuses calls meanwhile.\n"
                "To fix: make its server reachable, or have the store let calls pass while it is not"
            )
            return
        why = f" Last failure: {type(last_error).__name__}: {last_error}" if last_error is not None else ""
        super().__init__(f"the circuit `{provider}` is open; it lets a probe through in {retry_after:.1f} s.{why}")


class BudgetExceededError(RejectedError):
    """The call could cost more than a limit has left; it was not made.

    Args:
        scope: Which limit: `session`, `task`, `day` or `month`.
        unit: `usd` or `tokens`.
        limit: The limit, in that unit.
        spent: Settled so far.
        reserved: Held by calls under way.
        requested: Upper bound of the refused call.
        left: What is neither spent nor reserved; default: worked out.
        resets_at: When the limit is whole again; None where that is no matter of time.
    """

    def __init__(
        self,
        *,
        scope: str,
        unit: str,
        limit: Decimal,
        spent: Decimal,
        reserved: Decimal,
        requested: Decimal,
        left: Decimal | None = None,
        resets_at: datetime | None = None,
    ) -> None:
        self.scope = scope
        self.unit = unit
        self.limit = limit
        self.spent = spent
        self.reserved = reserved
        self.requested = requested
        self.left = left = max(limit - spent - reserved, limit * 0) if left is None else left
        self.resets_at = resets_at
        sign, word = ("$", "") if unit == "usd" else ("", f" {unit}")
        when = f"in this {scope}" if resets_at is None else f"until {resets_at:%Y-%m-%d %H:%M} UTC"
        then = {
            "session": ", raise the limit, or begin a new session",
            "task": ", or raise the limit",
            "call": ", or raise the limit",
        }
        super().__init__(
            f"budget exceeded: {scope} limit {sign}{limit:f}{word}, spent {sign}{spent:f}, "
            f"reserved {sign}{reserved:f}, this call may need {sign}{requested:f}; {sign}{left:f} left {when}.\n"
            f"To fix: let the call need less (a smaller `max_tokens`){then.get(scope, ', raise the limit, or wait')}."
        )

    def in_words_of(self, system: str) -> str:
        """Return the text that another system has for it, for those who look for it.

        Args:
            system: `mofa` (`Budget exceeded: SessionTokensExceeded { used: 50001, limit: 50000 }`) or `vapora`
                (`Daily budget exceeded: 2400 + 200 > 2500`, in cents).

        Raises:
            ConfigurationError: It is neither.
        """
        words = {"session": "Session", "day": "Daily", "month": "Monthly", "task": "Task", "call": "Call"}
        scope, held = words.get(self.scope, self.scope), self.spent + self.reserved
        if system == "mofa":
            what = "Cost" if self.unit == "usd" else "Tokens"
            used = held + self.requested
            return f"Budget exceeded: {scope}{what}Exceeded {{ used: {used:f}, limit: {self.limit:f} }}"
        if system == "vapora":
            cents = (each * 100 if self.unit == "usd" else each for each in (held, self.requested, self.limit))
            spent, asked, limit = (f"{each.normalize() + 0:f}" for each in cents)
            return f"{scope} budget exceeded: {spent} + {asked} > {limit}"
        raise ConfigurationError(f'no words of `{system}` are known.\nTo fix: error.in_words_of("mofa")')


class ThrottledError(RejectedError):
    """A limit of our own has no room for the request in time; it was not sent.

    Args:
        provider: Whom it would have gone to.
        limit: Which limit: `rpm`, `tpm`, `concurrency`, `queue`, or a provider's own `retry_after`.
        cause: Why it does not wait: the `deadline` of the call or the `queue_timeout` would pass, the queue is full
            (`queue_full`), it is larger than a whole minute's tokens (`too_large`), or what keeps the limits cannot be
            asked, and was told to refuse then (`store_down`).
        retry_after: Seconds until it could go; None where that is not known, or never.
    """

    def __init__(self, provider: str, *, limit: str, cause: str, retry_after: float | None) -> None:
        self.provider = provider
        self.limit = limit
        self.cause = cause
        self.retry_after = retry_after
        if cause == "store_down":
            super().__init__(
                f"a request to `{provider}` was held back: its limits cannot be asked for, and their store refuses "
                "requests meanwhile.\nTo fix: make its server reachable, or have the store let requests pass while it "
                "is not"
            )
            return
        when = "" if retry_after is None else f"; it could go in {retry_after:.1f} s"
        why, fix = {
            "deadline": ("which is after the call's deadline", "a longer `deadline`"),
            "queue_timeout": ("which is longer than `queue_timeout` allows", "a longer `queue_timeout`"),
            "queue_full": ("and `max_queue` others wait already", "a larger `max_queue`"),
            "too_large": ("which is less than this request alone may need", "a smaller `max_tokens`"),
        }.get(cause, ("", "more room"))
        super().__init__(
            f"a request to `{provider}` was held back by `{limit}`, {why}{when}.\n"
            f"To fix: {fix}, a higher limit, or another provider to fall back to"
        )


class DeadlineExceededError(RejectedError):
    """The call's own deadline left no room for another attempt.

    Args:
        deadline: The deadline of the whole call, in seconds from its start.
        needed: Seconds the next step would have needed.
        last_error: The failure of the attempt before.
    """

    def __init__(self, *, deadline: float, needed: float, last_error: BaseException | None = None) -> None:
        self.deadline = deadline
        self.needed = needed
        self.last_error = last_error
        super().__init__(
            f"the call's deadline of {deadline:g} s leaves no room for the next step, which needs {needed:g} s"
        )


class AllProvidersFailedError(LLMTestError):
    """Every provider of a chain failed; the first error is usually the cause, so none is dropped.

    Args:
        chain: Name of the chain.
        errors: `(provider, error)` of every slot that was tried or skipped, in order.
    """

    def __init__(self, chain: str, errors: Sequence[tuple[str, Exception]]) -> None:
        self.chain = chain
        self.errors = tuple(errors)
        waits = [
            wait
            for _, error in self.errors
            if isinstance(error, CircuitOpenError | RateLimitedError) and (wait := error.retry_after) is not None
        ]
        self.retry_after: float | None = min(waits) if waits else None
        if self.errors and all(isinstance(error, CircuitOpenError) for _, error in self.errors):
            headline = f"`{chain}`: all providers unavailable (circuit breakers open)"
        else:
            headline = f"`{chain}`: all providers failed"
        facts = "".join(f"\n  {name}: {type(error).__name__}: {error}" for name, error in self.errors)
        super().__init__(headline + facts)


class ConfigurationError(LLMTestError):
    """A setting, a file or an argument is wrong; the text says where and how to fix it."""


class CassetteFileError(ConfigurationError):
    """A cassette cannot be read, or cannot be written; what was there before is untouched."""


class CassetteWarning(UserWarning):
    """Something about a cassette that no test fails for: a key that nobody knows, drift, its age."""


class ScenarioError(ConfigurationError):
    """A scenario, chain or trace file is wrong.

    Args:
        message: What is wrong, with the nearest valid thing and how to fix it.
        path: The file.
        line: Line in the file, from 1; None where the file as a whole is at fault.
    """

    def __init__(self, message: str, *, path: str | None = None, line: int | None = None) -> None:
        self.message = message
        self.path = path
        self.line = line
        where = "" if path is None else f"{path}: " if line is None else f"{path}:{line}: "
        super().__init__(where + message)


class UnknownProviderError(ConfigurationError):
    """A name that no provider has."""


class UnknownPriceError(ConfigurationError):
    """No price is known for a model, so its cost is unknown, which is not the same as zero.

    Args:
        message: The text, with how to add the price.
        provider: Provider of the model.
        model: The model without a price.
    """

    def __init__(self, message: str, *, provider: str | None = None, model: str | None = None) -> None:
        self.provider = provider
        self.model = model
        super().__init__(message)


class HarnessError(BaseException):
    """The test is wrong, not the code under test. Never caught, always recorded; see the module's docstring."""


class UnscriptedRequestError(HarnessError):
    """A simulated provider received a request that its script has no answer for."""


class UnusedStepsError(HarnessError):
    """A script still had steps to play when the test ended."""


class NetworkBlockedError(HarnessError):
    """A live request was stopped before it left the process."""


class CassetteMismatchError(HarnessError):
    """No recorded interaction matches a request."""


class VirtualTimeStalledError(HarnessError):
    """Every task is waiting, and none of them is waiting for time."""


class VirtualTimeLivelockError(HarnessError):
    """Code keeps running without letting virtual time move, or moves it without end."""


class AmbiguousCallError(HarnessError):
    """An assertion about one logical call cannot tell which requests belong to it."""


class SimulationStateError(HarnessError):
    """A simulation was used in a way it cannot be: nested, after its end, or from a foreign loop."""
