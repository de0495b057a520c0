"""What outcomes mean for the question whether to ask again."""

from __future__ import annotations

from llmtest.conduct._evidence import RequestEvidence

__all__ = ["is_circuit_error", "is_final", "is_out_of_credit", "may_pass"]

FINAL = frozenset({"400", "401", "402", "403", "404", "413", "422"})
PASSING = frozenset({"408", "409", "429", "timeout", "reset", "refused"})
"""Outcomes that another request may not meet, beside every 5xx."""
OUT_OF_CREDIT = "quota_exceeded"


def is_circuit_error(class_name: str) -> bool:
    """Tell whether an error is that of an open circuit, by its class: every library has one of such a name."""
    name = class_name.lower()
    return "circuit" in name or "breaker" in name or name == "openedstate"


def is_out_of_credit(request: RequestEvidence) -> bool:
    """Tell an exhausted account, which OpenAI answers with a 429, from a rate limit."""
    return request.fault.startswith(OUT_OF_CREDIT)


def is_final(request: RequestEvidence) -> bool:
    """Tell whether the same request can only fail again."""
    return request.outcome in FINAL or is_out_of_credit(request)


def may_pass(request: RequestEvidence, within: float) -> bool:
    """Tell whether another request may fare better, within so many seconds."""
    if is_out_of_credit(request) or (request.retry_after or 0) > within:
        return False
    return request.outcome in PASSING or (request.outcome.isdigit() and request.outcome.startswith("5"))
