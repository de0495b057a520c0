"""Who sent a request that nobody marked: its task or thread, and whether the same code had sent one that failed.

A request repeats another if one piece of code, still running, sent both: a retry loop of the app, of a framework, of a
library. Two calls that a test makes one after the other come from two runs of the same function, and are told apart. So
a failed request leaves a footprint on each frame below the test that is running, and a later one looks for it. A frame
that has ended takes its footprint with it, and nothing is kept alive. Requests that are answered pay nothing for it.
"""

from __future__ import annotations

import asyncio
import sys
import threading
import weakref
from collections.abc import Callable
from concurrent.futures import thread as pool
from inspect import unwrap
from types import CodeType, FrameType
from typing import Any

from llmtest.simulation._call_site import is_foreign

__all__ = ["Origins", "current_actor", "is_cancelled"]

BARRIERS = frozenset({asyncio.Handle._run.__code__, pool._WorkItem.run.__code__, threading.Thread.run.__code__})  # noqa: SLF001
"""Code that runs one piece of work after the other: what is above it belongs to nobody's call."""


def current_actor() -> object:
    """Return the running task, else the thread; two of them are equal if they are the same."""
    loop = asyncio._get_running_loop()  # noqa: SLF001 - the public name raises where there is no loop
    if loop is not None:
        task = asyncio.current_task(loop)
        if task is not None:
            return weakref.ref(task)
    return threading.get_ident()


def is_cancelled() -> bool:
    """Tell whether the running task of asyncio was cancelled, and goes on all the same."""
    loop = asyncio._get_running_loop()  # noqa: SLF001 - as above
    task = None if loop is None else asyncio.current_task(loop)
    return task is not None and task.cancelling() > 0


class Footprint:
    """What a failed request leaves on a frame, in the place of its trace function, which it goes on to call.

    Args:
        owner: Whose numbers they are.
        exchange: Number of the request.
        tracer: The frame's trace function, where a debugger or a measurement has one.
    """

    __slots__ = ("exchange", "owner", "tracer")

    def __init__(self, owner: object, exchange: int, tracer: Any) -> None:
        self.owner = owner
        self.exchange = exchange
        self.tracer = tracer

    def __call__(self, frame: FrameType, event: str, argument: Any) -> Footprint:
        """Trace as before."""
        if self.tracer is not None:
            self.tracer = self.tracer(frame, event, argument)
        return self


class Origins:
    """Footprints of one world's failed requests."""

    def __init__(self) -> None:
        self.has_failures = False
        """Whether there is anything to look for."""
        self._owner = object()
        self._test: CodeType | None = None

    def reset(self) -> None:
        """Forget what failed."""
        self.has_failures = False
        self._owner = object()

    def begin_test(self, function: Callable[..., Any] | CodeType | None) -> None:
        """Note which function is the test, whose own lines are no part of any call; None: nobody knows."""
        self.reset()
        if isinstance(function, CodeType) or function is None:
            self._test = function
        else:
            self._test = getattr(unwrap(function), "__code__", None)

    def _is_outside(self, code: CodeType) -> bool:
        """Tell whether code is the test's own, or runs works of many calls."""
        test = self._test
        if code is test or code in BARRIERS:
            return True
        if test is None or code.co_filename != test.co_filename:
            return False
        return code.co_qualname.startswith(f"{test.co_qualname}.<locals>.")

    def _is_loop(self, code: CodeType, below: FrameType | None) -> bool:
        """Tell whether code that sent two requests, each by a call of its own, asked the same again because of it."""
        if below is None or is_foreign(code) or is_foreign(below.f_code):
            return True
        return self._test is not None and code.co_filename != self._test.co_filename

    def note_failure(self, exchange: int) -> None:
        """Leave a footprint on every frame of the call that is running."""
        self.has_failures = True
        frame: FrameType | None = sys._getframe(1)  # noqa: SLF001 - the documented way to read the stack
        while frame is not None and not self._is_outside(frame.f_code):
            tracer: Any = frame.f_trace
            tracer = tracer.tracer if isinstance(tracer, Footprint) else tracer
            frame.f_trace = Footprint(self._owner, exchange, tracer)
            frame = frame.f_back

    def failed_before(self) -> int:
        """Return the number of the latest failed request that the same running code sent; 0 where there is none.

        Where a function of the test's own file calls another function of the user's each time, it may be a loop that
        retries as well as one that goes through questions, which proves nothing.
        """
        below: FrameType | None = None
        frame: FrameType | None = sys._getframe(1)  # noqa: SLF001 - the documented way to read the stack
        while frame is not None and not self._is_outside(frame.f_code):
            if isinstance(frame.f_trace, Footprint) and frame.f_trace.owner is self._owner:
                return frame.f_trace.exchange if self._is_loop(frame.f_code, below) else 0
            below = frame
            frame = frame.f_back
        return 0
