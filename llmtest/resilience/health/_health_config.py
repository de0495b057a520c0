"""When a provider is asked whether it is well, how many failures make it ill, and what somebody is told: settings."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Literal, Self, get_args

from llmtest.errors import ConfigurationError
from llmtest.types import is_number, is_whole
from llmtest.types._spelling import settings_tell_near_arguments

if TYPE_CHECKING:
    from llmtest.events import HealthAlert, HealthChanged
    from llmtest.resilience.health._health_store import HealthStore
    from llmtest.types import CompletionResponse

__all__ = ["AlertConfig", "HealthConfig"]

Ask = Literal["call", "models"]


@settings_tell_near_arguments
@dataclass(frozen=True, slots=True, kw_only=True)
class AlertConfig:
    """When somebody is told of a provider, by an event and a function; each alert begins once, and ends.

    That a key was refused (401, 403) is always told, until the provider answers again.

    Args:
        downtime: Seconds for which a provider has to be ill, 0 or more; None tells of none.
        error_rate: Share of failed calls in the window from which on there is an alert, above 0 and up to 1; None: no
            such alert.
        slow: Seconds from which on an answer is slow, more than 0; of a stream, its first visible piece. None: no alert
            of `degradation`.
        slow_rate: Share of slow answers in the window from which on there is one, above 0 and up to 1.
        cost_usd: USD spent with one provider in the window, probes included, from which on there is an alert; more than
            0. What has no known price is not counted. None: no such alert.
        window: Seconds that shares and costs look back at, more than 0; it moves on by tenths.
        minimum_calls: Calls that must be in the window before a share counts; 1 or more.
        on_alert: Called with each `HealthAlert`; what it raises is logged as an error of `llmtest.resilience`.

    Raises:
        ConfigurationError: A number is out of its range.

    Example:
        >>> AlertConfig(cost_usd="25.00").cost_usd
        Decimal('25.00')
    """

    downtime: float | None = 0.0
    error_rate: float | None = 0.5
    slow: float | None = None
    slow_rate: float = 0.5
    cost_usd: Decimal | None = None
    window: float = 300.0
    minimum_calls: int = 10
    on_alert: Callable[[HealthAlert], object] | None = None

    def __post_init__(self) -> None:
        if self.downtime is not None and not is_number(self.downtime):
            raise ConfigurationError(f"alerts: downtime must be 0 seconds or more, or None, got {self.downtime!r}")
        for name in ("error_rate", "slow_rate"):
            share = getattr(self, name)
            if not (share is None and name == "error_rate") and (not is_number(share) or not 0 < share <= 1):
                raise ConfigurationError(f"alerts: {name} must be a share above 0 and up to 1, got {share!r}")
        for name in ("slow", "window"):
            seconds = getattr(self, name)
            if not (seconds is None and name == "slow") and (not is_number(seconds) or not seconds > 0):
                raise ConfigurationError(f"alerts: {name} must be more than 0 seconds, got {seconds!r}")
        if not is_whole(self.minimum_calls, 1):
            raise ConfigurationError(
                f"alerts: minimum_calls must be a whole number, 1 or more, got {self.minimum_calls!r}"
            )
        object.__setattr__(self, "cost_usd", _usd(self.cost_usd))
        _check_function("alerts: on_alert", self.on_alert)


@settings_tell_near_arguments
@dataclass(frozen=True, slots=True, kw_only=True)
class HealthConfig:
    """Providers are asked at intervals whether they answer, and calls tell too; who is ill is asked last.

    A probe is a small call of its own: held to the budget and the limits of the chain, charged, and tagged `health` in
    attempts and in the ledger. It succeeds when the provider answers; an error of any status but 429 is a failure, a
    400 or a 404 as much as a 503. A 429 tells neither. Calls tell of failures that are the provider's: what counts for
    a circuit, and a refused key or an empty account.

    On an event loop a task sends the probes. In blocking code, where nothing runs between the calls, a call that finds
    one due makes it before it goes on, one at a time; a call whose deadline is nearer than twice `timeout` leaves it to
    the next.

    Args:
        interval: Seconds from what was last known of a provider to its next probe, more than 0. A call that tells of it
            counts, so that a busy provider costs no probes.
        timeout: Longest time of a probe in seconds, more than 0.
        failure_threshold: Failures in a row, 1 or more, after which a provider is ill.
        recovery_threshold: Successes in a row, 1 or more, after which it is well again.
        active: Whether probes are sent.
        passive: Whether calls tell of a provider too.
        prompt: What a probe says; not empty.
        max_tokens: Most tokens of the answer to it, 1 or more. An answer that was cut off by that counts: a model that
            thinks first may spend all of it.
        ask: What a probe asks: for an answer (`call`), or for the list of models (`models`), which costs nothing and
            proves less, of providers that have it. One that is ill is asked for an answer, whatever this says.
        accept: Given an answer to a probe, tells whether it is one; None takes any.
        rest_after: Seconds without a call after which no more probes are sent, until the next call; more than 0. None
            never rests.
        alerts: When somebody is told; None: never.
        on_change: Called with each `HealthChanged`; what it raises is logged as an error of `llmtest.resilience`.
        store: Where it is kept who is ill, for all chains that are given the same one; None: each chain its own.

    Raises:
        ConfigurationError: A number is out of its range, or neither probes nor calls are to tell.

    Example:
        >>> HealthConfig().interval, HealthConfig.llmkit().interval
        (60.0, 30.0)
    """

    interval: float = 60.0
    timeout: float = 10.0
    failure_threshold: int = 3
    recovery_threshold: int = 2
    active: bool = True
    passive: bool = True
    prompt: str = "ping"
    max_tokens: int = 16
    ask: Ask = "call"
    accept: Callable[[CompletionResponse], object] | None = None
    rest_after: float | None = 600.0
    alerts: AlertConfig | None = None
    on_change: Callable[[HealthChanged], object] | None = None
    store: HealthStore | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        for name in ("interval", "timeout", "rest_after"):
            seconds = getattr(self, name)
            if not (seconds is None and name == "rest_after") and (not is_number(seconds) or not seconds > 0):
                raise ConfigurationError(f"health: {name} must be more than 0 seconds, got {seconds!r}")
        for name in ("failure_threshold", "recovery_threshold", "max_tokens"):
            if not is_whole(getattr(self, name), 1):
                raise ConfigurationError(
                    f"health: {name} must be a whole number, 1 or more, got {getattr(self, name)!r}"
                )
        if self.ask not in get_args(Ask):
            raise ConfigurationError(f"health: ask is `call` or `models`, got {self.ask!r}")
        prompt: object = self.prompt
        if not isinstance(prompt, str) or not prompt.strip():
            raise ConfigurationError(f"health: prompt must be a text that is not empty, got {prompt!r}")
        if not (self.active or self.passive):
            raise ConfigurationError(
                "health: with active=False and passive=False nothing tells of a provider.\n"
                "To fix: HealthConfig(active=False), by which calls alone tell"
            )
        if self.alerts is not None and not isinstance(self.alerts, AlertConfig):
            raise ConfigurationError(
                f"health: alerts is an `AlertConfig`, not {self.alerts!r}.\n"
                "To fix: HealthConfig(alerts=AlertConfig(error_rate=0.5))"
            )
        _check_function("health: accept", self.accept)
        _check_function("health: on_change", self.on_change)

    @classmethod
    def llmkit(cls, **changes: Any) -> Self:
        """Return llmkit's numbers: every 30 s for 10 s, ill after 3 failures, well after 2 successes."""
        return cls(**{"interval": 30.0, "timeout": 10.0, "failure_threshold": 3, "recovery_threshold": 2, **changes})

    @classmethod
    def caxton(cls, **changes: Any) -> Self:
        """Return Caxton's numbers: every 60 s for 10 s, with its prompt."""
        return cls(**{"interval": 60.0, "timeout": 10.0, "prompt": "Hello, respond with 'OK'", **changes})


def _usd(amount: object) -> Decimal | None:
    """Return an amount of money; a float as it is written."""
    if amount is None:
        return None
    try:
        usd = Decimal(str(amount))
    except ArithmeticError:
        usd = Decimal("NaN")
    if isinstance(amount, bool) or not usd.is_finite() or usd <= 0:
        raise ConfigurationError(f"alerts: cost_usd must be more than 0 USD, got {amount!r}")
    return usd


def _check_function(what: str, given: object) -> None:
    if given is not None and not callable(given):
        raise ConfigurationError(f"{what} must be a function, got {given!r}")
