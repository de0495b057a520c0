"""The stacks of all threads, taken so that nothing can block the process meanwhile."""

from __future__ import annotations

import gc
import sys
from types import FrameType

__all__ = ["current_frames"]


def current_frames() -> dict[int, FrameType]:
    """Return the running frame of every thread by its ident.

    Before CPython 3.12.1 a collection of garbage in the middle of `sys._current_frames` may hand the interpreter to
    another thread while a lock of the interpreter is held, which then waits for it for ever (python/cpython#106883). So
    nothing is collected meanwhile.
    """
    was_enabled = gc.isenabled()
    if was_enabled:
        gc.disable()
    try:
        return sys._current_frames()  # noqa: SLF001 - the documented way to another thread's stack
    finally:
        if was_enabled:
            gc.enable()
