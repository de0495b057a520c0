"""The whole line: our own layer inside a simulation, over HTTP and directly, judged by the simulation's assertions."""

import pytest

from llmtest import (
    AnthropicProvider,
    AsyncLLMClient,
    CompletionRequest,
    FallbackChain,
    LLMClient,
    OpenAIProvider,
    Simulation,
    faults,
)
from llmtest.errors import StreamInterruptedError

REQUEST = CompletionRequest.ask("Capital of France?")


@pytest.fixture
def sim():
    """Return a running simulation."""
    with Simulation() as simulation:
        yield simulation


def real_chain():
    """Return a chain of real providers, as an application makes it."""
    return FallbackChain([OpenAIProvider("k"), AnthropicProvider("k")])


def test_a_rate_limit_is_waited_for(sim):
    """Two `Retry-After: 30` cost 60.0 virtual seconds, and no fallback."""
    sim.openai.fails(faults.RateLimited(retry_after=30), times=2).replies("Paris")
    assert LLMClient(real_chain()).ask("Capital of France?") == "Paris"
    assert sim.clock.elapsed() == 60.0
    sim.assert_sequence("openai:429", "openai:429", "openai:200")
    sim.assert_no_fallback()


def test_a_stream_falls_back(sim):
    """A stream that a provider refuses is answered by the next one."""
    sim.openai.fails(faults.ServerError(503), times=3)
    sim.anthropic.replies("Paris is it")

    async def story():
        async with AsyncLLMClient(real_chain()).stream(REQUEST) as stream:
            text = "".join([event.text async for event in stream])
        return text, stream.response.provider

    assert sim.run(story()) == ("Paris is it", "anthropic")
    sim.assert_fallback("openai", "anthropic", because=503)


def test_a_circuit_opens_and_closes(sim):
    """The assertion reads the states from the breaker's events."""
    sim.openai.fails(faults.ServerError(503), times=5).replies("ok", times=None)
    sim.anthropic.replies("b", times=None)
    chain = FallbackChain([sim.openai.as_provider(), sim.anthropic.as_provider()], retry=None)
    for _ in range(6):
        assert chain.complete(REQUEST).provider == "anthropic"
    sim.clock.advance(30)
    assert chain.complete(REQUEST).provider == "openai"
    sim.assert_breaker("openai", "closed", "open", "half_open", "closed")


def test_marked_calls_and_our_own_share_one_count(sim):
    """Calls that the test marks and calls that our client marks have numbers of one series."""
    sim.openai.replies("ok", times=None)
    client = LLMClient(sim.openai.as_provider("gpt-4o"))
    client.ask("one")
    with sim.call("two") as marked:
        client.ask("two")
        client.ask("three")
    client.ask("four")
    assert marked.id == 2
    assert sorted({event.call for event in sim.trace}) == [1, 2, 3]


@pytest.mark.parametrize("direct", [False, True], ids=["http", "direct"])
@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        (faults.StreamDropped(2), "dropped"),
        (faults.StreamTruncated(2), "truncated"),
        (faults.StreamError(2), "error"),
        (faults.StreamMalformed(2), "malformed"),
        (faults.StreamStalled(2), "stalled"),
    ],
    ids=["dropped", "truncated", "error", "malformed", "stalled"],
)
def test_a_broken_stream_is_the_same_on_both_paths(sim, fault, kind, direct):
    """Whatever breaks a stream, the error says how, with the text so far, over HTTP as directly."""
    sim.openai.fails(fault)
    provider = sim.openai.as_provider("gpt-4o") if direct else OpenAIProvider("k")
    with pytest.raises(StreamInterruptedError) as error:
        list(FallbackChain([provider]).stream(REQUEST))
    assert (error.value.kind, error.value.visible) == (kind, True)
    assert error.value.partial_text == "This is"
    assert [attempt.outcome for attempt in error.value.attempts] == [kind]
    assert error.value.attempts[0].usage.source == "estimated"
