"""Chains from files and mappings."""

import pytest

from llmtest.config import build_chain, load_config
from llmtest.errors import ConfigurationError, ScenarioError
from llmtest.resilience import CircuitBreakerConfig
from llmtest.types import Capabilities


class Named:
    """A provider object; its answers do not matter here."""

    model = None
    capabilities = Capabilities()

    def __init__(self, name):
        self.name = name

    def complete(self, request, timeouts=None):
        """Answer nothing."""

    complete_async = stream = stream_async = complete


def test_a_mapping_may_hold_provider_objects():
    """`provider:` may be an object; order is by priority, then as written."""
    providers = [{"provider": Named("a")}, {"provider": Named("b"), "priority": 50}, {"provider": Named("c")}]
    assert [place.name for place in build_chain({"providers": providers}).places] == ["b", "a", "c"]


def test_yaml_and_toml_say_the_same(tmp_path):
    """The same chain in both formats, with variables and policies."""
    (tmp_path / "chain.yaml").write_text(
        'name: main\nretry: {max_retries: 1}\nproviders:\n  - {provider: "${WHO}", trigger: never}\n'
    )
    (tmp_path / "chain.toml").write_text(
        'name = "main"\n[retry]\nmax_retries = 1\n[[providers]]\nprovider = "${WHO}"\ntrigger = "never"\n'
    )
    for name in ("chain.yaml", "chain.toml"):
        config = load_config(tmp_path / name, environment={"WHO": "mine"})
        chain = config.build({"mine": Named("mine")})
        (place,) = chain.places
        assert (chain.name, place.name, place.retry.max_attempts, place.trigger.mode) == ("main", "mine", 2, "never")


def test_null_switches_a_policy_off():
    """A policy that is not mentioned has its default; `null` is off."""
    (default,) = build_chain({"providers": [{"provider": Named("a")}]}).places
    (off,) = build_chain({"retry": None, "circuit_breaker": None, "providers": [{"provider": Named("a")}]}).places
    assert (default.retry is None, default.breaker is None) == (False, False)
    assert (off.retry, off.breaker) == (None, None)


def test_a_circuit_may_count_rate_limits(tmp_path):
    """The setting is a word of the file, off where the file does not say so."""
    path = tmp_path / "chain.yaml"
    for text, counts in (("{count_rate_limits: true}", True), ("{failure_threshold: 2}", False)):
        path.write_text(f"circuit_breaker: {text}\nproviders: [{{provider: mine}}]\n")
        (place,) = load_config(path).build({"mine": Named("mine")}).places
        assert place.breaker.config.count_rate_limits is counts


def test_toml_errors_have_lines(tmp_path, monkeypatch):
    """An unknown key in a TOML file is reported with its line."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "chain.toml").write_text(
        'name = "main"\n\n[retry]\nmax_atempts = 3\n\n[[providers]]\nprovider = "openai"\n'
    )
    with pytest.raises(ScenarioError) as caught:
        load_config("chain.toml")
    assert str(caught.value).startswith(
        "chain.toml:4: unknown key `max_atempts` in `retry`. Did you mean `max_attempts`?"
    )


def test_an_unknown_provider_names_the_known_ones():
    """A name that is neither given nor built in is refused."""
    with pytest.raises(ScenarioError) as caught:
        build_chain({"providers": [{"provider": "opnai"}]})
    assert str(caught.value) == (
        "`providers[0].provider`: no provider `opnai`. Did you mean `openai`?\n"
        "Known providers: openai, anthropic, azure, bedrock, cohere, deepseek, gemini, groq, huggingface, "
        "mistral, near_ai, ollama, openai_compatible, openrouter, perplexity, tinfoil, together_ai, vertex, vllm, xai, "
        "custom, mock."
    )


def test_fb05_a_target_that_is_named_twice_is_refused(tmp_path, monkeypatch):
    """Two slots with one endpoint, key and model are one target; another model, key or mapping makes another."""
    monkeypatch.chdir(tmp_path)
    first = "  - {provider: openai, api_key: k}\n"
    (tmp_path / "chain.yaml").write_text("providers:\n" + first + "  - {provider: ollama}\n" + first)
    with pytest.raises(ScenarioError) as caught:
        load_config("chain.yaml").build()
    assert str(caught.value) == (
        "chain.yaml:4: `providers[2]` asks the same as `providers[0]`, so that a call would ask it twice for the same "
        "failure.\nTo fix: remove one, give it a `model`, `api_key` or `base_url` of its own, or retry with "
        "`retry.max_attempts`"
    )
    slot = {"provider": "openai", "api_key": "k"}
    others = [{"model": "gpt-4o-mini"}, {"api_key": "other"}, {"base_url": "http://proxy/v1"}]
    others += [{"model_mapping": {"gpt-4o": "gpt-4.1"}}]
    assert len(build_chain({"providers": [slot, *({**slot, **other} for other in others)]}).places) == 5


@pytest.mark.parametrize(
    ("config", "fix"),
    [
        pytest.param("chain.yaml", 'load_config("chain.yaml").build()', id="path"),
        pytest.param(5, "build_chain({...})", id="number"),
    ],
)
def test_what_is_no_chain_is_refused(config, fix):
    """A path, or anything else that is no mapping, gets the call that was meant."""
    with pytest.raises(ConfigurationError) as caught:
        build_chain(config)
    assert str(caught.value) == (
        f"build_chain takes a mapping in the schema of a chain file, or a loaded one, not `{config}`.\nTo fix: {fix}"
    )


def test_a_loaded_chain_is_built_either_way(tmp_path):
    """`load_config(...).build()` and `build_chain(load_config(...))` are the same; the config has the chain's name."""
    path = tmp_path / "chain.yaml"
    path.write_text("name: main\nproviders: [{provider: mine}]\n")
    config = load_config(path)
    assert config.name == "main"
    mine = {"mine": Named("mine")}
    assert config.build(mine).name == build_chain(config, mine).name == "main"


@pytest.mark.parametrize(
    ("slot", "message"),
    [
        pytest.param(
            {"provider": "anthropic"},
            "`providers[0]`: `anthropic` needs an API key, and `ANTHROPIC_API_KEY` is not set.\n"
            "To fix: export ANTHROPIC_API_KEY=..., or pass `api_key`",
            id="no-key",
        ),
        pytest.param(
            {"provider": "openai_compatible", "model": "m"},
            "`providers[0]`: `openai_compatible` needs an address, and `OPENAI_BASE_URL` is not set.\n"
            "To fix: export OPENAI_BASE_URL=..., or pass `base_url`",
            id="no-address",
        ),
        pytest.param(
            {"provider": object()},
            "`providers[0].provider`: `object` is not a provider; it lacks `complete`.",
            id="no-provider",
        ),
        pytest.param(
            {"provider": "ollama", "model_mapping": {"a": 5}},
            "`providers[0].model_mapping.a`: must be a text.",
            id="mapping-value",
        ),
        pytest.param(
            {"provider": "ollama", "model_mapping": ["a"]},
            "`providers[0].model_mapping`: must be a mapping.",
            id="mapping",
        ),
    ],
)
def test_a_slot_that_cannot_be_made(monkeypatch, slot, message):
    """What a provider lacks is told with its place in the chain."""
    for name in ("ANTHROPIC_API_KEY", "OPENAI_BASE_URL"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(ScenarioError) as caught:
        build_chain({"providers": [slot]})
    assert str(caught.value) == message


def test_a_provider_is_made_from_its_name():
    """A built-in name is made with what the slot says, and speaks for itself in the chain."""
    slots = [{"provider": "openai", "api_key": "k", "model": "m"}, {"provider": "ollama", "model": "llama3.2"}]
    chain = build_chain({"providers": slots})
    assert [(place.name, place.provider.model) for place in chain.places] == [("openai", "m"), ("ollama", "llama3.2")]


def test_every_policy_of_a_file_reaches_the_chain():
    """Presets, retry budgets, conditions, time limits and limits on money are what the mapping says."""
    chain = build_chain(
        {
            "circuit_breaker": "ironclaw",
            "retry": {"max_attempts": 4, "budget": {"ratio": 0.2, "reserve": 3}},
            "timeouts": None,
            "budget": {"max_cost_per_day": "$25.00"},
            "providers": [
                {"provider": Named("a"), "trigger": {"conditions": ["rate_limited"]}, "circuit_breaker": "mofa"},
                {
                    "provider": Named("b"),
                    "timeouts": {"read": "5s"},
                    "quota_group": "shared",
                    "retry": {"jitter": False},
                },
                {"provider": Named("c"), "trigger": "default"},
            ],
        }
    )
    first, second, third = chain.places
    mofa, ironclaw = CircuitBreakerConfig.mofa(), CircuitBreakerConfig.ironclaw()
    assert first.breaker.config.failure_threshold == mofa.failure_threshold
    assert third.breaker.config.failure_threshold == ironclaw.failure_threshold
    assert (third.retry.max_attempts, third.retry.budget.ratio, third.retry.budget.reserve) == (4, 0.2, 3)
    assert (second.retry.jitter, second.timeouts.read) == (False, 5.0)
    assert first.timeouts is None or first.timeouts.read is None
