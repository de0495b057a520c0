"""Where in the user's code something was written or called, for error texts."""

from __future__ import annotations

import os
import sys
import sysconfig
from pathlib import Path
from types import CodeType, TracebackType

__all__ = ["call_site", "declaration_site", "is_foreign", "user_traceback"]

PACKAGE = str(Path(__file__).parent.parent) + os.sep
_LIBRARIES = tuple(
    {
        str(Path(path)) + os.sep
        for name in ("stdlib", "platstdlib", "purelib", "platlib")
        if (path := sysconfig.get_paths().get(name)) is not None
    }
)
_foreign: dict[CodeType, bool] = {}


def is_foreign(code: CodeType) -> bool:
    """Tell whether code belongs to this package, the standard library or an installed library."""
    known = _foreign.get(code)
    if known is None:
        name = code.co_filename
        known = name.startswith((PACKAGE, "<", *_LIBRARIES)) or "site-packages" in name or "dist-packages" in name
        _foreign[code] = known
    return known


def _shorten(filename: str) -> str:
    """Return the path as seen from the working directory, so that texts are the same on every machine."""
    try:
        return str(Path(filename).relative_to(Path.cwd()))
    except ValueError:
        return filename


def declaration_site() -> str:
    """Return `file:line` of the user's line that is being run; empty where none is on the stack."""
    frame = sys._getframe(1)  # noqa: SLF001 - the documented way to read the stack without building a traceback
    while frame is not None:
        if not is_foreign(frame.f_code):
            return f"{_shorten(frame.f_code.co_filename)}:{frame.f_lineno}"
        frame = frame.f_back  # type: ignore[assignment]  # None ends the loop
    return ""


def call_site() -> str:
    """Return ``file:line in `function` `` of the user's line that is being run; empty where none is on the stack."""
    frame = sys._getframe(1)  # noqa: SLF001 - the documented way to read the stack without building a traceback
    while frame is not None:
        if not is_foreign(frame.f_code):
            return f"{_shorten(frame.f_code.co_filename)}:{frame.f_lineno} in `{frame.f_code.co_name}`"
        frame = frame.f_back  # type: ignore[assignment]  # None ends the loop
    return ""


def user_traceback(traceback: TracebackType | None) -> TracebackType | None:
    """Return a traceback with the user's own lines alone; None where there are none.

    What lies between the user's call and a harness error is the SDK and this package, forty lines that say nothing.
    """
    lines = []
    while traceback is not None:
        lines.append(traceback)
        traceback = traceback.tb_next
    kept: TracebackType | None = None
    for line in reversed(lines):
        if not is_foreign(line.tb_frame.f_code):
            kept = TracebackType(kept, line.tb_frame, line.tb_lasti, line.tb_lineno)
    return kept
