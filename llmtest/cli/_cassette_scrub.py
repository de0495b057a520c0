"""`llmtest cassette scrub`: credentials taken out of recorded sessions, in place."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from llmtest.cli._cassette_reading import CassetteReader, counted

if TYPE_CHECKING:
    from llmtest.cassettes import CassetteFile, Scrubbed

__all__ = ["scrub"]


def scrub(
    paths: Annotated[
        list[Path], typer.Argument(metavar="PATH...", help="Cassettes, or folders of them.", show_default=False)
    ],
    pattern: Annotated[
        list[str] | None,
        typer.Option(
            metavar="REGEX",
            help="What else is taken out; a named group names its placeholder; may be repeated.",
            show_default=False,
        ),
    ] = None,
    keep: Annotated[
        list[str] | None,
        typer.Option(metavar="TEXT", help="Name or text that stays, * for any; may be repeated.", show_default=False),
    ] = None,
    dry_run: Annotated[bool, typer.Option(help="Say what would be taken out, and write nothing.")] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON object for each cassette, one a line.")
    ] = False,
) -> None:
    """Take credentials out of cassettes, in place: each file is the old one or the new one at any moment.

    The rules are those of a recording, with what `llmtest_cassette_scrub` and `llmtest_cassette_keep` of the project
    say. Exits with 0, with 1 if --dry-run found something, with 2 if something cannot be read or written.
    """
    from llmtest.cassettes import scrub_cassette

    reader = CassetteReader(paths, keep or (), pattern or ())

    def scrubbed_of(file: CassetteFile) -> Scrubbed:
        return scrub_cassette(file.document, file.text, reader.redactor, write=not dry_run)

    files = places = 0
    for scrubbed in reader.judge(scrubbed_of):
        files += bool(scrubbed.places)
        places += len(scrubbed.places)
        if as_json:
            typer.echo(json.dumps(scrubbed.as_json(), ensure_ascii=False))
        else:
            for number, place, kind in scrubbed.places:
                typer.echo(f"{scrubbed.path}: `{place}` of interaction {number} ({kind})")
    if not as_json:
        verb = "to be scrubbed" if dry_run else "scrubbed"
        typer.echo(f"{counted(places, 'credential')} {verb} in {files:,} of {counted(reader.count, 'cassette')}.")
        if places and not dry_run:
            typer.echo("Revoke what was ever shared: the history of a repository keeps what a file no longer has.")
    if reader.unreadable or (dry_run and places):
        raise typer.Exit(2 if reader.unreadable else 1)
