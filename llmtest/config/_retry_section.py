"""The schema of retries in a chain file: of calls that failed, and of answers that cannot be used."""

from __future__ import annotations

from dataclasses import fields
from typing import Annotated, Any

from pydantic import BeforeValidator, WithJsonSchema, model_validator

from llmtest.config._fields import Count, Milliseconds, Positive, Real, Seconds, Share, Text
from llmtest.config._units import parse_duration
from llmtest.config._validation import Section, one_of, said_once
from llmtest.errors import ConfigurationError
from llmtest.resilience import PromptRetry, RetryBudget, RetryCondition, RetryConfig

__all__ = ["PromptRetrySection", "Retry", "RetryBudgetSection", "RetrySection"]

PRESETS = {
    "none": RetryConfig.none,
    "ironclaw": RetryConfig.ironclaw,
    "llmkit_production": RetryConfig.llmkit_production,
    "conservative": RetryConfig.conservative,
    "mofa": RetryConfig.mofa,
    "caxton": RetryConfig.caxton,
}
BACKOFFS = ("fixed", "linear", "exponential", "decorrelated")
JITTERS = ("none", "equal", "full", "quarter")
OTHER_NAMES = {
    "retry_attempts": "max_retries",
    "base_delay_ms": "base_delay",
    "initial_delay_ms": "base_delay",
    "retry_delay_ms": "base_delay",
    "max_delay_ms": "max_delay",
    "min_delay_ms": "min_delay",
    "backoff_multiplier": "multiplier",
    "retry_on_errors": "retry_on",
}
"""What other systems call what."""


def _jitter(value: Any) -> Any:
    if isinstance(value, bool) or value in JITTERS:
        return value
    if value in ("true", "false"):  # From an environment variable.
        return value == "true"
    try:
        return parse_duration(value)
    except ValueError:
        words = ", ".join(f"`{word}`" for word in JITTERS)
        raise ValueError(f"`{value}` is neither `true` nor `false`, nor one of {words}, nor a duration") from None


_DURATION = {"type": "string", "pattern": r"^(\d+(\.\d+)?\s*(us|ms|s|m|min|h|d)\s*)+$"}
JitterField = Annotated[
    Any,
    BeforeValidator(_jitter),
    WithJsonSchema({"anyOf": [{"type": "boolean"}, {"enum": list(JITTERS)}, _DURATION]}),
]


def _backoff(value: Any) -> str:
    if value not in BACKOFFS:
        raise ValueError(one_of("backoff", value, list(BACKOFFS)))
    return str(value)


BackoffField = Annotated[Any, BeforeValidator(_backoff), WithJsonSchema({"enum": list(BACKOFFS)})]
Conditions = Annotated[
    list[Text],
    WithJsonSchema({"type": "array", "items": {"enum": [*RetryCondition, "rate_limit", "network", "serialization"]}}),
]


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
    retry_attempts: Count | None = None
    """`max_retries` by Caxton's name."""
    base_delay: Seconds | None = None
    """Longest wait before the first retry; 1s by default."""
    base_delay_ms: Milliseconds | None = None
    """The same in milliseconds."""
    initial_delay_ms: Milliseconds | None = None
    """The same by Caxton's name."""
    retry_delay_ms: Milliseconds | None = None
    """The same by Caxton's flat name."""
    backoff: BackoffField | None = None
    """How the longest wait grows: `exponential` by default, or `fixed`, `linear`, `decorrelated`."""
    multiplier: Real | None = None
    """How the longest wait grows, where that is `exponential`; 2 by default."""
    backoff_multiplier: Real | None = None
    """The same by Caxton's name."""
    max_delay: Seconds | None = None
    """Longest wait of all; 10s by default. A longer Retry-After is obeyed nevertheless."""
    max_delay_ms: Milliseconds | None = None
    """The same in milliseconds."""
    min_delay: Seconds | None = None
    """Shortest wait; 0 by default."""
    min_delay_ms: Milliseconds | None = None
    """The same in milliseconds."""
    jitter: JitterField | None = None
    """How waits are drawn: `full` (true, the default), `equal`, `quarter` (±25 %), `none` (false), or a time to add."""
    max_retry_after: Seconds | None = None
    """Longest Retry-After that is waited for; 60s by default."""
    rate_limit_delay: Seconds | None = None
    """Wait after a 429 without a Retry-After; by default as otherwise."""
    max_timeout_retries: Count | None = None
    """Retries after a timeout, of all that are allowed; 1 by default."""
    retry_on: Conditions | None = None
    """After which failures; by default after each that may pass."""
    retry_on_errors: Conditions | None = None
    """The same by Caxton's name."""
    budget: RetryBudgetSection | None = None
    """A limit on retries as a share of all calls."""

    @model_validator(mode="after")
    def _agree(self) -> RetrySection:
        said = said_once(self, {**OTHER_NAMES, "max_retries": "max_attempts", "retry_attempts": "max_attempts"})
        assert said is not None, "nothing is said twice"
        try:
            self.config()
        except ConfigurationError as error:
            raise ValueError(str(error)) from None
        return self

    def config(self) -> RetryConfig:
        """Return the settings."""
        said = said_once(self, OTHER_NAMES)
        budget = said.pop("budget", None)
        return RetryConfig(**said, budget=None if budget is None else RetryBudget(budget.ratio, budget.reserve))


def _retry(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    if value not in PRESETS:
        raise ValueError(one_of("preset", value, list(PRESETS)))
    preset, default = PRESETS[value](), RetryConfig()
    found = {field.name: getattr(preset, field.name) for field in fields(preset)}
    changed = {name: each for name, each in found.items() if each is not None and each != getattr(default, name)}
    if "retry_on" in changed:
        changed["retry_on"] = [str(each) for each in changed["retry_on"]]
    if isinstance(changed.get("jitter"), float):
        changed["jitter"] = f"{changed['jitter']}s"
    return {"max_attempts": preset.max_attempts, **changed}


Retry = Annotated[
    RetrySection,
    BeforeValidator(_retry),
    WithJsonSchema({"anyOf": [{"enum": list(PRESETS)}, {"x-section": "RetrySection"}]}),
]
"""Settings of retries, or the name of a preset."""


class PromptRetrySection(Section):
    """Ask again with the reason, when an answer is not valid."""

    json_schema: dict[str, Any]
    """The JSON Schema that every answer has to be valid against."""
    max_attempts: Positive | None = None
    """Answers that are asked for, the first included; 3 by default, at least 2."""
    instruction: Text | None = None
    """What the model is told, with `{error}` for the reason."""

    @model_validator(mode="after")
    def _agree(self) -> PromptRetrySection:
        try:
            self.config()
        except ConfigurationError as error:
            raise ValueError(str(error)) from None
        return self

    def config(self) -> PromptRetry:
        """Return the settings."""
        more = {"max_attempts": self.max_attempts, "instruction": self.instruction}
        return PromptRetry(self.json_schema, **{key: value for key, value in more.items() if value is not None})  # type: ignore[arg-type]  # each key has its own type
