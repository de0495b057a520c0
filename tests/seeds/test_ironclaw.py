"""IronClaw, `llm-module`: its types, its provider trait, its decorators as policies, its costs."""

import json
from decimal import Decimal

import pytest

from llmtest import (
    ChatMessage,
    CircuitBreakerConfig,
    CompletionRequest,
    FallbackChain,
    FinishReason,
    LLMClient,
    OpenAIProvider,
    RetryConfig,
    Simulation,
    SmartRoutingConfig,
    SmartRoutingProvider,
    ToolCall,
    ToolDefinition,
    errors,
    faults,
)
from llmtest.config import build_provider_chain


def test_chat_message_example():
    """Three messages by their constructors."""
    messages = [
        ChatMessage.system("You are a helpful assistant."),
        ChatMessage.user("What is the capital of France?"),
        ChatMessage.assistant("The capital of France is Paris."),
    ]
    assert [message.role for message in messages] == ["system", "user", "assistant"]


def test_completion_request_example():
    """Limit and temperature are set one by one, and the answer has its content."""
    with Simulation() as sim:
        sim.openai.replies("Paris")
        request = CompletionRequest([ChatMessage.user("hi")]).with_max_tokens(1000).with_temperature(0.7)
        response = OpenAIProvider("k").complete(request)
        seen = sim.openai.requests[0].request
    assert (response.content, seen.max_tokens, seen.temperature) == ("Paris", 1000, 0.7)
    assert response.finish_reason is FinishReason.STOP
    assert response.input_tokens > 0 < response.output_tokens


WEATHER = ToolDefinition(
    "get_weather",
    "Get current weather",
    {"type": "object", "properties": {"location": {"type": "string"}}, "required": ["location"]},
)


@pytest.mark.parametrize("choice", ["auto", "required", "none"])
def test_tool_completion_request_example(choice):
    """A tool by its schema, the choice as a word, calls with their arguments, and a result that goes back."""
    messages = [ChatMessage.user("Weather in Paris?")]
    with Simulation() as sim:
        if choice == "none":
            sim.openai.replies("I cannot look.")
        else:
            sim.openai.calls_tool("get_weather", {"location": "Paris"})
        llm = OpenAIProvider("k")
        response = llm.complete(CompletionRequest(messages, tools=(WEATHER,), tool_choice=choice))
        if choice == "none":
            assert response.tool_calls == ()
            return
        (call,) = response.tool_calls
        assert (call.name, json.loads(call.arguments)) == ("get_weather", {"location": "Paris"})
        assert response.finish_reason is FinishReason.TOOL_USE
        sim.openai.replies("Warm.")
        followed = [
            *messages,
            ChatMessage.assistant_with_tool_calls(response.content, [call]),
            ChatMessage.tool_result(call.id, "22 degrees", name=call.name),
        ]
        assert llm.complete(CompletionRequest(followed, tools=(WEATHER,))).content == "Warm."


def test_f017_build_provider_chain():
    """The pair: the main chain with its policies, and the cheap provider."""
    main, cheap = build_provider_chain(
        {
            "retry": {"max_retries": 3},
            "circuit_breaker": "ironclaw",
            "providers": [{"provider": "openai", "model": "gpt-4o"}, {"provider": "anthropic"}],
            "cheap": {"provider": "openai", "model": "gpt-4o-mini"},
        },
        mode="mock",
    )
    assert LLMClient(main).ask("hi")
    assert LLMClient(cheap).ask("hi")
    assert cheap.places[0].provider.model == "gpt-4o-mini"


def test_retry_provider():
    """Three retries after the first attempt."""
    with Simulation() as sim:
        sim.openai.fails(faults.ServerError(500), times=3).replies("Paris")
        chain = FallbackChain(
            [sim.openai.as_provider("gpt-4o")], retry=RetryConfig(max_retries=3), circuit_breaker=None
        )
        assert len(chain.complete(CompletionRequest.ask("hi")).attempts) == 4


def test_failover_provider_with_cooldown():
    """After three failures a provider is left alone for five minutes."""
    with Simulation() as sim:
        sim.openai.fails(faults.ServerError(500), times=3).replies("back")
        sim.anthropic.replies("Paris", times=None)
        chain = FallbackChain(
            [sim.openai.as_provider("gpt-4o"), sim.anthropic.as_provider("claude-opus-5")],
            retry=None,
            circuit_breaker=CircuitBreakerConfig(failure_threshold=3, recovery_timeout=300),
        )
        client = LLMClient(chain)
        for _ in range(4):
            assert client.ask("hi") == "Paris"
        assert len(sim.openai.requests) == 3
        sim.clock.advance(301)
        assert client.ask("hi") == "back"


def test_circuit_breaker_provider():
    """Five failures open the circuit, and a call is refused at once until 30 seconds have passed."""
    with Simulation() as sim:
        sim.openai.fails(faults.ServerError(500), times=5).replies("Paris", times=None)
        chain = FallbackChain(
            [sim.openai.as_provider("gpt-4o")],
            retry=None,
            circuit_breaker=CircuitBreakerConfig(failure_threshold=5, recovery_timeout=30, half_open_max_calls=3),
        )
        for _ in range(5):
            with pytest.raises(errors.ServerError):
                chain.complete(CompletionRequest.ask("hi"))
        with pytest.raises(errors.AllProvidersFailedError, match="CircuitOpenError: the circuit `openai` is open"):
            chain.complete(CompletionRequest.ask("hi"))
        sim.clock.advance(30)
        assert LLMClient(chain).ask("hi") == "Paris"


@pytest.mark.parametrize(
    ("fault", "kind", "fact"),
    [
        pytest.param(
            faults.AuthenticationFailed(), errors.AuthenticationError, ("provider", "openai"), id="AuthFailed"
        ),
        pytest.param(
            faults.RateLimited(retry_after=9), errors.RateLimitedError, ("retry_after", 9.0), id="RateLimited"
        ),
        pytest.param(faults.MalformedBody(), errors.InvalidResponseError, ("provider", "openai"), id="InvalidResponse"),
        pytest.param(
            faults.ContextLengthExceeded(),
            errors.ContextLengthExceededError,
            ("provider", "openai"),
            id="ContextLength",
        ),
        pytest.param(faults.ServerError(502), errors.ServerError, ("status", 502), id="RequestFailed"),
    ],
)
def test_f052_llm_error(fault, kind, fact):
    """Each of the document's errors is a class of ours with the same facts."""
    with Simulation() as sim:
        sim.openai.fails(fault)
        with pytest.raises(kind) as caught:
            LLMClient(OpenAIProvider("k")).ask("hi")
    assert getattr(caught.value, fact[0]) == fact[1]


def test_token_usage():
    """Tokens of prompt and answer, and their cost in USD."""
    with Simulation() as sim:
        sim.openai.replies("Paris")
        response = LLMClient(OpenAIProvider("k", model="gpt-4o")).complete(CompletionRequest.ask("hi"))
    assert response.cost_usd == (response.input_tokens * Decimal("2.5") + response.output_tokens * 10) / 1_000_000


def test_tool_call_types():
    """A call has an id, a name and arguments."""
    call = ToolCall("call_1", "get_weather", '{"location": "Paris"}')
    assert call.parsed_arguments() == {"location": "Paris"}


def test_f120_smart_routing_provider():
    """`SmartRoutingProvider::new(expensive, cheap, config)`: simple to cheap, complex to primary, else a cascade."""
    config = SmartRoutingConfig(cascade_enabled=True, complexity_threshold=0.6)
    with Simulation() as sim:
        sim.openai.replies("Paris").fails(faults.ServerError(500))
        sim.anthropic.replies("a design", "Rome")
        smart = SmartRoutingProvider(
            sim.anthropic.as_provider("claude-opus-4"), sim.openai.as_provider("gpt-4o-mini"), config
        )
        design = (
            "Explain step by step why this distributed system must encrypt its api, then analyse the trade-offs, "
            "compare two designs, and finally prove that the code is exactly right."
        )
        llm = LLMClient(smart)
        assert [llm.ask(prompt) for prompt in ("Capital of France?", design, "Capital of Italy?")] == [
            "Paris",
            "a design",
            "Rome",
        ]
        sim.assert_sequence("openai:200", "anthropic:200", "openai:500", "anthropic:200")
    stats = smart.stats()
    assert (stats.total, stats.cheap, stats.primary, stats.cascade_escalations) == (3, 2, 1, 1)


def test_f017_the_pair_with_routing_between():
    """`build_provider_chain` applies smart routing between the main chain and the cheap provider."""
    main, cheap = build_provider_chain(
        {
            "retry": {"max_retries": 3},
            "routing": {"cascade_enabled": True, "complexity_threshold": 0.6},
            "providers": [{"provider": "openai", "model": "gpt-4o"}, {"provider": "anthropic"}],
            "cheap": {"provider": "openai", "model": "gpt-4o-mini"},
        },
        mode="mock",
    )
    assert LLMClient(main).ask("hi")
    assert (main.cheap, main.stats().cheap) == (cheap, 1)


def test_f172_build_provider_chain_applies_the_decorators_in_ironclaw_s_order():
    """Retry innermost, smart routing, failover, one circuit around all, the cache outermost; and the cheap provider."""
    config = {
        "order": "ironclaw",
        "retry": {"max_retries": 1},
        "routing": {"complexity_threshold": 0.6},
        "cache": {"ttl": "1h"},
        "providers": [{"provider": "openai", "model": "gpt-4o"}, {"provider": "anthropic", "model": "claude-opus-5"}],
        "cheap": {"provider": "openai", "model": "gpt-4o-mini"},
    }
    with Simulation() as sim:
        sim.openai.fails(faults.ServerError(500), times=4)
        sim.anthropic.replies("Paris")
        providers = {
            "openai/gpt-4o": sim.openai.as_provider("gpt-4o"),
            "openai/gpt-4o-mini": sim.openai.as_provider("gpt-4o-mini"),
            "anthropic": sim.anthropic.as_provider("claude-opus-5"),
        }
        main, cheap = build_provider_chain(config, providers)
        first, second = (main.complete(CompletionRequest.ask("Capital of France?")) for _ in range(2))
    assert [attempt.model for attempt in first.attempts] == [*["gpt-4o-mini"] * 2, *["gpt-4o"] * 2, "claude-opus-5"]
    assert (first.content, second.content, second.attempts[-1].outcome) == ("Paris", "Paris", "cache_hit")
    told = main.describe()
    assert told.order[:3] == ("cache", "circuit_breaker", "fallback")
    assert (told.slots[0].chain.order[:2], told.slots[0].order) == (("routing", "fallback"), ())
    assert told.slots[0].chain.slots[0].chain.order == ("fallback", "retry", "timeouts")
    assert (cheap.places[0].provider.model, main.metrics().circuit) == ("gpt-4o-mini", "closed")
