"""`llmtest costs`: what recorded traffic has cost, or would have, and whether tests have become dearer."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from collections.abc import Sequence

    from llmtest.cli._progress import Progress
    from llmtest.reporting import Pricing, SpendReport

__all__ = ["costs"]


Paths = Annotated[
    list[Path],
    typer.Argument(
        metavar="PATH...",
        help="Event files, cassettes, OpenTelemetry spans, what `llmtest serve` tells, accounts, traces, or folders.",
        show_default=False,
    ),
]
By = Annotated[
    str | None,
    typer.Option(
        "--by",
        metavar="WHAT",
        help="provider, model (the default), tag, tag:NAME, test (the file) or hour.",
        show_default=False,
    ),
]
As = Annotated[
    str | None,
    typer.Option("--as", metavar="PROVIDER:MODEL", help="Price it as if this model had served it.", show_default=False),
]
At = Annotated[
    str | None,
    typer.Option("--at", metavar="DATE", help="Price it at this date, such as 2026-01-31.", show_default=False),
]
Caching = Annotated[
    str | None,
    typer.Option(
        "--caching",
        metavar="SHARE",
        help="Price it as if the provider's cache kept this share of each prompt, such as 80%, or what `prompts` share",
        show_default=False,
    ),
]
Batch = Annotated[bool, typer.Option("--batch", help="Price it as if it had been made in batches.")]
PerTest = Annotated[bool, typer.Option("--per-test", help="Sum by test, and compare with --against.")]
Against = Annotated[
    Path | None,
    typer.Option("--against", metavar="OLD", help="What tests cost before: a file or a folder.", show_default=False),
]
FailAbove = Annotated[
    str | None,
    typer.Option(
        "--fail-above",
        metavar="PERCENT",
        help="Exit with 1 if a test costs so much more than before, such as 10%.",
        show_default=False,
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]
AsCsv = Annotated[bool, typer.Option("--csv", help="Print CSV, a row for each group.")]
Html = Annotated[
    Path | None,
    typer.Option("--html", metavar="FILE", help="Write a page with a chart and a table.", show_default=False),
]


def costs(
    paths: Paths,
    by: By = None,
    reference: As = None,
    at: At = None,
    caching: Caching = None,
    batch: Batch = False,
    per_test: PerTest = False,
    against: Against = None,
    fail_above: FailAbove = None,
    as_json: AsJson = False,
    as_csv: AsCsv = False,
    html: Html = None,
) -> None:
    """Show what recorded traffic has cost, or would have on another model, at another date, cached, in batches.

    With --per-test --against OLD --fail-above 10%, exits with 1 if a test has become dearer than that.

    An unknown price is named, and never zero. Exits with 0, or with 2 if a file or an option is wrong.
    """
    from llmtest.cli._progress import progress
    from llmtest.reporting import Pricing, print_spending, spending_csv

    if as_json and as_csv:
        raise typer.BadParameter("one form at a time; leave out `--json` or `--csv`.", param_hint="--csv")
    limit = _limit(per_test=per_test, by=by, against=against, fail_above=fail_above, html=html)
    pricing = Pricing.of(reference, _date(at), batch=batch, caching=caching)
    what = "test" if per_test else by or "model"
    with progress(1 if against is None else 2) as bar:
        before = None if against is None else _priced([against], what, pricing, bar)
        report = _priced(paths, what, pricing, bar)
    if before is not None and against is not None:
        _compare(before, against, report, paths, limit, form="json" if as_json else "csv" if as_csv else "table")
        return
    if html is not None:
        _write_page(html, report, paths, pricing)
    if as_json:
        typer.echo(json.dumps(report.as_json(), ensure_ascii=False))
    elif as_csv:
        typer.echo(spending_csv(report), nl=False)
    else:
        print_spending(report)


def _limit(
    *, per_test: bool, by: str | None, against: Path | None, fail_above: str | None, html: Path | None
) -> Decimal | None:
    """Return the percentage of `--fail-above`, after all options have been found to go together."""
    if per_test and by not in {None, "test"}:
        raise typer.BadParameter("`--per-test` sums by test; leave out `--by`.", param_hint="--by")
    if against is not None and not per_test:
        raise typer.BadParameter("what is compared are tests; add `--per-test`.", param_hint="--against")
    if fail_above is not None and against is None:
        raise typer.BadParameter("above what? Add `--against OLD`.", param_hint="--fail-above")
    if html is not None and against is not None:
        raise typer.BadParameter("a comparison has no page; leave out `--html` or `--against`.", param_hint="--html")
    if fail_above is None:
        return None
    try:
        percent = Decimal(fail_above.removesuffix("%").strip())
    except InvalidOperation:
        percent = Decimal(-1)
    if not fail_above.endswith("%") or not percent.is_finite() or percent < 0:
        raise typer.BadParameter(
            f"`{fail_above}` is no percentage of 0 or more; write it as 10%.", param_hint="--fail-above"
        )
    return percent


def _priced(paths: Sequence[Path], by: str, pricing: Pricing, bar: Progress) -> SpendReport:
    from llmtest.errors import ConfigurationError
    from llmtest.reporting import billed_calls, price_calls

    bar.start("reading")
    report = price_calls(billed_calls(paths, bar.update), by, pricing)
    bar.finish()
    if not report.total.calls:
        names = ", ".join(map(str, paths))
        raise ConfigurationError(
            f"{names}: there is no call in it that anybody was charged for.\n"
            "To fix: name an event file (`llmtest simulate SCENARIO --events run.jsonl` writes one), cassettes with "
            "answers of models, spans of GenAI calls, or a trace."
        )
    return report


def _compare(
    before: SpendReport, old: Path, report: SpendReport, paths: Sequence[Path], limit: Decimal | None, *, form: str
) -> None:
    from llmtest.reporting import compare_spending, comparison_csv, print_comparison

    found = compare_spending(before, report, old_paths=[old], new_paths=paths, limit=limit)
    if form == "json":
        typer.echo(json.dumps(found.as_json(), ensure_ascii=False))
    elif form == "csv":
        typer.echo(comparison_csv(found), nl=False)
    else:
        print_comparison(found)
    if found.failed:
        typer.echo(found.failure(str(old)), err=True)
        raise typer.Exit(1)


def _write_page(file: Path, report: SpendReport, paths: Sequence[Path], pricing: Pricing) -> None:
    from llmtest.errors import ConfigurationError
    from llmtest.reporting import spending_page

    page = spending_page(report, sources=", ".join(map(str, paths)), priced=pricing.described())
    try:
        file.write_text(page, encoding="utf-8", errors="backslashreplace")
    except OSError as error:
        raise ConfigurationError(f"{file}: cannot be written: {error.strerror}.") from None


def _date(text: str | None) -> datetime | None:
    if text is None:
        return None
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        raise typer.BadParameter(f"`{text}` is no date; write it as 2026-01-31.", param_hint="--at") from None
    return time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)
