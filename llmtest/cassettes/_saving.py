"""What reaches the disk, and how: redacted, scanned once more, and whole or not at all."""

from __future__ import annotations

import contextlib
import glob
import itertools
import os
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

from llmtest.cassettes._compression import decompressed, plain_request
from llmtest.cassettes._forms import Form, form_for, write_as
from llmtest.cassettes._interactions import Headers, Interaction, RecordedRequest
from llmtest.cassettes._last_scan import first_leak
from llmtest.cassettes._pieces import split_spans
from llmtest.cassettes._reading import is_stream
from llmtest.cassettes._redaction import Redactor
from llmtest.errors import CassetteFileError


def redact_request(request: RecordedRequest, redactor: Redactor) -> RecordedRequest:
    """Return a request without its credentials."""
    request = plain_request(request)
    return RecordedRequest(
        request.method,
        redactor.url(request.uri),
        _redact_headers(request.headers, redactor),
        _redact_body(request.body, redactor)[0],
    )


def as_compared(request: RecordedRequest, redactor: Redactor) -> RecordedRequest:
    """Return what of a request is compared with recorded ones, redacted as they were; headers never are."""
    body = plain_request(request).body
    return RecordedRequest(request.method, redactor.url(request.uri), {}, _redact_body(body, redactor)[0])


def redact_interaction(interaction: Interaction, redactor: Redactor) -> Interaction:
    """Return an interaction without its credentials; the pieces of a stream keep their times and their order."""
    response = decompressed(interaction.response)
    body, moved = _redact_body(response.body, redactor)
    chunks = _resize(response.chunks, moved) if moved else response.chunks
    if is_stream(response):
        body, moved = _replaced(body, lambda text: split_spans(text, redactor))
        chunks = _resize(chunks, moved) if moved else chunks
    return Interaction(
        redact_request(interaction.request, redactor),
        replace(
            response,
            reason=redactor.text(response.reason),
            headers=_redact_headers(response.headers, redactor),
            body=body,
            chunks=chunks,
            error=redactor.text(response.error),
        ),
        interaction.recorded_at,
        matches=interaction.matches,
    )


def _redact_headers(headers: Headers, redactor: Redactor) -> Headers:
    return {name: [redactor.header(name, value) for value in values] for name, values in headers.items()}


Moved = list[tuple[int, int, int]]
"""Replaced stretches of a body: start and end in old bytes, length in new ones."""


def _redact_body(body: bytes, redactor: Redactor) -> tuple[bytes, Moved]:
    return _replaced(body, redactor.spans)


def _replaced(body: bytes, spans: Callable[[str], list[tuple[int, int, str]]]) -> tuple[bytes, Moved]:
    text = body.decode("utf-8", "surrogateescape")
    pieces: list[bytes] = []
    moved: Moved = []
    position = start_bytes = 0
    for start, end, placeholder in spans(text):
        before = text[position:start].encode("utf-8", "surrogateescape")
        length = len(text[start:end].encode("utf-8", "surrogateescape"))
        start_bytes += len(before)
        new = placeholder.encode()
        moved.append((start_bytes, start_bytes + length, len(new)))
        pieces += [before, new]
        start_bytes += length
        position = end
    if not moved:
        return body, []
    return b"".join(pieces) + text[position:].encode("utf-8", "surrogateescape"), moved


def _resize(chunks: tuple[tuple[int, int], ...], moved: Moved) -> tuple[tuple[int, int], ...]:
    """Return the sizes of the chunks after redaction; a placeholder belongs to the chunk where its secret began."""
    sizes, old, new_before = [], 0, 0
    for at_ms, length in chunks:
        old += length
        new = _moved_offset(old, moved)
        if new > new_before:
            sizes.append((at_ms, new - new_before))
        new_before = new
    return tuple(sizes)


def _moved_offset(offset: int, moved: Moved) -> int:
    shift = 0
    for start, end, length in moved:
        if offset <= start:
            break
        if offset < end:
            return start + shift + length
        shift += length - (end - start)
    return offset + shift


_saving = threading.Lock()


@contextlib.contextmanager
def alone_with(path: Path) -> Iterator[None]:
    """Keep every other save of this machine away from a file: who adds to it must not lose what another adds.

    Raises:
        CassetteFileError: The folder cannot be made.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise _unwritable(path, error) from error
    with _saving, contextlib.ExitStack() as stack:
        with contextlib.suppress(ImportError, OSError):  # Windows locks no folders; threads are kept out all the same
            import fcntl

            handle = os.open(path.parent, os.O_RDONLY)
            stack.callback(os.close, handle)
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def refuse_unwritable(path: Path) -> None:
    """Refuse a file that could not be written when all has been recorded.

    Raises:
        CassetteFileError: Its folder cannot be made, or holds no new file; nothing was changed.
    """
    target = Path(os.path.realpath(path))
    probe = target.with_name(f".{target.name}.{os.getpid()}-{next(_saves)}.tmp")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise _unwritable(path, error) from error


def _unwritable(path: Path, error: OSError) -> CassetteFileError:
    return CassetteFileError(
        f"{path}: the cassette cannot be written: {error.strerror or error}. Nothing was changed; make the folder "
        "writable, or record where it is."
    )


_saves = itertools.count(1)
"""Numbers the temporary files of this process, so that two threads never write to one."""


def save_cassette(path: Path, interactions: list[Interaction], redactor: Redactor, form: Form | None = None) -> None:
    """Write a cassette: the old file or the new one is there, never a part of either.

    Args:
        path: The file.
        interactions: All that it is to hold; they are redacted here.
        redactor: What is kept off the disk.
        form: In which form; None for the one that its name says.

    Raises:
        CassetteFileError: A credential was found in what was about to be written, or the file cannot be written.
    """
    kept = [redact_interaction(interaction, redactor) for interaction in interactions]
    for number, interaction in enumerate(kept, 1):
        leak = first_leak(interaction, redactor)
        if leak is not None:
            raise CassetteFileError(
                f"{path}: not saved: `{leak[0]}` of interaction {number} would hold a credential ({leak[1]})."
            )
    text = write_as(kept, form_for(path, form))
    finding = redactor.find_in_file(text)
    if finding is not None:
        line = text.count("\n", 0, finding.start) + 1
        raise CassetteFileError(f"{path}: not saved: line {line} would hold a credential ({finding.kind}).")
    replace_file(path, text)


def replace_file(path: Path, text: str) -> None:
    """Put a text in the place of a file, at once: who reads it reads the old one or the new one.

    Raises:
        CassetteFileError: It cannot be written; nothing was changed.
    """
    target = Path(os.path.realpath(path))  # a link stays one
    temporary = target.with_name(f".{target.name}.{os.getpid()}-{next(_saves)}.tmp")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with temporary.open("w", encoding="utf-8", newline="\n") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(target)
        _sweep(target)
    except OSError as error:
        raise _unwritable(path, error) from error
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)


def _sweep(path: Path) -> None:
    """Remove what processes that were killed while they saved this cassette have left behind."""
    for left in path.parent.glob(glob.escape(f".{path.name}.") + "*-*.tmp"):
        owner = left.name.removeprefix(f".{path.name}.").partition("-")[0]
        if owner.isdigit() and not _runs(int(owner)):
            with contextlib.suppress(OSError):
                left.unlink()


def _runs(process: int) -> bool:
    """Tell whether a process runs; Windows need not be asked, because it keeps the files of those that do."""
    if os.name != "posix":
        return False
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True
