"""Limits per task: a call without a task is one of its own, however often it is tried."""

import pickle
from decimal import Decimal

import pytest

from llmtest import AsyncLLMClient, CompletionRequest, FallbackChain, LLMClient, RetryConfig, Simulation, faults
from llmtest.costs import (
    Budget,
    BudgetConfig,
    CostManagementPolicy,
    Estimate,
    Prices,
    SqliteBudgetStore,
)
from llmtest.errors import BudgetExceededError, ConfigurationError
from llmtest.events import BudgetWarned, LogicalCall, current_call, describe

REQUEST = CompletionRequest.ask("Capital of France?").with_max_tokens(20)
WHOLE = Decimal("0.0002376")
"""What an attempt at the second provider may need; one at the first 0.0001312, and 0.0000099 if it times out."""


@pytest.fixture
def prices():
    """Make two models cost something."""
    prices = Prices()
    prices.add("openai:big", input_usd_per_mtok="1.1", output_usd_per_mtok="3.7")
    prices.add("anthropic:other", input_usd_per_mtok="2.3", output_usd_per_mtok="5.9")
    return prices


def chain_of(sim, budget):
    """Return a chain whose first provider times out, twice for each call, and whose second one answers."""
    sim.openai.fails(faults.Timeout(), times=None)
    sim.anthropic.echoes()
    providers = [sim.openai.as_provider("big"), sim.anthropic.as_provider("other")]
    return FallbackChain(providers, budget=budget, retry=RetryConfig(jitter=False), circuit_breaker=None)


def test_u04_the_attempts_of_a_call_share_the_limit_of_its_task(store, prices):
    """Billed failures of a call leave less for its next attempt, and nothing less for the next call."""
    with Simulation(prices=prices) as sim:
        budget = Budget(CostManagementPolicy(per_task_limit_usd=WHOLE), store=store, prices=prices)
        client = LLMClient(chain_of(sim, budget))
        for _ in range(2):
            with pytest.raises(BudgetExceededError) as caught:
                client.complete(REQUEST)
            error = caught.value
            assert (error.scope, error.spent, error.reserved) == ("task", Decimal("0.0000198"), 0)
            assert (error.requested, error.left) == (WHOLE, WHOLE - Decimal("0.0000198"))
        sim.assert_attempts("openai", 4)
        sim.assert_attempts("anthropic", 0)
        assert budget.balance().spent_usd == sim.costs.total_usd == Decimal("0.0000396")


def test_a_task_with_room_for_every_attempt_is_warned_of_once(store, prices):
    """Where the limit is large enough the call is answered; its threshold is told when the sum passes it."""
    with Simulation(prices=prices) as sim:
        policy = CostManagementPolicy(per_task_limit_usd="0.0002574", warn_threshold_percent=5)
        budget = Budget(policy, store=store, prices=prices)
        client = AsyncLLMClient(chain_of(sim, budget))
        for _ in range(2):
            sim.run(client.complete(REQUEST))
        warnings = [describe(event)[1] for event in sim.trace if isinstance(event, BudgetWarned)]
        assert warnings == ["spent $0.0000198 of $0.0002574, 5 % or more"] * 2
        assert (budget.balance().spent_usd, budget.balance().reserved_usd) == (sim.costs.total_usd, 0)


@pytest.mark.parametrize("make", ["chain", "builder"])
@pytest.mark.parametrize(
    "limits", [BudgetConfig(max_cost_per_day="0.00034"), CostManagementPolicy(daily_limit_usd="0.00034")]
)
def test_a_chain_makes_a_budget_of_limits(limits, make):
    """Limits are enough: the chain makes a budget of them, and shows it."""
    with Simulation() as sim:
        sim.openai.replies("Paris")
        provider = sim.openai.as_provider("gpt-4o")
        if make == "chain":
            chain = FallbackChain([provider], budget=limits)
        else:
            chain = FallbackChain.builder().with_budget(limits).add_last(provider).build()
        LLMClient(chain).complete(REQUEST)
        with pytest.raises(BudgetExceededError, match="day limit"):
            LLMClient(chain).complete(REQUEST)
        assert chain.budget.balance("day").spent_usd == sim.costs.total_usd > 0


@pytest.mark.parametrize("budget", [25, "25.00", {"max_cost_per_day": 25}, Budget, BudgetConfig])
def test_what_is_no_budget_is_refused_when_the_chain_is_made(budget):
    """A mistake shows before the first call is made."""
    with Simulation() as sim, pytest.raises(ConfigurationError) as caught:
        FallbackChain([sim.openai.as_provider("big")], budget=budget)
    assert str(caught.value) == (
        f"a chain's `budget` is a `Budget`, a `BudgetConfig` or a `CostManagementPolicy`, not {budget!r}.\n"
        'To fix: budget=BudgetConfig(max_cost_per_day="25.00")'
    )


def test_calls_at_the_same_time_and_named_tasks_have_accounts_of_their_own(store):
    """What one call holds is no other's; inside a named task a call counts for that; without a mark it stands alone."""
    budget = Budget(CostManagementPolicy(per_task_limit_usd=1), store=store)
    amount = Estimate(1, Decimal("0.7"))
    first = LogicalCall(1, "first")
    for call in (first, LogicalCall(2, "second")):
        token = current_call.set(call)
        held = budget.reserve(amount)
        with pytest.raises(BudgetExceededError):
            budget.reserve(amount)
        with budget.task("report"):
            budget.reserve(amount).release()
        held.release()
        budget.reserve(amount).settle(cost_usd="0.3")
        budget.reserve(amount).release()
        current_call.reset(token)
    for _ in range(3):
        budget.reserve(amount).settle(cost_usd="0.7")
    assert budget.balance().spent_usd == Decimal("2.7")
    assert (budget.balance().reserved_usd, budget.balance("task", task="report").reserved_usd) == (0, 0)


def test_a_budget_in_the_middle_of_calls_can_be_sent_to_another_process(tmp_path):
    """The calls under way stay with the process that makes them."""
    with SqliteBudgetStore(tmp_path / "budget.db") as store:
        budget = Budget(CostManagementPolicy(per_task_limit_usd=1), store=store)
        token = current_call.set(LogicalCall(1, "call"))
        budget.reserve(Estimate(1, Decimal("0.7"))).settle(cost_usd="0.7")
        other = pickle.loads(pickle.dumps(budget))
        assert other.balance() == budget.balance()
        with pytest.raises(BudgetExceededError):
            budget.reserve(Estimate(1, Decimal("0.7")))
        current_call.reset(token)
