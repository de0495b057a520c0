"""Failover as IronClaw and llmkit have it: a primary, and who stands in for it. Both are chains in other words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any, Self

from llmtest.errors import ConfigurationError, ServerError
from llmtest.resilience._chain import FallbackChain
from llmtest.resilience._own_provider import as_provider
from llmtest.resilience.breaker._breaker_config import CircuitBreakerConfig
from llmtest.resilience.fallback._slot import FallbackSlot, UnmappedModels
from llmtest.resilience.fallback._trigger import FallbackCondition, FallbackTrigger
from llmtest.resilience.retry._retry import RetryConfig
from llmtest.types import Provider
from llmtest.types._spelling import settings_tell_near_arguments

__all__ = ["CooldownConfig", "FailoverConfig", "FailoverProvider", "FailoverTrigger", "FallbackProvider"]

SONNET, HAIKU, OPUS = "claude-sonnet-4-20250514", "claude-3-5-haiku-20241022", "claude-opus-4-20250514"
GPT, MINI = "gpt-4o", "gpt-4o-mini"


class FailoverTrigger(StrEnum):
    """A kind of failure of the primary that sends a call to the fallbacks, in llmkit's words."""

    RATE_LIMIT = "rate_limit"
    SERVER_ERROR = "server_error"
    TIMEOUT = "timeout"
    NETWORK_ERROR = "network_error"
    AUTH_ERROR = "auth_error"
    ANY_ERROR = "any_error"

    def matches(self, error: BaseException) -> bool:
        """Tell whether an error is of this kind; a server error is one whose status is 500 or more, or unknown."""
        if self is FailoverTrigger.ANY_ERROR:
            return isinstance(error, Exception)
        if self is FailoverTrigger.SERVER_ERROR:
            return isinstance(error, ServerError) and (error.status is None or error.status >= 500)
        return any(condition.matches(error) for condition in _CONDITIONS[self])


_CONDITIONS: Mapping[FailoverTrigger, tuple[FallbackCondition, ...]] = {
    # An empty account is a 429 as well, and llmkit does not tell the two apart.
    FailoverTrigger.RATE_LIMIT: (FallbackCondition.RATE_LIMITED, FallbackCondition.QUOTA_EXCEEDED),
    FailoverTrigger.SERVER_ERROR: (FallbackCondition.SERVER_ERROR,),
    FailoverTrigger.TIMEOUT: (FallbackCondition.TIMEOUT,),
    FailoverTrigger.NETWORK_ERROR: (FallbackCondition.NETWORK_ERROR,),
    FailoverTrigger.AUTH_ERROR: (FallbackCondition.AUTH_ERROR,),
}


@dataclass(frozen=True, slots=True)
class FallbackProvider:
    """Who stands in for the primary, and what the primary's models are called there.

    Args:
        name: What the circuit of the slot is called, and `fallback_names` names.
        provider: Who answers.
        model_mapping: The fallback's model by the primary's.
        unmapped_models: What becomes of a request for another model: `refuse`, before anything is sent, or `pass`,
            which sends the name as it is (as llmkit does).
    """

    name: str
    provider: Provider
    model_mapping: Mapping[str, str] = field(default_factory=dict)
    unmapped_models: UnmappedModels = "refuse"

    @classmethod
    def new(cls, name: str, provider: Provider) -> Self:
        """Make one without a mapping."""
        return cls(name, provider)

    from_arc = new

    def with_model_mapping(self, primary_model: str, fallback_model: str) -> Self:
        """Return one that has a further model in its mapping."""
        return self.with_model_mappings({primary_model: fallback_model})

    def with_model_mappings(self, mappings: Mapping[str, str]) -> Self:
        """Return one that has further models in its mapping."""
        return replace(self, model_mapping={**self.model_mapping, **mappings})

    def map_model(self, model: str) -> str:
        """Return the fallback's name of a model; a name that is not mapped as it is, whether or not it may be sent."""
        return self.model_mapping.get(model, model)

    def slot(self) -> FallbackSlot:
        """Return the slot of a chain: whatever it fails with, the next one is asked."""
        return FallbackSlot(
            provider=self.provider,
            name=self.name,
            trigger=FallbackTrigger.any_error(),
            model_mapping=self.model_mapping,
            unmapped_models=self.unmapped_models,
        )


@settings_tell_near_arguments
@dataclass(frozen=True, slots=True)
class FailoverConfig:
    """A primary, its fallbacks, and which failures of the primary are worth one; `build` makes the chain.

    Triggers are the primary's alone: a fallback that fails hands on whatever it was.

    Args:
        primary_name: What the chain and the primary's circuit are called.
        primary: Who is asked first.
        fallbacks: Who stands in for it, in order.
        triggers: Which of its failures send a call to them.
        max_attempts: How many of the fallbacks may be asked; 0 = all.
        retry_primary_first: Whether the primary is asked again before the first fallback.
        primary_retries: How often, 0 or more; the waits are those of `RetryConfig`.

    Raises:
        ConfigurationError: A number is negative, or a trigger is unknown.

    Example:
        >>> from llmtest import OpenAIProvider, AnthropicProvider
        >>> config = FailoverConfig.openai_to_anthropic(OpenAIProvider("a"), AnthropicProvider("b"))
        >>> config.retry_primary(2).build().fallback_names()
        ['anthropic']
    """

    primary_name: str
    primary: Provider
    fallbacks: Sequence[FallbackProvider] = ()
    triggers: Sequence[FailoverTrigger | str] = (FailoverTrigger.RATE_LIMIT, FailoverTrigger.SERVER_ERROR)
    max_attempts: int = 0
    retry_primary_first: bool = False
    primary_retries: int = 0

    def __post_init__(self) -> None:
        for name in ("max_attempts", "primary_retries"):
            value = getattr(self, name)
            if type(value) is not int or value < 0:
                raise ConfigurationError(f"`{name}` of a FailoverConfig is a whole number of 0 or more, got {value!r}")
        try:
            triggers = tuple(dict.fromkeys(FailoverTrigger(trigger) for trigger in self.triggers))
        except ValueError as error:
            raise ConfigurationError(f"{error}. Known triggers: {', '.join(FailoverTrigger)}") from None
        object.__setattr__(self, "triggers", triggers)
        object.__setattr__(self, "fallbacks", tuple(self.fallbacks))

    @classmethod
    def new(cls, name: str, primary: Provider) -> Self:
        """Make one without fallbacks."""
        return cls(name, primary)

    from_arc = new

    @classmethod
    def simple_failover(cls, primary_name: str, primary: Provider, fallback_name: str, fallback: Provider) -> Self:
        """Make one of two providers, for full quotas, server errors and timeouts."""
        config = cls(primary_name, primary, (FallbackProvider(fallback_name, fallback),))
        return config.trigger_on(FailoverTrigger.TIMEOUT)

    @classmethod
    def openai_to_anthropic(
        cls, openai: Provider, anthropic: Provider, *, unmapped_models: UnmappedModels = "refuse"
    ) -> Self:
        """Make one from GPT and o1 models to Claude."""
        mapping = {GPT: SONNET, MINI: HAIKU, "gpt-4-turbo": SONNET, "o1": SONNET}
        return cls._between(openai, anthropic, mapping, unmapped_models)

    @classmethod
    def anthropic_to_openai(
        cls, anthropic: Provider, openai: Provider, *, unmapped_models: UnmappedModels = "refuse"
    ) -> Self:
        """Make one from Claude models to GPT."""
        return cls._between(anthropic, openai, {SONNET: GPT, HAIKU: MINI, OPUS: GPT}, unmapped_models)

    @classmethod
    def _between(
        cls, primary: Provider, fallback: Provider, mapping: Mapping[str, str], unmapped: UnmappedModels
    ) -> Self:
        return cls(primary.name, primary, (FallbackProvider(fallback.name, fallback, mapping, unmapped),))

    def add_fallback(self, fallback: FallbackProvider) -> Self:
        """Return one with a further fallback at the end."""
        return replace(self, fallbacks=(*self.fallbacks, fallback))

    def with_triggers(self, triggers: Sequence[FailoverTrigger | str]) -> Self:
        """Return one with these triggers alone."""
        return replace(self, triggers=triggers)

    def trigger_on(self, trigger: FailoverTrigger | str) -> Self:
        """Return one with a further trigger; one that it has already is not added twice."""
        return replace(self, triggers=(*self.triggers, trigger))

    def with_max_attempts(self, most: int) -> Self:
        """Return one that asks so many of its fallbacks at most; 0 = all."""
        return replace(self, max_attempts=most)

    def retry_primary(self, retries: int) -> Self:
        """Return one that asks its primary again so often before the first fallback."""
        return replace(self, retry_primary_first=True, primary_retries=retries)

    def should_failover(self, error: BaseException) -> bool:
        """Tell whether an error of the primary is worth a fallback."""
        return any(FailoverTrigger(trigger).matches(error) for trigger in self.triggers)

    def slots(self) -> list[FallbackSlot]:
        """Return the slots of the chain: the primary, and as many fallbacks as may be asked."""
        retries = self.primary_retries if self.retry_primary_first else 0
        primary = FallbackSlot(
            provider=self.primary,
            name=self.primary_name,
            trigger=self._primary_trigger(),
            retry=RetryConfig(max_attempts=retries + 1) if retries else None,
        )
        fallbacks = self.fallbacks[: self.max_attempts] if self.max_attempts else self.fallbacks
        return [primary, *(fallback.slot() for fallback in fallbacks)]

    def _primary_trigger(self) -> FallbackTrigger:
        if FailoverTrigger.ANY_ERROR in self.triggers:
            return FallbackTrigger.any_error()
        conditions = [each for trigger in self.triggers for each in _CONDITIONS[FailoverTrigger(trigger)]]
        return FallbackTrigger.on(*conditions) if conditions else FallbackTrigger.never()

    def build(self, **policies: Any) -> FailoverProvider:
        """Make the chain.

        Args:
            policies: Arguments of `FallbackChain`; what is not given is off, but for `refused_key_interval`.
        """
        return FailoverProvider(self, **policies)


@settings_tell_near_arguments
@dataclass(frozen=True, slots=True, kw_only=True)
class CooldownConfig:
    """For how long a provider is left alone after so many failures in a row, in IronClaw's words.

    Args:
        cooldown_duration: Seconds, 0 or more.
        failure_threshold: Failures in a row, 1 or more.

    Raises:
        ConfigurationError: A number is out of its range.
    """

    cooldown_duration: float = 300.0
    failure_threshold: int = 3

    def __post_init__(self) -> None:
        if type(self.failure_threshold) is not int or self.failure_threshold < 1:
            raise ConfigurationError(
                f"`failure_threshold` of a CooldownConfig is a whole number of 1 or more, got "
                f"{self.failure_threshold!r}"
            )
        if type(self.cooldown_duration) not in {int, float} or not 0 <= self.cooldown_duration < float("inf"):
            raise ConfigurationError(
                f"`cooldown_duration` of a CooldownConfig is a number of seconds, 0 or more, got "
                f"{self.cooldown_duration!r}"
            )

    def circuit_breaker(self) -> CircuitBreakerConfig:
        """Return the circuit breaker that does the same: a cooldown is one that stays open so long."""
        return CircuitBreakerConfig(failure_threshold=self.failure_threshold, recovery_timeout=self.cooldown_duration)


class FailoverProvider(FallbackChain):
    """A primary and who stands in for it, without any other policy than failover itself.

    Args:
        providers: The primary and its fallbacks, in order; or a `FailoverConfig`.
        policies: Arguments of `FallbackChain`, such as `timeouts`; retries, circuits and limits are off by default.

    Raises:
        ConfigurationError: There is no provider, or one twice.

    Example:
        >>> from llmtest import FailoverProvider, OpenAIProvider, AnthropicProvider
        >>> FailoverProvider([OpenAIProvider("a"), AnthropicProvider("b")]).primary_name()
        'openai'
    """

    def __init__(self, providers: FailoverConfig | Sequence[Provider | FallbackSlot], **policies: Any) -> None:
        slots: list[FallbackSlot]
        if isinstance(providers, FailoverConfig):
            slots = providers.slots()
        else:
            slots = [
                each if isinstance(each, FallbackSlot) else FallbackSlot(provider=as_provider(each))
                for each in providers
            ]
        names = [slot.name or slot.provider.name for slot in slots]
        off: dict[str, Any] = {"retry": None, "circuit_breaker": None, "timeouts": None}
        named = {"name": names[0]} if names else {}
        super().__init__(slots, **{**named, **off, **policies})

    @classmethod
    def new(cls, providers: Sequence[Provider | FallbackSlot]) -> Self:
        """Make one of the primary and its fallbacks, in order."""
        return cls(providers)

    @classmethod
    def with_cooldown(
        cls, providers: FailoverConfig | Sequence[Provider | FallbackSlot], config: CooldownConfig | None = None
    ) -> Self:
        """Make one that leaves a provider alone for a while after some failures in a row.

        When all of them are left alone, the one that has been so for longest is asked nevertheless.

        Args:
            providers: As for `FailoverProvider`.
            config: For how long, and after how many; by default 300 s after three.
        """
        cooldown = CooldownConfig() if config is None else config
        return cls(providers, circuit_breaker=cooldown.circuit_breaker(), on_all_open="try_oldest")

    def primary_name(self) -> str:
        """Return the name of who is asked first."""
        return self._names[0]

    def fallback_names(self) -> list[str]:
        """Return the names of who stands in for it, in order."""
        return self._names[1:]

    @property
    def _names(self) -> list[str]:
        return [place.config.name or place.name for place in self.places]
