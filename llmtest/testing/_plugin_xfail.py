"""`xfail` says that the code under test will fail; an error of the test itself is not what it expects."""

from __future__ import annotations

from typing import Any

import pytest

from llmtest.errors import HarnessError
from llmtest.testing._verdict import harness_error_in

__all__ = ["fail_for_harness_error"]


def fail_for_harness_error(item: pytest.Item, error: BaseException, report: pytest.TestReport) -> None:
    """Let a test fail that counts as an expected failure, and failed for a harness error."""
    found = harness_error_in(error)
    if found is None or not hasattr(report, "wasxfail") or _expects(item, error):
        return
    report.outcome = "failed"
    del report.wasxfail
    note = (
        "The test is marked `xfail`, which expects the code under test to fail; this is an error of the test itself.\n"
        "To fix: mend the test, or expect this very error: "
        f"@pytest.mark.xfail(raises=llmtest.errors.{type(found).__name__})"
    )
    report.sections.append(("llmtest", note))


def _expects(item: pytest.Item, error: BaseException) -> bool:
    """Tell whether a mark names harness errors, so that it means them."""
    for mark in item.iter_markers("xfail"):
        raises: Any = mark.kwargs.get("raises")
        kinds = raises if isinstance(raises, tuple) else (raises,)
        if any(isinstance(kind, type) and issubclass(kind, HarnessError) and isinstance(error, kind) for kind in kinds):
            return True
        if hasattr(raises, "matches") and raises.matches(error):
            return True
    return False
