"""The section of a chain file that says how streams are handed over."""

from __future__ import annotations

from pydantic import model_validator

from llmtest.config._fields import Positive
from llmtest.config._validation import Section

__all__ = ["StreamingSection"]


class StreamingSection(Section):
    """How streams are handed over."""

    enabled: bool = True
    """Kept; a stream is asked for by whoever calls `stream`."""
    chunk_size: Positive | None = None
    """Characters of a piece at least; by default a stream is handed over as it comes."""
    buffer_timeout_ms: Positive | None = None
    """Milliseconds after which a smaller piece is handed over too; 100 by default."""

    @model_validator(mode="after")
    def _wait_for_something(self) -> StreamingSection:
        if self.buffer_timeout_ms is not None and self.chunk_size is None:
            raise ValueError("`buffer_timeout_ms` says nothing without `chunk_size`")
        return self

    @property
    def settings(self) -> dict[str, int]:
        """What a provider is told of it."""
        found = {"chunk_size": self.chunk_size, "buffer_timeout_ms": self.buffer_timeout_ms}
        return {name: value for name, value in found.items() if value is not None}
