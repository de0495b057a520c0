"""The cassettes among files and folders: found, read, and every one that cannot be read told of without stopping."""

from __future__ import annotations

import difflib
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from llmtest.cassettes._document import Document
from llmtest.cassettes.foreign import ForeignFileError, NoHttpError
from llmtest.errors import CassetteFileError

ENDINGS = (".yaml", ".yml", ".json")
NOT_ENTERED = frozenset({"__pycache__", "node_modules"})
"""Folders that hold no cassettes; hidden ones are not entered either."""


@dataclass(frozen=True, slots=True)
class CassetteFile:
    """A cassette that could be read, interactions aside; see `Document` for `strict`."""

    path: str
    text: str
    size: int
    document: Document


class Search:
    """Looks for cassettes; iterate over it, once.

    Files that are named have to be cassettes. Folders are searched with all that is in them; a file in one that is
    valid and something else is counted in `passed_over`.

    Args:
        paths: Files and folders.
    """

    def __init__(self, paths: Sequence[Path]) -> None:
        self.passed_over = 0
        self._paths = paths
        self._seen: set[Path] = set()

    def __iter__(self) -> Iterator[CassetteFile | CassetteFileError]:
        """Yield every cassette in the order of the paths, and an error for each that cannot be read."""
        for path in self._paths:
            try:
                folder = path.is_dir()
                there = folder or path.exists()
            except OSError as error:
                yield _no_access(path, error)
                continue
            if folder:
                yield from self._in_folder(path)
            elif there:
                yield from self._file(path, named=True)
            else:
                yield _missing(path)

    def _in_folder(self, folder: Path) -> Iterator[CassetteFile | CassetteFileError]:
        closed: list[OSError] = []
        count, passed_over = 0, self.passed_over
        for parent, folders, files in os.walk(folder, onerror=closed.append):
            folders[:] = sorted(name for name in folders if not name.startswith(".") and name not in NOT_ENTERED)
            for name in sorted(files):
                if name.endswith(ENDINGS) and not name.startswith("."):
                    for found in self._file(Path(parent) / name, named=False):
                        count += 1
                        yield found
        for error in closed:
            yield _no_access(Path(error.filename or folder), error)
        if not count and not closed:
            others = self.passed_over - passed_over
            also = f"; {others} other file{' was' if others == 1 else 's were'} passed over" if others else ""
            yield CassetteFileError(
                f"{folder}: there is no cassette in this folder{also}. Name a folder or a file that has one."
            )

    def _file(self, path: Path, *, named: bool) -> Iterator[CassetteFile | CassetteFileError]:
        try:
            real = path.resolve()
            if real in self._seen:
                return
            self._seen.add(real)
            data = path.read_bytes()
        except OSError as error:
            yield _no_access(path, error)
            return
        try:
            text = data.decode("utf-8").replace("\r\n", "\n")
            yield CassetteFile(str(path), text, len(data), Document(text, str(path), strict=False))
        except UnicodeDecodeError as error:
            if named or b"interactions" in data:
                line = data.count(b"\n", 0, error.start) + 1
                yield CassetteFileError(f"{path}:{line}: the cassette is not UTF-8 text. Restore it, or re-record.")
            else:
                self.passed_over += 1
        except CassetteFileError as error:
            # Only what says that it is a cassette can be a broken one: folders hold templates and settings too.
            foreign = isinstance(error, ForeignFileError) or (data.strip() and b"interactions" not in data)
            if foreign and not named:
                self.passed_over += 1
                if isinstance(error, NoHttpError):
                    error.is_passed_over = True
                    yield error
            else:
                yield error


def _no_access(path: Path, error: OSError) -> CassetteFileError:
    reason = (error.strerror or str(error)).lower()
    return CassetteFileError(f"{path}: {reason}. Give this user the right to read it, or name another path.")


def _missing(path: Path) -> CassetteFileError:
    try:
        names = sorted(entry.name for entry in os.scandir(path.parent))
    except OSError:
        return CassetteFileError(f"{path}: no such file or folder, and no folder {path.parent} either.")
    near = difflib.get_close_matches(path.name, names, 1)
    hint = f" Did you mean `{path.parent / near[0]}`?" if near else ""
    return CassetteFileError(f"{path}: no such file or folder.{hint}")
