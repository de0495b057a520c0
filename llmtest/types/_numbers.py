"""Which numbers a test may write: the checks behind argument errors."""

from __future__ import annotations

import math

__all__ = ["is_number", "is_whole"]


def is_whole(value: object, least: int) -> bool:
    """Tell whether a value is a whole number, `least` or more; a bool is none."""
    return isinstance(value, int) and not isinstance(value, bool) and value >= least


def is_number(value: object, least: float = 0.0) -> bool:
    """Tell whether a value is a finite number, `least` or more; a bool is none."""
    return isinstance(value, int | float) and not isinstance(value, bool) and least <= value < math.inf
