"""One model of a provider's list."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

__all__ = ["ModelCard"]


@dataclass(frozen=True, slots=True)
class ModelCard:
    """One model of a provider's list."""

    id: str
    created_s: int = 0
    owned_by: str | None = None
    display_name: str | None = None
    max_input_tokens: int | None = None
    max_tokens: int | None = None
    extra: Mapping[str, Any] = field(default_factory=dict)
