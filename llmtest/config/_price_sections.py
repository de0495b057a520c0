"""The schema of prices: of one model, and of a file of them."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated, Any

from pydantic import BeforeValidator, WithJsonSchema, model_validator

from llmtest.config._fields import Money, Positive, Text
from llmtest.config._validation import Section, one_of
from llmtest.costs import TABLES

__all__ = ["ModelPriceSection", "PriceFileSection", "SlotPriceSection"]

CURRENCY = "USD"


def _day(value: Any) -> date:
    if isinstance(value, date) and not isinstance(value, datetime):
        return value
    try:
        return date.fromisoformat(value)
    except (TypeError, ValueError):
        raise ValueError(f"`{value}` is not a day; write `2026-11-30`") from None


Day = Annotated[date, BeforeValidator(_day), WithJsonSchema({"type": "string", "format": "date"})]
"""A day of the calendar."""


class SlotPriceSection(Section):
    """What a model costs, in USD per million tokens."""

    input_usd_per_mtok: Money
    """Tokens of the prompt."""
    output_usd_per_mtok: Money
    """Tokens of the answer."""
    cache_read_usd_per_mtok: Money | None = None
    """Tokens of the prompt that are read from the provider's cache; by default as others."""
    cache_write_usd_per_mtok: Money | None = None
    """Tokens of the prompt that are written to it; by default as others."""
    cache_write_1h_usd_per_mtok: Money | None = None
    """Tokens that are written to it for an hour; by default as others, or unknown where other writes have a price."""
    reasoning_usd_per_mtok: Money | None = None
    """Tokens of the answer that are thought only; by default as others."""
    input_audio_usd_per_mtok: Money | None = None
    """Tokens of sound in the prompt; by default unknown."""
    output_audio_usd_per_mtok: Money | None = None
    """Tokens of sound in the answer; by default unknown."""
    input_image_usd_per_mtok: Money | None = None
    """Tokens of pictures in the prompt; by default as others."""
    output_image_usd_per_mtok: Money | None = None
    """Tokens of pictures in the answer; by default as others."""
    usd_per_tool_use: dict[str, Money] | None = None
    """USD for each use of a tool that runs at the provider, by its name, such as `web_search`; by default unknown."""
    usd_per_request: Money | None = None
    """USD for each request."""

    @property
    def arguments(self) -> dict[str, Any]:
        """The same as arguments of `Prices.add`."""
        return {key: value for key, value in self if value is not None}


class ModelPriceSection(SlotPriceSection):
    """What a model costs from a day on, in a service tier."""

    tier: Text | None = None
    """The service tier it is the price of (`flex`, `priority`, `batch`); by default the standard one."""
    since: Day | None = None
    """The first UTC day on which it holds; by default it always does."""
    context_window: Positive | None = None
    """Tokens that prompt and answer may hold together."""


def _listed(value: Any) -> Any:
    return [value] if isinstance(value, dict) else value


_PRICE = {"x-section": "ModelPriceSection"}
PriceList = Annotated[
    list[ModelPriceSection],
    BeforeValidator(_listed),
    WithJsonSchema(
        {"anyOf": [{"x-section": "ModelPriceSection"}, {"type": "array", "items": {"x-section": "ModelPriceSection"}}]}
    ),
]
"""One price, or several: by day, or by service tier."""


def _currency(value: Any) -> str:
    if value != CURRENCY:
        raise ValueError(
            f"`{value}` is not a currency that prices are in: everything here is in `{CURRENCY}`.\n"
            f"To fix: convert the prices, and write `currency: {CURRENCY}`, or leave it out"
        )
    return CURRENCY


Currency = Annotated[str, BeforeValidator(_currency), WithJsonSchema({"const": CURRENCY})]


def _table(value: Any) -> str:
    if value not in TABLES:
        raise ValueError(one_of("table", value, list(TABLES)))
    return str(value)


Table = Annotated[str, BeforeValidator(_table), WithJsonSchema({"enum": list(TABLES)})]


def _model(value: Any) -> str:
    provider, _, model = str(value).partition(":")
    if not provider.strip() or not model.strip():
        raise ValueError(
            f"`{value}` names no model of a provider; write `provider:model`, such as `gateway:{value}`, or "
            f"`{value}:*` for everything that a provider has"
        )
    return str(value)


Model = Annotated[str, BeforeValidator(_model)]
"""A model of a provider, or a pattern of them."""


class PriceFileSection(Section):
    """Prices of your own, over the published ones."""

    version: Annotated[Any, WithJsonSchema({"const": 1})] = 1
    """Of this format; 1."""
    currency: Currency = CURRENCY
    """What the prices are in; USD."""
    simulated: Table | None = None
    """A table that another system simulates with, instead of the published prices."""
    prices: dict[Model, PriceList] | None = None
    """What models cost, by `provider:model`; `*` in it stands for any text."""
    free: list[Text] | None = None
    """Providers of which every model costs nothing, because they run on machines of your own."""
    aliases: dict[str, Text] | None = None
    """Providers under names of your own: whose prices they have."""

    @model_validator(mode="after")
    def _says_something(self) -> PriceFileSection:
        if self.version != 1:
            raise ValueError(f"`version: {self.version}` is not known here; write `version: 1`")
        if not (self.prices or self.free or self.aliases or self.simulated):
            raise ValueError("says nothing: write `prices`, `free`, `aliases` or `simulated`")
        return self
