"""Harness errors that come when no test is left to fail for them: they are told at the end, and fail the run."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from contextlib import ExitStack
from typing import TYPE_CHECKING, SupportsIndex

from llmtest.clock import has_left_something
from llmtest.errors import HarnessError

if TYPE_CHECKING:
    from llmtest.simulation import World

__all__ = ["LateErrors"]

SHOWN = 5
"""How many different errors are shown in full."""


class LateErrors:
    """Keeps late errors of one run, and refuses the requests of threads and loops that outlive their tests.

    Args:
        allowed_hosts: Hosts that such requests may still reach.
    """

    def __init__(self, allowed_hosts: Iterable[str]) -> None:
        self._allowed = tuple(allowed_hosts)
        self._guard = ExitStack()
        self._guarding = False
        self._lock = threading.Lock()
        self.texts: list[str] = []

    def add(self, error: HarnessError) -> None:
        """Keep an error."""
        with self._lock:
            self.texts.append(f"{type(error).__name__}: {error}")

    def add_texts(self, texts: Iterable[str]) -> None:
        """Keep what a worker of pytest-xdist has kept."""
        with self._lock:
            self.texts += texts

    def watch(self, world: World) -> None:
        """Go on to look at a world that has ended: what it records from now on is late."""
        world.harness_errors = _Late(self)
        if not self._guarding and has_left_something():
            from llmtest.simulation import refuse_late_requests

            self._guarding = True
            self._guard.enter_context(refuse_late_requests(self._allowed, self.add))

    def close(self) -> None:
        """Let requests through again, until the next world ends that has left something."""
        self._guard.close()
        self._guarding = False

    def lines(self) -> list[str]:
        """Return what to say at the end of the run; nothing where nothing was late."""
        with self._lock:
            texts = list(self.texts)
        if not texts:
            return []
        count = "1 error" if len(texts) == 1 else f"{len(texts)} errors"
        lines = [f"llmtest: {count} came when no test was left to fail, so the run fails:"]
        different = list(dict.fromkeys(texts))
        for text in different[:SHOWN]:
            lines += ["", *(f"  {line}".rstrip() for line in text.splitlines())]
        if len(different) > SHOWN:
            lines += ["", f"  and {len(different) - SHOWN} more"]
        return [*lines, ""]


class _Late(list[HarnessError]):
    """The errors of a world whose test is over."""

    def __init__(self, late: LateErrors) -> None:
        super().__init__()
        self._late = late

    def append(self, error: HarnessError, /) -> None:
        self._late.add(error)

    def __delitem__(self, key: SupportsIndex | slice, /) -> None:
        """Nothing is kept here that could be dropped."""
