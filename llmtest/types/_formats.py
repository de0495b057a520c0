"""In which form the answer is wanted: text, any JSON, or JSON by a schema."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from llmtest.errors import ConfigurationError

__all__ = ["ResponseFormat"]


@dataclass(frozen=True, slots=True)
class ResponseFormat:
    """In which form the answer is wanted.

    Args:
        type: `text`; `json_object`, any JSON; or `json_schema`, JSON that fits `schema`.
        schema: The JSON Schema; with `json_schema` alone, and there required.
        name: What the schema is called; only OpenAI asks for it, and gets `answer` where there is none.
        strict: Whether the answer must fit the schema; None is the provider's default (Anthropic's always fits).
        description: What the schema is for.

    Raises:
        ConfigurationError: The type is unknown, or a schema is missing or stands where none belongs.

    Example:
        >>> ResponseFormat.json_schema({"type": "object"}, name="city").type
        'json_schema'
    """

    type: Literal["text", "json_object", "json_schema"]
    schema: Mapping[str, Any] | None = None
    name: str | None = None
    strict: bool | None = None
    description: str | None = None

    def __post_init__(self) -> None:
        if self.type not in ("text", "json_object", "json_schema"):
            raise ConfigurationError(
                f"ResponseFormat: unknown type {self.type!r}. Known types: text, json_object, json_schema.\n\n"
                'To fix: ResponseFormat("json_object")'
            )
        if (self.schema is None) == (self.type == "json_schema") or not isinstance(self.schema, Mapping | None):
            raise ConfigurationError(
                f"ResponseFormat: `{self.type}` with schema {self.schema!r}; `json_schema` needs one, the others have "
                'none.\n\nTo fix: ResponseFormat.json_schema({"type": "object", "properties": {}}, name="answer")'
            )

    @classmethod
    def json_schema(
        cls,
        schema: Mapping[str, Any],
        *,
        name: str | None = None,
        strict: bool | None = None,
        description: str | None = None,
    ) -> ResponseFormat:
        """Ask for JSON that fits a schema."""
        return cls("json_schema", schema, name, strict, description)
