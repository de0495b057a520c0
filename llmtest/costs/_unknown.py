"""What is said about a price that nobody knows: of what it is missing, and the line of code that adds it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from difflib import get_close_matches
from typing import TYPE_CHECKING

from llmtest.costs import _snapshot
from llmtest.costs._tiers import known_tiers, plain_tier
from llmtest.costs._windows import other_names
from llmtest.errors import UnknownPriceError
from llmtest.types import Usage

if TYPE_CHECKING:
    from llmtest.costs._prices import Prices

__all__ = ["model_names", "to_add", "unknown_price"]

DATED = re.compile(r"[-@](?:\d{4}-\d{2}-\d{2}|\d{8}|latest)$")
"""The end of a model's name that names a snapshot of it."""

KINDS: Mapping[str, tuple[str, str]] = {
    "cache_write_1h_tokens": ("cache writes for an hour", 'cache_write_1h_usd_per_mtok="6"'),
    "input_audio_tokens": ("sound in a prompt", 'input_audio_usd_per_mtok="32"'),
    "output_audio_tokens": ("sound in an answer", 'output_audio_usd_per_mtok="64"'),
}
"""Kinds of tokens that have a price of their own or none: what they are, and how it is added."""


def model_names(model: str) -> list[str]:
    """Return the names under which a model may be priced: its own, without the date of its snapshot, and aliases."""
    name = model.lower()
    undated = DATED.sub("", name)
    names = [name] if undated == name else [name, undated]
    return names if "claude-" not in name else [*names, *(other for each in names for other in other_names(each))]


def to_add(reference: str, usage: Usage | None = None, tier: str | None = None) -> str:
    """Return the line of code that adds a price, with everything in it that the call needs.

    Args:
        reference: Provider and model, as `Prices.add` takes them.
        usage: Tokens of the call, if they are known.
        tier: Its service tier.
    """
    given = ['input_usd_per_mtok="1.25"', 'output_usd_per_mtok="10"']
    if usage is not None:
        given += [argument for name, (_, argument) in KINDS.items() if getattr(usage, name)]
        if usage.server_tools:
            tools = ", ".join(f'"{tool}": "0.01"' for tool, _ in usage.server_tools)
            given.append(f"usd_per_tool_use={{{tools}}}")
    name = plain_tier(tier)
    if name is not None:
        given.append(f'tier="{name}"')
    return f'prices.add("{reference}", {", ".join(given)})'


def unknown_price(
    prices: Prices, provider: str, model: str | None, usage: Usage | None, at: datetime, tier: str | None, home: str
) -> UnknownPriceError:
    """Return the error that says which price is unknown, and how to add it.

    Args:
        prices: Where it was looked up.
        provider: Name of the provider.
        model: The model that served the call.
        usage: Its tokens.
        at: When.
        tier: Its service tier.
        home: The provider, as the price list names it.
    """
    reference = f"{provider}:{model or '?'}"
    is_counted = usage is not None and usage.source != "unknown"
    if usage is not None and not is_counted and prices.is_known(provider, model, at, tier=tier):
        text = (
            f"nobody counted the tokens of a call to `{reference}`, so its cost is unknown, not zero.\n"
            'To fix: let the provider report usage (OpenAI streams: `stream_options={"include_usage": True}`), or '
            'count an estimate: `Usage(..., source="estimated")`.'
        )
        return UnknownPriceError(text, provider=provider, model=model)
    lines = _what_is_missing(prices, provider, model, usage if is_counted else None, at, plain_tier(tier), home)
    if is_counted and usage is not None:
        lines.append(
            f"The call used {usage.input_tokens:,} input and {usage.output_tokens:,} output tokens; "
            "its cost is unknown, not zero."
        )
    lines.append(f"To fix: add it: `{to_add(reference, usage, tier)}`.")
    return UnknownPriceError("\n".join(lines), provider=provider, model=model)


def _what_is_missing(
    prices: Prices, provider: str, model: str | None, usage: Usage | None, at: datetime, tier: str | None, home: str
) -> list[str]:
    reference, day = f"{provider}:{model or '?'}", at.date()
    if (
        tier is not None
        and prices.is_known(provider, model, at)
        and not prices.is_known(provider, model, at, tier=tier)
    ):
        lines = [f"no price for `{reference}` in the service tier `{tier}` on {day}."]
        if others := known_tiers(home, model_names(model or "")):
            lines.append(f"Tiers of it with a price: {', '.join(f'`{other}`' for other in others)}.")
        return lines
    if usage is not None and (kinds := _kinds(usage)):
        plain = replace(usage, cache_write_1h_tokens=0, input_audio_tokens=0, output_audio_tokens=0, server_tools=())
        if prices.cost(provider, model, plain, at, tier=tier) is not None:
            return [f"`{reference}` has a price on {day}, but none for {' or '.join(kinds)}."]
    models = _snapshot.known_models(home)
    known = f"{_snapshot.list_version()} has prices of {len(models)} models of `{provider}`"
    lines = [f"no price for `{reference}` on {day} ({known})."]
    if model and (near := get_close_matches(model, models, n=3, cutoff=0.7)):
        lines.append(f"Nearest: {', '.join(f'`{name}`' for name in near)}.")
    return lines


def _kinds(usage: Usage) -> list[str]:
    """Return the kinds of usage of a call that need a price of their own."""
    kinds = [words for name, (words, _) in KINDS.items() if getattr(usage, name)]
    return kinds + [f"the tool `{tool}`" for tool, _ in usage.server_tools]
