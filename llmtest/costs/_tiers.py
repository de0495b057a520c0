"""What a service tier costs, against the price list's standard rates. Pure data, with its source and its date.

The price list knows standard rates only. A tier that is not here is unknown for that model, and so is the price of a
call in it: nobody is charged a standard price for what was no standard call.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

from llmtest.costs._rates import Rates, Tariff

__all__ = ["STANDARD", "is_tier_of", "known_tiers", "plain_tier", "tier_tariff"]

STANDARD = frozenset({"auto", "default", "on_demand", "standard", "standard_only"})
"""Words for the standard rates. `auto` is what a request says; an answer says what it became."""

EVERY = "*"
HALF = Decimal("0.5")

Share = Decimal | Rates
"""A factor on every standard rate, or rates of their own where the published ones are no whole multiple."""

FLEX: Mapping[str, Share] = dict.fromkeys(
    (
        "gpt-5",
        "gpt-5-mini",
        "gpt-5-nano",
        "gpt-5.1",
        "gpt-5.2",
        "gpt-5.4",
        "gpt-5.4-mini",
        "gpt-5.5",
        "o3",
        "o4-mini",
    ),
    HALF,
)
"""OpenAI's flex processing, at the rates of its Batch API. Source: developers.openai.com/api/docs/pricing, table
"Flex", as archived between November 2025 and June 2026."""

PRIORITY: Mapping[str, Share] = {
    "gpt-4.1": Decimal("1.75"),
    "gpt-4.1-mini": Decimal("1.75"),
    "gpt-4.1-nano": Decimal(2),
    "gpt-4o": Decimal("1.7"),
    "gpt-4o-2024-05-13": Decimal("1.75"),
    "gpt-4o-mini": Rates(Decimal("0.25"), Decimal(1), Decimal("0.125")),
    "gpt-5": Decimal(2),
    "gpt-5-codex": Decimal(2),
    "gpt-5-mini": Decimal("1.8"),
    "gpt-5.1": Decimal(2),
    "gpt-5.1-codex": Decimal(2),
    "gpt-5.2": Decimal(2),
    "gpt-5.4": Decimal(2),
    "gpt-5.4-mini": Decimal(2),
    "gpt-5.5": Decimal("2.5"),
    "o3": Decimal("1.75"),
    "o4-mini": Rates(Decimal(2), Decimal(8), Decimal("0.5")),
}
"""OpenAI's priority processing; long prompts are not served in it. Source: openai.com/api-priority-processing, as
archived in 2026, against the standard rates of the same day."""

TIERS: Mapping[tuple[str, str], Mapping[str, Share]] = {
    ("openai", "flex"): FLEX,
    ("openai", "priority"): PRIORITY,
    # "50 % cost discount compared to synchronous APIs": the guides to the batch APIs of OpenAI, Anthropic and Google.
    ("openai", "batch"): {EVERY: HALF},
    ("anthropic", "batch"): {EVERY: HALF},
    ("google", "batch"): {EVERY: HALF},
}
"""Provider, as the price list names it, and tier: the models that are served in it."""


OFFERED: Mapping[str, frozenset[str]] = {
    "openai": frozenset({"batch", "fast", "flex", "priority", "scale"}),
    "azure": frozenset({"priority"}),
    "anthropic": frozenset({"batch", "priority"}),
    "google": frozenset({"batch", "flex", "priority"}),
}
"""The tiers that each provider has a word for."""


def plain_tier(tier: str | None) -> str | None:
    """Return a tier in lower case; None for the standard one, by whatever word."""
    if tier is None:
        return None
    name = tier.lower()
    return None if not name or name in STANDARD else name


def tier_tariff(home: str, model: str, tier: str, standard: Tariff) -> Tariff | None:
    """Return the prices of a model in a tier; None where nothing is published about it.

    Args:
        home: The provider, as the price list names it.
        model: The model, in lower case.
        tier: The tier, other than the standard one.
        standard: The model's standard prices.
    """
    models = TIERS.get((home, tier), {})
    share = models.get(model) or models.get(EVERY)
    if share is None:
        return None
    # What a long prompt costs in the priority tier is not published: long prompts are not served in it.
    longest = standard.first_step if tier == "priority" else None
    if isinstance(share, Rates):
        return Tariff((-1, share), longest=longest)
    steps = standard.steps if longest is None else standard.steps[:1]
    return Tariff(*((start, rates.times(share)) for start, rates in steps), longest=longest)


def is_tier_of(home: str, tier: str) -> bool:
    """Tell whether a provider has a tier, with published prices or without."""
    return tier in OFFERED.get(home, ())


def known_tiers(home: str, names: list[str]) -> list[str]:
    """Return the tiers in which a model is known to be served, the standard one apart.

    Args:
        home: The provider, as the price list names it.
        names: Names of the model.
    """
    return sorted(
        tier
        for (provider, tier), models in TIERS.items()
        if provider == home and (EVERY in models or any(name in models for name in names))
    )
