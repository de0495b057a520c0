"""Circuits in Redis: equal to those in memory, shared by processes, one round trip each, and what an outage does."""

import asyncio
from itertools import count

import pytest
import redis
from hypothesis import given, settings
from hypothesis import strategies as st

from llmtest import RedisBreakerStore
from llmtest.errors import AllProvidersFailedError, CircuitOpenError, ConfigurationError
from llmtest.events import BreakerChanged, CircuitSkipped, StoreFailed
from llmtest.resilience import (
    CircuitAdmission,
    CircuitBreakerConfig,
    CircuitReading,
    CircuitRefusal,
    FallbackChain,
    MemoryCircuit,
)
from tests.resilience.scripted_provider import REQUEST, ScriptedProvider, Slow, ask, down, limited
from tests.stores.test_redis_cache import evaluations

SECOND = 1_000_000_000
NOWHERE = "redis://:secret@127.0.0.1:1/0"
RULES = st.sampled_from(
    [
        {"failure_threshold": 2},
        {"failure_threshold": 1, "recovery_multiplier": 2.0, "max_recovery_timeout": 15},
        {"failure_threshold": 1, "half_open_max_calls": 4, "half_open_success_rate": 0.6},
        {"failure_threshold": 1, "half_open_max_calls": 2, "half_open_successes": 2, "probe_timeout": 3},
        {"failure_threshold": 1, "restoration": 12, "restoration_share": 0.3},
        {"failure_rate": 0.5, "window_calls": 5, "minimum_calls": 3},
        {"failure_rate": 0.6, "window_seconds": 8, "minimum_calls": 3},
        {"slow_call_rate": 0.5, "slow_call_duration": 2, "window_calls": 4, "minimum_calls": 2},
        {"failure_z_score": 1.5, "window_calls": 12, "minimum_calls": 4},
    ]
)
STEP = st.one_of(
    st.tuples(st.just("admit"), st.sampled_from([False, False, False, True])),
    st.tuples(st.just("admit"), st.just(False)),
    st.tuples(st.sampled_from(["success", "failure", "failure", "nothing"]), st.integers(0, 5), st.booleans()),
    st.tuples(st.just("wait"), st.sampled_from([1, 250_000, 1_000_000, 4_000_000, 11_000_000])),
    st.tuples(st.just("cool"), st.integers(1, 20)),
    st.tuples(st.just("command"), st.sampled_from(["isolate", "release", "release", "reset"])),
)
numbers = count()


@pytest.fixture
def store(redis_url):
    """Return a store whose circuits nobody has used."""
    store = RedisBreakerStore(redis_url, namespace=f"circuits-{next(numbers)}")
    yield store
    store.close()


def seen(given):
    """Return what somebody who asked may know of a decision."""
    if isinstance(given, CircuitAdmission):
        return given.generation, given.is_probe, given.number, given.changes
    return given


@settings(max_examples=25, deadline=None)
@given(rules=RULES, steps=st.lists(STEP, min_size=8, max_size=35))
def test_a_circuit_in_redis_decides_as_one_in_memory(shared_url, rules, steps):
    """Admissions, refusals, waits, changes and readings are equal, whatever the rules and whatever happens."""
    config = CircuitBreakerConfig(**{"recovery_timeout": 5, **rules})
    store = RedisBreakerStore(shared_url, namespace=f"equal-{next(numbers)}")
    theirs, ours, now, under_way = MemoryCircuit(config), store.circuit("a", config), 0, []
    for kind, *how in steps:
        if kind == "wait":
            now += how[0] * 1000
        elif kind == "cool":
            until = now + how[0] * SECOND
            assert ours.cool_down(until) == theirs.cool_down(until)
        elif kind == "command":
            assert ours.command(how[0], now) == theirs.command(how[0], now)
        elif kind == "admit":
            expected, given_here = theirs.admit(now, how[0]), ours.admit(now, how[0])
            assert seen(given_here) == seen(expected)
            if isinstance(expected, CircuitAdmission):
                under_way.append((expected, given_here))
        elif under_way:
            expected, given_here = under_way.pop(how[0] % len(under_way))
            took = (3 if how[1] else 1) * SECOND
            assert ours.record(given_here, now, kind, took) == theirs.record(expected, now, kind, took)
        assert ours.last_known().state == theirs.read().state
    assert ours.read() == theirs.read()
    store.close()


@pytest.fixture(scope="module")
def shared_url(redis_url):
    """Return the address, in a fixture of the module, as hypothesis likes it."""
    return redis_url


def test_each_decision_is_one_round_trip(store, redis_url, world, mode):
    """One to let a call through and one for its end, in each of the four ways to ask, and no more for a choice."""
    chain = FallbackChain(
        [ScriptedProvider("a"), ScriptedProvider("b")], retry=None, strategy="round_robin", breaker_store=store
    )
    world.ask(chain, mode)
    before = evaluations(redis_url)
    world.ask(chain, mode)
    assert world.sees_healthy(chain)
    assert evaluations(redis_url) - before == 2


def test_both_engines_ask_the_same_circuit(store):
    """A real event loop has connections of its own, and what it learns, blocking code knows."""
    provider = ScriptedProvider("a", down())
    chains = [
        FallbackChain(
            [provider],
            retry=None,
            circuit_breaker=CircuitBreakerConfig(failure_threshold=2),
            breaker_store=store,
        )
        for _ in range(2)
    ]

    async def story():
        for mode in ("complete_async", "stream_async"):
            with pytest.raises(Exception, match="down"):
                await ask(chains[0], mode)

    asyncio.run(story())
    with pytest.raises(AllProvidersFailedError) as refused:
        chains[1].complete(REQUEST)
    assert chains[1].breaker("a").state == "open"
    assert isinstance(refused.value.errors[0][1], CircuitOpenError)
    assert 28 < refused.value.errors[0][1].retry_after <= 30
    assert len(provider.requests) == 2


def test_of_many_callers_after_an_outage_one_probes(store):
    """Fifty tasks on a loop, each with a round trip of its own: one is let through."""
    config = CircuitBreakerConfig(failure_threshold=1, recovery_timeout=1)
    circuit = store.circuit("a", config)
    circuit.record(circuit.admit(0, False), 0, "failure")

    async def story():
        return await asyncio.gather(*(circuit.admit_async(SECOND, False) for _ in range(50)))

    assert sum(isinstance(each, CircuitAdmission) for each in asyncio.run(story())) == 1


@pytest.mark.parametrize("on_down", ["open", "closed"])
def test_without_the_server_calls_pass_or_are_refused_as_configured(world, mode, on_down):
    """`open` goes on as if no circuit were open; `closed` refuses; either way the trace says so."""
    store = RedisBreakerStore(NOWHERE, on_down=on_down)
    provider = ScriptedProvider("a", "Paris")
    chain = FallbackChain([provider], retry=None, breaker_store=store)
    if on_down == "open":
        assert world.ask(chain, mode).content == "Paris"
    else:
        error = world.fail(chain, mode)
        ((_, refusal),) = error.errors
        assert (refusal.cause, provider.requests) == ("unknown", [])
        assert [event.retry_after for event in world.events(CircuitSkipped)] == [0.0]
    failed = world.events(StoreFailed)
    assert [(event.store, event.operation, event.refuses) for event in failed] == [
        ("breaker", "admit", on_down == "closed")
    ]
    assert isinstance(failed[0].error, redis.ConnectionError)
    assert "secret" not in world.trace.render()


def test_an_outage_in_the_middle_of_a_call_loses_its_end(store, world, monkeypatch):
    """The answer is handed over, and what could not be told is an event; an operator's word is an error."""
    chain = FallbackChain([ScriptedProvider("a", Slow(1, "Paris"))], retry=None, breaker_store=store)
    circuit = chain.breaker("a")._circuit
    real = circuit._server.run

    def cut(script, keys, arguments):
        if len(arguments) > 3 or arguments[-1] == "isolate":
            raise redis.ConnectionError("gone")
        return real(script, keys, arguments)

    monkeypatch.setattr(circuit._server, "run", cut)
    assert world.ask(chain).content == "Paris"
    assert [event.operation for event in world.events(StoreFailed)] == ["record"]
    with pytest.raises(redis.ConnectionError):
        chain.breaker("a").isolate()


def test_a_rate_limit_of_one_process_lets_all_cool_down(store, world, mode):
    """A `Retry-After` holds for every chain of the store."""
    provider = ScriptedProvider("a", limited(20), "Paris")
    chains = [FallbackChain([provider], retry=None, breaker_store=store) for _ in range(2)]
    world.fail(chains[0], mode)
    error = world.fail(chains[1], mode)
    assert error.errors[0][1].cause == "cooling"
    world.clock.advance(20)
    assert world.ask(chains[1], mode).content.strip() == "Paris"


def test_a_clock_that_was_ahead_keeps_nobody_away_for_longer_than_the_rules(store):
    """A circuit that opened an hour ahead lets a probe through when the rules' time has passed here."""
    config = CircuitBreakerConfig(failure_threshold=1)
    circuit = store.circuit("a", config)
    ahead = 3600 * SECOND
    circuit.record(circuit.admit(ahead, False), ahead, "failure")
    assert circuit.admit(0, False) == CircuitRefusal("open", 30 * SECOND)
    assert circuit.admit(29 * SECOND, False) == CircuitRefusal("open", SECOND)
    assert circuit.admit(30 * SECOND, False).is_probe


def test_keys_are_apart_by_namespace_and_do_not_stay_for_ever(store, redis_url):
    """Another namespace has another circuit; a circuit is forgotten in a day, an isolated one never."""
    config = CircuitBreakerConfig(failure_threshold=1)
    circuit = store.circuit("a", config)
    circuit.record(circuit.admit(0, False), 0, "failure")
    with RedisBreakerStore(redis_url, namespace=f"circuits-{next(numbers)}") as other:
        assert other.circuit("a", config).read() == CircuitReading("closed", 0, 0)
    key = circuit._keys[0]
    with redis.Redis.from_url(redis_url) as client:
        assert 86_400 <= client.ttl(key) <= 86_430
        circuit.command("isolate", 0)
        assert client.ttl(key) == -1


def test_changes_are_told_at_the_time_of_the_call(store, world):
    """Events have the time of the trace, though the circuit goes by the wall's."""
    chain = FallbackChain(
        [ScriptedProvider("a", Slow(2, down()))],
        retry=None,
        circuit_breaker=CircuitBreakerConfig(failure_threshold=1),
        breaker_store=store,
    )
    world.fail(chain)
    (opened,) = world.events(BreakerChanged)
    assert (opened.at, opened.to_state, opened.open_for) == (2.0, "open", 30.0)
    assert not world.sees_healthy(chain)
    world.clock.advance(30)
    assert world.sees_healthy(chain)


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ({"url": "http://localhost"}, "the URL of Redis cannot be read"),
        ({"namespace": "{a}"}, "namespace must be a name without braces, got '{a}'"),
        ({"on_down": "fail"}, "on_down is `open`, which lets calls pass while the server is away, or `closed`"),
    ],
)
def test_what_cannot_be_is_refused_when_it_is_made(arguments, text):
    """A wrong address, namespace or word is told of before any call."""
    with pytest.raises(ConfigurationError) as caught:
        RedisBreakerStore(**{"url": "redis://localhost", **arguments})
    assert str(caught.value).startswith(text)
