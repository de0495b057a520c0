"""Everything that a chain shares in one Redis: refused keys, health, and all five stores as one argument."""

import asyncio
import socket
import threading
from itertools import count

import pytest
import redis
from hypothesis import given, settings
from hypothesis import strategies as st

from llmtest import (
    CircuitBreakerConfig,
    FallbackChain,
    FallbackSlot,
    HealthConfig,
    RateLimitConfig,
    RateLimiter,
    RedisHealthStore,
    RedisKeyStore,
    RedisState,
    ResponseCache,
    ResponseCacheConfig,
    SharedState,
)
from llmtest.errors import AllProvidersFailedError, AuthenticationError, ConfigurationError, ThrottledError
from llmtest.events import KeyRefused, StoreFailed
from llmtest.resilience import HealthRules, MemoryHealth, MemoryHealthStore, MemoryKeyStore
from tests.resilience.scripted_provider import REQUEST, ScriptedProvider, down, refused_key
from tests.stores.test_redis_cache import evaluations

NS = 1_000_000_000
NOWHERE = "redis://:secret@127.0.0.1:1/0"
numbers = count()


@pytest.fixture
def states(redis_url):
    """Return the shared state of two processes that name the same server and namespace."""
    namespace = f"state-{next(numbers)}"
    states = [RedisState(redis_url, namespace=namespace) for _ in range(2)]
    yield states
    for state in states:
        state.close()


@pytest.fixture(scope="module")
def shared_url(redis_url):
    """Return the address, in a fixture of the module, as hypothesis likes it."""
    return redis_url


def alone(provider, shared, **policies):
    """Return a chain of one provider with shared state, and no other policy than those given."""
    return FallbackChain([provider], shared=shared, **{"retry": None, "circuit_breaker": None, **policies})


def test_r02_a_key_that_one_process_was_refused_with_is_not_tried_by_another(states, world, mode):
    """The other one does not ask, tells the same class of error, and tries it when the time has passed."""
    first, second = (
        ScriptedProvider("openai", refused_key(), credential="key-1"),
        ScriptedProvider("openai", "Paris", credential="key-1"),
    )
    world.fail(alone(first, states[0], refused_key_interval=60), mode)
    world.clock.advance(20)
    other = alone(second, states[1], refused_key_interval=60)
    error = world.fail(other, mode)
    assert isinstance(error, AuthenticationError)
    assert (error.status, error.retry_after, second.requests) == (401, 40.0, [])
    assert str(error).startswith("`openai` was not asked: this key was refused 20 s ago: so another process was told.")
    assert not world.sees_healthy(other)
    world.clock.advance(40)
    assert world.ask(other, mode).content.strip() == "Paris"
    assert len(world.events(KeyRefused)) == 1


def test_c5_a_key_that_one_process_may_use_again_is_tried_by_all(states, world):
    """One process tries it at a time; when it was taken, nobody passes it by any more."""
    providers = [ScriptedProvider("openai", refused_key(), "Paris", credential="key-1") for _ in range(2)]
    chains = [alone(one, state, refused_key_interval=60) for one, state in zip(providers, states, strict=True)]
    world.fail(chains[0])
    world.fail(chains[1])
    world.clock.advance(60)
    assert world.ask(chains[0]).content == "Paris"
    assert len(providers[1].requests) == 0
    providers[1].steps.pop(0)
    assert world.ask(chains[1]).content == "Paris"


def test_a_look_for_a_refused_key_is_one_round_trip(states, redis_url, world, mode):
    """A call whose key nobody has refused asks once, and tells nothing."""
    chain = alone(ScriptedProvider("a"), SharedState(refused_keys=states[0].refused_keys))
    world.ask(chain, mode)
    before = evaluations(redis_url)
    world.ask(chain, mode)
    assert evaluations(redis_url) - before == 1


@pytest.mark.parametrize("store", [MemoryKeyStore, lambda: RedisKeyStore(NOWHERE)], ids=["memory", "nowhere"])
def test_a_store_that_fails_leaves_a_chain_to_what_it_has_seen_itself(world, mode, store):
    """Without the server a refused key is remembered by the chain alone, as if nothing were shared."""
    provider = ScriptedProvider("a", refused_key(), credential="k")
    chain = alone(provider, SharedState(refused_keys=store()))
    for _ in range(2):
        assert isinstance(world.fail(chain, mode), AuthenticationError)
    assert len(provider.requests) == 1
    failed = [(event.store, event.operation, event.refuses) for event in world.events(StoreFailed)]
    assert failed in ([], [("keys", operation, False) for operation in ("look", "remember", "look")])
    assert bool(failed) == (store is not MemoryKeyStore)


RULES = st.builds(HealthRules, st.sampled_from([10 * NS, 30 * NS]), st.integers(1, 3), st.integers(1, 3))
HEARD = st.tuples(st.sampled_from(["claim", "success", "failure", "failure", "nothing"]), st.integers(0, 20))


@settings(max_examples=20, deadline=None)
@given(rules=RULES, steps=st.lists(HEARD, min_size=3, max_size=25))
def test_health_in_redis_is_what_it_is_in_memory(shared_url, rules, steps):
    """Claims, changes and readings are equal, whatever is told and when."""
    with RedisHealthStore(shared_url, namespace=f"health-{next(numbers)}") as store:
        theirs, ours, now = MemoryHealth(rules), store.health("a", rules), NS
        for what, seconds in steps:
            now += seconds * NS
            if what == "claim":
                assert ours.claim(now) == theirs.claim(now)
            else:
                assert ours.record(what, now) == theirs.record(what, now)
        assert ours.read() == theirs.read()


def test_f164_one_process_probes_and_all_know(states, world, mode):
    """Of two processes one asks a provider that is due, and what it finds out is what the other goes by."""
    providers = [ScriptedProvider("a", down()), ScriptedProvider("a", down())]
    chains = [
        alone(one, state, health=HealthConfig(interval=60, failure_threshold=1))
        for one, state in zip(providers, states, strict=True)
    ]
    world.fail(chains[0], mode)
    (report,) = chains[1].health.report()
    assert (report.state, report.failures) == ("unhealthy", 1)
    for chain in chains:
        chain.health.close()


def test_without_the_server_health_is_what_was_known_last(world, mode):
    """Calls go on, nobody is probed, and the trace says so."""
    state = RedisState(NOWHERE)
    chain = alone(ScriptedProvider("a"), SharedState(health=state.health), health=HealthConfig(interval=60))
    assert world.ask(chain, mode).content.strip() == "ok"
    assert {event.store for event in world.events(StoreFailed)} == {"health"}
    assert chain.health.report()[0].state == "healthy"
    chain.health.close()


@pytest.mark.parametrize("how", ["complete", "complete_async"])
def test_a_server_that_does_not_answer_is_waited_for_once(world, how):
    """One decision waits, once; for a while all others go on at once, each with its event."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        silent.setblocking(False)
        state = RedisState(f"redis://127.0.0.1:{silent.getsockname()[1]}/0", timeout=0.05)
        chain = FallbackChain([ScriptedProvider("a", "Paris")], shared=state, rate_limit=RateLimitConfig(rpm=5))
        assert world.ask(chain, how).content.strip() == "Paris"
        with silent.accept()[0], pytest.raises(BlockingIOError):
            silent.accept()
        state.close()
    failed = world.events(StoreFailed)
    assert [event.operation for event in failed] == ["look", "admit", "acquire"]
    assert [type(event.error) for event in failed] == [redis.TimeoutError] * 3
    assert ["in vain" in str(event.error) for event in failed] == [False, True, True]


def test_a_real_loop_waits_once_for_a_server_that_does_not_answer():
    """The connections of a loop keep to the same limit."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        silent.setblocking(False)
        state = RedisState(f"redis://127.0.0.1:{silent.getsockname()[1]}/0", timeout=0.05)
        circuit = state.breakers.circuit("a", CircuitBreakerConfig())

        async def story():
            return [await circuit.admit_async(0, False) for _ in range(2)]

        assert [given_here.generation for given_here in asyncio.run(story())] == [-1, -1]
        with silent.accept()[0], pytest.raises(BlockingIOError):
            silent.accept()


def test_one_argument_shares_what_every_policy_remembers(states, world, mode):
    """Circuit, limits, key and answers of one chain are those of the other."""
    config = {
        "circuit_breaker": CircuitBreakerConfig(failure_threshold=1),
        "rate_limit": RateLimitConfig(rpm=2, max_queue=0),
        "cache": ResponseCacheConfig(),
    }
    one, other = (alone(ScriptedProvider("a", "Paris", down()), state, **config) for state in states)
    assert world.ask(one, mode).content.strip() == "Paris"
    again = world.ask(other, "complete_async")
    assert (again.content.strip(), again.attempts[-1].outcome) == ("Paris", "cache_hit")
    two = REQUEST.with_max_tokens(7)
    world.fail(one, mode, two)
    error = world.fail(other, mode, two)
    assert isinstance(error, AllProvidersFailedError)
    assert other.breaker("a").state == "open"
    other.breaker("a").reset()
    assert isinstance(world.fail(one, mode, two), ThrottledError)


def test_limits_of_a_slot_are_shared_too(states, world, mode):
    """Where only a slot has limits, they count in the shared state as well."""
    slots = [
        FallbackSlot(provider=ScriptedProvider("a"), rate_limit=RateLimitConfig(rpm=1, max_queue=0)) for _ in states
    ]
    one, other = (
        FallbackChain([slot], retry=None, circuit_breaker=None, shared=state)
        for slot, state in zip(slots, states, strict=True)
    )
    world.ask(one, mode)
    assert isinstance(world.fail(other, mode), ThrottledError)


def test_what_a_policy_was_given_itself_goes_before_what_is_shared(states, world):
    """A store, a limiter or a cache of one's own is kept."""
    cache, limiter = ResponseCache(), RateLimiter(RateLimitConfig(rpm=1))
    chain = FallbackChain(
        [ScriptedProvider("a")],
        shared=states[0],
        cache=cache,
        rate_limit=limiter,
        health=HealthConfig(store=MemoryHealthStore()),
    )
    assert chain.cache is cache
    assert type(limiter.store).__name__ == "MemoryLimiterStore"
    assert isinstance(chain.health.config.store, MemoryHealthStore)
    assert chain.describe().options["shared"] == "RedisState"
    assert "127.0.0.1" not in str(chain.describe())


def test_the_builder_has_a_word_for_it(states):
    """`with_shared_state` is the argument."""
    chain = FallbackChain.builder().add(ScriptedProvider("a")).with_shared_state(states[0]).build()
    chain.breaker("a").isolate()
    assert states[1].breakers.circuit("a", CircuitBreakerConfig()).read().state == "isolated"


def test_something_else_is_refused():
    """An address alone is no state; the advice names what is."""
    with pytest.raises(ConfigurationError) as caught:
        FallbackChain([ScriptedProvider("a")], shared="redis://:secret@localhost")
    assert str(caught.value) == (
        "chain `fallback-chain`: `shared` is a `SharedState`, such as a `RedisState`, not str.\n"
        'To fix: shared=RedisState("redis://localhost:6379/0")'
    )


def test_check_passes_where_everything_is_there(states):
    """A server of today can do what is needed; on a loop the connections are let go as well."""
    states[0].check()
    asyncio.run(states[0].aclose())
    assert repr(states[0]).startswith("RedisState(127.0.0.1:")


@pytest.fixture
def old_server():
    """Return the port of a server that answers every command as one without scripts does."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve():
            try:
                while True:
                    connection, _ = listener.accept()
                    with connection:
                        while connection.recv(65536):
                            connection.sendall(b"-ERR unknown command 'EVALSHA'\r\n" * 3)
            except OSError:
                return

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield listener.getsockname()[1]
        listener.shutdown(socket.SHUT_RDWR)
    thread.join()


def test_check_says_what_to_do_where_nobody_listens():
    """The address is named, never the password."""
    with pytest.raises(ConfigurationError) as caught:
        RedisState(NOWHERE).check()
    assert str(caught.value) == (
        "no Redis answers at 127.0.0.1:1: ConnectionError.\n"
        "To fix: start it (redis-server --port 6379), or write the address of one that runs"
    )


def test_check_says_what_to_do_with_an_old_server(old_server):
    """A server that knows no scripts is named as such."""
    with pytest.raises(ConfigurationError, match="cannot run what shared state needs") as caught:
        RedisState(f"redis://127.0.0.1:{old_server}/0").check()
    assert "To fix: take Redis 4.0 or later" in str(caught.value)


def test_check_says_what_to_do_with_a_wrong_password(redis_url):
    """Who may not come in is told how to say who it is."""
    with redis.Redis.from_url(redis_url) as client:
        client.execute_command("ACL", "SETUSER", "reader", "on", ">right", "~*", "+@all")
    url = redis_url.replace("redis://", "redis://reader:wrong@")
    with pytest.raises(ConfigurationError, match="takes neither this name nor this password") as caught:
        RedisState(url).check()
    assert "wrong" not in str(caught.value)
    RedisState(url.replace("wrong", "right")).check()
