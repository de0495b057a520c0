"""Sleeps that take no time, for one context of a loop that keeps real time: its other tasks go on as before."""

from __future__ import annotations

import asyncio
import time
from asyncio import futures
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from threading import Lock
from typing import Any, SupportsIndex

from llmtest.clock._real import REAL

__all__ = ["without_waits"]

_hasty: ContextVar[bool] = ContextVar("llmtest_without_waits", default=False)
"""Whether the calling context waits for nothing; tasks and `asyncio.to_thread` inherit it."""
_changing = Lock()
_loops: Counter[asyncio.AbstractEventLoop] = Counter()
_WAKE = futures._set_result_unless_cancelled  # type: ignore[attr-defined]  # noqa: SLF001 - by it `asyncio.sleep` is told from a timeout


@contextmanager
def without_waits(loop: asyncio.AbstractEventLoop) -> Iterator[None]:
    """Let `time.sleep`, `asyncio.sleep` and `anyio.sleep` of the calling context, and of its tasks, end at once.

    Timeouts are left alone, and so is everything that another task of the loop waits for. Contexts may overlap, and
    end in any order.

    Args:
        loop: The loop that runs, and keeps real time.
    """
    before = _hasty.get()
    with _changing:
        _loops[loop] += 1
        if _loops[loop] == 1:
            _replace_call_later(loop)
        if _loops.total() == 1:
            time.sleep = _sleep
    _hasty.set(True)
    try:
        yield
    finally:
        _hasty.set(before)
        with _changing:
            _loops[loop] -= 1
            if not _loops[loop]:
                del _loops[loop]
                del loop.call_later  # what stands behind it is the class's own
            if not _loops and time.sleep is _sleep:
                time.sleep = REAL.sleep  # type: ignore[assignment]  # it is what was there


def _replace_call_later(loop: asyncio.AbstractEventLoop) -> None:
    own = loop.call_later

    def call_later(delay: float, callback: Callable[..., object], *args: Any, **options: Any) -> asyncio.TimerHandle:
        if callback is _WAKE and _hasty.get():
            delay = 0
        return own(delay, callback, *args, **options)

    loop.call_later = call_later  # type: ignore[assignment,method-assign]  # on this loop alone, as long as somebody wants it


def _sleep(seconds: float | SupportsIndex) -> None:
    """Sleep as `time.sleep` does, or not at all."""
    REAL.sleep(0 if _hasty.get() else seconds)  # type: ignore[arg-type]  # as generous as the machine's own
