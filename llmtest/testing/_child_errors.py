"""Harness errors of forked processes: a copy of the world is there, and whatever it records would end with it."""

from __future__ import annotations

import json
import os
import tempfile
from typing import TYPE_CHECKING, Any
from weakref import WeakSet

from llmtest import errors
from llmtest.errors import HarnessError

if TYPE_CHECKING:
    from llmtest.simulation import World

__all__ = ["ChildErrors"]


class ChildErrors:
    """Brings the harness errors of a world's copies in forked processes to the world itself.

    The file between them is made when the first process is forked.

    Args:
        world: The world.
    """

    def __init__(self, world: World) -> None:
        self._world = world
        self._file: Any = None
        self._read = 0
        self._found: list[HarnessError] = []

    def start(self) -> None:
        """Look after forks from now on."""
        _watched.add(self)

    def stop(self) -> None:
        """Read what has come, and look no longer."""
        self.found()
        _watched.discard(self)
        if self._file is not None:
            self._file.close()
            self._file = None

    def found(self) -> list[HarnessError]:
        """Return the errors that have come so far; an error is the same object each time."""
        if self._file is not None:
            data = os.pread(self._file.fileno(), os.fstat(self._file.fileno()).st_size - self._read, self._read)
            whole = data[: data.rfind(b"\n") + 1]
            self._read += len(whole)
            for line in whole.splitlines():
                name, pid, text = json.loads(line)
                kind = getattr(errors, name, HarnessError)
                self._found.append(kind(f"{text}\n\nIt happened in a forked process (number {pid})."))
        return list(self._found)

    def forget(self) -> None:
        """Forget what has come, as between two tests."""
        self.found()
        self._found.clear()

    def _prepare(self) -> None:
        """Make the file, before a fork."""
        if self._file is None:
            self._file = tempfile.TemporaryFile("ab+", buffering=0)  # noqa: SIM115 - it is shared with the child

    def _relay(self) -> None:
        """Write what the world records from now on, in a forked process."""
        if self._file is not None:
            self._world.harness_errors = _Relayed(self._file.fileno())


class _Relayed(list[HarnessError]):
    """The errors of a world's copy."""

    def __init__(self, file: int) -> None:
        super().__init__()
        self._descriptor = file

    def append(self, error: HarnessError, /) -> None:
        """Keep an error here, and write it for the process that the test runs in."""
        super().append(error)
        line = json.dumps([type(error).__name__, os.getpid(), str(error)]) + "\n"
        os.write(self._descriptor, line.encode())


_watched: WeakSet[ChildErrors] = WeakSet()


def _before_fork() -> None:
    for each in tuple(_watched):
        each._prepare()  # noqa: SLF001 - one file


def _in_child() -> None:
    for each in tuple(_watched):
        each._relay()  # noqa: SLF001 - one file


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_before_fork, after_in_child=_in_child)
