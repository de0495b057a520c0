"""Streams that break, read with the official SDKs: what had arrived stays with the reader, and the error says why."""

import asyncio
import json

import anthropic
import httpx2
import openai
import pytest

from llmtest import faults
from llmtest.simulation import Reply
from tests.integration.sdk_calls import ANTHROPIC_MODEL, MESSAGES, OPENAI_MODEL

PIECES = ("The ", "capital ", "is ", "Paris.")


def openai_sync(pieces):
    """Read a stream with openai's blocking client, piece by piece."""
    for chunk in openai.OpenAI().chat.completions.create(model=OPENAI_MODEL, messages=MESSAGES, stream=True):
        pieces.extend(choice.delta.content for choice in chunk.choices if choice.delta.content)


def openai_async(pieces):
    """Read a stream with openai's asynchronous client, piece by piece."""

    async def read():
        client = openai.AsyncOpenAI()
        async for chunk in await client.chat.completions.create(model=OPENAI_MODEL, messages=MESSAGES, stream=True):
            pieces.extend(choice.delta.content for choice in chunk.choices if choice.delta.content)

    asyncio.run(read())


def anthropic_sync(pieces):
    """Read a stream with anthropic's blocking client, piece by piece."""
    with anthropic.Anthropic().messages.stream(model=ANTHROPIC_MODEL, max_tokens=50, messages=MESSAGES) as stream:
        pieces.extend(stream.text_stream)


def anthropic_async(pieces):
    """Read a stream with anthropic's asynchronous client, piece by piece."""

    async def read():
        client = anthropic.AsyncAnthropic()
        async with client.messages.stream(model=ANTHROPIC_MODEL, max_tokens=50, messages=MESSAGES) as stream:
            async for piece in stream.text_stream:
                pieces.append(piece)

    asyncio.run(read())


READERS = [openai_sync, openai_async, anthropic_sync, anthropic_async]
OPENAI = pytest.mark.parametrize("read", READERS[:2], ids=lambda read: read.__name__)
ANTHROPIC = pytest.mark.parametrize("read", READERS[2:], ids=lambda read: read.__name__)
AFTER = pytest.mark.parametrize("after", [0, 2], ids=lambda after: f"after-{after}")


def broken(sim, read, fault):
    """Return the pieces that were read before a fault, and the error it surfaced as."""
    name = read.__name__.partition("_")[0]
    sim.provider(name).fails(fault).replies(Reply(chunks=PIECES), optional=True)
    pieces = []
    with pytest.raises(Exception) as caught:  # noqa: PT011 - the caller looks at its class
        read(pieces)
    sim.assert_attempts(name, 1)
    return pieces, caught.value


@AFTER
@OPENAI
def test_openai_s_error_event(llm_sim, read, after):
    """The SDK raises its base class, without a status, with code and type of the event; the text before it was read."""
    pieces, error = broken(llm_sim, read, faults.StreamError(after_chunks=after))
    assert len(pieces) == after
    assert type(error) is openai.APIError
    assert not hasattr(error, "status_code")
    assert (error.code, error.type, error.param) == (None, "server_error", None)
    assert error.message == (
        "That model is currently overloaded with other requests. You can retry your request, or contact us through our "
        "help center at help.openai.com if the error persists."
    )
    llm_sim.assert_sequence("openai:error")


@AFTER
@ANTHROPIC
def test_anthropic_s_error_event(llm_sim, read, after):
    """The SDK raises a status error whose status is the stream's 200, and whose type is the event's."""
    pieces, error = broken(llm_sim, read, faults.StreamError(after_chunks=after))
    assert len(pieces) == after
    assert type(error) is anthropic.APIStatusError
    assert (error.status_code, error.type) == (200, "overloaded_error")
    assert error.body["error"] == {"type": "overloaded_error", "message": "Overloaded"}
    llm_sim.assert_sequence("anthropic:error")


DROPPED = "peer closed connection without sending complete message body (incomplete chunked read)"


@AFTER
@OPENAI
def test_openai_wraps_a_dropped_stream(llm_sim, read, after):
    """A connection that breaks inside a stream is openai's connection error, with httpx2's as its cause."""
    pieces, error = broken(llm_sim, read, faults.StreamDropped(after_chunks=after))
    assert len(pieces) == after
    assert type(error) is openai.APIConnectionError
    assert type(error.__cause__) is httpx2.RemoteProtocolError
    assert str(error.__cause__) == DROPPED


@AFTER
@ANTHROPIC
def test_anthropic_lets_a_dropped_stream_through(llm_sim, read, after):
    """A connection that breaks inside a stream is httpx2's own error, which no `except anthropic.APIError` catches."""
    pieces, error = broken(llm_sim, read, faults.StreamDropped(after_chunks=after))
    assert len(pieces) == after
    assert type(error) is httpx2.RemoteProtocolError
    assert str(error) == DROPPED


@pytest.mark.parametrize("read", READERS, ids=lambda read: read.__name__)
def test_a_stalled_stream_ends_at_the_sdk_s_limit(llm_sim, read):
    """A stream that falls silent is given up after the SDK's 600 virtual seconds; the text before stays."""
    pieces, error = broken(llm_sim, read, faults.StreamStalled(after_chunks=2))
    assert len(pieces) == 2
    assert type(error) is (openai.APITimeoutError if "openai" in read.__name__ else httpx2.ReadTimeout)
    assert llm_sim.clock.elapsed() == 600.0


@pytest.mark.parametrize("read", READERS, ids=lambda read: read.__name__)
def test_an_event_cut_inside_its_json(llm_sim, read):
    """JSON that stops in the middle of an event is no SDK error at all; the text before stays."""
    pieces, error = broken(llm_sim, read, faults.StreamMalformed(after_chunks=2))
    assert len(pieces) == 2
    assert type(error) is json.JSONDecodeError


def test_what_an_error_event_leaves_of_a_scripted_reply(llm_sim):
    """A fault laid over a reply breaks that reply's own pieces."""
    from llmtest.faults import FaultRule

    llm_sim.world.add_fault_rule(FaultRule("overload", faults.StreamError(after_chunks=3), times=1))
    llm_sim.anthropic.replies(Reply(chunks=PIECES))
    pieces = []
    with pytest.raises(anthropic.APIStatusError):
        anthropic_sync(pieces)
    assert pieces == list(PIECES[:3])
