"""The keys of a chain file that decide when a request goes and to whom: hedging, limits, routing."""

import pytest

from llmtest import (
    CompletionRequest,
    FallbackChain,
    HedgingConfig,
    LLMClient,
    Reply,
    Simulation,
    SmartRoutingProvider,
    build_chain,
    build_provider_chain,
    load_config,
)
from llmtest.errors import ConfigurationError, ScenarioError

TWO = [{"provider": "openai", "model": "gpt-4o"}, {"provider": "anthropic"}]


def test_hedging_from_a_file(tmp_path):
    """A file says when a call is sent once more, and where to."""
    path = tmp_path / "chain.yaml"
    path.write_text(
        "hedging: {delay: 2s, to: next}\n"
        "providers:\n"
        "  - {provider: openai, model: gpt-4o}\n"
        "  - {provider: anthropic, model: claude-opus-5}\n"
    )
    with Simulation() as sim:
        sim.openai.replies(Reply("late", latency=9))
        sim.anthropic.replies("Paris")
        chain = load_config(path, environment={"OPENAI_API_KEY": "sk-1", "ANTHROPIC_API_KEY": "sk-2"}).build()
        assert LLMClient(chain).ask("Capital of France?") == "Paris"
        assert sim.clock.elapsed() == pytest.approx(2, abs=0.01)
        sim.clock.sleep(10)


def test_hedging_in_the_builder():
    """A chain built step by step has it by its word."""
    with Simulation() as sim:
        provider = sim.openai.as_provider("gpt-4o")
        chain = FallbackChain.builder().with_hedging(HedgingConfig(delay=1.0)).add_last(provider).build()
        sim.openai.replies("Paris")
        assert LLMClient(chain).ask("hi") == "Paris"


@pytest.mark.parametrize(
    ("hedging", "message"),
    [
        ({}, r"`hedging`: .*`delay` or `percentile`, got neither"),
        ({"delay": "2s", "percentile": 95}, r"`hedging`: .*got both"),
        ({"delay": 0}, r"`hedging`: .*more than 0 seconds"),
        ({"delay": "-2s"}, r"`hedging\.delay`"),
        ({"percentile": 100}, r"less than 100"),
        ({"delay": "2s", "to": "nxt"}, r"`hedging\.to`.*Did you mean `next`"),
        ({"delay": "2s", "max_hedges": 0}, r"`hedging\.max_hedges`.*below 1"),
        ({"dealy": "2s"}, r"Did you mean `delay`"),
    ],
)
def test_hedging_that_makes_no_sense_is_told_with_its_place(hedging, message):
    """Neither, both, zero, negative, unknown: each names its key."""
    with pytest.raises(ScenarioError, match=message):
        build_chain({"hedging": hedging, "providers": TWO}, mode="mock")


def test_limits_from_a_file():
    """A file limits the chain, and a slot by itself."""
    config = {
        "rate_limit": {"concurrency": 8, "queue_timeout": None},
        "providers": [{**TWO[0], "rate_limit": {"rpm": 1, "tpm": "30k", "max_queue": 0}}, TWO[1]],
    }
    with Simulation() as sim:
        sim.openai.replies("one")
        sim.anthropic.replies("two")
        providers = {
            "openai": sim.openai.as_provider("gpt-4o"),
            "anthropic": sim.anthropic.as_provider("claude-opus-5"),
        }
        chain = build_chain(config, providers)
        assert [LLMClient(chain).ask("hi") for _ in range(2)] == ["one", "two"]
    assert chain.places[0].config.rate_limit.tpm == 30_000


@pytest.mark.parametrize(
    ("limits", "message"),
    [
        ({"rpm": 0}, r"`rate_limit\.rpm`.*below 1"),
        ({"learn": False}, r"`rate_limit`: .*nothing is limited"),
        ({"rpm": 5, "queue_timeout": 0, "max_queue": 3}, r"`rate_limit`: .*lets 3 wait"),
        ({"rmp": 5}, r"Did you mean `rpm`"),
        ({"queue_timeout": "-1s", "rpm": 5}, r"`rate_limit\.queue_timeout`"),
    ],
)
def test_limits_that_make_no_sense_are_told_with_their_place(limits, message):
    """Zero, nothing, contradictions and unknown keys name their place."""
    with pytest.raises(ScenarioError, match=message):
        build_chain({"rate_limit": limits, "providers": TWO}, mode="mock")


SMART = {
    "name": "answers",
    "providers": [{"provider": "openai", "model": "gpt-4o"}, {"provider": "anthropic", "model": "claude-opus-4"}],
    "cheap": {"provider": "openai", "model": "gpt-4o-mini"},
    "budget": {"max_tokens_per_session": 100_000},
}
HARD = "Explain why, prove it, and compare. 1. Refactor the code 2. then analyse the api with its stack trace " * 2


def test_f120_routing_from_a_file():
    """With `routing` and `cheap`, simple prompts go to the cheap slot; both share limits, deadline and budget."""
    config = {
        **SMART,
        "routing": {"complexity_threshold": 0.5},
        "timeouts": {"deadline": "60s"},
        "rate_limit": {"rpm": 50},
    }
    with Simulation() as sim:
        sim.openai.replies("Paris", "I don't know.", "Rome", "a proof")
        providers = {
            "openai/gpt-4o": sim.openai.as_provider("gpt-4o"),
            "openai/gpt-4o-mini": sim.openai.as_provider("gpt-4o-mini"),
            "anthropic": sim.anthropic.as_provider("claude-opus-4"),
        }
        main = build_chain(config, providers)
        client = LLMClient(main)
        assert [client.ask(prompt) for prompt in ("France?", "Italy?", HARD)] == ["Paris", "Rome", "a proof"]
        models = [record.model for record in sim.openai.requests]
    assert models == ["gpt-4o-mini", "gpt-4o-mini", "gpt-4o", "gpt-4o"]
    stats = main.stats()
    assert (main.name, stats.total, stats.cascade_escalations) == ("answers", 3, 1)
    assert main.primary.budget is main.cheap.budget is not None


def test_f017_routing_between_the_pair_of_a_file():
    """`build_provider_chain` returns the routing and the cheap chain; without `routing` nothing changes."""
    main, cheap = build_provider_chain({**SMART, "routing": {}}, mode="mock")
    assert (type(main), main.cheap, cheap.name) == (SmartRoutingProvider, cheap, "answers-cheap")
    assert [place.name for place in main.primary.places] == ["openai", "anthropic"]
    assert LLMClient(main).ask("hi")
    plain, _ = build_provider_chain(SMART, mode="mock")
    assert not isinstance(plain, SmartRoutingProvider)


def test_f124_the_best_provider_of_a_file():
    """`prefer` routes inside the chain."""
    with Simulation() as sim:
        sim.openai.latency(5).echoes()
        sim.anthropic.latency(1).echoes()
        anthropic = sim.anthropic.as_provider("claude-opus-4")
        providers = {"openai": sim.openai.as_provider("gpt-4o"), "anthropic": anthropic}
        chain = build_chain({"routing": {"prefer": "latency"}, "providers": SMART["providers"]}, providers)
        request = CompletionRequest.ask("hi")
        assert [chain.complete(request).provider for _ in range(4)] == ["openai", *["anthropic"] * 3]


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"routing": {}}, r"`routing` needs `cheap`"),
        ({"routing": {"complexity_threshold": 2}}, r"`routing\.complexity_threshold`"),
        ({"routing": {"cascade_on": ["eror"]}}, r"Did you mean `error`"),
        ({"routing": {"overrides": {"x": "chaep"}}}, r"Did you mean `cheap`"),
        ({"routing": {"overrides": {"(": "cheap"}}}, r"`routing`: .*no regular expression"),
        ({"routing": {"prefer": "latency", "cascade_enabled": True}}, r"`cascade_enabled` takes no `prefer`"),
        ({"routing": {"alpha": 0.5}}, r"`alpha` needs `prefer`"),
        ({"routing": {"cascade_enabled": False, "cascade_on": ["error"]}}, r"the cascade is off and not"),
        ({"routing": {"prefer": "latency"}, "strategy": "random"}, r"of which only one would hold"),
    ],
)
def test_routing_that_makes_no_sense_is_told(config, message):
    """Each contradiction names its key."""
    with pytest.raises((ScenarioError, ConfigurationError), match=message):
        build_chain({"providers": SMART["providers"], **config}, mode="mock")
