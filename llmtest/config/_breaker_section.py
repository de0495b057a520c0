"""The schema of the circuit breaker in a chain file."""

from __future__ import annotations

from dataclasses import fields
from typing import Annotated, Any

from pydantic import BeforeValidator, WithJsonSchema, model_validator

from llmtest.config._fields import Count, Flag, Milliseconds, Positive, Real, Seconds, Share
from llmtest.config._validation import Section, one_of, said_once
from llmtest.errors import ConfigurationError
from llmtest.resilience import CircuitBreakerConfig

__all__ = ["Breaker", "CircuitBreakerSection"]

PRESETS = {
    "mofa": CircuitBreakerConfig.mofa,
    "ironclaw": CircuitBreakerConfig.ironclaw,
    "llmkit": CircuitBreakerConfig.llmkit,
    "caxton": CircuitBreakerConfig.caxton,
}
OTHER_NAMES = {
    "cooldown_secs": "recovery_timeout",
    "recovery_timeout_ms": "recovery_timeout",
    "success_threshold": "half_open_successes",
    "failure_threshold_z_score": "failure_z_score",
    "half_open_requests": "half_open_max_calls",
    "success_rate_threshold": "half_open_success_rate",
    "history_size": "window_calls",
}
"""What other systems call what."""


class CircuitBreakerSection(Section):
    """Stop asking a provider that keeps failing, and probe it again later."""

    failure_threshold: Positive | None = None
    """Consecutive failures that open the circuit; 5 by default, where no rule of a window decides."""
    cooldown_secs: Seconds | None = None
    """Seconds it stays open before a probe is let through; 30 by default."""
    recovery_timeout: Seconds | None = None
    """The same by another name."""
    recovery_timeout_ms: Milliseconds | None = None
    """The same in milliseconds."""
    half_open_max_calls: Positive | None = None
    """Probes that may be under way at a time; 1 by default."""
    half_open_requests: Positive | None = None
    """The same by llmkit's name."""
    half_open_successes: Positive | None = None
    """Probes that must succeed to close it; 1 by default."""
    success_threshold: Positive | None = None
    """The same by Caxton's name."""
    half_open_success_rate: Share | None = None
    """Share of `half_open_max_calls` probes that must succeed instead."""
    success_rate_threshold: Share | None = None
    """The same by llmkit's name."""
    probe_timeout: Seconds | None = None
    """Time after which a probe that never ended no longer blocks others."""
    recovery_multiplier: Real | None = None
    """Growth of the open time each time a probe fails; 1 by default."""
    max_recovery_timeout: Seconds | None = None
    """Most time it stays open, where `recovery_multiplier` lets that grow."""
    max_cooldown: Seconds | None = None
    """Longest Retry-After that keeps the provider from being asked."""
    quota_cooldown: Seconds | None = None
    """Time for which a provider without credit is not asked."""
    count_rate_limits: Flag | None = None
    """Whether a 429 counts as a failure; by default the provider is only left alone until its Retry-After."""
    failure_rate: Share | None = None
    """Share of failed calls in the window that opens the circuit."""
    slow_call_rate: Share | None = None
    """Share of slow calls in the window that opens it."""
    slow_call_duration: Seconds | None = None
    """Time from which on a call is slow; a stream until its first visible piece."""
    failure_z_score: Real | None = None
    """How many standard deviations the last failures must lie above what the rest of the window lets expect."""
    failure_threshold_z_score: Real | None = None
    """The same by llmkit's name."""
    window_calls: Positive | None = None
    """Calls that a window holds; 100 by default."""
    history_size: Positive | None = None
    """The same by llmkit's name."""
    window_seconds: Seconds | None = None
    """Time that a window spans instead."""
    minimum_calls: Count | None = None
    """Calls that must be in the window before a rule of it holds; 10 by default."""
    restoration: Seconds | None = None
    """Time over which the share of calls let through rises to all, after the circuit has closed; 0 by default."""
    restoration_share: Share | None = None
    """The share that it begins with; 10 % by default."""

    @model_validator(mode="after")
    def _agree(self) -> CircuitBreakerSection:
        try:
            self.config()
        except ConfigurationError as error:
            raise ValueError(str(error)) from None
        return self

    def config(self) -> CircuitBreakerConfig:
        """Return the settings."""
        return CircuitBreakerConfig(**said_once(self, OTHER_NAMES))


def _breaker(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    if value not in PRESETS:
        raise ValueError(one_of("preset", value, list(PRESETS)))
    preset, default = PRESETS[value](), CircuitBreakerConfig()
    found = {field.name: getattr(preset, field.name) for field in fields(preset)}
    if preset.failure_threshold is not None:
        return {"failure_threshold": preset.failure_threshold, **_changed(found, default)}
    return _changed(found, default)


def _changed(found: dict[str, Any], default: CircuitBreakerConfig) -> dict[str, Any]:
    return {name: value for name, value in found.items() if value is not None and value != getattr(default, name)}


Breaker = Annotated[
    CircuitBreakerSection,
    BeforeValidator(_breaker),
    WithJsonSchema({"anyOf": [{"enum": list(PRESETS)}, {"x-section": "CircuitBreakerSection"}]}),
]
"""Settings of a circuit breaker, or the name of a preset."""
