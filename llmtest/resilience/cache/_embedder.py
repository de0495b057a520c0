"""Texts as vectors, for a cache that knows alike requests."""

from __future__ import annotations

import math
from hashlib import blake2b
from itertools import pairwise
from typing import Any, Protocol

from llmtest.errors import ConfigurationError
from llmtest.resilience.cache._text_marks import words_of
from llmtest.types import EmbeddingRequest, EmbeddingResponse, Usage

__all__ = ["Embedder", "WordEmbedder", "as_embedder"]

DIMENSIONS = 256
WHOLE = 0.1
"""Share of a vector that is the same only for the same words in the same order."""
FILLING = """
    a an the please kindly could can would you me i we us my our is are was were be do does did s re ll ve d to of
    hi hello hey thanks thank tell just so well
"""
"""Words that a question can do without."""
FILLERS = frozenset(FILLING.split())


class Embedder(Protocol):
    """Something that makes vectors of texts; a provider that embeds is one."""

    name: str

    def embed(self, request: EmbeddingRequest, /) -> EmbeddingResponse:
        """Return a vector for each text, blocking."""
        ...

    async def embed_async(self, request: EmbeddingRequest, /) -> EmbeddingResponse:
        """Return a vector for each text, on the event loop."""
        ...


def as_embedder(given: Any) -> Embedder:
    """Return what makes vectors.

    Raises:
        ConfigurationError: It does not.
    """
    if isinstance(given, type) or not all(hasattr(given, name) for name in ("name", "embed", "embed_async")):
        raise ConfigurationError(
            f"an `embedder` has `name`, `embed(request)` and `embed_async(request)`; {given!r} has not.\n"
            "To fix: embedder=WordEmbedder(), or a provider with a model that makes vectors"
        )
    return given  # type: ignore[no-any-return]  # it has what an embedder has


class WordEmbedder:
    """Vectors that depend on nothing but the words: no network, no model, the same on every machine.

    Two texts are as alike as their words, and pairs of neighbouring words, are the same; case, punctuation and fillers
    ("please", "the") do not count. At a threshold above 0.92 nothing else may differ, however long the texts are, so
    that it is safe to use as it is; below, texts that share most of their words are alike too, which suits tests.

    Args:
        dimensions: Length of the vectors; 16 or more.

    Example:
        >>> embedder = WordEmbedder()
        >>> one, other = (embedder.vector(text) for text in ("Capital of France?", "the capital of  FRANCE, please"))
        >>> one == other
        True
    """

    def __init__(self, dimensions: int = DIMENSIONS) -> None:
        if dimensions < 16:
            raise ConfigurationError(f"dimensions must be 16 or more, got {dimensions}")
        self.dimensions = dimensions
        self.name = f"words-{dimensions}"

    def vector(self, text: str) -> tuple[float, ...]:
        """Return the vector of a text, of length 1."""
        words = words_of(text)
        words = [word for word in words if word not in FILLERS] or words
        counted = [0.0] * self.dimensions
        pairs = [f"{one} {other}" for one, other in pairwise(words)]
        for word in (*words, *pairs):
            number = int.from_bytes(blake2b(word.encode("utf-8", "surrogatepass"), digest_size=8).digest())
            counted[number % self.dimensions] += 1.0 if number >> 63 else -1.0
        whole = _noise(" ".join(words), self.dimensions)
        share = math.sqrt(WHOLE) / (math.hypot(*whole) or 1.0)
        rest = math.sqrt(1 - WHOLE) / (math.hypot(*counted) or 1.0)
        mixed = [rest * one + share * other for one, other in zip(counted, whole, strict=True)]
        length = math.hypot(*mixed) or 1.0
        return tuple([value / length for value in mixed])

    def embed(self, request: EmbeddingRequest, /) -> EmbeddingResponse:
        """Return a vector for each text."""
        return EmbeddingResponse(tuple(self.vector(str(text)) for text in request.inputs), self.name, Usage())

    async def embed_async(self, request: EmbeddingRequest, /) -> EmbeddingResponse:
        """Return a vector for each text."""
        return self.embed(request)


def _noise(text: str, count: int) -> list[float]:
    """Return numbers that have nothing in common with those of any other text."""
    data = b""
    number = 0
    while len(data) < count:
        data += blake2b(text.encode("utf-8", "surrogatepass"), salt=number.to_bytes(16)).digest()
        number += 1
    return [byte - 127.5 for byte in data[:count]]
