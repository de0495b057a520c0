"""How alike two vectors are."""

from __future__ import annotations

import math
from collections.abc import Sequence
from operator import mul
from typing import Any

__all__ = ["cosine", "normal"]

_sum_of_products: Any = getattr(math, "sumprod", None)  # from Python 3.12 on


def normal(vector: Sequence[float]) -> tuple[float, ...] | None:
    """Return a vector of length 1 in the same direction; None where there is none, or a number is none."""
    length = math.hypot(*vector)
    if not 0 < length < math.inf:
        return None
    return tuple([value / length for value in vector])


def cosine(one: Sequence[float], other: Sequence[float]) -> float:
    """Return the cosine of two vectors of length 1; 0 where they are not of one kind."""
    if len(one) != len(other):
        return 0.0
    if _sum_of_products is not None:
        return float(_sum_of_products(one, other))
    return float(sum(map(mul, one, other)))
