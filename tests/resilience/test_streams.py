"""Streams past their commit point, and policies that meet in them."""

import asyncio
from contextlib import suppress

import pytest

from llmtest.clock import active_clock
from llmtest.costs import Budget, BudgetConfig
from llmtest.errors import (
    DeadlineExceededError,
    InvalidResponseError,
    ProviderConnectionError,
    ProviderTimeoutError,
    StreamInterruptedError,
)
from llmtest.events import AttemptEnded, BreakerChanged, CallEnded, current_call
from llmtest.resilience import CircuitBreakerConfig, FallbackChain, RetryConfig, TimeoutConfig
from llmtest.types import CompletionResponse, StreamEvent, TextPart, ToolCall, Usage
from tests.resilience.scripted_provider import MODES, REQUEST, Cut, ScriptedProvider, Slow, ask, down


@pytest.fixture(params=["stream", "stream_async"])
def mode(request):
    """Run the test in both ways to stream."""
    return request.param


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (ProviderConnectionError("gone"), "dropped"),
        (ProviderTimeoutError("slow"), "stalled"),
        (InvalidResponseError("?"), "malformed"),
        (down(), "error"),
    ],
    ids=["connection", "timeout", "malformed", "server"],
)
def test_whatever_breaks_a_shown_stream_is_one_error(world, mode, error, kind):
    """After the commit point each failure is a `StreamInterruptedError` that names its kind and keeps its cause."""
    caught = world.fail(FallbackChain([ScriptedProvider("a", Cut("one two", error))]), mode)
    assert isinstance(caught, StreamInterruptedError)
    assert (caught.kind, caught.partial_text, caught.visible) == (kind, "one two ", True)
    assert caught.__cause__ is error
    assert [attempt.outcome for attempt in caught.attempts] == [kind]


def test_a_typed_break_is_completed_and_kept(world, mode):
    """A provider's own `StreamInterruptedError` stays the same object, with what the chain knows besides."""
    error = StreamInterruptedError("cut")
    caught = world.fail(FallbackChain([ScriptedProvider("a", Cut("one two", error))]), mode)
    assert caught is error
    assert (caught.partial_text, caught.visible, caught.__cause__) == ("one two ", True, None)


def test_a_broken_stream_is_charged_for_what_it_said(world, mode):
    """The budget pays for the part that was delivered, estimated, and nothing stays reserved."""
    budget = Budget(BudgetConfig(max_tokens_per_session=50_000))
    world.fail(FallbackChain([ScriptedProvider("a", Cut("one two three"))], budget=budget), mode)
    assert budget.balance().reserved_tokens == 0
    assert budget.balance().spent_tokens == 9 + 4


def test_a_circuit_inside_retry_counts_streams_too(world, mode):
    """Every attempt of a stream passes the circuit: failures before the commit point and breaks after it."""
    provider = ScriptedProvider("a", down(), "fine", down(), Cut("one"))
    chain = FallbackChain(
        [provider],
        retry=RetryConfig(max_attempts=2, jitter=False),
        circuit_breaker=CircuitBreakerConfig(failure_threshold=2),
        breaker_inside_retry=True,
    )
    assert world.ask(chain, mode).content == "fine"
    assert chain.breaker("a").failures == 0
    assert isinstance(world.fail(chain, mode), StreamInterruptedError)
    assert chain.breaker("a").state == "open"


def test_the_first_token_s_time_is_in_the_trace(world, mode):
    """The end of a streamed call tells when its first visible piece came."""
    world.ask(FallbackChain([ScriptedProvider("a", Slow(2, "Paris"))]), mode)
    (ended,) = world.events(CallEnded)
    assert (ended.first_token_ns, ended.outcome, ended.provider) == (2_000_000_000, "ok", "a")


def test_a_nested_chain_is_charged_once(world, mode):
    """A budget of the outer chain leaves the inner chain's attempts to the inner one's."""
    outer, inner = (Budget(BudgetConfig(max_tokens_per_session=50_000)) for _ in range(2))
    nested = FallbackChain([ScriptedProvider("a")], budget=inner, name="inner")
    world.ask(FallbackChain([nested], budget=outer), mode)
    assert (outer.balance().spent_tokens, inner.balance().spent_tokens) == (0, 12)


def test_a_deadline_that_has_passed_begins_nothing(world, mode):
    """A call whose time is up after one provider does not begin with the next."""
    other = ScriptedProvider("b")
    first = ScriptedProvider("a", Slow(10, down()))
    chain = FallbackChain([first, other, ScriptedProvider("c")], retry=None, timeouts=TimeoutConfig(deadline=10))
    error = world.fail(chain, mode)
    assert isinstance(error, DeadlineExceededError)
    assert other.requests == []
    assert chain.breaker("b").failures == 0
    assert chain.metrics().fallbacks_total == 1


class Told:
    """A provider that says how much was used before it breaks."""

    def __init__(self, usage):
        self.name, self.model, self.capabilities = "a", "m", ScriptedProvider("a").capabilities
        self.usage = usage

    def stream(self, request, timeouts=None):
        yield StreamEvent("text", "one")
        yield StreamEvent("usage", usage=self.usage)

    async def stream_async(self, request, timeouts=None):
        for event in self.stream(request):
            yield event

    def complete(self, request, timeouts=None):
        return CompletionResponse(parts=(TextPart("x"),))

    async def complete_async(self, request, timeouts=None):
        return self.complete(request)


class Caller(Told):
    """A provider that calls a tool; its first answer breaks, a stream after `shown` events."""

    def __init__(self, shown):
        super().__init__(None)
        self.shown = shown
        self.asked = 0

    def complete(self, request, timeouts=None):
        self.asked += 1
        if self.asked == 1:
            raise ProviderConnectionError("reset after the request was sent")
        return CompletionResponse(parts=(ToolCall("call-1", "pay", {"usd": 5}),), finish_reason="tool_use")

    def stream(self, request, timeouts=None):
        self.asked += 1
        events = [
            StreamEvent("start"),
            StreamEvent("tool_call", id="call-1", name="pay"),
            StreamEvent("tool_arguments", '{"usd": 5}'),
        ]
        if self.asked == 1:
            yield from events[: self.shown]
            raise ProviderConnectionError("reset after the request was sent")
        yield from events
        self.asked -= 1
        yield StreamEvent("end", response=self.complete(request))


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("shown", [0, 1, 2, 3])
def test_r06_a_tool_is_never_called_twice(world, mode, shown):
    """A connection lost after the request was sent gives the tool call once, or an error with no call to make."""
    provider = Caller(shown)
    chain = FallbackChain([provider], retry=RetryConfig(base_delay=0))
    paid = []
    with suppress(StreamInterruptedError):
        paid += world.ask(chain, mode).tool_calls
    was_visible = mode.startswith("stream") and shown > 1
    assert provider.asked == (1 if was_visible else 2)
    assert [call.arguments for call in paid] == ([] if was_visible else [{"usd": 5}])


@pytest.mark.parametrize(
    ("told", "charged"),
    [(Usage(30, 5), Usage(30, 5)), (Usage(30, 0), Usage(30, 1, source="estimated"))],
    ids=["whole", "prompt-only"],
)
def test_u05_usage_that_was_told_is_kept(world, mode, told, charged):
    """What the provider counted before the break is charged as it is; what it did not count is estimated."""
    error = world.fail(FallbackChain([Told(told)]), mode)
    assert error.attempts[0].usage == charged
    assert (error.partial_usage, error.partial_text, error.status) == (told, "one", 200)


@pytest.mark.parametrize("mode", MODES)
def test_u05_what_a_broken_answer_s_own_error_tells_is_charged(world, mode):
    """A provider that reads a stream by itself says in its error what had come: text is estimated, usage kept."""
    error = StreamInterruptedError("cut")
    error.partial_text = "one two"
    chain = FallbackChain([ScriptedProvider("a", error)], retry=None)
    assert world.fail(chain, mode).attempts[0].usage == Usage(9, 2, source="estimated")
    error.partial_usage = Usage(30, 5)
    assert world.fail(chain, mode).attempts[0].usage == Usage(30, 5)


class Quitter(Told):
    """A provider that breaks its streams itself, with an error of its own."""

    def __init__(self, error):
        super().__init__(Usage(30, 5))
        self.error = error

    def stream(self, request, timeouts=None):
        yield from super().stream(request)
        raise self.error


def test_u05_usage_that_was_told_is_in_a_provider_s_own_error(world, mode):
    """An error that does not know what was used is told; one that does keeps its own word."""
    assert world.fail(FallbackChain([Quitter(StreamInterruptedError("cut"))]), mode).partial_usage == Usage(30, 5)
    knowing = StreamInterruptedError("cut")
    knowing.partial_usage, knowing.partial_text = Usage(31, 6), "one and more"
    error = world.fail(FallbackChain([Quitter(knowing)]), mode)
    assert (error.partial_usage, error.partial_text) == (Usage(31, 6), "one and more")


class Paused(Told):
    """A provider that says a word, does something, and says how its answer ends; it knows whether it was closed."""

    def __init__(self, *, pause=0, then=None):
        super().__init__(None)
        self.pause = pause
        self.then = then
        self.is_closed = False

    def stream(self, request, timeouts=None):
        try:
            yield StreamEvent("text", "one")
            active_clock().sleep(self.pause)
            yield StreamEvent("end", response=self.complete(request))
            if self.then is not None:
                raise self.then
        finally:
            self.is_closed = True

    async def stream_async(self, request, timeouts=None):
        try:
            yield StreamEvent("text", "one")
            await active_clock().sleep_async(self.pause)
            yield StreamEvent("end", response=self.complete(request))
            if self.then is not None:
                raise self.then
        finally:
            self.is_closed = True


def leave_at(chain, mode, kind):
    """Return a coroutine that leaves a stream at its first event of a kind."""

    async def leave():
        if mode == "stream":
            with chain.stream(REQUEST) as events:
                next(event for event in events if event.kind == kind)
            return
        async with chain.stream_async(REQUEST) as events:
            async for event in events:
                if event.kind == kind:
                    break

    return leave()


@pytest.mark.parametrize(("kind", "outcome"), [("text", "cancelled"), ("end", "200")])
def test_h07_a_stream_that_is_left_is_closed_and_recorded_once(world, mode, kind, outcome):
    """Leaving closes the provider's stream at once; after the last event there is nothing left to give up."""
    provider = Paused()
    chain = FallbackChain([provider])
    world.run(leave_at(chain, mode, kind))
    assert provider.is_closed
    assert [event.attempt.outcome for event in world.events(AttemptEnded)] == [outcome]
    assert chain.metrics().provider("a").failures == 0


@pytest.mark.parametrize("how", ["with", "close"])
def test_h07_a_stream_that_is_still_held_is_closed_all_the_same(world, mode, how):
    """Leaving the `with`, or closing, lets the provider go there and then; what runs next is no part of the call."""
    provider = Paused()
    chain = FallbackChain([provider])

    async def story():
        if mode == "stream":
            held = chain.stream(REQUEST)
            next(held)
            if how == "close":
                held.close()
            else:
                with held:
                    pass
        else:
            held = chain.stream_async(REQUEST)
            await anext(held)
            if how == "close":
                await held.aclose()
            else:
                async with held:
                    pass
        return held, provider.is_closed, current_call.get()

    _, is_closed, call = world.run(story())
    assert (is_closed, call) == (True, None)


def test_a_failure_after_the_end_is_told_and_counts_nowhere(world, mode):
    """What breaks when the answer is whole is no failure of the answer."""
    error = down()
    chain = FallbackChain([Paused(then=error)])
    assert world.fail(chain, mode) is error
    assert [event.attempt.outcome for event in world.events(AttemptEnded)] == ["200"]
    counts = chain.metrics().provider("a")
    assert (counts.successes, counts.failures, chain.breaker("a").failures) == (1, 0, 0)


def test_r13_cancelling_in_the_middle_of_a_stream_is_no_end_of_it(world):
    """The reader of a cancelled stream is cancelled; the stream does not look as if it had come to its end."""
    provider = Paused(pause=600)
    chain = FallbackChain([provider])

    async def story():
        reader = asyncio.create_task(ask(chain, "stream_async"))
        await asyncio.sleep(1)
        reader.cancel()
        with pytest.raises(asyncio.CancelledError):
            await reader

    world.run(story())
    assert provider.is_closed
    assert [event.attempt.outcome for event in world.events(AttemptEnded)] == ["cancelled"]


def test_fb08_a_stream_that_says_nothing_and_ends_well_is_an_answer(world, mode):
    """Nothing visible is no break: what counts is the end."""
    provider = ScriptedProvider("a", "")
    chain = FallbackChain([provider, ScriptedProvider("b")])
    assert world.ask(chain, mode).provider == "a"
    assert chain.metrics().provider("a").successes == 1


def test_b08_a_stream_that_is_left_after_its_last_word_is_a_success(world, mode):
    """Once the model has said that it is done, its provider has proven itself, whoever reads on."""
    provider = ScriptedProvider("a", down(), down(), "one two")
    config = CircuitBreakerConfig(failure_threshold=2)
    chain = FallbackChain([provider], retry=None, circuit_breaker=config)
    for _ in range(2):
        world.fail(chain, mode)
    world.clock.advance(30)
    world.run(leave_at(chain, mode, "finish"))
    assert [(event.to_state, event.call) for event in world.events(BreakerChanged)] == [
        ("open", 2),
        ("half_open", 3),
        ("closed", 3),
    ]


def test_a_stream_can_be_closed_before_it_was_read(world):
    """Closing a stream that nobody read asks nobody and says nothing."""
    provider = ScriptedProvider("a")

    async def story():
        FallbackChain([provider]).stream(REQUEST).close()
        await FallbackChain([provider]).stream_async(REQUEST).aclose()

    world.run(story())
    assert provider.requests == []
    assert len(world.trace) == 0
