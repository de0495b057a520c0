"""The suites of limiters, on a real Redis: what is true in memory is true there."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmtest import RedisLimiterStore
from tests.resilience import test_limiting
from tests.resilience.kept_elsewhere import kept_in_redis

IN_MEMORY_ALONE = {
    "test_a_hundred_callers_never_pass_a_limit_in_any_minute",
    "test_a_hundred_threads_never_pass_a_limit",
    "test_h07_blocking_callers_leave_no_thread_and_no_permit",
    "test_the_limiter_does_what_a_plain_model_does",
    "test_a_refusal_says_the_time_at_which_a_request_would_have_gone",
    "test_limits_that_make_no_sense_are_refused",
    "test_what_would_limit_nobody_is_refused",
    "test_a_limiter_forgets_what_is_older_than_a_minute",
}
"""What makes no limiter, looks into memory, or lets hundreds wait, with a real round trip for each look."""
globals().update(
    {
        name: case
        for name, case in vars(test_limiting).items()
        if name.startswith("test_") and name not in IN_MEMORY_ALONE
    }
)


@settings(max_examples=12, deadline=None)
@given(steps=test_limiting.STEPS, rpm=st.integers(1, 6), tpm=st.integers(40, 90), concurrency=st.integers(1, 4))
def test_a_limiter_in_redis_does_what_a_plain_model_does(steps, rpm, tpm, concurrency):
    """Whatever is asked, ended, left and waited for: the same requests go at the same times, in the same order."""
    test_limiting.agrees_with_a_plain_model(steps, rpm, tpm, concurrency)


@settings(max_examples=12, deadline=None)
@given(sizes=test_limiting.SIZES, rpm=st.integers(1, 5), tpm=st.integers(30, 90))
def test_a_refusal_in_redis_says_the_true_time(sizes, rpm, tpm):
    """The time that an error names is exactly when the last of a queue goes, where nothing else changes."""
    test_limiting.tells_the_true_time(sizes, rpm, tpm)


@pytest.fixture(params=["complete", "stream_async"])
def mode(request):
    """Run the test in half of the ways to ask, each blocking and on a loop, whole and in pieces once."""
    return request.param


@pytest.fixture(autouse=True)
def in_redis(redis_url):
    """Keep the limits of each store in a namespace of its own."""
    with kept_in_redis(redis_url, limits=RedisLimiterStore):
        yield
