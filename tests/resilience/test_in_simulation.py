"""The whole line: our own layer inside a simulation, over HTTP and directly, judged by the simulation's assertions."""

import pytest

from llmtest import (
    AnthropicProvider,
    AsyncLLMClient,
    CompletionRequest,
    FallbackChain,
    LLMClient,
    OpenAIProvider,
    RetryConfig,
    Simulation,
    faults,
)
from llmtest.errors import StreamInterruptedError
from llmtest.resilience import FallbackSlot

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


def names_in(sim, chain, streams):
    """Ask a chain twice; return the names that its requests carried, and those of its fallback's."""
    for _ in range(2):
        if streams:
            list(LLMClient(chain).stream(REQUEST))
        else:
            LLMClient(chain).ask("Capital of France?")
    return tuple(
        [request.headers.get("idempotency-key") for request in handle.requests]
        for handle in (sim.openai, sim.anthropic)
    )


@pytest.mark.parametrize("streams", [False, True], ids=["whole", "stream"])
def test_r06_every_retry_of_a_call_carries_one_name_and_no_other_call_does(streams):
    """A gateway can tell a repeated request: calls, and providers, have names of their own; so has the next run."""

    def story(header):
        with Simulation() as sim:
            sim.openai.fails(faults.ConnectionReset(), times=2).replies("Paris").fails(faults.ServerError(), times=3)
            sim.anthropic.fails(faults.ServerError()).replies("Paris")
            providers = [
                OpenAIProvider("k", idempotency_header=header),
                AnthropicProvider("k", idempotency_header=header),
            ]
            nested = FallbackChain(providers, name="inner", retry=RetryConfig(base_delay=0))
            return names_in(sim, FallbackChain([nested]), streams)

    openai, anthropic = story("Idempotency-Key")
    assert openai == [openai[0]] * 3 + [openai[3]] * 3
    assert anthropic == [anthropic[0]] * 2
    assert len({openai[0], openai[3], anthropic[0]}) == 3
    assert all(len(name) >= 32 for name in (*openai, *anthropic))
    assert story("Idempotency-Key") == (openai, anthropic)
    assert story(None) == ([None] * 6, [None] * 2)


def test_r06_a_chain_that_is_retried_as_a_whole_keeps_its_names(sim):
    """Where a slot asks a nested chain again, the requests of all rounds are one request to their provider."""
    sim.anthropic.fails(faults.ServerError(), times=3)
    sim.openai.fails(faults.ServerError(), times=2).replies("Paris")
    providers = [AnthropicProvider("k"), OpenAIProvider("k", idempotency_header="Idempotency-Key")]
    inner = FallbackChain(providers, name="inner", retry=None)
    FallbackChain([FallbackSlot(provider=inner, retry=RetryConfig(base_delay=0))]).complete(REQUEST)
    names = [request.headers["idempotency-key"] for request in sim.openai.requests]
    assert names == names[:1] * 3


def test_r06_a_caller_may_name_a_request_himself(sim):
    """The name that a request brings is the one that is sent; without a chain, and without one, each has its own."""
    sim.openai.replies("Paris", times=4)
    provider = OpenAIProvider("k", idempotency_header="Idempotency-Key")
    named = REQUEST.with_idempotency_key("order-17")
    provider.complete(named)
    FallbackChain([provider]).complete(named)
    provider.complete(REQUEST)
    provider.complete(REQUEST)
    names = [request.headers["idempotency-key"] for request in sim.openai.requests]
    assert names[:2] == ["order-17"] * 2
    assert len(set(names)) == 3
    assert named == REQUEST


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
