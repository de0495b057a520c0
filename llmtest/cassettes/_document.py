"""The file, read lazily where we wrote it, or as vcrpy wrote it.

A file written here is cut into interactions by their `llmtest` lines, which stand at the margin where no text of a
body can stand, and an interaction is parsed when it is first needed: parsing a thousand of them with libyaml takes
half a second, finding their keys takes milliseconds.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from llmtest.cassettes._entry import InteractionError, as_interaction
from llmtest.cassettes._fast_reader import read_as_written
from llmtest.cassettes._interactions import Interaction
from llmtest.cassettes._large_texts import HEAD, WrittenOnce
from llmtest.cassettes._loading import load_whole
from llmtest.cassettes._yaml import load_yaml, refuse_conflict
from llmtest.errors import CassetteFileError

START = re.compile(rb"\n- llmtest: \{key: ([0-9a-f]{32})[,}]")
END = re.compile(rb"\nversion: 1\s*\Z")
ENDING_MAX = 64
"""Bytes at the end of a file in which its last line is looked for."""


class Document:
    """The interactions of one file, in order; each is parsed when it is read.

    Args:
        content: The text of the file, or its bytes.
        path: Its name, for errors.
        strict: Whether the file has to be whole. Otherwise an interaction that says too little is told of where it is
            read; a text that is no cassette is an error all the same.

    Attributes:
        tool: Who has recorded it, where that is another tool than vcrpy and this one: `aimock`.
        unknown: Keys that nobody knows, of the interactions that were read so far, each with their numbers.

    Raises:
        CassetteFileError: The text is no cassette; says where and how to mend it.
    """

    def __init__(self, content: str | bytes, path: str, *, strict: bool = True) -> None:
        self.path = path
        data = content if isinstance(content, bytes) else content.encode("utf-8", "surrogatepass")
        if _is_in_conflict(data):  # what is left of one that was half resolved is no YAML, and found by the parser
            refuse_conflict(self._text(data), path)
        if not data or data.isspace():
            raise CassetteFileError(f"{path}: the cassette is empty. Delete it, and record it again.")
        starts = list(START.finditer(data))
        self._data = data
        self._bounds: list[int] = []
        self._last: tuple[int, Interaction] | None = None
        self._entries: list[Any] = []
        self._written_once: WrittenOnce | None = None
        self.tool = ""
        self.unknown: dict[str, list[int]] = {}
        if starts and data[: starts[0].start()].rstrip().endswith(b"interactions:"):
            end = self._end(starts[0].start())
            large = data.rfind(b"\n" + HEAD.encode(), starts[-1].start(), end)
            self._bounds = [match.start() + 1 for match in starts] + [end if large < 0 else large + 1]
            if large >= 0 or b": &large-" in data:
                self._written_once = WrittenOnce(self._text(data), len(self._text(data[: self._bounds[-1]])))
            self.keys: list[str | None] = [match[1].decode() for match in starts]
            checked = [len(starts) - 1]  # a file cut short is cut in its last interaction
        else:
            self.tool, self._entries = load_whole(self._text(data), path)
            self.keys = [_key_of(entry) for entry in self._entries]
            checked = list(range(len(self._entries)))
        for position in checked:
            try:
                self._parsed(position)
            except InteractionError:
                if strict:
                    raise

    def __len__(self) -> int:
        """Return how many interactions there are."""
        return len(self.keys)

    def __getitem__(self, position: int) -> Interaction:
        """Return one interaction, parsed now; only the last one is kept, because play goes through a file once."""
        last = self._last
        if last is None or last[0] != position:
            last = self._last = (position, self._parsed(position))
        return last[1]

    @property
    def loose(self) -> list[int]:
        """Positions of the interactions that answer whatever says certain words."""
        if not self._entries and b", matches: {" not in self._data:
            return []
        if self._entries and not any("matches" in _hints_of(entry) for entry in self._entries):
            return []
        return [position for position in range(len(self)) if self[position].matches is not None]

    @property
    def is_ours(self) -> bool:
        """Whether llmtest has written the file, as YAML."""
        return bool(self._bounds)

    @property
    def has_parsed_bodies(self) -> bool:
        """Whether the file has JSON as values, in `parsed_body`."""
        entries = [entry for entry in self._entries if isinstance(entry, dict)]
        parts = (entry.get(side) for entry in entries for side in ("request", "response"))
        return any(isinstance(part, dict) and "parsed_body" in part for part in parts)

    def _end(self, first: int) -> int:
        """Return where the last interaction ends.

        Raises:
            CassetteFileError: The file has no last line; older ones have it before the first interaction.
        """
        tail = max(0, len(self._data) - ENDING_MAX)
        ending = END.search(self._data, tail)
        if ending is not None:
            return ending.start() + 1
        if b"version: 1" in self._data[:first] and self._data.endswith(b"\n"):
            return len(self._data)
        line = self._data.count(b"\n") + 1
        raise CassetteFileError(
            f"{self.path}:{line}: the cassette is cut short: its last line has no end. Restore it, or re-record."
            if not self._data.endswith(b"\n")
            else f"{self.path}:{line}: the cassette is cut short: its last line, `version: 1`, is missing. "
            "Restore it, or re-record."
        )

    def _parsed(self, position: int) -> Interaction:
        found = self._interaction(position)
        for key in found.unknown:
            numbers = self.unknown.setdefault(key, [])
            if found.number not in numbers:
                numbers.append(found.number)
        return found

    def _interaction(self, position: int) -> Interaction:
        if self._entries:
            return as_interaction(self._entries[position], self.path, position + 1)
        start, end = self._bounds[position : position + 2]
        piece = self._text(self._data[start:end])
        if self._written_once is not None:
            piece = self._written_once.restored(piece)
        found = read_as_written(piece, position + 1)
        if found is not None:
            return found
        loaded = load_yaml(piece, self.path, self._data.count(b"\n", 0, start))
        if not isinstance(loaded, list) or len(loaded) != 1:
            raise InteractionError(f"{self.path}: interaction {position + 1} is not a mapping. Re-record it.")
        return as_interaction(loaded[0], self.path, position + 1)

    def _text(self, data: bytes) -> str:
        try:
            return data.decode()
        except UnicodeDecodeError as error:
            raise CassetteFileError(
                f"{self.path}: the cassette is not UTF-8 text. Restore it, or re-record."
            ) from error


def _key_of(entry: Any) -> str | None:
    """Return the key that the file states, where we wrote it as JSON."""
    key = _hints_of(entry).get("key")
    return key if isinstance(key, str) else None


def _hints_of(entry: Any) -> dict[str, Any]:
    hints = entry.get("llmtest") if isinstance(entry, dict) else None
    return hints if isinstance(hints, dict) else {}


def _is_in_conflict(data: bytes) -> bool:
    """Tell whether a merge may have left its marks; a single letter is looked for ten times faster than several."""
    at = data.find(b"<")
    while at >= 0 and not data.startswith(b"<<<<<<< ", at):
        at = data.find(b"<", at + 1)
    return at >= 0


class Anthology:
    """Several documents, played as one: a test's own recordings and those it borrows."""

    def __init__(self, documents: Iterable[Document]) -> None:
        self._places = [(document, at) for document in documents for at in range(len(document))]
        self.keys: list[str | None] = [document.keys[at] for document, at in self._places]

    def __len__(self) -> int:
        """Return how many interactions there are."""
        return len(self._places)

    @property
    def loose(self) -> list[int]:
        """Positions of the interactions that answer whatever says certain words."""
        known = {id(document): set(document.loose) for document, _ in self._places}
        return [place for place, (document, at) in enumerate(self._places) if at in known[id(document)]]

    def __getitem__(self, position: int) -> Interaction:
        """Return one interaction, parsing it if need be."""
        document, at = self._places[position]
        return document[at]
