"""`llmtest cassette verify`: what is wrong with recorded sessions."""

from __future__ import annotations

import json
from collections import Counter
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from llmtest.cli._cassette_reading import CassetteReader, counted

if TYPE_CHECKING:
    from llmtest.cassettes import CassetteFile, Severity, Verdict

__all__ = ["verify"]

RERECORD = "To record a session again: pytest --llmtest-record=rewrite TEST."


def verify(
    paths: Annotated[
        list[Path], typer.Argument(metavar="PATH...", help="Cassettes, or folders of them.", show_default=False)
    ],
    max_age: Annotated[
        str | None, typer.Option(help="Oldest recording that is still good, such as 90d.", show_default=False)
    ] = None,
    today: Annotated[
        str | None,
        typer.Option(metavar="DATE", help="Day by which age and models are judged; today's.", show_default=False),
    ] = None,
    longest_line: Annotated[int, typer.Option(min=1, help="Most characters of JSON on one line.")] = 200,
    ignore: Annotated[
        list[str] | None,
        typer.Option(metavar="KIND", help="Kind of finding to leave out; may be repeated.", show_default=False),
    ] = None,
    keep: Annotated[
        list[str] | None,
        typer.Option(
            metavar="TEXT", help="Name or text that is no credential, * for any; may be repeated.", show_default=False
        ),
    ] = None,
    severity: Annotated[
        str, typer.Option(metavar="SEVERITY", help="Least severity of what is reported: high or low.")
    ] = "low",
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON object for each cassette, one a line.")
    ] = False,
) -> None:
    """Judge cassettes: secrets, what no longer reads, recorded failures, texts nobody can review, age, ended models.

    Exits with 0 if all is well, 1 if there are findings, 2 if something cannot be read. Credentials are found by the
    name before them, by their shape, and by the values of the environment's own keys; none is ever printed.
    """
    from llmtest.cassettes import verify_cassette
    from llmtest.clock import active_clock

    ignored = _kinds(ignore or [])
    limit = _age(max_age)
    least = _severity(severity)
    reader = CassetteReader(paths, keep or ())
    now = active_clock().now() if today is None else _day(today)

    def verdict_of(file: CassetteFile) -> Verdict:
        return (
            verify_cassette(
                file.document, file.text, reader.redactor, now=now, max_age=limit, longest_line=longest_line
            )
            .without(ignored)
            .at_least(least)
        )

    interactions = 0
    kinds: Counter[str] = Counter()
    for verdict in reader.judge(verdict_of):
        interactions += verdict.interactions
        kinds.update(finding.kind for finding in verdict.findings)
        if as_json:
            typer.echo(json.dumps(verdict.as_json(), ensure_ascii=False))
        else:
            for finding in verdict.findings:
                typer.echo(str(finding))
        for text in verdict.unreadable:
            reader.tell(text)
    if not as_json:
        typer.echo(_summary(reader, interactions, kinds))
    if reader.unreadable or kinds:
        raise typer.Exit(2 if reader.unreadable else 1)


def _severity(name: str) -> Severity:
    from llmtest.cassettes import SEVERITIES

    for known in SEVERITIES:
        if name == known:
            return known
    raise typer.BadParameter(
        f"unknown severity `{name}`. Known severities: {', '.join(SEVERITIES)}.", param_hint="--severity"
    )


def _kinds(names: list[str]) -> set[str]:
    import difflib

    from llmtest.cassettes import FINDING_KINDS

    for name in names:
        if name not in FINDING_KINDS:
            near = difflib.get_close_matches(name, FINDING_KINDS, 1)
            hint = f" Did you mean `{near[0]}`?" if near else ""
            raise typer.BadParameter(
                f"unknown kind `{name}`.{hint} Known kinds: {', '.join(FINDING_KINDS)}.", param_hint="--ignore"
            )
    return set(names)


def _age(text: str | None) -> timedelta | None:
    from llmtest.cassettes import age_of
    from llmtest.errors import ConfigurationError

    if text is None:
        return None
    try:
        return age_of(text)
    except ConfigurationError as error:
        raise typer.BadParameter(
            f"`{text}` is no age; write a number with a unit: `12h`, `90d`.", param_hint="--max-age"
        ) from error


def _day(text: str) -> datetime:
    from llmtest.clock import epoch_of
    from llmtest.errors import ConfigurationError

    try:
        return epoch_of(text)
    except (ConfigurationError, ValueError) as error:
        raise typer.BadParameter(f"`{text}` is no date; write it as 2026-12-31.", param_hint="--today") from error


def _summary(reader: CassetteReader, interactions: int, kinds: Counter[str]) -> str:
    text = f"{counted(reader.count, 'cassette')}, {counted(interactions, 'interaction')}: "
    if kinds:
        each = ", ".join(f"{count:,} {kind}" for kind, count in sorted(kinds.items()))
        text += f"{counted(kinds.total(), 'finding')} ({each})"
    else:
        text += "no findings"
    if reader.unreadable:
        text += f"; {reader.unreadable:,} could not be read"
    if reader.passed_over:
        text += f"; {counted(reader.passed_over, 'other file')} passed over"
    return text + (f". {RERECORD}" if kinds else ".")
