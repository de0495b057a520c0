"""Facts that errors carry beside their class: which limit, how much credit, which models, how much had come."""

import asyncio
from datetime import UTC, datetime

import httpx
import pytest

from llmtest import AnthropicProvider, CompletionRequest, OpenAICompatibleProvider, OpenAIProvider, Reply, faults
from llmtest.errors import (
    ConfigurationError,
    ModelNotFoundError,
    QuotaExceededError,
    RateLimitedError,
    StreamInterruptedError,
)

KEY = "sk-test-key"
REQUEST = CompletionRequest.ask("hi")
PROVIDERS = {
    "openai": lambda: OpenAIProvider(KEY),
    "anthropic": lambda: AnthropicProvider(KEY),
    "groq": lambda: OpenAICompatibleProvider.preset("groq", api_key=KEY, model="m"),
    "gemini": lambda: OpenAICompatibleProvider.preset("gemini", api_key=KEY),
}
TELLS = {
    "openai": {"requests", "tokens", "daily", "concurrent"},
    "anthropic": {"tokens", "concurrent", "requests"},
    "groq": {"requests", "tokens", "daily"},
    "gemini": {"requests", "tokens", "daily"},
}
"""Limits that an API has words for."""


@pytest.mark.parametrize(
    ("name", "limit"), [(name, limit) for name, limits in TELLS.items() for limit in sorted(limits)]
)
def test_f056_a_rate_limit_says_which_limit(llm_sim, name, limit):
    """The simulated refusal is in the words by which the API tells its limits apart, and is read so."""
    getattr(llm_sim, name).fails(faults.RateLimited(retry_after=20, limit=limit))
    with pytest.raises(RateLimitedError) as error:
        PROVIDERS[name]().complete(REQUEST)
    assert error.value.limit_kind == limit


def test_f056_a_limit_that_there_is_not_is_refused():
    """The nearest valid words are named."""
    with pytest.raises(ConfigurationError, match="limit is one of requests, tokens, daily, concurrent, got 'weekly'"):
        faults.RateLimited(limit="weekly")


def test_f056_requests_of_a_day_are_counted_until_midnight(llm_sim):
    """The wait is until midnight UTC, and true: then the next one is admitted."""
    handle = llm_sim.openai.limits(rpd=2)
    handle.echoes()
    provider = OpenAIProvider(KEY)
    llm_sim.clock.advance(3600)
    assert [provider.complete(REQUEST).content for _ in range(2)] == ["hi", "hi"]
    with pytest.raises(RateLimitedError, match=r"requests per day \(RPD\): Limit 2, Used 2") as error:
        provider.complete(REQUEST)
    now = llm_sim.clock.now()
    midnight = datetime(now.year, now.month, now.day, tzinfo=UTC).timestamp() + 86_400
    assert (error.value.limit_kind, error.value.retry_after) == ("daily", midnight - now.timestamp())
    llm_sim.clock.advance(error.value.retry_after)
    assert provider.complete(REQUEST).content == "hi"


def test_f056_requests_at_once_are_counted(llm_sim):
    """What is under way takes a place, and gives it back at its end, however it ends."""
    llm_sim.openai.limits(concurrent=2).latency(5.0).echoes()
    provider = OpenAIProvider(KEY)

    async def story():
        return await asyncio.gather(*(provider.complete_async(REQUEST) for _ in range(4)), return_exceptions=True)

    for _ in range(2):
        found = llm_sim.run(story())
        refused = [each for each in found if isinstance(each, RateLimitedError)]
        assert [(each.limit_kind, each.retry_after) for each in refused] == [("concurrent", None)] * 2
        assert [each.content for each in found if not isinstance(each, Exception)] == ["hi", "hi"]


def test_f056_a_stream_that_was_left_gives_its_place_back(llm_sim):
    """Direct or over HTTP, whole or left: no place is lost."""
    llm_sim.openai.limits(concurrent=1).echoes()
    for provider in (OpenAIProvider(KEY), llm_sim.openai.as_provider("gpt-4o")):
        stream = provider.stream(REQUEST)
        next(stream)
        with pytest.raises(RateLimitedError):
            provider.complete(REQUEST)
        stream.close()
        assert provider.complete(REQUEST).content == "hi"


def test_f056_no_credit_says_how_much_and_until_when():
    """OpenRouter says what can be paid for, Anthropic when a limit on spending is over, others in `Retry-After`."""

    def refusing(status, body, **headers):
        answer = httpx.Response(status, json=body, headers=headers)
        return httpx.Client(transport=httpx.MockTransport(lambda request: answer))

    short = "This request requires more credits, or fewer max_tokens. You requested up to 65536 tokens, "
    short += "but can only afford 1,234."
    client = refusing(402, {"error": {"message": short, "code": 402}})
    with pytest.raises(QuotaExceededError) as error:
        OpenAICompatibleProvider.preset("openrouter", api_key=KEY, model="m", http_client=client).complete(REQUEST)
    assert (error.value.required, error.value.available, error.value.reset_time) == (65_536, 1234, None)

    over = "You have reached your specified API usage limits. You will regain access on 2026-02-01 at 00:00 UTC."
    client = refusing(402, {"type": "error", "error": {"type": "billing_error", "message": over}})
    with pytest.raises(QuotaExceededError) as error:
        AnthropicProvider(KEY, http_client=client).complete(REQUEST)
    assert error.value.reset_time == datetime(2026, 2, 1, tzinfo=UTC)


def test_f056_no_credit_with_a_wait_says_when_it_is_over(llm_sim):
    """A wait that came with the refusal is a time of day."""
    llm_sim.openai.fails(faults.QuotaExceeded(status=429, headers={"retry-after": "3600"}))
    with pytest.raises(QuotaExceededError) as error:
        OpenAIProvider(KEY).complete(REQUEST)
    assert (error.value.reset_time - llm_sim.clock.now()).total_seconds() == 3600


def test_f056_a_missing_model_tells_which_there_are(llm_sim):
    """As far as the list was read; the nearest name of them is what may be asked instead."""
    llm_sim.openai.when(operation="chat").fails(faults.ModelNotFound(), times=2)
    provider = OpenAIProvider(KEY, model="gpt-4o-mni")
    with pytest.raises(ModelNotFoundError) as error:
        provider.complete(REQUEST)
    assert (error.value.available_models, error.value.fallback_model) == ((), None)
    assert "gpt-4o-mini" in provider.list_models()
    with pytest.raises(ModelNotFoundError) as error:
        provider.complete(REQUEST)
    assert "gpt-4o" in error.value.available_models
    assert error.value.fallback_model == "gpt-4o-mini"


@pytest.mark.parametrize("is_direct", [False, True], ids=["http", "direct"])
def test_f056_a_broken_stream_tells_how_much_had_come(llm_sim, is_direct):
    """Bytes of the answer; and whether anything was handed over, after which no other answer can take its place."""
    handle = llm_sim.openai
    for fault in (faults.StreamTruncated(after_chunks=0), faults.StreamDropped(after_chunks=2)):
        handle.replies(Reply(chunks=("one ", "two ", "three "), fault=fault))
    provider = handle.as_provider("gpt-4o") if is_direct else OpenAIProvider(KEY)
    told = []
    for _ in range(2):
        with pytest.raises(StreamInterruptedError) as error:
            list(provider.stream(REQUEST))
        told.append(error.value)
    empty, half = told
    assert (empty.recovery_possible, half.recovery_possible) == (True, False)
    assert half.bytes_received > empty.bytes_received
    assert half.bytes_received > len("one two ")
