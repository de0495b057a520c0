"""`llmtest cassette diff`: what differs between two recordings of a session."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from llmtest.cli._cassette_reading import CassetteReader, counted

__all__ = ["diff"]


def diff(
    before: Annotated[Path, typer.Argument(metavar="BEFORE", help="A cassette.", show_default=False)],
    after: Annotated[Path, typer.Argument(metavar="AFTER", help="A later recording of it.", show_default=False)],
    usual: Annotated[bool, typer.Option(help="Show also what a model says differently every time.")] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON object for each interaction that differs, one a line.")
    ] = False,
) -> None:
    """Compare two cassettes, interaction by interaction, JSON path by JSON path.

    Ids, times and counts of tokens are not compared, and what a model merely says differently is counted and not shown.
    Exits with 0 if nothing differs that is shown, 1 if something does, 2 if a file cannot be read.
    """
    from llmtest.cassettes import compare_sessions

    reader = CassetteReader([before, after])
    files = list(reader.judge(lambda file: file))
    if len(files) != 2 or reader.unreadable:
        if not reader.unreadable:
            reader.tell(f"{before}, {after}: two cassettes are compared, and this is one.")
        raise typer.Exit(2)
    shown = hidden = 0
    for change in compare_sessions(files[0].document, files[1].document, reader.redactor):
        drifts = [drift for drift in change.drifts if usual or drift.gravity != "usual"]
        hidden += len(change.drifts) - len(drifts)
        alone = change.before is None or change.after is None
        if not drifts and not alone:
            continue
        shown += len(drifts) + alone
        if as_json:
            typer.echo(json.dumps(change.as_json(), ensure_ascii=False))
            continue
        if change.after is None:
            typer.echo(f"- {change.before}: {change.request}")
        elif change.before is None:
            typer.echo(f"+ {change.after}: {change.request}")
        else:
            typer.echo(f"  {change.before} -> {change.after}: {change.request}")
            for drift in drifts:
                typer.echo(f"      {drift.gravity}: {drift}")
    if not as_json:
        more = f"; {counted(hidden, 'text')} said differently (--usual shows them)" if hidden else ""
        typer.echo(f"{counted(shown, 'difference') if shown else 'no differences'}{more}.")
    if shown:
        raise typer.Exit(1)
