"""One call that somebody was charged for, whatever file tells of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal

from llmtest.types import Usage

__all__ = ["NO_LABELS", "BilledCall", "OnBytes"]

NO_LABELS: Mapping[str, str] = {}

OnBytes = Callable[[int, int], None]
"""Is told how many bytes of a file are read, and how many calls were in them."""


@dataclass(slots=True)
class BilledCall:
    """One call that somebody was charged for.

    Args:
        provider: Who charged for it; empty where the file does not say (a trace does not).
        model: The model that served it.
        usage: Its tokens.
        cost_usd: What the file says that it cost; None where it does not.
        time_ns: When it was, in nanoseconds since 1970; 0 where the file does not say.
        at_ns: When it was, in nanoseconds from the start of a run; for files without dates.
        service_tier: The tier that served it.
        metadata: The caller's own labels of the request.
        test: Whose traffic it is: the test that the file names, else the file, which is one test's.
        source: The file.
    """

    provider: str
    model: str | None
    usage: Usage
    cost_usd: Decimal | None = None
    time_ns: int = 0
    at_ns: int = 0
    service_tier: str | None = None
    metadata: Mapping[str, str] = field(default_factory=dict)
    test: str = ""
    source: str = ""
