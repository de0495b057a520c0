"""What can be said of the reported faults without their libraries; `check_cases.py` runs them."""

import re
from collections import Counter
from pathlib import Path

import pytest

from llmtest.conduct import FINDINGS
from tests.detection._catalogue import pinned, written_cases
from tests.detection.page import REASONS, page

PAGE = Path(__file__).parent.parent.parent / "docs" / "reference" / "reported-faults.md"
CASES = written_cases()
each_case = pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.environment}.{case.name}")


def test_the_page_is_current():
    """The table in the documentation says what the cases say."""
    assert PAGE.read_text(encoding="utf-8") == page(), (
        "To fix: python -m tests.detection.page > docs/reference/reported-faults.md"
    )


@each_case
def test_a_case_says_all_that_the_table_needs(case):
    """Every case has one sentence, a public thread, a pinned version, a small app, and findings that exist."""
    assert re.fullmatch(r"[^|\n]+\.", case.fault)
    assert re.fullmatch(r"[\w.-]+/[\w.-]+#\d+", case.thread)
    assert case.library in pinned(case.environment)
    assert case.lines <= 30
    assert set(case.findings) <= set(FINDINGS)
    assert "\n" not in case.assertion


@each_case
def test_a_case_that_is_not_named_says_why(case):
    """Either the verdict says something, or there is a reason why it cannot."""
    assert bool(case.findings) != bool(case.untold)
    assert case.findings or case.untold in REASONS


def test_most_faults_are_named_without_a_hint():
    """Fifty-two at the least."""
    assert sum(bool(case.findings) for case in CASES) >= 52


def test_no_case_is_there_twice():
    """No two cases have one name."""
    assert max(Counter(f"{case.environment}.{case.name}" for case in CASES).values()) == 1
