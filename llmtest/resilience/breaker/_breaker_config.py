"""When a circuit opens, who is let through while it recovers, and how it closes again: settings, checked when made."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import InitVar, dataclass, field
from math import isfinite
from typing import Self

from llmtest.errors import ConfigurationError
from llmtest.events import BreakerChanged
from llmtest.types._spelling import settings_tell_near_arguments

__all__ = ["CircuitBreakerConfig"]

DEFAULT_THRESHOLD = 5
DEFAULT_WINDOW = 100
"""Calls of a window whose size nobody says."""
RULES = ("failure_rate", "slow_call_rate", "failure_z_score")
"""Rules that look at a window of calls."""


@settings_tell_near_arguments
@dataclass(frozen=True, slots=True, kw_only=True)
class CircuitBreakerConfig:
    """When a circuit opens, and how it closes again.

    By default consecutive failures count, one for each call (however often it was retried). A success resets the count;
    errors that prove nothing about the provider (a wrong request, a refused key, a cancelled call) leave it as it is. A
    429 does not count, unless `count_rate_limits` says so: the circuit cools down until the provider's `Retry-After`,
    without changing its state.

    With `failure_rate`, `slow_call_rate` or `failure_z_score` the circuit looks at a window of calls instead, the last
    `window_calls` or those of the last `window_seconds`; it opens when any of these rules says so, at a call that
    failed or was slow.

    Args:
        failure_threshold: Consecutive failures that open the circuit; 1 or more. 5 where no rule of a window is given,
            and not allowed beside one.
        recovery_timeout: Seconds it stays open before a probe is let through; 0 or more.
        half_open_max_calls: Probes that may be under way at a time; 1 or more.
        half_open_successes: Probes that must succeed to close it; 1 or more.
        half_open_success_rate: Share of `half_open_max_calls` probes that must succeed instead, above 0 and up to 1; so
            many failed probes as the rest allows do not open it again. None: the first failed probe does.
        probe_timeout: Seconds after which a probe that never ended no longer blocks others; None takes
            `recovery_timeout`.
        recovery_multiplier: Growth of `recovery_timeout` each time a probe fails; 1.0 or more. Closing resets it.
        max_recovery_timeout: Most seconds it stays open, where `recovery_multiplier` lets that grow.
        max_cooldown: Longest cooldown after a 429, in seconds; 0 or more.
        quota_cooldown: Cooldown after an exhausted account that names no time, in seconds.
        count_rate_limits: Whether a 429 counts as a failure, too.
        failure_rate: Share of failed calls in the window that opens it, above 0 and up to 1. At 0.5, 5 failures of 10.
        slow_call_rate: Share of slow calls in the window that opens it, above 0 and up to 1.
        slow_call_duration: Seconds from which on a call is slow, more than 0; a stream until its first visible piece.
            Retries and the waits between them are part of a call, except where the circuit is inside of retry. A slow
            probe counts as a failed one.
        failure_z_score: How many standard deviations the failures among the last `minimum_calls` must lie above what
            the rest of the window lets expect, more than 0; 2 to 3 is usual. A window in which fewer than 5 % failed
            counts as one with 5 %, so that one failure after a long quiet time is no anomaly.
        window_calls: Calls that a window holds, 1 or more; 100 by default.
        window_seconds: Seconds that a window spans instead, more than 0. It moves on by tenths, so that it takes as
            much memory for a million calls as for ten.
        minimum_calls: Calls that must be in the window before a rule of it holds; 1 or more, at most `window_calls`.
        restoration: Seconds over which the share of calls that are let through rises to all of them, after the circuit
            has closed; 0 or more, 0 lets all through at once. The others are refused as by an open circuit.
        restoration_share: The share that it begins with, above 0 and up to 1.
        on_change: Called with the `BreakerChanged` of each change, as with `CircuitBreaker.listen`.
        cooldown_secs: Another name for `recovery_timeout`; it wins where both are given.

    Raises:
        ConfigurationError: A value is out of its range, or two settings contradict each other.

    Example:
        >>> CircuitBreakerConfig.mofa().failure_threshold
        3
        >>> CircuitBreakerConfig(failure_rate=0.5, window_seconds=60).minimum_calls
        10
    """

    failure_threshold: int | None = None
    recovery_timeout: float = 30.0
    half_open_max_calls: int = 1
    half_open_successes: int = 1
    probe_timeout: float | None = None
    recovery_multiplier: float = 1.0
    max_recovery_timeout: float = 300.0
    max_cooldown: float = 3600.0
    quota_cooldown: float = 300.0
    count_rate_limits: bool = False
    half_open_success_rate: float | None = None
    failure_rate: float | None = None
    slow_call_rate: float | None = None
    slow_call_duration: float | None = None
    failure_z_score: float | None = None
    window_calls: int | None = None
    window_seconds: float | None = None
    minimum_calls: int | None = None
    restoration: float = 0.0
    restoration_share: float = 0.1
    on_change: Callable[[BreakerChanged], object] | None = field(default=None, compare=False, repr=False)
    cooldown_secs: InitVar[float | None] = None

    def __post_init__(self, cooldown_secs: float | None) -> None:
        if cooldown_secs is not None:
            object.__setattr__(self, "recovery_timeout", float(cooldown_secs))
        self._choose_rules()
        for name in ("failure_threshold", "half_open_max_calls", "half_open_successes", "window_calls"):
            self._require(name, "1 or more", lambda value: value >= 1)
        for name in ("recovery_timeout", "max_cooldown", "quota_cooldown", "max_recovery_timeout", "restoration"):
            self._require(name, "0 or more seconds", lambda value: value >= 0)
        for name in ("probe_timeout", "slow_call_duration", "window_seconds"):
            self._require(name, "more than 0 seconds", lambda value: value > 0)
        for name in ("failure_rate", "slow_call_rate", "half_open_success_rate", "restoration_share"):
            self._require(name, "above 0.0 and up to 1.0", lambda value: 0 < value <= 1)
        self._require("failure_z_score", "more than 0", lambda value: value > 0 and isfinite(value))
        self._require("recovery_multiplier", "1.0 or more", lambda value: value >= 1)
        self._agree()

    def _choose_rules(self) -> None:
        """Fill in what depends on whether a window decides; refuse what would decide nothing."""
        rule = next((name for name in RULES if getattr(self, name) is not None), None)
        if rule is None:
            for name in ("window_calls", "window_seconds", "minimum_calls", "slow_call_duration"):
                if getattr(self, name) is not None:
                    raise ConfigurationError(
                        f"{name}={getattr(self, name)} decides nothing without a rule for the window.\n"
                        f"To fix: add {'slow_call_rate' if name == 'slow_call_duration' else 'failure_rate'}=0.5, or "
                        f"leave {name} out"
                    )
            if self.failure_threshold is None:
                object.__setattr__(self, "failure_threshold", DEFAULT_THRESHOLD)
            return
        if self.failure_threshold is not None:
            raise ConfigurationError(
                f"failure_threshold={self.failure_threshold} counts failures in a row, and {rule}="
                f"{getattr(self, rule)} looks at a window of calls; only one of them can decide.\n"
                "To fix: leave one of the two out"
            )
        if self.window_calls is not None and self.window_seconds is not None:
            raise ConfigurationError(
                f"a window holds window_calls={self.window_calls} or spans window_seconds={self.window_seconds}, not "
                "both.\nTo fix: leave one of the two out"
            )
        if self.window_seconds is None and self.window_calls is None:
            object.__setattr__(self, "window_calls", DEFAULT_WINDOW)
        if self.minimum_calls is None:
            object.__setattr__(self, "minimum_calls", min(10, self.window_calls or 10))

    def _agree(self) -> None:
        """Refuse settings that contradict each other."""
        most = "" if self.window_calls is None else f", at most window_calls={self.window_calls}"
        if self.minimum_calls is not None and not 1 <= self.minimum_calls <= (self.window_calls or self.minimum_calls):
            raise ConfigurationError(f"minimum_calls must be 1 or more{most}, got {self.minimum_calls}")
        if (self.slow_call_rate is None) is not (self.slow_call_duration is None):
            given, lacking = ("slow_call_rate", "slow_call_duration")
            if self.slow_call_rate is None:
                given, lacking = lacking, given
            raise ConfigurationError(
                f"{given}={getattr(self, given)} needs {lacking}, without which no call is slow enough to count.\n"
                f"To fix: add {lacking}={'10.0' if lacking == 'slow_call_duration' else '0.5'}, or leave {given} out"
            )
        if self.failure_z_score is not None and self.window_seconds is not None:
            raise ConfigurationError(
                "failure_z_score compares the last calls with those before them, which a window in seconds does not "
                "tell apart.\nTo fix: write window_calls=1000 instead of window_seconds"
            )
        if self.half_open_success_rate is not None and self.half_open_successes != 1:
            raise ConfigurationError(
                f"half_open_success_rate={self.half_open_success_rate} and half_open_successes="
                f"{self.half_open_successes} both say how many probes must succeed.\nTo fix: leave one of the two out"
            )

    def _require(self, name: str, legal: str, is_legal: Callable[[float], bool]) -> None:
        value = getattr(self, name)
        if value is not None and not is_legal(value):
            raise ConfigurationError(f"{name} must be {legal}, got {value}")

    @classmethod
    def mofa(cls) -> Self:
        """Return MoFA's numbers: 3 failures, 30 s, one probe, one success."""
        return cls(failure_threshold=3, recovery_timeout=30.0)

    @classmethod
    def ironclaw(cls) -> Self:
        """Return IronClaw's numbers: 5 failures, 30 s, three probes at a time, two successes."""
        return cls(failure_threshold=5, recovery_timeout=30.0, half_open_max_calls=3, half_open_successes=2)

    @classmethod
    def llmkit(cls) -> Self:
        """Return llmkit's numbers: 2.5 standard deviations in 1000 calls, 60 s, 8 of 10 probes.

        llmkit itself opens on single failures, and has no timer that would close it again.
        """
        return cls(
            failure_z_score=2.5,
            window_calls=1000,
            recovery_timeout=60.0,
            half_open_max_calls=10,
            half_open_success_rate=0.8,
        )

    @classmethod
    def caxton(cls) -> Self:
        """Return a circuit that restores gradually, as Caxton asks: 5 failures, 30 s, 2 successes, a minute of rise."""
        return cls(failure_threshold=5, recovery_timeout=30.0, half_open_successes=2, restoration=60.0)
