"""Fixtures of the stores' tests."""

from tests.resilience.conftest import mode, world

__all__ = ["mode", "world"]
