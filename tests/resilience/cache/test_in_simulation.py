"""The cache inside a simulation: what its assertions say of a hit, official SDKs' own providers, and single objects."""

import pytest

from llmtest import (
    AsyncLLMClient,
    CachedProvider,
    CompletionRequest,
    FallbackChain,
    FallbackSlot,
    HedgingConfig,
    LLMClient,
    OpenAIProvider,
    RateLimitConfig,
    ResponseCache,
    ResponseCacheConfig,
    RetryConfig,
    Simulation,
    SqliteCacheStore,
    faults,
    load_scenario,
    run_scenario,
)
from llmtest.errors import ConfigurationError, InvalidRequestError
from tests.resilience.scripted_provider import ScriptedProvider


@pytest.fixture
def sim():
    """Return a running simulation."""
    with Simulation() as simulation:
        yield simulation


def test_f111_a_hit_is_an_attempt_of_the_sequence(sim):
    """`openai:cache_hit` stands where the request would have stood; nothing else was sent or spent."""
    sim.openai.fails(faults.ServerError(503)).replies("Paris")
    client = LLMClient(FallbackChain([OpenAIProvider("k", model="gpt-4o")], cache=ResponseCacheConfig()))
    assert [client.ask("Capital of France?") for _ in range(3)] == ["Paris"] * 3
    sim.assert_sequence("openai/gpt-4o:503", "openai:200", "openai:cache_hit", "openai/gpt-4o:cache_hit")
    sim.assert_retries(at_most=1)
    sim.assert_no_fallback()
    sim.assert_resilient()
    assert len(sim.openai.requests) == 2
    assert len(sim.costs.entries) == 1
    assert "cache_hit" in sim.trace.render()


def test_a_run_with_a_cache_is_repeatable():
    """The same calls make the same history."""

    def story():
        with Simulation() as sim:
            sim.openai.latency(0.5).replies("a", "b")
            client = LLMClient(FallbackChain([sim.openai.as_provider("gpt-4o")], cache=ResponseCacheConfig(ttl=10)))
            for _ in range(3):
                client.ask("?")
                sim.clock.advance(6)
            return sim.trace.digest(), sim.trace.render()

    assert story() == story()


def test_a_provider_s_own_vectors_serve_a_semantic_cache(sim):
    """One of our providers embeds; a request whose vector is near gets the answer, and the vector is billed."""
    sim.openai.replies("Paris", times=None)
    embedder = OpenAIProvider("k", model="gpt-4o")
    config = ResponseCacheConfig(embedder=embedder, embedding_model="text-embedding-3-small")
    chain = FallbackChain([OpenAIProvider("k", model="gpt-4o")], cache=config)

    async def story():
        client = AsyncLLMClient(chain)
        return [await client.ask(text) for text in ("Capital of France?", "Capital of France?")]

    assert sim.run(story()) == ["Paris", "Paris"]
    assert LLMClient(chain).ask("Capital of Spain?") == "Paris"
    operations = [(request.operation, request.model) for request in sim.openai.requests]
    assert operations == [
        ("embeddings", "text-embedding-3-small"),
        ("chat", "gpt-4o"),
        ("embeddings", "text-embedding-3-small"),
        ("chat", "gpt-4o"),
    ]


def test_f110_cached_provider_wraps_anything(sim):
    """IronClaw's object: the cache alone around any provider, with its name and model; others are its chain's."""
    sim.openai.fails(faults.ServerError(503)).replies("Paris")
    cached = CachedProvider(sim.openai.as_provider("gpt-4o"), ResponseCacheConfig(ttl=60, max_entries=10))
    assert (cached.name, cached.model) == ("openai", "gpt-4o")
    client = LLMClient(FallbackChain([FallbackSlot(provider=cached, retry=RetryConfig())]))
    assert [client.ask("Capital of France?") for _ in range(2)] == ["Paris", "Paris"]
    sim.assert_sequence("openai:503", "openai:200", "openai:cache_hit")
    assert cached.cache.stats().hits == 1
    assert CachedProvider(ScriptedProvider("a")).cache.config == ResponseCacheConfig()
    assert CachedProvider(ScriptedProvider("a"), name="b").name == "b"


def test_cached_providers_share_a_cache(sim, tmp_path):
    """In one file, whoever asks the same; two that ask others do not get each other's answers."""
    sim.openai.replies("from openai")
    sim.anthropic.replies("from anthropic")
    with SqliteCacheStore(tmp_path / "answers.db") as store:
        cache = ResponseCache(store=store)
        providers = [
            CachedProvider(sim.openai.as_provider("gpt-4o"), cache),
            CachedProvider(sim.anthropic.as_provider("claude-opus-5"), cache),
            CachedProvider(sim.openai.as_provider("gpt-4o"), cache),
        ]
        answers = [LLMClient(provider).ask("Who?") for provider in providers]
    assert answers == ["from openai", "from anthropic", "from openai"]


def test_an_error_of_a_cached_provider_is_the_provider_s_own(sim):
    """It is handed on as it is, with its attempts, and nothing is kept."""
    sim.openai.fails(faults.InvalidRequest()).replies("Paris")
    cached = CachedProvider(sim.openai.as_provider("gpt-4o"))
    with pytest.raises(InvalidRequestError) as caught:
        LLMClient(cached).ask("?")
    assert [attempt.outcome for attempt in caught.value.attempts] == ["400"]
    assert LLMClient(cached).ask("?") == "Paris"


def test_a_cached_provider_wraps_a_provider():
    """Anything else is refused in words."""
    with pytest.raises(ConfigurationError, match="is no provider"):
        CachedProvider(3)


def test_streams_over_http_are_replayed_as_they_came(sim):
    """Every piece that the provider's own wire had, whole and streamed calls of tools too."""
    sim.openai.calls_tool("weather", {"city": "Paris"})
    chain = FallbackChain([OpenAIProvider("k", model="gpt-4o")], cache=ResponseCacheConfig(cache_tool_calls=True))
    request = CompletionRequest.ask("Weather?")
    first, second = list(chain.stream(request)), list(chain.stream(request))
    assert first[:-1] == second[:-1]
    assert first[-1].response.tool_calls == second[-1].response.tool_calls
    assert len(sim.openai.requests) == 1


def test_a_hit_costs_no_permit_of_any_other_policy(sim):
    """Limits, hedges and retries are inside: twenty equal calls are one request of them all."""
    sim.openai.latency(1.0).replies("Paris")
    chain = FallbackChain(
        [sim.openai.as_provider("gpt-4o"), sim.anthropic.as_provider("claude-opus-5")],
        rate_limit=RateLimitConfig(rpm=1),
        hedging=HedgingConfig(delay=30.0),
        cache=ResponseCacheConfig(),
    )

    async def story():
        client = AsyncLLMClient(chain)
        return [await client.ask("Capital of France?") for _ in range(20)]

    assert sim.run(story()) == ["Paris"] * 20
    assert sim.clock.elapsed() == 1.0
    sim.assert_attempts("openai", at_most=20)
    assert len(sim.openai.requests) == 1


def test_a_stream_that_is_handed_over_as_a_whole_is_kept(sim):
    """Where a stream may fall back until its end, all its pieces are there before the first is handed over."""
    sim.openai.replies("Paris is nice")
    chain = FallbackChain(
        [sim.openai.as_provider("gpt-4o")], stream_commit="end", cache=ResponseCacheConfig(), retry=None
    )
    request = CompletionRequest.ask("Capital of France?")
    first, second = list(chain.stream(request)), list(chain.stream(request))
    assert first[:-1] == second[:-1]
    assert first[-1].response.content == second[-1].response.content == "Paris is nice"
    assert len(sim.openai.requests) == 1


def test_an_empty_stream_is_handed_over_and_not_kept(sim):
    """A stream without any visible piece ends before it is committed; the next call asks again."""
    sim.openai.replies("", "Paris")
    chain = FallbackChain([sim.openai.as_provider("gpt-4o")], cache=ResponseCacheConfig(), retry=None)
    request = CompletionRequest.ask("Capital of France?")
    answers = [list(chain.stream(request))[-1].response.content or "" for _ in range(2)]
    assert answers == ["", "Paris"]


SCENARIO = """
version: 1
name: cached
providers: {openai: {model: gpt-4o, latency: {total: 3s}}}
chain: {cache: {ttl: 1h}, providers: [{provider: openai}]}
load: {rate: 1/s, arrivals: constant, duration: 20s}
expect: {availability: "100%", attempts: "<= 1"}
"""


def test_a_scenario_s_chain_has_a_cache(tmp_path):
    """The section is the same in a scenario file; equal calls are one request, and the others cost nothing."""
    path = tmp_path / "cached.yaml"
    path.write_text(SCENARIO)
    result = run_scenario(load_scenario(path))
    assert (result.calls, result.succeeded, result.attempts, result.served_by) == (20, 20, 1, {"openai": 20})
    assert result.latency["p99"] <= 3.0
    assert all(check.ok for check in result.expectations)
    assert result.digest == run_scenario(load_scenario(path)).digest
