"""Tools a model may call, and what they return."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

__all__ = ["ToolDefinition", "ToolResult"]


@dataclass(frozen=True, slots=True)
class ToolDefinition:
    """A tool the model may call; `parameters` is a JSON Schema."""

    name: str
    description: str | None = None
    parameters: Mapping[str, Any] = field(default_factory=lambda: {"type": "object", "properties": {}})
    extra: Mapping[str, Any] = field(default_factory=dict)
    """Fields of the dialect that are not modelled (`strict`, `cache_control`), verbatim."""


@dataclass(frozen=True, slots=True)
class ToolResult:
    """What a tool returned, on its way back to the model."""

    tool_call_id: str
    content: str
    name: str | None = None
    is_error: bool = False
