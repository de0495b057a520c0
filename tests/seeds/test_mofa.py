"""MoFA, `llm-providers`: every configuration and piece of code of the document."""

import asyncio

import pytest

from llmtest import (
    AnthropicProvider,
    Budget,
    BudgetConfig,
    ChatMessage,
    CircuitBreakerConfig,
    CompletionRequest,
    FallbackChain,
    FallbackCondition,
    FallbackTrigger,
    LLMAgentBuilder,
    LLMClient,
    OpenAIProvider,
    Simulation,
    TokenBudgetConfig,
    faults,
    load_config,
)
from llmtest.config import LiteralKeyWarning
from llmtest.costs import context_window
from llmtest.errors import (
    AuthenticationError,
    BudgetExceededError,
    ConfigurationError,
    ContextLengthExceededError,
    ModelNotFoundError,
    RateLimitedError,
)
from llmtest.types import CompletionResponse


def test_openai_configuration_and_usage(monkeypatch):
    """A key, a model and an address in the environment; a question, one with a system prompt, a stream."""
    monkeypatch.setenv("OPENAI_API_KEY", "sk-1234567")
    monkeypatch.setenv("OPENAI_MODEL", "gpt-4o")
    monkeypatch.delenv("OPENAI_BASE_URL", raising=False)
    with Simulation() as sim:
        sim.openai.replies("a language", "who owns what", "once upon a time")
        client = LLMClient(OpenAIProvider.from_env())
        assert client.ask("What is Rust?") == "a language"
        assert client.ask_with_system("You are a Rust expert.", "Explain ownership") == "who owns what"
        with client.stream(CompletionRequest.ask("Tell a story", system="You are helpful.")) as stream:
            assert "".join(event.text for event in stream) == "once upon a time"
        assert {seen.model for seen in sim.openai.requests} == {"gpt-4o"}


def test_a_missing_key_is_an_error(monkeypatch):
    """`openai_from_env()?` fails where there is no key."""
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    with pytest.raises(ConfigurationError, match="`OPENAI_API_KEY` is not set"):
        OpenAIProvider.from_env()


@pytest.mark.parametrize(
    ("provider", "model", "window"),
    [
        ("openai", "gpt-4o", 128_000),
        ("openai", "gpt-4-turbo", 128_000),
        ("openai", "gpt-3.5-turbo", 16_385),
        ("anthropic", "claude-sonnet-4-5-latest", 200_000),
        ("anthropic", "claude-opus-4-latest", 200_000),
        ("anthropic", "claude-haiku-3-5-latest", 200_000),
    ],
)
def test_f010_available_models(provider, model, window):
    """The context lengths of the document's tables, aliases included."""
    assert context_window(provider, model) == window


@pytest.mark.parametrize("model", ["llama3.2", "llama3.1:8b", "mistral", "codellama"])
def test_f011_recommended_models(model):
    """Models of one's own machine have a window."""
    assert context_window("ollama", model) >= 16_384


def test_anthropic_configuration_and_usage(monkeypatch):
    """The same for Anthropic, with the model of the environment."""
    monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-ant-1234567")
    monkeypatch.setenv("ANTHROPIC_MODEL", "claude-sonnet-4-5-latest")
    monkeypatch.delenv("ANTHROPIC_BASE_URL", raising=False)
    with Simulation() as sim:
        sim.anthropic.replies("Hello there")
        client = LLMClient(AnthropicProvider.from_env())
        assert client.ask_with_system("You are Claude, a helpful AI.", "Hello!") == "Hello there"
        assert sim.anthropic.requests[0].model == "claude-sonnet-4-5-latest"


@pytest.mark.parametrize(
    ("key", "url", "model", "name"),
    [
        pytest.param("ollama", "http://localhost:11434/v1", "llama3.2", "ollama", id="ollama"),
        pytest.param(
            "sk-or-1234567",
            "https://openrouter.ai/api/v1",
            "google/gemini-2.0-flash-001",
            "openrouter",
            id="openrouter",
        ),
        pytest.param("unused", "http://localhost:8000/v1", "meta-llama/Llama-2-7b-chat-hf", "vllm", id="vllm"),
    ],
)
def test_the_same_provider_at_other_addresses(monkeypatch, key, url, model, name):
    """`openai_from_env` with another base URL: the address tells who answers, and what it costs."""
    monkeypatch.setenv("OPENAI_API_KEY", key)
    monkeypatch.setenv("OPENAI_BASE_URL", url)
    monkeypatch.setenv("OPENAI_MODEL", model)
    with Simulation() as sim:
        handle = getattr(sim, name)
        handle.replies("Paris")
        answer = LLMClient(OpenAIProvider.from_env()).complete(CompletionRequest.ask("hi"))
        assert (answer.content, answer.provider, len(handle.requests)) == ("Paris", name, 1)
        assert answer.cost_usd is not None


class MyCustomProvider:
    """The document's own provider, in Python."""

    name = "custom"

    def __init__(self, api_key: str, endpoint: str) -> None:
        self.api_key, self.endpoint = api_key, endpoint

    def complete(self, prompt: str) -> str:
        """Your implementation."""
        return f"answer to {prompt}"

    def complete_with_system(self, system: str, prompt: str) -> str:
        """The same with a system prompt."""
        return f"[{system}] answer to {prompt}"


def test_f021_custom_provider():
    """Two methods that take and return texts make a provider."""
    client = LLMClient(MyCustomProvider("k", "https://example.com"))
    assert client.ask("hi") == "answer to hi"
    assert client.ask_with_system("be brief", "hi") == "[be brief] answer to hi"


def test_fallback_chain_code_usage():
    """The builder of the document, with its circuit breaker and its conditions."""
    with Simulation() as sim:
        openai = sim.openai.fails(faults.RateLimited(), times=None).as_provider("gpt-4o")
        anthropic = sim.anthropic.fails(faults.QuotaExceeded(), times=None).as_provider("claude-opus-5")
        ollama = sim.ollama.replies("Paris").as_provider("llama3.2")
        chain = (
            FallbackChain.builder()
            .with_circuit_breaker(CircuitBreakerConfig.mofa())
            .with_retry(None)
            .add(openai)
            .add_with_trigger(
                anthropic,
                FallbackTrigger.on(FallbackCondition.RATE_LIMITED, FallbackCondition.QUOTA_EXCEEDED),
            )
            .add_last(ollama)
            .build()
        )
        assert LLMClient(chain).ask("Capital of France?") == "Paris"
        sim.assert_fallback("openai", "ollama")
        snap = chain.metrics()
    assert (snap.requests_total, snap.fallbacks_total, [each.name for each in snap.providers]) == (
        1,
        2,
        ["openai", "anthropic", "ollama"],
    )
    assert [each.successes for each in snap.providers] == [0, 0, 1]


YAML = """
name: production-chain
circuit_breaker:
  failure_threshold: 3
  cooldown_secs: 30
providers:
  - provider: openai
    api_key: "sk-1234567"
  - provider: anthropic
    api_key: "sk-ant-1234567"
    trigger: any_error
  - provider: ollama
    base_url: "http://localhost:11434"
    trigger: never
"""


def test_p03_yaml_configuration(tmp_path):
    """The chain file verbatim: Ollama's address without `/v1` reaches its API, and literal keys are warned of."""
    path = tmp_path / "chain.yaml"
    path.write_text(YAML)
    with pytest.warns(LiteralKeyWarning) as caught:
        config = load_config(path)
    assert [str(each.message).partition(": ")[0].rpartition(":")[2] for each in caught] == ["8", "10"]
    with Simulation() as sim:
        for handle in (sim.openai, sim.anthropic):
            handle.fails(faults.ServerError(503), times=None)
        sim.ollama.replies("Paris")
        chain = config.build()
        assert LLMClient(chain).ask("Capital of France?") == "Paris"
        assert sim.ollama.requests[0].path == "/v1/chat/completions"
    assert (chain.name, chain.places[0].breaker.config.failure_threshold) == ("production-chain", 3)
    assert [place.trigger.mode for place in chain.places] == ["default", "any_error", "never"]


@pytest.mark.parametrize(
    ("fault", "falls"),
    [
        pytest.param(faults.RateLimited(), True, id="RateLimited"),
        pytest.param(faults.QuotaExceeded(), True, id="QuotaExceeded"),
        pytest.param(faults.ConnectionRefused(), True, id="NetworkError"),
        pytest.param(faults.Timeout(), True, id="Timeout"),
        pytest.param(faults.AuthenticationFailed(), True, id="AuthError"),
        pytest.param(faults.ContextLengthExceeded(), False, id="ContextLengthExceeded"),
        pytest.param(faults.ModelNotFound(), False, id="ModelNotFound"),
    ],
)
def test_fallback_conditions(fault, falls):
    """MoFA's default trigger hands five of the conditions on."""
    with Simulation(strict=False) as sim:
        openai = sim.openai.fails(fault, times=None).as_provider("gpt-4o")
        other = sim.anthropic.replies("Paris").as_provider("claude-opus-5")
        chain = (
            FallbackChain.builder().with_retry(None).add_with_trigger(openai, FallbackTrigger.mofa()).add_last(other)
        )
        client = LLMClient(chain.build())
        if falls:
            assert client.ask("hi") == "Paris"
        else:
            with pytest.raises((ContextLengthExceededError, ModelNotFoundError)):
                client.ask("hi")


def test_error_handling():
    """A rate limit says when to come back, and a wrong key is an error of its own."""
    with Simulation() as sim:
        sim.openai.fails(faults.RateLimited(retry_after=7)).fails(faults.AuthenticationFailed())
        client = LLMClient(sim.openai.as_provider("gpt-4o"))
        with pytest.raises(RateLimitedError) as limited:
            client.ask("hi")
        assert limited.value.retry_after == 7
        with pytest.raises(AuthenticationError):
            client.ask("hi")


def test_token_management():
    """The tokens of a text are counted without asking anybody."""
    client = LLMClient(OpenAIProvider("k"))
    assert client.count_tokens("word " * 4001) > 4000 > client.count_tokens("a short prompt")


@pytest.mark.parametrize(
    "limits",
    [
        pytest.param(BudgetConfig(max_tokens_per_session=50_000), id="session-tokens"),
        pytest.param(BudgetConfig(max_tokens_per_session=50_000, max_cost_per_day="5.0"), id="and-cost-per-day"),
    ],
)
def test_budget_enforcement(limits):
    """What could pass the session's tokens is refused before it is sent; what fits is answered."""
    with Simulation() as sim:
        sim.openai.replies("Paris")
        client = LLMClient(FallbackChain([sim.openai.as_provider("gpt-4o")], budget=Budget(limits)))
        assert client.ask("hi") == "Paris"
        with pytest.raises(BudgetExceededError):
            client.complete(CompletionRequest([ChatMessage.user("hi")], max_tokens=50_001))


def test_halt_on_budget_exceeded_false():
    """Without a halt a violation is told, and the call goes on."""
    limits = BudgetConfig(max_tokens_per_session=1, halt_on_budget_exceeded=False)
    with Simulation() as sim:
        sim.openai.replies("Paris")
        client = LLMClient(FallbackChain([sim.openai.as_provider("gpt-4o")], budget=limits))
        answer = client.complete(CompletionRequest.ask("hi"))
    assert isinstance(answer, CompletionResponse)


@pytest.fixture
def environment(monkeypatch):
    """Give `from_env` a key, and the address of OpenAI."""
    monkeypatch.setenv("OPENAI_API_KEY", "sk-1234567")
    monkeypatch.setenv("OPENAI_MODEL", "gpt-4o")
    monkeypatch.delenv("OPENAI_BASE_URL", raising=False)


def quick_start():
    """The document's configuration."""
    return TokenBudgetConfig(
        context_window_tokens=8192,
        auto_summarize_threshold=0.8,
        keep_recent_on_summarize=4,
        use_llm_summarize=True,
        halt_on_budget_exceeded=True,
        budget=BudgetConfig().with_max_tokens_per_session(50_000),
    )


@pytest.mark.usefixtures("environment")
def test_f157_sliding_window():
    """`with_sliding_window(10)`: the latest ten messages are sent."""
    with Simulation() as sim:
        sim.openai.replies(*map(str, range(8)))
        agent = asyncio.run(LLMAgentBuilder.from_env().with_sliding_window(10).build_async())
        for number in range(8):
            assert asyncio.run(agent.chat("Next?")) == str(number)
        assert len(sim.openai.requests[-1].request.messages) == 9


@pytest.mark.usefixtures("environment")
def test_f150_token_budget_quick_start():
    """The agent of the document answers as any other."""
    with Simulation() as sim:
        sim.openai.replies("Hello!")
        agent = LLMAgentBuilder.from_env().with_id("my-agent").with_token_budget_config(quick_start()).build()
        assert (agent.id, agent.chat("Hello!")) == ("my-agent", "Hello!")


def test_f150_token_budget_fields_and_constructors():
    """The defaults of the document's table; its window holds where nothing is known of the model."""
    config = TokenBudgetConfig.default()
    assert config == TokenBudgetConfig()
    assert config.window(None) == 8192
    assert (config.auto_summarize_threshold, config.keep_recent_on_summarize) == (0.8, 4)
    assert (config.use_llm_summarize, config.halt_on_budget_exceeded, config.budget) == (True, True, None)
    only = TokenBudgetConfig.sliding_window_only(8192)
    assert (only.context_window_tokens, only.use_llm_summarize, only.budget) == (8192, False, None)


@pytest.mark.usefixtures("environment")
@pytest.mark.parametrize("halts", [True, False])
def test_f156_budget_of_an_agent(halts):
    """A call after the limit is an error, or goes on."""
    config = TokenBudgetConfig(budget=BudgetConfig(max_tokens_per_session=70), halt_on_budget_exceeded=halts)
    with Simulation() as sim:
        sim.openai.replies(*(["One."] if halts else ["One.", "Two."]))
        agent = LLMAgentBuilder.from_env().with_max_tokens(20).with_token_budget_config(config).build()
        agent.chat("1?")
        if halts:
            with pytest.raises(BudgetExceededError):
                agent.chat("word " * 30)
        else:
            assert agent.chat("word " * 30) == "Two."


@pytest.mark.usefixtures("environment")
def test_f155_sync_and_async_construction():
    """Both behave the same."""
    with Simulation() as sim:
        sim.openai.replies("One.", "One.")
        builder = LLMAgentBuilder.from_env().with_token_budget_config(quick_start())
        blocking, on_a_loop = builder.build(), asyncio.run(builder.build_async())
        assert blocking.chat("1?") == asyncio.run(on_a_loop.chat("1?"))
        assert blocking.budget.balance() == on_a_loop.budget.balance()


@pytest.mark.usefixtures("environment")
def test_f153_auto_recovery_of_an_agent():
    """The provider refuses the prompt, half of the window is sent once, and a second refusal is the caller's."""
    with Simulation() as sim:
        sim.openai.replies("one " * 200, "two " * 200).fails(faults.ContextLengthExceeded()).replies("Fine.")
        sim.openai.fails(faults.ContextLengthExceeded(), times=2)
        agent = LLMAgentBuilder.from_env().with_token_budget_config(TokenBudgetConfig()).build()
        agent.chat("word " * 200)
        agent.chat("word " * 200)
        assert agent.chat("And now?") == "Fine."
        with pytest.raises(ContextLengthExceededError):
            agent.chat("word " * 200)
