"""Strategies: who is asked first, in which proportion, and what becomes of the rest of the walk."""

import asyncio
import itertools
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmtest.config import build_chain
from llmtest.errors import ConfigurationError, ContextLengthExceededError, ScenarioError
from llmtest.events import FallbackTaken
from llmtest.resilience import (
    STRATEGIES,
    CircuitBreakerConfig,
    FallbackChain,
    FallbackSlot,
    ListedOrder,
    Pipeline,
    TimeoutConfig,
)
from llmtest.types import Capabilities
from tests.resilience.scripted_provider import REQUEST, ScriptedProvider, Slow, World, ask, down, limited, outcomes

SHARING = [name for name in STRATEGIES if name != "priority"]


def chain_of(strategy, *providers, **options):
    """Return a chain without retries."""
    return FallbackChain(providers, strategy=strategy, **{"retry": None, "seed": 1, **options})


def asked(providers):
    """Return how often each of some providers was asked."""
    return [len(provider.requests) for provider in providers]


def three(*steps):
    """Return three providers that play the same."""
    return [ScriptedProvider(name, *steps) for name in "abc"]


def test_f079_without_a_strategy_the_first_one_is_asked(world, mode):
    """The list is the order, as far as priorities say nothing else."""
    providers = three()
    chain = FallbackChain(providers)
    for _ in range(3):
        world.ask(chain, mode)
    assert (chain.strategy, asked(providers)) == ("priority", [3, 0, 0])


def test_c37_a_higher_priority_comes_first_and_equals_keep_their_order(world):
    """Slots are sorted by their priority, those without one as 0; the sort is stable."""
    priorities = {"a": None, "b": 50, "c": 10, "d": 50, "e": -1}
    slots = [FallbackSlot(provider=ScriptedProvider(name, down()), priority=p) for name, p in priorities.items()]
    world.fail(chain_of("priority", *slots))
    assert [event.to_provider for event in world.events(FallbackTaken)] == ["d", "c", "a", "e"]


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_f079_whoever_is_first_every_other_one_follows(world, mode, strategy):
    """A call that fails goes on through all the others, each of them once."""
    providers = three(down())
    for _ in range(4):
        world.fail(chain_of(strategy, *providers, circuit_breaker=None), mode)
    assert asked(providers) == [4, 4, 4]


def test_h03_round_robin_asks_each_in_turn(world, mode):
    """Each of three is asked first in every third call."""
    providers = three()
    chain = chain_of("round_robin", *providers)
    served = [world.ask(chain, mode).provider for _ in range(7)]
    assert "".join(served) == "abcabca"


@pytest.mark.parametrize("mode", ["complete_async", "stream_async"])
def test_h03_round_robin_counts_are_exact_among_concurrent_calls(world, mode):
    """200 calls at once over three are 67, 67 and 66."""
    providers = three(*[Slow(1 + i % 5) for i in range(100)])
    world.run(outcomes(chain_of("round_robin", *providers), 200, mode))
    assert sorted(asked(providers)) == [66, 67, 67]


def test_h03_round_robin_counts_are_exact_among_threads():
    """400 calls of eight threads over four are 100 each: no turn is lost, none is taken twice."""
    providers = [ScriptedProvider(name) for name in "abcd"]
    chain = chain_of("round_robin", *providers)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: chain.complete(REQUEST), range(400)))
    assert asked(providers) == [100, 100, 100, 100]


def test_h03_the_turn_of_a_place_that_is_down_does_not_fall_to_its_neighbour(world):
    """While a circuit is open the others share the calls evenly, and the place has its turn again when it may."""
    providers = [ScriptedProvider("a", down(), "ok"), ScriptedProvider("b"), ScriptedProvider("c")]
    breaker = CircuitBreakerConfig(failure_threshold=1, recovery_timeout=30)
    chain = chain_of("round_robin", *providers, circuit_breaker=breaker)
    served = Counter(world.ask(chain).provider for _ in range(21))
    assert served == {"b": 11, "c": 10}
    assert len(providers[0].requests) == 1
    world.clock.advance(30)
    served = Counter(world.ask(chain).provider for _ in range(30))
    assert served == {"a": 10, "b": 10, "c": 10}


@settings(max_examples=40, deadline=None)
@given(
    weights=st.lists(st.sampled_from([0, 0.5, 1, 2, 3, 7]), min_size=2, max_size=5).filter(any),
    calls=st.integers(1, 120),
)
def test_f082_weighted_shares_are_kept_from_the_first_call_on(weights, calls):
    """After any number of calls each place has had its share, give or take one call for each place; 0 has none."""
    world = World()
    providers = [ScriptedProvider(f"p{i}") for i in range(len(weights))]
    slots = [FallbackSlot(provider=one, weight=weight) for one, weight in zip(providers, weights, strict=True)]
    chain = FallbackChain(slots, strategy="weighted", retry=None)

    async def story():
        for _ in range(calls):
            await ask(chain)

    world.run(story())
    for weight, count in zip(weights, asked(providers), strict=True):
        share = calls * weight / sum(weights)
        assert abs(count - share) < len(weights) if weight else count == 0


def test_f082_a_gradual_shift_is_exact(world):
    """5 % of a hundred calls are five, spread over them."""
    slots = [
        FallbackSlot(provider=ScriptedProvider("old"), weight=95),
        FallbackSlot(provider=ScriptedProvider("new"), weight=5),
    ]
    chain = FallbackChain(slots, strategy="weighted")
    at = [number for number in range(100) if world.ask(chain).provider == "new"]
    assert len(at) == 5
    assert min(later - earlier for earlier, later in itertools.pairwise(at)) >= 15


def test_h03_weight_0_is_not_asked_even_where_the_others_fail(world, mode):
    """A place of weight 0 is out of the chain, unless it is the only one."""
    out = ScriptedProvider("out")
    slots = [FallbackSlot(provider=ScriptedProvider("a", down())), FallbackSlot(provider=out, weight=0)]
    world.fail(FallbackChain(slots, strategy="weighted", retry=None), mode)
    assert out.requests == []
    alone = FallbackChain([slots[1]], strategy="weighted")
    assert world.ask(alone, mode).provider == "out"


def test_f166_after_a_failure_the_heaviest_is_next(world):
    """The rest of the walk goes by weight."""
    weights = {"a": 10, "b": 1, "c": 5}
    slots = [FallbackSlot(provider=ScriptedProvider(name, down()), weight=w) for name, w in weights.items()]
    world.fail(FallbackChain(slots, strategy="weighted", retry=None))
    assert [event.to_provider for event in world.events(FallbackTaken)] == ["c", "b"]


@pytest.mark.parametrize("mode", ["complete_async", "stream_async"])
def test_f166_load_balance_takes_the_one_with_the_fewest_calls_under_way(world, mode):
    """Slow providers get fewer calls, and none gets more at a time than another that is free."""
    slow, fast = ScriptedProvider("slow", Slow(9)), ScriptedProvider("fast", Slow(1))
    chain = chain_of("load_balance", slow, fast)

    async def story():
        calls = []
        for _ in range(20):
            calls.append(asyncio.create_task(ask(chain, mode)))
            await asyncio.sleep(0.5)
        await asyncio.gather(*calls)

    world.run(story())
    assert len(fast.requests) > 2 * len(slow.requests)
    assert slow.most_in_flight - fast.most_in_flight <= 1


def test_f085_load_balance_spreads_calls_that_come_at_once(world):
    """60 calls at once over three are 20 at each; one after the other they go round."""
    providers = three(Slow(1))
    world.run(outcomes(chain_of("load_balance", *providers), 60))
    assert [provider.most_in_flight for provider in providers] == [20, 20, 20]
    idle = three()
    chain = chain_of("load_balance", *idle)
    assert "".join(world.ask(chain).provider for _ in range(6)) == "abcabc"


@pytest.mark.parametrize("mode", ["complete_async", "stream_async"])
def test_f166_calls_that_end_badly_are_no_longer_under_way(world, mode):
    """Failures, cancellations and streams that are left give their place back."""
    providers = [ScriptedProvider("a", down(), Slow(600), "one two three"), ScriptedProvider("b", Slow(5))]
    chain = chain_of("load_balance", *providers, circuit_breaker=None)

    async def story():
        await ask(chain, mode)
        hanging = asyncio.create_task(ask(chain, mode))
        await asyncio.sleep(1)
        hanging.cancel()
        await asyncio.gather(hanging, return_exceptions=True)
        async with chain.stream_async(providers[0].requests[0]) as events:
            async for _ in events:
                break
        return [gauge.under_way for gauge in chain._walk._selection._gauges]

    assert world.run(story()) == [0, 0]


def test_f166_least_latency_finds_the_fastest_and_stays_with_it(world, mode):
    """Each is measured once; from then on the fastest answers."""
    providers = [ScriptedProvider("a", Slow(3)), ScriptedProvider("b", Slow(1)), ScriptedProvider("c", Slow(2))]
    chain = chain_of("least_latency", *providers)
    served = [world.ask(chain, mode).provider for _ in range(9)]
    assert "".join(served) == "abcbbbbbb"


def test_fb12_least_latency_comes_back_to_a_place_that_has_become_fast(world):
    """A time holds for 30 s: a place that was slow is asked again then, and keeps the calls if it is fast now."""
    a = ScriptedProvider("a", Slow(8), Slow(0.1))
    chain = chain_of("least_latency", a, ScriptedProvider("b", Slow(1)))
    served = "".join(world.ask(chain).provider for _ in range(40))
    assert served.startswith("abbbbb")
    assert served.endswith("aaaaa")


def test_h02_one_call_at_a_time_measures_a_place_anew(world):
    """When a measured time has passed, one of many concurrent calls goes to the slow place, not all."""
    slow, fast = ScriptedProvider("slow", Slow(50)), ScriptedProvider("fast", Slow(0.1))
    chain = chain_of("least_latency", slow, fast)

    async def story():
        await asyncio.gather(ask(chain), ask(chain))
        await asyncio.sleep(40)
        await ask(chain)
        before = asked([slow, fast])
        await asyncio.gather(*(ask(chain) for _ in range(100)))
        return [later - earlier for earlier, later in zip(before, asked([slow, fast]), strict=True)]

    slow_calls, fast_calls = world.run(story())
    assert (slow_calls <= 1, slow_calls + fast_calls) == (True, 100)


def test_f166_a_place_that_fails_fast_is_not_the_fastest(world):
    """A failure that tells of the place puts it last for a while, however soon it came."""
    broken = ScriptedProvider("broken", down())
    chain = chain_of("least_latency", broken, ScriptedProvider("b", Slow(1)), circuit_breaker=None)
    for _ in range(10):
        assert world.ask(chain).provider == "b"
    assert len(broken.requests) == 1


def drawn(seed, calls=60):
    """Return who served the calls of a chain that draws."""
    world = World()
    chain = chain_of("random", *three(), seed=seed)
    return "".join(world.ask(chain).provider for _ in range(calls))


def test_f166_random_draws_by_the_seed():
    """The same seed gives the same draws, another one others; everybody is drawn."""
    assert drawn(7) == drawn(7) != drawn(8)
    assert all(10 <= drawn(7).count(name) <= 30 for name in "abc")


def test_f166_concurrent_calls_of_one_instant_are_drawn_apart(world):
    """Calls that begin at the same time do not all go the same way."""
    providers = three()
    world.run(outcomes(chain_of("random", *providers), 90))
    assert min(asked(providers)) >= 15


@pytest.mark.parametrize("strategy", SHARING)
def test_fb12_a_place_is_back_as_soon_as_its_circuit_lets_it(world, strategy):
    """Whatever the strategy, a place that recovered takes part again; while it is down nobody waits for it."""
    providers = [ScriptedProvider("a", down(), "ok"), ScriptedProvider("b")]
    breaker = CircuitBreakerConfig(failure_threshold=1, recovery_timeout=10)
    chain = chain_of(strategy, *providers, circuit_breaker=breaker)
    for _ in range(12):
        world.ask(chain)
    assert len(providers[0].requests) == 1
    world.clock.advance(31)
    served = {world.ask(chain).provider for _ in range(12)}
    assert "a" in served


@pytest.mark.parametrize("strategy", SHARING)
def test_fb01_an_estimate_leaves_nobody_unasked_whatever_the_order(world, strategy):
    """The last one of a call's own order is asked although the prompt is taken to be too long for all."""
    small = Capabilities(context_window=2)
    providers = [ScriptedProvider(name, capabilities=small) for name in "ab"]
    chain = chain_of(strategy, *providers)
    for _ in range(4):
        world.ask(chain)
    assert sum(asked(providers)) == 4


@pytest.mark.parametrize("strategy", SHARING)
def test_equal_runs_are_shared_equally(strategy):
    """A strategy decides the same in the same run."""

    def run():
        world = World()
        providers = [
            ScriptedProvider("a", Slow(2), down(), "ok"),
            ScriptedProvider("b", Slow(1)),
            ScriptedProvider("c"),
        ]
        world.run(outcomes(chain_of(strategy, *providers), 30))
        return world.trace.digest(), asked(providers)

    assert run() == run()


def test_f166_the_builder_and_a_file_say_the_same(world):
    """A strategy, a weight and a priority are words of all three ways to make a chain."""
    a, b = ScriptedProvider("a"), ScriptedProvider("b")
    built = FallbackChain.builder().with_strategy("round_robin").add(a).add(b).build()
    assert [world.ask(built).provider for _ in range(4)] == ["a", "b", "a", "b"]
    for key in ("strategy", "fallback_strategy"):
        slots = [{"provider": a, "weight": 1}, {"provider": b, "weight": 3, "priority": 1}]
        chain = build_chain({key: "weighted", "providers": slots})
        assert (chain.strategy, [place.name for place in chain.places]) == ("weighted", ["b", "a"])
        assert Counter(world.ask(chain).provider for _ in range(8)) == {"b": 6, "a": 2}


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            lambda a, b: FallbackChain([a, b], strategy="roundrobin"),
            (
                "strategy of chain `fallback-chain` is one of priority, round_robin, weighted, least_latency, "
                "load_balance, random, got 'roundrobin'"
            ),
        ),
        (
            lambda a, b: FallbackChain([FallbackSlot(provider=a, weight=2), b], strategy="random"),
            (
                "slot `a` of chain `fallback-chain` has a `weight`, which strategy `random` does not go by.\n"
                'To fix: strategy="weighted", or leave the weight out'
            ),
        ),
        (
            lambda a, b: FallbackChain(
                [FallbackSlot(provider=a, weight=0), FallbackSlot(provider=b, weight=0)], strategy="weighted"
            ),
            (
                "every slot of chain `fallback-chain` has the weight 0, so that nobody would be asked.\n"
                "To fix: give one of them a weight above 0"
            ),
        ),
        (
            lambda a, b: FallbackChain([a, b], strategy="random", pipeline=Pipeline(selection=OwnOrder())),
            (
                "chain `fallback-chain` has strategy `random`, and its pipeline a selection of its own, of which only "
                "one would hold.\nTo fix: leave one of the two out"
            ),
        ),
        (
            lambda a, _: FallbackSlot(provider=a, weight=-1),
            "`weight` of a slot is a number of 0 or more, got -1",
        ),
        (
            lambda a, _: FallbackSlot(provider=a, weight=float("nan")),
            "`weight` of a slot is a number of 0 or more, got nan",
        ),
        (
            lambda a, _: FallbackSlot(provider=a, priority="high"),
            "`priority` of a slot is a whole number, got 'high'",
        ),
        (
            lambda a, _: FallbackSlot(provider=a, unmapped_models="guess"),
            "`unmapped_models` of a slot is `refuse` or `pass`, got 'guess'",
        ),
    ],
)
def test_wrong_strategies_are_refused(make, message):
    """Each mistake is named when the chain is made, with what to write instead."""
    with pytest.raises(ConfigurationError) as error:
        make(ScriptedProvider("a"), ScriptedProvider("b"))
    assert str(error.value) == message


class OwnOrder:
    """A selection of somebody's own."""

    def order(self, places, call):
        """Return the places as they are."""
        return places

    after = ListedOrder.after


def test_wrong_strategies_in_a_file_are_refused():
    """The nearest one is named, and two names for it at once are refused."""
    slots = [{"provider": ScriptedProvider("a")}]
    with pytest.raises(ScenarioError, match=r"unknown strategy `roundrobin`\. Did you mean `round_robin`\?"):
        build_chain({"strategy": "roundrobin", "providers": slots})
    with pytest.raises(ScenarioError, match="takes `strategy` or `fallback_strategy`, not both"):
        build_chain({"strategy": "random", "fallback_strategy": "random", "providers": slots})


def test_f070_unmapped_models_are_passed_on_where_the_slot_says_so(world, mode):
    """By default a model without an equivalent is refused before it is sent (FB02); `pass` sends its name as it is."""
    request = REQUEST.with_model("gpt-9")
    for unmapped, models in (("refuse", []), ("pass", ["gpt-9"])):
        other = ScriptedProvider("b", model=None)
        slot = FallbackSlot(provider=other, model_mapping={"gpt-4o": "claude"}, unmapped_models=unmapped)
        chain = chain_of("priority", ScriptedProvider("a", down()), slot)
        try:
            world.ask(chain, mode, request)
        except Exception:  # noqa: BLE001 - what was sent is what the test looks at
            assert unmapped == "refuse"
        assert [each.model for each in other.requests] == models


@pytest.mark.parametrize("strategy", SHARING)
def test_a_circuit_that_is_isolated_by_hand_takes_no_turn(world, strategy):
    """An operator takes a place out of every strategy, and gives it back."""
    providers = three()
    chain = chain_of(strategy, *providers)
    chain.breaker("a").isolate()
    for _ in range(12):
        world.ask(chain)
    assert asked(providers)[0] == 0
    assert world.events(FallbackTaken) == []
    chain.breaker("a").release()
    assert "a" in {world.ask(chain).provider for _ in range(12)}


def test_f081_each_is_tried_for_30_seconds_and_every_failure_is_told(world, mode):
    """VAPORA's `execute_with_fallback`: a limit for each try, the failures counted, and the last error if all fail."""
    chain = FallbackChain(
        [ScriptedProvider("a", Slow(600)), ScriptedProvider("b", Slow(2), down())],
        retry=None,
        timeouts=TimeoutConfig(total=30),
    )
    assert world.ask(chain, mode).provider == "b"
    assert world.clock.elapsed() == 32.0
    error = world.fail(chain, mode)
    assert [type(each).__name__ for _, each in error.errors] == ["ProviderTimeoutError", "ServerError"]
    assert [provider.failures for provider in chain.metrics().providers] == [2, 1]


@pytest.mark.parametrize(
    ("first", "second", "third", "expected"),
    [
        (down(), down(), "ok", "local"),
        (ContextLengthExceededError("too long", status=400, provider="small"), "ok", "ok", "large"),
        (limited(), "ok", "ok", "large"),
    ],
    ids=["unavailable", "context too large", "rate limit"],
)
def test_f080_caxton_s_fallback_policies(world, mode, first, second, third, expected):
    """From the primary to the secondary to the local model; too long a prompt to the larger window; a 429 elsewhere."""
    small, large = Capabilities(context_window=8_000), Capabilities(context_window=200_000)
    chain = chain_of(
        "priority",
        FallbackSlot(provider=ScriptedProvider("small", first, capabilities=small), priority=100),
        FallbackSlot(provider=ScriptedProvider("local", third, capabilities=small), priority=10),
        FallbackSlot(provider=ScriptedProvider("large", second, capabilities=large), priority=50),
        circuit_breaker=None,
    )
    assert world.ask(chain, mode).provider == expected


def old_and_new(old, new, **options):
    """Return a chain of two slots with these weights."""
    slots = [
        FallbackSlot(provider=ScriptedProvider("old"), weight=old),
        FallbackSlot(provider=ScriptedProvider("new"), weight=new),
    ]
    return FallbackChain(slots, strategy="weighted", **options)


def test_f082_a_shift_in_steps_keeps_each_step_s_share(world, mode):
    """Weights that change while the chain runs hold from the next call on: 5 %, a half, and all of it."""
    chain, shares = old_and_new(95, 5), []
    for new in (5, 50, 100):
        chain.set_weights({"old": 100 - new, "new": new})
        shares.append(Counter(world.ask(chain, mode).provider for _ in range(100))["new"])
    assert shares == [5, 50, 100]
    assert [place.metrics().successes for place in chain.places] == [145, 155]


@settings(max_examples=40, deadline=None)
@given(steps=st.lists(st.tuples(*[st.sampled_from([0.5, 1, 3, 70])] * 3), min_size=1, max_size=60))
def test_f082_shares_hold_across_many_small_changes(steps):
    """Where the weights change before each call, a place has had what it was owed, give or take one for each place."""
    world, owed = World(), [0.0, 0.0, 0.0]
    providers = three()
    chain = chain_of("weighted", *providers)

    async def story():
        for step in steps:
            chain.set_weights(dict(zip("abc", step, strict=True)))
            await ask(chain)
            for index, weight in enumerate(step):
                owed[index] += weight / sum(step)

    world.run(story())
    assert all(abs(had - due) < 3 for had, due in zip(asked(providers), owed, strict=True))


def test_f082_who_is_not_named_keeps_the_weight_and_0_takes_a_slot_out(world):
    """One slot is named; at 0 it is not asked even where the other fails, and above 0 it is back."""
    providers = [ScriptedProvider("a", "ok", "ok", down(), "ok"), ScriptedProvider("b")]
    chain = chain_of("weighted", *providers, circuit_breaker=None)
    chain.set_weights({"b": 0})
    assert [world.ask(chain).provider for _ in range(2)] == ["a", "a"]
    world.fail(chain)
    chain.set_weights({"b": 1})
    assert sorted(world.ask(chain).provider for _ in range(2)) == ["a", "b"]


def test_f082_a_chain_is_not_available_by_a_slot_that_is_not_asked(world):
    """With the circuit of the only slot in use open, the chain says that it is not healthy, until another is in use."""
    chain = old_and_new(1, 0)
    chain.breaker("old").isolate()
    assert not chain.is_healthy
    assert not chain.available()
    chain.set_weights({"new": 1})
    assert chain.is_healthy
    assert chain.available()


def test_f082_shares_hold_among_threads_while_weights_change():
    """Whoever changes weights while eight threads call loses no call, and what is changed last holds."""
    providers = three()
    chain = chain_of("weighted", *providers)
    with ThreadPoolExecutor(8) as pool:
        calls = [pool.submit(chain.complete, REQUEST) for _ in range(100)]
        for new in range(1, 50):
            chain.set_weights({"a": 50 - new, "b": new})
        chain.set_weights({"a": 0, "b": 0})
        assert {call.result().provider for call in calls} <= set("abc")
    before = asked(providers)
    for _ in range(5):
        chain.complete(REQUEST)
    assert [now - then for now, then in zip(asked(providers), before, strict=True)] == [0, 0, 5]


@pytest.mark.parametrize(
    ("weights", "words"),
    [
        pytest.param({"nwe": 1}, ["it has no slot `nwe` (did you mean `new`?)"], id="unknown"),
        pytest.param({"old": -1}, ["the weight of `old` is a number of 0 or more, got -1"], id="range"),
        pytest.param({"old": True}, ["the weight of `old` is a number of 0 or more, got True"], id="kind"),
        pytest.param({"old": 0, "new": 0.0}, ["every slot would have the weight 0"], id="nobody"),
        pytest.param(
            {"x": 1, "old": "5", "new": float("nan")},
            [
                "it has no slot `x`",
                "`old` is a number of 0 or more, got '5'",
                "`new` is a number",
            ],
            id="all-at-once",
        ),
    ],
)
def test_f082_weights_that_cannot_be_are_refused_in_one_text(world, weights, words):
    """The error names all that is wrong and what is set now, and nothing has changed."""
    chain = old_and_new(3, 1)
    with pytest.raises(ConfigurationError) as refused:
        chain.set_weights(weights)
    text = str(refused.value)
    assert [word for word in words if word not in text] == []
    assert text.startswith("the weights of chain `fallback-chain` stay as they are: ")
    assert text.endswith('To fix: go by these, which it has now: set_weights({"old": 3, "new": 1})')
    assert Counter(world.ask(chain).provider for _ in range(8)) == {"old": 6, "new": 2}


def test_f082_a_chain_that_goes_by_no_weights_says_so():
    """Weights mean nothing to another strategy, which is said with what to write."""
    with pytest.raises(ConfigurationError, match=r'does not go by weights.*\nTo fix: .*strategy="weighted"'):
        FallbackChain(three()).set_weights({"a": 1})
