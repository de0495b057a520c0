"""Sleeps that take no time, for one context of a loop that keeps real time: its other tasks go on as before."""

from __future__ import annotations

import asyncio
import sys
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
_hosts: Counter[Any] = Counter()
"""Loops of asyncio, and None for trio, with the contexts that wait for nothing there."""
_WAKE = futures._set_result_unless_cancelled  # type: ignore[attr-defined]  # noqa: SLF001 - by it `asyncio.sleep` is told from a timeout


@contextmanager
def without_waits(loop: asyncio.AbstractEventLoop | None) -> Iterator[None]:
    """Let the sleeps of the calling context, and of its tasks, end at once: of `time`, asyncio, trio and anyio.

    Timeouts are left alone, and so is everything that another task of the loop waits for. Contexts may overlap, and
    end in any order.

    Args:
        loop: The loop that runs, and keeps real time; None = trio's.
    """
    before = _hasty.get()
    with _changing:
        _hosts[loop] += 1
        if _hosts[loop] == 1:
            _replace_sleep_until() if loop is None else _replace_call_later(loop)
        if _hosts.total() == 1:
            time.sleep = _sleep
    _hasty.set(True)
    try:
        yield
    finally:
        _hasty.set(before)
        with _changing:
            _hosts[loop] -= 1
            if not _hosts[loop]:
                del _hosts[loop]
                _restore_sleep_until() if loop is None else _restore_call_later(loop)
            if not _hosts and time.sleep is _sleep:
                time.sleep = REAL.sleep  # type: ignore[assignment]  # it is what was there


def _replace_call_later(loop: asyncio.AbstractEventLoop) -> None:
    own = loop.call_later

    def call_later(delay: float, callback: Callable[..., object], *args: Any, **options: Any) -> asyncio.TimerHandle:
        if callback is _WAKE and _hasty.get():
            delay = 0
        return own(delay, callback, *args, **options)

    loop.call_later = call_later  # type: ignore[assignment,method-assign]  # on this loop alone, as long as somebody wants it


def _restore_call_later(loop: asyncio.AbstractEventLoop) -> None:
    del loop.call_later  # what stands behind it is the class's own


def _replace_sleep_until() -> None:
    """Replace what every sleep of trio ends in, by whatever name it is called; its timeouts do not pass there."""
    trio: Any = sys.modules["trio"]
    timeouts: Any = sys.modules["trio._timeouts"]
    own = timeouts.sleep_until

    async def sleep_until(deadline: float) -> None:
        await own(min(deadline, trio.current_time()) if _hasty.get() else deadline)

    sleep_until.__wrapped__ = own  # type: ignore[attr-defined]  # where it is found again
    trio.sleep_until = timeouts.sleep_until = sleep_until


def _restore_sleep_until() -> None:
    trio: Any = sys.modules["trio"]
    timeouts: Any = sys.modules["trio._timeouts"]
    trio.sleep_until = timeouts.sleep_until = timeouts.sleep_until.__wrapped__


def _sleep(seconds: float | SupportsIndex) -> None:
    """Sleep as `time.sleep` does, or not at all."""
    REAL.sleep(0 if _hasty.get() else seconds)  # type: ignore[arg-type]  # as generous as the machine's own
