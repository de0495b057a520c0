"""Dummy API keys: an SDK that finds no key refuses to be constructed, long before anything could be simulated."""

from __future__ import annotations

import os

from llmtest.wire import dialects

__all__ = ["DUMMY_KEY", "missing_keys"]

DUMMY_KEY = "llmtest-dummy-key"
"""Says in any log where it came from; no provider accepts it."""


def missing_keys() -> list[str]:
    """Return the variables that need a dummy: the first of every provider that has none of its variables set."""
    groups = [each.variables.keys for each in dialects().values() if each.is_provider and each.needs_key]
    return [group[0] for group in groups if group and not any(os.environ.get(name) for name in group)]
