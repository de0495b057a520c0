"""Streams that are alive and hardly move, and readers that take their time."""

import asyncio

import pytest

from llmtest.errors import ConfigurationError, ProviderTimeoutError, StreamInterruptedError
from llmtest.resilience import CircuitBreakerConfig, FallbackChain, RetryConfig, TimeoutConfig
from llmtest.types import NO_TIMEOUTS, Capabilities, CompletionResponse, StreamEvent, TextPart, Usage
from tests.resilience.scripted_provider import REQUEST, World

WORD = "word"


class Dripping:
    """A provider whose streams bring one word every `gap` seconds; it has no limits of its own."""

    def __init__(self, name, gap, words=30, kind="text"):
        self.name, self.gap, self.words, self.kind = name, gap, words, kind
        self.model = "m"
        self.capabilities = Capabilities()
        self.asked = 0

    def complete(self, request, timeouts=NO_TIMEOUTS):
        """Answer at once."""
        return CompletionResponse(parts=(TextPart(WORD * self.words),), usage=Usage(1, 1), model="m")

    async def complete_async(self, request, timeouts=NO_TIMEOUTS):
        """Answer at once."""
        return self.complete(request, timeouts)

    def stream(self, request, timeouts=NO_TIMEOUTS):
        """Bring the words, blocking."""
        from llmtest.clock import active_clock

        self.asked += 1
        yield StreamEvent("start", model="m")
        for number in range(self.words):
            if number:
                active_clock().sleep(self.gap)
            yield StreamEvent(self.kind, WORD)
        yield StreamEvent("finish")
        active_clock().sleep(100)
        yield StreamEvent("end", response=self.complete(request))

    async def stream_async(self, request, timeouts=NO_TIMEOUTS):
        """Bring the words on the event loop."""
        self.asked += 1
        yield StreamEvent("start", model="m")
        for number in range(self.words):
            if number:
                await asyncio.sleep(self.gap)
            yield StreamEvent(self.kind, WORD)
        yield StreamEvent("finish")
        await asyncio.sleep(100)
        yield StreamEvent("end", response=self.complete(request))


def chain_of(*providers, **limits):
    """Return a chain with a least speed of one token a second."""
    limits = limits or {"min_tokens_per_second": 1.0}
    return FallbackChain(
        providers,
        retry=None,
        timeouts=TimeoutConfig(**limits),
        circuit_breaker=CircuitBreakerConfig(failure_threshold=1),
    )


@pytest.mark.parametrize("mode", ["stream", "stream_async"])
def test_h05_a_stream_that_hardly_moves_ends_with_what_had_come(mode):
    """A word every four seconds is below a token a second: a typed error with the partial text, after the window."""
    world = World()
    chain = chain_of(Dripping("a", 4))
    error = world.fail(chain, mode)
    assert isinstance(error, StreamInterruptedError)
    assert (error.kind, error.partial_text) == ("stalled", WORD * 3)
    timeout = error.__cause__
    assert isinstance(timeout, ProviderTimeoutError)
    assert (timeout.phase, timeout.timeout) == ("throughput", 10.0)
    assert str(timeout) == "the stream came at 0.3 tokens a second over 10 s, less than 1"
    assert world.clock.elapsed() == 12.0
    assert chain.breaker("a").state == "open"
    assert error.attempts[0].billed


@pytest.mark.parametrize("mode", ["stream", "stream_async"])
@pytest.mark.parametrize(
    ("gap", "limits"),
    [
        pytest.param(0.9, {"min_tokens_per_second": 1.0}, id="fast-enough"),
        pytest.param(4, {"min_characters_per_second": 0.9}, id="in-characters"),
        pytest.param(4, {"min_tokens_per_second": 1.0, "throughput_window": 200}, id="over-before-the-window"),
        pytest.param(4, {"read": 60}, id="no-speed-asked-for"),
    ],
)
def test_a_stream_that_is_fast_enough_is_left_alone(mode, gap, limits):
    """Its end may take as long as it likes, too: nothing more of the answer is to come."""
    world = World()
    assert world.ask(chain_of(Dripping("a", gap), **limits), mode).content == WORD * 30


def test_h05_a_slow_reader_is_not_a_slow_provider():
    """Time in which nobody waits for the provider does not count."""
    world = World()
    chain = chain_of(Dripping("a", 0.1))

    async def read_slowly():
        count = 0
        async for _ in chain.stream_async(REQUEST):
            count += 1
            await asyncio.sleep(30)
        return count

    assert world.run(read_slowly()) == 33


def test_h05_before_anything_is_handed_over_it_falls_back():
    """A held stream that is too slow is retried like any timeout, and then the next provider is asked."""
    world = World()
    slow = Dripping("a", 4)
    chain = FallbackChain(
        [slow, Dripping("b", 0.1)],
        retry=RetryConfig(jitter=False, max_attempts=5),
        timeouts=TimeoutConfig(min_tokens_per_second=1),
        stream_commit="end",
    )
    response = world.ask(chain, "stream_async")
    assert response.provider == "b"
    assert slow.asked == 2, "a timeout is retried once"
    assert [attempt.outcome for attempt in response.attempts] == ["timeout", "timeout", "200"]


@pytest.mark.parametrize(
    ("limits", "message"),
    [
        ({"min_tokens_per_second": 0}, "min_tokens_per_second must be more than 0, or None, got 0"),
        ({"throughput_window": 0}, "throughput_window must be more than 0 seconds, or None, got 0"),
        (
            {"throughput_window": 5},
            (
                "throughput_window=5 decides nothing without a speed.\n"
                "To fix: add min_tokens_per_second=1, or leave throughput_window out"
            ),
        ),
        (
            {"min_tokens_per_second": 1, "min_characters_per_second": 4},
            (
                "min_tokens_per_second=1 and min_characters_per_second=4 both say how fast a stream has to come.\n"
                "To fix: leave one of the two out"
            ),
        ),
    ],
)
def test_limits_that_decide_nothing_are_refused(limits, message):
    """The option, the value, the legal range, and a way out."""
    with pytest.raises(ConfigurationError) as refused:
        TimeoutConfig(**limits)
    assert str(refused.value) == message


def test_f105_f106_the_limits_of_other_systems():
    """Caxton's and VAPORA's numbers are limits of an attempt here."""
    caxton = TimeoutConfig(connect=10, read=60, total=30).for_attempt()
    assert (caxton.connect, caxton.read, caxton.total) == (10, 60, 30)
    world = World()
    vapora = FallbackChain([Dripping("a", 1)], timeouts=TimeoutConfig(total=30))
    assert world.ask(vapora).content == WORD * 30
