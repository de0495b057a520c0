"""What calls cost, as a table in a terminal, and as CSV."""

from __future__ import annotations

import csv
import io

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from llmtest.costs import Spend
from llmtest.reporting._spend_comparison import SpendComparison, change, shown_usd
from llmtest.reporting._spend_report import SpendReport
from llmtest.reporting._terminal import PLAIN_WIDTH

__all__ = ["comparison_csv", "print_comparison", "print_spending", "spending_csv"]

COLUMNS = ("calls", "input_tokens", "output_tokens", "usd", "known_usd", "unknown", "estimated")


def print_spending(report: SpendReport, console: Console | None = None) -> None:
    """Print a table of what calls cost, and below it whose price is unknown.

    Args:
        report: What they cost.
        console: Where to; standard output by default.
    """
    console = console or _console()
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
    for line in report.unknown_lines():
        console.print(Text(line))


def _cells(spend: Spend) -> tuple[str, str, str, str]:
    cost = shown_usd(spend.known_usd)
    if spend.unknown:
        cost = f"unknown ({spend.unknown:,} of {spend.calls:,}; the others {cost})"
    return f"{spend.calls:,}", f"{spend.input_tokens:,}", f"{spend.output_tokens:,}", cost


def print_comparison(found: SpendComparison, console: Console | None = None) -> None:
    """Print a table of what tests cost before and now.

    Args:
        found: The comparison.
        console: Where to; standard output by default.
    """
    console = console or _console()
    table = Table(box=SIMPLE_HEAD, show_edge=False, padding=(0, 2, 0, 0))
    table.add_column("test", overflow="fold")
    for name in ("before", "now", "change"):
        table.add_column(name, justify="right")
    table.add_column("")
    failed = {test.name for test in found.failed}
    for test in found.tests:
        style = "bold red" if test.name in failed else "green" if test.verdict == "ok" else "yellow"
        verdict = Text(test.verdict, style)
        table.add_row(Text(test.name), _amount(test.before), _amount(test.after), change(test) or "", verdict)
    table.add_section()
    table.add_row(Text("total", "bold"), _amount(found.before), _amount(found.after), "", "")
    console.print(table)
    for line in found.notes:
        console.print(Text(line))


def comparison_csv(found: SpendComparison) -> str:
    """Return what tests cost before and now as CSV; an amount is empty where it is unknown or there is none."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    names = ("name", "before_usd", "after_usd", "change", "verdict")
    writer.writerow(("test", *names[1:]))
    for test in found.as_json()["tests"]:
        writer.writerow([test[name] for name in names])
    return out.getvalue()


def _amount(spend: Spend | None) -> str:
    if spend is None:
        return "-"
    return "unknown" if spend.usd is None else shown_usd(spend.usd)


def _console() -> Console:
    console = Console(highlight=False)
    return console if console.is_terminal else Console(highlight=False, width=PLAIN_WIDTH)


def spending_csv(report: SpendReport) -> str:
    """Return what calls cost as CSV: a head, a row for each group; `usd` is empty where any part of it is unknown."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    facts = report.as_json()
    writer.writerow((report.by, *COLUMNS))
    for group in facts["groups"]:
        writer.writerow((group["name"], *(group[name] for name in COLUMNS)))
    return out.getvalue()
