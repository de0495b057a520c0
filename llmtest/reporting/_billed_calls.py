"""The calls of anything that holds traffic: event files, cassettes, traces; one after the other, none kept."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path

from llmtest.cassettes import CassetteFile, Search, bills_in
from llmtest.errors import CassetteFileError, ConfigurationError
from llmtest.reporting._event_bills import event_bills
from llmtest.scenarios import TraceFile
from llmtest.types import Usage

__all__ = ["BilledCall", "billed_calls"]

EVENT_ENDINGS = (".jsonl", ".ndjson")
TRACE_ENDING = ".csv"

OnProgress = Callable[[float | None, int], None]


@dataclass(slots=True)
class BilledCall:
    """One call that somebody was charged for.

    Args:
        provider: Who charged for it; empty where the file does not say (a trace does not).
        model: The model that served it.
        usage: Its tokens.
        cost_usd: What the file says that it cost; None where it does not.
        time_ns: When it was, in nanoseconds since 1970; 0 where the file does not say.
        at_ns: When it was, in nanoseconds from the start of a run; for files without dates.
        service_tier: The tier that served it.
        metadata: The caller's own labels of the request.
        test: Whose traffic it is: the file, which is one test's.
        source: The file.
    """

    provider: str
    model: str | None
    usage: Usage
    cost_usd: Decimal | None = None
    time_ns: int = 0
    at_ns: int = 0
    service_tier: str | None = None
    metadata: Mapping[str, str] = field(default_factory=dict)
    test: str = ""
    source: str = ""


def billed_calls(paths: Sequence[Path], on_progress: OnProgress | None = None) -> Iterator[BilledCall]:
    """Yield every call that files and folders tell of, in their order.

    Event files (`.jsonl`, `.ndjson`, or anything that begins like one), cassettes of every kind that `llmtest cassette
    inspect` reads, and traces (`.csv`). A folder is searched for cassettes and event files.

    Args:
        paths: Files and folders.
        on_progress: Is told the share of a file that is read, and how many calls were in it.

    Raises:
        ConfigurationError: A file is not there, is of no kind that is read, or is broken; the text says where.
        CassetteFileError: The same of a cassette.
    """
    for path in paths:
        if path.is_dir():
            yield from _in_folder(path, on_progress)
        elif path.suffix.lower() == TRACE_ENDING:
            yield from _in_trace(path)
        elif _is_event_file(path):
            yield from _in_events(path, on_progress)
        else:
            yield from _in_cassettes([path])


def _in_folder(folder: Path, on_progress: OnProgress | None) -> Iterator[BilledCall]:
    events = sorted(path for path in folder.rglob("*") if path.suffix in EVENT_ENDINGS and path.is_file())
    for path in events:
        if _is_event_file(path):
            yield from _in_events(path, on_progress)
    yield from _in_cassettes([folder], only=bool(events))


def _is_event_file(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            start = file.read(64)
    except OSError:
        return path.suffix.lower() in EVENT_ENDINGS
    return path.suffix.lower() in EVENT_ENDINGS or start.replace(b" ", b"").startswith(b'{"kind":"header"')


def _in_events(path: Path, on_progress: OnProgress | None) -> Iterator[BilledCall]:
    name = str(path)
    for bill in event_bills(path, on_progress):
        yield BilledCall(
            bill.provider,
            bill.model,
            bill.usage,
            bill.cost_usd,
            at_ns=bill.at_ns,
            service_tier=bill.service_tier,
            metadata=bill.metadata,
            test=name,
            source=name,
        )


def _in_trace(path: Path) -> Iterator[BilledCall]:
    name = str(path)
    for row in TraceFile(path):
        yield BilledCall("", None, Usage(row.input_tokens, row.output_tokens), at_ns=row.at_ns, test=name, source=name)


def _in_cassettes(paths: list[Path], *, only: bool = False) -> Iterator[BilledCall]:
    """Yield the calls of cassettes; a folder without any may hold `only` something else."""
    for found in Search(paths):
        if isinstance(found, CassetteFile):
            yield from _in_cassette(found)
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
            )
    except CassetteFileError as error:
        raise ConfigurationError(str(error)) from error
