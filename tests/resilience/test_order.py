"""Orders of policies by the names of the systems that have them, and what contradicts them."""

import asyncio

import pytest

from llmtest import (
    CircuitBreakerConfig,
    FallbackChain,
    FallbackSlot,
    FallbackTrigger,
    ResponseCacheConfig,
    RetryConfig,
    SmartRoutingProvider,
    TimeoutConfig,
    strict_mofa,
)
from llmtest.errors import (
    AllProvidersFailedError,
    AuthenticationError,
    CircuitOpenError,
    ConfigurationError,
    ServerError,
    StreamInterruptedError,
)
from llmtest.events import BreakerChanged, CircuitSkipped
from llmtest.resilience import BREAKER, ORDERS, RETRY, Pipeline
from tests.resilience.scripted_provider import (
    MODES,
    Cut,
    ScriptedProvider,
    Slow,
    ask,
    down,
    limited,
    outcomes,
    refused_key,
)

QUICK = RetryConfig(max_attempts=3, base_delay=1.0, jitter=False)
TWICE = CircuitBreakerConfig(failure_threshold=2, recovery_timeout=30)


@pytest.fixture(params=MODES)
def mode(request):
    """Run the test in all four ways to ask."""
    return request.param


def two(*primary, order, **policies):
    """Return two providers, the first of which plays steps, and a chain of them."""
    providers = ScriptedProvider("a", *primary), ScriptedProvider("b", "Rome", model="n")
    return (*providers, FallbackChain(providers, order=order, **policies))


def test_f172_ironclaw_has_one_circuit_around_failover(world, mode):
    """It counts what became of whole calls: while the fallback answers it stays closed, whoever is down."""
    primary, spare, chain = two(down(), order="ironclaw", retry=QUICK, circuit_breaker=TWICE)
    for _ in range(3):
        assert world.ask(chain, mode).content.strip() == "Rome"
    assert (len(primary.requests), len(spare.requests)) == (9, 3)
    assert chain.breaker("fallback-chain").state == chain.metrics().circuit == "closed"


def test_f172_the_circuit_around_all_opens_on_calls_that_fail(world, mode):
    """After so many calls that nobody answered nobody is asked, until a probe of the whole chain has succeeded."""
    providers = [ScriptedProvider("a", *[down()] * 2, "Paris"), ScriptedProvider("b", down(), model="n")]
    chain = FallbackChain(providers, order="ironclaw", retry=None, circuit_breaker=TWICE, name="front")
    for _ in range(2):
        assert type(world.fail(chain, mode)) is AllProvidersFailedError
    refused = world.fail(chain, mode)
    assert [(name, type(error)) for name, error in refused.errors] == [("front", CircuitOpenError)]
    assert (refused.retry_after, len(providers[0].requests)) == (30.0, 2)
    assert chain.metrics().circuit == "open"
    assert not world.sees_healthy(chain)
    assert [(e.provider, e.model) for e in world.events(CircuitSkipped)] == [("front", None)]
    world.clock.advance(30)
    assert world.sees_healthy(chain)
    assert world.ask(chain, mode).content.strip() == "Paris"
    changes = [(event.provider, event.to_state) for event in world.events(BreakerChanged)]
    assert changes == [("front", "open"), ("front", "half_open"), ("front", "closed")]


def test_b02_a_cancelled_probe_of_the_whole_chain_gives_its_permit_back(world):
    """Whoever is cancelled while he probes tells nothing, and the next call may probe."""
    provider = ScriptedProvider("a", down(), Slow(5, "late"), "Paris")
    circuit = CircuitBreakerConfig(failure_threshold=1, recovery_timeout=30, half_open_max_calls=1)
    chain = FallbackChain([provider], order="ironclaw", retry=None, circuit_breaker=circuit)
    world.fail(chain)

    async def story():
        await world.clock.sleep_async(30)
        probe = asyncio.create_task(ask(chain))
        await world.clock.sleep_async(1)
        refused = await asyncio.gather(ask(chain), return_exceptions=True)
        probe.cancel()
        await asyncio.wait([probe])
        return refused[0], await ask(chain)

    refused, answer = world.run(story())
    assert type(refused) is AllProvidersFailedError
    assert (answer.content, chain.metrics().circuit) == ("Paris", "closed")


@pytest.mark.parametrize("mode", MODES[2:])
def test_b08_a_stream_that_breaks_in_the_middle_counts_for_the_whole_chain(world, mode):
    """A stream is a success at its end alone, for one circuit around all as well."""
    chain = FallbackChain(
        [ScriptedProvider("a", Cut("one two"))],
        order="ironclaw",
        circuit_breaker=CircuitBreakerConfig(failure_threshold=1),
    )
    assert type(world.fail(chain, mode)) is StreamInterruptedError
    assert chain.metrics().circuit == "open"


def test_b01_one_probe_of_the_whole_chain_at_a_time(world):
    """Of many calls that come when the circuit may be tried again, so many go through as it is said."""
    provider = ScriptedProvider("a", down(), Slow(2, "Paris"))
    circuit = CircuitBreakerConfig(failure_threshold=1, recovery_timeout=30, half_open_max_calls=1)
    chain = FallbackChain([provider], order="ironclaw", retry=None, circuit_breaker=circuit)
    world.fail(chain)
    world.clock.advance(30)
    found = world.run(outcomes(chain, 50))
    assert (len(provider.requests), provider.most_in_flight) == (2, 1)
    assert sum(isinstance(each, AllProvidersFailedError) for each in found) == 49


def test_a_wrong_request_does_not_open_the_circuit_around_all(world):
    """What tells nothing about the providers counts as little as in a circuit of one."""
    providers = [ScriptedProvider("a", refused_key(), credential="x")]
    chain = FallbackChain(
        providers, order="ironclaw", circuit_breaker=CircuitBreakerConfig(failure_threshold=1), refused_key_interval=0
    )
    for _ in range(3):
        assert type(world.fail(chain)) is AuthenticationError
    assert chain.metrics().circuit == "closed"


def test_f172_a_hit_of_the_cache_passes_an_open_circuit(world, mode):
    """The cache is outermost: what it has is answered while nobody may be asked."""
    chain = FallbackChain(
        [ScriptedProvider("a", "Paris")],
        order="ironclaw",
        cache=ResponseCacheConfig(cache_streaming=True),
        circuit_breaker=TWICE,
    )
    assert world.ask(chain, mode).content.strip() == "Paris"
    chain.breaker("fallback-chain").isolate()
    assert world.ask(chain, mode).content.strip() == "Paris"
    assert chain.metrics().cache.hits == 1


def test_f172_smart_routing_stands_between_retry_and_failover(world, mode):
    """As a slot: its two providers are retried by themselves, and its failure goes to the fallback."""
    routed = SmartRoutingProvider(
        primary=ScriptedProvider("p", down(), model="p"), cheap=ScriptedProvider("c", down(), model="c"), retry=QUICK
    )
    spare = ScriptedProvider("spare", "Paris", model="s")
    chain = FallbackChain([routed, spare], order="ironclaw", retry=QUICK, cache=ResponseCacheConfig())
    assert world.ask(chain, mode).content.strip() == "Paris"
    told = chain.describe()
    assert told.order == ("cache", "circuit_breaker", "fallback", "retry", "timeouts")
    assert told.slots[0].chain.order == ("routing", "fallback", "retry")
    assert [len(place.provider.requests) for place in routed.places] == [3, 3]


@pytest.mark.parametrize(
    ("order", "told", "attempts", "threshold"),
    [
        ("default", ("fallback", "circuit_breaker", "retry", "timeouts"), 3, 5),
        ("ironclaw", ("circuit_breaker", "fallback", "retry", "timeouts"), 4, 5),
        ("mofa", ("fallback", "circuit_breaker", "timeouts"), None, 3),
        ("llmkit", ("fallback", "timeouts"), None, None),
        ("caxton", ("fallback", "circuit_breaker", "retry", "timeouts"), 3, 5),
        ("vapora", ("fallback", "timeouts"), None, None),
    ],
)
def test_an_order_is_told_with_the_numbers_that_hold(order, told, attempts, threshold):
    """`describe()` has the order that runs, and what its system has where nobody says otherwise."""
    found = FallbackChain([ScriptedProvider("a"), ScriptedProvider("b", model="n")], order=order).describe()
    assert (found.order, found.options["order"]) == (told, order)
    retry, circuit = found.options["retry"], found.options["circuit_breaker"]
    assert (retry and retry["max_attempts"]) == attempts
    assert (circuit and circuit["failure_threshold"]) == threshold
    assert f"order: {order}" in str(found)


def test_every_order_is_tried_above():
    """A word that is added is described as well."""
    marks = test_an_order_is_told_with_the_numbers_that_hold.pytestmark
    assert {case[0] for case in marks[0].args[1]} == set(ORDERS)


def test_what_is_said_wins_over_an_order_s_numbers():
    """Settings that are given hold, None among them."""
    chain = FallbackChain([ScriptedProvider("a")], order="ironclaw", retry=None, circuit_breaker=None, timeouts=None)
    assert chain.describe().order == ("fallback",)
    assert chain.metrics().circuit is None


def test_llmkit_asks_the_primary_again_and_nobody_else(world, mode):
    """Retries are the primary's; a fallback that fails hands on at once."""
    providers = [ScriptedProvider(name, down(), model=name) for name in "abc"]
    world.fail(FallbackChain(providers, order="llmkit", retry=QUICK), mode)
    assert [len(provider.requests) for provider in providers] == [3, 1, 1]


def test_llmkit_s_primary_is_the_slot_of_the_highest_priority(world):
    """Who is asked first is who is asked again, wherever it stands in the list."""
    providers = [ScriptedProvider(name, down(), model=name) for name in "ab"]
    slots = [FallbackSlot(provider=providers[0]), FallbackSlot(provider=providers[1], priority=9)]
    world.fail(FallbackChain(slots, order="llmkit", retry=QUICK))
    assert [len(provider.requests) for provider in providers] == [1, 3]


def test_vapora_gives_every_provider_thirty_seconds(world, mode):
    """Each attempt has its 30 seconds, and nothing is asked twice."""
    primary, spare, chain = two(down(), order="vapora")
    world.ask(chain, mode)
    assert [provider.limits[0].total for provider in (primary, spare)] == [30.0, 30.0]
    assert len(primary.requests) == 1


def test_an_order_of_nested_chains_asks_for_no_retries():
    """Chains in slots keep their own retries; an order's numbers are no wish to ask them again as a whole."""
    inner = FallbackChain([ScriptedProvider("a")])
    assert FallbackChain([inner], order="ironclaw").describe().slots[0].options["retry"] is None
    with pytest.raises(ConfigurationError, match="would apply to nobody"):
        FallbackChain([inner], order="ironclaw", retry=QUICK)


@pytest.mark.parametrize(
    ("policies", "said"),
    [
        ({"order": "ironclad"}, r"is one of `default`, .*got 'ironclad'\. Did you mean `ironclaw`\?"),
        ({"order": "mofa", "retry": QUICK}, r"has a `retry`, for which order='mofa' has no place: fallback > circuit"),
        ({"order": "mofa", "cache": ResponseCacheConfig()}, "has a `cache`, for which order='mofa'"),
        ({"order": "llmkit", "circuit_breaker": TWICE}, "has a `circuit_breaker`, for which order='llmkit'"),
        ({"order": "vapora", "retry": QUICK}, "has a `retry`, for which order='vapora'"),
        ({"order": "ironclaw", "breaker_inside_retry": True}, "`breaker_inside_retry` says it as well"),
        ({"order": "caxton", "pipeline": Pipeline(place_layers=(RETRY, BREAKER))}, "`pipeline` says it as well"),
        ({"order": "ironclaw", "on_all_open": "try_oldest"}, "`on_all_open` says it as well"),
    ],
)
def test_what_contradicts_an_order_is_refused_when_built(policies, said):
    """The option, its value and the words or the order that are legal are in the error."""
    with pytest.raises(ConfigurationError, match=f"(?s){said}"):
        FallbackChain([ScriptedProvider("a")], **policies)


def test_a_slot_s_own_policy_is_refused_where_the_order_has_none():
    """A retry of a slot has as little place in MoFA's order as one of the chain."""
    slot = FallbackSlot(provider=ScriptedProvider("a"), retry=QUICK)
    with pytest.raises(ConfigurationError, match=r"(?s)a slot of chain .* has a `retry`.*or leave `retry` out"):
        FallbackChain([slot], order="mofa")


def test_the_builder_has_a_word_for_it():
    """`with_order` makes the same chain."""
    chain = FallbackChain.builder().with_order("mofa").add(ScriptedProvider("a")).build()
    assert chain.describe().order == ("fallback", "circuit_breaker", "timeouts")


def test_c38_strict_mofa_hands_server_errors_to_the_caller(world, mode):
    """MoFA has no condition for a 503; its default list has full quotas, networks, time and keys alone."""
    spare = ScriptedProvider("b", "Rome", model="n")
    assert type(world.fail(strict_mofa([ScriptedProvider("a", down()), spare]), mode)) is ServerError
    for error in (limited(retry_after=900), refused_key()):
        assert world.ask(strict_mofa([ScriptedProvider("a", error), spare]), mode).content.strip() == "Rome"


def test_c38_strict_mofa_never_goes_on_from_the_last(world):
    """The last provider's failure is the caller's as it is, whatever its slot says."""
    last = FallbackSlot(provider=ScriptedProvider("b", limited(), model="n"), trigger=FallbackTrigger.any_error())
    chain = strict_mofa(
        [FallbackSlot(provider=ScriptedProvider("a", limited()), trigger=FallbackTrigger.never()), last]
    )
    world.fail(chain)
    assert len(last.provider.requests) == 0
    assert [place.trigger.mode for place in chain.places] == ["never", "never"]


def test_c38_strict_mofa_counts_full_quotas_and_looks_at_no_retry_after(world):
    """Three 429s open the circuit for its own 30 seconds; the time that the provider has asked for is not kept to."""
    primary = ScriptedProvider("a", limited(retry_after=900))
    chain = strict_mofa([primary, ScriptedProvider("b", model="n")])
    for _ in range(4):
        world.ask(chain)
    assert (len(primary.requests), chain.breaker("a").state) == (3, "open")
    world.clock.advance(30)
    world.ask(chain)
    assert len(primary.requests) == 4


def test_strict_mofa_has_an_order_already():
    """Another order, or a retry, would contradict it."""
    with pytest.raises(ConfigurationError, match=r"`order` would decide nothing"):
        strict_mofa([ScriptedProvider("a")], order="caxton")
    with pytest.raises(ConfigurationError, match="order='mofa' has no place"):
        strict_mofa([ScriptedProvider("a")], retry=QUICK)
    assert strict_mofa([ScriptedProvider("a")], timeouts=TimeoutConfig(total=5)).describe().order[-1] == "timeouts"
