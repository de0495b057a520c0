"""A run as tables in a terminal. Of this room only the files that print tables know rich."""

from __future__ import annotations

from collections.abc import Sequence

from rich.box import SIMPLE_HEAD
from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from llmtest.reporting._prose import (
    availability,
    breakers,
    faults,
    latency,
    served,
    speed,
    spend,
    spend_by_hour,
    spend_by_model,
)
from llmtest.scenarios import RunResult

__all__ = ["print_results"]

PLAIN_WIDTH = 120
"""Columns where the output is no terminal, so that a log does not break lines at 80."""


def print_results(results: Sequence[RunResult], console: Console | None = None) -> None:
    """Print every run, and a summary where there is more than one.

    Args:
        results: The runs.
        console: Where to; standard output by default.
    """
    if console is None:
        console = Console(highlight=False)
        if not console.is_terminal:
            console = Console(highlight=False, width=PLAIN_WIDTH)
    if len({(result.scenario, result.path) for result in results}) == len(results):
        for result in results:
            console.print(_run(result))
    if len(results) > 1:
        console.print(_summary(results))


def _run(result: RunResult) -> RenderableType:
    title = Text.assemble((result.scenario, "bold"), (f"   {result.path or ''}   seed {result.seed}", "dim"))
    facts = Table.grid(padding=(0, 2))
    facts.add_column(style="cyan", no_wrap=True)
    facts.add_column()
    rows = [
        ("calls", speed(result)),
        ("availability", availability(result)),
        ("served by", served(result)),
        (
            "resilience",
            f"{result.fallbacks:,} fallbacks, {result.retries:,} retries, {result.attempts:,} attempts in all",
        ),
        *((f"breaker {name}", text) for name, text in breakers(result)),
        ("faults", faults(result)),
        *latency(result),
        ("spend", spend(result)),
        ("by model", spend_by_model(result)),
        ("by hour", spend_by_hour(result)),
        ("digest", result.digest),
    ]
    for label, text in rows:
        if text:
            facts.add_row(label, text)
    parts: list[RenderableType] = [title, Padding(facts, (1, 0, 0, 2))]
    if result.expectations:
        parts.append(_expectations(result))
    parts += (Padding(Text(f"Note: {note}", "yellow"), (0, 0, 1, 2)) for note in result.notes)
    return Group(*parts)


def _expectations(result: RunResult) -> RenderableType:
    table = Table(box=SIMPLE_HEAD, show_edge=False, padding=(0, 2, 0, 0))
    for name in ("expectation", "expected", "actual", ""):
        table.add_column(name)
    for check in result.expectations:
        verdict = Text("ok", "green") if check.ok else Text("FAILED", "bold red")
        table.add_row(Text(check.check), Text(check.expected), Text(check.actual), verdict)
    failed = sum(not check.ok for check in result.expectations)
    total = len(result.expectations)
    if failed:
        closing = Text(f"{failed} of {total} expectations failed.", "bold red")
    else:
        closing = Text(f"All {total} expectations hold." if total > 1 else "The expectation holds.", "bold green")
    return Padding(Group(table, Padding(closing, (1, 0, 0, 1))), (1, 0, 1, 1))


def _named(result: RunResult, *, shows_file: bool) -> Text:
    """Return the name of a scenario, with its file where others have the same name."""
    more = f"\n{result.path or 'made in Python'}" if shows_file else ""
    return Text.assemble(result.scenario, (more, "dim"))


def _summary(results: Sequence[RunResult]) -> RenderableType:
    table = Table(box=SIMPLE_HEAD, show_edge=False, padding=(0, 2, 0, 0))
    paths: dict[str, set[str | None]] = {}
    for result in results:
        paths.setdefault(result.scenario, set()).add(result.path)
    table.add_column("scenario")
    for name in ("seed", "calls", "availability", "fallbacks", "retries", "spend", "failed checks"):
        table.add_column(name, justify="right")
    table.add_column("")
    for result in results:
        failed = [check.check for check in result.expectations if not check.ok]
        table.add_row(
            _named(result, shows_file=len(paths[result.scenario]) > 1),
            str(result.seed),
            f"{result.calls:,}",
            f"{result.availability * 100:.4g}%",
            f"{result.fallbacks:,}",
            f"{result.retries:,}",
            "unknown" if result.cost_usd is None else f"${result.cost_usd:,.4f}",
            Text(", ".join(failed)),
            Text("FAILED", "bold red") if failed else Text("ok", "green"),
        )
    good = sum(result.ok for result in results)
    closing = Text(f"{good} of {len(results)} runs hold.", "bold green" if good == len(results) else "bold red")
    return Padding(Group(table, Padding(closing, (1, 0, 0, 1))), (0, 0, 1, 1))
