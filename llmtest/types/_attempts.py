"""One request to one provider, as part of a logical call."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from llmtest.types._usage import Usage

__all__ = ["Attempt"]


@dataclass(slots=True)
class Attempt:
    """One request to one provider, as part of a logical call. Treat as read-only.

    Args:
        provider: Name of the provider.
        model: Model that was asked for.
        start_ns: When it started, in nanoseconds of the clock.
        end_ns: When it ended.
        outcome: `200`, another status, or a word: `timeout`, `reset`, `refused`, `truncated`, `dropped`, `stalled`,
            `malformed`, `circuit_open`, `cache_hit`, `cancelled`.
        usage: Tokens, as far as known.
        billed: Whether the provider charges for it; a failed attempt can be billed.
        cost_usd: Its price; None where it is unknown, which is not zero.
        retry_after: Seconds the provider asked to wait.
        slept_before: Seconds slept before it.
        credential: Label of the key that was used, never the key.
        purpose: `call`, or `summary`, `health`, `hedge`, `cascade`, `embedding`, `prompt_retry`.
        error: The error it ended with.
    """

    provider: str
    model: str | None
    start_ns: int
    end_ns: int
    outcome: str
    usage: Usage | None = None
    billed: bool = False
    cost_usd: Decimal | None = None
    retry_after: float | None = None
    slept_before: float = 0.0
    credential: str | None = None
    purpose: str = "call"
    error: Exception | None = None

    @property
    def duration(self) -> float:
        """Seconds from start to end."""
        return (self.end_ns - self.start_ns) / 1e9
