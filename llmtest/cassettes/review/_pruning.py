"""Interactions that no test plays taken out of a file, and files that no test uses found, and removed."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from llmtest.cassettes._discovery import CassetteFile
from llmtest.cassettes._redaction import Redactor
from llmtest.cassettes._saving import alone_with
from llmtest.cassettes._usage import AGAIN, Usage, digest_of
from llmtest.cassettes.review._rewriting import rewrite
from llmtest.errors import CassetteFileError


@dataclass(frozen=True, slots=True)
class Pruned:
    """What came of pruning one file.

    Args:
        path: The file.
        interactions: How many interactions it has, or had.
        unused: Those that no test played, each with its number and its request; empty for an orphan.
        is_orphan: Whether no test played anything of it.
    """

    path: str
    interactions: int
    unused: tuple[tuple[int, str], ...]
    is_orphan: bool

    def as_json(self) -> dict[str, Any]:
        """Return it as JSON has it; no credential is in it."""
        unused = [{"interaction": number, "request": request} for number, request in self.unused]
        return {"path": self.path, "interactions": self.interactions, "unused": unused, "orphan": self.is_orphan}


def prune_cassette(
    file: CassetteFile, usage: Usage, redactor: Redactor, *, write: bool = True, deletes_orphans: bool = False
) -> Pruned:
    """Take what no test played out of a cassette, and write it in its place; one whose all is played is not touched.

    Args:
        file: The cassette.
        usage: What the tests played.
        redactor: What is kept off the disk.
        write: Whether to write it; otherwise only what would be done is told.
        deletes_orphans: Whether a file of which nothing was played is removed; otherwise it stays as it is.

    Raises:
        CassetteFileError: It has changed since the run, it cannot be written or removed, or it is the file of a tool
            whose form is not written here.
    """
    path, document = Path(file.path), file.document
    real = os.path.realpath(path)
    with alone_with(path):
        if real in usage.played and usage.digests[real] != digest_of(path):
            raise CassetteFileError(
                f"{path}: it has changed since the run, whose numbers mean other interactions now.\n"
                + AGAIN.format("FILE")
            )
        played = usage.played.get(real, set())
        if not played:
            if write and deletes_orphans:
                _remove(path)
            return Pruned(file.path, len(document), (), is_orphan=True)
        unused = [number for number in range(1, len(document) + 1) if number not in played]
        requests = [document[number - 1].request for number in unused]
        told = tuple(
            (number, f"{request.method} {redactor.url(request.uri)}")
            for number, request in zip(unused, requests, strict=True)
        )
        if unused and write:
            kept = [document[number - 1] for number in range(1, len(document) + 1) if number in played]

            def drop(entries: list[Any]) -> None:
                entries[:] = [entry for number, entry in enumerate(entries, 1) if number in played]

            rewrite(document, file.text, kept, drop, redactor, done="pruned", advice="run the tests on what it writes")
        return Pruned(file.path, len(document), told, is_orphan=False)


def _remove(path: Path) -> None:
    try:
        path.unlink()
    except OSError as error:
        raise CassetteFileError(
            f"{path}: it cannot be removed: {error.strerror or error}. Remove it by hand."
        ) from error
