"""One call that somebody was charged for, whatever file tells of it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from typing import Any

from llmtest.types import CompletionRequest, Usage

__all__ = ["NO_LABELS", "BilledCall", "OnBytes", "checked", "counted", "priced_at"]

NO_LABELS: Mapping[str, str] = {}
END_OF_TIME_NS = 253_402_300_800_000_000_000
"""The year 10000, which no date reaches."""
LARGEST, FINEST = 308, -80
"""Powers of ten of the largest and the finest amount that can be summed with others without losing a digit."""

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
        request: What was asked, where the file tells it.
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
    request: CompletionRequest | None = None


def counted(facts: Mapping[str, Any], names: Iterable[str]) -> None:
    """Check that what is a number of tokens is one.

    Raises:
        ValueError: One is no whole number of 0 or more; the text names it.
    """
    for name in names:
        value = facts.get(name, 0)
        if type(value) is not int or value < 0:
            raise ValueError(f"`{name}` is a whole number of 0 or more, got {value!r:.80}")


def priced_at(cost: object) -> Decimal | None:
    """Return an amount as a file has it: digits as text, or a number, read as the digits it prints; null is None.

    Raises:
        ValueError: It is no amount of money.
    """
    if cost is None:
        return None
    try:
        amount = Decimal(str(cost)) if type(cost) in {str, int, float} else Decimal("NaN")
    except InvalidOperation:
        amount = Decimal("NaN")
    if amount.is_finite() and amount >= 0:
        exponent = amount.as_tuple().exponent
        if isinstance(exponent, int) and exponent >= FINEST and amount.adjusted() <= LARGEST:
            return amount
    raise ValueError(f"`cost_usd` is an amount of 0 or more, got {cost!r:.80}")


def checked(call: BilledCall) -> BilledCall:
    """Return a call whose facts were found to be what they are said to be.

    Args:
        call: A call as a file tells of it.

    Raises:
        ValueError: One is of another kind; the text names it.
    """
    told: dict[str, Any] = {"provider": call.provider, "model": call.model, "service_tier": call.service_tier}
    for name, value in told.items():
        if not isinstance(value, str) and (value is not None or name == "provider"):
            raise ValueError(f"`{name}` is a text, got {value!r:.80}")
    if not isinstance(call.metadata, Mapping):
        raise ValueError(f"`metadata` is labels by name, got {call.metadata!r:.80}")  # noqa: TRY004 - the same
    if type(call.at_ns) is not int:
        raise ValueError(f"`at_ns` is a whole number, got {call.at_ns!r:.80}")
    if type(call.time_ns) is not int or not 0 <= call.time_ns < END_OF_TIME_NS:
        raise ValueError(f"{call.time_ns!r:.80} is no time in nanoseconds since 1970")
    return call
