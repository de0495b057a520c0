"""What calls cost, as they were or as they would have been: on another model, at another date, in batch, by what."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from decimal import Context, Decimal, Inexact
from typing import Any

from llmtest.config import did_you_mean
from llmtest.costs import CostLedger, Prices, Spend, default_prices
from llmtest.errors import ConfigurationError
from llmtest.reporting._billed_calls import BilledCall
from llmtest.wire import dialects

__all__ = ["Pricing", "SpendReport", "price_calls"]

EXACT = Context(prec=500, traps=[Inexact])
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
HOUR_NS = 3_600_000_000_000
TAG = "tag:"


@dataclass(frozen=True, slots=True)
class Pricing:
    """What calls are priced as.

    Args:
        provider: Who would have served them; None: who did.
        model: The model that would have, where `provider` is given.
        at: When they would have been made; None: when they were, or now, where nobody says when.
        batch: Whether they would have been made in batches.
        prices: What models cost; those that are used where none are given by default.
    """

    provider: str | None = None
    model: str | None = None
    at: datetime | None = None
    batch: bool = False
    prices: Prices = field(default_factory=default_prices)

    @classmethod
    def of(cls, reference: str | None, at: datetime | None = None, *, batch: bool = False) -> Pricing:
        """Return the pricing as another model, which has to have a price.

        Args:
            reference: Provider and model, as in `openai:gpt-5-mini`; None: who served each call.
            at: See `Pricing`.
            batch: See `Pricing`.

        Raises:
            ConfigurationError: The reference is none.
            UnknownPriceError: The model has no price (then); the text names the nearest.
        """
        if reference is None:
            return cls(at=at, batch=batch)
        provider, colon, model = reference.partition(":")
        if not colon or not provider or not model:
            raise ConfigurationError(
                f"a model is written `provider:model`, got `{reference}`.\n"
                f"To fix: --as {_seller_of(model or provider)}:{model or provider or 'MODEL'}"
            )
        pricing = cls(provider, model, at, batch)
        pricing.prices.require(provider, model, at=at, tier="batch" if batch else None)
        return pricing

    def cost(self, call: BilledCall) -> Decimal | None:
        """Return what a call costs; None where its price or its tokens are unknown."""
        changes = self.provider is not None or self.at is not None or self.batch
        if not changes and call.cost_usd is not None:
            return call.cost_usd
        usage = call.usage
        if changes and usage.cost_usd is not None:
            usage = replace(usage, cost_usd=None)
        at = self.at
        if at is None and call.time_ns:
            at = EPOCH + timedelta(microseconds=call.time_ns // 1000)
        provider, model, tier = call.provider, call.model, call.service_tier
        if self.provider is not None:
            provider, model, tier = self.provider, self.model, None
        return self.prices.cost(provider, model, usage, at, tier="batch" if self.batch else tier)


def _seller_of(model: str) -> str:
    """Return a provider that has a price for a model."""
    prices = default_prices()
    sellers = (name for name in dialects() if prices.is_known(name, model) and not prices.is_free(name, model))
    return next(sellers, "PROVIDER")


@dataclass(slots=True)
class SpendReport:
    """What calls cost, by one thing.

    Args:
        by: By what: `provider`, `model`, `tag`, `tag:NAME`, `test` or `hour`.
        groups: The sums, in the order of their first calls; what a call does not say is under "".
        total: The sum of all.
        unknown: How many calls have an unknown cost, by provider, model, and what it lacks: the `price` or the
            `tokens`, which nobody counted.
    """

    by: str
    groups: dict[str, Spend]
    total: Spend
    unknown: dict[tuple[str, str | None, str], int]

    def as_json(self) -> dict[str, Any]:
        """Return the report as JSON has it; money is text, so that no digit is lost, and null where it is unknown."""
        return {
            "by": self.by,
            "groups": [{"name": name, **_facts(spend)} for name, spend in self.groups.items()],
            "total": _facts(self.total),
            "unknown": [
                {"provider": provider, "model": model, "lacks": lacks, "calls": calls}
                for (provider, model, lacks), calls in self.unknown.items()
            ],
        }


def _facts(spend: Spend) -> dict[str, Any]:
    return {
        "calls": spend.calls,
        "input_tokens": spend.input_tokens,
        "output_tokens": spend.output_tokens,
        "usd": None if spend.usd is None else f"{spend.usd:f}",
        "known_usd": f"{spend.known_usd:f}",
        "unknown": spend.unknown,
        "estimated": spend.estimated,
    }


def _hour(call: BilledCall) -> str:
    """Return the hour of a call in UTC, or of the run, where that has no dates."""
    if call.time_ns:
        return f"{EPOCH + timedelta(microseconds=call.time_ns // 1000):%Y-%m-%dT%H}"
    return f"+{call.at_ns // HOUR_NS}h"


def _tags(call: BilledCall) -> str:
    return ", ".join(f"{name}={value}" for name, value in sorted(call.metadata.items()))


KEYS: Mapping[str, Callable[[BilledCall], str]] = {
    "provider": lambda call: call.provider,
    "model": lambda call: f"{call.provider}:{call.model or '?'}",
    "tag": _tags,
    "test": lambda call: call.test,
    "hour": _hour,
}
"""What a report can be by. A call with several labels is under all of them at once, so that nothing counts twice."""


def grouping(by: str) -> Callable[[BilledCall], str]:
    """Return what gives the group of a call.

    Raises:
        ConfigurationError: There is no such group.
    """
    if by.startswith(TAG):
        name = by.removeprefix(TAG)
        return lambda call: str(call.metadata.get(name, ""))
    if by not in KEYS:
        known = [*KEYS, f"{TAG}NAME"]
        raise ConfigurationError(
            f"costs cannot be summed by `{by}`.{did_you_mean(by, known)}\n"
            f"Known: {', '.join(known)}.\nTo fix: --by model"
        )
    return KEYS[by]


def price_calls(calls: Iterable[BilledCall], by: str, pricing: Pricing) -> SpendReport:
    """Return what calls cost.

    The groups are those of the calls as they were made, whatever they are priced as.

    Args:
        calls: The calls; they are read once, and none is kept.
        by: By what they are summed.
        pricing: What they are priced as.

    Raises:
        ConfigurationError: They cannot be summed by that.
    """
    key, cost_of = grouping(by), pricing.cost
    ledgers: dict[str, CostLedger] = {}
    for call in calls:
        group = key(call)
        ledger = ledgers.get(group)
        if ledger is None:
            ledger = ledgers[group] = CostLedger(keep=False)
        provider, model = (call.provider, call.model) if pricing.provider is None else (pricing.provider, pricing.model)
        # What an entry would lack stands in its purpose, by which accounts sum.
        lacks = "tokens" if call.usage.source == "unknown" else "price"
        ledger.record(provider, model, call.usage, cost_of(call), purpose=lacks)
    unknown: dict[tuple[str, str | None, str], int] = {}
    for ledger in ledgers.values():
        for what, spend in ledger.spends().items():
            if spend.unknown:
                unknown[what] = unknown.get(what, 0) + spend.unknown
    groups = {name: ledger.summary for name, ledger in ledgers.items()}
    return SpendReport(by, groups, _sum(groups.values()), unknown)


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
