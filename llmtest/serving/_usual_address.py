"""Where an API is usually reached, for texts that show how to go there."""

from __future__ import annotations

from llmtest.wire import dialects

__all__ = ["usual_address"]


def usual_address() -> str:
    """Return the address of the API whose paths say nothing else."""
    return next(each.hosts[0] for each in dialects().values() if each.is_default)
