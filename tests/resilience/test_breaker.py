"""The circuit breaker: one test for each classic bug (catalogue B), and for what the configuration promises."""

import asyncio

import pytest

from llmtest.clock import VirtualClock
from llmtest.errors import (
    AllProvidersFailedError,
    CircuitOpenError,
    ConfigurationError,
    HarnessError,
    InvalidRequestError,
    QuotaExceededError,
    ServerError,
    StreamInterruptedError,
)
from llmtest.events import BreakerChanged, describe, subscribed
from llmtest.resilience import (
    CircuitBreakerConfig,
    FallbackChain,
    FallbackSlot,
    RetryConfig,
    TimeoutConfig,
)
from tests.resilience.kept_elsewhere import breaker_of, circuit_store
from tests.resilience.scripted_provider import REQUEST, Cut, ScriptedProvider, Slow, ask, down, limited, outcomes

SECOND = 1_000_000_000


def chain_of(*providers, threshold=3, retry=None, **settings):
    """Return a chain without retries whose circuits open after `threshold` failures, for 30 s."""
    breaker = settings.pop("circuit_breaker", None) or CircuitBreakerConfig(failure_threshold=threshold)
    return FallbackChain(providers, retry=retry, circuit_breaker=breaker, breaker_store=circuit_store(), **settings)


def states(world):
    """Return the states that circuits went through."""
    return [event.to_state for event in world.events(BreakerChanged)]


async def open_circuit(chain, count=3):
    """Fail often enough."""
    for _ in range(count):
        with pytest.raises((ServerError, AllProvidersFailedError)):
            await ask(chain)


def test_flow_closed_open_half_open_closed(world, mode):
    """Failures open the circuit, time lets a probe through, and its success closes it."""
    provider = ScriptedProvider("a", down(), down(), down(), "ok")
    chain = chain_of(provider)
    for _ in range(3):
        assert isinstance(world.fail(chain, mode), ServerError)
    refused = world.fail(chain, mode)
    assert isinstance(refused, AllProvidersFailedError)
    assert refused.retry_after == 30.0
    world.clock.advance(30)
    assert world.ask(chain, mode).content == "ok"
    assert states(world) == ["open", "half_open", "closed"]
    assert [event.call for event in world.events(BreakerChanged)] == [3, 5, 5]
    assert len(provider.requests) == 4


def test_b01_half_open_lets_one_probe_through(world):
    """Fifty callers that come when the circuit may be probed send one request, not fifty."""
    provider = ScriptedProvider("a", down(), down(), down(), Slow(5))
    chain = chain_of(provider)

    async def story():
        await open_circuit(chain)
        await asyncio.sleep(30)
        return await outcomes(chain, 50)

    answers = world.run(story())
    assert len(provider.requests) == 4
    assert sum(isinstance(answer, AllProvidersFailedError) for answer in answers) == 49


def test_b01_half_open_limits_are_two_numbers(world):
    """IronClaw's preset lets three probes through at a time and closes after two successes."""
    provider = ScriptedProvider("a", *[down()] * 5, Slow(5))
    chain = chain_of(provider, circuit_breaker=CircuitBreakerConfig.ironclaw())

    async def story():
        await open_circuit(chain, 5)
        await asyncio.sleep(30)
        await outcomes(chain, 50)

    world.run(story())
    assert provider.most_in_flight == 3
    assert states(world) == ["open", "half_open", "closed"]


def test_b01_each_success_of_several_gives_its_permit_back():
    """Where two probes must succeed one after the other, one success is not enough, and blocks nobody."""
    breaker = breaker_of("a", CircuitBreakerConfig(failure_threshold=1, half_open_successes=2))
    breaker.failure(breaker.admit(0), 0, down())
    breaker.success(breaker.admit(30 * SECOND), 31 * SECOND)
    assert breaker.state == "half_open"
    breaker.success(breaker.admit(31 * SECOND), 32 * SECOND)
    assert breaker.state == "closed"


@pytest.mark.parametrize("streaming", [False, True], ids=["complete", "stream"])
def test_b02_a_cancelled_probe_gives_its_permit_back(world, streaming):
    """After a probe was cancelled the next call is the probe."""
    provider = ScriptedProvider("a", down(), down(), down(), Slow(600), "ok")
    chain = chain_of(provider, timeouts=None)
    mode = "stream_async" if streaming else "complete_async"

    async def story():
        await open_circuit(chain)
        await asyncio.sleep(30)
        probe = asyncio.create_task(ask(chain, mode))
        await asyncio.sleep(1)
        probe.cancel()
        await asyncio.gather(probe, return_exceptions=True)
        return await ask(chain, mode)

    assert world.run(story()).content == "ok"
    assert states(world) == ["open", "half_open", "closed"]


def test_b02_an_error_that_proves_nothing_gives_the_permit_back(world, mode):
    """A probe that ends in a wrong request decides nothing and blocks nobody."""
    provider = ScriptedProvider("a", down(), down(), down(), InvalidRequestError("no", status=400), "ok")
    chain = chain_of(provider)
    for _ in range(3):
        world.fail(chain, mode)
    world.clock.advance(30)
    assert isinstance(world.fail(chain, mode), InvalidRequestError)
    assert chain.breaker("a").state == "half_open"
    assert world.ask(chain, mode).content == "ok"


@pytest.mark.parametrize("mode", ["stream", "stream_async"])
def test_b02_a_probe_whose_stream_is_left_gives_its_permit_back(world, mode):
    """A probe's reader who has seen enough decides nothing: the next call is the probe."""
    provider = ScriptedProvider("a", down(), down(), down(), "one two three", "ok")
    chain = chain_of(provider)
    for _ in range(3):
        world.fail(chain, mode)
    world.clock.advance(30)

    async def leave():
        if mode == "stream":
            with chain.stream(REQUEST) as events:
                next(event for event in events if event.visible)
            return
        async with chain.stream_async(REQUEST) as events:
            async for event in events:
                if event.visible:
                    break

    world.run(leave())
    assert chain.breaker("a").state == "half_open"
    assert world.ask(chain, mode).content == "ok"


def test_b02_a_harness_error_gives_the_permit_back(world):
    """A probe that finds the test itself wrong leaves no permit behind, and is recorded as nobody's failure."""
    provider = ScriptedProvider("a", down(), down(), down(), HarnessError("wrong test"), "ok")
    chain = chain_of(provider)
    for _ in range(3):
        world.fail(chain)
    world.clock.advance(30)
    with pytest.raises(HarnessError):
        world.ask(chain)
    assert world.ask(chain).content == "ok"


def test_b02_a_failing_subscriber_leaks_no_permit():
    """Whoever listens to the trace and fails takes no probe's permit with him."""
    clock = VirtualClock()
    breaker = breaker_of("a", CircuitBreakerConfig(failure_threshold=1))
    breaker.failure(breaker.admit(0), 0, down())

    def fail(event):
        raise RuntimeError("listener")

    clock.advance(30)
    with subscribed(fail), pytest.raises(RuntimeError, match="listener"):
        breaker.admit(clock.now_ns())
    assert breaker.admit(clock.now_ns()).is_probe


def test_b02_a_lost_probe_heals_itself():
    """A probe whose end nobody reported stops blocking others after `probe_timeout`."""
    breaker = breaker_of("a", CircuitBreakerConfig(failure_threshold=1, probe_timeout=10))
    breaker.failure(breaker.admit(0), 0, down())
    lost = breaker.admit(30 * SECOND)
    with pytest.raises(CircuitOpenError) as refused:
        breaker.admit(36 * SECOND)
    assert refused.value.retry_after == 4.0
    probe = breaker.admit(40 * SECOND)
    assert probe.is_probe
    breaker.release(lost)
    with pytest.raises(CircuitOpenError):
        breaker.admit(41 * SECOND)
    for _ in range(2):
        breaker.release(probe)
    assert breaker.admit(41 * SECOND).is_probe


class Meddlesome(int):
    """A limit at whose reading something else happens, as where the garbage collector ends a stream."""

    meddle = staticmethod(lambda: None)

    def __le__(self, other):
        self.meddle()
        return int(self) <= other

    __hash__ = int.__hash__


@pytest.mark.parametrize(("ending", "state"), [("release", "half_open"), ("success", "closed")])
def test_b02_a_probe_that_ends_in_the_middle_of_an_admission_gives_its_permit_back(ending, state):
    """Whatever is being counted is counted to its end; then the permit is back, and the circuit knows."""
    limit = Meddlesome(1)
    breaker = breaker_of("a", CircuitBreakerConfig(failure_threshold=1, half_open_max_calls=limit))
    breaker.failure(breaker.admit(0), 0, down())
    probe = breaker.admit(30 * SECOND)
    how = {"release": lambda: breaker.release(probe), "success": lambda: breaker.success(probe, 31 * SECOND)}
    limit.meddle = how[ending]
    with pytest.raises(CircuitOpenError):
        breaker.admit(31 * SECOND)
    limit.meddle = lambda: None
    assert breaker.state == state
    assert breaker.admit(31 * SECOND).is_probe == (state == "half_open")


def test_b03_a_late_success_of_an_old_epoch_changes_nothing(world):
    """A slow call from before the circuit opened does not close it."""
    provider = ScriptedProvider("a", Slow(5), down())
    chain = chain_of(provider)

    async def story():
        slow = asyncio.create_task(ask(chain))
        await asyncio.sleep(1)
        await open_circuit(chain)
        await slow

    world.run(story())
    assert chain.breaker("a").state == "open"


def test_b03_late_successes_belong_to_their_own_epoch():
    """A call, or a probe, from before the circuit changed neither resets its count nor closes it again."""
    breaker = breaker_of("a", CircuitBreakerConfig(failure_threshold=2, half_open_max_calls=2))
    late = breaker.admit(0)
    for _ in range(2):
        breaker.failure(breaker.admit(0), 0, down())
    probe, late_probe = breaker.admit(30 * SECOND), breaker.admit(30 * SECOND)
    breaker.success(probe, 31 * SECOND)
    breaker.failure(breaker.admit(31 * SECOND), 31 * SECOND, down())
    breaker.success(late, 32 * SECOND)
    assert breaker.failures == 1
    breaker.failure(breaker.admit(32 * SECOND), 32 * SECOND, down())
    breaker.success(late_probe, 33 * SECOND)
    assert breaker.state == "open"


def test_b04_a_late_failure_does_not_prolong_the_open_period(world):
    """A slow failure from before the circuit opened leaves its end where it was."""
    provider = ScriptedProvider("a", Slow(20, down()), down())
    chain = chain_of(provider)

    async def story():
        slow = asyncio.create_task(ask(chain))
        await asyncio.sleep(1)
        await open_circuit(chain)
        until = chain.breaker("a").available_at_ns
        await asyncio.gather(slow, return_exceptions=True)
        return until

    assert world.run(story()) == chain.breaker("a").available_at_ns == 31_000_000_000


def test_b04_late_failures_belong_to_their_own_epoch():
    """Calls from before the circuit opened neither prolong it, however many, nor count once it has closed again."""
    breaker = breaker_of("a", CircuitBreakerConfig(failure_threshold=2))
    late = [breaker.admit(0) for _ in range(6)]
    for _ in range(2):
        breaker.failure(breaker.admit(0), 0, down())
    for admission in late[:3]:
        breaker.failure(admission, 9 * SECOND, down())
    assert breaker.available_at_ns == 30 * SECOND
    breaker.success(breaker.admit(30 * SECOND), 31 * SECOND)
    for admission in late[3:]:
        breaker.failure(admission, 32 * SECOND, down())
    assert (breaker.state, breaker.failures) == ("closed", 0)


def test_b05_wrong_requests_do_not_open_it(world, mode):
    """A hundred requests that are wrong say nothing about the provider."""
    chain = chain_of(ScriptedProvider("a", InvalidRequestError("no", status=400)))
    for _ in range(100):
        world.fail(chain, mode)
    assert chain.breaker("a").state == "closed"


def test_b06_a_wrong_request_does_not_reset_the_count(world, mode):
    """Failures with a 400 between them still open the circuit at the threshold."""
    wrong = InvalidRequestError("no", status=400)
    chain = chain_of(ScriptedProvider("a", down(), wrong, down(), wrong, down()))
    for _ in range(5):
        world.fail(chain, mode)
    assert chain.breaker("a").state == "open"


@pytest.mark.parametrize("streaming", [False, True], ids=["complete", "stream"])
def test_b07_cancellation_does_not_count(world, streaming):
    """Ten cancelled calls leave the circuit closed."""
    chain = chain_of(ScriptedProvider("a", Slow(600)), timeouts=None)

    async def story():
        for _ in range(10):
            call = asyncio.create_task(ask(chain, "stream_async" if streaming else "complete_async"))
            await asyncio.sleep(1)
            call.cancel()
            await asyncio.gather(call, return_exceptions=True)

    world.run(story())
    assert chain.breaker("a").state == "closed"
    assert chain.breaker("a").failures == 0


def test_b07_keyboard_interrupt_does_not_count(world):
    """An interrupted call comes through as it is and counts as nothing."""
    chain = chain_of(ScriptedProvider("a", KeyboardInterrupt()), threshold=1)
    with pytest.raises(KeyboardInterrupt):
        world.ask(chain)
    assert chain.breaker("a").state == "closed"


@pytest.mark.parametrize("mode", ["stream", "stream_async"])
def test_b08_streams_that_break_open_it(world, mode):
    """A stream counts when it ends, so streams that always break open the circuit."""
    chain = chain_of(ScriptedProvider("a", Cut("The capital of")))
    for _ in range(3):
        assert isinstance(world.fail(chain, mode), StreamInterruptedError)
    assert chain.breaker("a").state == "open"
    assert (chain.metrics().provider("a").failures, chain.metrics().failures_total) == (3, 3)


def test_b09_the_last_provider_s_failures_count(world, mode):
    """The circuit of the last slot opens like any other."""
    chain = chain_of(ScriptedProvider("a", down()), ScriptedProvider("b", down()))
    for _ in range(3):
        world.fail(chain, mode)
    assert [chain.breaker(name).state for name in "ab"] == ["open", "open"]


def test_b09_a_circuit_around_a_chain_counts_its_failures(world, mode):
    """A chain all of whose providers fail is as ill as they are; one that was asked wrongly, or is shut, is not."""
    first, second = ScriptedProvider("a", down()), ScriptedProvider("b", down())
    inner = FallbackChain([first, second], name="inner", retry=None, circuit_breaker=None)
    slot = FallbackSlot(provider=inner, circuit_breaker=CircuitBreakerConfig(failure_threshold=2))
    chain = FallbackChain([slot, ScriptedProvider("c", "from c")], retry=None)
    for _ in range(5):
        assert world.ask(chain, mode).provider == "c"
    assert chain.breaker("inner").state == "open"
    assert len(second.requests) == 2
    shut = AllProvidersFailedError(
        "inner", [("a", CircuitOpenError("a", retry_after=1.0)), ("b", InvalidRequestError("no"))]
    )
    healthy = chain_of(ScriptedProvider("a", shut), threshold=1)
    world.fail(healthy, mode)
    assert healthy.breaker("a").state == "closed"


def test_b10_one_failure_does_not_open_it_and_time_lets_it_recover(world):
    """The threshold counts, and an open circuit is probed once its time has passed."""
    provider = ScriptedProvider("a", down())
    chain = chain_of(provider)
    world.fail(chain)
    assert chain.breaker("a").state == "closed"
    world.fail(chain)
    world.fail(chain)
    world.clock.advance(29.999)
    world.fail(chain)
    assert len(provider.requests) == 3
    world.clock.advance(0.001)
    world.fail(chain)
    assert len(provider.requests) == 4
    assert [describe(event)[1] for event in world.events(BreakerChanged)] == [
        "closed -> open: 3 consecutive failures, the last: 503",
        "open -> half_open: recovery_timeout passed",
        "half_open -> open: a probe failed: 503",
    ]
    opened, _, again = world.events(BreakerChanged)
    assert (opened.cause, opened.count, opened.outcome, opened.open_for) == ("failures", 3, "503", 30.0)
    assert (again.cause, again.count, again.error_class) == ("probe_failed", None, "ServerError")


@pytest.mark.parametrize("inside", [False, True], ids=["around-retry", "inside-retry"])
def test_b11_an_open_circuit_is_not_retried(world, mode, inside):
    """A refused call makes no request and no sleep, although retries are allowed."""
    provider = ScriptedProvider("a", down())
    retry = RetryConfig(max_attempts=3, jitter=False)
    chain = chain_of(provider, threshold=1, retry=retry, breaker_inside_retry=inside)
    world.fail(chain, mode)
    before = world.clock.elapsed(), len(provider.requests)
    world.fail(chain, mode)
    assert (world.clock.elapsed(), len(provider.requests)) == before


def test_b12_a_jump_of_the_wall_clock_changes_nothing(world):
    """Circuits live by monotonic time."""
    chain = chain_of(ScriptedProvider("a", down(), down(), down(), "ok"))
    for _ in range(3):
        world.fail(chain)
    world.clock.shift_epoch(world.clock.now().replace(year=2025))
    world.clock.advance(30)
    assert world.ask(chain).content == "ok"


@pytest.mark.parametrize(("inside", "calls"), [(False, 3), (True, 1)], ids=["around-retry", "inside-retry"])
def test_b13_the_count_is_per_call_or_per_attempt_as_chosen(world, inside, calls):
    """Around retry one call is one failure; inside, each attempt is."""
    provider = ScriptedProvider("a", down())
    chain = chain_of(provider, retry=RetryConfig(max_attempts=3), breaker_inside_retry=inside)
    for number in range(1, calls + 1):
        assert chain.breaker("a").state == "closed"
        assert isinstance(world.fail(chain), ServerError)
        assert len(provider.requests) == 3 * number
    assert chain.breaker("a").state == "open"


def test_b13_successes_count_inside_retry_too(world, mode):
    """Where each attempt passes the circuit, an answer resets the count, and a probe's answer closes it."""
    provider = ScriptedProvider("a", down(), down(), "ok", down(), down(), down(), "ok")
    chain = chain_of(provider, retry=RetryConfig(max_attempts=3, base_delay=0), breaker_inside_retry=True)
    assert world.ask(chain, mode).content == "ok"
    assert chain.breaker("a").failures == 0
    world.fail(chain, mode)
    assert chain.breaker("a").state == "open"
    world.clock.advance(30)
    assert world.ask(chain, mode).content == "ok"
    assert chain.breaker("a").state == "closed"


@pytest.mark.parametrize(("inside", "failures"), [(False, 1), (True, 3)], ids=["around-retry", "inside-retry"])
def test_b13_no_failure_counts_twice(world, mode, inside, failures):
    """Wherever the circuit is, it counts once what it sees: a call of three attempts is one failure, or three."""
    chain = chain_of(
        ScriptedProvider("a", down()),
        threshold=9,
        retry=RetryConfig(max_attempts=3, base_delay=0),
        breaker_inside_retry=inside,
    )
    world.fail(chain, mode)
    assert chain.breaker("a").failures == failures


def test_b13_a_circuit_that_opens_between_attempts_keeps_the_cause(world):
    """Inside retry, the call whose failures opened the circuit ends with its failure, not with the refusal."""
    provider = ScriptedProvider("a", down())
    chain = chain_of(provider, threshold=2, retry=RetryConfig(max_attempts=5), breaker_inside_retry=True)
    assert isinstance(world.fail(chain), ServerError)
    assert len(provider.requests) == 2


def test_b14_asynchronous_failures_count(world):
    """Failures of coroutines open the circuit."""
    chain = chain_of(ScriptedProvider("a", down()))
    for _ in range(3):
        world.fail(chain, "complete_async")
    assert chain.breaker("a").state == "open"


def test_b15_the_breaker_does_not_serialise_calls(world):
    """Six concurrent calls of five seconds take five seconds."""
    chain = chain_of(ScriptedProvider("a", Slow(5)))
    world.run(outcomes(chain, 6))
    assert world.clock.elapsed() == 5.0


def test_b16_each_slot_has_a_circuit_of_its_own(world):
    """One bad deployment does not close the door to its sibling of the same provider."""
    bad = ScriptedProvider("openai", down(), model="gpt-4o")
    good = ScriptedProvider("openai", "ok", model="gpt-4o-mini")
    chain = chain_of(bad, good)
    for _ in range(5):
        assert world.ask(chain).content == "ok"
    assert chain.breaker("openai/gpt-4o").state == "open"
    assert chain.breaker("openai/gpt-4o-mini").state == "closed"


def test_b16_a_bad_key_does_not_close_the_door_to_a_good_one(world, mode):
    """Slots that differ in their key alone have circuits, and names of circuits, of their own."""
    bad = ScriptedProvider("openai", down(), credential="key-1")
    good = ScriptedProvider("openai", "ok", credential="key-2")
    chain = chain_of(bad, good)
    for _ in range(5):
        assert world.ask(chain, mode).content == "ok"
    assert (len(bad.requests), len(good.requests)) == (3, 5)
    assert chain.breaker("openai/m#1").state == "open"
    assert chain.breaker("openai/m#2").state == "closed"
    assert [event.provider for event in world.events(BreakerChanged)] == ["openai/m#1"]


def test_b16_a_slot_without_a_model_is_known_by_its_number(world):
    """Of two slots of one provider, the one that has no model of its own has a circuit with a name as well."""
    chain = chain_of(ScriptedProvider("openai", model=None), ScriptedProvider("openai", model="mini"))
    assert chain.breaker("openai#1") is not chain.breaker("openai/mini")


def test_b17_a_success_resets_the_escalation(world):
    """Failed probes lengthen the open period; once closed, it begins at the first level again."""
    config = CircuitBreakerConfig(failure_threshold=1, recovery_multiplier=2.0)
    provider = ScriptedProvider("a", down(), down(), "ok", down())
    chain = chain_of(provider, circuit_breaker=config)
    breaker = chain.breaker("a")
    periods = []
    for fails in (True, True, False, True):
        if fails:
            world.fail(chain)
            periods.append((breaker.available_at_ns - world.clock.now_ns()) / 1e9)
            world.clock.advance(periods[-1])
        else:
            world.ask(chain)
    assert periods == [30.0, 60.0, 30.0]


def test_b18_all_circuits_open_is_one_typed_error(world, mode):
    """The error says when the first circuit lets a probe through."""
    first, second = ScriptedProvider("a", down()), ScriptedProvider("b", down())
    chain = FallbackChain(
        [
            FallbackSlot(provider=first, circuit_breaker=CircuitBreakerConfig(failure_threshold=1)),
            FallbackSlot(provider=second, circuit_breaker=CircuitBreakerConfig(failure_threshold=1, cooldown_secs=10)),
        ],
        retry=None,
        name="main",
    )
    world.fail(chain, mode)
    error = world.fail(chain, mode)
    assert isinstance(error, AllProvidersFailedError)
    assert error.retry_after == 10.0
    assert str(error) == (
        "`main`: all providers unavailable (circuit breakers open)\n"
        "  a: CircuitOpenError: the circuit `a` is open; it lets a probe through in 30.0 s. "
        "Last failure: ServerError: down\n"
        "  b: CircuitOpenError: the circuit `b` is open; it lets a probe through in 10.0 s. "
        "Last failure: ServerError: down"
    )
    assert not world.sees_healthy(chain)


def test_b18_the_oldest_circuit_may_be_tried_nevertheless(world, mode):
    """With `try_oldest` the provider whose circuit opened first is asked although its time has not come."""
    first, second = ScriptedProvider("a", down(), "ok"), ScriptedProvider("b", down())
    chain = chain_of(first, second, threshold=1, on_all_open="try_oldest")
    world.fail(chain, mode)
    assert world.ask(chain, mode).content == "ok"
    assert chain.breaker("a").state == "closed"
    assert [describe(event)[1] for event in world.events(BreakerChanged)] == [
        "closed -> open: 1 consecutive failures, the last: 503",
        "closed -> open: 1 consecutive failures, the last: 503",
        "open -> half_open: every circuit is open",
        "half_open -> closed: 1 probe succeeded",
    ]


def test_b18_the_oldest_alone_is_tried_and_once(world, mode):
    """When the provider that is tried nevertheless fails as well, the circuits of the others stand."""
    providers = [ScriptedProvider(name, down()) for name in "abc"]
    chain = chain_of(*providers, threshold=1, on_all_open="try_oldest")
    world.fail(chain, mode)
    error = world.fail(chain, mode)
    assert [len(provider.requests) for provider in providers] == [2, 1, 1]
    assert [type(cause) for _, cause in error.errors] == [*[CircuitOpenError] * 3, ServerError]


def test_b18_one_that_cools_down_may_be_tried_nevertheless(world, mode):
    """Where all wait for their `Retry-After`, the one with the shortest wait is asked; its circuit was never open."""
    first, second = ScriptedProvider("a", limited(60)), ScriptedProvider("b", limited(40), "from b")
    chain = chain_of(first, second, on_all_open="try_oldest")
    world.fail(chain, mode)
    assert world.ask(chain, mode).content == "from b"
    assert states(world) == []
    assert len(first.requests) == 1


def test_b18_nobody_is_tried_nevertheless_while_somebody_can_be_asked(world, mode):
    """One open circuit is not all: where another provider was asked, and failed, the open one stays shut."""
    first, second = ScriptedProvider("a", down()), ScriptedProvider("b", down())
    slot = FallbackSlot(provider=first, circuit_breaker=CircuitBreakerConfig(failure_threshold=1))
    chain = chain_of(slot, second, threshold=9, on_all_open="try_oldest")
    for _ in range(2):
        world.fail(chain, mode)
    assert (len(first.requests), len(second.requests)) == (1, 2)


def test_b18_a_circuit_that_is_not_ours_is_an_error_like_any_other(world, mode):
    """A provider with a circuit of its own may say that it is open; there is no older one to try."""
    chain = FallbackChain(
        [ScriptedProvider("a", CircuitOpenError("a", retry_after=3.0))], circuit_breaker=None, on_all_open="try_oldest"
    )
    error = world.fail(chain, mode)
    assert isinstance(error, AllProvidersFailedError)
    assert error.retry_after == 3.0
    counts = chain.metrics().provider("a")
    assert (counts.failures, counts.circuit_breaker_skips, counts.circuit) == (1, 0, None)


def test_b19_flapping_is_bounded(world):
    """A provider that fails every probe is asked ever more rarely."""
    config = CircuitBreakerConfig(failure_threshold=1, recovery_timeout=10, recovery_multiplier=2.0)
    provider = ScriptedProvider("a", down())
    chain = chain_of(provider, circuit_breaker=config)
    for _ in range(600):
        world.fail(chain)
        world.clock.advance(1)
    assert provider.starts == [0.0, 10.0, 30.0, 70.0, 150.0, 310.0]


@pytest.mark.parametrize(
    ("recovery", "periods"), [(100.0, [100, 200, 300, 300, 300]), (400.0, [400, 400, 400])], ids=["shorter", "longer"]
)
def test_b19_the_open_period_grows_up_to_its_cap(recovery, periods):
    """Failed probes double the period up to `max_recovery_timeout`, which shortens no longer one."""
    config = CircuitBreakerConfig(failure_threshold=1, recovery_timeout=recovery, recovery_multiplier=2.0)
    breaker = breaker_of("a", config)
    now = 0
    for period in periods:
        breaker.failure(breaker.admit(now), now, down())
        assert breaker.available_at_ns - now == period * SECOND
        now = breaker.available_at_ns


def test_a_rate_limit_cools_down_without_counting(world, mode):
    """A 429 keeps the provider from being asked until `Retry-After`, and the circuit stays closed."""
    provider = ScriptedProvider("a", limited(20), "ok")
    chain = chain_of(provider, ScriptedProvider("b", "from b"), threshold=1)
    assert world.ask(chain, mode).provider == "b"
    assert world.ask(chain, mode).provider == "b"
    assert len(provider.requests) == 1
    assert chain.metrics().provider("a").circuit_breaker_skips == 1
    world.clock.advance(20)
    assert world.ask(chain, mode).provider == "a"
    assert states(world) == []


def test_a_rate_limit_counts_where_the_circuit_is_told_so(world, mode):
    """With `count_rate_limits` a 429 is a failure like a 503, and is still not asked for before `Retry-After`."""
    provider = ScriptedProvider("a", InvalidRequestError("no", status=400), limited(), limited(40), "ok")
    config = CircuitBreakerConfig(failure_threshold=2, count_rate_limits=True)
    chain = chain_of(provider, circuit_breaker=config)
    for failures in (0, 1):
        world.fail(chain, mode)
        assert chain.breaker("a").failures == failures
    world.fail(chain, mode)
    assert chain.breaker("a").state == "open"
    world.clock.advance(39)
    world.fail(chain, mode)
    assert len(provider.requests) == 3
    world.clock.advance(1)
    assert world.ask(chain, mode).content == "ok"
    assert chain.breaker("a").state == "closed"


def test_a_shorter_cooldown_does_not_cut_a_longer_one():
    """Of two cooldowns the later end counts."""
    breaker = breaker_of("a")
    breaker.cool_down(60, 0, limited())
    breaker.cool_down(5, 0, limited())
    assert breaker.available_at_ns == 60_000_000_000


def test_an_empty_account_is_left_alone_for_long(world):
    """A provider without credit is not asked again for five minutes."""
    provider = ScriptedProvider("a", QuotaExceededError("no credit", status=429))
    chain = chain_of(provider, ScriptedProvider("b"))
    world.ask(chain)
    world.clock.advance(299)
    world.ask(chain)
    assert len(provider.requests) == 1
    world.clock.advance(1)
    world.ask(chain)
    assert len(provider.requests) == 2


def test_fb15_one_empty_account_is_empty_for_every_slot_with_its_key(world, mode):
    """A sibling that is asked with the same key is not asked; one with another key answers."""
    first = ScriptedProvider("openai", QuotaExceededError("no credit", status=429), credential="key-1", model="large")
    sibling = ScriptedProvider("openai", credential="key-1", model="small")
    other = ScriptedProvider("openai", "ok", credential="key-2", model="large")
    chain = chain_of(first, sibling, other)
    assert world.ask(chain, mode).content == "ok"
    assert world.ask(chain, mode).content == "ok"
    assert (len(first.requests), len(sibling.requests), len(other.requests)) == (1, 0, 2)
    limited_first = ScriptedProvider("openai", limited(20), credential="key-1", model="large")
    assert world.ask(chain_of(limited_first, sibling), mode).attempts[-1].outcome == "200"
    assert len(sibling.requests) == 1


def test_a_chain_is_healthy_while_one_provider_may_be_asked(world):
    """One closed circuit is enough; with none, the chain is well again when the first may be probed."""
    chain = chain_of(ScriptedProvider("a", down()), ScriptedProvider("b", limited(40)), threshold=1)
    seen = [world.sees_healthy(chain)]
    world.fail(chain)
    seen.append(world.sees_healthy(chain))
    for seconds in (29, 1):
        world.clock.advance(seconds)
        seen.append(world.sees_healthy(chain))
    assert seen == [True, False, False, True]
    half = chain_of(ScriptedProvider("a", down()), ScriptedProvider("b"), threshold=1)
    world.ask(half)
    assert world.sees_healthy(half)
    assert world.sees_healthy(FallbackChain([ScriptedProvider("a")], circuit_breaker=None))


def test_reset_closes_the_circuit(world):
    """An operator may close a circuit by hand."""
    chain = chain_of(ScriptedProvider("a", down(), "ok"), threshold=1)
    world.fail(chain)
    chain.breaker("a").reset()
    assert world.ask(chain).content == "ok"


def test_reset_forgets_everything():
    """Failures, the cooldown and the escalation are gone, and the trace is told of the change and of no other."""
    config = CircuitBreakerConfig(failure_threshold=2, recovery_multiplier=2.0)
    breaker = breaker_of("a", config)
    changes = []
    with subscribed(changes.append):
        breaker.failure(breaker.admit(0), 0, down())
        breaker.reset()
        assert (breaker.failures, changes) == (0, [])
        for _ in range(2):
            breaker.failure(breaker.admit(0), 0, down())
        breaker.failure(breaker.admit(30 * SECOND), 30 * SECOND, down())
        breaker.cool_down(500, 30 * SECOND, limited())
        breaker.reset()
        assert not breaker.admit(30 * SECOND).is_probe
        for _ in range(2):
            breaker.failure(breaker.admit(30 * SECOND), 30 * SECOND, down())
    assert breaker.available_at_ns == 60 * SECOND
    told = [(event.to_state, event.cause, event.call) for event in changes if isinstance(event, BreakerChanged)]
    assert told[3] == ("closed", "reset", 0)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"failure_threshold": 0}, "failure_threshold must be 1 or more, got 0"),
        ({"cooldown_secs": -1}, "recovery_timeout must be 0 or more seconds, got -1.0"),
        ({"probe_timeout": 0}, "probe_timeout must be more than 0 seconds, got 0"),
        ({"recovery_multiplier": 0.5}, "recovery_multiplier must be 1.0 or more, got 0.5"),
    ],
)
def test_wrong_settings_are_refused(settings, message):
    """Each setting says what it may be."""
    with pytest.raises(ConfigurationError) as error:
        CircuitBreakerConfig(**settings)
    assert str(error.value) == message


def test_the_least_settings_are_allowed():
    """Zero seconds open a circuit for no time, and a probe may be given a fraction of a second."""
    config = CircuitBreakerConfig(
        failure_threshold=1,
        recovery_timeout=0,
        probe_timeout=0.5,
        max_cooldown=0,
        quota_cooldown=0,
        max_recovery_timeout=0,
    )
    breaker = breaker_of("a", config)
    breaker.failure(breaker.admit(0), 0, down())
    breaker.cool_down(60, 0, limited())
    assert breaker.admit(0).is_probe
    assert breaker.admit(SECOND // 2).is_probe


def test_the_defaults_are_those_that_are_documented():
    """Five failures, thirty seconds that do not grow, one probe, one success; an hour at most for a 429."""
    config = CircuitBreakerConfig()
    assert (config.failure_threshold, config.recovery_timeout, config.probe_timeout) == (5, 30.0, None)
    assert (config.half_open_max_calls, config.half_open_successes) == (1, 1)
    assert (config.recovery_multiplier, config.max_recovery_timeout) == (1.0, 300.0)
    assert (config.max_cooldown, config.quota_cooldown, config.count_rate_limits) == (3600.0, 300.0, False)
    retry, timeouts = RetryConfig(), TimeoutConfig()
    assert (retry.max_attempts, retry.max_retry_after, retry.max_timeout_retries) == (3, 60.0, 1)
    assert (retry.base_delay, retry.multiplier, retry.max_delay, retry.jitter) == (1.0, 2.0, 10.0, True)
    assert (timeouts.connect, timeouts.first_token, timeouts.read) == (10.0, None, 60.0)
    assert (timeouts.total, timeouts.deadline) == (120.0, None)


def test_presets_are_those_of_the_source_systems():
    """MoFA's and IronClaw's numbers."""
    assert CircuitBreakerConfig.mofa() == CircuitBreakerConfig(failure_threshold=3, cooldown_secs=30)
    assert CircuitBreakerConfig.ironclaw() == CircuitBreakerConfig(half_open_max_calls=3, half_open_successes=2)


def test_an_unknown_circuit_is_named():
    """Asking for a circuit that is not there lists those that are."""
    chain = chain_of(ScriptedProvider("a"))
    with pytest.raises(ConfigurationError) as error:
        chain.breaker("b")
    assert str(error.value) == "`fallback-chain` has no circuit `b`; its circuits: `a`"
    with pytest.raises(ConfigurationError, match="its circuits: none"):
        FallbackChain([ScriptedProvider("a")], circuit_breaker=None).breaker("a")
