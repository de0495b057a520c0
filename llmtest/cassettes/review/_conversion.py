"""A cassette of any tool, written in any form of ours."""

from __future__ import annotations

from pathlib import Path

from llmtest.cassettes._document import Document
from llmtest.cassettes._forms import Form, form_for
from llmtest.cassettes._redaction import Redactor
from llmtest.cassettes._saving import save_cassette
from llmtest.errors import CassetteFileError

ENDINGS = {"json": ".json"}


def target_of(source: Path, form: str | None, to: Path | None) -> Path:
    """Return where a converted cassette goes: where it is told to, or beside its source by the name of its form.

    Args:
        source: The cassette.
        form: The form that is wanted; None for what the name says.
        to: A file, or a folder; None for beside the source.
    """
    ending = ENDINGS.get(form or "", ".yaml")
    if to is None:
        return source.with_suffix(ending)
    return to / source.with_suffix(ending).name if to.is_dir() else to


def convert_cassette(
    document: Document, target: Path, redactor: Redactor, form: Form | None = None, *, replaces: bool = False
) -> int:
    """Write a cassette in another form; returns how many interactions it has.

    It is redacted as a recording is. Times and pieces of streams are lost in `vcrpy`.

    Args:
        document: The cassette.
        target: The file to write.
        redactor: What is kept off the disk.
        form: The form; None for the one that the name says.
        replaces: Whether another file that is there is replaced.

    Raises:
        CassetteFileError: There is such a file, or it cannot be written; or an interaction cannot be read.
        ConfigurationError: The form does not fit the name of the file.
    """
    wanted = form_for(target, form)
    if target.exists() and target.resolve() != Path(document.path).resolve() and not replaces:
        raise CassetteFileError(
            f"{target}: there is such a file. Name another one with --to, or pass --force to replace it."
        )
    interactions = [document[position] for position in range(len(document))]
    save_cassette(target, interactions, redactor, wanted)
    return len(interactions)
