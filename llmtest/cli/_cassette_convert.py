"""`llmtest cassette convert`: recorded sessions of any tool in any form of ours."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from llmtest.cli._cassette_reading import CassetteReader, counted

if TYPE_CHECKING:
    from llmtest.cassettes import CassetteFile

__all__ = ["convert"]


def convert(
    paths: Annotated[
        list[Path], typer.Argument(metavar="PATH...", help="Cassettes, or folders of them.", show_default=False)
    ],
    form: Annotated[
        str | None,
        typer.Option(
            "--form",
            metavar="FORM",
            help="llmtest, vcrpy (plain), parsed_body, or json; llmtest by default.",
            show_default=False,
        ),
    ] = None,
    to: Annotated[
        Path | None,
        typer.Option(
            "--to", metavar="PATH", help="File or folder to write; beside each by default.", show_default=False
        ),
    ] = None,
    force: Annotated[bool, typer.Option(help="Replace other files that are there.")] = False,
) -> None:
    """Write cassettes in another form: those of vcrpy, pydantic-ai, Ruby's VCR, betamax, go-vcr and aimock in ours.

    A cassette that already has the name of what is written is replaced, at once. What is written is redacted. Exits
    with 0, or with 2 if something cannot be read or written.
    """
    from llmtest.cassettes import convert_cassette, form_for, target_of
    from llmtest.errors import ConfigurationError

    reader = CassetteReader(paths)
    if to is not None and not to.is_dir() and (len(paths) > 1 or paths[0].is_dir()):
        to.mkdir(parents=True, exist_ok=True)

    def converted(file: CassetteFile) -> tuple[str, Path, int]:
        target = target_of(Path(file.path), form, to)
        try:
            wanted = form_for(target, form)
        except ConfigurationError as error:
            raise typer.BadParameter(str(error), param_hint="--form") from error
        return file.path, target, convert_cassette(file.document, target, reader.redactor, wanted, replaces=force)

    for source, target, count in reader.judge(converted):
        typer.echo(f"{source} -> {target}: {counted(count, 'interaction')}")
    if reader.unreadable:
        raise typer.Exit(2)
