"""Stores against a small model of what they promise, and the file that several processes share."""

import os
import sqlite3
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from decimal import Decimal

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from llmtest import CompletionResponse, FinishReason, RedisCacheStore, ResponseCache, TextPart, ToolCall, Usage
from llmtest.errors import ConfigurationError
from llmtest.events import CacheFailed
from llmtest.resilience import CachedAnswer, MemoryCacheStore, Room, SqliteCacheStore, Which
from llmtest.resilience.cache._answer_codec import decode_answer, encode_answer
from llmtest.types import (
    AudioPart,
    Citation,
    FilePart,
    ImagePart,
    OpaquePart,
    RefusalPart,
    StreamEvent,
    ThinkingPart,
    TokenLogprob,
)
from tests.resilience.cache.test_cache import cached
from tests.resilience.scripted_provider import REQUEST, ScriptedProvider

KEYS = st.sampled_from("abcdef")
SPACES = st.sampled_from([None, "s", "t"])
VECTORS = {"a": (1.0, 0.0), "b": (0.8, 0.6), "c": (0.6, 0.8), "d": (0.0, 1.0), "e": (-1.0, 0.0), "f": (0.28, 0.96)}


def answer_of(key, stored_ns=0, ttl_ns=100, space=None, has_events=True):
    """Return an answer that differs from those of other keys and times."""
    return CachedAnswer(
        key=key,
        response=CompletionResponse(parts=(TextPart(f"{key} at {stored_ns}"),)),
        provider="p",
        model="m",
        stored_ns=stored_ns,
        ttl_ns=ttl_ns,
        events=(StreamEvent("text", key),) if has_events else None,
        space=space,
        vector=None if space is None else VECTORS[key],
    )


@dataclass
class Kept:
    """An answer in the model, and when it was used last."""

    answer: CachedAnswer
    used: int


class StoreMachine(RuleBasedStateMachine):
    """LRU and TTL, in the fewest words: a list that is searched from one end to the other."""

    make_store = MemoryCacheStore

    def __init__(self):
        super().__init__()
        self.store = None
        self.model = []
        self.now = 0
        self.uses = 0

    @initialize(most=st.integers(1, 4), surplus=st.integers(1, 3))
    def begin(self, most, surplus):
        self.room = Room(most, surplus)
        self.store = type(self).make_store()

    def teardown(self):
        if self.store is not None:
            self.store.close()

    def use(self, kept):
        self.uses += 1
        kept.used = self.uses

    def is_live(self, kept):
        return 0 <= self.now - kept.answer.stored_ns < kept.answer.ttl_ns

    @rule(ns=st.integers(1, 80))
    def let_time_pass(self, ns):
        self.now += ns

    @rule(key=KEYS, ttl=st.sampled_from([1, 50, 100]), space=SPACES, has_events=st.booleans())
    def put(self, key, ttl, space, has_events):
        answer = answer_of(key, self.now, ttl, space, has_events)
        self.model = [kept for kept in self.model if kept.answer.key != key]
        kept = Kept(answer, 0)
        self.model.append(kept)
        self.use(kept)
        expired = evicted = 0
        if len(self.model) > self.room.most:
            before = len(self.model)
            self.model = [kept for kept in self.model if self.is_live(kept)]
            expired = before - len(self.model)
        if len(self.model) > self.room.most:
            evicted = min(len(self.model) - 1, max(self.room.surplus, len(self.model) - self.room.most))
            self.model = sorted(self.model, key=lambda kept: kept.used)[evicted:]
        assert self.store.put(answer, self.room, self.now) == (evicted, expired)

    @rule(key=KEYS, needs_events=st.booleans())
    def find(self, key, needs_events):
        kept = next((kept for kept in self.model if kept.answer.key == key), None)
        if kept is None:
            expected = "missing"
        elif not self.is_live(kept):
            self.model.remove(kept)
            expected = "expired"
        elif needs_events and kept.answer.events is None:
            expected = "missing"
        else:
            self.use(kept)
            expected = kept.answer
        assert self.store.find(key, self.now, needs_events) == expected

    @rule(space=st.sampled_from(["s", "t"]), like=KEYS, threshold=st.sampled_from([0.5, 0.9]), needs=st.booleans())
    def nearest(self, space, like, threshold, needs):
        def cosine(kept):
            return sum(one * other for one, other in zip(kept.answer.vector, VECTORS[like], strict=True))

        found = self.store.nearest(space, VECTORS[like], threshold, self.now, needs)
        alike = [
            kept
            for kept in self.model
            if kept.answer.space == space
            and self.is_live(kept)
            and (kept.answer.events is not None or not needs)
            and cosine(kept) >= threshold
        ]
        if not alike:
            assert found is None
            return
        best = max(map(cosine, alike))
        assert found.similarity == pytest.approx(best)
        (kept,) = [kept for kept in alike if kept.answer.key == found.answer.key]
        assert cosine(kept) == pytest.approx(best)
        assert found.answer == kept.answer
        self.use(kept)

    @rule(key=KEYS)
    def remove(self, key):
        before = len(self.model)
        self.model = [kept for kept in self.model if kept.answer.key != key]
        assert self.store.remove(Which(key=key)) == before - len(self.model)

    @rule(ns=st.integers(0, 100))
    def remove_old(self, ns):
        before = len(self.model)
        self.model = [kept for kept in self.model if kept.answer.stored_ns > self.now - ns]
        assert self.store.remove(Which(until_ns=self.now - ns)) == before - len(self.model)

    @precondition(lambda self: self.store is not None)
    @invariant()
    def holds_as_many(self):
        assert self.store.size() == len(self.model) <= self.room.most


@pytest.mark.parametrize("kind", ["memory", "sqlite", "redis"])
def test_k10_a_store_agrees_with_a_small_model(kind, tmp_path, request):
    """Whatever is done in whatever order: what is found, what goes when there is no room, what has expired."""
    numbers = iter(range(10**6))
    machine = type("Machine", (StoreMachine,), {})
    if kind == "sqlite":
        machine.make_store = staticmethod(lambda: SqliteCacheStore(tmp_path / f"{next(numbers)}.db"))
    if kind == "redis":
        url = request.getfixturevalue("redis_url")
        machine.make_store = staticmethod(lambda: RedisCacheStore(url, namespace=f"model-{next(numbers)}"))
    rounds = settings(
        max_examples=30 if kind == "memory" else 8,
        stateful_step_count=30,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    run_state_machine_as_test(machine, settings=rounds)


def test_k10_the_one_that_was_used_least_recently_goes_first(store):
    """A use counts, a store counts, and an expired one goes before all others."""
    room = Room(3, 1)
    for key in "abc":
        store.put(answer_of(key), room, 0)
    store.find("a", 0, needs_events=False)
    assert store.put(answer_of("d"), room, 0) == (1, 0)
    assert store.find("b", 0, needs_events=False) == "missing"
    store.put(answer_of("c", ttl_ns=5), room, 0)
    assert store.put(answer_of("e", 5), room, 5) == (0, 1)
    assert [key for key in "abcde" if store.find(key, 5, needs_events=False) != "missing"] == ["a", "d", "e"]


def test_f112_a_share_of_the_answers_goes_at_once(store):
    """Llmkit's tenth, and never the one that has just been kept."""
    for number in range(20):
        store.put(answer_of(f"k{number}"), Room(20, 2), 0)
    assert store.put(answer_of("new"), Room(20, 2), 0) == (2, 0)
    assert store.size() == 19
    assert store.put(answer_of("newer"), Room(1, 50), 0) == (19, 0)
    assert store.find("newer", 0, needs_events=False) == answer_of("newer")


def test_an_answer_of_another_run_of_time_is_none(store):
    """A clock that has begun anew knows nothing of answers that were kept later than now."""
    store.put(answer_of("a", 500), Room(5, 1), 500)
    assert store.find("a", 10, needs_events=False) == "expired"


EVERYTHING = CompletionResponse(
    parts=(
        TextPart("ü\ud800", (Citation("https://a", start=1, unit="char"),), (TokenLogprob("a", -0.5, b"\xff"),)),
        ImagePart(data="aGk=", media_type="image/png"),
        FilePart(text="x", name="n"),
        AudioPart("aGk=", transcript="hi"),
        ThinkingPart("hm", "sig", summary=("a", "b")),
        RefusalPart("no"),
        ToolCall("1", "f", "{", server=True),
        OpaquePart({"a": [1, {"b": None}], "c": [["", 2]]}, "openai"),
    ),
    finish_reason=FinishReason.LENGTH,
    usage=Usage(1, 2, 3, server_tools=(("web_search", 1),), cost_usd=Decimal("0.10")),
    alternatives=(CompletionResponse(parts=(TextPart("other"),), finish_reason=None),),
    extra={"openai": {"list": [1, 2.5, True, None], "finish": ["finish", "stop"]}},
    id="id",
    model="m",
    service_tier="flex",
)


def test_whatever_an_answer_holds_is_kept(store):
    """Every part, number and reason comes back equal, with the pieces of a stream."""
    events = (
        StreamEvent("start", id="id", model="m"),
        StreamEvent("opaque", data={"x": [1]}),
        StreamEvent("tool_call", index=1, id="c", name="f"),
        StreamEvent("finish", finish_reason=FinishReason.STOP, raw_finish_reason="end_turn"),
        StreamEvent("usage", usage=Usage(1, 2)),
    )
    answer = replace(
        answer_of("a", space="s"), response=EVERYTHING, events=events, tenant="t", labels={"a": "b"}, model=None
    )
    store.put(answer, Room(5, 1), 0)
    assert store.find("a", 0, needs_events=True) == answer


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"[]",
        b"3",
        b'["CachedAnswer",{}]',
        b'["CachedAnswer",{"more":1}]',
        b'["os.system",{}]',
        b'["TextPart",{"text":"x"}]',
        b'["CachedAnswer",[]]',
        b"\xff",
        b'["decimal","x"]',
    ],
)
def test_what_cannot_be_read_is_no_answer(data):
    """Damaged data, other versions and other people's classes make nothing but a ValueError."""
    with pytest.raises(ValueError):  # noqa: PT011 - whatever is wrong with it
        decode_answer(data)
    assert decode_answer(encode_answer(answer_of("a"))) == answer_of("a")


def test_a_damaged_answer_in_the_file_is_missing(tmp_path):
    """It is forgotten, and the rest of the file goes on."""
    with SqliteCacheStore(tmp_path / "a.db") as store:
        for key in "ab":
            store.put(answer_of(key, space="s"), Room(5, 1), 0)
        with sqlite3.connect(store.path) as other:
            other.execute("UPDATE answers SET answer = '[' WHERE key = 'a'")
        other.close()
        assert store.nearest("s", VECTORS["a"], 0.9, 0, needs_events=False) is None
        assert store.find("a", 0, needs_events=False) == "missing"
        assert store.find("b", 0, needs_events=False) == answer_of("b", space="s")
        assert store.size() == 1


def test_a_file_outlives_its_process(world, tmp_path):
    """Another process finds the answers, as long as their time lasts by wall time."""
    code = (
        "import sys; from llmtest.resilience import CachedAnswer, Room, SqliteCacheStore\n"
        "from llmtest.types import CompletionResponse\n"
        "given = {'response': CompletionResponse(), 'provider': 'p', 'model': 'm', 'stored_ns': 10, 'ttl_ns': 100}\n"
        "SqliteCacheStore(sys.argv[1]).put(CachedAnswer(key='a', **given), Room(5, 1), 10)"
    )
    subprocess.run([sys.executable, "-c", code, str(tmp_path / "a.db")], check=True)
    with SqliteCacheStore(tmp_path / "a.db") as store:
        assert store.is_shared
        assert store.find("a", 20, needs_events=False).stored_ns == 10
        assert store.find("a", 110, needs_events=False) == "expired"

    chain = cached(ScriptedProvider("a", "Paris"), cache=ResponseCache(store=SqliteCacheStore(tmp_path / "b.db")))
    world.ask(chain)
    chain.cache.close()
    again = cached(ScriptedProvider("a", "Rome"), cache=ResponseCache(store=SqliteCacheStore(tmp_path / "b.db")))
    assert world.ask(again).content == "Paris"
    again.cache.close()


def test_two_stores_of_one_file_are_one(tmp_path):
    """What one keeps, the other finds; room is that of both together; a deleted file begins anew."""
    with SqliteCacheStore(tmp_path / "a.db") as one, SqliteCacheStore(tmp_path / "a.db") as other:
        one.put(answer_of("a"), Room(2, 1), 0)
        other.put(answer_of("b"), Room(2, 1), 0)
        assert one.find("a", 0, needs_events=False) == answer_of("a")
        assert one.put(answer_of("c"), Room(2, 1), 0) == (1, 0)
        assert other.find("b", 0, needs_events=False) == "missing"
        for path in tmp_path.iterdir():
            path.unlink()
        assert other.size() == 0


def test_a_file_of_something_else_is_refused(tmp_path):
    """The text names the file and what to do."""
    path = tmp_path / "other.db"
    with sqlite3.connect(path) as other:
        other.execute("CREATE TABLE t (a)")
    other.close()
    for wrong, why in (
        (path, "it is an SQLite file of something else"),
        (tmp_path / "no" / "a.db", "unable to open database file"),
    ):
        with pytest.raises(ConfigurationError) as caught:
            SqliteCacheStore(wrong)
        assert str(caught.value).startswith(f"the cache file `{wrong}` cannot be used: {why}")
        assert "To fix: name a file" in str(caught.value)
    with pytest.raises(ConfigurationError, match="timeout must be 0 or more seconds, got -1"):
        SqliteCacheStore(path, timeout=-1)


def test_a_locked_file_stands_in_nobody_s_way(world, mode, tmp_path):
    """The call goes on without the cache, and the trace has the reason."""
    with SqliteCacheStore(tmp_path / "a.db", timeout=0) as store:
        provider = ScriptedProvider("a", "Paris", "Rome")
        chain = cached(provider, cache=ResponseCache(store=store))
        other = sqlite3.connect(store.path, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        assert world.ask(chain, mode).content == "Paris"
        other.execute("ROLLBACK")
        other.close()
        assert world.ask(chain, mode).content == "Rome"
        assert world.ask(chain, mode).content == "Rome"
    failed = world.events(CacheFailed)
    assert [(event.operation, str(event.error)) for event in failed] == [
        ("find", "database is locked"),
        ("put", "database is locked"),
    ]
    assert chain.cache.stats().failures == 2


class Distant(MemoryCacheStore):
    """A store that waits for a network, and counts its round trips."""

    def __init__(self):
        super().__init__()
        self.trips = []

    async def find_async(self, *arguments):
        self.trips.append("find")
        return super().find(*arguments)

    async def put_async(self, *arguments):
        self.trips.append("put")
        return super().put(*arguments)


def test_a_store_that_waits_is_awaited_on_an_event_loop(world):
    """One round trip for each decision; blocking calls use the methods that block."""
    store = Distant()
    chain = cached(ScriptedProvider("a"), cache=ResponseCache(store=store))
    for mode in ("complete_async", "complete_async", "complete"):
        world.ask(chain, mode)
    assert store.trips == ["find", "put", "find"]
    assert chain.cache.stats().hits == 2


def test_an_answer_that_cannot_be_written_is_given_all_the_same(world, tmp_path):
    """What JSON has no word for stays out of the file."""
    strange = CompletionResponse(parts=(TextPart("x"),), extra={"openai": {"a": object}})

    class Strange(ScriptedProvider):
        def _response(self, text):
            return strange

    with SqliteCacheStore(tmp_path / "a.db") as store:
        chain = cached(Strange("a"), cache=ResponseCache(store=store))
        assert world.ask(chain, request=REQUEST).content == "x"
        assert [event.operation for event in world.events(CacheFailed)] == ["put"]
        assert store.size() == 0


def test_processes_and_threads_may_write_at_the_same_time(tmp_path):
    """Each decision is a whole: with four connections to one file nothing fails, and there is never too much in it."""
    stores = [SqliteCacheStore(tmp_path / "a.db", timeout=30) for _ in range(4)]

    def work(number):
        store = stores[number]
        for step in range(15):
            store.put(answer_of(f"{number}-{step}"), Room(10, 3), 0)
            store.find(f"{number}-{step}", 0, needs_events=False)
            assert store.size() <= 10
        return store.find(f"{number}-14", 0, needs_events=False)

    with ThreadPoolExecutor(4) as pool:
        last = list(pool.map(work, range(4)))
    assert any(isinstance(found, CachedAnswer) for found in last)
    assert 1 <= stores[0].size() <= 10
    for store in stores:
        store.close()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
def test_a_fork_opens_the_file_anew(tmp_path):
    """A child does not use the connection of its parent, and both go on; it waits for none of the parent's calls."""
    cache = ResponseCache(store=SqliteCacheStore(tmp_path / "a.db"))
    cache.flights.take_seat(("k", False), is_blocking=True)
    child = os.fork()
    if child == 0:
        try:
            cache.store.put(answer_of("a"), Room(5, 1), 0)
            os._exit(0 if len(cache.flights) == 0 else 3)
        finally:
            os._exit(4)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert cache.store.find("a", 0, needs_events=False) == answer_of("a")
    assert len(cache.flights) == 1
    cache.close()
