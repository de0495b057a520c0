"""An entry of an account as a line of JSON, for stores that hold text."""

from __future__ import annotations

import json
from decimal import Decimal

from llmtest.costs._ledger_entry import NO_METADATA, Row
from llmtest.costs._usage_text import usage_from, usage_text

__all__ = ["row_from", "row_text"]

WIDTH = 17
"""Fields of a row."""


def row_text(row: Row, run: int) -> str:
    """Return an entry as a line.

    Args:
        row: The entry.
        run: The process that enters it.
    """
    provider, model, usage, cost, purpose, at_ns, call, tier, metadata, *names, time_ns, billed, _ = row
    money = None if cost is None else str(cost)
    facts = [provider, model, usage_text(usage), money, purpose, at_ns, call, tier, dict(metadata)]
    return json.dumps([*facts, *names, time_ns, billed, run], separators=(",", ":"))


def row_from(text: str | bytes) -> Row:
    """Return the entry of a line.

    Raises:
        ValueError: It is none.
    """
    said = json.loads(text)
    if not isinstance(said, list) or len(said) != WIDTH:
        raise ValueError(f"no entry: {text!r}")
    provider, model, usage, money, purpose, at_ns, call, tier, metadata, *names, time_ns, billed, run = said
    requested, label, task, tenant, test = names
    try:
        cost = None if money is None else Decimal(money)
    except ArithmeticError:
        raise ValueError(f"no amount: {money!r}") from None
    facts = (requested, label, task, tenant, test, time_ns, billed, run)
    return (provider, model, usage_from(usage), cost, purpose, at_ns, call, tier, metadata or NO_METADATA, *facts)
