"""Texts as vectors: what is to be embedded, and what came of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from llmtest.types._extra import ExtraByDialect
from llmtest.types._usage import UNKNOWN_USAGE, Usage

__all__ = ["EmbeddingRequest", "EmbeddingResponse"]


@dataclass(frozen=True, slots=True)
class EmbeddingRequest(ExtraByDialect):
    """What is to be embedded: texts, or token lists as some clients send them.

    Args:
        inputs: Texts or token lists.
        model: Model to use; None takes the provider's default.
        encoding_format: How the vectors travel.
        dimensions: Length of the vectors, where the model lets one choose.
        extra: Further fields of a body by dialect, sent verbatim to that dialect alone: `{"openai": {"user": "u-1"}}`.

    Raises:
        ConfigurationError: `extra` does not say whose its fields are.
    """

    inputs: tuple[str | tuple[int, ...], ...]
    model: str | None = None
    encoding_format: Literal["float", "base64"] = "float"
    dimensions: int | None = None
    extra: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class EmbeddingResponse:
    """Vectors in the order of the inputs."""

    vectors: tuple[tuple[float, ...], ...]
    model: str | None = None
    usage: Usage = UNKNOWN_USAGE
