"""The reports of a program that cannot go on: who waits, where, and for what."""

from __future__ import annotations

import asyncio
import os
from operator import attrgetter
from typing import Any

from llmtest.errors import VirtualTimeLivelockError, VirtualTimeStalledError

_SKIPPED = ("asyncio", "anyio", "trio", "outcome", "llmtest/clock")


def stalled_error(loop: asyncio.AbstractEventLoop) -> VirtualTimeStalledError:
    """Make the report of a loop in which every task waits, and none for time."""
    return _stalled(_waiting_tasks(loop))


def stalled_trio_error(runner: Any) -> VirtualTimeStalledError:
    """Make the report of a run of trio in which every task waits, and none for time."""
    tasks = sorted((task for task in runner.tasks if not _is_system_task(task)), key=attrgetter("_counter"))
    rows = []
    for task in tasks:
        awaited, place = _where(task.coro, nearest=True)
        rows.append((f"task `{task.name.rpartition('.')[2]}`", awaited, place))
    return _stalled(_table(rows))


def _is_system_task(task: Any) -> bool:
    """Tell whether a task is one of trio's own, which always wait."""
    nursery = task.parent_nursery
    return nursery is None or task.coro.cr_code.co_filename.replace(os.sep, "/").endswith("/trio/_core/_entry_queue.py")


def _stalled(tasks: str) -> VirtualTimeStalledError:
    return VirtualTimeStalledError(
        "every task is waiting, and none of them is waiting for time.\n\n"
        f"{tasks}\n"
        "Virtual time can only jump to a deadline.\n"
        "To fix: add a timeout, or complete what the task waits for."
    )


def livelock_error(loop: asyncio.AbstractEventLoop, reason: str) -> VirtualTimeLivelockError:
    """Make the report of a loop that runs without end."""
    return VirtualTimeLivelockError(
        f"the event loop does not come to an end: {reason}, at t={loop.time():g} s.\n\n"
        f"{_waiting_tasks(loop)}\n"
        "This usually means a task polls: `while not done: await asyncio.sleep(0)`, or a periodic task outlives the "
        "one that everybody waits for.\n"
        "To fix: await an event instead of polling, or cancel the periodic task."
    )


def _waiting_tasks(loop: asyncio.AbstractEventLoop) -> str:
    tasks = sorted(asyncio.all_tasks(loop), key=hash)
    rows = []
    for task in tasks:
        awaited, place = _where(task.get_coro())
        rows.append((f"task `{task.get_name()}`", _other_tasks(task) or awaited, place))
    return _table(rows)


def _table(rows: list[tuple[str, str, str]]) -> str:
    if not rows:
        return "  (no task is left; the loop waits for a callback that never comes)\n"
    names = max(len(row[0]) for row in rows)
    waits = max(len(row[1]) for row in rows)
    return "".join(f"  {name:<{names}} awaits {wait:<{waits}}  {place}\n" for name, wait, place in rows)


def _where(awaitable: Any, *, nearest: bool = False) -> tuple[str, str]:
    """Return what a coroutine awaits, and the innermost line of user code it stands on.

    Args:
        awaitable: The coroutine.
        nearest: Name what that line itself awaits, not what is waited for at the bottom of it.
    """
    place = awaited = "?"
    while awaitable is not None:
        frames = (getattr(awaitable, name, None) for name in ("cr_frame", "gi_frame", "ag_frame"))
        frame = next((frame for frame in frames if frame is not None), None)
        if frame is not None and _is_plumbing(frame.f_code.co_filename):
            name = frame.f_code.co_qualname.rpartition("<locals>.")[2]
            if not nearest or awaited in {"?", "a future"}:
                awaited = "sleep(0)" if name == "__sleep0" else f"{name}()"
        elif frame is not None:
            place = f"{short_path(frame.f_code.co_filename)}:{frame.f_lineno}"
            awaited = "a future"
        awaitable = getattr(awaitable, "cr_await", None) or getattr(awaitable, "gi_yieldfrom", None)
    return awaited, place


def _other_tasks(task: asyncio.Task[Any]) -> str | None:
    """Name the tasks that a task waits for, where it waits for tasks."""
    waiter = getattr(task, "_fut_waiter", None)
    if isinstance(waiter, asyncio.Task):
        return f"Task `{waiter.get_name()}`"
    if type(waiter).__name__ != "_GatheringFuture":
        return None
    children = (child for child in getattr(waiter, "_children", ()) if isinstance(child, asyncio.Task))
    return f"gather({', '.join(f'`{child.get_name()}`' for child in children)})"


def _is_plumbing(file: str) -> bool:
    path = file.replace(os.sep, "/")
    return any(f"/{part}/" in path for part in _SKIPPED)


def short_path(file: str) -> str:
    """Return a path relative to the working directory where it is inside it."""
    relative = os.path.relpath(file)
    return file if relative.startswith("..") else relative.replace(os.sep, "/")
