"""Chains from files and mappings."""

import pytest

from llmtest.config import build_chain, load_config
from llmtest.errors import ScenarioError
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
        "Known providers: openai, anthropic, ollama, openai_compatible, openrouter, vllm."
    )
