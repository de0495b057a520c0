"""Dummy API keys: an SDK that finds no key refuses to be constructed, long before anything could be simulated."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["DUMMY_KEY", "dummy_keys", "missing_keys", "set_dummy_keys"]

DUMMY_KEY = "llmtest-dummy-key"
"""Says in any log where it came from; no provider accepts it."""

KEY_VARIABLES: tuple[tuple[str, ...], ...] = (
    ("OPENAI_API_KEY",),
    ("ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN"),
    ("AZURE_OPENAI_API_KEY",),
    ("GEMINI_API_KEY", "GOOGLE_API_KEY"),
    ("OPENROUTER_API_KEY",),
)
"""Variables by provider. One of a group that is set is enough: the first is what a dummy goes into."""


def missing_keys() -> list[str]:
    """Return the variables that need a dummy."""
    return [group[0] for group in KEY_VARIABLES if not any(os.environ.get(name) for name in group)]


def set_dummy_keys() -> list[str]:
    """Set a dummy for every missing key and return what was set; a real key is never replaced."""
    names = missing_keys()
    for name in names:
        os.environ[name] = DUMMY_KEY
    return names


@contextmanager
def dummy_keys() -> Iterator[None]:
    """Set dummies while the context is open, and take away what is still a dummy afterwards."""
    before = {name: os.environ.get(name) for name in missing_keys()}
    set_dummy_keys()
    try:
        yield
    finally:
        for name, value in before.items():
            if os.environ.get(name) == DUMMY_KEY:
                if value is None:
                    del os.environ[name]
                else:
                    os.environ[name] = value
