"""The schema of a chain file: who answers, in which order, and what is done when they do not."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, ConfigDict, WithJsonSchema, model_validator

from llmtest.config._breaker_section import Breaker
from llmtest.config._budget_section import BudgetSection, StoreSection
from llmtest.config._cache_section import CacheSection
from llmtest.config._context_section import ContextSection
from llmtest.config._fallback_fields import Commit, OrderName, StrategyName, Unmapped
from llmtest.config._fields import Count, Flag, Milliseconds, Money, Positive, Real, Seconds, Temperature, Text
from llmtest.config._health_section import Health
from llmtest.config._hedging_section import HedgingSection
from llmtest.config._policy_sections import TimeoutsSection
from llmtest.config._price_sections import PriceFileSection, SlotPriceSection
from llmtest.config._rate_limit_section import RateLimitSection
from llmtest.config._retry_section import PromptRetrySection, Retry, RetrySection
from llmtest.config._routing_section import RoutingSection
from llmtest.config._secrets import Key, Secret
from llmtest.config._shapes import house_slot
from llmtest.config._shared_section import Shared
from llmtest.config._streaming_section import StreamingSection
from llmtest.config._validation import Section, one_of
from llmtest.resilience import FallbackCondition, FallbackTrigger
from llmtest.wire import default_dialect

__all__ = ["NESTED", "ChainSection", "SlotSection"]

NESTED = "chain"
"""What stands for the provider of a slot that is a chain of its own."""
TRIGGERS = ("any_error", "never", "default", "mofa")
ON_ALL_OPEN = ("fail", "try_oldest")


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


def _priority(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise ValueError(f"`{value}` is not a whole number")  # noqa: TRY004 - pydantic collects ValueErrors
    return value


Priority = Annotated[int, BeforeValidator(_priority), WithJsonSchema({"type": "integer"})]


def _one_way_to_answer(schema: dict[str, Any]) -> None:
    schema.pop("required", None)
    schema["anyOf"] = [{"required": [key]} for key in ("provider", "chain", "name")]


class SlotSection(Section):
    """One place of a chain."""

    model_config = ConfigDict(json_schema_extra=_one_way_to_answer)

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
    headers: dict[str, str] | None = None
    """Further headers of every request."""
    name: Text | None = None
    """What the circuit of the slot is called; without `provider`, the provider."""
    chain: ChainSection | None = None
    """A chain with policies of its own, instead of a `provider`."""
    custom: dict[str, Any] | None = None
    """Which field of a request and an answer holds what, where the provider is `custom`."""
    responses: list[str] | None = None
    """What a provider `mock` answers, in turn; by default text that follows from the prompt."""
    max_tokens: Positive | None = None
    """Most tokens of an answer, where a request does not say."""
    temperature: Temperature | None = None
    """From 0 to 2, where a request does not say."""
    context_window: Positive | None = None
    """Tokens that prompt and answer may hold together; by default as published."""
    price: SlotPriceSection | None = None
    """What the model costs; by default as published."""
    cost_per_1k_tokens: Money | None = None
    """The same in USD per thousand tokens, of prompt and answer alike."""
    streaming: StreamingSection | None = None
    """How its streams are handed over; by default as the chain says."""
    deployment: Text | None = None
    """The deployment that is asked, where a provider has such."""
    api_version: Text | None = None
    """The version of the API, where the provider has several."""
    trigger: Trigger | None = None
    """Which failures send the call to the next slot; `default` by default, the last slot never does."""
    model_mapping: dict[str, str] | None = None
    """Model to ask this provider for, by the model that the request names; `*` stands for every other one."""
    priority: Priority | None = None
    """Slots with a higher number come first; slots without one keep their order, as 0."""
    weight: Real | None = None
    """The slot's share of the calls, compared with the others', where `strategy` is `weighted`; 1 by default."""
    unmapped_models: Unmapped = "refuse"
    """Of a request for a model that it has no equivalent of: `refuse`, before it is sent, or `pass` it on as it is."""
    retry: Retry | None = None
    """How often this provider is asked again; by default as the chain says."""
    circuit_breaker: Breaker | None = None
    """When its circuit opens; by default as the chain says."""
    timeouts: TimeoutsSection | None = None
    """How long it may take; by default as the chain says."""
    quota_group: Text | None = None
    """Slots of one group share their provider's quota: a 429 of one lets all of them cool down."""
    rate_limit: RateLimitSection | None = None
    """How much it is sent a minute and at a time; by default as the chain says."""

    @model_validator(mode="before")
    @classmethod
    def _in_our_words(cls, value: Any) -> Any:
        """Read what other systems call by another name."""
        return house_slot(value)

    @model_validator(mode="after")
    def _say_it_once(self) -> SlotSection:
        for one, other in (("api_key", "api_key_env"), ("price", "cost_per_1k_tokens")):
            if getattr(self, one) is not None and getattr(self, other) is not None:
                raise ValueError(f"takes `{one}` or `{other}`, not both")
        if (self.chain is None) is (self.provider == NESTED):
            raise ValueError("takes `provider` or `chain`, not both")
        return self

    @property
    def prices(self) -> dict[str, Any] | None:
        """What the model costs, in the arguments of `Prices.add`; None where the file does not say."""
        if self.cost_per_1k_tokens is not None:
            cost = self.cost_per_1k_tokens * 1000
            return {"input_usd_per_mtok": cost, "output_usd_per_mtok": cost}
        return None if self.price is None else self.price.arguments

    @property
    def key(self) -> Secret | None:
        """The key that the slot names; None takes that of the environment."""
        return self.api_key if self.api_key_env is None else Secret({"source": "env", "name": self.api_key_env})


def _prices(value: Any) -> Any:
    if isinstance(value, str) and value.strip():
        return value
    return PriceFileSection.model_validate(value) if isinstance(value, dict) else _no_prices(value)


def _no_prices(value: Any) -> Any:
    raise ValueError(f"`{value}` is neither the path of a price file nor what stands in one, such as `{{prices: ...}}`")


PricesKey = Annotated[
    Any,
    BeforeValidator(_prices),
    WithJsonSchema({"anyOf": [{"type": "string", "minLength": 1}, {"x-section": "PriceFileSection"}]}),
]
"""The path of a price file, or what stands in one."""


def _on_all_open(value: Any) -> str:
    if value not in ON_ALL_OPEN:
        raise ValueError(one_of("choice", value, list(ON_ALL_OPEN)))
    return str(value)


OnAllOpen = Annotated[
    Literal["fail", "try_oldest"], BeforeValidator(_on_all_open), WithJsonSchema({"enum": list(ON_ALL_OPEN)})
]


class ChainSection(Section):
    """Providers in the order in which they are asked, and the policies around them."""

    name: Text = "fallback-chain"
    """What the chain is called."""
    retry: Retry | None = None
    """Whether and when the same provider is asked again: settings, or a preset; 3 attempts by default, `null` never."""
    retry_attempts: Count | None = None
    """Caxton's flat name for `retry.max_retries`."""
    retry_delay_ms: Milliseconds | None = None
    """Caxton's flat name for `retry.base_delay`, in milliseconds."""
    prompt_retry: PromptRetrySection | None = None
    """Ask again with the reason, when an answer is not valid against a schema; off by default."""
    circuit_breaker: Breaker | None = None
    """Stop asking a provider that keeps failing: settings, or the name of a preset; on by default, `null` is off."""
    timeouts: TimeoutsSection | None = None
    """How long to wait; `null` sets no limits."""
    budget: BudgetSection | None = None
    """Limits on tokens and money."""
    ledger: StoreSection | None = None
    """Where every billed attempt is entered, `{sqlite: costs.db}` or `{redis: ${REDIS_URL}}`; nowhere by default."""
    prices: PricesKey | None = None
    """What models cost, over the published prices: the path of a price file, or what stands in one."""
    strategy: StrategyName | None = None
    """Who is asked first: `priority`, `round_robin`, `weighted`, `least_latency`, `load_balance` or `random`."""
    fallback_strategy: StrategyName | None = None
    """The same by another name."""
    refused_key_interval: Seconds | None = None
    """How long a refused key is not tried again, unless it changes; 5m by default, 0 tries it with every call."""
    advance_on_any_fallback_error: Flag = False
    """Whether every error of a slot but the first sends the call on, where its trigger says nothing else."""
    order: OrderName = "default"
    """Whose order and numbers the policies have: `default`, `ironclaw`, `mofa`, `llmkit`, `caxton` or `vapora`."""
    stream_commit: Commit = "first_token"
    """Until when a stream may fall back: its `first_token`, or its `end`, which hands it over as a whole."""
    on_all_open: OnAllOpen = "fail"
    """When every circuit is open: `fail`, or `try_oldest`, which asks the one whose circuit opened first."""
    max_attempts: Positive | None = None
    """Most attempts of one call, over all providers; by default there is no limit."""
    trigger: Trigger | None = None
    """Which failures send the call to the next slot, where a slot does not say."""
    cache: CacheSection | None = None
    """Which answers are kept, so that an equal request need not be asked again; none by default."""
    context: ContextSection | None = None
    """How prompts are made shorter that take too much of the window; they are sent as they are by default."""
    hedging: HedgingSection | None = None
    """When a call that is not answered is sent once more; never by default."""
    health: Health | None = None
    """How it is found out who is ill, and asked last: settings, or the name of a preset; nobody asks by default."""
    streaming: StreamingSection | None = None
    """How streams are handed over, where a slot does not say."""
    shared: Shared | None = None
    """Where it is kept what policies remember, for many processes and machines; in each process by default."""
    rate_limit: RateLimitSection | None = None
    """How much is sent a minute and at a time, with each key; any number by default."""
    routing: RoutingSection | None = None
    """Which provider a prompt goes to: the `cheap` one or the chain, or the best of the chain; none by default."""
    providers: list[SlotSection]
    """The slots."""
    cheap: SlotSection | None = None
    """A cheaper provider beside the chain, which `build_provider_chain` returns."""

    @property
    def flat_retry(self) -> RetrySection | None:
        """What the flat keys say of retries; None where they are not used."""
        said = {"retry_attempts": self.retry_attempts, "base_delay": self.retry_delay_ms}
        given = {key: value for key, value in said.items() if value is not None}
        return RetrySection.model_validate(given) if given else None

    @model_validator(mode="after")
    def _say_retries_once(self) -> ChainSection:
        flat = next((key for key in ("retry_attempts", "retry_delay_ms") if getattr(self, key) is not None), None)
        if flat is not None and "retry" in self.model_fields_set:
            raise ValueError(f"takes `retry` or `{flat}`, not both")
        return self

    @model_validator(mode="after")
    def _answer_somehow(self) -> ChainSection:
        if not self.providers:
            raise ValueError(f"`providers` needs at least one provider, such as `- provider: {default_dialect().name}`")
        if self.strategy is not None and self.fallback_strategy is not None:
            raise ValueError("takes `strategy` or `fallback_strategy`, not both")
        if self.routing is not None and not self.routing.is_adaptive and self.cheap is None:
            raise ValueError("`routing` needs `cheap`, the provider for simple prompts, or `prefer`: latency")
        return self
