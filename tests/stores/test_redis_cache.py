"""Answers in Redis: what several processes share, what a round trip is, and what happens without the server."""

import asyncio
import sys

import pytest
import redis

from llmtest import RedisCacheStore, ResponseCache
from llmtest.errors import ConfigurationError
from llmtest.events import CacheFailed
from llmtest.resilience import Room, Which
from tests.resilience.cache.test_cache import cached
from tests.resilience.cache.test_stores import VECTORS, answer_of
from tests.resilience.scripted_provider import ScriptedProvider

ROOM = Room(5, 1)


@pytest.fixture
def store(redis_url):
    """Return an empty store on a real Redis."""
    with RedisCacheStore(redis_url) as store:
        store.remove(Which())
        yield store


def evaluations(url):
    """Return how many commands that run scripts, or load them, the server has had."""
    with redis.Redis.from_url(url) as client:
        stats = client.info("commandstats")
    return sum(stats.get(f"cmdstat_{name}", {"calls": 0})["calls"] for name in ("evalsha", "eval", "script|load"))


def test_each_decision_is_one_round_trip(store, redis_url):
    """A script that the server knows is one command; another namespace needs no other script."""
    for _ in range(2):
        before = evaluations(redis_url)
        store.put(answer_of("a", space="s"), ROOM, 0)
        store.find("a", 0, needs_events=False)
        store.nearest("s", VECTORS["a"], 0.9, 0, needs_events=False)
        trips = evaluations(redis_url) - before
    assert trips == 3


def test_an_event_loop_has_connections_of_its_own(store):
    """The same answers on a loop, which closes what it opened when it ends; another loop opens them again."""
    answer = answer_of("a", space="s")

    async def both():
        assert await store.put_async(answer, ROOM, 0) == (0, 0)
        assert await store.find_async("a", 0, needs_events=True) == answer
        near = await store.nearest_async("s", VECTORS["b"], 0.7, 0, needs_events=False)
        return near.answer, round(near.similarity, 9)

    for _ in range(2):
        assert asyncio.run(both()) == (answer, 0.8)

    async def closed():
        await store.find_async("a", 0, needs_events=True)
        await store.aclose()
        return await store.find_async("b", 0, needs_events=True)

    assert asyncio.run(closed()) == "missing"


def test_a_server_that_has_forgotten_the_scripts_is_told_again(store, redis_url):
    """After a restart or a flush of scripts, both ways to ask go on."""
    store.put(answer_of("a"), ROOM, 0)
    with redis.Redis.from_url(redis_url) as client:
        client.script_flush()
        assert store.find("a", 0, needs_events=False) == answer_of("a")
        client.script_flush()
    assert asyncio.run(store.find_async("a", 0, needs_events=False)) == answer_of("a")


def test_wall_time_is_exact_to_the_nanosecond(store):
    """Times that no float holds end where they end."""
    now = 1_796_000_000_000_000_001
    store.put(answer_of("a", now, ttl_ns=100), ROOM, now)
    assert store.find("a", now - 1, needs_events=False) == "expired"
    store.put(answer_of("a", now, ttl_ns=100), ROOM, now)
    assert store.find("a", now + 99, needs_events=False) != "expired"
    assert store.find("a", now + 100, needs_events=False) == "expired"


@pytest.mark.parametrize("is_async", [False, True])
def test_a_damaged_answer_in_redis_is_missing(store, redis_url, is_async):
    """It is forgotten, and the rest goes on; so is one that the server has put out for want of memory."""

    def find(key):
        if is_async:
            return asyncio.run(store.find_async(key, 0, needs_events=False))
        return store.find(key, 0, needs_events=False)

    def nearest(key):
        if is_async:
            return asyncio.run(store.nearest_async("s", VECTORS[key], 0.99, 0, needs_events=False))
        return store.nearest("s", VECTORS[key], 0.99, 0, needs_events=False)

    for key in "abcd":
        store.put(answer_of(key, space="s"), ROOM, 0)
    with redis.Redis.from_url(redis_url) as client:
        client.hset("{llmtest:cache}:answers", "a", "[")
        client.hset("{llmtest:cache}:answers", "b", "[")
        client.hdel("{llmtest:cache}:answers", "d")
    assert nearest("a") is None
    assert find("b") == "missing"
    assert nearest("d") is None
    assert find("c") == answer_of("c", space="s")
    assert store.size() == 1


def test_namespaces_are_apart_and_do_not_stay_for_ever(store, redis_url):
    """Another namespace has other answers; the keys of each go a day after the last answer could have been used."""
    with RedisCacheStore(redis_url, namespace="other") as other:
        other.remove(Which())
        store.put(answer_of("a", ttl_ns=3_600_000_000_000, space="s"), ROOM, 0)
        store.put(answer_of("b", ttl_ns=1), ROOM, 0)
        assert other.find("a", 0, needs_events=False) == "missing"
    with redis.Redis.from_url(redis_url) as client:
        left = [client.ttl(key) for key in client.scan_iter("{llmtest:cache}*")]
    assert len(left) == 5
    assert all(89_000 < seconds <= 90_000 for seconds in left)


def test_answers_go_by_hand(store):
    """By key, by what they are, by a function, and all of them."""
    for number, key in enumerate("abcd"):
        store.put(answer_of(key, number, space="s"), ROOM, 3)
    assert store.remove(Which(key="a")) == 1
    assert store.remove(Which(until_ns=1)) == 1
    assert store.remove(Which(model="m"), lambda answer: answer.vector == VECTORS["c"]) == 1
    assert store.remove(Which(provider="nobody")) == 0
    assert store.remove(Which()) == 1
    assert store.size() == 0


def test_without_the_server_calls_go_on_without_the_cache(world, mode):
    """Nobody listens: the provider answers, and the trace has the reason."""
    store = RedisCacheStore("redis://:secret@127.0.0.1:1/0")
    chain = cached(ScriptedProvider("a", "Paris"), cache=ResponseCache(store=store))
    assert world.ask(chain, mode).content == "Paris"
    failed = world.events(CacheFailed)
    assert [event.operation for event in failed] == ["find", "put"]
    assert all(isinstance(event.error, redis.ConnectionError) for event in failed)
    assert "secret" not in "".join(str(event.error) for event in failed)


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (("http://localhost",), "the URL of Redis cannot be read: Redis URL must specify one of"),
        (("redis://:secret@localhost:port",), "the URL of Redis cannot be read"),
        (("redis://localhost", {"timeout": 0}), "timeout must be above 0 seconds, got 0"),
        (("redis://localhost", {"namespace": ""}), "namespace must be a name without braces, got ''"),
        (("redis://localhost", {"namespace": "{a}"}), "namespace must be a name without braces, got '{a}'"),
    ],
)
def test_what_cannot_be_is_refused_when_it_is_made(arguments, text):
    """The text says what is wrong, never the password."""
    with pytest.raises(ConfigurationError) as caught:
        RedisCacheStore(arguments[0], **(arguments[1] if arguments[1:] else {}))
    assert str(caught.value).startswith(text)
    assert "secret" not in str(caught.value)


def test_without_the_library_the_error_says_how_to_get_it(monkeypatch):
    """An extra that is not installed is named."""
    monkeypatch.setitem(sys.modules, "redis", None)
    with pytest.raises(ConfigurationError, match="needs the package `redis`, which is not installed") as caught:
        RedisCacheStore("redis://localhost")
    assert "[redis]" in str(caught.value)
