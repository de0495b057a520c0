"""Retries: one test for each classic bug (catalogue R), and for what the configuration promises."""

import asyncio
from datetime import UTC, datetime

import pytest

from llmtest.errors import (
    AllProvidersFailedError,
    AuthenticationError,
    ConfigurationError,
    ContextLengthExceededError,
    DeadlineExceededError,
    EmptyResponseError,
    InvalidRequestError,
    LLMTestError,
    ProviderConnectionError,
    ProviderTimeoutError,
    RateLimitedError,
    ServerError,
    StreamInterruptedError,
)
from llmtest.events import AttemptEnded, RetryScheduled, describe
from llmtest.resilience import FallbackChain, FallbackSlot, RetryBudget, RetryConfig, TimeoutConfig
from llmtest.types import Timeouts
from llmtest.wire import dialect as dialect_of
from tests.resilience.scripted_provider import (
    MODES,
    REQUEST,
    Cut,
    ScriptedProvider,
    Slow,
    World,
    ask,
    down,
    limited,
    outcomes,
    refused_key,
)

FIXED = RetryConfig(jitter=False)


def chain_of(*providers, retry=FIXED, **settings):
    """Return a chain without circuits that waits 1, 2, 4 s between attempts."""
    settings.setdefault("circuit_breaker", None)
    return FallbackChain(providers, retry=retry, **settings)


def gaps(provider):
    """Return the seconds between a provider's requests."""
    return [round(later - earlier, 9) for earlier, later in zip(provider.starts, provider.starts[1:], strict=False)]


def test_a_failure_that_passes_is_retried(world, mode):
    """Two failures, two waits, one answer; the answer carries all three attempts."""
    provider = ScriptedProvider("a", down(), down(), "Paris")
    response = world.ask(chain_of(provider), mode)
    assert response.content == "Paris"
    assert [attempt.outcome for attempt in response.attempts] == ["503", "503", "200"]
    assert [attempt.slept_before for attempt in response.attempts] == [0.0, 1.0, 2.0]
    assert world.clock.elapsed() == 3.0
    assert [describe(event)[1] for event in world.events(RetryScheduled)] == [
        "#1 in 1 s because 503",
        "#2 in 2 s because 503",
    ]


def test_the_trace_names_the_model_that_is_asked_again(world, mode):
    """A retry is of the model that the request names, else of the provider's own."""
    chain = chain_of(ScriptedProvider("a", down(), "ok", down(), "ok"))
    world.ask(chain, mode)
    world.ask(chain, mode, REQUEST.with_model("gpt-4o"))
    assert [event.model for event in world.events(RetryScheduled)] == ["m", "gpt-4o"]


def test_r01_nested_chains_multiply_only_as_declared_and_a_cap_holds(world, mode):
    """A chain of three attempts inside another makes three, not nine; a cap on the call cuts even those."""
    provider = ScriptedProvider("a", down())
    inner = chain_of(provider, name="inner")
    error = world.fail(FallbackChain([inner]), mode)
    assert len(provider.requests) == 3
    assert len(error.attempts) == 3
    capped = ScriptedProvider("a", down())
    world.fail(chain_of(capped, max_attempts=2), mode)
    assert len(capped.requests) == 2


def test_r01_a_slot_may_say_that_a_whole_chain_is_retried(world, mode):
    """Attempts multiply where a nested chain's slot declares it: two rounds of two providers, then no wait too long."""
    providers = [ScriptedProvider(name, down()) for name in "ab"]
    inner = chain_of(*providers, retry=None, name="inner")
    chain = chain_of(FallbackSlot(provider=inner, retry=RetryConfig(max_attempts=2, jitter=False)))
    error = world.fail(chain, mode)
    assert [len(provider.requests) for provider in providers] == [2, 2]
    assert (len(error.attempts), world.clock.elapsed()) == (4, 1.0)
    config = RetryConfig(jitter=False)
    waiting = AllProvidersFailedError("x", [("a", limited(30)), ("b", limited(9))])
    assert config.allows(waiting, 1, 0)
    assert config.delay(waiting, 1, 0.0) == 9.0
    assert not config.allows(AllProvidersFailedError("x", [("a", limited(86400))]), 1, 0)
    assert not config.allows(AllProvidersFailedError("x", [("a", refused_key())]), 1, 0)


def test_r02_the_newest_retry_after_is_obeyed(world, mode):
    """Each wait is the one that the last answer asked for."""
    provider = ScriptedProvider("a", limited(1), limited(5), limited(20), "ok")
    world.ask(chain_of(provider, retry=RetryConfig(max_attempts=4, base_delay=0)), mode)
    assert gaps(provider) == [1.0, 5.0, 20.0]


def test_r02_a_rate_limit_twice_takes_sixty_seconds(world, mode):
    """429 with 30 s twice, then success: exactly 60 virtual seconds."""
    provider = ScriptedProvider("a", limited(30), limited(30), "ok")
    response = world.ask(FallbackChain([provider]), mode)
    assert response.content == "ok"
    assert world.clock.elapsed() == 60.0


@pytest.mark.parametrize(
    ("header", "wait"),
    [
        pytest.param({"retry-after": "7"}, 7.0, id="seconds"),
        pytest.param({"retry-after": "0.5"}, 1.0, id="shorter-than-the-backoff"),
        pytest.param({"retry-after-ms": "2500"}, 2.5, id="milliseconds"),
        pytest.param({"retry-after": "Thu, 01 Jan 2026 00:00:09 GMT"}, 9.0, id="date"),
        pytest.param({"retry-after": "Thu, 01 Jan 2015 00:00:00 GMT"}, 1.0, id="past-date"),
        pytest.param({"retry-after": "-5"}, 1.0, id="negative"),
        pytest.param({"retry-after": "inf"}, 1.0, id="infinite"),
        pytest.param({"retry-after": "nan"}, 1.0, id="nan"),
        pytest.param({"retry-after": "soon"}, 1.0, id="words"),
        pytest.param({"retry-after": "86400"}, None, id="a-day"),
    ],
)
def test_r03_every_form_of_retry_after_is_obeyed_clamped_or_refused(world, header, wait):
    """A wait that is too long is not waited for: the call ends, or falls back, at once."""
    now = datetime(2026, 1, 1, tzinfo=UTC)
    error = dialect_of("openai").chat.decode_error(429, header, b'{"error": {"message": "slow down"}}', now=now)
    provider = ScriptedProvider("a", error, "ok")
    if wait is None:
        assert world.fail(chain_of(provider)) is error
        assert world.clock.elapsed() == 0.0
    else:
        world.ask(chain_of(provider))
        assert gaps(provider) == [wait]


def test_r03_a_huge_retry_after_falls_back_at_once(world, mode):
    """A day's wait at one provider costs no second where there is another."""
    chain = chain_of(ScriptedProvider("a", limited(86400)), ScriptedProvider("b", "from b"))
    assert world.ask(chain, mode).provider == "b"
    assert world.clock.elapsed() == 0.0


def test_r04_jitter_spreads_clients_and_never_passes_the_cap(world):
    """A hundred clients that fail together come back apart, none later than `max_delay`."""
    provider = ScriptedProvider("a", *[down()] * 100, "ok")
    chain = chain_of(provider, retry=RetryConfig(base_delay=8.0, max_delay=5.0))
    world.run(outcomes(chain, 100))
    delays = [event.delay for event in world.events(RetryScheduled)]
    assert len(delays) == 100
    assert max(delays) <= 5.0
    assert len({round(delay, 6) for delay in delays if delay < 5.0}) > 50
    assert sum(delay < 4.0 for delay in delays) > 30


def test_r04_jitter_repeats_in_a_simulation_and_follows_the_seed():
    """The same run draws the same waits, with a seed and without one; another seed draws others."""

    def delays(seed):
        provider = ScriptedProvider("a", down(), down(), "ok")
        World().ask(chain_of(provider, retry=RetryConfig(), seed=seed))
        return gaps(provider)

    config = RetryConfig()
    assert config.delay(down(), 1, 0.25) == 0.25
    assert config.delay(down(), 10, 0.9) == 10.0
    assert delays(1) == delays(1)
    assert delays(None) == delays(None)
    assert len({*delays(1), *delays(2), *delays(None)}) == 6


@pytest.mark.parametrize("attempts", [1, 2, 3, 7])
def test_r05_max_attempts_is_exact(world, mode, attempts):
    """As many requests as allowed, the first included."""
    provider = ScriptedProvider("a", down())
    world.fail(chain_of(provider, retry=RetryConfig(max_attempts=attempts)), mode)
    assert len(provider.requests) == attempts


def test_r05_max_retries_does_not_count_the_first():
    """The other name counts retries alone."""
    assert RetryConfig(max_retries=3).max_attempts == 4
    assert RetryConfig(max_retries=0).max_attempts == 1


@pytest.mark.parametrize(
    "error",
    [
        InvalidRequestError("no", status=400),
        refused_key(),
        ContextLengthExceededError("long", status=400),
        EmptyResponseError("nothing"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_r07_what_will_fail_again_is_not_retried(world, mode, error):
    """A wrong request, a bad key, a prompt that is too long and an unreadable answer cost one attempt."""
    provider = ScriptedProvider("a", error)
    assert world.fail(chain_of(provider), mode) is error
    assert len(provider.requests) == 1
    assert len(error.attempts) == 1


def test_r07_the_provider_s_own_word_goes_first(world):
    """`x-should-retry` forbids a retry that we would make, and allows one that we would not; the rest stays."""
    error = down()
    error.should_retry = False
    provider = ScriptedProvider("a", error)
    chain = FallbackChain([provider], retry=FIXED)
    assert world.fail(chain) is error
    assert (len(provider.requests), chain.breaker("a").failures) == (1, 1)
    wrong = InvalidRequestError("no", status=400)
    wrong.should_retry = True
    assert world.ask(chain_of(ScriptedProvider("a", wrong, "ok"))).content == "ok"


@pytest.mark.parametrize("mode", ["stream", "stream_async"])
def test_r08_nothing_is_retried_after_visible_text(world, mode):
    """A stream that broke after its first word is not asked for again: the reader would see that word twice."""
    provider = ScriptedProvider("a", Cut("The capital", down()), "The capital is Paris")
    error = world.fail(chain_of(provider), mode)
    assert isinstance(error, StreamInterruptedError)
    assert error.partial_text == "The capital "
    assert error.visible
    assert len(provider.requests) == 1


@pytest.mark.parametrize("mode", ["stream", "stream_async"])
def test_r08_a_stream_that_breaks_before_anything_is_visible_is_retried(world, mode):
    """Before the commit point a stream is like any other call."""
    provider = ScriptedProvider("a", Cut(""), Cut("", down()), "Paris")
    response = world.ask(chain_of(provider), mode)
    assert response.content == "Paris"
    assert [attempt.outcome for attempt in response.attempts] == ["truncated", "503", "200"]


def test_r09_the_deadline_spans_all_attempts(world, mode):
    """Three hanging attempts end when the call's time is up, not three timeouts later."""
    provider = ScriptedProvider("a", Slow(600))
    retry = RetryConfig(jitter=False, max_timeout_retries=5)
    chain = chain_of(provider, retry=retry, timeouts=TimeoutConfig(total=20, deadline=30))
    error = world.fail(chain, mode)
    assert isinstance(error, DeadlineExceededError)
    assert isinstance(error.last_error, ProviderTimeoutError)
    assert world.clock.elapsed() == 30.0
    assert [attempt.outcome for attempt in error.attempts] == ["timeout", "timeout"]
    assert provider.limits[1].total == 9.0


def test_r09_no_wait_goes_beyond_the_deadline(world, mode):
    """A wait that does not fit is not begun; the chain falls back with the time that is left."""
    chain = chain_of(
        ScriptedProvider("a", limited(40)), ScriptedProvider("b", "from b"), timeouts=TimeoutConfig(deadline=30)
    )
    assert world.ask(chain, mode).provider == "b"
    assert world.clock.elapsed() == 0.0


def test_r09_the_caller_s_own_deadline_does_not_count_against_the_provider(world):
    """A call that gave itself one second tells nothing about a provider that answers in two."""
    provider = ScriptedProvider("a", Slow(2))
    chain = FallbackChain([provider], retry=None, timeouts=TimeoutConfig(deadline=1))
    for _ in range(10):
        assert isinstance(world.fail(chain), DeadlineExceededError)
    assert chain.breaker("a").failures == 0


@pytest.mark.parametrize(("total", "seconds"), [(7.0, 7.0), (50.0, 30.0)], ids=["caller", "chain"])
def test_r09_of_two_deadlines_the_earlier_one_holds(world, total, seconds):
    """What the caller allows and what the chain allows are both kept."""
    chain = chain_of(ScriptedProvider("a", Slow(600)), timeouts=TimeoutConfig(total=20, deadline=30))

    async def story():
        with pytest.raises(DeadlineExceededError):
            await chain.complete_async(REQUEST, Timeouts(total=total))

    world.run(story())
    assert world.clock.elapsed() == seconds


def test_r09_a_caller_s_total_is_a_deadline(world):
    """Limits that come with the call are kept over all attempts."""
    provider = ScriptedProvider("a", Slow(600))

    async def story():
        with pytest.raises(DeadlineExceededError) as error:
            await chain_of(provider).complete_async(REQUEST, Timeouts(total=7.0, read=3.0))
        return str(error.value)

    assert world.run(story()) == "the call's deadline of 7 s leaves no room for the next step, which needs 0 s"
    assert provider.limits[0].read == 3.0


def test_r10_a_retry_budget_bounds_a_storm(world):
    """In an outage two hundred clients make no more retries than the budget allows."""
    provider = ScriptedProvider("a", down())
    chain = chain_of(provider, retry=RetryConfig(budget=RetryBudget(ratio=0.1, reserve=20)))
    world.run(outcomes(chain, 200))
    retries = len(provider.requests) - 200
    assert 20 <= retries <= 20 + 0.1 * 200


def test_r10_a_retry_budget_is_paid_in_by_calls():
    """Each call adds its share, what is saved up has a limit, and the default begins with ten retries."""

    def left(budget):
        return next(number for number in range(99) if not budget.try_withdraw())

    scanty, ample, usual = RetryBudget(ratio=0.5, reserve=0), RetryBudget(ratio=1.0, reserve=2), RetryBudget()
    assert (left(scanty), left(ample), left(usual)) == (0, 2, 10)
    scanty.deposit()
    assert left(scanty) == 0
    for _ in range(5):
        ample.deposit()
        usual.deposit()
    scanty.deposit()
    assert (left(scanty), left(ample), left(usual)) == (1, 2, 1)
    for _ in range(99):
        scanty.deposit()
    assert left(scanty) == 1
    assert RetryBudget(ratio=0.0).ratio == 0.0


def test_r10_calls_pay_for_the_retries_of_their_chain(world, mode):
    """Where each call pays for half a retry, every other one of ten may retry once."""
    provider = ScriptedProvider("a", down())
    retry = RetryConfig(max_attempts=2, base_delay=0, budget=RetryBudget(ratio=0.5, reserve=1))
    chain = chain_of(provider, retry=retry)
    for _ in range(10):
        world.fail(chain, mode)
    assert len(provider.requests) == 10 + 5
    assert chain.metrics().provider("a").retries == 5


def test_r11_every_attempt_sends_the_same_request(world, mode):
    """Nothing of the request changes between attempts."""
    provider = ScriptedProvider("a", down(), down(), "ok")
    world.ask(chain_of(provider), mode)
    assert provider.requests == [REQUEST] * 3


def test_r12_a_wait_holds_nothing_that_others_need(world):
    """While one call waits for its retry, another is answered."""
    provider = ScriptedProvider("a", limited(30), "ok")
    chain = FallbackChain([provider])

    async def story():
        waiting = asyncio.create_task(ask(chain))
        await asyncio.sleep(1)
        await ask(chain)
        moment = world.clock.elapsed()
        await waiting
        return moment

    assert world.run(story()) == 1.0
    assert world.clock.elapsed() == 30.0


@pytest.mark.parametrize("mode", ["complete_async", "stream_async"])
def test_r13_cancelling_during_a_wait_returns_at_once(world, mode):
    """A cancelled call does not sleep its backoff out."""
    provider = ScriptedProvider("a", limited(30))

    async def story():
        call = asyncio.create_task(ask(chain_of(provider), mode))
        await asyncio.sleep(1)
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call

    world.run(story())
    assert world.clock.elapsed() == 1.0
    assert len(provider.requests) == 1


def test_a_timeout_is_retried_once_only(world, mode):
    """A timeout has cost its whole limit; a second one ends the provider's turn."""
    provider = ScriptedProvider("a", Slow(600))
    error = world.fail(chain_of(provider, timeouts=TimeoutConfig(total=20)), mode)
    assert isinstance(error, ProviderTimeoutError)
    assert len(provider.requests) == 2
    assert world.clock.elapsed() == 41.0
    never = ScriptedProvider("a", Slow(600), "ok")
    world.fail(chain_of(never, retry=RetryConfig(max_timeout_retries=0), timeouts=TimeoutConfig(total=20)), mode)
    assert len(never.requests) == 1


def test_a_retry_of_a_reset_connection_is_seen_in_the_attempts(world, mode):
    """Outcomes are words where there is no status."""
    reset = ProviderConnectionError("gone")
    reset.kind = "reset"
    response = world.ask(chain_of(ScriptedProvider("a", reset, "ok")), mode)
    assert [attempt.outcome for attempt in response.attempts] == ["reset", "200"]
    assert [event.attempt for event in world.events(AttemptEnded)] == list(response.attempts)


def test_other_exceptions_come_through_untouched(world, mode):
    """A mistake in somebody's own provider is neither retried nor wrapped."""
    provider = ScriptedProvider("a", ZeroDivisionError("bug"))
    assert isinstance(world.fail(chain_of(provider, ScriptedProvider("b")), mode), ZeroDivisionError)
    assert len(provider.requests) == 1
    second = chain_of(ScriptedProvider("a", down()), ScriptedProvider("b", ZeroDivisionError("bug")))
    assert isinstance(world.fail(second, mode), ZeroDivisionError)


def test_h06_an_empty_stream_is_an_error(world):
    """A stream that ends without its terminator is no short answer."""
    for mode in MODES[2:]:
        error = world.fail(chain_of(ScriptedProvider("a", Cut("")), retry=None), mode)
        assert isinstance(error, StreamInterruptedError)
        assert (error.kind, error.visible) == ("truncated", False)


def test_h07_a_timeout_leaves_no_task_behind(world):
    """After calls have timed out nothing is left running."""
    chain = chain_of(ScriptedProvider("a", Slow(600)), timeouts=TimeoutConfig(total=5))

    async def story():
        await outcomes(chain, 5)
        return len(asyncio.all_tasks())

    assert world.run(story()) == 1


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: RetryConfig(max_attempts=0), "max_attempts must be 1 or more, got 0"),
        (lambda: RetryConfig(max_retries=-1), "max_retries must be 0 or more, got -1"),
        (lambda: RetryConfig(max_timeout_retries=-1), "max_timeout_retries must be 0 or more, got -1"),
        (lambda: RetryConfig(multiplier=0.5), "multiplier must be 1.0 or more, got 0.5"),
        (lambda: RetryConfig(base_delay=-1), "base_delay must be 0 or more seconds, got -1"),
        (lambda: RetryBudget(ratio=2), "ratio must be from 0.0 to 1.0, got 2"),
        (lambda: RetryBudget(reserve=-1), "reserve must be 0 or more, got -1"),
        (lambda: TimeoutConfig(total=0), "total must be more than 0 seconds, or None, got 0"),
        (lambda: FallbackChain([ScriptedProvider("a")], max_attempts=0), "max_attempts must be 1 or more, got 0"),
    ],
)
def test_wrong_settings_are_refused(make, message):
    """Each setting says what it may be."""
    with pytest.raises(ConfigurationError) as error:
        make()
    assert str(error.value) == message


def test_errors_are_classified_by_their_nearest_class():
    """A subclass that the table does not name is treated as its parent."""

    class SpecialError(ServerError):
        pass

    config = RetryConfig()
    assert config.allows(SpecialError("x"), 1, 0)
    assert not config.allows(AuthenticationError("x"), 1, 0)
    assert not config.allows(RateLimitedError("x", retry_after=61), 1, 0)
    assert not config.allows(AllProvidersFailedError("x", []), 1, 0)
    assert not config.allows(LLMTestError("x"), 1, 0)
