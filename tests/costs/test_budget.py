"""Budgets: reserve, settle, release, and every way in which limits were passed elsewhere (rows U01 to U14)."""

import asyncio
import threading
from datetime import UTC, datetime
from decimal import Decimal

import pytest

from llmtest.clock import VirtualClock, run_virtual
from llmtest.costs import Budget, BudgetConfig, CostLedger, CostManagementPolicy, Estimate, MemoryBudgetStore, Prices
from llmtest.errors import BudgetExceededError, ConfigurationError, RejectedError, UnknownPriceError
from llmtest.events import BudgetRejected, BudgetWarned, LogicalCall, current_call, describe, subscribed
from llmtest.types import CompletionRequest, Usage

EVENING = datetime(2026, 1, 31, 23, 59, 50, tzinfo=UTC)


@pytest.fixture
def clock():
    """A virtual clock, ten seconds before midnight at the end of a month."""
    return VirtualClock(EVENING)


@pytest.fixture
def prices():
    """Round prices: `openai:big` costs $1 per million prompt tokens and $2 per million others; `ollama` is free."""
    prices = Prices()
    prices.add("openai:big", input_usd_per_mtok="1", output_usd_per_mtok="2")
    return prices


@pytest.fixture
def events():
    """What budgets tell the trace during the test."""
    seen = []
    with subscribed(seen.append):
        yield seen


def usd(amount):
    """Return the estimate of a call that costs at most this much."""
    return Estimate(tokens=10, usd=Decimal(amount), provider="openai", model="big")


def test_a_call_is_reserved_then_charged_what_it_cost(clock, prices):
    """The upper bound is held while the call runs; afterwards only its real cost is left."""
    budget = Budget(BudgetConfig(max_cost_per_day="1"), prices=prices, clock=clock)
    request = CompletionRequest.ask("x" * 4000).with_max_tokens(500)
    reservation = budget.reserve(request, provider="openai", model="big")
    held = budget.balance("day")
    assert (held.reserved_tokens, held.reserved_usd, held.spent_usd) == (3206, Decimal("0.003706"), 0)
    assert (reservation.tokens, reservation.usd, reservation.is_open) == (3206, Decimal("0.003706"), True)
    charge = reservation.settle(Usage(1000, 100))
    assert (charge.tokens, charge.usd, charge.source) == (1100, Decimal("0.0012"), "exact")
    rest = budget.balance("day")
    assert (rest.reserved_tokens, rest.reserved_usd) == (0, 0)
    assert (rest.spent_tokens, rest.spent_usd) == (1100, Decimal("0.0012"))
    assert not reservation.is_open


def test_the_upper_bound_counts_every_answer_that_is_asked_for(clock, prices):
    """Without `max_tokens` the default counts; `n` answers count n times."""
    budget = Budget(prices=prices, clock=clock, default_max_tokens=100)
    messages = CompletionRequest.ask("abcd").messages
    assert budget.estimate(CompletionRequest(messages=messages), "openai", "big").tokens == 142
    assert budget.estimate(CompletionRequest(messages=messages, n=3), "openai", "big").tokens == 342
    more = {"openai": {"n": 3}}
    assert budget.estimate(CompletionRequest(messages=messages, extra=more), "openai", "big").tokens == 342
    thinking = CompletionRequest(
        messages=messages, model="big", extra={"openai": {"max_completion_tokens": 7, "n": True}}
    )
    assert budget.estimate(thinking, "openai") == Estimate(49, Decimal("0.000056"), "openai", "big")
    assert budget.estimate(thinking, "openai", "gpt-9").usd is None


def test_the_upper_bound_counts_on_cache_writes(clock):
    """A prompt the provider may write to its cache is bounded by the dearer price of writing."""
    prices = Prices()
    prices.add("p:m", input_usd_per_mtok="4", output_usd_per_mtok="0", cache_write_usd_per_mtok="5")
    budget = Budget(BudgetConfig(max_cost_per_day=1), prices=prices, clock=clock)
    request = CompletionRequest.ask("7" * 961)
    reservation = budget.reserve(request, provider="p", model="m")
    assert reservation.usd == Decimal("0.005")
    assert reservation.settle(Usage(1000, 0, cache_write_tokens=1000)).usd == reservation.usd


def test_spending_exactly_the_limit_is_allowed(clock):
    """A limit of one dollar lets one dollar pass, and not a cent more."""
    budget = Budget(BudgetConfig(max_cost_per_session="1"), clock=clock)
    budget.reserve(usd("0.4")).settle(cost_usd=Decimal("0.4"))
    with budget.reserve(usd("0.6")), pytest.raises(BudgetExceededError) as caught:
        budget.reserve(usd("0.000001"))
    error = caught.value
    assert str(error) == (
        "budget exceeded: session limit $1, spent $0.4, reserved $0.6, this call may need $0.000001; "
        "$0 left in this session.\n"
        "To fix: let the call need less (a smaller `max_tokens`), raise the limit, or begin a new session."
    )
    assert (error.scope, error.unit, error.limit, error.spent) == ("session", "usd", 1, Decimal("0.4"))
    assert (error.reserved, error.requested) == (Decimal("0.6"), Decimal("0.000001"))


@pytest.mark.parametrize(
    ("limits", "task", "scope", "unit"),
    [
        (BudgetConfig(max_tokens_per_session=25), None, "session", "tokens"),
        (BudgetConfig(max_cost_per_session="2.5"), None, "session", "usd"),
        (BudgetConfig(max_tokens_per_day=25), None, "day", "tokens"),
        (BudgetConfig(max_cost_per_day="2.5"), None, "day", "usd"),
        (CostManagementPolicy(daily_limit_cents=250), None, "day", "usd"),
        (CostManagementPolicy(monthly_limit_cents=250), None, "month", "usd"),
        (CostManagementPolicy(per_task_limit_cents=250), "report", "task", "usd"),
    ],
)
def test_every_limit_is_enforced(clock, events, limits, task, scope, unit):
    """Whatever the limit, the third call is refused with its name, and the trace knows."""
    budget = Budget(limits, clock=clock)
    for _ in range(2):
        budget.reserve(usd(1), task=task).settle(Usage(5, 5), cost_usd=Decimal(1))
    with pytest.raises(BudgetExceededError) as caught:
        budget.reserve(usd(1), task=task)
    assert (caught.value.scope, caught.value.unit) == (scope, unit)
    (rejected,) = [event for event in events if isinstance(event, BudgetRejected)]
    assert rejected.scope == scope
    expected = {
        "usd": "spent 2 + reserved 0 + requested 1 > limit $2.5",
        "tokens": "spent 20 + reserved 0 + requested 10 > limit 25 tokens",
    }
    assert describe(rejected)[1] == expected[unit]


def test_tasks_have_accounts_of_their_own(clock):
    """One task's spending does not count for another; a call without a task is a task of its own."""
    budget = Budget(CostManagementPolicy(per_task_limit_usd=1), clock=clock)
    budget.reserve(usd(1), task="a").settle(cost_usd=Decimal(1))
    budget.reserve(usd(1), task="b").settle(cost_usd=Decimal(1))
    budget.reserve(usd(1)).settle(cost_usd=Decimal(1))
    budget.reserve(usd(1)).settle(cost_usd=Decimal(1))
    with pytest.raises(BudgetExceededError):
        budget.reserve(usd("0.01"), task="a")
    with pytest.raises(BudgetExceededError):
        budget.reserve(usd("1.01"))
    assert budget.balance("task", task="b").spent_usd == 1


def test_calls_inside_a_task_belong_to_it(clock):
    """Code that knows nothing of tasks is charged to the one it runs in, and to none outside."""
    budget = Budget(CostManagementPolicy(per_task_limit_usd=1), clock=clock)
    with budget.task("a"):
        budget.reserve(usd("0.6")).settle(cost_usd=Decimal("0.6"))
        budget.charge(Usage(1, 1), cost_usd=Decimal("0.1"))
        with budget.task("b"):
            budget.reserve(usd("0.6"))
        with pytest.raises(BudgetExceededError):
            budget.reserve(usd("0.6"))
    budget.reserve(usd("0.6"))
    assert budget.balance("task", task="a").spent_usd == Decimal("0.7")
    assert budget.balance("task", task="b").reserved_usd == Decimal("0.6")


def test_a_balance_that_is_not_kept_is_an_error(clock):
    """Asking for a scope that no limit looks at says which are kept."""
    budget = Budget(BudgetConfig(max_tokens_per_day=1), clock=clock)
    with pytest.raises(ConfigurationError) as caught:
        budget.balance("month")
    assert str(caught.value) == "no balance is kept for scope `month`, task None; this budget keeps: day, session"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"default_max_tokens": 0}, "`default_max_tokens` must be a whole number of 1 or more, got 0"),
        ({"default_max_tokens": True}, "`default_max_tokens` must be a whole number of 1 or more, got True"),
        ({"default_max_tokens": "9"}, "`default_max_tokens` must be a whole number of 1 or more, got '9'"),
        ({"on_unknown_price": "ignore"}, '`on_unknown_price` must be "error" or "warn", got \'ignore\''),
        ({"cut_off": "nothing"}, '`cut_off` must be "estimated" or "reserved", got \'nothing\''),
    ],
)
def test_a_wrong_budget_is_refused(arguments, message):
    """A setting out of range is an error that names it."""
    with pytest.raises(ConfigurationError) as caught:
        Budget(**arguments)
    assert str(caught.value) == message


def test_a_request_needs_a_provider(clock):
    """An upper bound depends on who is asked."""
    with pytest.raises(ConfigurationError, match=r"\Areserving for a request needs the provider"):
        Budget(clock=clock).reserve(CompletionRequest.ask("x"))


def test_u01_500_tasks_at_once_never_pass_the_daily_limit():
    """Of 500 concurrent calls of a cent each, a limit of one dollar lets exactly 100 pass."""
    budget = Budget(BudgetConfig(max_cost_per_day="1"))
    highest = []

    async def call():
        with budget.reserve(usd("0.01")) as reservation:
            balance = budget.balance("day")
            highest.append(balance.spent_usd + balance.reserved_usd)
            await asyncio.sleep(1)
            reservation.settle(cost_usd=Decimal("0.01"))

    async def crowd():
        return await asyncio.gather(*(call() for _ in range(500)), return_exceptions=True)

    results = run_virtual(crowd())
    assert sum(isinstance(result, BudgetExceededError) for result in results) == 400
    assert max(highest) == 1


def test_u01_threads_never_pass_the_limit():
    """Sixteen threads that reserve and settle as fast as they can spend the limit, and not a cent more."""
    budget = Budget(BudgetConfig(max_cost_per_day="1"))
    passed = []
    gate = threading.Barrier(16)

    def work():
        gate.wait()
        for _ in range(50):
            try:
                reservation = budget.reserve(usd("0.01"))
            except BudgetExceededError:
                continue
            passed.append(reservation.settle(cost_usd=Decimal("0.01")))

    threads = [threading.Thread(target=work) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    balance = budget.balance("day")
    assert (len(passed), balance.spent_usd, balance.reserved_usd) == (100, 1, 0)


def test_u02_an_error_leaves_nothing_reserved(clock):
    """Whatever leaves the block, what was not settled is given back."""
    budget = Budget(BudgetConfig(max_cost_per_day=1), clock=clock)
    for error in (ValueError, KeyboardInterrupt, asyncio.CancelledError):
        with pytest.raises(error), budget.reserve(usd(1)):
            raise error
    assert budget.balance("day").reserved_usd == 0


def test_u02_a_cancelled_call_and_an_abandoned_stream_leave_nothing_reserved():
    """Cancellation and closing a half-read stream give the reservation back."""
    budget = Budget(BudgetConfig(max_cost_per_day=1))

    async def stream():
        with budget.reserve(usd("0.5")):
            for word in ("a", "b", "c"):
                yield word
                await asyncio.sleep(1)

    async def main():
        abandoned = stream()
        assert await anext(abandoned) == "a"
        assert budget.balance("day").reserved_usd == Decimal("0.5")
        await abandoned.aclose()

        async def read():
            async for _ in stream():
                pass

        reader = asyncio.create_task(read())
        await asyncio.sleep(1.5)
        reader.cancel()
        await asyncio.gather(reader, return_exceptions=True)

    run_virtual(main())
    assert budget.balance("day").reserved_usd == 0


def test_u03_settling_twice_is_an_error_and_charges_once(clock):
    """The second settlement raises; the account is as the first one left it."""
    budget = Budget(BudgetConfig(max_cost_per_day=1), clock=clock)
    reservation = budget.reserve(usd("0.5"))
    reservation.settle(Usage(1, 1), cost_usd=Decimal("0.25"))
    with pytest.raises(RuntimeError) as caught:
        reservation.settle(Usage(1, 1), cost_usd=Decimal("0.25"))
    assert str(caught.value) == (
        "this reservation of 10 tokens and $0.5 was settled or released before, so that settling it now would charge "
        "twice. To fix: settle a reservation once; for spend that shows up later, use budget.charge(usage, ...)"
    )
    assert reservation.release() is False
    balance = budget.balance("day")
    assert (balance.spent_usd, balance.reserved_usd, balance.spent_tokens) == (Decimal("0.25"), 0, 2)


def test_u03_settling_after_release_is_an_error_and_charges_nothing(clock):
    """What was given back cannot be charged; releasing twice gives back once."""
    budget = Budget(BudgetConfig(max_cost_per_day=1), clock=clock)
    reservation = budget.reserve(usd("0.5"))
    assert reservation.release() is True
    assert reservation.release() is False
    with pytest.raises(RuntimeError):
        reservation.settle(Usage(1, 1))
    balance = budget.balance("day")
    assert (balance.spent_usd, balance.reserved_usd) == (0, 0)


def test_u04_spend_without_a_reservation_is_charged_all_the_same(clock, prices, events):
    """A billed failure, a hedge's loser or a health probe is charged and tagged, also past the limit."""
    ledger = CostLedger()
    budget = Budget(BudgetConfig(max_cost_per_day="0.5"), prices=prices, clock=clock, ledger=ledger)
    charge = budget.charge(Usage(1_000_000, 0), provider="openai", model="big", purpose="hedge")
    assert charge.usd == budget.balance("day").spent_usd == 1
    assert ledger.by_purpose() == {"hedge": 1}
    (warned,) = events
    assert (warned.scope, describe(warned)[1]) == ("day", "spent $1 of $0.5: more than was reserved")
    budget.charge(Usage(1, 0), provider="openai", model="gpt-9")
    assert ledger.by_provider() == {"openai": None}


def test_u05_partial_usage_is_charged_as_estimated(clock, prices):
    """A cut stream is charged what was counted of it, and marked."""
    budget = Budget(BudgetConfig(max_cost_per_day=1), prices=prices, clock=clock)
    charge = budget.reserve(usd("0.5")).settle(Usage(1000, 10, source="estimated"))
    assert (charge.tokens, charge.usd, charge.source) == (1010, Decimal("0.00102"), "estimated")


def test_u05_a_usage_of_zero_stays_zero(clock, prices):
    """Zero is an answer, not a missing one."""
    budget = Budget(BudgetConfig(max_cost_per_day=1), prices=prices, clock=clock)
    charge = budget.reserve(usd("0.5")).settle(Usage(0, 0))
    assert (charge.tokens, charge.usd, charge.source) == (0, 0, "exact")


@pytest.mark.parametrize("usage", [None, Usage(source="unknown")])
def test_u05_usage_nobody_knows_is_charged_as_reserved(clock, prices, usage):
    """The provider may have billed it, so the upper bound is charged and marked unknown."""
    budget = Budget(BudgetConfig(max_cost_per_day=1), prices=prices, clock=clock, ledger=CostLedger())
    charge = budget.reserve(usd("0.5")).settle(usage)
    assert (charge.tokens, charge.usd, charge.source) == (10, Decimal("0.5"), "unknown")
    assert budget.balance("day").spent_usd == Decimal("0.5")
    assert budget.ledger.by_provider() == {"openai": None}


def test_u04_a_cut_off_call_can_be_charged_as_it_was_reserved(clock, prices):
    """Where a provider may bill what it never sent, the upper bound is charged; the ledger knows the estimate."""
    ledger = CostLedger()
    limits = BudgetConfig(max_cost_per_day=1)
    budget = Budget(limits, clock=clock, prices=prices, ledger=ledger, cut_off="reserved")
    request = CompletionRequest.ask("Capital of France?").with_max_tokens(20)
    reservation = budget.reserve(request, provider="openai", model="big")
    charge = reservation.settle(Usage(9, 2, source="estimated"))
    assert (charge.usd, charge.tokens, charge.source) == (reservation.usd, reservation.tokens, "estimated")
    assert budget.balance("day").spent_usd == reservation.usd > ledger.total_usd > 0
    whole = budget.reserve(request, provider="openai", model="big").settle(Usage(9, 2))
    assert whole.usd == ledger.entries[1].cost_usd


def test_u06_the_model_that_served_is_charged(clock, prices):
    """A fallback is charged at its own price, not at that of the model first asked for."""
    prices.add("anthropic:small", input_usd_per_mtok="0.5", output_usd_per_mtok="0.5")
    budget = Budget(BudgetConfig(max_cost_per_day=5), prices=prices, clock=clock, ledger=CostLedger())
    budget.reserve(usd(2)).settle(Usage(1_000_000, 0), provider="anthropic", model="small")
    assert budget.balance("day").spent_usd == Decimal("0.5")
    assert budget.ledger.by_provider() == {"anthropic": Decimal("0.5")}
    charge = budget.reserve(usd(2)).settle(Usage(1, 0), provider="anthropic", model="nobody-knows")
    assert (charge.usd, charge.source) == (2, "unknown")


def test_u07_ten_thousand_tiny_calls_add_up_exactly(clock):
    """Nothing is rounded to cents."""
    budget = Budget(BudgetConfig(max_cost_per_day=1), clock=clock)
    cost = Decimal("0.00000015")
    tiny = Estimate(1, cost)
    for _ in range(10_000):
        budget.reserve(tiny).settle(Usage(1, 0), cost_usd=cost)
    assert budget.balance("day").spent_usd == Decimal("0.0015")


def test_u09_a_new_day_has_a_new_limit_and_the_old_one_keeps_its_charge(clock):
    """At midnight UTC the limit is whole again; a call over midnight is charged to the day it was reserved in."""
    store = MemoryBudgetStore()
    budget = Budget(BudgetConfig(max_cost_per_day=1), clock=clock, store=store)
    over_midnight = budget.reserve(usd(1))
    with pytest.raises(BudgetExceededError):
        budget.reserve(usd("0.01"))
    clock.advance(10)
    assert budget.balance("day").reserved_usd == 0
    budget.reserve(usd(1)).settle(cost_usd=Decimal(1))
    over_midnight.settle(cost_usd=Decimal("0.75"))
    assert store.balance("day:2026-01-31").spent_usd == Decimal("0.75")
    assert store.balance("day:2026-02-01").spent_usd == 1
    assert store.balance("day:2026-01-31").reserved_usd == store.balance("day:2026-02-01").reserved_usd == 0


def test_u09_months_are_those_of_utc(clock):
    """The month's account turns with the month."""
    budget = Budget(CostManagementPolicy(monthly_limit_usd=1), clock=clock)
    budget.reserve(usd(1)).settle(cost_usd=Decimal(1))
    clock.advance(9)
    with pytest.raises(BudgetExceededError):
        budget.reserve(usd("0.01"))
    clock.advance(1)
    budget.reserve(usd(1)).settle(cost_usd=Decimal(1))


def test_u09_days_follow_the_active_clock():
    """Without a clock of its own, a budget lives in the time of the running simulation."""
    budget = Budget(BudgetConfig(max_cost_per_day=1))

    async def main():
        budget.reserve(usd(1)).settle(cost_usd=Decimal(1))
        await asyncio.sleep(10)
        budget.reserve(usd(1)).settle(cost_usd=Decimal(1))

    run_virtual(main(), VirtualClock(EVENING))
    assert budget.balance("session").spent_usd == 2


def test_u10_an_unknown_price_is_refused_while_money_is_limited(clock, prices, events):
    """Unknown is not free: the call is not made."""
    budget = Budget(CostManagementPolicy(daily_limit_usd=5), prices=prices, clock=clock)
    with pytest.raises(UnknownPriceError, match=r"\Ano price for `openai:gpt-9` on 2026-01-31 "):
        budget.reserve(CompletionRequest.ask("x"), provider="openai", model="gpt-9")
    assert [(type(event), event.scope) for event in events] == [(BudgetRejected, "price")]
    assert budget.balance("day").reserved_tokens == 0


def test_u10_an_unknown_price_passes_where_only_tokens_are_limited(clock, prices, events):
    """A limit on tokens needs no price."""
    budget = Budget(BudgetConfig(max_tokens_per_day=10_000), prices=prices, clock=clock)
    budget.reserve(CompletionRequest.ask("x"), provider="openai", model="gpt-9").settle(Usage(5, 5))
    assert budget.balance("day").spent_tokens == 10
    assert events == []


def test_u10_an_unknown_price_can_be_let_pass_on_purpose(clock, prices, events):
    """With `warn` the call passes uncounted, and the trace says so."""
    budget = Budget(BudgetConfig(max_cost_per_day=1), prices=prices, clock=clock, on_unknown_price="warn")
    charge = budget.reserve(CompletionRequest.ask("x"), provider="openai", model="gpt-9").settle(Usage(5, 5))
    assert (charge.usd, charge.source) == (0, "unknown")
    (warned,) = events
    assert isinstance(warned, BudgetWarned)
    assert describe(warned)[1].startswith("not counted: no price for `openai:gpt-9` on 2026-01-31 ")


def test_u11_a_refusal_is_no_provider_s_failure():
    """The error is a rejection by our own layer, which policies neither retry nor answer from elsewhere."""
    assert issubclass(BudgetExceededError, RejectedError)


def test_u12_free_models_pass_a_limit_of_zero(clock, prices):
    """Zero denies whatever costs money, and nothing else."""
    budget = Budget(BudgetConfig(max_cost_per_day=0), prices=prices, clock=clock)
    budget.reserve(CompletionRequest.ask("x"), provider="ollama", model="llama3.2").settle(Usage(100, 100))
    with pytest.raises(BudgetExceededError):
        budget.reserve(CompletionRequest.ask("x"), provider="openai", model="big")
    nothing = Budget(BudgetConfig(max_tokens_per_day=0), prices=prices, clock=clock)
    with pytest.raises(BudgetExceededError):
        nothing.reserve(CompletionRequest.ask("x"), provider="ollama", model="llama3.2")


def test_u13_a_budget_that_does_not_halt_tells_the_trace(clock, events):
    """The call passes and is charged; each limit it passes is an event of its call."""
    budget = Budget(BudgetConfig(max_cost_per_day=1, halt_on_budget_exceeded=False), clock=clock)
    clock.advance(2)
    current_call.set(LogicalCall(7, "test"))
    try:
        budget.reserve(usd(3)).settle(cost_usd=Decimal(3))
    finally:
        current_call.set(None)
    assert budget.balance("day").spent_usd == 3
    assert [(event.at, event.call, event.scope, describe(event)[1]) for event in events] == [
        (2.0, 7, "day", "not halted: spent 0 + reserved 0 + requested 3 > limit $1"),
        (2.0, 7, "day", "spent $3 of $1: not halted"),
    ]


def test_u14_budgets_that_share_a_store_share_their_days(clock):
    """Two instances are one budget for the day, and two sessions; another name is another budget."""
    store = MemoryBudgetStore()
    limits = BudgetConfig(max_cost_per_day=1, max_cost_per_session="0.6")
    first, second = (Budget(limits, clock=clock, store=store) for _ in range(2))
    other = Budget(limits, clock=clock, store=store, name="other")
    first.reserve(usd("0.6")).settle(cost_usd=Decimal("0.6"))
    with pytest.raises(BudgetExceededError) as caught:
        second.reserve(usd("0.5"))
    assert caught.value.scope == "day"
    second.reserve(usd("0.4")).settle(cost_usd=Decimal("0.4"))
    other.reserve(usd("0.6")).settle(cost_usd=Decimal("0.6"))
    assert [budget.balance().spent_usd for budget in (first, second)] == [Decimal("0.6"), Decimal("0.4")]
    resumed = Budget(limits, clock=clock, store=store, session=second.session)
    assert resumed.balance().spent_usd == Decimal("0.4")


def test_the_warning_comes_once_when_its_share_is_reached(clock, events):
    """At 80 % of a limit, the trace is told once."""
    budget = Budget(CostManagementPolicy(daily_limit_usd=1), clock=clock)
    for _ in range(9):
        budget.reserve(usd("0.1")).settle(cost_usd=Decimal("0.1"))
    (warned,) = events
    assert (warned.scope, describe(warned)[1]) == ("day", "spent $0.8 of $1, 80 % or more")


def test_a_call_that_needs_more_than_it_reserved_is_charged_in_full(clock, events):
    """Nothing is hidden when an estimate was too low."""
    budget = Budget(BudgetConfig(max_tokens_per_session=50), clock=clock)
    budget.reserve(usd(0)).settle(Usage(40, 40), cost_usd=Decimal(0))
    assert budget.balance().spent_tokens == 80
    (warned,) = events
    assert (warned.scope, describe(warned)[1]) == ("session", "spent 80 tokens of 50 tokens: more than was reserved")
