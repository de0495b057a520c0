"""Policies as objects that wrap any provider, in any order, and a chain that says what stands around whom."""

import inspect
import json

import pytest

from llmtest import (
    BudgetConfig,
    CachedProvider,
    CircuitBreakerConfig,
    CircuitBreakerProvider,
    FailoverProvider,
    FallbackChain,
    FallbackSlot,
    HedgedProvider,
    HedgingConfig,
    OpenAIProvider,
    RateLimitConfig,
    RateLimitedProvider,
    ResponseCacheConfig,
    RetryConfig,
    RetryProvider,
    SmartRoutingProvider,
)
from llmtest.errors import AllProvidersFailedError, CircuitOpenError, ConfigurationError, ServerError
from llmtest.resilience import BREAKER, RETRY, Pipeline, PromptRetry
from tests.resilience.scripted_provider import MODES, ScriptedProvider, down

QUICK = RetryConfig(max_attempts=3, base_delay=1.0, jitter=False)
WRAPPERS = {
    "retry": lambda inner: RetryProvider(inner, QUICK),
    "circuit_breaker": lambda inner: CircuitBreakerProvider(inner, CircuitBreakerConfig(failure_threshold=2)),
    "cache": CachedProvider,
    "hedging": lambda inner: HedgedProvider(inner, HedgingConfig(delay=100.0)),
    "rate_limit": lambda inner: RateLimitedProvider(inner, RateLimitConfig(rpm=500)),
    "routing": lambda inner: SmartRoutingProvider(inner, ScriptedProvider("cheap", down(), model="c")),
    "failover": lambda inner: FailoverProvider([inner, ScriptedProvider("spare", "spare", model="s")]),
}


@pytest.fixture(params=MODES)
def mode(request):
    """Run the test in all four ways to ask."""
    return request.param


@pytest.mark.parametrize("outer", WRAPPERS)
@pytest.mark.parametrize("inner", WRAPPERS)
def test_every_policy_goes_around_every_other(world, outer, inner):
    """Two policies around a provider answer what it answers, whole and streamed, and say that they are there."""
    for mode in MODES if "hedging" not in (outer, inner) else MODES[1::2]:
        provider = ScriptedProvider("a", "Paris")
        both = WRAPPERS[outer](WRAPPERS[inner](provider))
        assert world.ask(both, mode).content.strip() == "Paris"
        assert len(provider.requests) == 1
        nested = both.describe()
        own = "fallback" if outer == "failover" else outer
        assert own in nested.order
        assert ("fallback" if inner == "failover" else inner) in nested.slots[0].chain.order


def test_retries_alone_ask_again_and_nobody_else(world, mode):
    """`RetryProvider` asks again as its settings say, under no other policy."""
    provider = ScriptedProvider("a", down(), down(), "Paris")
    alone = RetryProvider(provider, QUICK)
    assert world.ask(alone, mode).content.strip() == "Paris"
    assert (provider.starts, alone.name, alone.model) == ([0.0, 1.0, 3.0], "a", "m")
    assert provider.limits[0].total is None


def test_a_circuit_alone_opens_and_never_asks_twice(world, mode):
    """`CircuitBreakerProvider` counts failures and then refuses without asking."""
    provider = ScriptedProvider("a", down())
    alone = CircuitBreakerProvider(provider, CircuitBreakerConfig(failure_threshold=2, recovery_timeout=30))
    for _ in range(2):
        with pytest.raises(ServerError):
            world.ask(alone, mode)
    with pytest.raises(AllProvidersFailedError) as refused:
        world.ask(alone, mode)
    assert [type(error) for _, error in refused.value.errors] == [CircuitOpenError]
    assert (len(provider.requests), alone.breaker("a").state) == (2, "open")


def test_a_circuit_around_retries_sees_one_failure_for_each_call(world, mode):
    """The order of the objects is the order of the policies: outside of retry a circuit counts calls."""
    provider = ScriptedProvider("a", down())
    outside = CircuitBreakerProvider(RetryProvider(provider, QUICK), CircuitBreakerConfig(failure_threshold=2))
    with pytest.raises(ServerError):
        world.ask(outside, mode)
    assert (len(provider.requests), outside.breaker("a").state) == (3, "closed")


def test_retries_around_a_circuit_are_seen_one_by_one(world, mode):
    """Inside of retry a circuit counts attempts, and opens in the middle of a call."""
    provider = ScriptedProvider("a", down())
    circuit = CircuitBreakerProvider(provider, CircuitBreakerConfig(failure_threshold=2))
    with pytest.raises(AllProvidersFailedError, match="Last failure: ServerError: down"):
        world.ask(RetryProvider(circuit, QUICK), mode)
    assert (len(provider.requests), circuit.breaker("a").state) == (2, "open")


def test_f172_the_order_of_ironclaw_is_written_by_its_decorators(world, mode):
    """Retry innermost, then smart routing, failover, circuit breaker, and the cache outermost: a hit asks nobody."""
    primary = ScriptedProvider("primary", down(), model="p")
    cheap = ScriptedProvider("cheap", down(), model="c")
    spare = ScriptedProvider("spare", "Paris", model="s")
    routed = SmartRoutingProvider(primary=RetryProvider(primary, QUICK), cheap=RetryProvider(cheap, QUICK))
    whole = CachedProvider(CircuitBreakerProvider(FailoverProvider([routed, spare])), name="ironclaw")

    first = world.ask(whole, mode)
    asked = len(primary.requests) + len(cheap.requests)
    assert (first.content.strip(), asked, len(spare.requests)) == ("Paris", 6, 1)

    order, chain = [], whole.describe()
    while chain is not None:
        order.append(chain.order)
        chain = chain.slots[0].chain
    assert order == [
        ("cache", "fallback"),
        ("fallback", "circuit_breaker"),
        ("fallback",),
        ("routing", "fallback"),
        ("fallback", "retry"),
    ]


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda slot: RetryProvider(slot(retry=QUICK), QUICK), "has a `retry`"),
        (lambda slot: CircuitBreakerProvider(slot(circuit_breaker=CircuitBreakerConfig())), "has a `circuit_breaker`"),
        (lambda slot: RetryProvider(slot(), CircuitBreakerConfig()), "takes a `RetryConfig`"),
        (lambda slot: CircuitBreakerProvider(slot(), QUICK), "takes a `CircuitBreakerConfig`"),
    ],
)
def test_a_policy_that_contradicts_its_slot_is_refused_when_built(make, said):
    """Two settings of one policy, or those of another one, are an error that says what to write."""
    with pytest.raises(ConfigurationError, match=f"(?s){said}.*To fix: "):
        make(lambda **settings: FallbackSlot(provider=ScriptedProvider("a"), **settings))


def test_c11_a_chain_tells_its_order_from_outside_to_inside():
    """By default: cache, hedging, fallback, circuit breaker, retry, limits, budget, time limits."""
    chain = FallbackChain(
        [ScriptedProvider("a"), ScriptedProvider("b")],
        cache=ResponseCacheConfig(),
        hedging=HedgingConfig(delay=2.0),
        rate_limit=RateLimitConfig(rpm=5),
        budget=BudgetConfig(),
    )
    inside = ("circuit_breaker", "retry", "rate_limit", "budget", "timeouts")
    assert chain.describe().order == ("cache", "hedging", "fallback", *inside)
    assert [slot.order for slot in chain.describe().slots] == [inside, inside]


def test_the_order_that_is_told_is_the_one_that_runs():
    """A circuit inside of retry is told so, by either way to say it; a policy that is off is not told."""
    providers = [ScriptedProvider("a")]
    for settings in ({"breaker_inside_retry": True}, {"pipeline": Pipeline(place_layers=(RETRY, BREAKER))}):
        order = FallbackChain(providers, timeouts=None, **settings).describe().order
        assert order == ("fallback", "retry", "circuit_breaker")
    bare = FallbackChain(providers, retry=None, circuit_breaker=None, timeouts=None)
    assert bare.describe().order == ("fallback",)


def test_a_strategy_of_your_own_is_told_by_its_class():
    """A layer that somebody else has written stands in the order where it is."""

    class Shorter:
        def around(self, further):
            return further

    chain = FallbackChain([ScriptedProvider("a")], pipeline=Pipeline(call_layers=(Shorter(),)), retry=None)
    assert chain.describe().order == ("Shorter", "fallback", "circuit_breaker", "timeouts")


def test_every_argument_of_a_chain_is_in_its_description():
    """What a chain can be given is told, whatever is added to it later."""
    arguments = set(inspect.signature(FallbackChain).parameters) - {"providers", "name", "pipeline"}
    assert set(FallbackChain([ScriptedProvider("a")]).describe().options) == arguments


def test_a_slot_tells_what_holds_for_it():
    """What a slot says itself, and what it takes over; a chain in a slot is described in its place."""
    inner = RetryProvider(ScriptedProvider("inner"), QUICK)
    slots = [FallbackSlot(provider=ScriptedProvider("a"), retry=QUICK, max_tokens=9), inner]
    first, second = FallbackChain(slots).describe().slots
    assert (first.options["retry"]["base_delay"], first.options["max_tokens"]) == (1.0, 9)
    assert first.options["circuit_breaker"]["failure_threshold"] == 5
    assert first.options["timeouts"]["total"] == 120.0
    assert (second.order, second.options["retry"], second.options["timeouts"]) == ((), None, None)
    assert second.chain.order == ("fallback", "retry")


def test_a_description_is_plain_data_that_stays_the_same():
    """It can be written as JSON, and two chains of the same settings, and one that has been used, read the same."""

    def made():
        return FallbackChain([ScriptedProvider("a")], prompt_retry=PromptRetry(json.loads), cache=ResponseCacheConfig())

    used, other = made(), made()
    before = str(used.describe())
    assert json.loads(json.dumps(used.describe().as_dict())) == other.describe().as_dict()
    assert before == str(other.describe())
    assert before.startswith("fallback-chain: cache > fallback > circuit_breaker > retry > prompt_retry > timeouts\n")


def test_no_key_is_in_a_description():
    """Neither a key of a provider nor the address of a service is told, in words or as data."""
    provider = OpenAIProvider(
        api_key="sk-planted-1234567890", base_url="https://user:planted@example.org/v1", model="m"
    )
    told = FallbackChain([FallbackSlot(provider=CachedProvider(provider)), ScriptedProvider("b")]).describe()
    assert "planted" not in str(told)
    assert "planted" not in json.dumps(told.as_dict())
