"""The keys of a chain file that decide when a request goes and to whom: hedging, limits, routing."""

import pytest

from llmtest import FallbackChain, HedgingConfig, LLMClient, Reply, Simulation, build_chain, load_config
from llmtest.errors import ScenarioError

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
