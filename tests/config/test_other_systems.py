"""What chain files say beyond the policies, and who answers for the providers in them."""

import asyncio

import pytest

from llmtest import CompletionRequest, LLMClient, Simulation, build_chain, faults, load_config
from llmtest.config import build_provider_chain
from llmtest.errors import CassetteMismatchError, ConfigurationError, ScenarioError, ServerError

KEYS = {"OPENAI_API_KEY": "sk-1234567", "ANTHROPIC_API_KEY": "sk-ant-1234567"}


@pytest.fixture(autouse=True)
def _keys(monkeypatch):
    for name, value in KEYS.items():
        monkeypatch.setenv(name, value)
    for name in ("LLMTEST_MODE", "LLMTEST_CASSETTE"):
        monkeypatch.delenv(name, raising=False)


def test_p07_a_file_says_everything_that_a_chain_has(tmp_path):
    """Names, limits, headers, prices, nested chains and the chain's own settings are known keys, and hold."""
    path = tmp_path / "chain.yaml"
    path.write_text(
        """
on_all_open: try_oldest
max_attempts: 4
trigger: any_error
providers:
  - name: clouds
    chain:
      name: inner
      providers:
        - {provider: openai, name: first, model: gpt-9, headers: {x-team: blue}, max_tokens: 9, temperature: 0.2,
           context_window: 500, price: {input_usd_per_mtok: 1, output_usd_per_mtok: 2}}
        - {provider: claude, trigger: never}
  - {provider: ollama, model: llama3.2}
"""
    )
    chain = load_config(path).build()
    outer, last = chain.places
    first, second = outer.provider.places
    assert (outer.provider.name, last.name, second.name) == ("clouds", "ollama", "anthropic")
    assert (first.breaker.name, first.config.context_window, second.trigger.mode) == ("first", 500, "never")
    assert last.trigger.mode == "any_error"
    with Simulation() as sim:
        sim.openai.replies("Paris")
        answer = chain.complete(CompletionRequest.ask("hi"))
        (seen,) = sim.openai.requests
    assert (seen.headers["x-team"], seen.request.max_tokens, seen.request.temperature) == ("blue", 9, 0.2)
    assert answer.cost_usd is not None
    with Simulation() as sim:
        for handle in (sim.openai, sim.anthropic, sim.ollama):
            handle.fails(faults.ServerError(500), times=None, optional=True)
        with pytest.raises(ServerError) as caught:
            build_chain({"max_attempts": 2, "providers": [{"provider": "openai"}, {"provider": "ollama"}]}).complete(
                CompletionRequest.ask("hi")
            )
    assert len(caught.value.attempts) == 2


@pytest.mark.parametrize(
    ("slot", "message"),
    [
        pytest.param({"chain": {"providers": []}}, "needs at least one provider", id="empty"),
        pytest.param(
            {"provider": "openai", "chain": {"providers": [{"provider": "ollama"}]}}, "not both", id="two-answers"
        ),
        pytest.param({"provider": "openai", "temperature": 3}, "`3` is not a temperature", id="temperature"),
        pytest.param({"provider": "openai", "custom": {"path": ""}}, "`custom` says nothing to `openai`", id="custom"),
        pytest.param({"provider": "openai", "responses": ["a"]}, "`responses` says nothing to `openai`", id="mock"),
        pytest.param(
            {"provider": "openai", "deployment": "d"}, "`deployment` says nothing to `openai`", id="deployment"
        ),
        pytest.param({"provider": "custom", "api": "chat"}, "`api` says nothing to `custom`", id="custom-api"),
        pytest.param({"provider": "custom", "custom": {"promt_field": "x"}}, "Did you mean `prompt_field`", id="field"),
        pytest.param(
            {
                "provider": "openai",
                "cost_per_1k_tokens": 1,
                "price": {"input_usd_per_mtok": 1, "output_usd_per_mtok": 1},
            },
            "takes `price` or `cost_per_1k_tokens`, not both",
            id="two-prices",
        ),
        pytest.param({"provider": "openai", "price": {"input": 1}}, "unknown key `input`", id="price-word"),
        pytest.param({}, "the key `provider` in `providers[0]` is missing", id="nobody"),
    ],
)
def test_p07_what_makes_no_sense_is_told_with_its_place(slot, message):
    """Each mistake names the slot, and what would make sense there."""
    with pytest.raises(ScenarioError) as caught:
        build_chain({"providers": [slot]})
    assert message in str(caught.value)
    assert "providers[0]" in str(caught.value)


def test_an_unknown_word_for_open_circuits_is_told():
    """`on_all_open` has two words."""
    with pytest.raises(ScenarioError, match=r"unknown choice `wait`\.\nKnown choices: fail, try_oldest"):
        build_chain({"on_all_open": "wait", "providers": [{"provider": "ollama"}]})


def test_f015_a_mock_answers_without_network_or_keys():
    """`provider: mock` says the same for the same prompt, or what the file says, in turn and again from the start."""
    client = LLMClient(build_chain({"providers": [{"provider": "mock"}]}))
    assert client.ask("Why?") == client.ask("Why?") != ""
    said = LLMClient(build_chain({"providers": [{"provider": "mock", "responses": ["one", "two"]}]}))
    assert [said.ask("hi") for _ in range(3)] == ["one", "two", "one"]


def test_f016_the_mode_makes_a_chain_simulated(monkeypatch):
    """`LLMTEST_MODE=mock` needs no key, asks no network, and leaves names, models and code as they are."""
    for name in KEYS:
        monkeypatch.delenv(name)
    monkeypatch.setenv("LLMTEST_MODE", "mock")
    slots = [{"provider": "openai", "model": "gpt-4o", "api_key_env": "OPENAI_API_KEY"}, {"provider": "anthropic"}]
    chain = build_chain({"providers": slots})
    answer = chain.complete(CompletionRequest.ask("hi"))
    assert (answer.provider, answer.attempts[0].outcome, bool(answer.content)) == ("openai", "200", True)
    assert [place.provider.model for place in chain.places] == ["gpt-4o", "claude-sonnet-4-6"]


def test_f016_a_simulation_answers_whatever_the_mode(monkeypatch):
    """Under `llm_sim` the real providers are built, so that scripts reach them; objects stay what they are."""

    class Mine:
        name = "mine"

        def complete(self, prompt):
            return "mine"

    monkeypatch.setenv("LLMTEST_MODE", "mock")
    with Simulation() as sim:
        sim.openai.replies("Paris")
        assert LLMClient(build_chain({"providers": [{"provider": "openai"}]})).ask("hi") == "Paris"
    assert LLMClient(build_chain({"providers": [{"provider": "x"}]}, {"x": Mine()})).ask("hi") == "mine"


WHOLE = """
interactions:
- request: {method: POST, uri: "https://api.openai.com/v1/chat/completions", headers: {}, body: '{"model": "gpt-4o",
    "messages": [{"role": "user", "content": "Capital of France?"}]}'}
  response:
    status: {code: 200, message: OK}
    headers: {content-type: [application/json]}
    body: {string: '{"choices": [{"message": {"role": "assistant", "content": "Paris"}, "finish_reason": "stop"}]}'}
version: 1
"""
STREAMED = """
interactions:
- request: {method: POST, uri: "https://api.openai.com/v1/chat/completions", headers: {}, body: '{"model": "gpt-4o",
    "messages": [{"role": "user", "content": "Capital of France?"}], "stream": true, "stream_options":
    {"include_usage": true}}'}
  response:
    status: {code: 200, message: OK}
    headers: {content-type: [text/event-stream]}
    body:
      string: |+
        data: {"choices": [{"index": 0, "delta": {"content": "Paris"}, "finish_reason": "stop"}]}

        data: [DONE]

version: 1
"""


@pytest.mark.parametrize("way", ["complete", "complete_async", "stream", "stream_async"])
def test_f016_a_recording_answers_in_replay(tmp_path, monkeypatch, way):
    """`LLMTEST_MODE=replay` plays the cassette that is named; what was not recorded is an error of the harness."""
    path = tmp_path / "session.yaml"
    path.write_text(STREAMED if "stream" in way else WHOLE)
    monkeypatch.setenv("LLMTEST_MODE", "replay")
    monkeypatch.setenv("LLMTEST_CASSETTE", str(path))

    async def ask_async(chain, request):
        if way == "complete_async":
            return (await chain.complete_async(request)).content
        return [event async for event in chain.stream_async(request)][-1].response.content

    def ask(prompt):
        chain, request = build_chain({"providers": [{"provider": "openai"}]}), CompletionRequest.ask(prompt)
        assert "session.yaml" in repr(chain.places[0].provider)
        if way.endswith("async"):
            return asyncio.run(ask_async(chain, request))
        if way == "complete":
            return chain.complete(request).content
        return list(chain.stream(request))[-1].response.content

    assert ask("Capital of France?") == "Paris"
    with pytest.raises(CassetteMismatchError):
        ask("Capital of Spain?")


def test_replay_without_a_cassette_says_what_to_set():
    """A recording that nobody named is told with the variable; so is a mode that nobody knows."""
    with pytest.raises(ScenarioError, match=r"To fix: export LLMTEST_CASSETTE=cassettes/session\.yaml"):
        build_chain({"providers": [{"provider": "openai"}]}, mode="replay")
    with pytest.raises(ConfigurationError, match=r"mode=repay: there is no such mode\. Did you mean `replay`"):
        build_chain({"providers": [{"provider": "openai"}]}, mode="repay")


def test_f017_a_pair_of_providers_is_built():
    """`build_provider_chain` returns the chain and the cheap one, which share policies and the budget."""
    config = {
        "name": "main",
        "retry": {"max_retries": 3},
        "budget": {"max_tokens_per_session": 1000},
        "providers": [{"provider": "openai", "model": "gpt-4o"}, {"provider": "anthropic"}],
        "cheap": {"provider": "openai", "model": "gpt-4o-mini"},
    }
    main, cheap = build_provider_chain(config, mode="mock")
    assert [place.name for place in main.places] == ["openai", "anthropic"]
    assert (cheap.name, cheap.places[0].provider.model, cheap.places[0].retry.max_attempts) == (
        "main-cheap",
        "gpt-4o-mini",
        4,
    )
    assert cheap.budget is main.budget
    assert build_provider_chain({"providers": config["providers"]}, mode="mock")[1] is None
    with pytest.raises(ScenarioError, match=r"`cheap\.provider`: no provider `opnai`"):
        build_provider_chain({**config, "cheap": {"provider": "opnai"}}, mode="mock")


@pytest.mark.parametrize("name", ["near_ai", "tinfoil"])
def test_f009_near_ai_and_tinfoil_by_name(name):
    """IronClaw's providers are presets that files name."""
    (place,) = build_chain({"providers": [{"provider": name, "model": "m", "api_key": "key-12345"}]}).places
    assert (place.name, place.provider.base_url.startswith("https://")) == (name, True)
