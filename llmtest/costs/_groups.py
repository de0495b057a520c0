"""By what entries of an account are summed, and the table that shows it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

from llmtest.costs._money import shown
from llmtest.errors import ConfigurationError
from llmtest.types._spelling import did_you_mean

if TYPE_CHECKING:
    from llmtest.costs._ledger_entry import CostEntry, Spend

__all__ = ["grouping", "table"]

TAG = "tag:"
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def _moment(entry: CostEntry) -> str:
    """Return the UTC minute of an entry as text; empty where nobody said when it was."""
    return f"{EPOCH + timedelta(microseconds=entry.time_ns // 1000):%Y-%m-%dT%H:%M}" if entry.time_ns else ""


def _call(entry: CostEntry) -> str:
    """Return the number of an entry's call, which is one of its process where several share an account."""
    number = str(entry.call) if entry.call else ""
    return f"{entry.run}/{number}" if number and entry.run else number


KEYS: Mapping[str, Callable[[CostEntry], str]] = {
    "provider": lambda entry: entry.provider,
    "model": lambda entry: entry.model or "",
    "requested_model": lambda entry: entry.requested_model or entry.model or "",
    "purpose": lambda entry: entry.purpose,
    "tier": lambda entry: entry.service_tier or "",
    "test": lambda entry: entry.test or "",
    "label": lambda entry: entry.label or "",
    "task": lambda entry: entry.task or "",
    "tenant": lambda entry: entry.tenant or "",
    "call": _call,
    "hour": lambda entry: _moment(entry)[:13],
    "day": lambda entry: _moment(entry)[:10],
    "month": lambda entry: _moment(entry)[:7],
}
"""What a sum can be by, and how an entry says it."""


def grouping(name: str) -> Callable[[CostEntry], str]:
    """Return what gives the group of an entry.

    Args:
        name: One of `KEYS`, or `tag:` and the name of a label of the request.

    Raises:
        ConfigurationError: There is no such group.
    """
    if name.startswith(TAG):
        tag = name.removeprefix(TAG)
        return lambda entry: entry.metadata.get(tag, "")
    if name not in KEYS:
        known = [*KEYS, f"{TAG}NAME"]
        raise ConfigurationError(
            f"costs cannot be summed by `{name}`.{did_you_mean(name, known)}\nKnown: {', '.join(known)}.\n"
            'To fix: ledger.by("model")'
        )
    return KEYS[name]


def _usd(spend: Spend) -> str:
    if spend.unknown:
        return f"unknown ({spend.unknown} of {spend.calls}; the others ${shown(spend.known_usd)})"
    return f"${shown(spend.known_usd or Decimal(0))}"


def table(rows: Iterable[tuple[tuple[str, str, str], Spend]], total: Spend) -> str:
    """Return sums as a table of plain text, with the total below.

    Args:
        rows: Provider, model and purpose, and what was spent on it.
        total: The sum.
    """
    lines = [("provider", "model", "purpose", "calls", "input", "output", "cost")]
    for names, spend in (*rows, (("total", "", ""), total)):
        counts = (f"{spend.calls:,}", f"{spend.input_tokens:,}", f"{spend.output_tokens:,}")
        lines.append((*names, *counts, _usd(spend)))
    widths = [max(len(line[column]) for line in lines) for column in range(7)]
    return "\n".join(
        "  ".join(
            text.rjust(width) if column in {3, 4, 5} else text.ljust(width)
            for column, (text, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in lines
    )
