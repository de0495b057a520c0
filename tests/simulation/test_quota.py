"""Quotas: real token buckets, whose Retry-After is the true wait."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmtest.clock import TokenBucket
from llmtest.errors import ConfigurationError, RateLimitedError
from llmtest.simulation import Reply
from llmtest.simulation._quota import Quota
from llmtest.types import CompletionRequest, Usage
from tests.simulation.sim_calls import make_world, post

MINUTE_NS = 60_000_000_000


def test_requests_over_the_quota_get_a_429_with_the_true_wait():
    """After the announced wait, and not a nanosecond before, the request is admitted."""
    world = make_world()
    openai = world.provider("openai").limits(rpm=2).echoes()
    assert [post(openai).status for _ in range(3)] == [200, 200, 429]
    provider = openai.as_provider("gpt-4o")
    with pytest.raises(RateLimitedError) as caught:
        provider.complete(CompletionRequest.ask("hi"))
    assert caught.value.retry_after == 30.0
    assert caught.value.limit_kind == "requests"
    world.clock.advance(29.999_999)
    assert post(openai).status == 429
    world.clock.advance(0.000_001)
    assert post(openai).status == 200


def test_tokens_count_the_prompt_and_what_may_be_answered():
    """Admission needs prompt plus `max_tokens`; the answer of an open request is charged when it is given."""
    world = make_world()
    openai = world.provider("openai").limits(tpm=600).replies(Reply("x", usage=Usage(5, 590)), times=None)
    assert post(openai, max_tokens=596).status == 429
    assert post(openai).status == 200
    answered = post(openai)
    assert answered.status == 200
    assert answered.headers["x-ratelimit-remaining-tokens"] == "0"
    limited = post(openai)
    assert limited.status == 429
    assert limited.json["error"]["type"] == "tokens"
    # 595 and 595 are taken of 600, and a request needs 5: 595 tokens at 10 a second.
    assert limited.headers["retry-after-ms"] == "59500"


def test_a_request_larger_than_a_minute_s_quota_is_never_admitted():
    """Waiting would not help, so OpenAI says that the request is too large and asks for no wait."""
    openai = make_world().provider("openai").limits(tpm=100).echoes()
    answered = post(openai, max_tokens=1000)
    assert answered.status == 429
    assert answered.json["error"]["message"].startswith("Request too large for gpt-4o")
    assert "retry-after" not in answered.headers


def test_anthropic_says_it_in_its_own_words():
    """The same quota at Anthropic has Anthropic's envelope and headers."""
    anthropic = make_world().provider("anthropic").limits(rpm=1, tpm=1000).echoes()
    admitted, limited, large = post(anthropic), post(anthropic), None
    assert admitted.headers["anthropic-ratelimit-requests-remaining"] == "0"
    assert admitted.headers["anthropic-ratelimit-requests-reset"] == "2026-01-01T00:01:00Z"
    assert limited.status == 429
    assert limited.json["error"]["type"] == "rate_limit_error"
    assert limited.headers["retry-after"] == "60"
    anthropic.limits(tpm=10)
    large = post(anthropic)
    assert (large.status, "retry-after" in large.headers) == (429, False)


def test_headers_tell_what_is_left():
    """A successful answer carries limit, rest and reset in OpenAI's form."""
    headers = post(make_world().provider("openai").limits(rpm=60, tpm=60_000).echoes()).headers
    assert headers["x-ratelimit-limit-requests"] == "60"
    assert headers["x-ratelimit-remaining-requests"] == "59"
    assert headers["x-ratelimit-reset-requests"] == "1s"
    assert headers["x-ratelimit-remaining-tokens"] == "59995"


def test_a_refused_request_plays_no_step():
    """The script waits until the quota admits the request."""
    world = make_world()
    openai = world.provider("openai").limits(rpm=1).replies("one", "two")
    assert [post(openai).status, post(openai).status] == [200, 429]
    world.clock.advance(60)
    assert post(openai).status == 200
    assert world.unused_steps() == []


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ({}, "limits: none of rpm, tpm, rpd and concurrent is given.\n\nTo fix: limits(rpm=600, tpm=400_000)"),
        (
            {"rpm": 0},
            "limits: rpm must be a whole number, 1 or more, got 0.\n\nTo fix: limits(rpm=600, tpm=400_000)",
        ),
        (
            {"tpm": 1.5},
            "limits: tpm must be a whole number, 1 or more, got 1.5.\n\nTo fix: limits(rpm=600, tpm=400_000)",
        ),
    ],
    ids=["nothing", "zero", "fraction"],
)
def test_limits_that_make_no_sense_are_refused(arguments, text):
    """Each wrong limit has one clear error."""
    with pytest.raises(ConfigurationError) as caught:
        make_world().provider("openai").limits(**arguments)
    assert str(caught.value) == text


@given(
    per_minute=st.integers(1, 10**6),
    steps=st.lists(st.tuples(st.integers(1, 2000), st.integers(0, 10**11)), max_size=30),
)
def test_a_bucket_admits_exactly_when_it_said(per_minute, steps):
    """One nanosecond before the announced time is too early, the announced time is not; and nothing is ever free."""
    bucket, now, taken = TokenBucket(per_minute, 0), 0, 0
    for wanted, pause in steps:
        amount = min(wanted, per_minute)
        now += pause
        wait = bucket.wait_ns(amount, now)
        if wait:
            assert bucket.wait_ns(amount, now + wait - 1) > 0
            now += wait
            assert bucket.wait_ns(amount, now) == 0
        bucket.take(amount)
        taken += amount
        assert taken * MINUTE_NS <= per_minute * (MINUTE_NS + now)


@given(amounts=st.lists(st.integers(1, 50), min_size=1, max_size=40))
def test_a_refusal_takes_nothing(amounts):
    """Whether a request is admitted depends on admitted requests alone."""
    quota, bucket = Quota(None, 100, 0), 100
    for amount in amounts:
        refused = quota.admit(amount, 0) is not None
        assert refused == (amount > bucket)
        bucket -= 0 if refused else amount
