"""Tests that the anyio plugin runs: an error of the harness must not end the task that its fixtures are torn down in.

The plugin runs a test and its asynchronous fixtures in one task, which goes on after an `Exception` and ends with
anything else; what is torn down afterwards would fail with a `ClosedResourceError` of its own.
"""

from __future__ import annotations

import inspect
import sys
import traceback
import warnings
from functools import wraps
from typing import Any

import pytest

from llmtest.testing._verdict import harness_error_in

__all__ = ["Carried", "carry_harness_errors", "without_dead_runner"]


class Carried(Exception):  # noqa: N818 - it is no error of anybody's: it carries one past the anyio plugin
    """An error of the harness on its way out of the anyio plugin's task.

    Args:
        error: The error, or the group that holds it.
    """

    def __init__(self, error: BaseException) -> None:
        super().__init__(str(error))
        self.error = error


def carry_harness_errors(item: pytest.Item) -> None:
    """Let a test of the anyio plugin hand harness errors out as what its task survives; any other test stays as it is.

    Args:
        item: The test, about to run.
    """
    function: Any = getattr(item, "obj", None)
    if "anyio.pytest_plugin" not in sys.modules or not getattr(item, "funcargs", {}).get("anyio_backend"):
        return
    if not inspect.iscoroutinefunction(function) or hasattr(function, "hypothesis"):
        return

    @wraps(function)
    async def carried(*args: Any, **keywords: Any) -> Any:
        __tracebackhide__ = True
        try:
            return await function(*args, **keywords)
        except BaseException as error:
            if isinstance(error, Exception) or harness_error_in(error) is None:
                raise
            raise Carried(error) from error

    item.obj = carried  # type: ignore[attr-defined]  # a test with a function is a Function


def without_dead_runner(problem: BaseException | None, failure: BaseException | None) -> BaseException | None:
    """Return what went wrong at a tear-down; None if it is only that the plugin's task has ended, which has been told.

    Args:
        problem: What the tear-down raised.
        failure: What the test had failed with; an error of the harness has ended the task.
    """
    if problem is None or not _is_dead_runner(problem) or harness_error_in(failure) is None:
        return problem
    _forget(problem)
    return None


def _is_dead_runner(error: BaseException) -> bool:
    """Tell whether an error says only that the anyio plugin's task has ended, for each fixture that it tore down."""
    if isinstance(error, BaseExceptionGroup):
        return all(map(_is_dead_runner, error.exceptions))
    anyio = sys.modules.get("anyio")
    return anyio is not None and isinstance(error, anyio.ClosedResourceError)


def _forget(error: BaseException) -> None:
    """Let go of what such an error holds: the end of a generator that nobody awaits, which Python would tell of later.

    It would tell whichever test is running when the error is collected.
    """
    if isinstance(error, BaseExceptionGroup):
        for each in error.exceptions:
            _forget(each)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        traceback.clear_frames(error.__traceback__)
