"""What an account holds of one billed attempt, and the sum of several."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal

from llmtest.costs._money import EXACT, ZERO
from llmtest.types import Usage

__all__ = ["NO_METADATA", "CostEntry", "Row", "Spend", "entries_of"]


@dataclass(frozen=True, slots=True)
class CostEntry:
    """One billed attempt.

    Args:
        provider: Who billed it.
        model: The model that served it.
        usage: Tokens, with how well they are known in `usage.source`.
        cost_usd: Its price; None where it is unknown, which is not zero.
        purpose: `call`, or `summary`, `health`, `hedge`, `cascade`.
        at_ns: When it ended, in nanoseconds of the clock.
        call: Number of the logical call it belongs to; 0 = none.
        service_tier: The tier that served it, where it is not the standard one (`flex`, `priority`, `batch`).
        metadata: The caller's own labels of the request, as it sent them.
        requested_model: The model that was asked for, which may be another one than has served.
        label: Name of its logical call, such as `llm_sim.call("label")` gives.
        task: Task that it was made for (`Budget.task`).
        tenant: Whom it was made for (`Budget.tenant`).
        test: The test that made it.
        time_ns: When it ended, in nanoseconds since 1970; 0 where nobody said.
        billed: Whether the provider bills it; what it does not bill costs nothing.
        attempt: Which entry of its logical call it is, from 1; 0 where it belongs to none.
        run: Which process entered it, in an account that several share; calls of each have numbers of their own.
    """

    provider: str
    model: str | None
    usage: Usage
    cost_usd: Decimal | None
    purpose: str = "call"
    at_ns: int = 0
    call: int = 0
    service_tier: str | None = None
    metadata: Mapping[str, str] = field(default_factory=dict)
    requested_model: str | None = None
    label: str | None = None
    task: str | None = None
    tenant: str | None = None
    test: str | None = None
    time_ns: int = 0
    billed: bool = True
    attempt: int = field(default=0, compare=False)
    run: int = field(default=0, compare=False)


Name = str | None
Row = tuple[
    str,
    Name,
    Usage,
    Decimal | None,
    str,
    int,
    int,
    Name,
    Mapping[str, str],
    Name,
    Name,
    Name,
    Name,
    Name,
    int,
    bool,
    int,
]
"""The fields of a `CostEntry` in their order, without `attempt`; one is made of it when somebody looks."""

NO_METADATA: Mapping[str, str] = {}


@dataclass(slots=True)
class Spend:
    """A sum of entries.

    `known_usd` sums the entries whose price is known; `unknown` counts the others, `estimated` those whose tokens
    are an estimate.
    """

    calls: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    known_usd: Decimal = ZERO
    unknown: int = 0
    estimated: int = 0

    @property
    def total_tokens(self) -> int:
        """Input and output together."""
        return self.input_tokens + self.output_tokens

    @property
    def usd(self) -> Decimal | None:
        """The sum; None where any part of it is unknown."""
        return None if self.unknown else self.known_usd

    def _add(self, usage: Usage, cost: Decimal | None) -> None:
        self.calls += 1
        self.input_tokens += usage.input_tokens
        self.output_tokens += usage.output_tokens
        if cost is None:
            self.unknown += 1
        else:
            self.known_usd = EXACT.add(self.known_usd, cost)
        if usage.source == "estimated":
            self.estimated += 1

    def _merge(self, other: Spend) -> None:
        self.calls += other.calls
        self.input_tokens += other.input_tokens
        self.output_tokens += other.output_tokens
        self.known_usd = EXACT.add(self.known_usd, other.known_usd)
        self.unknown += other.unknown
        self.estimated += other.estimated


def entries_of(rows: Iterable[Row]) -> Iterator[CostEntry]:
    """Return rows as entries, each with its number within its logical call."""
    seen: dict[tuple[int, int], int] = {}
    for row in rows:
        call, run = row[6], row[16]
        if call:
            seen[run, call] = seen.get((run, call), 0) + 1
        yield CostEntry(*row[:16], attempt=seen.get((run, call), 0), run=run)
