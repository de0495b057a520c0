"""Limits in Redis: equal to those in memory, one queue for all processes, one round trip each, and an outage."""

import asyncio
import time
from itertools import count

import pytest
import redis
from hypothesis import given, settings
from hypothesis import strategies as st

from llmtest import FallbackChain, RateLimitConfig, RateLimiter, RedisLimiterStore
from llmtest.errors import ConfigurationError, ThrottledError
from llmtest.events import LimitWaited, StoreFailed
from llmtest.resilience import Asking, Ended, MemoryLimiterStore
from tests.resilience.scripted_provider import REQUEST, ScriptedProvider, Slow, ask
from tests.stores.test_redis_cache import evaluations

NS = 1_000_000_000
NOWHERE = "redis://:secret@127.0.0.1:1/0"
KINDS = st.sampled_from(["requests", "tokens", "input_tokens", "output_tokens"])
TOLD = st.dictionaries(KINDS, st.tuples(st.integers(1, 60), st.integers(0, 60), st.sampled_from([0, NS, 7 * NS])))
STEP = st.one_of(
    st.tuples(st.just("ask"), st.integers(1, 45), st.sampled_from([None, 0, 5, 90])),
    st.tuples(st.just("ask"), st.integers(1, 45), st.none()),
    st.tuples(st.just("end"), st.integers(0, 9), st.one_of(st.none(), st.integers(0, 50)), TOLD),
    st.tuples(st.just("end"), st.integers(0, 9), st.just("unsent"), st.just({})),
    st.tuples(st.just("pause"), st.integers(0, 9), st.integers(1, 20)),
    st.tuples(st.just("wait"), st.sampled_from([1, 400_000, 1_000_000, 9_000_000, 35_000_000])),
)
numbers = count()


@pytest.fixture(scope="module")
def shared_url(redis_url):
    """Return the address, in a fixture of the module, as hypothesis likes it."""
    return redis_url


@pytest.fixture
def stores(redis_url):
    """Return two stores of one namespace, as two processes have them."""
    namespace = f"limiter-{next(numbers)}"
    stores = [RedisLimiterStore(redis_url, namespace=namespace) for _ in range(2)]
    yield stores
    for store in stores:
        store.close()


def limited(provider, store, **limits):
    """Return a chain of one provider with limits in a store, and nothing else."""
    limiter = RateLimiter(RateLimitConfig(**limits), store=store)
    return FallbackChain([provider], rate_limit=limiter, retry=None, circuit_breaker=None)


class Both:
    """A limiter in memory and one in Redis that are told the same; what they say must be the same."""

    def __init__(self, url, limits):
        self.config = RateLimitConfig(queue_timeout=None, **limits)
        self.memory = MemoryLimiterStore()
        self.redis = RedisLimiterStore(url, namespace=f"equal-limits-{next(numbers)}")
        self.now, self.running, self.waiting = 0, [], []

    def ask(self, tokens, seconds=None):
        """Ask for a permit that is wanted within some seconds."""
        latest = None if seconds is None else self.now + seconds * NS
        self.look([Asking("k", self.config, 1, tokens, latest, "deadline", lambda: None) for _ in range(2)])

    def look(self, pair):
        """Have one ask, or ask again. Of two limits that let it go at the same microsecond either may be named."""
        expected, given_here = self.memory.acquire(pair[0], self.now), self.redis.acquire(pair[1], self.now)
        assert (given_here.is_granted, given_here.refusal) == (expected.is_granted, expected.refusal)
        for ours, theirs in ((given_here.ready_ns, expected.ready_ns), (given_here.look_ns, expected.look_ns)):
            assert ours == (theirs and pytest.approx(theirs, abs=2000))
        if pair in self.waiting:
            self.waiting.remove(pair)
        if expected.is_granted:
            self.running.append(pair)
        elif expected.refusal is None:
            self.waiting.append(pair)
        self.waiting.sort(key=lambda each: int(each[1].id))

    def end(self, index, tokens, told):
        """End one that runs, with what its provider told."""
        self._release(index, Ended(tokens != "unsent", None if tokens == "unsent" else tokens, told, self.now))

    def pause(self, index, seconds):
        """End one with a `Retry-After`."""
        self._release(index, Ended(True, pause_ns=seconds * NS))

    def _release(self, index, ended):
        if self.running:
            pair = self.running.pop(index % len(self.running))
            self.memory.release(pair[0], ended, self.now)
            self.redis.release(pair[1], ended, self.now)

    def wait(self, microseconds):
        """Let time pass."""
        self.now += microseconds * 1000


@settings(max_examples=25, deadline=None)
@given(
    steps=st.lists(STEP, min_size=5, max_size=30),
    limits=st.fixed_dictionaries(
        {"rpm": st.sampled_from([None, 2, 5]), "tpm": st.sampled_from([None, 50, 90])},
        optional={"concurrency": st.integers(1, 3), "max_queue": st.integers(0, 2)},
    ),
)
def test_a_limiter_in_redis_decides_as_one_in_memory(shared_url, steps, limits):
    """Grants, waits, refusals and foretold times are equal, whatever providers tell; all who wait look each time."""
    both = Both(shared_url, limits)
    for kind, *how in steps:
        getattr(both, kind)(*how)
        for pair in both.waiting.copy():
            both.look(pair)
        counts = both.memory.running("k"), both.memory.waiting("k")
        assert (both.redis.running("k"), both.redis.waiting("k")) == counts
    both.redis.close()


def test_each_decision_is_one_round_trip(stores, redis_url, world, mode):
    """One to let a request go and one for its end, in each of the four ways to ask."""
    chain = limited(ScriptedProvider("a"), stores[0], rpm=100, tpm=100_000, concurrency=5)
    world.ask(chain, mode)
    before = evaluations(redis_url)
    world.ask(chain, mode)
    assert evaluations(redis_url) - before == 2


def test_two_stores_count_together(stores, world, mode):
    """What one process has sent, another one does not send too: it waits until that is a minute old."""
    chains = [limited(ScriptedProvider("a"), store, rpm=2, queue_timeout=90) for store in stores]
    for chain in (*chains, chains[0]):
        world.ask(chain, mode)
    assert world.clock.elapsed() == 60.0
    (waited,) = world.trace.of(LimitWaited)
    assert (waited.limit, waited.waited) == ("rpm", 60.0)


def test_one_queue_for_all_processes(stores, world):
    """Callers of two processes go in the order in which they came, one at a time, and nothing is left."""
    provider = ScriptedProvider("a", Slow(2, "ok"))
    chains = [limited(provider, store, concurrency=1, queue_timeout=None) for store in stores]

    async def caller(number):
        await asyncio.sleep(number / 10)
        await ask(chains[number % 2], request=REQUEST.with_max_tokens(number + 1))

    async def scenario():
        await asyncio.gather(*(caller(number) for number in range(6)))

    world.run(scenario())
    assert [request.max_tokens for request in provider.requests] == [1, 2, 3, 4, 5, 6]
    assert provider.most_in_flight == 1
    assert 12 <= world.clock.elapsed() < 13
    assert [(store.running("a"), store.waiting("a")) for store in stores] == [(0, 0)] * 2


def test_a_slot_that_another_process_gives_back_is_seen_in_real_time(stores):
    """On a real event loop a request that waits for a slot gets it within some hundredths of a second."""
    first, second = (
        limited(ScriptedProvider("a", Slow(0.05, "ok")), store, concurrency=1, queue_timeout=None) for store in stores
    )

    async def scenario():
        start = time.perf_counter()
        await asyncio.gather(first.complete_async(REQUEST), second.complete_async(REQUEST))
        return time.perf_counter() - start

    assert asyncio.run(scenario()) < 2


def test_what_a_provider_tells_one_process_holds_for_all(stores, world, mode):
    """A `Retry-After` keeps every process from that key."""
    from tests.resilience.scripted_provider import limited as too_many

    provider = ScriptedProvider("a", too_many(12), "ok")
    chains = [limited(provider, store, rpm=100) for store in stores]
    world.fail(chains[0], mode)
    world.ask(chains[1], mode)
    assert provider.starts == [0.0, 12.0]


def test_a_request_of_a_killed_process_gives_its_slot_back_when_its_lease_is_over(redis_url):
    """Nobody says that it ended; after `lease` seconds its slot is free, and its tokens count to their minute's end."""
    config = RateLimitConfig(concurrency=1, queue_timeout=None)
    with RedisLimiterStore(redis_url, namespace=f"limiter-{next(numbers)}", lease=20) as store:
        lost, other = (Asking("k", config, 1, 5, None, "deadline", lambda: None) for _ in range(2))
        assert store.acquire(lost, 0).is_granted
        waiting = store.acquire(other, 19 * NS)
        assert (waiting.is_granted, waiting.limit, waiting.look_ns) == (False, "concurrency", None)
        assert waiting.poll_ns == 19 * NS + 25_000_000
        assert store.acquire(other, 20 * NS).is_granted


def test_one_that_waits_and_is_not_seen_any_more_has_left_the_queue(stores):
    """A process that was killed while it waited stops blocking the others; one that was only slow keeps its place."""
    config = RateLimitConfig(rpm=1, queue_timeout=None)
    slow, killed, third = (Asking("k", config, 1, 5, None, "deadline", lambda: None) for _ in range(3))
    first = Asking("k", config, 1, 5, None, "deadline", lambda: None)
    assert stores[0].acquire(first, 0).is_granted
    for asking in (slow, killed, third):
        assert not stores[1].acquire(asking, NS).is_granted
    for second in range(2, 60):
        assert not stores[0].acquire(third, second * NS).is_granted
    assert stores[0].waiting("k") == 1
    assert not stores[1].acquire(slow, 59 * NS).is_granted
    assert not stores[0].acquire(third, 60 * NS).is_granted
    assert stores[1].acquire(slow, 60 * NS).is_granted


@pytest.mark.parametrize("on_down", ["open", "closed"])
def test_without_the_server_requests_pass_or_are_refused_as_configured(world, mode, on_down):
    """`open` lets them pass uncounted, `closed` refuses them; either way the trace says so, once a request."""
    provider = ScriptedProvider("a", "Paris")
    chain = limited(provider, RedisLimiterStore(NOWHERE, on_down=on_down), rpm=1)
    for _ in range(2):
        if on_down == "open":
            assert world.ask(chain, mode).content.strip() == "Paris"
        else:
            error = world.fail(chain, mode)
            assert isinstance(error, ThrottledError)
            assert (error.cause, provider.requests) == ("store_down", [])
            assert "its limits cannot be asked for" in str(error)
    failed = world.events(StoreFailed)
    assert [(event.store, event.operation, event.refuses) for event in failed] == [
        ("limiter", "acquire", on_down == "closed")
    ] * 2
    assert "secret" not in world.trace.render()


def test_an_outage_in_the_middle_of_a_request_leaves_its_slot_to_the_lease(stores, world, monkeypatch):
    """The answer is handed over, and the event says what was not told."""
    chain = limited(ScriptedProvider("a", "Paris"), stores[0], concurrency=1)
    server = stores[0]._server
    real = server.run

    def cut(script, keys, arguments):
        if len(arguments) == 7:
            raise redis.ConnectionError("gone")
        return real(script, keys, arguments)

    monkeypatch.setattr(server, "run", cut)
    assert world.ask(chain).content.strip() == "Paris"
    assert [event.operation for event in world.events(StoreFailed)] == ["release"]
    assert stores[1].running("a") == 1


def test_keys_do_not_stay_for_ever(stores, redis_url):
    """Everything that is kept of a key goes a day after it was used last."""
    config = RateLimitConfig(rpm=1, queue_timeout=None)
    for _ in range(2):
        stores[0].acquire(Asking("k", config, 1, 5, None, "deadline", lambda: None), 0)
    with redis.Redis.from_url(redis_url) as client:
        left = [client.ttl(name) for name in client.scan_iter(f"{{{stores[0]._namespace}:limits:k}}*")]
    assert len(left) == 7
    assert all(86_390 < seconds <= 86_400 for seconds in left)


def test_what_a_clock_far_ahead_has_counted_does_not_block_the_others(stores):
    """Two clocks that differ by more than a minute do not see what the other one counted."""
    config = RateLimitConfig(rpm=1, queue_timeout=None)
    ahead, here = (Asking("k", config, 1, 5, None, "deadline", lambda: None) for _ in range(2))
    assert stores[0].acquire(ahead, 3600 * NS).is_granted
    assert stores[1].acquire(here, 0).is_granted


@pytest.mark.parametrize(
    ("arguments", "text"),
    [({"lease": 0}, "lease must be above 0 seconds, got 0"), ({"on_down": True}, "on_down is `open`")],
)
def test_what_cannot_be_is_refused_when_it_is_made(arguments, text):
    """A value out of range is told of before any request."""
    with pytest.raises(ConfigurationError) as caught:
        RedisLimiterStore("redis://localhost", **arguments)
    assert str(caught.value).startswith(text)
