"""One model of a provider's list."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from llmtest.types._extra import ExtraByDialect

__all__ = ["ModelCard"]


@dataclass(frozen=True, slots=True)
class ModelCard(ExtraByDialect):
    """One model of a provider's list; `extra` holds further fields by dialect.

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
