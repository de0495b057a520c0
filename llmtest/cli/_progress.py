"""A progress bar, where somebody watches."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

__all__ = ["Progress", "progress"]


class Progress(Protocol):
    """Is told how far the runs are."""

    def start(self, name: str) -> None:
        """A run begins."""
        ...

    def update(self, share: float | None, calls: int) -> None:
        """The run has come so far; `share` is None where its end is unknown."""
        ...

    def finish(self) -> None:
        """The run is over."""
        ...


class _Silent:
    def start(self, name: str) -> None:
        pass

    def update(self, share: float | None, calls: int) -> None:
        pass

    def finish(self) -> None:
        pass


@contextmanager
def progress(runs: int) -> Iterator[Progress]:
    """Show a bar on standard error while the context is open; nothing where that is no terminal.

    Args:
        runs: How many runs there are.
    """
    if not sys.stderr.isatty():
        yield _Silent()
        return
    from rich.console import Console
    from rich.progress import BarColumn, TextColumn
    from rich.progress import Progress as RichProgress

    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[calls]:,} calls"))
    with RichProgress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("", total=runs, calls=0)
        yield _Bar(bar, task)


class _Bar:
    def __init__(self, bar: object, task: object) -> None:
        self._bar = bar
        self._task = task
        self._done = 0
        self._calls = 0
        self._latest = 0

    def start(self, name: str) -> None:
        self._change(description=name)

    def update(self, share: float | None, calls: int) -> None:
        self._latest = calls
        self._change(completed=self._done + (share or 0.0), calls=self._calls + calls)

    def finish(self) -> None:
        self._done += 1
        self._calls += self._latest
        self._latest = 0
        self._change(completed=self._done, calls=self._calls)

    def _change(self, **fields: object) -> None:
        self._bar.update(self._task, **fields)  # type: ignore[attr-defined]  # rich's own class, imported late
