"""`llmtest cassette prune`: what no test plays taken out of recorded sessions."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from llmtest.cli._cassette_reading import CassetteReader, counted

if TYPE_CHECKING:
    from llmtest.cassettes import CassetteFile, Pruned

__all__ = ["prune"]


def prune(
    paths: Annotated[
        list[Path], typer.Argument(metavar="PATH...", help="Cassettes, or folders of them.", show_default=False)
    ],
    usage: Annotated[
        Path,
        typer.Option(
            "--usage",
            metavar="FILE",
            help="What a run of every test with --llmtest-cassette-usage=FILE has written.",
            show_default=False,
        ),
    ],
    delete_orphans: Annotated[
        bool, typer.Option("--delete-orphans", help="Remove the files of which no test played anything.")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", "--check", help="Say what is unused, and write nothing.")
    ] = False,
    partial: Annotated[
        bool, typer.Option("--partial", help="Go by the usage of a run that was not whole all the same.")
    ] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON object for each cassette, one a line.")
    ] = False,
) -> None:
    """Take interactions that no test played out of cassettes, in place, and name the files that no test used.

    Exits with 0, with 1 if --dry-run found something, with 2 if something cannot be read or written, or if the run
    was not whole: a test that failed, was skipped or deselected may need what looks unused.
    """
    from llmtest.cassettes import Usage, prune_cassette

    played = Usage.read(usage, partial=partial)
    reader = CassetteReader(paths)

    def pruned_of(file: CassetteFile) -> Pruned:
        return prune_cassette(file, played, reader.redactor, write=not dry_run, deletes_orphans=delete_orphans)

    unused = orphans = 0
    for pruned in reader.judge(pruned_of):
        unused += len(pruned.unused)
        orphans += pruned.is_orphan
        if as_json:
            typer.echo(json.dumps(pruned.as_json(), ensure_ascii=False))
            continue
        if pruned.is_orphan:
            typer.echo(f"{pruned.path}: no test played anything of it ({counted(pruned.interactions, 'interaction')})")
        for number, request in pruned.unused:
            typer.echo(f"{pruned.path}: no test played interaction {number}, {request}")
    if not as_json:
        removed = "to be removed" if dry_run else "removed"
        gone = removed if delete_orphans else "left where it is" if orphans == 1 else "left where they are"
        end = f", {counted(orphans, 'orphaned file')} {gone}" if orphans else ""
        typer.echo(f"{counted(unused, 'unused interaction')} {removed} in {counted(reader.count, 'cassette')}{end}.")
        if orphans and not delete_orphans:
            typer.echo("To remove orphaned files too, pass --delete-orphans.")
    if reader.unreadable or (dry_run and (unused or orphans)):
        raise typer.Exit(2 if reader.unreadable else 1)
