"""Dummy API keys: an SDK that finds no key refuses to be constructed, long before anything could be simulated."""

from __future__ import annotations

import os

from llmtest.wire import Variables, dialects

__all__ = ["DUMMY_KEY", "missing_keys"]

DUMMY_KEY = "llmtest-dummy-key"
"""Says in any log where it came from; no provider accepts it."""


def missing_keys() -> list[str]:
    """Return the variables that need a dummy: those of every provider that has none of its variables set."""
    needed = [each.variables for each in dialects().values() if each.is_provider and each.needs_key]
    return [name for variables in needed if not _has_key(variables) for name in variables.stand_ins]


def _has_key(variables: Variables) -> bool:
    names = (*variables.keys, *variables.dummies, *variables.other_keys)
    return any(os.environ.get(name) for name in names)
