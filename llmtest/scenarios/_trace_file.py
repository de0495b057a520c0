"""Traffic as it was recorded: CSV files in the format of the Azure Public Dataset, read row by row.

Three columns, with a header: `TIMESTAMP` (`2023-11-16 18:15:46.6805900`, in steps of 100 ns), `ContextTokens` (prompt)
and `GeneratedTokens` (answer). The first row is time 0.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from llmtest.config import did_you_mean
from llmtest.errors import ScenarioError

__all__ = ["TraceFile", "TraceRow"]

COLUMNS = ("TIMESTAMP", "ContextTokens", "GeneratedTokens")
_TIMESTAMP = re.compile(r"(\d{4}-\d\d-\d\d)[ T](\d\d):(\d\d):(\d\d)(?:\.(\d{1,9}))?(?:Z|\+00:?00)?")


class TraceRow(NamedTuple):
    """One recorded call."""

    at_ns: int
    """Nanoseconds after the first call."""
    input_tokens: int
    output_tokens: int


class TraceFile:
    """A trace file; iterating reads it anew, without loading it.

    Args:
        path: The CSV file.
        shown: How errors name it; the path by default.

    Raises:
        ScenarioError: While iterating: unreadable, a column is missing, or a row is broken; with the line.
    """

    def __init__(self, path: str | Path, *, shown: str | None = None) -> None:
        self.path = Path(path)
        self.shown = shown or str(path)

    def __iter__(self) -> Iterator[TraceRow]:
        """Yield every row, in the order of the file."""
        try:
            with self.path.open(newline="", encoding="utf-8-sig") as file:
                yield from self._rows(csv.reader(file))
        except UnicodeDecodeError:
            raise ScenarioError("not a text file in UTF-8.", path=self.shown) from None
        except FileNotFoundError:
            folder = self.path.parent
            there = sorted(entry.name for entry in folder.iterdir()) if folder.is_dir() else []
            raise ScenarioError(f"no such trace file.{did_you_mean(self.path.name, there)}", path=self.shown) from None
        except OSError as error:
            raise ScenarioError(f"cannot be read: {error.strerror}.", path=self.shown) from None

    def _rows(self, reader: Iterator[list[str]]) -> Iterator[TraceRow]:
        header = next(reader, None)
        if header is None:
            raise ScenarioError(f"the trace is empty; its first line must be `{','.join(COLUMNS)}`.", path=self.shown)
        places = self._places([name.strip() for name in header])
        day_cache: dict[str, int] = {}
        first: int | None = None
        last = 0
        for line, row in enumerate(reader, 2):
            if not row:
                continue
            if len(row) != len(header):
                raise self._broken(line, f"{len(row)} columns instead of {len(header)}: `{','.join(row)[:80]}`")
            at = self._time(row[places[0]], line, day_cache)
            if first is None:
                first = last = at
            if at < last:
                raise self._broken(line, f"the time goes backwards: `{row[places[0]]}` is before the row above")
            last = at
            yield TraceRow(at - first, self._tokens(row[places[1]], 1, line), self._tokens(row[places[2]], 2, line))
        if first is None:
            raise ScenarioError("the trace has a header and no rows.", path=self.shown)

    def _places(self, header: list[str]) -> tuple[int, ...]:
        for column in COLUMNS:
            if column not in header:
                raise ScenarioError(
                    f"the column `{column}` is missing; the header is `{','.join(header)[:80]}`.\n"
                    f"To fix: the first line must name the columns {', '.join(COLUMNS)}.",
                    path=self.shown,
                    line=1,
                )
        return tuple(header.index(column) for column in COLUMNS)

    def _broken(self, line: int, problem: str) -> ScenarioError:
        return ScenarioError(f"broken row: {problem}.", path=self.shown, line=line)

    def _time(self, text: str, line: int, days: dict[str, int]) -> int:
        match = _TIMESTAMP.fullmatch(text.strip())
        problem = f"`{text[:80]}` is not a TIMESTAMP such as `2023-11-16 18:15:46.6805900`"
        if match is None:
            raise self._broken(line, problem)
        day, hour, minute, second, fraction = match.groups()
        start = days.get(day)
        if start is None:
            try:
                start = days[day] = int(datetime.fromisoformat(day).replace(tzinfo=UTC).timestamp())
            except ValueError:
                raise self._broken(line, problem) from None
        seconds = start + int(hour) * 3600 + int(minute) * 60 + int(second)
        return seconds * 1_000_000_000 + int((fraction or "0").ljust(9, "0"))

    def _tokens(self, text: str, column: int, line: int) -> int:
        text = text.strip()
        if not (text.isascii() and text.isdigit()):
            raise self._broken(line, f"`{text[:80]}` is not a number of {COLUMNS[column]}")
        return int(text)
