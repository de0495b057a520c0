"""Errors on their way to somebody else: another process, a copy, a report."""

import copy
import pickle
from datetime import UTC, datetime
from decimal import Decimal

import pytest

from llmtest import errors
from llmtest.types import Attempt

REFUSED = errors.BudgetExceededError(
    scope="day",
    unit="usd",
    limit=Decimal("0.3"),
    spent=Decimal("0.1"),
    reserved=Decimal("0.05"),
    requested=Decimal("0.0000002"),
    resets_at=datetime(2026, 1, 2, tzinfo=UTC),
)
LIMITED = errors.RateLimitedError("slow down", provider="openai", model="gpt-4o", status=429, retry_after=3.0)
ERRORS = (
    REFUSED,
    LIMITED,
    errors.StreamInterruptedError("cut", provider="openai"),
    errors.CircuitOpenError("openai", retry_after=3, last_error=LIMITED),
    errors.ThrottledError("openai", limit="rpm", cause="deadline", retry_after=7.5),
    errors.DeadlineExceededError(deadline=5, needed=7, last_error=LIMITED),
    errors.AllProvidersFailedError("chain", [("openai", LIMITED), ("anthropic", REFUSED)]),
    errors.ScenarioError("wrong", path="x.yaml", line=3),
    errors.UnknownPriceError("no price", provider="openai", model="gpt-9"),
)


def facts(error):
    """Return everything an error says."""
    return type(error), str(error), {name: str(value) for name, value in vars(error).items()}


@pytest.mark.parametrize("copied", [lambda error: pickle.loads(pickle.dumps(error)), copy.copy, copy.deepcopy])
@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
def test_an_error_comes_whole_out_of_another_process(error, copied):
    """A pool of processes hands errors on pickled; none gets stuck, and none loses a fact."""
    error.attempts = (Attempt("openai", "gpt-4o", 0, 5, "429"),)
    assert facts(copied(error)) == facts(error)


def test_a_refusal_says_what_is_left_until_when_and_what_to_do():
    """The numbers are readable, however small, and the way out is named."""
    assert str(REFUSED) == (
        "budget exceeded: day limit $0.3, spent $0.1, reserved $0.05, this call may need $0.0000002; "
        "$0.15 left until 2026-01-02 00:00 UTC.\n"
        "To fix: let the call need less (a smaller `max_tokens`), raise the limit, or wait."
    )


def test_what_is_left_is_never_less_than_nothing():
    """A limit that was passed has nothing left."""
    numbers = dict.fromkeys(("limit", "spent", "reserved", "requested"), Decimal(5))
    error = errors.BudgetExceededError(scope="task", unit="tokens", **numbers)
    assert (error.left, error.resets_at) == (0, None)
    assert str(error) == (
        "budget exceeded: task limit 5 tokens, spent 5, reserved 5, this call may need 5; 0 left in this task.\n"
        "To fix: let the call need less (a smaller `max_tokens`), or raise the limit."
    )
