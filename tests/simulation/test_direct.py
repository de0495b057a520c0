"""The direct path: a simulated provider as a provider of our own layer, blocking and not, whole and streamed."""

import asyncio

import pytest

from llmtest import faults
from llmtest.clock import run_virtual
from llmtest.errors import OverloadedError, ProviderTimeoutError, StreamInterruptedError, VirtualTimeStalledError
from llmtest.simulation import Reply
from llmtest.types import CompletionRequest, FinishReason, Provider, Timeouts, ToolCall, Usage
from tests.simulation.sim_calls import make_world

ASK = CompletionRequest.ask("hi")


@pytest.fixture
def world():
    """Return a world of its own."""
    return make_world()


async def collect(source):
    """Return the events of an asynchronous stream."""
    return [event async for event in source]


def test_it_is_a_provider(world):
    """It satisfies the protocol of the layer, under the handle's name and the model it was made for."""
    provider = world.provider("openai").as_provider(model="gpt-4o")
    assert isinstance(provider, Provider)
    assert (provider.name, provider.model) == ("openai", "gpt-4o")
    assert provider.capabilities.context_window is None


def test_the_four_methods_say_the_same(world):
    """Blocking or not, whole or streamed: one answer, from one script."""
    handle = world.provider("openai").replies("Paris", times=4)
    provider = handle.as_provider("gpt-4o")
    whole = [provider.complete(ASK), run_virtual(provider.complete_async(ASK), world.clock)]
    streams = [list(provider.stream(ASK)), run_virtual(collect(provider.stream_async(ASK)), world.clock)]
    assert [response.content for response in whole] == ["Paris", "Paris"]
    assert [[event.kind for event in events] for events in streams] == [["start", "text", "finish", "usage", "end"]] * 2
    assert [events[-1].response.content for events in streams] == ["Paris", "Paris"]
    assert whole[0].usage == Usage(5, 2)
    assert (whole[0].provider, whole[0].model, whole[0].finish_reason) == ("openai", "gpt-4o", FinishReason.STOP)
    assert [record.outcome for record in handle.requests] == ["200"] * 4


def test_the_request_s_model_wins(world):
    """A model named by the request is the one that answers."""
    handle = world.provider("openai").echoes()
    assert handle.as_provider("gpt-4o").complete(ASK.with_model("o1")).model == "o1"
    assert handle.requests[0].model == "o1"


def test_a_stream_delivers_every_kind_of_part(world):
    """Thinking, text and tool calls come as the events that the wire's decoder would give."""
    reply = Reply("let me see", thinking="hm, a tool", tool_calls=[ToolCall("c1", "f", '{"a": 1}')])
    provider = world.provider("anthropic").replies(reply).as_provider("claude")
    events = list(provider.stream(ASK))
    assert [event.kind for event in events] == [
        "start",
        "thinking",
        "thinking",
        "text",
        "tool_call",
        "tool_arguments",
        "finish",
        "usage",
        "end",
    ]
    assert [event.index for event in events[1:6]] == [0, 0, 1, 2, 2]
    assert (events[4].id, events[4].name, events[5].text) == ("c1", "f", '{"a": 1}')
    assert events[6].finish_reason is FinishReason.TOOL_USE
    assert events[-1].response.thinking == "hm, a tool"


def test_streams_are_coalesced_unless_asked_otherwise(world):
    """The first event carries one token, the others sixteen; `tokens_per_event=1` gives every token alone."""
    text = " ".join(["word"] * 34)
    handle = world.provider("openai").replies(text, times=None)
    coarse = [event.text for event in handle.as_provider("m").stream(ASK) if event.kind == "text"]
    exact = [event.text for event in handle.as_provider("m", tokens_per_event=1).stream(ASK) if event.kind == "text"]
    assert [piece.count("word") for piece in coarse] == [1, 16, 16, 1]
    assert (len(exact), "".join(coarse), "".join(exact)) == (34, text, text)


def test_chunks_of_a_reply_are_never_coalesced(world):
    """Pieces that the test wrote come as they are written."""
    provider = world.provider("openai").replies(Reply(chunks=["Pa", "ris", "!"])).as_provider("m")
    assert [event.text for event in provider.stream(ASK) if event.kind == "text"] == ["Pa", "ris", "!"]


def test_an_error_has_the_facts_of_its_provider(world):
    """Errors of both worlds name provider, model, status and wait."""
    handle = world.provider("anthropic").fails(faults.Overloaded(retry_after=3), times=2)
    provider = handle.as_provider("claude")
    with pytest.raises(OverloadedError) as blocking:
        provider.complete(ASK)
    with pytest.raises(OverloadedError) as awaited:
        run_virtual(provider.complete_async(ASK), world.clock)
    for caught in (blocking, awaited):
        error = caught.value
        assert (error.provider, error.model, error.status, error.retry_after) == ("anthropic", "claude", 529, 3.0)
    assert blocking.value is not awaited.value


def test_calls_wait_at_the_same_time(world):
    """A hundred concurrent calls of one second take one second."""
    provider = world.provider("openai").latency(1).echoes().as_provider("m")

    async def all_at_once():
        return await asyncio.gather(*(provider.complete_async(ASK) for _ in range(100)))

    assert len(run_virtual(all_at_once(), world.clock)) == 100
    assert world.clock.elapsed() == 1.0


def test_a_cancelled_call_is_abandoned(world):
    """Whoever cancels a call leaves an abandoned request: its prompt is billed, and no answer that nobody got."""
    handle = world.provider("openai").latency(10).echoes()
    provider = handle.as_provider("m")

    async def impatient():
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(3):
                await provider.complete_async(ASK)

    run_virtual(impatient(), world.clock)
    assert world.clock.elapsed() == 3.0
    assert (handle.requests[0].outcome, handle.requests[0].usage) == ("abandoned", Usage(5, 0, source="estimated"))


def test_a_call_without_a_limit_can_still_be_cancelled(world):
    """A provider that never answers leaves the waiting to whoever holds a limit further out."""
    handle = world.provider("openai").fails(faults.Timeout())
    provider = handle.as_provider("m")

    async def impatient():
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(30):
                await provider.complete_async(ASK)

    run_virtual(impatient(), world.clock)
    assert (world.clock.elapsed(), handle.requests[0].outcome) == (30.0, "timeout")


def test_nobody_with_a_limit_is_a_deadlock(world):
    """Without any limit the virtual loop reports what everybody waits for."""
    provider = world.provider("openai").fails(faults.Timeout()).as_provider("m")
    with pytest.raises(VirtualTimeStalledError):
        run_virtual(provider.complete_async(ASK), world.clock)


def test_a_stream_that_is_closed_early_is_abandoned(world):
    """Closing the iterator gives the stream up; what was taken is billed."""
    handle = world.provider("openai").replies("one two three four", times=2)
    provider = handle.as_provider("m", tokens_per_event=1)
    stream = provider.stream(ASK)
    assert [next(stream).kind for _ in range(3)] == ["start", "text", "text"]
    stream.close()

    async def leave():
        source = provider.stream_async(ASK)
        async for event in source:
            if event.visible:
                break
        await source.aclose()

    run_virtual(leave(), world.clock)
    assert [record.outcome for record in handle.requests] == ["abandoned", "abandoned"]
    assert [record.usage for record in handle.requests] == [
        Usage(5, 2, source="estimated"),
        Usage(5, 1, source="estimated"),
    ]


def test_a_stall_in_a_broken_stream_ends_at_the_limit(world):
    """A stalled stream is interrupted exactly when the caller's limit on silence passes."""
    handle = world.provider("openai").fails(faults.StreamStalled(1)).echoes()
    provider = handle.as_provider("m")
    with pytest.raises(StreamInterruptedError) as caught:
        list(provider.stream(CompletionRequest.ask("one two"), Timeouts(read=7)))
    assert (caught.value.kind, caught.value.partial_text, world.clock.elapsed()) == ("stalled", "one", 7.0)
    assert isinstance(caught.value.__cause__, ProviderTimeoutError)


def test_a_slow_first_token_passes_the_limit_on_it(world):
    """The first-token limit holds for a stream that opens and stays silent for a while."""
    provider = world.provider("openai").fails(faults.SlowFirstToken(20), times=3).echoes().as_provider("m")
    with pytest.raises(ProviderTimeoutError) as caught:
        list(provider.stream(ASK, Timeouts(first_token=15)))
    assert (caught.value.phase, world.clock.elapsed()) == ("first_token", 15.0)
    assert list(provider.stream(ASK, Timeouts(first_token=20)))[-1].response.content == "hi"
    assert world.clock.elapsed() == 35.0
    with pytest.raises(ProviderTimeoutError):
        provider.complete(ASK, Timeouts(first_token=15))


def test_nothing_is_kept_where_nothing_is_asked_for():
    """A world for millions of calls keeps neither requests nor entries; the sums stay."""
    world = make_world(keep_requests=False)
    handle = world.provider("openai").echoes()
    handle.as_provider("gpt-4o").complete(ASK)
    assert (handle.requests, world.costs.entries, handle.received) == ((), (), 1)
    assert world.costs.total_usd > 0
