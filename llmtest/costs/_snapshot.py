"""The price list that ships with genai-prices, read offline. The only file that knows that package.

Importing it takes a third of a second, so that happens on the first question nobody else could answer.
"""

from __future__ import annotations

import re
from datetime import datetime
from decimal import Decimal
from functools import cache
from typing import TYPE_CHECKING

from llmtest.costs._money import EXACT, ZERO
from llmtest.costs._rates import FREE, Rates, Tariff

if TYPE_CHECKING:
    from genai_prices.data_snapshot import DataSnapshot
    from genai_prices.types import ModelInfo, ModelPrice, TieredPrices

__all__ = ["home_of_host", "known_models", "list_version", "listed_tariff", "listed_window"]

WINDOWS = {
    "gemini-2.5-pro": 1_048_576,
    "gemini-3-pro-preview": 1_048_576,
    "gemini-3.1-pro-preview": 1_048_576,
}
"""Context windows of much used models for which the price list has none."""

PER_THOUSAND = Decimal("0.001")


@cache
def _snapshot() -> DataSnapshot:
    from genai_prices.data_snapshot import get_snapshot

    return get_snapshot()


@cache
def _find(provider: str, model: str) -> ModelInfo | None:
    snapshot = _snapshot()
    home = next((listed for listed in snapshot.providers if listed.id == provider), None)
    return None if home is None else home.find_model(model, all_providers=snapshot.providers)


@cache
def home_of_host(host: str) -> str | None:
    """Return whose prices hold at a host, such as `api.novita.ai`; None where the list knows nobody there."""
    url = f"https://{host.lower()}/"
    homes = (home for home in _snapshot().providers if home.api_pattern and home.models)
    return next((home.id for home in homes if re.match(home.api_pattern, url)), None)


def listed_tariff(provider: str, model: str, at: datetime) -> tuple[Tariff | None, bool]:
    """Return the listed prices of a model at a time, and whether they hold for the whole UTC day."""
    found = _find(provider, model)
    if found is None:
        return None, True
    whole_day = True
    if isinstance(found.prices, list):
        from genai_prices.types import TimeOfDateConstraint

        whole_day = not any(isinstance(price.constraint, TimeOfDateConstraint) for price in found.prices)
    return _tariff(found, found.get_prices(at)), whole_day


def listed_window(provider: str, model: str) -> int | None:
    """Return the listed context window of a model."""
    found = _find(provider, model)
    if found is None:
        return None
    return found.context_window or WINDOWS.get(found.id)


def known_models(provider: str) -> list[str]:
    """Return the models of a provider that the list has."""
    return [model.id for listed in _snapshot().providers if listed.id == provider for model in listed.models]


def list_version() -> str:
    """Return the name and version of the list, which tell how old its prices are."""
    from genai_prices import __version__

    return f"genai-prices {__version__}"


def _tariff(model: ModelInfo, price: ModelPrice) -> Tariff | None:
    """Translate one entry; None where what it prices is not tokens (hours of audio, pages) or nothing at all."""
    if not any(value is not None for value in vars(price).values()):
        return FREE if model.id.endswith(":free") or model.id == "moderation" else None
    if price.input_mtok is None:
        return None
    starts = {-1} | {tier.start for value in vars(price).values() for tier in getattr(value, "tiers", ())}
    return Tariff(*((start, _rates(price, start)) for start in sorted(starts)))


def _rates(price: ModelPrice, start: int) -> Rates:
    """Return the rates of prompts just longer than `start` tokens."""
    searches = (
        ("web_search", _each(price.web_searches_kcount, start)),
        ("file_search", _each(price.storage_searches_kcount, start)),
    )
    return Rates(
        input=_at_step(price.input_mtok, start) or ZERO,
        output=_at_step(price.output_mtok, start),
        cache_read=_at_step(price.cache_read_mtok, start),
        cache_write=_at_step(price.cache_write_mtok, start),
        reasoning=_at_step(price.output_reasoning_mtok, start),
        per_request=_each(price.requests_kcount, start) or ZERO,
        cache_write_1h=_at_step(price.cache_write_1h_mtok, start),
        input_audio=_at_step(price.input_audio_mtok, start),
        output_audio=_at_step(price.output_audio_mtok, start),
        tool_uses=tuple((tool, each) for tool, each in searches if each is not None),
        input_image=_at_step(price.input_image_mtok, start),
        output_image=_at_step(price.output_image_mtok, start),
    )


def _each(price: Decimal | TieredPrices | None, start: int) -> Decimal | None:
    """Return the price of one, where the list has that of a thousand."""
    per_thousand = _at_step(price, start)
    return None if per_thousand is None else EXACT.multiply(per_thousand, PER_THOUSAND)


def _at_step(price: Decimal | TieredPrices | None, start: int) -> Decimal | None:
    if price is None or isinstance(price, Decimal):
        return price
    applicable = price.base
    for tier in price.tiers:
        if start >= tier.start:
            applicable = tier.price
    return applicable
