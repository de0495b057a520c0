"""The stacks of all threads, taken so that nothing can block or break the process meanwhile.

A collection of garbage runs code, which may hand the interpreter to another thread in the middle of what must not be
interrupted. Before CPython 3.12.1 `sys._current_frames` then holds a lock of the interpreter that others wait for, for
ever (python/cpython#106883); and `f_back`, which makes the object of the frame before as it is asked for it, may find
that one gone when it comes to it. So nothing is collected meanwhile.
"""

from __future__ import annotations

import gc
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

__all__ = ["callers", "current_frames", "stack_of"]


@contextmanager
def _without_collections() -> Iterator[None]:
    was_enabled = gc.isenabled()
    if was_enabled:
        gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


def current_frames() -> dict[int, FrameType]:
    """Return the running frame of every thread by its ident."""
    with _without_collections():
        return sys._current_frames()  # noqa: SLF001 - the documented way to another thread's stack


def stack_of(ident: int) -> list[FrameType]:
    """Return the frames of a thread, the running one first; none where there is no such thread."""
    with _without_collections():
        return _walk(sys._current_frames().get(ident))  # noqa: SLF001 - see above


def callers(frame: FrameType | None) -> list[FrameType]:
    """Return a frame and those that have led to it."""
    with _without_collections():
        return _walk(frame)


def _walk(frame: FrameType | None) -> list[FrameType]:
    found = []
    while frame is not None:
        found.append(frame)
        frame = frame.f_back
    return found
