"""Limits per call, task and month, of single providers, models and tenants, in time zones (rows F130 to F142)."""

import asyncio
import pickle
from datetime import UTC, datetime
from decimal import Decimal

import pytest

from llmtest import (
    AsyncLLMClient,
    Budget,
    BudgetConfig,
    BudgetExceededError,
    CompletionRequest,
    CostLedger,
    CostManagementPolicy,
    FallbackChain,
    SqliteBudgetStore,
    UnknownPriceError,
    Usage,
    VirtualClock,
)
from llmtest.costs import Estimate
from llmtest.errors import ConfigurationError
from llmtest.simulation import Reply
from llmtest.testing import Simulation


def usd(amount, tokens=1, provider="openai", model="gpt-4o"):
    """Return what a call may need."""
    return Estimate(tokens, Decimal(str(amount)), provider, model)


@pytest.mark.parametrize(
    ("limits", "scope", "unit"),
    [
        (BudgetConfig(max_tokens_per_call=99), "call", "tokens"),
        (BudgetConfig(max_cost_per_call="0.49"), "call", "usd"),
        (BudgetConfig().with_max_tokens_per_call(1), "call", "tokens"),
        (BudgetConfig().with_max_cost_per_call(0), "call", "usd"),
        (BudgetConfig(max_tokens_per_task=99), "task", "tokens"),
        (BudgetConfig().with_max_cost_per_task("0.4"), "task", "usd"),
        (BudgetConfig().with_max_tokens_per_task(1), "task", "tokens"),
        (BudgetConfig(max_tokens_per_month=99), "month", "tokens"),
        (BudgetConfig().with_max_tokens_per_month(9), "month", "tokens"),
        (BudgetConfig().with_max_cost_per_month("0.1"), "month", "usd"),
    ],
    ids=str,
)
def test_f130_every_limit_refuses_what_passes_it(limits, scope, unit):
    """Tokens and USD have limits per call, task, session, day and month, as arguments and as words."""
    with pytest.raises(BudgetExceededError) as caught:
        Budget(limits).reserve(usd("0.5", tokens=100))
    assert (caught.value.scope, caught.value.unit) == (scope, unit)


def test_f130_a_limit_of_a_task_is_spent_by_its_calls_together():
    """Three calls of 40 tokens do not fit into a task of 100; another task begins anew."""
    budget = Budget(BudgetConfig(max_tokens_per_task=100))
    for task in ("letter", "report"):
        with budget.task(task):
            budget.reserve(usd(0, tokens=40)).settle(Usage(40))
            budget.reserve(usd(0, tokens=40)).settle(Usage(40))
            with pytest.raises(BudgetExceededError, match="task limit 100 tokens, spent 80"):
                budget.reserve(usd(0, tokens=40))


def test_f136_one_request_may_cost_at_most_what_it_is_given():
    """In cents, by argument or for a block; an unknown price is refused too, and nothing stays reserved."""
    budget = Budget()
    budget.reserve(usd("0.05"), max_cost_cents=5).release()
    with pytest.raises(
        BudgetExceededError, match=r"call limit \$0.05, spent \$0, reserved \$0, this call may need \$0.051"
    ):
        budget.reserve(usd("0.051"), max_cost_cents=5)
    with budget.at_most(max_cost_usd="0.05"):
        with pytest.raises(BudgetExceededError):
            budget.reserve(usd("0.051"))
        with pytest.raises(UnknownPriceError):
            budget.reserve(Estimate(1, None, "openai", "gpt-99"))
    budget.reserve(usd("0.051")).release()
    for wrong in ({}, {"max_cost_cents": 1, "max_cost_usd": 1}):
        with pytest.raises(ConfigurationError, match="one of the two"), budget.at_most(**wrong):
            pass
    assert budget.balance().reserved_usd == 0


def test_limits_of_providers_and_models_stand_beside_those_of_everybody():
    """Each name has an account of its own; the entry that says most of a name holds, and others have no such limit."""
    budget = Budget(
        BudgetConfig(max_cost_per_day=10),
        per_provider={"OpenAI": BudgetConfig(max_cost_per_day=3), "an*": BudgetConfig(max_cost_per_day=2)},
        per_model={
            "gpt-5*": BudgetConfig(max_cost_per_day=1),
            "openai:gpt-5-mini": BudgetConfig(max_cost_per_day="0.5"),
        },
    )
    budget.reserve(usd(1, model="gpt-5")).settle(cost_usd=1)
    budget.reserve(usd(1, model="GPT-5.2")).settle(cost_usd=1)  # an account of its own
    for estimate, limit in (
        (usd("0.1", model="gpt-5"), "1"),
        (usd("0.6", model="gpt-5-mini"), "0.5"),
        (usd("1.1"), "3"),
        (usd("2.1", provider="anthropic"), "2"),
        (usd("8.1", provider="ollama"), "10"),
    ):
        with pytest.raises(BudgetExceededError) as caught:
            budget.reserve(estimate)
        assert caught.value.limit == Decimal(limit)
    assert budget.balance("day", provider="openai").spent_usd == budget.balance("day").spent_usd == 2
    assert budget.balance("day", model="openai:gpt-5").spent_usd == 1
    assert budget.balance("day", model="openai:gpt-5-mini").reserved_usd == 0
    with pytest.raises(ConfigurationError, match="no balance is kept for the provider 'ollama'; this budget keeps: "):
        budget.balance("day", provider="ollama")


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"per_model": 5}, "`per_model` maps names to limits, and 5 is no mapping"),
        ({"per_tenant": {"a": 5}}, "a budget is made of `BudgetConfig` and `CostManagementPolicy`, not 5"),
        ({"timezone": "Europe/Atlantis"}, "no time zone 'Europe/Atlantis' is known"),
        ({"timezone": 5}, "no time zone 5 is known"),
    ],
)
def test_wrong_subjects_are_refused_when_the_budget_is_made(settings, said):
    """What is no limit, and what is no time zone."""
    with pytest.raises(ConfigurationError, match=said):
        Budget(BudgetConfig(max_cost_per_day=1), **settings)


def test_each_tenant_has_limits_of_its_own(tmp_path):
    """All alike, or by name; the ledger tells them apart, and a file keeps them for another process."""
    ledger = CostLedger()
    with SqliteBudgetStore(tmp_path / "budget.db") as store:
        limits = {"acme": BudgetConfig(max_cost_per_day=5), "*": BudgetConfig(max_cost_per_day=1)}
        budget = Budget(per_tenant=limits, store=store, ledger=ledger)
        for tenant, fits in (("acme", True), ("small", False), ("tiny", False)):
            with budget.tenant(tenant):
                budget.reserve(usd(1)).settle(Usage(1), cost_usd=1)
                if fits:
                    budget.reserve(usd(4)).release()
                else:
                    with pytest.raises(BudgetExceededError, match="day limit"):
                        budget.reserve(usd(1))
        budget.reserve(usd(100)).release()  # nobody's
        again = pickle.loads(pickle.dumps(budget))
        with pytest.raises(BudgetExceededError):
            again.reserve(usd(1), tenant="tiny")
        assert budget.balance("day", tenant="acme").spent_usd == 1
    assert {tenant: spend.known_usd for (tenant,), spend in ledger.by("tenant").items()} == dict.fromkeys(
        ("acme", "small", "tiny"), 1
    )


def test_u01_a_crowd_of_tenants_never_passes_any_limit():
    """300 calls of three tenants at two models: no limit is passed, nothing is left, the ledger is the bill."""
    with Simulation() as sim:
        sim.openai.replies(Reply("Paris", usage=Usage(9, 20)), times=None)
        ledger = CostLedger()
        budget = Budget(
            BudgetConfig(max_cost_per_session="0.02"),
            per_model={"gpt-4o": BudgetConfig(max_cost_per_session="0.015")},
            per_tenant=BudgetConfig(max_cost_per_session="0.008"),
            ledger=ledger,
        )
        client = AsyncLLMClient(FallbackChain([sim.openai.as_provider("gpt-4o")], budget=budget))
        request = CompletionRequest.ask("Capital of France?").with_max_tokens(20)

        async def one(number):
            with budget.tenant(f"t{number % 3}"):
                model = "gpt-4o" if number % 2 else "gpt-4.1"
                return await client.complete(request.with_model(model))

        async def crowd():
            return await asyncio.gather(*(one(number) for number in range(300)), return_exceptions=True)

        results = sim.run(crowd())
        assert any(isinstance(each, BudgetExceededError) for each in results)
        spent = [budget.balance(tenant=f"t{number}") for number in range(3)]
        assert all(0 < each.spent_usd <= Decimal("0.008") and each.reserved_usd == 0 for each in spent)
        assert budget.balance(model="openai:gpt-4o").spent_usd <= Decimal("0.015")
        assert budget.balance().spent_usd == ledger.total_usd == sim.costs.total_usd <= Decimal("0.02")
        assert sum(each.spent_usd for each in spent) == ledger.total_usd


@pytest.mark.parametrize(
    ("moment", "resets"),
    [
        ("2026-03-28T22:59", "2026-03-28T23:00"),  # still the 28th in Berlin
        ("2026-03-28T23:00", "2026-03-29T22:00"),  # the 29th, which has 23 hours
        ("2026-10-24T22:00", "2026-10-25T23:00"),  # the 25th of October, which has 25
    ],
)
def test_u09_days_are_those_of_the_time_zone_with_its_summer_time(moment, resets):
    """A day lasts from midnight to midnight where it is meant, and a refusal tells when that is."""
    clock = VirtualClock(datetime.fromisoformat(moment).replace(tzinfo=UTC))
    budget = Budget(BudgetConfig(max_cost_per_day=1), clock=clock, timezone="Europe/Berlin")
    budget.reserve(usd(1)).settle(cost_usd=1)
    with pytest.raises(BudgetExceededError) as caught:
        budget.reserve(usd("0.1"))
    ends = datetime.fromisoformat(resets).replace(tzinfo=UTC)
    assert caught.value.resets_at == ends
    left = (ends - clock.now()).total_seconds()
    clock.advance(left - 1)
    with pytest.raises(BudgetExceededError):
        budget.reserve(usd("0.1"))
    clock.advance(1)
    budget.reserve(usd("0.1")).release()


def test_u09_a_month_of_a_time_zone_ends_at_its_own_midnight():
    """In Tokyo the new month begins nine hours earlier."""
    clock = VirtualClock(datetime(2026, 11, 30, 14, 59, tzinfo=UTC))
    budget = Budget(BudgetConfig(max_cost_per_month=1), clock=clock, timezone="Asia/Tokyo")
    budget.reserve(usd(1)).settle(cost_usd=1)
    with pytest.raises(BudgetExceededError) as caught:
        budget.reserve(usd(1))
    assert caught.value.resets_at == datetime(2026, 11, 30, 15, tzinfo=UTC)
    clock.advance(60)
    budget.reserve(usd(1)).release()


def test_f131_a_refusal_has_mofa_s_words():
    """What was used, the refused call included, and the limit."""
    budget = Budget(BudgetConfig(max_tokens_per_session=50_000))
    budget.reserve(usd(0, tokens=50_000)).settle(Usage(50_000))
    with pytest.raises(BudgetExceededError) as caught:
        budget.reserve(usd(0, tokens=1))
    assert caught.value.in_words_of("mofa") == "Budget exceeded: SessionTokensExceeded { used: 50001, limit: 50000 }"
    with pytest.raises(ConfigurationError, match="no words of `mofo` are known"):
        caught.value.in_words_of("mofo")


def test_f135_vapora_s_policy_checks_what_it_is_told_in_its_words():
    """Spending exactly the limit is allowed; a cent more is refused, as `a + b > c` in cents."""
    policy = CostManagementPolicy(daily_limit_cents=2_500)
    policy.check_budget(2_400, 100)
    CostManagementPolicy().check_budget(10**9, 1)
    with pytest.raises(BudgetExceededError) as caught:
        policy.check_budget(2_400, 200)
    assert caught.value.in_words_of("vapora") == "Daily budget exceeded: 2400 + 200 > 2500"
    with pytest.raises(ConfigurationError, match="`new` must be finite and 0 or more"):
        policy.check_budget(1, float("nan"))


def test_f142_a_share_of_any_limit_is_told_before_it_is_reached():
    """`warn_threshold_percent` of a `BudgetConfig`: one event when the sum passes it."""
    with Simulation() as sim:
        budget = Budget(BudgetConfig(max_tokens_per_session=100, warn_threshold_percent=80))
        budget.reserve(usd(0, tokens=79)).settle(Usage(79))
        budget.reserve(usd(0, tokens=2)).settle(Usage(2))
        budget.reserve(usd(0, tokens=2)).settle(Usage(2))
        told = [event for event in sim.trace if type(event).__name__ == "BudgetWarned"]
        assert [(event.scope, event.cause, event.spent) for event in told] == [("session", "threshold", 81)]
    with pytest.raises(ConfigurationError, match="`warn_threshold_percent` must be above 0 and at most 100, got 101"):
        BudgetConfig(warn_threshold_percent=101)
