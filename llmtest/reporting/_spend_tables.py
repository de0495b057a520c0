"""What calls cost, as a table in a terminal, and as CSV."""

from __future__ import annotations

import csv
import io
from decimal import Decimal

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from llmtest.costs import Spend
from llmtest.reporting._repricing import SpendReport
from llmtest.reporting._terminal import PLAIN_WIDTH

__all__ = ["print_spending", "spending_csv"]

COLUMNS = ("calls", "input_tokens", "output_tokens", "usd", "known_usd", "unknown", "estimated")


def print_spending(report: SpendReport, console: Console | None = None) -> None:
    """Print a table of what calls cost, and below it whose price is unknown.

    Args:
        report: What they cost.
        console: Where to; standard output by default.
    """
    if console is None:
        console = Console(highlight=False)
        if not console.is_terminal:
            console = Console(highlight=False, width=PLAIN_WIDTH)
    table = Table(box=SIMPLE_HEAD, show_edge=False, padding=(0, 2, 0, 0))
    table.add_column(report.by, overflow="fold")
    for name in ("calls", "input tokens", "output tokens", "cost"):
        table.add_column(name, justify="right")
    for name, spend in report.groups.items():
        table.add_row(Text(name or "-"), *_cells(spend))
    table.add_section()
    table.add_row(Text("total", "bold"), *_cells(report.total))
    console.print(table)
    if report.total.estimated:
        console.print(Text(f"The tokens of {report.total.estimated:,} calls are estimates."))
    for (provider, model, lacks), count in report.unknown.items():
        calls, their = ("1 call", "its") if count == 1 else (f"{count:,} calls", "their")
        why = f"nobody counted the tokens of {calls}" if lacks == "tokens" else f"{calls} without a known price"
        reference = f"{provider or '?'}:{model or '?'}"
        console.print(Text(f"{reference}: {why}; {their} cost is unknown, not zero."))


def _cells(spend: Spend) -> tuple[str, str, str, str]:
    cost = _usd(spend.known_usd)
    if spend.unknown:
        cost = f"unknown ({spend.unknown:,} of {spend.calls:,}; the others {cost})"
    return f"{spend.calls:,}", f"{spend.input_tokens:,}", f"{spend.output_tokens:,}", cost


def _usd(amount: Decimal) -> str:
    text = f"{amount:f}"
    return f"${text.rstrip('0').rstrip('.') if '.' in text else text}"


def spending_csv(report: SpendReport) -> str:
    """Return what calls cost as CSV: a head, a row for each group; `usd` is empty where any part of it is unknown."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    facts = report.as_json()
    writer.writerow((report.by, *COLUMNS))
    for group in facts["groups"]:
        writer.writerow((group["name"], *(group[name] for name in COLUMNS)))
    return out.getvalue()
