"""The schema of a chain file: who answers, in which order, and what is done when they do not."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, WithJsonSchema, model_validator

from llmtest.config._fields import Count, Flag, Money, Percent, Positive, Real, Seconds, Share, Text
from llmtest.config._secrets import Secret
from llmtest.config._validation import Section, one_of
from llmtest.resilience import CircuitBreakerConfig, FallbackCondition, FallbackTrigger
from llmtest.wire import default_dialect

__all__ = [
    "BudgetSection",
    "ChainSection",
    "CircuitBreakerSection",
    "RetryBudgetSection",
    "RetrySection",
    "SlotSection",
    "TimeoutsSection",
]

TRIGGERS = ("any_error", "never", "default", "mofa")
BREAKER_PRESETS = ("mofa", "ironclaw")
UNKNOWN_PRICE = ("error", "warn")


class RetryBudgetSection(Section):
    """A limit on retries as a share of all calls."""

    ratio: Share = 0.2
    """Retries that each call pays for."""
    reserve: Count = 10
    """Retries that are there from the start."""


class RetrySection(Section):
    """Ask the same provider again after a failure that may pass."""

    max_attempts: Positive | None = None
    """Requests to one provider, the first included; 3 by default, 1 never retries."""
    max_retries: Count | None = None
    """The same, not counting the first."""
    base_delay: Seconds | None = None
    """Longest wait before the first retry; 1s by default."""
    multiplier: Real | None = None
    """How the longest wait grows; 2 by default."""
    max_delay: Seconds | None = None
    """Longest wait of all; 10s by default. A longer Retry-After is obeyed nevertheless."""
    jitter: Flag | None = None
    """Whether waits are drawn; true by default."""
    max_retry_after: Seconds | None = None
    """Longest Retry-After that is waited for; 60s by default."""
    max_timeout_retries: Count | None = None
    """Retries after a timeout, of all that are allowed; 1 by default."""
    budget: RetryBudgetSection | None = None
    """A limit on retries as a share of all calls."""

    @model_validator(mode="after")
    def _say_it_once(self) -> RetrySection:
        if self.max_attempts is not None and self.max_retries is not None:
            raise ValueError("takes `max_attempts` or `max_retries`, not both")
        return self


class CircuitBreakerSection(Section):
    """Stop asking a provider that keeps failing, and probe it again later."""

    failure_threshold: Positive | None = None
    """Consecutive failures that open the circuit; 5 by default."""
    cooldown_secs: Seconds | None = None
    """Seconds it stays open before a probe is let through; 30 by default."""
    recovery_timeout: Seconds | None = None
    """The same by another name."""
    half_open_max_calls: Positive | None = None
    """Probes that may be under way at a time; 1 by default."""
    half_open_successes: Positive | None = None
    """Probes that must succeed to close it; 1 by default."""
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

    @model_validator(mode="after")
    def _say_it_once(self) -> CircuitBreakerSection:
        if self.cooldown_secs is not None and self.recovery_timeout is not None:
            raise ValueError("takes `cooldown_secs` or `recovery_timeout`, not both")
        return self

    def config(self) -> CircuitBreakerConfig:
        """Return the settings."""
        return CircuitBreakerConfig(**{key: value for key, value in self if value is not None})


class TimeoutsSection(Section):
    """Limits of each attempt, and one deadline over all of them."""

    connect: Seconds | None = None
    """Until the connection stands; 10s by default."""
    first_token: Seconds | None = None
    """Until the first piece of the answer."""
    read: Seconds | None = None
    """Longest silence between two pieces; 60s by default."""
    total: Seconds | None = None
    """One attempt; 120s by default."""
    deadline: Seconds | None = None
    """The whole call, every retry and fallback included."""


def _unknown_price(value: Any) -> str:
    if value not in UNKNOWN_PRICE:
        raise ValueError(one_of("choice", value, list(UNKNOWN_PRICE)))
    return str(value)


UnknownPrice = Annotated[
    Literal["error", "warn"], BeforeValidator(_unknown_price), WithJsonSchema({"enum": list(UNKNOWN_PRICE)})
]


class BudgetSection(Section):
    """Limits on tokens and money."""

    max_tokens_per_session: Count | None = None
    """Tokens in one run."""
    max_cost_per_session: Money | None = None
    """USD in one run."""
    max_tokens_per_day: Count | None = None
    """Tokens in a UTC day."""
    max_cost_per_day: Money | None = None
    """USD in a UTC day."""
    max_cost_per_month: Money | None = None
    """USD in a UTC month."""
    max_cost_per_task: Money | None = None
    """USD in one task; a call without a task is a task of its own."""
    warn_threshold_percent: Percent | None = None
    """Share of a limit in USD per day, month or task from which on the trace is told, in percent."""
    halt_on_budget_exceeded: Flag = True
    """Whether a call that could pass a limit is refused."""
    on_unknown_price: UnknownPrice = "error"
    """What becomes of a call without a known price where USD are limited: `error` refuses it, `warn` only tells."""


def _trigger(value: Any) -> FallbackTrigger:
    if isinstance(value, FallbackTrigger):
        return value
    if isinstance(value, str):
        if value not in TRIGGERS:
            raise ValueError(one_of("trigger", value, list(TRIGGERS)))
        return {
            "any_error": FallbackTrigger.any_error,
            "never": FallbackTrigger.never,
            "default": FallbackTrigger.default,
            "mofa": FallbackTrigger.mofa,
        }[value]()
    if not isinstance(value, dict) or set(value) != {"conditions"} or not isinstance(value["conditions"], list):
        raise ValueError("must be `any_error`, `never`, `default`, or `{conditions: [rate_limited, ...]}`")
    known = [str(condition) for condition in FallbackCondition]
    for condition in value["conditions"]:
        if condition not in known:
            raise ValueError(one_of("condition", condition, known))
    if not value["conditions"]:
        raise ValueError("`conditions` is empty; write `trigger: never`")
    return FallbackTrigger.on(*value["conditions"])


_CONDITIONS = {
    "type": "object",
    "properties": {"conditions": {"type": "array", "items": {"enum": [str(each) for each in FallbackCondition]}}},
    "required": ["conditions"],
    "additionalProperties": False,
}
Trigger = Annotated[Any, BeforeValidator(_trigger), WithJsonSchema({"anyOf": [{"enum": list(TRIGGERS)}, _CONDITIONS]})]
"""Which failures of a slot send the call to the next one."""


def _provider(value: Any) -> Any:
    """Accept a name, or a provider object where the chain is built from Python."""
    if isinstance(value, str | int | float | list | dict | None):
        if not isinstance(value, str) or not value:
            raise ValueError(f"`{value}` is not the name of a provider")
        return value
    if not hasattr(value, "complete") and not hasattr(value, "complete_async"):
        raise ValueError(f"`{type(value).__name__}` is not a provider; it lacks `complete`")
    return value


def _breaker(value: Any) -> Any:
    if isinstance(value, str):
        if value not in BREAKER_PRESETS:
            raise ValueError(one_of("preset", value, list(BREAKER_PRESETS)))
        preset = CircuitBreakerConfig.mofa() if value == "mofa" else CircuitBreakerConfig.ironclaw()
        return {
            "failure_threshold": preset.failure_threshold,
            "recovery_timeout": preset.recovery_timeout,
            "half_open_max_calls": preset.half_open_max_calls,
            "half_open_successes": preset.half_open_successes,
        }
    return value


Breaker = Annotated[
    CircuitBreakerSection,
    BeforeValidator(_breaker),
    WithJsonSchema({"anyOf": [{"enum": list(BREAKER_PRESETS)}, {"x-section": "CircuitBreakerSection"}]}),
]
"""Settings of a circuit breaker, or the name of a preset."""


def _key(value: Any) -> Secret:
    return value if isinstance(value, Secret) else Secret(value)


_SOURCED = {"type": "object", "properties": {"source": {"type": "string"}}, "required": ["source"]}
Key = Annotated[
    Secret, BeforeValidator(_key), WithJsonSchema({"anyOf": [{"type": "string", "minLength": 1}, _SOURCED]})
]
"""A key, or where it is."""


def _priority(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise ValueError(f"`{value}` is not a whole number")  # noqa: TRY004 - pydantic collects ValueErrors
    return value


Priority = Annotated[int, BeforeValidator(_priority), WithJsonSchema({"type": "integer"})]


class SlotSection(Section):
    """One place of a chain."""

    provider: Annotated[Any, BeforeValidator(_provider), WithJsonSchema({"type": "string"})]
    """Who answers."""
    model: Text | None = None
    """The model to ask for; by default the provider's."""
    api_key: Key | None = None
    """The key; by default from the environment. Write `${VAR}`, `env:VAR` or `file:PATH`, never the key itself."""
    api_key_env: Text | None = None
    """The variable of the environment that holds the key; the same as `api_key: env:VAR`."""
    base_url: Text | None = None
    """Where the provider is; by default its own address."""
    api: Text | None = None
    """Which of the provider's APIs answers: `chat` by default, or `responses` where it has them."""
    trigger: Trigger | None = None
    """Which failures send the call to the next slot; `default` by default, the last slot never does."""
    model_mapping: dict[str, str] | None = None
    """Model to ask this provider for, by the model that the request names; `*` stands for every other one."""
    priority: Priority | None = None
    """Slots with a higher number come first; slots without one keep their order, as 0."""
    retry: RetrySection | None = None
    """How often this provider is asked again; by default as the chain says."""
    circuit_breaker: Breaker | None = None
    """When its circuit opens; by default as the chain says."""
    timeouts: TimeoutsSection | None = None
    """How long it may take; by default as the chain says."""
    quota_group: Text | None = None
    """Slots of one group share their provider's quota: a 429 of one lets all of them cool down."""

    @model_validator(mode="after")
    def _one_key(self) -> SlotSection:
        if self.api_key is not None and self.api_key_env is not None:
            raise ValueError("takes `api_key` or `api_key_env`, not both")
        return self

    @property
    def key(self) -> Secret | None:
        """The key that the slot names; None takes that of the environment."""
        return self.api_key if self.api_key_env is None else Secret({"source": "env", "name": self.api_key_env})


class ChainSection(Section):
    """Providers in the order in which they are asked, and the policies around them."""

    name: Text = "fallback-chain"
    """What the chain is called."""
    retry: RetrySection | None = None
    """Whether and when the same provider is asked again; up to 3 attempts by default, `null` never."""
    circuit_breaker: Breaker | None = None
    """Stop asking a provider that keeps failing: settings, `mofa`, or `ironclaw`; on by default, `null` is off."""
    timeouts: TimeoutsSection | None = None
    """How long to wait; `null` sets no limits."""
    budget: BudgetSection | None = None
    """Limits on tokens and money."""
    providers: list[SlotSection]
    """The slots."""

    @model_validator(mode="after")
    def _answer_somehow(self) -> ChainSection:
        if not self.providers:
            raise ValueError(f"`providers` needs at least one provider, such as `- provider: {default_dialect().name}`")
        return self
