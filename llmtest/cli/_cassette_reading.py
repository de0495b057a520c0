"""What the commands about cassettes share: every cassette is judged, whatever is wrong with the others."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from llmtest.cassettes import CassetteFile, Redactor

from llmtest.cli._project_settings import listed_setting

__all__ = ["CassetteReader", "counted"]

Judged = TypeVar("Judged")


class CassetteReader:
    """Reads the cassettes among files and folders; what cannot be read is told of on standard error.

    Args:
        paths: Files and folders.
        keep: What is no credential though it looks like one; see `Redactor`. The project's settings add theirs.
        patterns: What else is one; the project's settings add theirs.
    """

    def __init__(self, paths: list[Path], keep: Iterable[str] = (), patterns: Iterable[str] = ()) -> None:
        from llmtest.cassettes import Redactor, Search

        keep = [*keep, *listed_setting("llmtest_cassette_keep")]
        patterns = [*patterns, *listed_setting("llmtest_cassette_scrub")]
        self.redactor: Redactor = Redactor(os.environ, keep=keep, patterns=patterns)
        self.count = 0
        self.unreadable = 0
        self._search = Search(paths)

    @property
    def passed_over(self) -> int:
        """How many files of the folders are no cassettes."""
        return self._search.passed_over

    def judge(self, function: Callable[[CassetteFile], Judged]) -> Iterator[Judged]:
        """Yield what a function makes of each cassette."""
        from llmtest.errors import CassetteFileError

        for found in self._search:
            if isinstance(found, CassetteFileError):
                self.tell(str(found), counts=not getattr(found, "is_passed_over", False))
                continue
            try:
                result = function(found)
            except CassetteFileError as error:
                self.tell(str(error))
                continue
            self.count += 1
            yield result

    def tell(self, text: str, *, counts: bool = True) -> None:
        """Say that something cannot be read; errors may quote a file, so they are redacted.

        Args:
            text: What to say.
            counts: Whether it is a fault; what holds no HTTP is passed over in a folder, and told of.
        """
        self.unreadable += counts
        sys.stdout.flush()
        sys.stderr.write(f"CassetteFileError: {self.redactor.text(text)}\n")


def counted(number: int, noun: str) -> str:
    """Return a number of things: `1 cassette`, `2 cassettes`."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
