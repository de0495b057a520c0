"""What calls tell of a provider, and how the selection goes by it."""

import asyncio
import logging

import pytest

from llmtest import (
    AdaptiveRoutingConfig,
    CircuitBreakerConfig,
    FallbackChain,
    FallbackSlot,
    HealthConfig,
    HedgingConfig,
    ResponseCacheConfig,
    RetryConfig,
    TimeoutConfig,
)
from llmtest.errors import (
    AuthenticationError,
    ContentFilteredError,
    ContextLengthExceededError,
    DeadlineExceededError,
    InvalidRequestError,
    ModelNotFoundError,
    QuotaExceededError,
    StreamInterruptedError,
)
from llmtest.events import HealthChanged, HealthSkipped
from llmtest.resilience import MemoryHealthStore
from tests.resilience.scripted_provider import REQUEST, Cut, ScriptedProvider, Slow, ask, down, limited, outcomes

CALLS = HealthConfig(active=False, failure_threshold=2, recovery_threshold=2)
"""Calls alone tell."""


def chain_of(*providers, health=CALLS, **rest):
    """Return a chain with health and no other policy."""
    return FallbackChain(list(providers), health=health, **{"retry": None, "circuit_breaker": None, **rest})


def served(world, chain, count, mode="complete_async"):
    """Ask so often, and return who answered."""
    return "".join(world.ask(chain, mode).provider for _ in range(count))


def test_f166_failures_in_a_row_make_ill_and_successes_well(world, mode):
    """After two failures the neighbour is asked first, in every way to ask."""
    first = ScriptedProvider("a", "ok", down(), "ok", down(), down(), "ok")
    chain = chain_of(first, ScriptedProvider("b"))
    assert served(world, chain, 7, mode) == "ababbbb"
    assert len(first.requests) == 5
    (changed,) = world.trace.of(HealthChanged)
    assert (changed.to_state, changed.source, changed.count, changed.outcome) == ("unhealthy", "call", 2, "503")
    assert len(world.trace.of(HealthSkipped)) == 2


def test_a_call_counts_once_however_often_it_was_retried(world):
    """Health sees one result of a call at a place, as a circuit does."""
    first = ScriptedProvider("a", down(), down(), down(), "ok")
    chain = chain_of(first, ScriptedProvider("b"), retry=RetryConfig(max_attempts=3, base_delay=0.1))
    assert served(world, chain, 2) == "ba"
    assert chain.health.report()[0].failures == 0


@pytest.mark.parametrize(
    "error",
    [
        InvalidRequestError("bad", status=400),
        ModelNotFoundError("gone", status=404),
        ContextLengthExceededError("long", status=400),
        ContentFilteredError("no", status=400),
        limited(),
    ],
    ids=lambda error: type(error).__name__,
)
def test_h01_what_the_caller_did_makes_nobody_ill(world, error):
    """A wrong request, and a quota that is full, say nothing of the provider."""
    chain = chain_of(ScriptedProvider("a", error), health=HealthConfig(active=False, failure_threshold=1))
    world.fail(chain)
    (found,) = chain.health.report()
    assert (found.state, found.failures) == ("healthy", 0)


@pytest.mark.parametrize(
    "error",
    [AuthenticationError("bad", status=401), QuotaExceededError("empty", status=429), StreamInterruptedError("cut")],
    ids=lambda error: type(error).__name__,
)
def test_what_all_calls_would_meet_makes_ill(world, error):
    """A refused key, an empty account, a broken stream: the next call would fare no better."""
    chain = chain_of(ScriptedProvider("a", error), health=HealthConfig(active=False, failure_threshold=1))
    world.fail(chain)
    assert chain.health.report()[0].state == "unhealthy"


def test_h01_the_caller_s_own_deadline_makes_nobody_ill(world):
    """A caller in a hurry takes a provider away from nobody else."""
    config = HealthConfig(active=False, failure_threshold=1)
    chain = chain_of(ScriptedProvider("a", Slow(5)), timeouts=TimeoutConfig(deadline=1.0), health=config)
    assert isinstance(world.fail(chain), DeadlineExceededError)
    assert chain.health.report()[0].state == "healthy"


def test_a_cancelled_call_tells_nothing(world):
    """Who gives up says nothing of whom he gave up on."""
    chain = chain_of(ScriptedProvider("a", Slow(5)), health=HealthConfig(active=False, failure_threshold=1))

    async def scenario():
        call = asyncio.create_task(ask(chain))
        await asyncio.sleep(1)
        call.cancel()
        await asyncio.wait([call])

    world.run(scenario())
    assert chain.health.report()[0].failures == 0


@pytest.mark.parametrize("streaming", ["stream", "stream_async"])
def test_a_stream_tells_at_its_end(world, streaming):
    """One that breaks after it was seen is a failure; one that ends is a success."""
    config = HealthConfig(active=False, failure_threshold=1, recovery_threshold=1)
    provider = ScriptedProvider("a", Cut("one two", StreamInterruptedError("cut")), "ok")
    chain = chain_of(provider, health=config)
    world.fail(chain, streaming)
    assert chain.health.report()[0].state == "unhealthy"
    world.ask(chain, streaming)
    assert chain.health.report()[0].state == "healthy"


def test_a_place_that_its_circuit_passes_by_tells_nothing(world):
    """Health and circuit are apart: what the circuit keeps from being asked is no evidence."""
    breaker = CircuitBreakerConfig(failure_threshold=1, recovery_timeout=1000)
    chain = chain_of(ScriptedProvider("a", down()), ScriptedProvider("b"), circuit_breaker=breaker)
    assert served(world, chain, 5) == "bbbbb"
    assert chain.health.report()[0].failures == 1


@pytest.mark.parametrize("strategy", ["priority", "round_robin", "random", "least_latency", "load_balance", "weighted"])
def test_who_is_ill_has_no_turn(world, strategy):
    """Whatever shares the calls, who is ill gets none of them while another one answers."""
    first = ScriptedProvider("a", down(), down(), "ok")
    slots = [FallbackSlot(provider=each) for each in (first, ScriptedProvider("b"), ScriptedProvider("c"))]
    chain = chain_of(*slots, strategy=strategy, health=HealthConfig(active=False, failure_threshold=1), seed=3)

    async def scenario():
        while chain.health.report()[0].state == "healthy":
            await ask(chain)
        begun = len(first.requests)
        answers = [(await ask(chain)).provider for _ in range(12)]
        assert len(first.requests) == begun
        return answers

    answers = world.run(scenario())
    assert "a" not in answers
    if strategy in {"round_robin", "weighted"}:
        assert answers.count("b") == answers.count("c") == 6


def test_routing_and_hedging_go_by_it(world):
    """The best provider that is well is asked, and the second request goes to one that is well."""
    first = ScriptedProvider("a", down())
    chain = chain_of(
        first,
        ScriptedProvider("b", Slow(5)),
        ScriptedProvider("c"),
        health=HealthConfig(active=False, failure_threshold=1),
        hedging=HedgingConfig(delay=1.0, to="next"),
    )
    served(world, chain, 1)
    assert served(world, chain, 2) == "cc"
    assert len(first.requests) == 1

    first = ScriptedProvider("a", down())
    routed = chain_of(
        first,
        ScriptedProvider("b"),
        routing=AdaptiveRoutingConfig(explore_after=1e6),
        health=HealthConfig(active=False, failure_threshold=1),
    )
    assert served(world, routed, 4) == "bbbb"
    assert len(first.requests) == 1


def test_a_hit_of_the_cache_asks_nobody(world):
    """The cache is outside: its answers tell nothing, and begin no probes."""
    provider = ScriptedProvider("a")
    chain = chain_of(provider, cache=ResponseCacheConfig(ttl=1e6), health=HealthConfig(interval=60))

    async def scenario():
        await ask(chain)
        await asyncio.sleep(900)
        await ask(chain)
        await asyncio.sleep(61)

    world.run(scenario())
    assert len(provider.requests) == 1 + 9


def test_two_hundred_callers_see_one_change(world):
    """However many calls fail at once, a provider becomes ill once, and no call is lost."""
    first = ScriptedProvider("a", Slow(1, down()))
    chain = chain_of(first, ScriptedProvider("b"))
    answers = world.run(outcomes(chain, 200))
    assert {answer.provider for answer in answers} == {"b"}
    assert len(world.trace.of(HealthChanged)) == 1


def test_who_is_told_of_changes_may_fail(world, caplog):
    """A function is called with each change; what it raises is logged, and hinders nothing."""
    seen = []

    def note(change):
        seen.append((change.provider, change.to_state))
        raise RuntimeError("no pager")

    config = HealthConfig(active=False, failure_threshold=1, on_change=note)
    chain = chain_of(ScriptedProvider("a", down()), ScriptedProvider("b"), health=config)
    with caplog.at_level(logging.ERROR, "llmtest.resilience"):
        assert world.ask(chain).provider == "b"
    assert seen == [("a", "unhealthy")]
    assert [record.message for record in caplog.records] == [
        "the function that is told of the health of `a` failed at unhealthy"
    ]


def test_chains_share_what_they_know(world):
    """Chains with one store go by each other's calls, as soon as they hear of it."""
    store = MemoryHealthStore()
    config = HealthConfig(active=False, failure_threshold=2, store=store)
    one = chain_of(ScriptedProvider("a", down()), ScriptedProvider("b"), health=config)
    other = chain_of(ScriptedProvider("a", down()), ScriptedProvider("b"), health=config)
    assert served(world, one, 1) + served(world, other, 1) == "bb"
    assert [each.state for each in one.health.report()] == ["unhealthy", "healthy"]
    assert [each.to_state for each in world.trace.of(HealthChanged)] == ["unhealthy"]


class Broken:
    """A store that is down."""

    is_shared = True

    def health(self, name, rules):
        return self

    def claim(self, now_ns):
        raise OSError("down")

    def record(self, told, now_ns):
        raise OSError("down")

    def read(self):
        raise OSError("down")


class Remote(MemoryHealthStore):
    """A store on a server, which an event loop awaits."""

    is_shared = True

    def __init__(self):
        super().__init__()
        self.awaited = []

    def health(self, name, rules):
        inner, awaited = super().health(name, rules), self.awaited

        class Waiting:
            claim, record, read = inner.claim, inner.record, inner.read

            async def claim_async(self, now_ns):
                awaited.append(("claim", now_ns))
                await asyncio.sleep(0)
                return inner.claim(now_ns)

            async def record_async(self, told, now_ns):
                awaited.append((told, now_ns))
                await asyncio.sleep(0)
                return inner.record(told, now_ns)

        return Waiting()


@pytest.mark.parametrize("on_loop", [True, False])
def test_a_store_that_is_down_fails_no_call(world, on_loop, caplog):
    """Calls are answered, probes are left out, and the log tells."""
    chain = chain_of(ScriptedProvider("a", down(), "ok"), ScriptedProvider("b"), health=HealthConfig(store=Broken()))

    async def scenario():
        first = await ask(chain, "complete_async" if on_loop else "complete")
        await asyncio.sleep(200)
        return first, await ask(chain, "stream_async" if on_loop else "stream")

    with caplog.at_level(logging.ERROR, "llmtest.resilience"):
        assert [answer.provider for answer in world.run(scenario())] == ["b", "a"]
    assert {record.message for record in caplog.records} == {
        f"the store of the health of `{name}` failed at `{operation}`" for name in "ab" for operation in ("claim",)
    } | {f"the store of the health of `{name}` failed at `record`" for name in "ab"}


def test_a_store_on_a_server_is_awaited_and_told_wall_time(world):
    """Code on an event loop does not block for it, and its times mean the same to every machine."""
    store = Remote()
    chain = chain_of(ScriptedProvider("a"), health=HealthConfig(store=store))

    async def scenario():
        await ask(chain)
        await asyncio.sleep(61)

    world.run(scenario())
    wall_ns = world.clock.time_ns() - 61_000_000_000
    assert store.awaited == [
        ("success", wall_ns),
        ("claim", wall_ns + 60_000_000_000),
        ("success", wall_ns + 60_000_000_000),
    ]


def test_successes_that_tell_nothing_new_are_noted_now_and_then(world):
    """A store on a server is not told of every call: four times an interval does."""
    store = Remote()
    chain = chain_of(ScriptedProvider("a"), health=HealthConfig(store=store))

    async def scenario():
        for _ in range(600):
            await ask(chain)
            await asyncio.sleep(0.1)

    world.run(scenario())
    assert [told for told, _ in store.awaited] == ["success"] * 4


def test_one_call_at_a_time_is_enough(world, mode):
    """A chain of one provider that is ill goes on asking it: never nobody."""
    provider = ScriptedProvider("a", down(), "ok")
    chain = chain_of(provider, health=HealthConfig(active=False, failure_threshold=1))
    world.fail(chain, mode)
    assert world.ask(chain, mode, REQUEST).provider == "a"
    assert world.trace.of(HealthSkipped) == []
