"""Dummy API keys: an SDK that finds no key refuses to be constructed, long before anything could be simulated."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

from llmtest.simulation import DUMMY_KEY, missing_keys

__all__ = ["dummy_keys", "set_dummy_keys"]


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
