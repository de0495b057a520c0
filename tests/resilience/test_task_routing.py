"""VAPORA's routing: which provider a task goes to, and a task from its choice to its account."""

import asyncio
from decimal import Decimal

import pytest

from llmtest import (
    Complexity,
    CostLedger,
    LLMRouter,
    LLMRouterOrchestrator,
    OpenAIProvider,
    Quality,
    Simulation,
    Task,
    TaskContext,
    TaskRequest,
    TaskType,
    faults,
    load_config,
)
from llmtest.errors import (
    AllProvidersFailedError,
    BudgetExceededError,
    ConfigurationError,
    DeadlineExceededError,
    ServerError,
)
from llmtest.events import RouteTaken
from tests.resilience.scripted_provider import ScriptedProvider

HIGH = TaskContext(
    task_type=TaskType.CODE_GENERATION,
    domain="backend",
    complexity=Complexity.HIGH,
    quality_requirement=Quality.HIGH,
    latency_required_ms=5000,
    budget_cents=None,
)
LOW = TaskContext(complexity=Complexity.LOW, quality_requirement=Quality.LOW)


def router_of(sim):
    """Return a router of three providers: small, middling and large."""
    router = LLMRouter()
    router.register_provider("small", sim.openai.as_provider("gpt-4o-mini"))
    router.register_provider("middle", sim.gemini.as_provider("gemini-2.5-flash"))
    router.register_provider("large", sim.anthropic.as_provider("claude-opus-4"))
    return router


@pytest.mark.parametrize(
    ("context", "name"),
    [
        pytest.param(LOW, "small", id="low-to-the-cheapest"),
        pytest.param(HIGH, "large", id="high-to-the-best"),
        pytest.param(TaskContext(), "middle", id="medium-to-the-middle"),
        pytest.param(TaskContext(complexity=Complexity.HIGH), "large", id="hard-to-the-best"),
    ],
)
def test_f123_a_task_goes_to_the_cheapest_that_is_good_enough(context, name):
    """Complexity and quality say which tier is needed; of those that have it the cheapest is taken."""
    with Simulation() as sim:
        assert router_of(sim).route(context, None) == name
        (event,) = sim.trace.of(RouteTaken)
    assert (event.chain, event.provider, event.cause) == ("router", name, "task")


def test_f123_budget_and_latency_narrow_the_choice():
    """Who costs too much is out; who is too slow as well, unless nobody else is left."""
    router = LLMRouter()
    with Simulation() as sim:
        router.register_provider("large", sim.anthropic.as_provider("claude-opus-4"), latency_ms=9000)
        router.register_provider("small", sim.openai.as_provider("gpt-4o-mini"), latency_ms=800)
        cheap = TaskContext(quality_requirement=Quality.HIGH, budget_cents=1)
        assert router.route(cheap) == "small"
        assert router.route(TaskContext(quality_requirement=Quality.HIGH, latency_required_ms=1000)) == "small"
        assert router.route(TaskContext(quality_requirement=Quality.HIGH)) == "large"
        with pytest.raises(BudgetExceededError, match=r"task limit \$0,"):
            router.route(TaskContext(budget_cents=0))


def test_f123_a_preferred_provider_is_taken():
    """The second argument names it; one that is not there is an error with those that are."""
    router = LLMRouter.with_mocks()
    assert router.route(HIGH, "openai") == "openai"
    with pytest.raises(ConfigurationError, match="registered: `claude`, `openai`"):
        router.route(HIGH, "gemini")
    with pytest.raises(ConfigurationError, match="has no providers"):
        LLMRouter().route(HIGH)


def test_f123_mocks_answer_without_network_and_cost():
    """`with_mocks`: two providers, answers in turn, no call of an API."""
    router = LLMRouter.with_mocks()
    answers = [
        router.route_task(Task(id=f"task-{number}", task_type=TaskType.CODE_GENERATION)) for number in range(100)
    ]
    assert {answer.provider for answer in answers} == {"claude"}
    assert answers[7].content == "Mock response #7 of claude"
    assert {answer.usage.cost_usd for answer in answers} == {Decimal(0)}
    assert router.get_provider("claude").call_count == 100


def test_f123_a_router_is_loaded_from_a_file(tmp_path):
    """VAPORA's own TOML; the names are those of its slots."""
    path = tmp_path / "llm-providers.toml"
    path.write_text(
        '[[providers]]\nname = "claude"\napi_key_env = "ANTHROPIC_API_KEY"\nmodel = "claude-opus-4"\n'
        '[[providers]]\nname = "openai"\napi_key_env = "OPENAI_API_KEY"\nmodel = "gpt-4"\n'
    )
    keys = {"ANTHROPIC_API_KEY": "sk-ant-1234567", "OPENAI_API_KEY": "sk-1234567"}
    router = LLMRouter.load_from_config(load_config(path, environment=keys))
    assert router.names == ("anthropic", "openai")
    assert router.get_provider("openai").model == "gpt-4"
    assert LLMRouter.load_from_config({"mine": ScriptedProvider("a")}).names == ("mine",)
    with pytest.raises(ConfigurationError, match=r"load_from_config\(load_config"):
        LLMRouter.load_from_config("llm-providers.toml")


def test_f123_route_with_fallback_asks_one_after_the_other():
    """The first fails, the second answers; with nobody left every failure is told."""
    with Simulation() as sim:
        sim.provider("failed").fails(faults.ServerError(500), times=None)
        sim.provider("success").replies("the mock of success", "again")
        router = LLMRouter()
        for name in ("failed", "success"):
            router.register_provider(name, sim.provider(name).as_provider("m"))
        assert "success" in router.route_with_fallback(["failed", "success"], "test prompt")
        assert asyncio.run(router.route_with_fallback_async(["failed", "success"], "test prompt")) == "again"
        with pytest.raises(ServerError):
            router.route_with_fallback(["failed"], "test prompt")


def test_f123_registrations_that_make_no_sense_are_refused():
    """A name twice, a tier that is none, an object that is no provider, negative budgets."""
    router = LLMRouter.with_mocks()
    with pytest.raises(ConfigurationError, match="registered already"):
        router.register_provider("claude", ScriptedProvider("a"))
    with pytest.raises(ConfigurationError, match="is one of flash, standard, pro, frontier"):
        router.register_provider("new", ScriptedProvider("a"), tier="best")
    with pytest.raises(ConfigurationError, match="is no provider"):
        router.register_provider("new", object())
    with pytest.raises(ConfigurationError, match="budget_cents must be 0 or more"):
        TaskContext(budget_cents=-1)
    with pytest.raises(ConfigurationError, match="max_cost_cents must be 0 or more"):
        TaskRequest(task_id="t", prompt="p", max_cost_cents=-1)
    with pytest.raises(ConfigurationError, match="latency_required_ms must be more than 0"):
        TaskContext(latency_required_ms=0)


REQUEST = TaskRequest(
    task_id="t-1",
    task_type=TaskType.CODE_GENERATION,
    prompt="Write a queue.",
    quality_requirement=Quality.LOW,
    max_cost_cents=50,
)


@pytest.mark.parametrize("way", ["blocking", "async"])
def test_f126_a_task_is_routed_asked_paid_for_and_counted(way):
    """Select, check the budget, ask, track the cost, count: the response has the real cost, and so has the ledger."""
    with Simulation() as sim:
        sim.openai.latency(2).replies("class Queue: ...")
        flow = LLMRouterOrchestrator(LLMRouter(), ledger=CostLedger())
        flow.router.register_provider("small", sim.openai.as_provider("gpt-4o-mini"))
        response = flow.execute(REQUEST) if way == "blocking" else asyncio.run(flow.execute_async(REQUEST))
        spent = sim.costs.total_usd
    assert (response.task_id, response.result, response.provider) == ("t-1", "class Queue: ...", "small")
    assert response.cost_cents == spent * 100 == flow.ledger.total_usd * 100 > 0
    counted = flow.metrics()[TaskType.CODE_GENERATION, "small"]
    assert (counted.completed, counted.failed, counted.seconds) == (1, 0, 2.0)


def test_f126_a_task_beyond_its_budget_is_never_sent():
    """What it could cost at most is checked before; nothing is asked, and the refusal is counted."""
    with Simulation() as sim:
        flow = LLMRouterOrchestrator(LLMRouter())
        flow.router.register_provider("large", sim.anthropic.as_provider("claude-opus-4"))
        request = TaskRequest(task_id="t", prompt="word " * 4000, max_cost_cents=Decimal("33.5"))
        with pytest.raises(BudgetExceededError):
            flow.execute(request)
        sim.assert_attempts("anthropic", 0)
        with pytest.raises(BudgetExceededError):
            flow.execute(TaskRequest(task_id="t", prompt="hi", max_cost_cents=1))
        sim.assert_attempts("anthropic", 0)
    assert list(flow.ledger.entries) == []
    assert flow.metrics()[TaskType.GENERAL, "large"].failed == 1


def test_f126_a_task_has_thirty_seconds():
    """The limit is that of the whole task, and what the provider had begun to bill is in the ledger."""
    with Simulation() as sim:
        sim.openai.latency(90).replies("late")
        flow = LLMRouterOrchestrator(LLMRouter())
        flow.router.register_provider("small", sim.openai.as_provider("gpt-4o-mini"))
        with pytest.raises(DeadlineExceededError):
            flow.execute(REQUEST)
        assert sim.clock.elapsed() == 30.0
    assert flow.ledger.total_usd > 0
    assert flow.metrics()[TaskType.CODE_GENERATION, "small"].failed == 1


@pytest.mark.parametrize("way", ["blocking", "async"])
def test_f126_a_task_falls_back_along_a_list(way):
    """Each failure is counted against who failed; the cost is that of every billed attempt."""
    with Simulation() as sim:
        sim.openai.fails(faults.ServerError(500))
        sim.anthropic.replies("done")
        flow = LLMRouterOrchestrator(router_of(sim))
        names = ["small", "large"]
        if way == "blocking":
            response = flow.execute_with_fallback(REQUEST, names)
        else:
            response = asyncio.run(flow.execute_with_fallback_async(REQUEST, names))
        assert (response.result, response.provider) == ("done", "large")
    found = flow.metrics()
    kind = TaskType.CODE_GENERATION
    assert (found[kind, "small"].failed, found[kind, "large"].completed) == (1, 1)


def test_f126_when_everybody_fails_the_failures_are_told():
    """No answer, every attempt, both counted."""
    with Simulation() as sim:
        sim.openai.fails(faults.ServerError(500))
        sim.anthropic.fails(faults.ServerError(502))
        flow = LLMRouterOrchestrator(router_of(sim))
        with pytest.raises(AllProvidersFailedError) as caught:
            flow.execute_with_fallback(REQUEST, ["small", "large"])
    assert [attempt.outcome for attempt in caught.value.attempts] == ["500", "502"]
    assert sorted(name for _, name in flow.metrics()) == ["large", "small"]


def test_tiers_of_providers_follow_their_prices_unless_they_are_told():
    """An unknown price is standard; a tier that was said counts."""
    with Simulation() as sim:
        router = router_of(sim)
        router.register_provider("own", ScriptedProvider("own"))
        router.register_provider("told", OpenAIProvider("k", model="gpt-4o-mini"), tier="frontier")
        tiers = [str(router.tier_of(name)) for name in router.names]
    assert tiers == ["flash", "standard", "frontier", "standard", "frontier"]
