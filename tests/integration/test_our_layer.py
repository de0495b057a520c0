"""Our own provider layer in the simulated world: what it decides is what the assertions see."""

import asyncio

import pytest

from llmtest import (
    AnthropicProvider,
    AsyncLLMClient,
    CircuitBreakerConfig,
    FallbackChain,
    LLMClient,
    OpenAIProvider,
    RetryConfig,
    faults,
)


def chain(**policies):
    """Return a client of two real providers, one behind the other."""
    builder = FallbackChain.builder().with_retry(policies.get("retry")).with_circuit_breaker(policies.get("breaker"))
    return builder.add(OpenAIProvider("gpt-4o")).add(AnthropicProvider("claude-sonnet-4-6")).build()


def ask(provider):
    """Ask the blocking client."""
    return LLMClient(provider).ask("Capital of France?")


def ask_async(provider):
    """Ask the asynchronous client."""

    async def main():
        return await AsyncLLMClient(provider).ask("Capital of France?")

    return asyncio.run(main())


both = pytest.mark.parametrize("ask", [ask, ask_async])


@both
def test_a_fallback_over_http(llm_sim, ask):
    """A 503 of the first provider is answered by the second; the call is marked by our client itself."""
    llm_sim.openai.fails(faults.ServerError(status=503))
    llm_sim.anthropic.replies("Paris")
    assert ask(chain()) == "Paris"
    llm_sim.assert_sequence("openai:503", "anthropic:200")
    llm_sim.assert_fallback("openai", "anthropic", because=faults.ServerError)
    llm_sim.assert_retries(at_most=0)


@both
def test_a_retry_waits_in_virtual_time(llm_sim, ask):
    """Our retry honours Retry-After on the simulation's clock."""
    llm_sim.openai.fails(faults.RateLimited(retry_after=30), times=2).replies("Paris")
    assert ask(chain(retry=RetryConfig(max_attempts=3))) == "Paris"
    llm_sim.assert_sequence("openai:429", "openai:429", "openai:200")
    llm_sim.assert_retries(exactly=2)
    llm_sim.assert_waited(at_least=60.0)
    llm_sim.assert_no_fallback()


@both
def test_a_breaker_opens_and_closes(llm_sim, ask):
    """The circuit's whole story is asserted from our layer's events, skipped slots included."""
    llm_sim.openai.fails(faults.ServerError(), times=2).replies("Paris")
    llm_sim.anthropic.replies("Paris", times=3)
    provider = chain(breaker=CircuitBreakerConfig(failure_threshold=2, cooldown_secs=30))
    for _ in range(3):
        ask(provider)
    llm_sim.clock.advance(31)
    ask(provider)
    llm_sim.assert_sequence(
        "openai:500",
        "anthropic:200",
        "openai:500",
        "anthropic:200",
        "openai:circuit_open",
        "anthropic:200",
        "openai:200",
    )
    llm_sim.assert_breaker("openai", "closed", "open", "half_open", "closed")
    llm_sim.assert_breaker("anthropic", "closed")
    llm_sim.assert_fallback("openai", "anthropic", because="circuit_open")


def test_the_direct_path_leaves_the_same_trace(llm_sim):
    """A chain of simulated providers without HTTP is asserted just like one over HTTP."""
    llm_sim.openai.fails(faults.RateLimited())
    llm_sim.anthropic.replies("Paris")
    provider = (
        FallbackChain.builder()
        .with_retry(None)
        .add(llm_sim.openai.as_provider("gpt-4o"))
        .add(llm_sim.anthropic.as_provider("claude-sonnet-4-6"))
        .build()
    )
    assert ask(provider) == "Paris"
    llm_sim.assert_sequence("openai:429", "anthropic:200")
    llm_sim.assert_fallback("openai/gpt-4o", "anthropic/claude-sonnet-4-6", because=429)


def test_concurrent_calls_of_our_client_need_no_marks(llm_sim):
    """Calls that overlap are kept apart, because our client marks each one."""
    llm_sim.openai.latency(1.0).fails(faults.ServerError(status=503)).echoes()
    llm_sim.anthropic.replies("Paris")
    provider = chain()

    async def main():
        client = AsyncLLMClient(provider)
        await asyncio.gather(*(client.ask(str(number)) for number in range(5)))

    asyncio.run(main())
    llm_sim.assert_fallback("openai", "anthropic", because="503")
    llm_sim.assert_retries(at_most=0)
    llm_sim.assert_attempts("openai", 5)
