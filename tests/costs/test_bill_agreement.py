"""The account against the provider's bill, through the front door: 500 calls at once, and whatever becomes of them."""

import asyncio
import contextlib
import gc

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmtest import AsyncLLMClient, TimeoutConfig
from llmtest.errors import LLMTestError
from tests.costs.budget_crowd import Crowd

LATE_IN_THE_EVENING = 86_400 - 30
WORKERS = 16
NEAR = pytest.mark.parametrize("store", ["memory", "sqlite"], indirect=True)
"""Virtual time stands for a moment after each use of a socket, so the crowd of a server is a smaller one of its own."""


@pytest.fixture(autouse=True, scope="module")
def hurry(tmp_path_factory):
    """Read no certificates, which nobody asks for here, and let the garbage collector forget the crowds at the end."""
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("SSL_CERT_FILE", raising=False)
        patch.setenv("SSL_CERT_DIR", str(tmp_path_factory.mktemp("certificates")))
        yield
    gc.unfreeze()


@pytest.mark.slow
@NEAR
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
@NEAR
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


async def leave(client, request, manner):
    """Make one call in its own manner."""
    if manner == "complete":
        await client.complete(request)
    elif manner == "with":
        async with client.stream(request) as events:
            async for _ in events:
                pass
    else:
        async for _ in client.stream(request):
            pass


async def cancel_at(step, work):
    """Cancel a call after it had `step` turns on the loop."""
    task = asyncio.ensure_future(work)
    for _ in range(step):
        await asyncio.sleep(0)
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError, LLMTestError):
        await task
    gc.collect()
    await asyncio.sleep(0.001)


@pytest.mark.slow
@settings(max_examples=50, deadline=None)
@given(
    step=st.integers(0, 60),
    manner=st.sampled_from(["complete", "with", "bare"]),
    http=st.booleans(),
    seed=st.integers(0, 2**32),
)
def test_u02_a_call_cancelled_at_any_step_is_settled_as_it_is_billed(step, manner, http, seed):
    """Property: wherever a call waits, cancelling it there leaves nothing reserved, and the account is the bill."""
    crowd = Crowd(seed=seed, http=http, limit="1")
    with crowd.sim as sim:
        client = AsyncLLMClient(crowd.make_chain())
        sim.run(cancel_at(step, leave(client, crowd.request(step), manner)))
        crowd.look()
        crowd.check()
