"""The schema of health in a chain file: when providers are asked, what makes them ill, and who is told."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BeforeValidator, WithJsonSchema, model_validator

from llmtest.config._fields import Flag, Money, Positive, Seconds, Share, Text
from llmtest.config._validation import Section, one_of, said_once
from llmtest.errors import ConfigurationError
from llmtest.resilience import AlertConfig, HealthConfig

__all__ = ["Health", "HealthSection"]

PRESETS = {"llmkit": HealthConfig.llmkit, "caxton": HealthConfig.caxton}
OTHER_NAMES = {"interval_seconds": "interval", "timeout_seconds": "timeout", "test_prompt": "prompt"}
"""What other systems call what."""
ASKS = ("call", "models")


def _ask(value: Any) -> str:
    if value not in ASKS:
        raise ValueError(one_of("choice", value, list(ASKS)))
    return str(value)


Ask = Annotated[str, BeforeValidator(_ask), WithJsonSchema({"enum": list(ASKS)})]


class AlertSection(Section):
    """When somebody is told of a provider: an `alert` in the trace, for each that begins and each that ends."""

    downtime: Seconds | None = None
    """Time for which a provider has to be ill; 0 by default, `null` tells of none."""
    error_rate: Share | None = None
    """Share of failed calls in the window; 50 % by default, `null` tells of none."""
    slow: Seconds | None = None
    """Time from which on an answer is slow; by default none is."""
    slow_rate: Share | None = None
    """Share of slow answers in the window; 50 % by default."""
    cost_usd: Money | None = None
    """USD spent with one provider in the window; no limit by default."""
    window: Seconds | None = None
    """Time that shares and costs look back at; 5m by default."""
    minimum_calls: Positive | None = None
    """Calls that must be in the window before a share counts; 10 by default."""

    @model_validator(mode="after")
    def _is_possible(self) -> AlertSection:
        try:
            self.config()
        except ConfigurationError as error:
            raise ValueError(str(error).removeprefix("alerts: ")) from None
        return self

    def config(self) -> AlertConfig:
        """Return it as the chain takes it."""
        given: dict[str, Any] = {key: value for key, value in self if value is not None}
        for key in ("downtime", "error_rate"):
            if key in self.model_fields_set:
                given[key] = getattr(self, key)
        return AlertConfig(**given)


class HealthSection(Section):
    """Ask providers whether they answer, and ask those last that do not."""

    enabled: Flag = True
    """Whether anybody asks."""
    interval: Seconds | None = None
    """Time from what was last known of a provider to its next probe; 60s by default."""
    interval_seconds: Seconds | None = None
    """The same by Caxton's name."""
    timeout: Seconds | None = None
    """Longest time of a probe; 10s by default."""
    timeout_seconds: Seconds | None = None
    """The same by Caxton's name."""
    failure_threshold: Positive | None = None
    """Failures in a row after which a provider is ill; 3 by default."""
    recovery_threshold: Positive | None = None
    """Successes in a row after which it is well again; 2 by default."""
    active: Flag | None = None
    """Whether probes are sent; true by default."""
    passive: Flag | None = None
    """Whether calls tell too; true by default."""
    prompt: Text | None = None
    """What a probe says; `ping` by default."""
    test_prompt: Text | None = None
    """The same by Caxton's name."""
    max_tokens: Positive | None = None
    """Most tokens of the answer to it; 16 by default."""
    ask: Ask | None = None
    """What a probe asks for: an answer (`call`, the default), or the list of `models`, which costs nothing."""
    rest_after: Seconds | None = None
    """Time without a call after which no more probes are sent; 10m by default, `null` never rests."""
    alerts: AlertSection | None = None
    """When somebody is told; never by default."""

    @model_validator(mode="after")
    def _is_possible(self) -> HealthSection:
        try:
            self.config()
        except ConfigurationError as error:
            raise ValueError(str(error).removeprefix("health: ")) from None
        return self

    def config(self) -> HealthConfig | None:
        """Return it as the chain takes it; None where nobody asks."""
        given: dict[str, Any] = said_once(self, OTHER_NAMES)
        given.pop("enabled", None)
        if self.alerts is not None:
            given["alerts"] = self.alerts.config()
        if "rest_after" in self.model_fields_set:
            given["rest_after"] = self.rest_after
        return HealthConfig(**given) if self.enabled else None


def _health(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    if value not in PRESETS:
        raise ValueError(one_of("preset", value, list(PRESETS)))
    preset = PRESETS[value]()
    return {"interval": preset.interval, "timeout": preset.timeout, "prompt": preset.prompt}


Health = Annotated[
    HealthSection,
    BeforeValidator(_health),
    WithJsonSchema({"anyOf": [{"enum": list(PRESETS)}, {"x-section": "HealthSection"}]}),
]
"""Settings of health, or the name of a preset."""
