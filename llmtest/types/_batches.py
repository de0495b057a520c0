"""Batches: many requests handed over at once, answered within a day, at a lower price."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from llmtest.errors import ProviderError
from llmtest.types._requests import CompletionRequest
from llmtest.types._responses import CompletionResponse

__all__ = ["BatchJob", "BatchOutcome", "BatchRequest", "BatchResult", "BatchStatus"]

BatchStatus = Literal[
    "validating", "in_progress", "finalizing", "completed", "failed", "expired", "cancelling", "cancelled"
]
"""What a batch is doing. `completed`, `failed`, `expired` and `cancelled` are the last of it."""

BatchOutcome = Literal["succeeded", "failed", "cancelled", "expired"]
"""What became of one request of a batch."""

_LAST = frozenset({"completed", "failed", "expired", "cancelled"})


@dataclass(frozen=True, slots=True)
class BatchRequest:
    """One request of a batch.

    Args:
        custom_id: What you call it; no two requests of a batch have the same. Its result is found by it.
        request: What is asked; a model that it does not name is the provider's.
    """

    custom_id: str
    request: CompletionRequest


@dataclass(frozen=True, slots=True)
class BatchJob:
    """A batch, as its provider tells of it at one moment.

    Args:
        id: Its id.
        status: What it is doing.
        total: How many requests it has, as far as they are counted.
        succeeded: How many were answered.
        failed: How many came to nothing: refused, cancelled or expired.
        created_s: When it was handed over, in epoch seconds; None where the provider does not say.
        told: All that the provider says of it, verbatim.
    """

    id: str
    status: BatchStatus
    total: int = 0
    succeeded: int = 0
    failed: int = 0
    created_s: float | None = None
    told: Mapping[str, Any] = field(default_factory=dict, repr=False)

    @property
    def is_over(self) -> bool:
        """Whether nothing about it changes any more, so that its results can be read."""
        return self.status in _LAST


@dataclass(frozen=True, slots=True)
class BatchResult:
    """What became of one request of a batch.

    Args:
        custom_id: What the request was called.
        outcome: What became of it.
        response: Its answer, where it was answered.
        error: Why it was not, where the provider says.
    """

    custom_id: str
    outcome: BatchOutcome
    response: CompletionResponse | None = None
    error: ProviderError | None = None
