"""The keys of a chain file that say when providers are asked whether they are well, and who is told."""

from decimal import Decimal

import pytest

from llmtest import HealthConfig, LLMClient, build_chain, load_config
from llmtest.errors import ScenarioError
from llmtest.resilience import AlertConfig

TWO = [{"provider": "openai", "model": "gpt-4o"}, {"provider": "anthropic"}]


def health_of(said):
    """Return what a chain file's section comes to."""
    chain = build_chain({"health": said, "providers": TWO}, mode="mock")
    return None if chain.health is None else chain.health.config


def test_f162_health_from_a_file(tmp_path):
    """A file says everything that the code can, but functions and stores."""
    path = tmp_path / "chain.yaml"
    path.write_text(
        "health:\n"
        '  {interval: 30s, timeout: 5s, failure_threshold: 2, recovery_threshold: 1, prompt: "Are you there?",\n'
        "   max_tokens: 4, ask: models, rest_after: null, passive: false,\n"
        "   alerts: {downtime: 2m, error_rate: 20%, slow: 10s, slow_rate: 0.3, cost_usd: 2.50, window: 10m,\n"
        "            minimum_calls: 5}}\n"
        "providers:\n"
        "  - {provider: openai, model: gpt-4o}\n"
    )
    chain = build_chain(load_config(path), mode="mock")
    assert chain.health.config == HealthConfig(
        interval=30.0,
        timeout=5.0,
        failure_threshold=2,
        recovery_threshold=1,
        prompt="Are you there?",
        max_tokens=4,
        ask="models",
        rest_after=None,
        passive=False,
        alerts=AlertConfig(
            downtime=120.0,
            error_rate=0.2,
            slow=10.0,
            slow_rate=0.3,
            cost_usd=Decimal("2.50"),
            window=600.0,
            minimum_calls=5,
        ),
    )


@pytest.mark.parametrize(
    ("said", "config"),
    [
        ({}, HealthConfig()),
        (None, None),
        ({"enabled": False, "interval": "5s"}, None),
        ("llmkit", HealthConfig.llmkit()),
        ("caxton", HealthConfig.caxton()),
        (
            {"interval_seconds": 90, "timeout_seconds": 3, "test_prompt": "hi"},
            HealthConfig(interval=90.0, timeout=3.0, prompt="hi"),
        ),
        (
            {"alerts": {"downtime": None, "error_rate": None}},
            HealthConfig(alerts=AlertConfig(downtime=None, error_rate=None)),
        ),
    ],
    ids=["defaults", "null", "off", "llmkit", "caxton", "other-names", "no-alerts"],
)
def test_what_a_section_comes_to(said, config):
    """Nothing said is the default, `null` and `enabled: false` are off, a name is a preset."""
    assert health_of(said) == config


def test_a_chain_without_the_section_asks_nobody():
    """It is off by default, and a chain in the mock mode answers."""
    chain = build_chain({"providers": TWO}, mode="mock")
    assert chain.health is None
    assert LLMClient(chain).ask("hi")


@pytest.mark.parametrize(
    ("said", "message"),
    [
        ({"interval": 0}, r"`health`: .*interval must be more than 0 seconds"),
        ({"interval": "soon"}, r"`health\.interval`.*`soon` is not a duration"),
        ({"interval": "5s", "interval_seconds": 5}, r"takes `interval` or `interval_seconds`, not both"),
        ({"intervall": 5}, r"Did you mean `interval`"),
        ({"failure_threshold": 0}, r"`health\.failure_threshold`.*below 1"),
        ({"ask": "model"}, r"`health\.ask`.*Did you mean `models`"),
        ({"active": False, "passive": False}, r"`health`: .*nothing tells of a provider"),
        ({"alerts": {"error_rate": 0}}, r"`health\.alerts`: .*error_rate must be a share above 0"),
        ({"alerts": {"cost_usd": "much"}}, r"`health\.alerts\.cost_usd`"),
        ("llmkitt", r"`health`.*Did you mean `llmkit`"),
    ],
)
def test_health_that_makes_no_sense_is_told_with_its_place(said, message):
    """Each mistake names its key."""
    with pytest.raises(ScenarioError, match=message):
        build_chain({"health": said, "providers": TWO}, mode="mock")
