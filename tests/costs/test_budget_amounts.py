"""Amounts that nobody should hand to a budget: each is refused by name, and leaves the account as it was."""

import json
from datetime import UTC, datetime
from decimal import Decimal

import pytest

from llmtest.clock import VirtualClock
from llmtest.costs import Balance, Budget, BudgetConfig, CostManagementPolicy, Estimate, Prices
from llmtest.errors import BudgetExceededError, ConfigurationError
from llmtest.events import BudgetWarned, describe, subscribed
from llmtest.types import Usage
from llmtest.wire import dialect as dialect_of

WRONG = [Decimal(-1), Decimal("NaN"), Decimal("Infinity"), "-0.1", "much", float("nan"), True, Decimal("1e309")]


@pytest.mark.parametrize("tokens", [-1, 1.5, True, "9", None])
def test_an_estimate_of_tokens_is_a_whole_number(tokens):
    """A negative reservation would make room for others."""
    with pytest.raises(ConfigurationError, match="`tokens` must be a whole number of 0 or more, got "):
        Estimate(tokens, Decimal(0))


@pytest.mark.parametrize("usd", WRONG)
def test_an_estimate_of_money_is_an_amount(usd):
    """A negative reservation would make room for others, and an unreadable one poison the account."""
    with pytest.raises(ConfigurationError, match="`usd` must be "):
        Estimate(9, usd)


def test_an_estimate_reads_money_as_limits_do():
    """Texts, whole numbers and floats mean the digits they show."""
    assert [Estimate(9, usd).usd for usd in ("0.1", 0.1, 1, "$2.50")] == [
        Decimal("0.1"),
        Decimal("0.1"),
        Decimal(1),
        Decimal("2.50"),
    ]


@pytest.mark.parametrize("cost", WRONG)
def test_a_wrong_price_is_refused_and_the_reservation_stays(store, cost):
    """Nothing is half-written: the reservation is still there, and can be settled properly."""
    budget = Budget(BudgetConfig(max_cost_per_day=1), store=store)
    reservation = budget.reserve(Estimate(9, Decimal("0.5")))
    for charge in (reservation.settle, budget.charge):
        with pytest.raises(ConfigurationError, match="`cost_usd` must be "):
            charge(Usage(1, 1), cost_usd=cost)
        assert budget.balance("day") == Balance(reserved_tokens=9, reserved_usd=Decimal("0.5"))
    assert reservation.settle(Usage(1, 1), cost_usd="0.3").usd == Decimal("0.3")
    assert (budget.balance("day").spent_usd, budget.balance("day").reserved_usd) == (Decimal("0.3"), 0)


@pytest.mark.parametrize("limit", [1.7976931348623157e308, 10**308, "1e308", "0." + "1" * 40])
def test_limits_of_any_size_hold_and_warn(limit):
    """A limit too large to be reached, or as small as can be written, is a limit like any other."""
    budget = Budget(BudgetConfig(max_cost_per_day=limit), CostManagementPolicy(monthly_limit_usd=limit))
    usd = Decimal("0." + "1" * 40)
    assert budget.reserve(Estimate(9, usd)).settle(Usage(1, 1), cost_usd=usd).usd == usd


@pytest.mark.parametrize("limit", [10**309, "1e309", "1e99999999", "0." + "1" * 41, 10**4000])
def test_a_limit_with_more_digits_than_can_be_summed_is_refused(limit):
    """Sums are exact or refused at the start, never in the middle of a call."""
    with pytest.raises(ConfigurationError, match=r"^`max_cost_per_day` must be below 1e309, and have at most 40 decim"):
        BudgetConfig(max_cost_per_day=limit)


def test_a_number_of_tokens_may_be_too_large():
    """More tokens than can be summed are refused at the start as well."""
    with pytest.raises(ConfigurationError, match=r"^`max_tokens_per_day` must be below 1e309"):
        BudgetConfig(max_tokens_per_day=10**309)
    budget = Budget(BudgetConfig(max_tokens_per_day=10**100))
    with pytest.raises(BudgetExceededError, match=f"this call may need {10**101}; {10**100} left until"):
        budget.reserve(Estimate(10**101, Decimal(0)))


@pytest.mark.parametrize(
    ("source", "shown"), [(25, "25"), (None, "None"), ({"max_cost_per_day": 1}, "{.*}"), (BudgetConfig, "<class.*>")]
)
def test_a_budget_is_made_of_limits(source, shown):
    """A number, a mapping or the class itself is no limit."""
    with pytest.raises(ConfigurationError) as caught:
        Budget(source)
    assert caught.match(f"^a budget is made of `BudgetConfig` and `CostManagementPolicy`, not {shown}\\.\nTo fix: Bud")


@pytest.mark.parametrize("estimate", [Decimal("0.1"), "0.1", 500, None])
def test_what_is_reserved_is_an_estimate_or_a_request(estimate):
    """A bare number says neither tokens nor money."""
    with pytest.raises(ConfigurationError) as caught:
        Budget(BudgetConfig(max_cost_per_day=1)).reserve(estimate)
    assert str(caught.value) == (
        f"a budget reserves an `Estimate` or what a `CompletionRequest` may need, not {estimate!r}.\n"
        'To fix: budget.reserve(Estimate(tokens=500, usd=Decimal("0.01")))'
    )


@pytest.mark.parametrize(
    ("moment", "limits", "end"),
    [
        (datetime(2028, 2, 28, 23, 59, 59, tzinfo=UTC), BudgetConfig(max_cost_per_day=0), "2028-02-29 00:00"),
        (datetime(2028, 2, 29, tzinfo=UTC), BudgetConfig(max_cost_per_day=0), "2028-03-01 00:00"),
        (datetime(2027, 12, 31, tzinfo=UTC), CostManagementPolicy(monthly_limit_usd=0), "2028-01-01 00:00"),
        (datetime(2028, 2, 29, tzinfo=UTC), CostManagementPolicy(monthly_limit_usd=0), "2028-03-01 00:00"),
    ],
)
def test_u09_a_refusal_knows_when_its_limit_is_whole_again(moment, limits, end):
    """Days and months end where those of UTC end, leap years included; from then on the limit is a new one."""
    clock = VirtualClock(moment)
    budget = Budget(limits, clock=clock)
    with pytest.raises(BudgetExceededError) as caught:
        budget.reserve(Estimate(9, Decimal(1)))
    assert f"{caught.value.resets_at:%Y-%m-%d %H:%M}" == end
    assert f"$0 left until {end} UTC." in str(caught.value)


def test_u09_the_last_day_of_the_calendar_has_no_end():
    """Where the calendar ends, no date is invented."""
    clock = VirtualClock(datetime(9999, 12, 31, tzinfo=UTC))
    for limits in (BudgetConfig(max_cost_per_day=0), CostManagementPolicy(monthly_limit_usd=0)):
        with pytest.raises(BudgetExceededError) as caught:
            Budget(limits, clock=clock).reserve(Estimate(9, Decimal(1)))
        assert caught.value.resets_at is None


def test_u10_an_unknown_price_that_has_to_be_charged_is_told():
    """What has happened cannot be refused; the trace is told that money was spent that nobody counted."""
    seen = []
    budget = Budget(BudgetConfig(max_cost_per_day=1), prices=Prices())
    with subscribed(seen.append):
        charge = budget.charge(Usage(10, 10), provider="openai", model="gpt-nobody-knows")
    assert (charge.usd, charge.source) == (0, "unknown")
    [warning] = [event for event in seen if isinstance(event, BudgetWarned)]
    assert (warning.scope, describe(warning)[1].partition(" on ")[0]) == (
        "price",
        "not counted: no price for `openai:gpt-nobody-knows`",
    )


@pytest.mark.parametrize(
    ("dialect", "usage"),
    [
        ("openai", {"prompt_tokens": -5, "completion_tokens": 7}),
        ("openai", {"prompt_tokens": 5, "completion_tokens": -7}),
        ("openai", {"prompt_tokens": "5", "completion_tokens": None}),
        ("openai", {}),
        ("anthropic", {"input_tokens": -5, "output_tokens": 7}),
        ("anthropic", {"cache_read_input_tokens": 4}),
    ],
)
def test_u05_usage_that_cannot_be_is_unknown_not_zero(dialect, usage):
    """A provider that answers with a negative number of tokens, or with none at all, has not counted."""
    assert dialect_of(dialect).chat.decode_answer(answer(dialect, usage), {}).usage.source == "unknown"


def answer(dialect, usage):
    """Return the body of an answer with some usage."""
    if dialect == "anthropic":
        content = {"type": "message", "role": "assistant", "content": [{"type": "text", "text": "hi"}]}
        return json.dumps({"id": "m", "model": "m", "stop_reason": "end_turn", **content, "usage": usage}).encode()
    choice = {"index": 0, "message": {"role": "assistant", "content": "hi"}, "finish_reason": "stop"}
    return json.dumps(
        {"id": "c", "object": "chat.completion", "model": "m", "choices": [choice], "usage": usage}
    ).encode()
