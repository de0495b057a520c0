"""Texts as vectors: what is to be embedded, and what came of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from llmtest.types._usage import UNKNOWN_USAGE, Usage

__all__ = ["EmbeddingRequest", "EmbeddingResponse"]


@dataclass(frozen=True, slots=True)
class EmbeddingRequest:
    """What is to be embedded: texts, or token lists as some clients send them."""

    inputs: tuple[str | tuple[int, ...], ...]
    model: str | None = None
    encoding_format: Literal["float", "base64"] = "float"
    dimensions: int | None = None
    extra: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class EmbeddingResponse:
    """Vectors in the order of the inputs."""

    vectors: tuple[tuple[float, ...], ...]
    model: str | None = None
    usage: Usage = UNKNOWN_USAGE
