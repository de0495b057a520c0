"""Limits as people write them: builders, units, and what is refused."""

from decimal import Decimal

import pytest

from llmtest.clock import VirtualClock
from llmtest.costs import Budget, BudgetConfig, CostManagementPolicy, Estimate, Limit
from llmtest.errors import BudgetExceededError, ConfigurationError
from llmtest.types import Usage


def test_limits_are_built_step_by_step():
    """Each builder returns a new configuration with one limit more."""
    empty = BudgetConfig()
    config = (
        empty.with_max_tokens_per_session(50_000)
        .with_max_cost_per_session(5)
        .with_max_tokens_per_day(1_000_000)
        .with_max_cost_per_day("25.00")
        .with_halt_on_budget_exceeded(False)
    )
    assert config == BudgetConfig(
        max_tokens_per_session=50_000,
        max_cost_per_session=Decimal(5),
        max_tokens_per_day=1_000_000,
        max_cost_per_day=25.0,
        halt_on_budget_exceeded=False,
    )
    assert list(empty.limits()) == []
    assert list(config.limits()) == [
        Limit("session", "tokens", Decimal(50_000), halt=False),
        Limit("session", "usd", Decimal(5), halt=False),
        Limit("day", "tokens", Decimal(1_000_000), halt=False),
        Limit("day", "usd", Decimal(25), halt=False),
    ]


@pytest.mark.parametrize("value", [-1, "-0.01", float("nan"), float("inf"), "-inf", Decimal("NaN")])
@pytest.mark.parametrize("field", ["max_cost_per_session", "max_cost_per_day"])
def test_money_limits_are_finite_and_not_negative(field, value):
    """A negative or non-finite amount of money is refused by the constructor and by the builder."""
    message = f"`{field}` must be finite and 0 or more, got {value!r}"
    with pytest.raises(ConfigurationError) as caught:
        BudgetConfig(**{field: value})
    assert str(caught.value) == message
    with pytest.raises(ConfigurationError) as caught:
        getattr(BudgetConfig(), f"with_{field}")(value)
    assert str(caught.value) == message


@pytest.mark.parametrize("value", [-1, 1.5, float("nan"), float("inf"), "100", True])
@pytest.mark.parametrize("field", ["max_tokens_per_session", "max_tokens_per_day"])
def test_token_limits_are_whole_and_not_negative(field, value):
    """A number of tokens is a whole number of 0 or more."""
    message = f"`{field}` must be a whole number of 0 or more, got {value!r} (0 denies every call, None sets no limit)"
    with pytest.raises(ConfigurationError) as caught:
        BudgetConfig(**{field: value})
    assert str(caught.value) == message
    with pytest.raises(ConfigurationError):
        getattr(BudgetConfig(), f"with_{field}")(value)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (True, "`max_cost_per_day` must be a number, got True"),
        ([1], "`max_cost_per_day` must be a number, got [1]"),
        ("a lot", "`max_cost_per_day` must be a number such as \"0.05\", got 'a lot'"),
        ("", "`max_cost_per_day` must be a number such as \"0.05\", got ''"),
        ("nan", "`max_cost_per_day` must be finite and 0 or more, got 'nan'"),
    ],
    ids=["bool", "list", "words", "empty", "nan"],
)
def test_money_is_a_number(value, message):
    """What is no number is refused, by name."""
    with pytest.raises(ConfigurationError) as caught:
        BudgetConfig(max_cost_per_day=value)
    assert str(caught.value) == message


@pytest.mark.parametrize("value", ["0.05", " $0.05 ", 0.05, Decimal("0.05"), Decimal("5E-2")])
def test_money_is_read_as_it_is_written(value):
    """Texts, floats and decimals mean the digits they show."""
    assert BudgetConfig(max_cost_per_day=value).max_cost_per_day == Decimal("0.05")


@pytest.mark.parametrize("value", [1, 0, "yes", None])
@pytest.mark.parametrize("make", [BudgetConfig, CostManagementPolicy])
def test_halting_is_yes_or_no(make, value):
    """A flag that is none is refused: `"no"` would be read as yes."""
    with pytest.raises(ConfigurationError) as caught:
        make(halt_on_budget_exceeded=value)
    assert str(caught.value) == f"`halt_on_budget_exceeded` must be True or False, got {value!r}"


@pytest.mark.parametrize(
    "limits",
    [
        BudgetConfig(max_tokens_per_session=0),
        BudgetConfig(max_tokens_per_day=0),
        BudgetConfig(max_cost_per_session=0),
        BudgetConfig(max_cost_per_day="0.00"),
        CostManagementPolicy(daily_limit_cents=0),
        CostManagementPolicy(monthly_limit_usd=0),
        CostManagementPolicy(per_task_limit_cents="0"),
    ],
    ids=lambda limits: next(f"{limit.scope}-{limit.unit}" for limit in limits.limits()),
)
def test_a_limit_of_zero_denies_and_divides_by_nothing(limits):
    """Zero is a limit like any other: whatever needs any of it is refused, and no share of it is worked out wrongly."""
    budget = Budget(limits, clock=VirtualClock())
    with pytest.raises(BudgetExceededError):
        budget.reserve(Estimate(1, Decimal("0.01")))
    budget.charge(Usage(1, 0), cost_usd=Decimal("0.01"))
    assert budget.balance().spent_usd == Decimal("0.01")


def test_u07_cents_are_hundredths_of_dollars():
    """2,500 cents are 25 dollars, and half a cent is not lost."""
    policy = CostManagementPolicy(daily_limit_cents=2_500, monthly_limit_usd="300", per_task_limit_cents="0.5")
    assert list(policy.limits()) == [
        Limit("task", "usd", Decimal("0.005"), warn_percent=Decimal(80)),
        Limit("day", "usd", Decimal(25), warn_percent=Decimal(80)),
        Limit("month", "usd", Decimal(300), warn_percent=Decimal(80)),
    ]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            {"daily_limit_cents": 1, "daily_limit_usd": 1},
            "`daily_limit_cents` and `daily_limit_usd` set the same limit. To fix: give one of them",
        ),
        ({"monthly_limit_cents": -1}, "`monthly_limit_cents` must be finite and 0 or more, got -1"),
        ({"per_task_limit_usd": float("nan")}, "`per_task_limit_usd` must be finite and 0 or more, got nan"),
        ({"warn_threshold_percent": 0}, "`warn_threshold_percent` must be above 0 and at most 100, got 0"),
        ({"warn_threshold_percent": 101}, "`warn_threshold_percent` must be above 0 and at most 100, got 101"),
    ],
)
def test_a_wrong_policy_is_refused(arguments, message):
    """A limit given twice, or out of range, is an error that names it."""
    with pytest.raises(ConfigurationError) as caught:
        CostManagementPolicy(**arguments)
    assert str(caught.value) == message


def test_a_policy_without_limits_limits_nothing():
    """Nothing is limited unless it is said."""
    assert list(CostManagementPolicy(warn_threshold_percent=None).limits()) == []
