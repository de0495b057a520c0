"""Headers that steer clients, in every form in which they are sent."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmtest.wire import (
    LimitState,
    RateLimits,
    ResponseMeta,
    format_duration,
    parse_duration,
    parse_retry_after,
)
from llmtest.wire import dialect as dialect_of

NOW = datetime(2026, 1, 1, 12, 0, 0, tzinfo=UTC)
OPENAI, ANTHROPIC = dialect_of("openai").chat, dialect_of("anthropic").chat


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        pytest.param({}, None, id="absent"),
        pytest.param({"retry-after": "30"}, 30.0, id="seconds"),
        pytest.param({"retry-after": " 30 "}, 30.0, id="spaces"),
        pytest.param({"retry-after": "1.5"}, 1.5, id="fraction"),
        pytest.param({"retry-after": "0"}, 0.0, id="zero"),
        pytest.param({"Retry-After": "7"}, 7.0, id="upper-case"),
        pytest.param({"retry-after-ms": "1378"}, 1.378, id="milliseconds"),
        pytest.param({"retry-after-ms": "1378.5", "retry-after": "2"}, 1.3785, id="milliseconds-win"),
        pytest.param({"retry-after-ms": "soon", "retry-after": "2"}, 2.0, id="garbage-milliseconds"),
        pytest.param({"retry-after": "Thu, 01 Jan 2026 12:00:49 GMT"}, 49.0, id="date"),
        pytest.param({"retry-after": "Thu, 01 Jan 2026 12:00:49 -0000"}, 49.0, id="date-without-zone"),
        pytest.param({"retry-after": "Thu, 01 Jan 2026 11:00:00 GMT"}, 0.0, id="past-date"),
        pytest.param({"retry-after": "-5"}, None, id="negative"),
        pytest.param({"retry-after": "inf"}, None, id="infinite"),
        pytest.param({"retry-after": "nan"}, None, id="nan"),
        pytest.param({"retry-after": "1_000"}, None, id="underscore"),
        pytest.param({"retry-after": "soon"}, None, id="garbage"),
        pytest.param({"retry-after": ""}, None, id="empty"),
        pytest.param({"retry-after": "Thu, 99 Jan 2026 12:00:49 GMT"}, None, id="impossible-date"),
        pytest.param({"retry-after": "86400"}, 86400.0, id="a-day"),
    ],
)
def test_retry_after_is_read_in_every_form(headers, seconds):
    """Seconds, fractions, milliseconds and dates are read; what says nothing is None."""
    assert parse_retry_after(headers, NOW) == seconds


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0s"),
        (0.012, "12ms"),
        (0.0125, "12.5ms"),
        (0.0000015, "1.5µs"),
        (0.000000005, "5ns"),
        (1.378, "1.378s"),
        (10.332999999, "10.332999999s"),
        (60, "1m0s"),
        (90.5, "1m30.5s"),
        (3723, "1h2m3s"),
        (86400, "24h0m0s"),
    ],
)
def test_durations_are_written_as_go_writes_them(seconds, text):
    """OpenAI's resets are durations in Go's form."""
    assert format_duration(seconds) == text
    assert parse_duration(text) == pytest.approx(seconds)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [(None, None), ("", None), ("soon", None), ("5x", None), ("1m nonsense", None), ("500", 500.0), ("6m0s", 360.0)],
)
def test_other_durations_are_read_as_far_as_they_mean_something(text, seconds):
    """Azure writes bare numbers; anything else is None."""
    assert parse_duration(text) == seconds


states = (
    st.builds(LimitState, st.integers(1, 10**7), st.integers(0, 10**7), st.integers(0, 10**6).map(float)) | st.none()
)


@given(requests=states, tokens=states)
def test_openai_s_limits_survive_their_headers(requests, tokens):
    """What we tell of limits is what a client reads."""
    limits = RateLimits(requests, tokens)
    headers = dict(OPENAI.response_headers(ResponseMeta(limits=limits)))
    assert OPENAI.dialect.read_limits(headers, NOW) == (limits if requests or tokens else None)


@given(states, states, states, states)
def test_anthropic_s_limits_survive_their_headers(requests, tokens, input_tokens, output_tokens):
    """What we tell of limits is what a client reads."""
    limits = RateLimits(requests, tokens, input_tokens, output_tokens)
    headers = dict(ANTHROPIC.response_headers(ResponseMeta(limits=limits, now=NOW)))
    assert ANTHROPIC.dialect.read_limits(headers, NOW) == (limits if limits != RateLimits() else None)


def test_limits_are_written_in_each_provider_s_own_format():
    """The recorded forms, name by name."""
    limits = RateLimits(LimitState(5000, 4999, 0.012), LimitState(160_000, 159_974, 0.009))
    headers = dict(OPENAI.response_headers(ResponseMeta(limits=limits, request_id="req_1", processing_ms=268)))
    assert headers == {
        "content-type": "application/json",
        "openai-organization": "org-llmtest",
        "openai-processing-ms": "268",
        "openai-version": "2020-10-01",
        "x-ratelimit-limit-requests": "5000",
        "x-ratelimit-remaining-requests": "4999",
        "x-ratelimit-reset-requests": "12ms",
        "x-ratelimit-limit-tokens": "160000",
        "x-ratelimit-remaining-tokens": "159974",
        "x-ratelimit-reset-tokens": "9ms",
        "x-request-id": "req_1",
    }
    limits = RateLimits(LimitState(4000, 3999, 0.25), input_tokens=LimitState(400_000, -5, 60))
    headers = dict(ANTHROPIC.response_headers(ResponseMeta(limits=limits, now=NOW), stream=True))
    assert headers == {
        "content-type": "text/event-stream; charset=utf-8",
        "cache-control": "no-cache",
        "anthropic-ratelimit-requests-limit": "4000",
        "anthropic-ratelimit-requests-remaining": "3999",
        "anthropic-ratelimit-requests-reset": "2026-01-01T12:00:01Z",
        "anthropic-ratelimit-input-tokens-limit": "400000",
        "anthropic-ratelimit-input-tokens-remaining": "0",
        "anthropic-ratelimit-input-tokens-reset": "2026-01-01T12:01:00Z",
        "anthropic-organization-id": "org-llmtest",
    }


def test_headers_are_ascii_however_soon_a_limit_resets():
    """A reset within microseconds is told as a millisecond: Go would write a letter that no header may hold."""
    limits = RateLimits(LimitState(5000, 4999, 0.00015), LimitState(160_000, 160_000, 0))
    headers = dict(OPENAI.response_headers(ResponseMeta(limits=limits)))
    assert headers["x-ratelimit-reset-requests"] == "1ms"
    assert headers["x-ratelimit-reset-tokens"] == "0s"


def test_a_limit_without_a_readable_reset_is_still_a_limit():
    """A missing or broken reset counts as now."""
    openai = {"x-ratelimit-limit-requests": "5", "x-ratelimit-remaining-requests": "4"}
    assert OPENAI.dialect.read_limits(openai, NOW) == RateLimits(LimitState(5, 4))
    anthropic = {"anthropic-ratelimit-tokens-limit": "5", "anthropic-ratelimit-tokens-remaining": "4"}
    anthropic["anthropic-ratelimit-tokens-reset"] = "tomorrow"
    assert ANTHROPIC.dialect.read_limits(anthropic, NOW) == RateLimits(tokens=LimitState(5, 4))


def test_a_reset_in_another_zone_is_the_same_moment():
    """RFC 3339 offsets are honoured."""
    headers = {"anthropic-ratelimit-tokens-limit": "5", "anthropic-ratelimit-tokens-remaining": "4"}
    headers["anthropic-ratelimit-tokens-reset"] = (NOW + timedelta(hours=2, seconds=9)).isoformat()[:19] + "+02:00"
    assert ANTHROPIC.dialect.read_limits(headers, NOW).tokens.reset_after == 9.0


@pytest.mark.parametrize(
    ("build", "pattern"),
    [
        (OPENAI.dialect.response_id, r"chatcmpl-[0-9A-Za-z]{29}"),
        (OPENAI.dialect.request_id, r"req_[0-9a-f]{32}"),
        (OPENAI.dialect.tool_call_id, r"call_[0-9A-Za-z]{24}"),
        (ANTHROPIC.dialect.response_id, r"msg_01[1-9A-HJ-NP-Za-km-z]{22}"),
        (ANTHROPIC.dialect.request_id, r"req_011C[1-9A-HJ-NP-Za-km-z]{20}"),
        (ANTHROPIC.dialect.tool_call_id, r"toolu_01[1-9A-HJ-NP-Za-km-z]{22}"),
    ],
)
def test_ids_have_each_provider_s_form(build, pattern):
    """Ids look genuine, differ for different numbers of any size, and are the same for the same number."""
    import re

    numbers = [*range(200), 2**64, 2**64 - 1, 2**128 + 5, 2**255]
    ids = [build(number) for number in numbers]
    assert all(re.fullmatch(pattern, text) for text in ids)
    assert len(set(ids)) == len(numbers)
    assert [build(number) for number in numbers] == ids
