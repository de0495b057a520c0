"""VAPORA, `llm-provider-patterns`: the mocks, the clients, the custom provider, its TOML, the router and its costs."""

import json
from decimal import Decimal

import pytest

from llmtest import (
    AnthropicProvider,
    Budget,
    CompletionRequest,
    Complexity,
    CostLedger,
    CostManagementPolicy,
    CustomProvider,
    FallbackChain,
    Json,
    LLMClient,
    LLMRouter,
    LLMRouterOrchestrator,
    OpenAIProvider,
    Quality,
    Simulation,
    Task,
    TaskContext,
    TaskRequest,
    TaskType,
    build_chain,
    errors,
    faults,
    load_config,
)
from llmtest.resilience import FallbackSlot, MockLLMClient

TOML = """
# llm-providers.toml
[[providers]]
name = "claude"
api_key_env = "ANTHROPIC_API_KEY"
model = "claude-opus-4"
cost_per_1k_tokens = 0.015
timeout_ms = 30000

[[providers]]
name = "openai"
api_key_env = "OPENAI_API_KEY"
model = "gpt-4"
cost_per_1k_tokens = 0.030
timeout_ms = 30000

[[providers]]
name = "custom"
endpoint = "https://api.custom-provider.com"
api_key_env = "CUSTOM_API_KEY"
model = "custom-model-v1"
cost_per_1k_tokens = 0.005
timeout_ms = 20000
"""
KEYS = {"ANTHROPIC_API_KEY": "sk-ant-1234567", "OPENAI_API_KEY": "sk-1234567", "CUSTOM_API_KEY": "custom-key-1"}
HI = CompletionRequest.ask("hi")


class DocumentsMock:
    """The document's mock, in Python."""

    def __init__(self, name, responses=("Mock response for architecture", "Mock response for code review")):
        self.name, self.responses, self.call_count = name, responses, 0

    def complete(self, prompt):
        """Answer with the next of its responses."""
        self.call_count += 1
        return self.responses[(self.call_count - 1) % len(self.responses)]

    def stream(self, prompt):
        """Answer in one piece."""
        yield "Mock streaming response"


def test_p06_configuration_example(tmp_path):
    """`llm-providers.toml` verbatim: names, keys by variable, times, prices, and the custom endpoint."""
    path = tmp_path / "llm-providers.toml"
    path.write_text(TOML)
    chain = load_config(path, environment=KEYS).build()
    custom = chain.places[-1]
    assert [place.name for place in chain.places] == ["anthropic", "openai", "custom"]
    assert [place.provider.model for place in chain.places] == ["claude-opus-4", "gpt-4", "custom-model-v1"]
    assert [place.timeouts.total for place in chain.places] == [30.0, 30.0, 20.0]
    assert custom.provider.base_url == "https://api.custom-provider.com"
    with Simulation() as sim:
        for handle in (sim.anthropic, sim.openai):
            handle.fails(faults.ServerError(503), times=None)
        corp = sim.provider("corp", base_url="https://api.custom-provider.com")
        corp.on("POST", "/v1/complete").replies(Json({"result": "Paris"}))
        assert LLMClient(chain).ask("Capital of France?") == "Paris"
        (seen,) = corp.requests
    assert json.loads(seen.body) == {"model": "custom-model-v1", "prompt": "Capital of France?"}
    assert seen.headers["authorization"] == "Bearer custom-key-1"
    assert chain.prices.rates("anthropic", "claude-opus-4").input == Decimal(15)


def test_p06_the_default_endpoint_of_a_custom_provider(tmp_path):
    """Without `endpoint` it is `http://localhost:8000`; a type that nobody knows is an error."""
    path = tmp_path / "llm-providers.toml"
    path.write_text('[[providers]]\nname = "custom"\napi_key_env = "CUSTOM_API_KEY"\nmodel = "m"\n')
    (place,) = load_config(path, environment=KEYS).build().places
    assert place.provider.base_url == "http://localhost:8000"
    path.write_text('[[providers]]\nname = "unsupported"\nmodel = "m"\n')
    with pytest.raises(errors.ScenarioError, match=r"llm-providers\.toml:1: .*no provider `unsupported`"):
        load_config(path).build()


def test_routing_with_mock():
    """Mocks are registered under the names of providers, and a task is answered without a call of an API."""
    mocks = {"claude": DocumentsMock("claude"), "openai": DocumentsMock("openai")}
    chain = build_chain(
        {"providers": [{"provider": "claude"}, {"provider": "openai"}]}, {**mocks, "anthropic": mocks["claude"]}
    )
    assert LLMClient(chain).ask("hi") == "Mock response for architecture"
    assert (mocks["claude"].call_count, mocks["openai"].call_count) == (1, 0)


def test_mock_responses_come_in_turn():
    """The responses are played in turn, and again from the start; a stream is one piece."""
    client = LLMClient(DocumentsMock("claude"))
    said = [client.ask("hi") for _ in range(3)]
    assert said[0] == said[2] != said[1]
    assert "".join(event.text for event in client.stream(HI)) == "Mock streaming response"


def test_fallback_chain_with_mocks():
    """The first fails, the second answers."""
    with Simulation() as sim:
        sim.provider("failed").fails(faults.ServerError(500), times=None)
        sim.provider("success").replies("the mock of success")
        chain = FallbackChain([sim.provider("failed").as_provider("m"), sim.provider("success").as_provider("m")])
        assert "success" in LLMClient(chain).ask("test prompt")
        sim.assert_fallback("failed", "success")


def test_cost_tracking_with_mocks():
    """A hundred tasks of a mock cost nothing."""
    with Simulation() as sim:
        client = LLMClient(sim.ollama.echoes().as_provider("llama3.2"))
        for number in range(100):
            client.ask(f"task-{number}")
        assert sim.costs.total_usd == 0
        assert len(sim.ollama.requests) == 100


@pytest.mark.parametrize(
    ("made", "limit", "warmth"),
    [
        pytest.param(lambda: AnthropicProvider("k", model="claude-opus-4", max_tokens=4096), 4096, None, id="claude"),
        pytest.param(
            lambda: OpenAIProvider("k", model="gpt-4", temperature=0.7, max_tokens=2048), 2048, 0.7, id="openai"
        ),
    ],
)
def test_f037_client_defaults(made, limit, warmth):
    """Claude is asked for at most 4096 tokens, OpenAI for 2048 at a temperature of 0.7."""
    with Simulation() as sim:
        handle = sim.anthropic if warmth is None else sim.openai
        handle.replies("Paris")
        assert LLMClient(made()).ask("hi") == "Paris"
        (seen,) = handle.requests
    assert (seen.request.max_tokens, seen.request.temperature) == (limit, warmth)


def test_f041_a_stream_that_breaks_is_an_error():
    """Where the document's stream prints the error and ends as if all were well, ours raises with what had come."""
    with Simulation() as sim:
        sim.anthropic.echoes().fails(faults.StreamError(after_chunks=1))
        client = LLMClient(AnthropicProvider("k", model="claude-opus-4"))
        with pytest.raises(errors.StreamInterruptedError) as caught:
            list(client.stream(CompletionRequest.ask("Paris it is")))
    assert caught.value.partial_text


def test_f026_available():
    """A client is available if it has a key."""
    assert (OpenAIProvider("k").available(), OpenAIProvider("").available()) == (True, False)


def test_sdk_cost_tracker():
    """Tokens, cost and calls of each provider, and the total."""
    ledger = CostLedger()
    with Simulation() as sim:
        providers = [
            sim.anthropic.replies("Paris", times=2).as_provider("claude-opus-4"),
            sim.openai.replies("Rome").as_provider("gpt-4"),
        ]
        for index in (0, 0, 1):
            chain = FallbackChain([providers[index]], budget=Budget(CostManagementPolicy(), ledger=ledger))
            chain.complete(HI)
    assert len(ledger.entries) == 3
    assert set(ledger.by_provider()) == {"anthropic", "openai"}
    assert ledger.total_usd == sum(ledger.by_provider().values())


def test_f008_adding_a_new_provider():
    """The document's `CustomLLMClient`, whose error has the status."""
    with Simulation() as sim:
        corp = sim.provider("corp", base_url="https://api.custom-provider.com")
        corp.on("POST", "/v1/complete").replies(Json({"result": "Paris"}), Json({"detail": "down"}, status=503))
        client = LLMClient(CustomProvider("https://api.custom-provider.com", api_key="key-1234", model="m"))
        assert client.ask("hi") == "Paris"
        with pytest.raises(errors.ServerError) as caught:
            client.ask("hi")
    assert caught.value.status == 503


def test_f015_create_provider_by_name(monkeypatch):
    """A factory by name: the real ones from their variables, a mock, and an error for the rest."""
    for name, value in {**KEYS, "CUSTOM_ENDPOINT": "https://a.test", "CUSTOM_MODEL": "m"}.items():
        monkeypatch.setenv(name, value)
    made = [
        build_chain({"providers": [{"provider": name}]}).places[0].provider
        for name in ("claude", "openai", "custom", "mock")
    ]
    assert [each.name for each in made] == ["anthropic", "openai", "custom", "mock"]
    assert made[2].base_url == "https://a.test"
    with pytest.raises(errors.ScenarioError, match="no provider `nobody`"):
        build_chain({"providers": [{"provider": "nobody"}]})


def test_end_to_end_flow():
    """Route, check the budget, ask with a limit of 30 seconds, fall back, and account for it."""
    with Simulation() as sim:
        sim.anthropic.fails(faults.Timeout(), times=None)
        sim.openai.replies("done")
        claude = FallbackSlot(provider=sim.anthropic.as_provider("claude-opus-4"))
        chain = build_chain(
            {
                "timeouts": {"total": "30s"},
                "retry": None,
                "budget": {"max_cost_per_task": "0.50"},
                "providers": [{"provider": claude.provider}, {"provider": sim.openai.as_provider("gpt-4")}],
            }
        )
        answer = chain.complete(HI)
        assert (answer.content, answer.provider) == ("done", "openai")
        assert answer.cost_usd > 0
        assert 30 <= sim.clock.elapsed() <= 60
        sim.assert_fallback("anthropic", "openai", because="timeout")


def test_all_providers_failed():
    """When everybody fails, the last error is not lost."""
    with Simulation() as sim:
        sim.anthropic.fails(faults.ServerError(500), times=None)
        sim.openai.fails(faults.ServerError(502), times=None)
        chain = FallbackChain([sim.anthropic.as_provider("claude-opus-4"), sim.openai.as_provider("gpt-4")], retry=None)
        with pytest.raises(errors.AllProvidersFailedError) as caught:
            chain.complete(HI)
    assert [attempt.outcome for attempt in caught.value.attempts] == ["500", "502"]


def test_cost_management_policy():
    """Per task, per day and per month, with a warning on the way: what could pass a limit is never sent."""
    policy = CostManagementPolicy(
        daily_limit_usd="0.02", monthly_limit_usd="10", per_task_limit_usd="0.02", warn_threshold_percent=50
    )
    with Simulation() as sim:
        sim.openai.replies("Paris " * 50, times=None)
        chain = FallbackChain([sim.openai.as_provider("gpt-4")], budget=policy)
        chain.complete(HI.with_max_tokens(300))
        with pytest.raises(errors.BudgetExceededError):
            chain.complete(HI.with_max_tokens(300))


def test_f123_routing_with_mock_by_the_router():
    """The document's first test of its router, as it is written."""
    router = LLMRouter()
    router.register_provider("claude", MockLLMClient("claude"))
    router.register_provider("openai", MockLLMClient("openai"))
    context = TaskContext(
        task_type=TaskType.CODE_GENERATION,
        domain="backend",
        complexity=Complexity.HIGH,
        quality_requirement=Quality.HIGH,
        latency_required_ms=5000,
        budget_cents=None,
    )
    assert router.route(context, None) in {"claude", "openai"}


def test_f123_fallback_chain_by_the_router():
    """`route_with_fallback(["failed", "success"], "test prompt")`; the document's mocks never fail, this one does."""
    with Simulation() as sim:
        sim.provider("failed").fails(faults.ServerError(500), times=None)
        router = LLMRouter()
        router.register_provider("failed", sim.provider("failed").as_provider("m"))
        router.register_provider("success", MockLLMClient("success", ["an answer of success"]))
        assert "success" in router.route_with_fallback(["failed", "success"], "test prompt")


def test_f123_a_hundred_tasks_of_mocks_by_the_router():
    """A hundred tasks of the router with mocks cost nothing."""
    router = LLMRouter.with_mocks()
    tasks = [Task(id=f"task-{number}", task_type=TaskType.CODE_GENERATION) for number in range(100)]
    assert sum(router.route_task(task).usage.cost_usd for task in tasks) == 0


@pytest.mark.parametrize("cents", [None, 50])
def test_f126_end_to_end_by_the_orchestrator(cents):
    """Select, check the budget, ask within 30 seconds, track the cost, count, and answer."""
    with Simulation() as sim:
        sim.openai.latency(3).replies("done")
        router = LLMRouter()
        router.register_provider("openai", sim.openai.as_provider("gpt-4"))
        flow = LLMRouterOrchestrator(router)
        answer = flow.execute(TaskRequest(task_id="t-1", prompt="Write a queue.", max_cost_cents=cents))
        assert (answer.task_id, answer.result, answer.provider) == ("t-1", "done", "openai")
        assert answer.cost_cents == sim.costs.total_usd * 100 > 0
    assert flow.metrics()[TaskType.GENERAL, "openai"].seconds == 3.0
