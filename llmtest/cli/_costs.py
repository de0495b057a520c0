"""`llmtest costs`: what recorded traffic has cost, or would have."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

__all__ = ["costs"]


def costs(
    paths: Annotated[
        list[Path],
        typer.Argument(
            metavar="PATH...", help="Event files, cassettes, traces (CSV), or folders of them.", show_default=False
        ),
    ],
    by: Annotated[
        str, typer.Option("--by", metavar="WHAT", help="provider, model, tag, tag:NAME, test (the file) or hour.")
    ] = "model",
    reference: Annotated[
        str | None,
        typer.Option(
            "--as", metavar="PROVIDER:MODEL", help="Price it as if this model had served it.", show_default=False
        ),
    ] = None,
    at: Annotated[
        str | None,
        typer.Option("--at", metavar="DATE", help="Price it at this date, such as 2026-01-31.", show_default=False),
    ] = None,
    batch: Annotated[bool, typer.Option("--batch", help="Price it as if it had been made in batches.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print CSV, a row for each group.")] = False,
) -> None:
    """Show what recorded traffic has cost, or would have cost on another model, at another date, in batches.

    An unknown price is named, and never zero. Exits with 0, or with 2 if a file or an option is wrong.
    """
    from llmtest.cli._progress import progress
    from llmtest.errors import ConfigurationError
    from llmtest.reporting import Pricing, billed_calls, price_calls, print_spending, spending_csv

    if as_json and as_csv:
        raise typer.BadParameter("one form at a time; leave out `--json` or `--csv`.", param_hint="--csv")
    pricing = Pricing.of(reference, _date(at), batch=batch)
    with progress(1) as bar:
        bar.start("reading")
        report = price_calls(billed_calls(paths, bar.update), by, pricing)
    if not report.total.calls:
        names = ", ".join(map(str, paths))
        raise ConfigurationError(
            f"{names}: there is no call in it that anybody was charged for.\n"
            "To fix: name an event file (`llmtest simulate SCENARIO --events run.jsonl` writes one), cassettes with "
            "answers of models, or a trace."
        )
    if as_json:
        typer.echo(json.dumps(report.as_json(), ensure_ascii=False))
    elif as_csv:
        typer.echo(spending_csv(report), nl=False)
    else:
        print_spending(report)


def _date(text: str | None) -> datetime | None:
    if text is None:
        return None
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        raise typer.BadParameter(f"`{text}` is no date; write it as 2026-01-31.", param_hint="--at") from None
    return time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)
