"""Circuits that somebody isolates, that restore gradually, that others listen to, and whose state others keep."""

import asyncio
import logging

import pytest

from llmtest.clock import VirtualClock
from llmtest.errors import AllProvidersFailedError, CircuitOpenError, HarnessError
from llmtest.events import BreakerChanged, CircuitSkipped, describe
from llmtest.resilience import (
    CircuitBreakerConfig,
    FallbackChain,
    MemoryBreakerStore,
    MemoryCircuit,
)
from tests.resilience.kept_elsewhere import breaker_of, circuit_store
from tests.resilience.scripted_provider import REQUEST, ScriptedProvider, Slow, ask, down, outcomes

SECOND = 1_000_000_000


def chain_of(*providers, **settings):
    """Return a chain without retries."""
    return FallbackChain(providers, retry=None, **{"breaker_store": circuit_store(), **settings})


def test_an_isolated_circuit_lets_nothing_through(world, mode):
    """An operator takes a provider out: nobody asks it, no probe either, until it is released."""
    first, second = ScriptedProvider("a"), ScriptedProvider("b")
    chain = chain_of(first, second)
    chain.breaker("a").isolate()
    for _ in range(2):
        assert world.ask(chain, mode).provider == "b"
        world.clock.advance(100_000)
    assert chain.metrics().provider("a").circuit == "isolated"
    assert [describe(event)[1] for event in world.events(CircuitSkipped)] == ["isolated", "isolated"]
    chain.breaker("a").release()
    assert world.ask(chain, mode).provider == "a"
    assert len(first.requests) == 1


def test_isolation_shows_in_the_trace_and_in_the_error(world, mode):
    """The trace has both changes, and a refused call knows that no time will help."""
    chain = chain_of(ScriptedProvider("a"))

    async def story():
        chain.breaker("a").isolate()
        chain.breaker("a").isolate()
        with pytest.raises(AllProvidersFailedError) as refused:
            await ask(chain, mode if mode.endswith("async") else "complete_async")
        chain.breaker("a").release()
        chain.breaker("a").release()
        return refused.value

    error = world.run(story())
    (_, cause) = error.errors[0]
    assert (error.retry_after, cause.retry_after, cause.cause) == (None, None, "isolated")
    assert str(cause) == "the circuit `a` is isolated; it lets nothing through until its `release()` is called"
    assert [describe(event)[1] for event in world.events(BreakerChanged)] == [
        "closed -> isolated: isolated",
        "isolated -> closed: released",
    ]


def test_an_isolated_chain_is_not_healthy_and_is_not_tried_nevertheless(world, mode):
    """`try_oldest` goes against circuits that opened by themselves, never against an operator."""
    provider = ScriptedProvider("a")
    chain = chain_of(provider, on_all_open="try_oldest")
    chain.breaker("a").isolate()
    assert isinstance(world.fail(chain, mode), AllProvidersFailedError)
    assert not world.sees_healthy(chain)
    assert provider.requests == []
    chain.breaker("a").reset()
    assert world.ask(chain, mode).content == "ok"


def test_calls_under_way_end_as_they_would_and_change_nothing(world):
    """What was admitted before the isolation is answered, and neither opens nor closes anything."""
    provider = ScriptedProvider("a", Slow(5), Slow(5, down()))
    chain = chain_of(provider, circuit_breaker=CircuitBreakerConfig(failure_threshold=1))

    async def story():
        answers = asyncio.create_task(outcomes(chain, 2))
        await asyncio.sleep(1)
        chain.breaker("a").isolate()
        return await answers

    answers = world.run(story())
    assert answers[0].content == "ok"
    assert chain.breaker("a").state == "isolated"
    assert [event.to_state for event in world.events(BreakerChanged)] == ["isolated"]


def test_f096_traffic_is_restored_gradually(world):
    """After closing a tenth of the calls is let through, then a rising share, and after a minute all of them."""
    provider = ScriptedProvider("a", down(), "ok")
    config = CircuitBreakerConfig(failure_threshold=1, recovery_timeout=30, restoration=60)
    chain = chain_of(provider, ScriptedProvider("b"), circuit_breaker=config)

    async def story():
        shares = []
        await ask(chain)
        await asyncio.sleep(30)
        await ask(chain)
        for _ in range(7):
            served = [(await ask(chain)).provider for _ in range(100)]
            shares.append(served.count("a"))
            await asyncio.sleep(10)
        return shares

    assert world.run(story()) == [10, 25, 40, 55, 70, 85, 100]


def test_f096_a_share_is_the_same_in_every_run_and_begins_with_the_first_call():
    """Which calls are let through follows from their number alone."""
    config = CircuitBreakerConfig(failure_threshold=1, restoration=60, restoration_share=0.25)

    def admitted():
        breaker = breaker_of("a", config)
        breaker.failure(breaker.admit(0), 0, down())
        breaker.success(breaker.admit(30 * SECOND), 30 * SECOND)
        found = []
        for _ in range(8):
            try:
                breaker.admit(30 * SECOND)
            except CircuitOpenError as refused:
                found.append((refused.retry_after, refused.cause))
            else:
                found.append("admitted")
        return found

    refused = (0.0, "restoring")
    assert admitted() == admitted() == ["admitted", refused, refused, refused] * 2


def test_f096_the_only_provider_sheds_load_too(world, mode):
    """Where nobody else can serve, a call that is not of the share is refused, and says that the next may be served."""
    chain = chain_of(
        ScriptedProvider("a", down(), "ok"),
        circuit_breaker=CircuitBreakerConfig(failure_threshold=1, restoration=60),
    )
    world.fail(chain, mode)
    world.clock.advance(30)
    world.ask(chain, mode)
    assert world.ask(chain, mode).content == "ok"
    refused = world.fail(chain, mode)
    assert refused.retry_after == 0.0
    assert "is being restored; this call was not of the share let through" in str(refused)


def test_f096_release_restores_gradually_and_reset_at_once():
    """Who isolates a provider lets it back in gently, or says `reset`."""
    config = CircuitBreakerConfig.caxton()
    breaker = breaker_of("a", config)
    for command, refusals in ((breaker.release, 9), (breaker.reset, 0)):
        breaker.isolate()
        command()
        now_ns = world_now()
        found = 0
        for _ in range(10):
            try:
                breaker.admit(now_ns)
            except CircuitOpenError:
                found += 1
        assert abs(found - refusals) <= 1 if refusals else found == 0


def world_now():
    """Return the time by which circuits outside of a simulation are told of commands."""
    from llmtest.clock import active_clock

    return active_clock().now_ns()


def test_f096_a_failure_while_it_is_restored_opens_it_again():
    """The rules hold while traffic rises, and the share begins anew after the next closing."""
    breaker = breaker_of("a", CircuitBreakerConfig(failure_threshold=1, restoration=60))
    breaker.failure(breaker.admit(0), 0, down())
    breaker.success(breaker.admit(30 * SECOND), 30 * SECOND)
    breaker.failure(breaker.admit(31 * SECOND), 31 * SECOND, down())
    assert breaker.state == "open"
    breaker.success(breaker.admit(61 * SECOND), 61 * SECOND)
    breaker.admit(61 * SECOND)
    with pytest.raises(CircuitOpenError):
        breaker.admit(61 * SECOND)


def test_listeners_are_told_of_every_change(world, mode):
    """By the configuration or by `listen`: each change, in order, with all its facts, until the listener goes."""
    configured, listened = [], []
    config = CircuitBreakerConfig(failure_threshold=1, on_change=configured.append)
    chain = chain_of(ScriptedProvider("a", down(), "ok"), circuit_breaker=config)
    end = chain.breaker("a").listen(lambda change: listened.append(change.to_state))
    world.fail(chain, mode)
    world.clock.advance(30)
    world.ask(chain, mode)
    assert configured == world.events(BreakerChanged)
    assert listened == ["open", "half_open", "closed"]
    end()
    end()
    chain.breaker("a").isolate()
    assert len(listened) == 3


def test_b02_a_failing_listener_neither_wedges_the_circuit_nor_is_lost(world, mode, caplog):
    """The call, the circuit and other listeners go on as if it were not there; the log has what it raised."""
    seen = []

    def fail(change):
        raise ValueError(f"no {change.to_state}")

    chain = chain_of(
        ScriptedProvider("a", down(), "ok"),
        circuit_breaker=CircuitBreakerConfig(failure_threshold=1, on_change=fail),
    )
    chain.breaker("a").listen(lambda change: seen.append(change.to_state))
    with caplog.at_level(logging.ERROR, "llmtest.resilience"):
        world.fail(chain, mode)
        world.clock.advance(30)
        assert world.ask(chain, mode).content == "ok"
    assert seen == ["open", "half_open", "closed"]
    assert caplog.messages == [
        "a listener of circuit `a` failed at closed -> open",
        "a listener of circuit `a` failed at open -> half_open",
        "a listener of circuit `a` failed at half_open -> closed",
    ]
    assert [str(record.exc_info[1]) for record in caplog.records] == ["no open", "no half_open", "no closed"]


def test_b02_a_listener_that_breaks_the_harness_gives_the_permit_back():
    """What no `except Exception` may swallow passes, and the probe it came with blocks nobody."""
    broken = [True]

    def fail(change):
        if broken and change.to_state == "half_open":
            broken.clear()
            raise HarnessError("stop")

    breaker = breaker_of("a", CircuitBreakerConfig(failure_threshold=1, on_change=fail))
    breaker.failure(breaker.admit(0), 0, down())
    with pytest.raises(HarnessError):
        breaker.admit(30 * SECOND)
    assert breaker.admit(30 * SECOND).is_probe


def test_two_chains_share_the_circuits_of_a_store(world, mode):
    """What one chain learns of a provider, another one that is given the same store knows."""
    store, provider = MemoryBreakerStore(), ScriptedProvider("a", down())
    config = CircuitBreakerConfig(failure_threshold=2)
    chains = [chain_of(provider, circuit_breaker=config, breaker_store=store) for _ in range(2)]
    for chain in chains:
        world.fail(chain, mode)
    assert [chain.breaker("a").state for chain in chains] == ["open", "open"]
    world.fail(chains[0], mode)
    assert len(provider.requests) == 2


class RemoteCircuit:
    """A circuit that counts its round trips, as one on a server has them."""

    def __init__(self, config):
        self.state = MemoryCircuit(config)
        self.trips = []

    def admit(self, now_ns, forced):
        self.trips.append("admit")
        return self.state.admit(now_ns, forced)

    def record(self, admission, now_ns, verdict, took_ns=None):
        self.trips.append(f"record {verdict}")
        return self.state.record(admission, now_ns, verdict, took_ns)

    async def admit_async(self, now_ns, forced):
        await asyncio.sleep(0.001)
        self.trips.append("await admit")
        return self.state.admit(now_ns, forced)

    async def record_async(self, admission, now_ns, verdict, took_ns=None):
        await asyncio.sleep(0.001)
        self.trips.append(f"await record {verdict}")
        return self.state.record(admission, now_ns, verdict, took_ns)

    def cool_down(self, until_ns):
        return self.state.cool_down(until_ns)

    def command(self, command, now_ns):
        return self.state.command(command, now_ns)

    def read(self):
        return self.state.read()


class RemoteStore:
    """A store whose circuits are somewhere else."""

    def __init__(self):
        self.circuits = {}

    def circuit(self, name, config):
        return self.circuits.setdefault(name, RemoteCircuit(config))


def test_a_remote_circuit_is_asked_once_for_each_decision(world, mode):
    """One round trip to let a call through and one for its end; an event loop is not blocked by either."""
    store = RemoteStore()
    chain = chain_of(
        ScriptedProvider("a", "ok", down(), "ok"),
        circuit_breaker=CircuitBreakerConfig(failure_threshold=1),
        breaker_store=store,
    )
    world.ask(chain, mode)
    world.fail(chain, mode)
    world.fail(chain, mode)
    world.clock.advance(40)
    world.ask(chain, mode)
    prefix = "await " if mode.endswith("async") else ""
    ends = ["record success", "record failure", "record success"]
    if mode == "complete_async":
        ends = [f"await {end}" for end in ends]
    elif mode == "stream_async":
        ends[1] = f"await {ends[1]}"
    admit = f"{prefix}admit"
    assert store.circuits["a"].trips == [admit, ends[0], admit, ends[1], admit, admit, ends[2]]
    assert [event.to_state for event in world.events(BreakerChanged)] == ["open", "half_open", "closed"]


def test_a_cancelled_call_gives_its_permit_back_to_a_remote_circuit(world):
    """Nothing is awaited while a task is being cancelled."""
    store = RemoteStore()
    chain = chain_of(
        ScriptedProvider("a", down(), Slow(600), "ok"),
        circuit_breaker=CircuitBreakerConfig(failure_threshold=1),
        breaker_store=store,
        timeouts=None,
    )

    async def story():
        with pytest.raises(Exception, match="down"):
            await chain.complete_async(REQUEST)
        await asyncio.sleep(30)
        probe = asyncio.create_task(chain.complete_async(REQUEST))
        await asyncio.sleep(1)
        probe.cancel()
        await asyncio.gather(probe, return_exceptions=True)
        return await chain.complete_async(REQUEST)

    assert world.run(story()).content == "ok"
    assert store.circuits["a"].trips[-3:] == ["record nothing", "await admit", "await record success"]


def test_a_command_is_told_at_the_time_of_its_simulation():
    """Isolation inside a simulation carries virtual time, and a release begins its rise there."""
    clock, seen = VirtualClock(), []
    breaker = breaker_of("a", CircuitBreakerConfig(restoration=10, on_change=lambda c: seen.append(c.at)))

    async def story():
        await asyncio.sleep(7)
        breaker.isolate()
        await asyncio.sleep(3)
        breaker.release()
        breaker.admit(clock.now_ns())
        with pytest.raises(CircuitOpenError):
            breaker.admit(clock.now_ns())
        await asyncio.sleep(10)
        for _ in range(20):
            breaker.admit(clock.now_ns())

    from llmtest.clock import run_virtual

    run_virtual(story(), clock)
    assert seen == [7.0, 10.0]
