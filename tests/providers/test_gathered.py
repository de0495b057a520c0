"""Streams in larger pieces: `chunk_size` and `buffer_timeout_ms`."""

import asyncio

import pytest

from llmtest import OpenAIProvider, Reply, faults
from llmtest.errors import ConfigurationError, StreamInterruptedError
from llmtest.types import CompletionRequest, ToolCall

REQUEST = CompletionRequest.ask("Tell a story")
WORDS = ("Once ", "upon ", "a ", "time ", "there ", "was ", "a ", "fox.")
TOLD = "".join(WORDS)


def pieces_of(events):
    """Return the texts of the events that the caller sees."""
    return [event.text for event in events if event.kind == "text"]


def provider(**settings):
    """Return a provider whose answers come as fast as the words do."""
    return OpenAIProvider("sk-test-key", **settings)


def read_async(llm_sim, asked):
    """Read a stream on the event loop; return its texts with the virtual time of each, and the whole answer."""

    async def story():
        found, answer = [], None
        async for event in asked.stream_async(REQUEST):
            if event.kind == "text":
                found.append((event.text, round(llm_sim.clock.elapsed(), 3)))
            answer = event.response or answer
        return found, answer

    return llm_sim.run(story())


def test_f042_texts_are_gathered_into_pieces_of_a_size(llm_sim):
    """Every piece but the last has so many characters at least; nothing is lost, and the answer is the same."""
    llm_sim.openai.replies(Reply(chunks=WORDS), times=3)
    as_it_comes = list(provider().stream(REQUEST))
    assert pieces_of(as_it_comes) == list(WORDS)
    gathered = list(provider(chunk_size=10).stream(REQUEST))
    texts = pieces_of(gathered)
    assert texts == ["Once upon ", "a time there ", "was a fox."]
    assert gathered[-1].response.content == TOLD
    timed, answer = read_async(llm_sim, provider(chunk_size=10))
    assert ([text for text, _ in timed], answer.content) == (texts, TOLD)


def test_f042_a_piece_is_handed_over_after_a_time(llm_sim):
    """On an event loop the time is noticed when it is over, whether something comes or not."""
    llm_sim.openai.replies(Reply(chunks=WORDS)).latency(ttft=1.0, tokens_per_second=4)
    timed, _ = read_async(llm_sim, provider(chunk_size=1000, buffer_timeout_ms=600))
    assert "".join(text for text, _ in timed) == TOLD
    assert len(timed) > 1
    first, second = timed[0], timed[1]
    assert first[1] == 1.6
    assert second[1] > 2.0


def test_f042_blocking_code_notices_it_with_the_next_event(llm_sim):
    """Nobody can interrupt a blocking read; what is held then goes with what comes."""
    llm_sim.openai.replies(Reply(chunks=WORDS)).latency(ttft=1.0, tokens_per_second=4)
    texts = pieces_of(provider(chunk_size=1000, buffer_timeout_ms=600).stream(REQUEST))
    assert "".join(texts) == TOLD
    assert 1 < len(texts) < len(WORDS)


def test_f042_what_is_held_comes_before_the_error(llm_sim):
    """A stream that breaks has shown all that had come, and says so."""
    llm_sim.openai.replies(Reply(chunks=WORDS, fault=faults.StreamDropped(after_chunks=3)), times=2)
    asked = provider(chunk_size=1000)
    found = []
    with pytest.raises(StreamInterruptedError) as error:
        found.extend(asked.stream(REQUEST))
    assert error.value.partial_text == "Once upon a "
    seen = []

    async def story():
        async for event in asked.stream_async(REQUEST):
            seen.append(event)  # noqa: PERF401 - the events before the error count

    with pytest.raises(StreamInterruptedError) as error:
        llm_sim.run(story())
    assert pieces_of(seen) == [error.value.partial_text]


def test_f042_other_events_keep_their_place(llm_sim):
    """Text is handed over before a tool call begins, and arguments are gathered as well."""
    call = ToolCall("call_1", "look_up", '{"city": "Paris", "unit": "celsius"}')
    llm_sim.openai.replies(Reply("Let me see.", tool_calls=[call]))
    events = list(provider(chunk_size=1000).stream(REQUEST))
    kinds = [event.kind for event in events if event.kind in {"text", "tool_call", "tool_arguments"}]
    assert kinds == ["text", "tool_call", "tool_arguments"]
    assert events[-1].response.tool_calls[0].arguments == call.arguments


def test_f042_a_stream_that_is_left_leaves_nothing_behind(llm_sim):
    """Whoever leaves while something is held and awaited ends the request too."""
    llm_sim.openai.replies(Reply(chunks=WORDS)).latency(ttft=0.5, tokens_per_second=1)

    async def story():
        stream = provider(chunk_size=1000, buffer_timeout_ms=50).stream_async(REQUEST)
        async for event in stream:
            if event.kind == "text":
                break
        await stream.aclose()
        return len(asyncio.all_tasks())

    assert llm_sim.run(story()) == 1
    assert llm_sim.openai.requests[0].outcome == "abandoned"


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        pytest.param({"chunk_size": 0}, "chunk_size must be a whole number, 1 or more, got 0", id="size"),
        pytest.param(
            {"chunk_size": 64, "buffer_timeout_ms": 0}, "buffer_timeout_ms must be above 0, got 0", id="timeout"
        ),
    ],
)
def test_f042_numbers_out_of_range_are_refused(settings, message):
    """The option, the value, and what is legal."""
    with pytest.raises(ConfigurationError, match=message):
        provider(**settings)
