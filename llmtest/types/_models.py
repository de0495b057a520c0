"""One model: as a provider lists it, and what is known of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from llmtest.types._extra import ExtraByDialect

__all__ = ["ModelCard", "ModelMetadata"]


@dataclass(frozen=True, slots=True)
class ModelCard(ExtraByDialect):
    """One model of a provider's list; `extra` holds further fields by dialect.

    The costs are USD for one token, where the list tells prices.

    Raises:
        ConfigurationError: `extra` does not say whose its fields are.
    """

    id: str
    created_s: int = 0
    owned_by: str | None = None
    display_name: str | None = None
    max_input_tokens: int | None = None
    max_tokens: int | None = None
    extra: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    input_cost_per_token: Decimal | None = None
    output_cost_per_token: Decimal | None = None


@dataclass(frozen=True, slots=True)
class ModelMetadata:
    """What is known of a model; None where nobody knows.

    Args:
        id: Its name.
        provider: Whose model it is.
        context_length: Tokens that prompt and answer may hold together.
        max_output_tokens: Most tokens of an answer.
        input_cost_per_token: USD for one token of a prompt that comes from no cache.
        output_cost_per_token: USD for one token of an answer.
        display_name: What its provider calls it on a page.
    """

    id: str
    provider: str | None = None
    context_length: int | None = None
    max_output_tokens: int | None = None
    input_cost_per_token: Decimal | None = None
    output_cost_per_token: Decimal | None = None
    display_name: str | None = None
