"""Limits of our own: no minute has more than is allowed, the queue is fair, what cannot go in time is told at once."""

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmtest import (
    AnthropicProvider,
    Budget,
    BudgetConfig,
    CompletionRequest,
    FallbackChain,
    FallbackSlot,
    HedgingConfig,
    LLMClient,
    OpenAIProvider,
    RateLimitConfig,
    RateLimitedProvider,
    RateLimiter,
    RetryConfig,
    Simulation,
    TimeoutConfig,
    faults,
)
from llmtest.errors import ConfigurationError, ProviderTimeoutError, ServerError, ThrottledError
from llmtest.events import FallbackTaken, LimitLearned, LimitRefused, LimitWaited
from llmtest.resilience import Asking, Ended, MemoryLimiterStore
from tests.resilience.kept_elsewhere import limiter_store
from tests.resilience.scripted_provider import REQUEST, ScriptedProvider, Slow, ask, down, limited, outcomes

MINUTE = 60.0
NS = 1_000_000_000


def alone(provider, config, **rest):
    """Return a chain of one provider with limits and nothing else."""
    if isinstance(config, RateLimitConfig):
        config = RateLimiter(config, store=limiter_store())
    return FallbackChain([provider], rate_limit=config, **{"retry": None, "circuit_breaker": None, **rest})


def most_in_a_minute(starts, amounts=None):
    """Return the most that began within any minute, whenever it began."""
    amounts = amounts or [1] * len(starts)
    return max(
        sum(amount for at, amount in zip(starts, amounts, strict=True) if first <= at < first + MINUTE)
        for first in starts
    )


def test_f084_requests_wait_for_their_turn(world, mode):
    """The third of two a minute waits until the first is a minute old; the trace tells it."""
    provider = ScriptedProvider("a", "Paris")
    chain = alone(provider, RateLimitConfig(rpm=2, queue_timeout=None))
    for _ in range(3):
        assert world.ask(chain, mode).content.strip() == "Paris"
    assert provider.starts == [0.0, 0.0, 60.0]
    (waited,) = world.trace.of(LimitWaited)
    assert (waited.provider, waited.limit, waited.waited) == ("a", "rpm", 60.0)


@pytest.mark.parametrize("streaming", ["complete_async", "stream_async"])
def test_a_hundred_callers_never_pass_a_limit_in_any_minute(world, streaming):
    """A hundred at once: no minute has more requests or tokens than allowed, and no moment more at a time."""
    provider = ScriptedProvider("a", Slow(1.5, "Paris"))
    config = RateLimitConfig(rpm=30, tpm=600, concurrency=5, queue_timeout=None)
    request = REQUEST.with_max_tokens(12)

    async def scenario():
        chain = alone(provider, config)
        return await asyncio.gather(*(ask(chain, streaming, request) for _ in range(100)))

    assert len(world.run(scenario())) == 100
    assert most_in_a_minute(provider.starts) <= 30
    assert most_in_a_minute(provider.starts, [12] * 100) <= 600
    assert provider.most_in_flight == 5
    assert provider.starts == sorted(provider.starts)
    assert provider.starts[-1] < 4 * MINUTE


def test_a_hundred_threads_never_pass_a_limit():
    """The same in blocking code, against a provider that counts itself: it never has to refuse."""
    with Simulation() as sim:
        handle = sim.openai.latency(1.5).echoes().limits(rpm=40, tpm=4_000)
        config = RateLimitConfig(rpm=40, tpm=4_000, concurrency=10, queue_timeout=None, learn=False)
        client = LLMClient(alone(handle.as_provider("gpt-4o"), config))
        with ThreadPoolExecutor(100) as pool:
            list(pool.map(lambda _: client.complete(REQUEST.with_max_tokens(20)), range(100)))
        starts = [record.at_ns / NS for record in handle.requests]
        sim.assert_attempts("openai", 100)
    assert most_in_a_minute(starts) <= 40


def test_callers_go_in_the_order_in_which_they_came(world):
    """The queue is first come, first served, also where a later request is smaller."""
    provider = ScriptedProvider("a", "Paris")
    chain = alone(provider, RateLimitConfig(tpm=100, queue_timeout=None))
    sizes = [80, 60, 10, 40]

    async def scenario():
        await asyncio.gather(*(chain.complete_async(REQUEST.with_max_tokens(size)) for size in sizes))

    world.run(scenario())
    assert [request.max_tokens for request in provider.requests] == sizes


def test_tokens_are_counted_as_billed_when_an_answer_has_come(world):
    """An upper bound is corrected: what was not used is there for the next one at once."""
    provider = ScriptedProvider("a", "Paris")
    chain = alone(provider, RateLimitConfig(tpm=100, queue_timeout=None))
    for _ in range(4):
        world.ask(chain, "complete_async", REQUEST.with_max_tokens(60))
    assert provider.starts == [0.0, 0.0, 0.0, 60.0]


def test_f084_a_wait_that_cannot_end_in_time_is_refused_at_once(world, mode):
    """The error comes without a wait, says when a request could go, and nothing was sent."""
    provider = ScriptedProvider("a", "Paris")
    chain = alone(provider, RateLimitConfig(rpm=1, queue_timeout=20))
    world.ask(chain, mode)
    error = world.fail(chain, mode)
    assert isinstance(error, ThrottledError)
    assert (error.provider, error.limit, error.cause, error.retry_after) == ("a", "rpm", "queue_timeout", 60.0)
    assert (world.clock.elapsed(), len(provider.requests), error.attempts) == (0.0, 1, ())
    assert "it could go in 60.0 s" in str(error)
    assert [event.cause for event in world.trace.of(LimitRefused)] == ["queue_timeout"]


def test_the_deadline_of_the_call_counts_too(world, mode):
    """A call whose deadline is sooner than its turn is refused at once."""
    chain = alone(
        ScriptedProvider("a"), RateLimitConfig(rpm=1, queue_timeout=None), timeouts=TimeoutConfig(deadline=30)
    )
    world.ask(chain, mode)
    error = world.fail(chain, mode)
    assert (type(error), error.cause, world.clock.elapsed()) == (ThrottledError, "deadline", 0.0)


def test_the_queue_before_a_request_counts_for_its_refusal(world):
    """Who comes behind so many that its turn is too late is told so at once, and when it would be."""
    provider = ScriptedProvider("a", "Paris")
    chain = alone(provider, RateLimitConfig(rpm=1, queue_timeout=130))

    async def scenario():
        tasks = [asyncio.ensure_future(chain.complete_async(REQUEST)) for _ in range(5)]
        await asyncio.sleep(0.001)
        refused = [task.exception() for task in tasks if task.done() and task.exception()]
        await asyncio.wait(tasks)
        return refused

    refused = world.run(scenario())
    assert [round(error.retry_after) for error in refused] == [180, 180]
    assert provider.starts == [0.0, 60.0, 120.0]


def test_a_full_queue_refuses(world):
    """With `max_queue=1`, one waits and the next is refused; with 0, nobody waits."""
    for most, waiting in ((1, 1), (0, 0)):
        provider = ScriptedProvider("a", Slow(5, "Paris"))
        chain = alone(provider, RateLimitConfig(concurrency=1, max_queue=most, queue_timeout=None))
        results = world.run(outcomes(chain, 3))
        errors = [each for each in results if isinstance(each, ThrottledError)]
        assert len(errors) == 2 - waiting
        assert {(each.cause, each.limit) for each in errors} == {("queue_full", "concurrency")}


def test_a_wait_for_a_slot_ends_at_its_time_limit(world):
    """When a slot gets free nobody knows before, so this wait ends when its time is over."""
    chain = alone(ScriptedProvider("a", Slow(50, "Paris")), RateLimitConfig(concurrency=1, queue_timeout=7))

    async def scenario():
        first = asyncio.ensure_future(chain.complete_async(REQUEST))
        await asyncio.sleep(1)
        try:
            await chain.complete_async(REQUEST)
        except ThrottledError as error:
            at = world.clock.elapsed()
            await first
            return error, at
        raise AssertionError("it went")

    error, at = world.run(scenario())
    assert (error.limit, error.cause, error.retry_after, at) == ("concurrency", "queue_timeout", None, 8.0)


def test_f084_another_provider_is_asked_where_one_has_no_room(world, mode):
    """A limit that is reached sends the call on, as an open circuit does, and counts for no circuit."""
    first, second = ScriptedProvider("a", "Paris"), ScriptedProvider("b", "Rome")
    chain = FallbackChain([first, second], rate_limit=RateLimitConfig(rpm=1, max_queue=0))
    answers = [world.ask(chain, mode).provider for _ in range(2)]
    assert answers == ["a", "b"]
    assert [event.cause for event in world.trace.of(FallbackTaken)] == ["throttled"]
    assert chain.breaker("a").state == "closed"


def test_r12_a_retry_that_waits_holds_no_slot(world):
    """One at a time: while one call waits for its retry, another is answered."""
    provider = ScriptedProvider("a", down(), "Paris")
    chain = alone(
        provider, RateLimitConfig(concurrency=1), retry=RetryConfig(max_attempts=2, base_delay=10, jitter=False)
    )

    async def scenario():
        first = asyncio.ensure_future(chain.complete_async(REQUEST))
        await asyncio.sleep(0.1)
        await chain.complete_async(REQUEST)
        between = world.clock.elapsed()
        await first
        return between

    assert world.run(scenario()) == 0.1
    assert provider.starts == [0.0, 0.1, 10.0]


@pytest.mark.parametrize("step", [Slow(5, "Paris"), Slow(5, down()), Slow(5, limited()), Slow(5, ValueError("odd"))])
def test_a_permit_is_given_back_on_every_exit(world, step, mode):
    """Answer, failure, refusal, a bug of the provider: afterwards nothing is under way, and the next one goes."""
    store = limiter_store()
    limiter = RateLimiter(RateLimitConfig(concurrency=1), store=store)
    chain = alone(ScriptedProvider("a", step), limiter)
    for _ in range(2):
        with suppress(Exception):
            world.ask(chain, mode)
        assert (store.running("a"), store.waiting("a")) == (0, 0)


@pytest.mark.parametrize("where", ["asking", "queue", "stream"])
def test_a_permit_is_given_back_when_a_call_is_cancelled(world, where):
    """Whether it is being answered, waits in the queue or is streamed: a cancelled call holds nothing."""
    store = limiter_store()
    chain = alone(
        ScriptedProvider("a", Slow(5, "Paris it is")), RateLimiter(RateLimitConfig(concurrency=1), store=store)
    )

    async def read(stream):
        async with stream:
            async for event in stream:
                if event.visible:
                    await asyncio.sleep(100)

    async def scenario():
        first = asyncio.ensure_future(
            read(chain.stream_async(REQUEST)) if where == "stream" else chain.complete_async(REQUEST)
        )
        await asyncio.sleep(6 if where == "stream" else 1)
        if where == "queue":
            second = asyncio.ensure_future(chain.complete_async(REQUEST))
            await asyncio.sleep(1)
            assert store.waiting("a") == 1
            second.cancel()
            await asyncio.wait([second])
            assert (store.waiting("a"), store.running("a")) == (0, 1)
        first.cancel()
        await asyncio.wait([first])
        return store.running("a"), store.waiting("a")

    assert world.run(scenario()) == (0, 0)


def test_a_wait_in_the_queue_is_no_part_of_an_attempt(world, mode):
    """The limit of an attempt begins when it goes, not when it queues."""
    chain = alone(
        ScriptedProvider("a", Slow(5, "Paris")),
        RateLimitConfig(rpm=1, queue_timeout=90),
        timeouts=TimeoutConfig(total=6),
    )
    world.ask(chain, mode)
    response = world.ask(chain, mode)
    assert response.attempts[-1].duration == 5.0
    slow = alone(ScriptedProvider("b", Slow(9)), RateLimitConfig(rpm=1), timeouts=TimeoutConfig(total=6))
    assert isinstance(world.fail(slow, mode), ProviderTimeoutError)


def test_nothing_of_the_budget_is_set_aside_while_a_request_waits(world):
    """The budget is asked last: a queue of waiting calls reserves nothing."""
    budget = Budget(BudgetConfig(max_tokens_per_session=100_000))
    chain = alone(ScriptedProvider("a", "Paris"), RateLimitConfig(rpm=1, queue_timeout=None), budget=budget)

    async def scenario():
        await chain.complete_async(REQUEST)
        waiting = asyncio.ensure_future(chain.complete_async(REQUEST))
        await asyncio.sleep(1)
        reserved = budget.balance().reserved_tokens
        await waiting
        return reserved

    assert world.run(scenario()) == 0


def test_slots_with_one_key_share_what_it_allows(world):
    """Limits are those of a key: two models with one key count together, another key by itself."""
    one, other = (ScriptedProvider("a", "ok", model=model, credential="key-1") for model in ("m1", "m2"))
    apart = ScriptedProvider("a", "ok", model="m3", credential="key-2")
    limiter = RateLimiter(RateLimitConfig(rpm=1, max_queue=0), store=limiter_store())
    assert world.ask(alone(one, limiter), "complete_async").content.strip() == "ok"
    assert isinstance(world.fail(alone(other, limiter), "complete_async"), ThrottledError)
    assert world.ask(alone(apart, limiter), "complete_async").content.strip() == "ok"


def test_a_slot_may_have_limits_of_its_own(world):
    """A slot's limits go before those of the chain; a chain without any limits that slot alone."""
    first, second = ScriptedProvider("a", "ok"), ScriptedProvider("b", "ok")
    slot = FallbackSlot(provider=first, rate_limit=RateLimitConfig(rpm=2, max_queue=0))
    chain = FallbackChain([slot, second])
    assert [world.ask(chain, "complete_async").provider for _ in range(5)] == ["a", "a", "b", "b", "b"]


def test_limits_of_an_outer_chain_hold_inside_unless_it_has_its_own(world):
    """What an inner chain sends falls under the outer limits, like its budget."""
    inner = FallbackChain([ScriptedProvider("a", "ok")], retry=None, circuit_breaker=None)
    chain = alone(inner, RateLimitConfig(rpm=1, max_queue=0))
    world.ask(chain, "complete_async")
    assert isinstance(world.fail(chain, "complete_async"), ThrottledError)
    own = alone(ScriptedProvider("b", "ok"), RateLimitConfig(rpm=2, max_queue=0))
    chain = alone(own, RateLimitConfig(rpm=1, max_queue=0))
    assert [world.ask(chain, "complete_async").provider for _ in range(2)] == ["b", "b"]


def test_a_request_larger_than_a_minute_is_refused(world):
    """What could never go is refused at once, with what to do; an answer without a limit is not."""
    chain = alone(ScriptedProvider("a", "ok"), RateLimitConfig(tpm=100))
    error = world.fail(chain, "complete_async", REQUEST.with_max_tokens(500))
    assert (error.cause, error.limit, error.retry_after) == ("too_large", "tpm", None)
    assert "a smaller `max_tokens`" in str(error)
    assert world.ask(chain, "complete_async").content.strip() == "ok"


@pytest.mark.parametrize("make", [OpenAIProvider, AnthropicProvider])
def test_it_learns_from_the_headers_of_a_provider(make):
    """Over the wire: a provider that tells of its limits is never asked beyond them, and refuses nothing."""
    with Simulation() as sim:
        handle = (sim.openai if make is OpenAIProvider else sim.anthropic).echoes().limits(rpm=6)
        chain = alone(make("k", model="gpt-4o"), RateLimitConfig(queue_timeout=None))

        async def scenario():
            for _ in range(12):
                await chain.complete_async(REQUEST.with_max_tokens(10))

        asyncio.run(scenario())
        statuses = {record.outcome for record in handle.requests}
        learned = sim.trace.of(LimitLearned)
        assert statuses == {"200"}
        assert 55 <= sim.clock.elapsed() <= 75
    assert ("rpm", 6) in [(event.limit, event.per_minute) for event in learned]


def test_it_learns_from_a_simulated_provider_without_http(world):
    """`as_provider` tells of the handle's limits in the same way."""
    with Simulation() as sim:
        handle = sim.openai.echoes().limits(rpm=6)
        chain = alone(handle.as_provider("gpt-4o"), RateLimitConfig(queue_timeout=None))
        for _ in range(8):
            chain.complete(REQUEST)
        assert {record.outcome for record in handle.requests} == {"200"}
        assert sim.clock.elapsed() == 20.0


def test_it_keeps_to_a_retry_after(world):
    """After a 429 nothing is sent with that key until the provider has said."""
    provider = ScriptedProvider("a", limited(retry_after=12), "Paris")
    chain = alone(provider, RateLimitConfig(rpm=100))
    world.fail(chain, "complete_async")
    assert world.ask(chain, "complete_async").content.strip() == "Paris"
    assert provider.starts == [0.0, 12.0]
    assert [(event.limit, event.seconds) for event in world.trace.of(LimitLearned)] == [("retry_after", 12.0)]


def test_it_learns_nothing_where_that_is_not_wanted(world):
    """With `learn=False` only the given limits hold."""
    provider = ScriptedProvider("a", limited(retry_after=12), "Paris")
    chain = alone(provider, RateLimitConfig(rpm=100, learn=False))
    world.fail(chain, "complete_async")
    world.ask(chain, "complete_async")
    assert provider.starts == [0.0, 0.0]


def test_a_hedge_needs_a_permit_of_its_own(world):
    """A second request that would pass the limit is not sent; the first one's answer counts."""
    provider = ScriptedProvider("a", Slow(5, "Paris"))
    chain = alone(provider, RateLimitConfig(concurrency=1, max_queue=0), hedging=HedgingConfig(delay=1.0))
    assert world.ask(chain, "complete_async").content.strip() == "Paris"
    assert len(provider.requests) == 1


def test_h07_blocking_callers_leave_no_thread_and_no_permit():
    """Threads wait in virtual time, each is woken when its turn has come, and nothing is left."""
    with Simulation() as sim:
        store = limiter_store()
        limiter = RateLimiter(RateLimitConfig(concurrency=2, queue_timeout=None), store=store)
        client = LLMClient(alone(sim.openai.latency(10).echoes().as_provider("gpt-4o"), limiter))
        before = threading.active_count()
        with ThreadPoolExecutor(6) as pool:
            list(pool.map(lambda _: client.ask("hi"), range(6)))
        assert sim.clock.elapsed() == 30.0
        assert threading.active_count() == before
        assert (store.running("openai"), store.waiting("openai")) == (0, 0)


def test_a_blocking_caller_whom_nobody_can_wake_is_refused(world):
    """On a clock of one thread a slot cannot get free while it waits: that is told instead of waiting for ever."""
    chain = alone(ScriptedProvider("a", Slow(5)), RateLimitConfig(concurrency=1, queue_timeout=None))

    async def scenario():
        task = asyncio.ensure_future(chain.complete_async(REQUEST))
        await asyncio.sleep(1)
        with pytest.raises(ThrottledError):
            chain.complete(REQUEST)
        await task

    world.run(scenario())


def test_a_new_clock_begins_with_nothing_taken(world):
    """A limiter of a module outlives a test's clock: what was taken by the old one is over."""
    limiter = RateLimiter(RateLimitConfig(rpm=1, max_queue=0), store=limiter_store())
    provider = ScriptedProvider("a", "ok")
    with Simulation() as sim:
        sim.clock.sleep(500)
        alone(provider, limiter).complete(REQUEST)
    with Simulation():
        assert alone(provider, limiter).complete(REQUEST).content.strip() == "ok"


def test_a_wrapped_provider_is_limited(world, mode):
    """`RateLimitedProvider` is limits alone, in any chain."""
    limited_one = RateLimitedProvider(ScriptedProvider("a", "ok"), RateLimitConfig(rpm=1, max_queue=0))
    chain = FallbackChain([limited_one, ScriptedProvider("b", "ok")])
    assert [world.ask(chain, mode).provider for _ in range(2)] == ["a", "b"]


@pytest.mark.parametrize(
    ("given_settings", "message"),
    [
        ({"rpm": 0}, "rpm must be a whole number, 1 or more, got 0"),
        ({"tpm": -5}, "tpm must be a whole number"),
        ({"concurrency": 1.5}, "concurrency must be a whole number"),
        ({"rpm": True}, "rpm must be a whole number"),
        ({"max_queue": -1}, "max_queue must be a whole number, 0 or more"),
        ({"rpm": 1, "queue_timeout": -1}, "queue_timeout must be 0 or more seconds"),
        ({"rpm": 1, "queue_timeout": 0, "max_queue": 5}, "max_queue lets 5 wait, and queue_timeout=0 lets nobody"),
        ({"rpm": 1, "default_max_tokens": 0}, "default_max_tokens must be a whole number, 1 or more"),
        ({"learn": False}, "nothing is limited"),
    ],
)
def test_limits_that_make_no_sense_are_refused(given_settings, message):
    """Zero, negative, contradicting, none at all: told when the settings are made."""
    with pytest.raises(ConfigurationError, match=message):
        RateLimitConfig(**given_settings)


def test_what_would_limit_nobody_is_refused():
    """Something else than limits, and limits of a slot that is a chain."""
    with pytest.raises(ConfigurationError, match=r"RateLimitConfig\(rpm=500\)"):
        FallbackChain([ScriptedProvider("a")], rate_limit=500)
    inner = FallbackChain([ScriptedProvider("a")])
    with pytest.raises(ConfigurationError, match="would apply to nobody"):
        FallbackChain([FallbackSlot(provider=inner, rate_limit=RateLimitConfig(rpm=1))])


STEPS = st.lists(
    st.tuples(st.sampled_from(["ask", "ask", "end", "leave", "wait"]), st.integers(1, 40), st.integers(0, 70)),
    min_size=1,
    max_size=60,
)


class Model:
    """What a limiter has to do, as plainly as it can be said: a list of what was granted, looked through each time."""

    def __init__(self, config):
        self.config = config
        self.granted = []
        self.running = []
        self.queue = []

    def may_go(self, tokens, now):
        recent = [entry for entry in self.granted if entry[0] > now - 60 * NS]
        return (
            len(recent) < self.config.rpm
            and sum(entry[1] for entry in recent) + tokens <= self.config.tpm
            and len(self.running) < self.config.concurrency
        )


@settings(max_examples=60, deadline=None)
@given(steps=STEPS, rpm=st.integers(1, 6), tpm=st.integers(40, 90), concurrency=st.integers(1, 4))
def test_the_limiter_does_what_a_plain_model_does(steps, rpm, tpm, concurrency):
    """Whatever is asked, ended, left and waited for: the same requests go at the same times, in the same order."""
    agrees_with_a_plain_model(steps, rpm, tpm, concurrency)


def agrees_with_a_plain_model(steps, rpm, tpm, concurrency):
    """Play steps on a limiter and on the model."""
    config = RateLimitConfig(rpm=rpm, tpm=tpm, concurrency=concurrency, queue_timeout=None)
    model, store, now = Model(config), limiter_store(), 0
    went = []

    def settle():
        while model.queue:
            asking = model.queue[0]
            admission = store.acquire(asking, now)
            assert admission.is_granted is model.may_go(asking.tokens, now)
            if not admission.is_granted:
                assert admission.look_ns is None or admission.look_ns > now
                return
            model.queue.pop(0)
            entry = [now, asking.tokens]
            model.granted.append(entry)
            model.running.append((asking, entry))
            went.append(asking)

    asked = []
    for step, size, seconds in steps:
        if step == "ask":
            asking = Asking("k", config, 1, size, None, "deadline", lambda: None)
            asked.append(asking)
            admission = store.acquire(asking, now)
            can_go = not model.queue and model.may_go(size, now)
            assert admission.is_granted is can_go
            if can_go:
                entry = [now, size]
                model.granted.append(entry)
                model.running.append((asking, entry))
                went.append(asking)
            else:
                model.queue.append(asking)
        elif step == "end" and model.running:
            asking, entry = model.running.pop(size % len(model.running))
            entry[1] = min(size, asking.tokens)
            store.release(asking, Ended(True, entry[1]), now)
        elif step == "leave" and model.queue:
            asking = model.queue.pop(size % len(model.queue))
            asked.remove(asking)
            store.release(asking, Ended(False), now)
        elif step == "wait":
            now += seconds * NS
        settle()
    assert went == [asking for asking in asked if asking in went]
    assert all(first[0] <= second[0] for first, second in pairwise(model.granted))
    assert store.running("k") == len(model.running)


SIZES = st.lists(st.integers(1, 30), min_size=1, max_size=25)


@settings(max_examples=60, deadline=None)
@given(sizes=SIZES, rpm=st.integers(1, 5), tpm=st.integers(30, 90))
def test_a_refusal_says_the_time_at_which_a_request_would_have_gone(sizes, rpm, tpm):
    """The time that an error names is exactly when the last of a queue goes, where nothing else changes."""
    tells_the_true_time(sizes, rpm, tpm)


def tells_the_true_time(sizes, rpm, tpm):
    """Let a queue go one after the other, and compare with what its last one was told."""
    config = RateLimitConfig(rpm=rpm, tpm=tpm, queue_timeout=None)
    store, now = limiter_store(), 0
    queue = [Asking("k", config, 1, size, None, "deadline", lambda: None) for size in sizes]
    admissions = [store.acquire(asking, now) for asking in queue]
    told = admissions[-1]
    waiting = [asking for asking, each in zip(queue, admissions, strict=True) if not each.is_granted]
    while waiting:
        admission = store.acquire(waiting[0], now)
        if admission.is_granted:
            waiting.pop(0)
        else:
            now = admission.look_ns
    assert told.is_granted or told.ready_ns <= now
    refused = Asking("k", config, 1, sizes[0], now, "deadline", lambda: None)
    late = store.acquire(refused, now)
    assert late.is_granted or late.refusal == "deadline"


def test_a_server_that_fails_is_counted_too(world):
    """A request that was refused was a request: it takes its place in the minute."""
    provider = ScriptedProvider("a", down(), "Paris")
    chain = alone(provider, RateLimitConfig(rpm=1, queue_timeout=None))
    assert isinstance(world.fail(chain, "complete_async"), ServerError)
    world.ask(chain, "complete_async")
    assert provider.starts == [0.0, 60.0]


def test_what_another_guard_refused_takes_nothing(world):
    """A request that the budget refused was never sent, and leaves its place to the next."""
    budget = Budget(BudgetConfig(max_tokens_per_session=200))
    chain = alone(ScriptedProvider("a", "Paris"), RateLimitConfig(rpm=1, max_queue=0), budget=budget)
    world.fail(chain, "complete_async", REQUEST.with_max_tokens(1000))
    assert world.ask(chain, "complete_async", REQUEST.with_max_tokens(5)).content.strip() == "Paris"


def test_a_request_with_its_timeouts_uses_the_whole_limit():
    """Answers that time out at a provider give their slot back at once."""
    with Simulation() as sim:
        handle = sim.openai.fails(faults.Timeout(), times=3)
        chain = alone(handle.as_provider("gpt-4o"), RateLimitConfig(concurrency=1), timeouts=TimeoutConfig(total=5))
        for _ in range(3):
            with pytest.raises(ProviderTimeoutError):
                chain.complete(CompletionRequest.ask("hi"))
        assert sim.clock.elapsed() == 15.0


def test_a_limiter_forgets_what_is_older_than_a_minute():
    """A service that runs for days keeps no more than a minute of its requests, whether or not they are limited."""
    store = MemoryLimiterStore()
    config = RateLimitConfig(concurrency=1)
    for number in range(500):
        asking = Asking("k", config, 1, 10, None, "deadline", lambda: None)
        assert store.acquire(asking, number * NS).is_granted
        store.release(asking, Ended(True, 10), number * NS)
    held = store._keys["k"]
    assert (held.requests.taken(499 * NS), held.tokens.taken(499 * NS)) == (60, 600)
    assert len(held.requests._entries) == 60
