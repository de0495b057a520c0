"""The calls of anything that holds traffic, one after the other, none kept: who reads which file."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from llmtest.cassettes import CassetteFile, Search, bills_in
from llmtest.errors import CassetteFileError, ConfigurationError
from llmtest.reporting._account_bills import account_bills, is_account_file
from llmtest.reporting._billed_call import BilledCall
from llmtest.reporting._event_bills import event_bills
from llmtest.reporting._served_bills import is_served_file, served_bills
from llmtest.reporting._span_bills import is_span_file, span_bills
from llmtest.scenarios import TraceFile
from llmtest.types import Usage

__all__ = ["billed_calls"]

LINES = (".jsonl", ".ndjson")
ENDINGS = (*LINES, ".json", ".log", ".txt")
"""Endings of files in a folder that may hold what is no cassette."""
TRACE_ENDING = ".csv"
START = 4096
"""Bytes at the beginning of a file that tell what it is."""
STEP = 4096

OnProgress = Callable[[float | None, int], None]


class _Reading:
    """How far the files are read, of all their bytes."""

    def __init__(self, paths: Sequence[Path], on_progress: OnProgress | None) -> None:
        self._on_progress = on_progress
        self._size = 0 if on_progress is None else sum(map(_size, paths))
        self._done = self._calls = self._latest = 0

    def at(self, done: int, calls: int) -> None:
        """So many bytes of a file are read, and so many calls were in them."""
        self._latest = calls
        if self._on_progress is not None:
            share = min((self._done + done) / self._size, 1.0) if self._size else None
            self._on_progress(share, self._calls + calls)

    def end(self, size: int) -> None:
        """A file is read."""
        self._done += size
        self._calls += self._latest
        self.at(0, 0)


def _size(path: Path) -> int:
    try:
        return sum(map(_size, path.iterdir())) if path.is_dir() else path.stat().st_size
    except OSError:
        return 0


def billed_calls(paths: Sequence[Path], on_progress: OnProgress | None = None) -> Iterator[BilledCall]:
    """Yield every call that files and folders tell of, in their order.

    Event files, spans of OpenTelemetry, what a server's control plane tells, accounts in a file (all by how they
    begin), cassettes of every kind that `llmtest cassette inspect` reads, and traces (`.csv`). A folder is searched for
    all of them but accounts and traces.

    Args:
        paths: Files and folders.
        on_progress: Is told the share of all bytes that is read, and how many calls were in it.

    Raises:
        ConfigurationError: A file is not there, is of no kind that is read, or is broken; the text says where.
        CassetteFileError: The same of a cassette.
    """
    reading = _Reading(paths, on_progress)
    for path in paths:
        if path.is_dir():
            yield from _in_folder(path, reading)
        elif path.suffix.lower() == TRACE_ENDING:
            yield from _in_trace(path, reading)
            reading.end(_size(path))
        else:
            yield from _in_file(path, reading)


def _in_folder(folder: Path, reading: _Reading) -> Iterator[BilledCall]:
    found = sorted(path for path in folder.rglob("*") if path.suffix in ENDINGS and path.is_file())
    others = [path for path in found if _reader(path) is not None]
    for path in others:
        yield from _in_file(path, reading)
    yield from _in_cassettes([folder], reading, only=bool(others))


def _in_file(path: Path, reading: _Reading) -> Iterator[BilledCall]:
    reader = _reader(path)
    if reader is None and path.suffix.lower() not in LINES:
        yield from _in_cassettes([path], reading)
        return
    yield from (reader or _in_events)(path, reading)
    reading.end(_size(path))


def _counted(calls: Iterator[BilledCall], reading: _Reading) -> Iterator[BilledCall]:
    """Yield the calls of a file that is read at once, and tell at its end how many there were."""
    count = 0
    for count, call in enumerate(calls, 1):  # noqa: B007 - what is left of it is how many there were
        yield call
    reading.at(0, count)


def _reader(path: Path) -> Callable[[Path, _Reading], Iterator[BilledCall]] | None:
    """Return what reads a file that is no cassette; None where it may be one, or cannot be read."""
    try:
        with path.open("rb") as file:
            start = file.read(START).lstrip(b"\xef\xbb\xbf").translate(None, b" \t\r\n")
    except OSError:
        return None
    if is_account_file(start):
        return _in_account
    if start.startswith(b'{"kind":"header"'):
        return _in_events
    if is_span_file(start):
        return _in_spans
    return _in_served if is_served_file(start) else None


def _in_events(path: Path, reading: _Reading) -> Iterator[BilledCall]:
    return event_bills(path, reading.at)


def _in_spans(path: Path, reading: _Reading) -> Iterator[BilledCall]:
    return span_bills(path, reading.at)


def _in_account(path: Path, reading: _Reading) -> Iterator[BilledCall]:
    return _counted(account_bills(path), reading)


def _in_served(path: Path, reading: _Reading) -> Iterator[BilledCall]:
    return _counted(served_bills(path), reading)


def _in_trace(path: Path, reading: _Reading) -> Iterator[BilledCall]:
    name = str(path)
    number = 0
    for number, row in enumerate(TraceFile(path), 1):
        if not number % STEP:
            reading.at(0, number)
        yield BilledCall("", None, Usage(row.input_tokens, row.output_tokens), at_ns=row.at_ns, test=name, source=name)
    reading.at(0, number)


def _in_cassettes(paths: list[Path], reading: _Reading, *, only: bool = False) -> Iterator[BilledCall]:
    """Yield the calls of cassettes; a folder without any may hold `only` something else."""
    for found in Search(paths):
        if isinstance(found, CassetteFile):
            yield from _counted(_in_cassette(found), reading)
            reading.end(found.size)
        elif not only and not getattr(found, "is_passed_over", False):
            raise found


def _in_cassette(file: CassetteFile) -> Iterator[BilledCall]:
    try:
        for bill in bills_in(file.document):
            yield BilledCall(
                bill.provider,
                bill.model,
                bill.usage,
                time_ns=0 if bill.at is None else int(bill.at.timestamp()) * 1_000_000_000,
                service_tier=bill.service_tier,
                metadata=bill.metadata,
                test=file.path,
                source=file.path,
                request=bill.request,
            )
    except CassetteFileError as error:
        raise ConfigurationError(str(error)) from error
