"""Tools a model may call, and what they return."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from llmtest.types._extra import ExtraByDialect
from llmtest.types._parts import CacheTtl

__all__ = ["ToolDefinition", "ToolResult"]


@dataclass(frozen=True, slots=True)
class ToolDefinition(ExtraByDialect):
    """A tool the model may call.

    Args:
        name: Its name.
        description: What it is for, to the model.
        parameters: JSON Schema of its arguments.
        extra: Further fields by dialect, verbatim: `{"anthropic": {"defer_loading": True}}`.
        strict: Whether calls must fit the schema; None is the provider's default.
        cache_ttl: Ends a part of the prompt that the provider is to cache; see `TextPart`.

    Raises:
        ConfigurationError: `extra` does not say whose its fields are.
    """

    name: str
    description: str | None = None
    parameters: Mapping[str, Any] = field(default_factory=lambda: {"type": "object", "properties": {}})
    extra: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    strict: bool | None = field(default=None, kw_only=True)
    cache_ttl: CacheTtl | None = field(default=None, kw_only=True)


@dataclass(frozen=True, slots=True)
class ToolResult:
    """What a tool returned, on its way back to the model."""

    tool_call_id: str
    content: str
    name: str | None = None
    is_error: bool = False
