"""`llmtest cassette inspect`: what is in recorded sessions."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from llmtest.cli._cassette_reading import CassetteReader

if TYPE_CHECKING:
    from llmtest.cassettes import CassetteFacts, CassetteFile

__all__ = ["inspect"]


def inspect(
    paths: Annotated[
        list[Path], typer.Argument(metavar="PATH...", help="Cassettes, or folders of them.", show_default=False)
    ],
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON object for each cassette, one a line.")
    ] = False,
) -> None:
    """Show what is in cassettes: the questions, the answers, and how they came.

    Reads llmtest's files and vcrpy's, YAML and JSON. Exits with 0, or with 2 if something cannot be read.
    """
    from llmtest.cassettes import inspect_cassette
    from llmtest.clock import active_clock
    from llmtest.reporting import print_cassette

    reader = CassetteReader(paths)

    def facts_of(file: CassetteFile) -> CassetteFacts:
        return inspect_cassette(file.document, file.size, reader.redactor)

    now = active_clock().now()
    for facts in reader.judge(facts_of):
        if as_json:
            typer.echo(json.dumps(facts.as_json(), ensure_ascii=False))
        else:
            print_cassette(facts, now)
        for each in facts.interactions:
            if not each.dialect:
                reader.tell(f"{facts.path}: {each.error}")
    if reader.passed_over and not as_json:
        files = "file was" if reader.passed_over == 1 else "files were"
        typer.echo(f"{reader.passed_over} other {files} passed over.")
    if reader.unreadable:
        raise typer.Exit(2)
