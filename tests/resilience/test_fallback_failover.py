"""Failover in the words of llmkit and IronClaw: configs that build chains, triggers of the primary, cooldowns."""

import pytest

from llmtest.errors import (
    AllProvidersFailedError,
    AuthenticationError,
    ConfigurationError,
    InvalidRequestError,
    ModelNotFoundError,
    ProviderConnectionError,
    ProviderTimeoutError,
    QuotaExceededError,
    ServerError,
)
from llmtest.events import RetryScheduled
from llmtest.resilience import (
    CircuitBreakerConfig,
    CooldownConfig,
    FailoverConfig,
    FailoverProvider,
    FailoverTrigger,
    FallbackChain,
    FallbackProvider,
    LLMClient,
    TimeoutConfig,
)
from tests.resilience.scripted_provider import REQUEST, Cut, ScriptedProvider, down, limited, refused_key

WRONG = InvalidRequestError("no", status=400)


def config_of(*fallbacks, primary=None, **settings):
    """Return a config of a primary that is down and some fallbacks."""
    primary = primary or ScriptedProvider("a", down())
    return FailoverConfig("a", primary, [FallbackProvider(each.name, each) for each in fallbacks], **settings)


def asked(providers):
    """Return how often each of some providers was asked."""
    return [len(provider.requests) for provider in providers]


@pytest.mark.parametrize(
    ("trigger", "matching", "other"),
    [
        ("rate_limit", [limited(), QuotaExceededError("x", status=429)], [down(), refused_key()]),
        ("server_error", [down(500), down(503), ServerError("x")], [limited(), WRONG]),
        ("timeout", [ProviderTimeoutError("x")], [ProviderConnectionError("x")]),
        ("network_error", [ProviderConnectionError("x")], [ProviderTimeoutError("x"), down()]),
        ("auth_error", [refused_key()], [down()]),
        ("any_error", [WRONG, refused_key(), down(), ValueError("x")], [KeyboardInterrupt()]),
    ],
)
def test_f069_a_trigger_matches_its_own_errors(trigger, matching, other):
    """Each trigger knows its kind of failure, and no other."""
    trigger = FailoverTrigger(trigger)
    assert [trigger.matches(error) for error in matching] == [True] * len(matching)
    assert [trigger.matches(error) for error in other] == [False] * len(other)


def test_f070_a_fallback_provider_has_its_own_names_of_models(world, mode):
    """Mapped models are asked for by the fallback's name; an unmapped one is refused, or passed on if so said."""
    fallback = FallbackProvider.new("b", ScriptedProvider("b", model=None)).with_model_mapping("gpt-4o", "claude")
    fallback = fallback.with_model_mappings({"o1": "opus"})
    assert [fallback.map_model(name) for name in ("gpt-4o", "o1", "unknown")] == ["claude", "opus", "unknown"]
    config = config_of(primary=ScriptedProvider("a", down())).add_fallback(fallback)
    world.ask(config.build(), mode, REQUEST.with_model("o1"))
    error = world.fail(config.build(), mode, REQUEST.with_model("unknown"))
    assert isinstance(error, AllProvidersFailedError)
    assert isinstance(error.errors[-1][1], ModelNotFoundError)
    assert [request.model for request in fallback.provider.requests] == ["opus"]
    passing = FallbackProvider("c", ScriptedProvider("c", model=None), {"o1": "opus"}, unmapped_models="pass")
    world.ask(config.add_fallback(passing).build(), mode, REQUEST.with_model("unknown"))
    assert [request.model for request in passing.provider.requests] == ["unknown"]


def test_f071_a_config_is_built_step_by_step(world):
    """The steps of llmkit's own test: a trigger is not added twice, and the numbers are kept."""
    config = (
        FailoverConfig.new("primary", ScriptedProvider("p", down()))
        .add_fallback(FallbackProvider.new("fallback1", ScriptedProvider("x", "from x")))
        .add_fallback(FallbackProvider.from_arc("fallback2", ScriptedProvider("y")))
        .trigger_on(FailoverTrigger.RATE_LIMIT)
        .trigger_on("timeout")
        .with_max_attempts(1)
        .retry_primary(2)
    )
    assert config.triggers == ("rate_limit", "server_error", "timeout")
    assert (config.primary_name, len(config.fallbacks), config.max_attempts) == ("primary", 2, 1)
    assert (config.retry_primary_first, config.primary_retries) == (True, 2)
    chain = config.build()
    assert isinstance(chain, FallbackChain)
    assert (chain.name, chain.primary_name(), chain.fallback_names()) == ("primary", "primary", ["fallback1"])
    assert LLMClient(chain).provider is chain
    assert world.ask(chain).content == "from x"


@pytest.mark.parametrize(("most", "expected"), [(0, [1, 1, 1]), (1, [1, 0, 0]), (2, [1, 1, 0]), (9, [1, 1, 1])])
def test_f071_max_attempts_counts_fallbacks_and_0_is_all(world, mode, most, expected):
    """As in llmkit: so many fallbacks, whatever the primary took; 0 leaves none out."""
    fallbacks = [ScriptedProvider(name, down()) for name in "bcd"]
    config = config_of(*fallbacks, max_attempts=most).retry_primary(2)
    world.fail(config.build(), mode)
    assert asked(fallbacks) == expected
    assert len(config.primary.requests) == 3


def test_f071_the_primary_is_asked_again_first_where_that_is_said(world, mode):
    """Its retries go through the retry policy, with waits; without `retry_primary_first` the number says nothing."""
    config = config_of(ScriptedProvider("b"), primary_retries=2)
    world.ask(config.build(seed=1), mode)
    assert len(config.primary.requests) == 1
    config = config_of(ScriptedProvider("b")).retry_primary(2)
    world.ask(config.build(seed=1), mode)
    assert len(config.primary.requests) == 3
    assert all(event.delay > 0 for event in world.events(RetryScheduled))


def test_c16_the_primary_is_not_asked_again_for_what_no_retry_mends(world, mode):
    """A trigger that takes a refused key elsewhere is no reason to try it again."""
    primary = ScriptedProvider("a", refused_key(), credential="key-1")
    config = config_of(ScriptedProvider("b", credential="key-2"), primary=primary).retry_primary(2)
    assert world.ask(config.trigger_on("auth_error").build(), mode).provider == "b"
    assert len(primary.requests) == 1


def test_f072_triggers_are_the_primary_s_alone(world, mode):
    """An error of the primary that no trigger names is the caller's; a fallback hands on whatever it fails with."""
    fallbacks = [ScriptedProvider("b", WRONG), ScriptedProvider("c", "from c")]
    assert world.ask(config_of(*fallbacks).build(), mode).content == "from c"
    wrong = config_of(*fallbacks, primary=ScriptedProvider("a", WRONG))
    assert world.fail(wrong.build(), mode) is WRONG
    assert not wrong.should_failover(WRONG)
    assert world.ask(wrong.with_triggers(["any_error"]).build(), mode).content == "from c"
    never = config_of(*fallbacks, triggers=())
    assert isinstance(world.fail(never.build(), mode), ServerError)


@pytest.mark.parametrize("mode", ["stream", "stream_async"])
def test_c17_a_stream_keeps_to_the_same_rules_and_keeps_the_errors(world, mode):
    """Retries, `max_attempts` and every error hold for streams too, until the first visible piece."""
    fallbacks = [ScriptedProvider(name, Cut("", down())) for name in "bc"]
    primary = ScriptedProvider("a", Cut("", down()))
    config = config_of(*fallbacks, primary=primary, max_attempts=1).retry_primary(1)
    error = world.fail(config.build(), mode)
    assert [name for name, _ in error.errors] == ["a", "b"]
    assert (len(primary.requests), asked(fallbacks)) == (2, [1, 0])


def test_f074_the_composite_has_the_primary_s_name_and_tells_who_served(world, mode):
    """What is called `a` answers from `b`, and says so."""
    chain = FailoverProvider([ScriptedProvider("a", down()), ScriptedProvider("b", model="m-b")])
    response = world.ask(chain, mode)
    assert (chain.name, response.provider, response.model) == ("a", "b", "m-b")


def test_f075_the_presets_know_models_and_triggers(world):
    """GPT models have equivalents at Anthropic and the other way round; the simple one falls back on timeouts too."""
    openai, anthropic = ScriptedProvider("openai", down(), model=None), ScriptedProvider("anthropic", model=None)
    config = FailoverConfig.openai_to_anthropic(openai, anthropic)
    assert config.triggers == ("rate_limit", "server_error")
    models = ["gpt-4o", "gpt-4o-mini", "gpt-4-turbo", "o1"]
    chain = config.build()
    for model in models:
        world.ask(chain, request=REQUEST.with_model(model))
    sonnet, haiku = "claude-sonnet-4-20250514", "claude-3-5-haiku-20241022"
    assert [request.model for request in anthropic.requests] == [sonnet, haiku, sonnet, sonnet]
    (back,) = FailoverConfig.anthropic_to_openai(anthropic, openai).fallbacks
    assert [back.map_model(name) for name in (sonnet, haiku, "claude-opus-4-20250514")] == [
        "gpt-4o",
        "gpt-4o-mini",
        "gpt-4o",
    ]
    simple = FailoverConfig.simple_failover("x", openai, "y", anthropic)
    assert simple.triggers == ("rate_limit", "server_error", "timeout")
    assert simple.build().fallback_names() == ["y"]


def test_f087_names_of_a_plain_list():
    """Without a config the providers' own names are told."""
    chain = FailoverProvider.new([ScriptedProvider("a"), ScriptedProvider("b"), ScriptedProvider("c")])
    assert (chain.primary_name(), chain.fallback_names()) == ("a", ["b", "c"])


def test_f076_a_cooldown_leaves_a_provider_alone(world, mode):
    """After three failures in a row it is left alone for 300 s, then tried by one call."""
    first = ScriptedProvider("a", down(), down(), down(), "from a")
    chain = FailoverProvider.with_cooldown([first, ScriptedProvider("b", "from b")], CooldownConfig())
    assert [world.ask(chain, mode).content for _ in range(6)] == ["from b"] * 6
    assert len(first.requests) == 3
    world.clock.advance(299)
    world.ask(chain, mode)
    assert len(first.requests) == 3
    world.clock.advance(1)
    assert world.ask(chain, mode).content == "from a"


def test_f077_when_all_are_cooling_the_oldest_is_asked(world, mode):
    """Nobody is never asked: the one that has been left alone for longest gets the call."""
    first = ScriptedProvider("a", down(), "from a")
    cooldown = CooldownConfig(cooldown_duration=300, failure_threshold=1)
    chain = FailoverProvider.with_cooldown([first, ScriptedProvider("b", down())], cooldown)
    world.fail(chain, mode)
    assert world.ask(chain, mode).content == "from a"


def test_f076_the_numbers_are_ironclaw_s():
    """300 s, three failures; the cooldown is a circuit breaker (C4)."""
    assert CooldownConfig().circuit_breaker() == CircuitBreakerConfig(failure_threshold=3, recovery_timeout=300)


def test_a_failover_provider_has_no_other_policy_unless_it_is_given_one(world, mode):
    """No retries, no circuits, no limits; each may be given by its argument."""
    providers = [ScriptedProvider("a", down()), ScriptedProvider("b", down())]
    chain = FailoverProvider(providers)
    for _ in range(7):
        world.fail(chain, mode)
    assert asked(providers) == [7, 7]
    assert [place.breaker for place in chain.places] == [None, None]
    limited_one = FailoverProvider([ScriptedProvider("a")], timeouts=TimeoutConfig(deadline=9))
    world.ask(limited_one, mode)
    assert limited_one.places[0].provider.limits[0].total == 9.0


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: FailoverProvider([]), "chain `fallback-chain` has no providers. To fix: add at least one"),
        (
            lambda: config_of(max_attempts=-1),
            "`max_attempts` of a FailoverConfig is a whole number of 0 or more, got -1",
        ),
        (
            lambda: config_of().retry_primary(True),
            "`primary_retries` of a FailoverConfig is a whole number of 0 or more, got True",
        ),
        (
            lambda: config_of().trigger_on("overload"),
            (
                "'overload' is not a valid FailoverTrigger. Known triggers: rate_limit, server_error, timeout, "
                "network_error, auth_error, any_error"
            ),
        ),
        (
            lambda: CooldownConfig(failure_threshold=0),
            "`failure_threshold` of a CooldownConfig is a whole number of 1 or more, got 0",
        ),
        (
            lambda: CooldownConfig(cooldown_duration=-1),
            "`cooldown_duration` of a CooldownConfig is a number of seconds, 0 or more, got -1",
        ),
    ],
)
def test_wrong_failovers_are_refused(make, message):
    """Each mistake is named when it is made."""
    with pytest.raises(ConfigurationError) as error:
        make()
    assert str(error.value) == message


def test_c5_an_auth_trigger_rotates_keys(world, mode):
    """`auth_error` sends a call to another key of the same provider, and remembers the refused one."""
    bad = ScriptedProvider("a", refused_key(), credential="key-1")
    config = config_of(ScriptedProvider("a", credential="key-2"), primary=bad).trigger_on("auth_error")
    chain = config.build()
    for _ in range(3):
        assert world.ask(chain, mode).attempts[-1].credential == "key-2"
    assert len(bad.requests) == 1
    only = config_of(ScriptedProvider("a", credential="key-1"), primary=bad).trigger_on("auth_error").build()
    assert isinstance(world.fail(only, mode), AuthenticationError)
