"""Streams in network pieces: SDKs and our own readers do not care; a reader that takes pieces for events fails."""

import asyncio
import json

import anthropic
import httpx2
import openai
import pytest

from llmtest import Simulation, faults
from llmtest.errors import ConfigurationError
from llmtest.simulation import Reply
from llmtest.types import CompletionRequest, ToolCall
from tests.simulation.sim_calls import Answered, exchange, make_world, post, texts_of

MODES = ["events", "whole", "random", 1, 7, 4096]
TEXT = "Grüße aus 東京 🗼 — naïve cafés serve 👩‍👩‍👧 crêpes, and the sun ☀️ sets at 18:30."
CALL = ToolCall("", "weather", json.dumps({"city": "東京 🗼", "unit": "°C"}, ensure_ascii=False))
MESSAGES = [{"role": "user", "content": "Où ? 🗼"}]
TOOLS = [{"type": "function", "function": {"name": "weather", "parameters": {"type": "object"}}}]
ANTHROPIC_TOOLS = [{"name": "weather", "input_schema": {"type": "object"}}]
in_every_mode = pytest.mark.parametrize("mode", MODES)


def openai_sync():
    """Return text and arguments as openai's blocking client reads them."""
    with openai.OpenAI().chat.completions.stream(model="gpt-4o", messages=MESSAGES, tools=TOOLS) as stream:
        message = stream.get_final_completion().choices[0].message
    return message.content, [call.function.arguments for call in message.tool_calls or ()]


def openai_async():
    """Return text and arguments as openai's asynchronous client reads them."""

    async def read():
        client = openai.AsyncOpenAI()
        async with client.chat.completions.stream(model="gpt-4o", messages=MESSAGES, tools=TOOLS) as stream:
            return (await stream.get_final_completion()).choices[0].message

    message = asyncio.run(read())
    return message.content, [call.function.arguments for call in message.tool_calls or ()]


def _read(message):
    text = "".join(block.text for block in message.content if block.type == "text")
    return text, [json.dumps(block.input, ensure_ascii=False) for block in message.content if block.type == "tool_use"]


def anthropic_sync():
    """Return text and arguments as anthropic's blocking client reads them."""
    options = {"model": "claude-opus-5", "max_tokens": 500, "messages": MESSAGES, "tools": ANTHROPIC_TOOLS}
    with anthropic.Anthropic().messages.stream(**options) as stream:
        return _read(stream.get_final_message())


def anthropic_async():
    """Return text and arguments as anthropic's asynchronous client reads them."""
    options = {"model": "claude-opus-5", "max_tokens": 500, "messages": MESSAGES, "tools": ANTHROPIC_TOOLS}

    async def read():
        async with anthropic.AsyncAnthropic().messages.stream(**options) as stream:
            return await stream.get_final_message()

    return _read(asyncio.run(read()))


READERS = [openai_sync, openai_async, anthropic_sync, anthropic_async]


@pytest.mark.parametrize("read", READERS, ids=lambda read: read.__name__)
@in_every_mode
def test_e06_the_official_sdks_read_the_same_in_every_mode(read, mode):
    """Emoji, joined characters and tool calls arrive whole, whatever the pieces."""
    with Simulation(seed=3, fragmentation=mode) as sim:
        handle = sim.openai if "openai" in read.__name__ else sim.anthropic
        handle.replies(Reply(TEXT, tool_calls=(CALL,)))
        assert read() == (TEXT, [CALL.arguments])


@pytest.mark.parametrize("dialect", ["openai", "anthropic"])
@in_every_mode
def test_e06_our_own_decoder_reads_the_same_in_every_mode(dialect, mode):
    """Pieces that the direct path reads are cut as well: here a stream that breaks."""
    handle = make_world().provider(dialect).fragmentation(mode)
    handle.replies(Reply(TEXT, fault=faults.StreamStalled(3, seconds=5)))
    answer = [*handle.as_provider("gpt-4o").stream(CompletionRequest.ask("hi"))][-1].response
    assert answer.content == TEXT


def naive_reader():
    """Read a stream as many hand-written clients do: every network piece is decoded and split alone."""
    found = []
    body = {"model": "gpt-4o", "messages": MESSAGES, "stream": True}
    with httpx2.stream("POST", "https://api.openai.com/v1/chat/completions", json=body) as answer:
        for piece in answer.iter_raw():
            for line in piece.decode().split("\n\n"):
                if line.startswith("data: ") and "[DONE]" not in line:
                    choices = json.loads(line.removeprefix("data: "))["choices"]
                    found += [choice["delta"].get("content") or "" for choice in choices]
    return "".join(found)


@pytest.mark.parametrize("text", ["plain words without any accent", TEXT], ids=["ascii", "emoji"])
def test_e06_a_client_that_takes_pieces_for_events_passes_by_default(text):
    """One event for each piece is what hides its bug."""
    with Simulation() as sim:
        sim.openai.replies(text)
        assert naive_reader() == text


@pytest.mark.parametrize("seed", range(25))
@pytest.mark.parametrize("text", ["a b", "plain words without any accent", TEXT], ids=["tiny", "ascii", "emoji"])
def test_e06_a_client_that_takes_pieces_for_events_fails_under_random(text, seed):
    """Whatever the seed: an event is cut inside its payload, a character in its middle."""
    with Simulation(seed=seed, fragmentation="random") as sim:
        sim.openai.replies(text)
        with pytest.raises(ValueError, match=r"codec can't decode|Unterminated|Expecting|Extra data|Invalid control"):
            naive_reader()


def pieces(seed=0, mode="random", text=TEXT, number=1):
    """Return the pieces of the last of so many streams."""
    handle = make_world(seed).provider("openai").echoes().fragmentation(mode)
    for _ in range(number):
        answered = post(handle, text, stream=True)
    return answered.pieces


def test_random_pieces_are_a_function_of_the_seed():
    """The same seed cuts alike, another one and another request cut differently, and no byte is lost."""
    assert pieces(1) == pieces(1)
    assert pieces(1) != pieces(2)
    assert pieces(1) != pieces(1, number=2)
    assert b"".join(pieces(1)) == b"".join(pieces(1, mode="events"))


@pytest.mark.parametrize("seed", range(10))
def test_random_pieces_do_what_networks_do(seed):
    """A cut inside a character, one inside a line, and a piece with the end of one event and the start of another."""
    found = pieces(seed)
    inside = [piece for piece in found if piece[:1] and piece[0] & 0xC0 == 0x80]
    assert inside
    assert any(not piece.endswith(b"\n") for piece in found[:-1])
    assert any(b"\n\n" in piece[:-2] for piece in found)


def test_a_number_is_the_size_of_every_piece_but_the_last():
    """7 bytes each."""
    sizes = [len(piece) for piece in pieces(mode=7)]
    assert set(sizes[:-1]) == {7}
    assert 1 <= sizes[-1] <= 7


def streamed(mode, **reply):
    """Return a performed stream of four words, two seconds after one another, after a head that takes one."""
    handle = make_world().provider("openai").fragmentation(mode)
    handle.latency(ttft=1, tokens_per_second=0.5).replies(Reply("one two three four", **reply))
    return Answered(handle._provider.receive(exchange("openai", stream=True))), handle


@pytest.mark.parametrize("mode", ["random", 5])
def test_pieces_keep_the_times_of_the_events_they_complete(mode):
    """Nothing is held back over a wait, so that every word comes when it would have come."""
    assert streamed(mode)[0].waits == streamed("events")[0].waits
    times = {}
    for kind in ("events", mode):
        now, text = 0, b""
        for step in streamed(kind)[0].steps:
            now += getattr(step, "ns", 0)
            text += getattr(step, "data", b"")
            times.setdefault(kind, []).append((now, text))
        times[kind] = dict(times[kind])
    assert times["events"] == times[mode]


def test_whole_is_held_back_until_the_end():
    """A proxy that buffers sends the head, is silent, and sends all."""
    answered, _ = streamed("whole")
    assert (answered.waits, len(answered.pieces)) == ([1.0, 10.0], 1)
    broken, _ = streamed("whole", fault=faults.StreamDropped(2))
    assert (len(broken.pieces), broken.failure) == (1, "incomplete")
    assert texts_of(broken) == ["one", " two"]


@in_every_mode
def test_a_stream_that_was_left_is_billed_what_was_handed_over(mode):
    """Half a word is no token yet: the bill follows the events that the pieces complete."""
    world = make_world()
    handle = world.provider("openai").replies("one two three four five six").fragmentation(mode)
    plan = handle._provider.receive(exchange("openai", stream=True))
    taken = b""
    for step in plan.steps:
        taken += getattr(step, "data", b"")
        if b" three" in taken:
            break
    plan.on_end("abandoned")
    usage = handle.requests[0].usage
    assert usage.source == "estimated"
    if mode in {"whole", 4096}:
        assert usage.output_tokens == 7
    else:
        assert 2 <= usage.output_tokens < 7


def test_a_reply_beats_its_handle_and_a_handle_its_world():
    """The nearest word counts, and a reset forgets that of the handle."""
    world = make_world(fragmentation="whole")
    handle = world.provider("openai").fragmentation(9)
    handle.replies(Reply("one two", fragmentation="events"), "one two")
    assert [len(post(handle, stream=True).pieces) > 1 for _ in range(2)] == [True, True]
    handle._provider.reset()
    assert len(post(handle.replies("one two"), stream=True).pieces) == 1


@in_every_mode
def test_only_streams_are_cut(mode):
    """A whole answer, a refusal and a page arrive as they are."""
    handle = make_world().provider("openai").fragmentation(mode)
    handle.replies("Paris").fails(faults.ServerError(503))
    assert len(post(handle).pieces) == 1
    assert len(post(handle, stream=True).pieces) == 1


@pytest.mark.parametrize(
    ("mode", "hint"),
    [("randm", " Did you mean `random`?"), (0, ""), (-1, ""), (1.5, ""), (True, ""), ("bytes=0", ""), (None, "")],
)
def test_a_fragmentation_that_does_not_exist_is_refused(mode, hint):
    """Everywhere in the same words."""
    shown = 0 if mode == "bytes=0" else mode
    text = (
        f"fragmentation cannot be {shown!r}.{hint} It is events, whole, random or a number of bytes, 1 or more.\n\n"
        'To fix: fragmentation="random"'
    )
    makers = [lambda: make_world().provider("openai").fragmentation(mode), lambda: Simulation(fragmentation=mode)]
    for make in makers if mode is None else [*makers, lambda: Reply("a", fragmentation=mode)]:
        with pytest.raises(ConfigurationError) as caught:
            make()
        assert str(caught.value) == text


def test_a_number_may_be_written_as_files_do():
    """`7` and `bytes=7` of an ini file are 7 bytes."""
    for text in ("7", "bytes=7", 7):
        assert pieces(mode=text) == pieces(mode=7)
