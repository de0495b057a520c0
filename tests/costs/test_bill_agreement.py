"""The account against the provider's bill, through the front door: 500 calls at once, and whatever becomes of them."""

import pytest
from budget_crowd import Crowd
from hypothesis import given, settings
from hypothesis import strategies as st

from llmtest import TimeoutConfig
from llmtest.costs import SqliteBudgetStore

LATE_IN_THE_EVENING = 86_400 - 30
WORKERS = 16


@pytest.fixture(params=["memory", "sqlite"])
def store(request, tmp_path):
    """Keep balances in memory, and in a file."""
    if request.param == "memory":
        yield None
    else:
        with SqliteBudgetStore(tmp_path / "budget.db") as opened:
            yield opened


@pytest.mark.slow
@pytest.mark.parametrize("http", [False, True], ids=["direct", "http"])
def test_u04_500_concurrent_calls_never_pass_the_limit_and_the_ledger_is_the_bill(http, store):
    """Failures, retries, fallbacks, cancellations, abandoned streams and a midnight: every account agrees."""
    crowd = Crowd(seed=11, http=http, store=store, start=LATE_IN_THE_EVENING)
    with crowd.sim:
        crowd.sim.run(crowd.run_async())
        crowd.check()
    assert len(crowd.days) == 2
    assert {"ok", "cancelled", "BudgetExceededError", "StreamInterruptedError"} <= set(crowd.ends)
    assert {entry.usage.source for entry in crowd.ledger} == {"exact", "estimated"}


@pytest.mark.slow
@pytest.mark.parametrize("http", [False, True], ids=["direct", "http"])
def test_u04_500_calls_from_threads_never_pass_the_limit_and_the_ledger_is_the_bill(http, store):
    """The same from blocking code: sixteen threads, one budget, one bill."""
    crowd = Crowd(seed=12, http=http, store=store, start=LATE_IN_THE_EVENING)
    with crowd.sim:
        crowd.run_threads(WORKERS)
        crowd.check()
    assert len(crowd.days) == 2
    assert {"ok", "BudgetExceededError", "StreamInterruptedError"} <= set(crowd.ends)
    assert {entry.usage.source for entry in crowd.ledger} == {"exact", "estimated"}


SECONDS = st.none() | st.sampled_from([0.5, 2, 4, 7.5, 10, 30])
CROWDS = st.fixed_dictionaries(
    {
        "seed": st.integers(0, 2**32),
        "limit": st.sampled_from(["0.0005", "0.002", "1"]),
        "http": st.booleans(),
        "timeouts": st.builds(
            TimeoutConfig,
            connect=SECONDS,
            first_token=SECONDS,
            read=st.sampled_from([2, 5.0, 20]),
            total=SECONDS,
            deadline=SECONDS,
        ).filter(lambda limits: limits.connect or limits.total),
        "calls": st.just(25),
        "start": st.sampled_from([0.0, LATE_IN_THE_EVENING]),
        "circuits": st.booleans(),
        "nested": st.booleans(),
    }
)


@pytest.mark.slow
@settings(max_examples=25, deadline=None)
@given(CROWDS)
def test_u04_whatever_becomes_of_the_calls_the_ledger_is_the_bill(crowd):
    """Property: no fate of a call, limit of time or moment of a cancellation sets account and bill apart."""
    crowd = Crowd(**crowd)
    with crowd.sim:
        crowd.sim.run(crowd.run_async())
        crowd.check()


@pytest.mark.slow
@settings(max_examples=25, deadline=None)
@given(CROWDS)
def test_u04_whatever_becomes_of_blocking_calls_the_ledger_is_the_bill(crowd):
    """Property: blocking code, which learns of a passed limit only afterwards, keeps the same account."""
    crowd = Crowd(**crowd)
    with crowd.sim:
        crowd.run_threads(3)
        crowd.check()
