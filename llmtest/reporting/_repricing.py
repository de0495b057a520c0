"""What calls are priced as: as they were, on another model, at another date, with a prompt cache, in batches."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from decimal import Context, Decimal, Inexact

from llmtest.clock import active_clock
from llmtest.costs import Prices, Spend, default_prices
from llmtest.errors import ConfigurationError
from llmtest.reporting._billed_call import BilledCall
from llmtest.reporting._spend_report import SpendReport, grouping
from llmtest.reporting._supposed_cache import Caching, cached_in_words, caching_of, prompt_cache
from llmtest.types import Usage
from llmtest.wire import dialects

__all__ = ["Pricing", "price_calls"]

EXACT = Context(prec=500, traps=[Inexact])
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Pricing:
    """What calls are priced as.

    Args:
        provider: Who would have served them; None: who did.
        model: The model that would have, where `provider` is given.
        at: When they would have been made; None: when they were, or now, where nobody says when.
        batch: Whether they would have been made in batches.
        prices: What models cost; those that are used where none are given by default.
        caching: Share of each prompt, from 0 to 1, that calls would have had in common; `prompts`: what the prompts
            that files tell have in common; None: what was counted.
    """

    provider: str | None = None
    model: str | None = None
    at: datetime | None = None
    batch: bool = False
    prices: Prices = field(default_factory=default_prices)
    caching: Caching | None = None

    @classmethod
    def of(
        cls,
        reference: str | None,
        at: datetime | None = None,
        *,
        batch: bool = False,
        caching: str | float | None = None,
    ) -> Pricing:
        """Return the pricing as another model, which has to have a price.

        Args:
            reference: Provider and model, as in `openai:gpt-5-mini`; None: who served each call.
            at: See `Pricing`.
            batch: See `Pricing`.
            caching: See `Pricing`; `80%` is read as well.

        Raises:
            ConfigurationError: The reference is none, or the share is none.
            UnknownPriceError: The model has no price (then); the text names the nearest.
        """
        share = None if caching is None else caching_of(caching)
        if reference is None:
            return cls(at=at, batch=batch, caching=share)
        provider, colon, model = reference.partition(":")
        if not colon or not provider or not model:
            raise ConfigurationError(
                f"a model is written `provider:model`, got `{reference}`.\n"
                f"To fix: --as {_seller_of(model or provider)}:{model or provider or 'MODEL'}"
            )
        pricing = cls(provider, model, at, batch, caching=share)
        pricing.prices.require(provider, model, at=at, tier="batch" if batch else None)
        return pricing

    @property
    def changes(self) -> bool:
        """Whether calls are priced as anything but what they were."""
        return self.provider is not None or self.at is not None or self.batch or self.caching is not None

    def cost(self, call: BilledCall) -> Decimal | None:
        """Return what a call costs; None where its price or its tokens are unknown."""
        return _pricer(self)(call, call.usage)

    def described(self) -> str:
        """Return what is changed, in words; empty where nothing is."""
        words = [
            f"as {self.provider}:{self.model}" if self.provider is not None else "",
            f"at {self.at:%Y-%m-%d}" if self.at is not None else "",
            "" if self.caching is None else cached_in_words(self.caching),
            "in batches" if self.batch else "",
        ]
        return ", ".join(word for word in words if word)


def _pricer(pricing: Pricing) -> Callable[[BilledCall, Usage], Decimal | None]:
    """Return what prices calls with their tokens, a million of them: it looks up once what is the same for all."""
    changes, batch, cost = pricing.changes, pricing.batch, pricing.prices.cost
    asked, asked_model, given = pricing.provider, pricing.model, pricing.at
    now = EPOCH + timedelta(microseconds=active_clock().time_ns() // 1000)

    def price(call: BilledCall, usage: Usage) -> Decimal | None:
        if not changes and call.cost_usd is not None:
            return call.cost_usd
        at, tier = given, call.service_tier
        if changes and usage.cost_usd is not None:
            usage = replace(usage, cost_usd=None)
        if at is None:
            at = EPOCH + timedelta(microseconds=call.time_ns // 1000) if call.time_ns else now
        if asked is not None:
            return cost(asked, asked_model, usage, at, tier="batch" if batch else None)
        return cost(call.provider, call.model, usage, at, tier="batch" if batch else tier)

    return price


def _seller_of(model: str) -> str:
    """Return a provider that has a price for a model."""
    prices = default_prices()
    sellers = (name for name in dialects() if prices.is_known(name, model) and not prices.is_free(name, model))
    return next(sellers, "PROVIDER")


def price_calls(calls: Iterable[BilledCall], by: str, pricing: Pricing) -> SpendReport:
    """Return what calls cost.

    The groups are those of the calls as they were made, whatever they are priced as.

    Args:
        calls: The calls; they are read once, and none is kept.
        by: By what they are summed.
        pricing: What they are priced as.

    Raises:
        ConfigurationError: They cannot be summed by that, or no file tells the prompts that are to be in a cache.
    """
    key, cost_of, add = grouping(by), _pricer(pricing), EXACT.add
    cache = None if pricing.caching is None else prompt_cache(pricing.caching)
    groups: dict[str, Spend] = {}
    unknown: dict[tuple[str, str | None, str], int] = {}
    for call in calls:
        group = key(call)
        spend = groups.get(group)
        if spend is None:
            spend = groups[group] = Spend()
        usage = call.usage if cache is None else cache.used(call)
        spend.calls += 1
        spend.input_tokens += usage.input_tokens
        spend.output_tokens += usage.output_tokens
        if usage.source == "estimated":
            spend.estimated += 1
        cost = cost_of(call, usage)
        if cost is not None:
            spend.known_usd = add(spend.known_usd, cost)
            continue
        spend.unknown += 1
        what = _lacking(call.provider, call.model, usage, pricing)
        unknown[what] = unknown.get(what, 0) + 1
    if cache is not None:
        cache.check()
    return SpendReport(by, groups, _sum(groups.values()), unknown)


def _lacking(provider: str, model: str | None, usage: Usage, pricing: Pricing) -> tuple[str, str | None, str]:
    lacks = "tokens" if usage.source == "unknown" else "price"
    return (provider, model, lacks) if pricing.provider is None else (pricing.provider, pricing.model, lacks)


def _sum(spends: Iterable[Spend]) -> Spend:
    total = Spend()
    for spend in spends:
        total.calls += spend.calls
        total.input_tokens += spend.input_tokens
        total.output_tokens += spend.output_tokens
        total.known_usd = EXACT.add(total.known_usd, spend.known_usd)
        total.unknown += spend.unknown
        total.estimated += spend.estimated
    return total
