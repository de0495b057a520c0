"""Budgets in a chain: every attempt is paid for, and whatever becomes of it, nothing stays reserved."""

import asyncio
import time
from contextlib import suppress
from datetime import UTC, datetime
from decimal import Decimal

import pytest

from llmtest import faults
from llmtest.clock import VirtualClock, run_virtual, stream
from llmtest.costs import Budget, BudgetConfig, CostLedger, CostManagementPolicy, Estimate, Prices
from llmtest.errors import AllProvidersFailedError, BudgetExceededError, UnknownPriceError
from llmtest.events import BudgetWarned, Trace, describe, subscribed
from llmtest.resilience import FallbackChain, FallbackSlot, FallbackTrigger, RetryConfig
from llmtest.simulation import Reply, World
from llmtest.types import Capabilities, CompletionRequest, CompletionResponse, StreamEvent, TextPart, Usage

REQUEST = CompletionRequest.ask("Capital of France?").with_max_tokens(20)


class House:
    """Two simulated providers, a chain of them, and a budget in between."""

    def __init__(self, limit, *, retry=None):
        self.clock = VirtualClock()
        self.prices = Prices()
        self.prices.add("openai:big", input_usd_per_mtok="1.1", output_usd_per_mtok="3.7")
        self.prices.add("anthropic:other", input_usd_per_mtok="2.3", output_usd_per_mtok="5.9")
        self.world = World(self.clock, Trace(), prices=self.prices)
        self.openai = self.world.provider("openai")
        self.anthropic = self.world.provider("anthropic")
        self.ledger = CostLedger()
        limits = BudgetConfig(max_cost_per_day=limit)
        self.budget = Budget(limits, prices=self.prices, clock=self.clock, ledger=self.ledger)
        self.chain = FallbackChain(
            [self.openai.as_provider("big"), self.anthropic.as_provider("other")],
            retry=retry,
            circuit_breaker=None,
            budget=self.budget,
            prices=self.prices,
        )

    def run(self, coroutine):
        """Run it in virtual time."""
        return run_virtual(coroutine, self.clock)

    @property
    def day(self):
        """Today's balance."""
        return self.budget.balance("day")


def test_a_fallback_is_charged_at_its_own_price():
    """A refused attempt costs nothing, the one that answered what it costs at its provider."""
    house = House("1")
    house.openai.fails(faults.ServerError())
    house.anthropic.replies("Paris")
    house.run(house.chain.complete_async(REQUEST))
    assert house.ledger.by_provider() == house.world.costs.by_provider()
    assert list(house.ledger.by_provider()) == ["anthropic"]
    assert house.day.spent_usd == house.world.costs.total_usd > 0
    assert house.day.reserved_usd == 0


def test_u11_a_refused_call_reaches_no_provider():
    """A budget that refuses is neither retried nor answered by the next provider."""
    house = House("0.00000001", retry=RetryConfig())
    house.openai.echoes()
    house.anthropic.echoes()
    with pytest.raises(BudgetExceededError):
        house.run(house.chain.complete_async(REQUEST))
    assert list(house.openai.requests) == list(house.anthropic.requests) == []
    assert house.clock.elapsed() == 0.0


@pytest.mark.parametrize("nested", [False, True], ids=["one-chain", "nested"])
def test_u11_a_retry_that_a_budget_refuses_ends_the_call_whatever_the_trigger(nested):
    """What the first attempt has cost leaves too little for the second; a free provider is no way around."""
    house = House("0.000135")
    house.openai.fails(faults.Timeout(), times=None)
    free = house.world.provider("ollama").echoes()
    provider, retry = house.openai.as_provider("big"), RetryConfig(jitter=False)
    if nested:
        provider, retry = FallbackChain([provider], retry=retry, name="inner", prices=house.prices), None
    slot = FallbackSlot(provider=provider, retry=retry, trigger=FallbackTrigger.any_error())
    chain = FallbackChain([slot, free.as_provider("llama3.2")], budget=house.budget, prices=house.prices)
    with pytest.raises(BudgetExceededError):
        house.run(chain.complete_async(REQUEST))
    assert len(house.openai.requests) == 1
    assert list(free.requests) == []


def test_u10_a_slot_without_a_price_is_refused():
    """An unknown price is not free, in a chain too."""
    house = House("1")
    with pytest.raises(UnknownPriceError):
        house.run(house.chain.complete_async(REQUEST.with_model("gpt-9")))
    assert list(house.openai.requests) == []


@pytest.mark.parametrize("streams", [False, True], ids=["whole", "stream"])
def test_u02_failures_everywhere_leave_nothing_reserved(streams):
    """When every attempt fails, a stream's before its first word too, nothing is spent and nothing is held."""
    house = House("1", retry=RetryConfig(max_attempts=2))
    house.openai.fails(faults.ServerError(), times=2)
    house.anthropic.fails(faults.ConnectionRefused(), times=2)

    async def ask():
        if streams:
            return [event async for event in house.chain.stream_async(REQUEST)]
        return await house.chain.complete_async(REQUEST)

    with pytest.raises(AllProvidersFailedError, match="all providers failed"):
        house.run(ask())
    assert (len(house.openai.requests), len(house.anthropic.requests)) == (2, 2)
    assert (house.day.spent_usd, house.day.reserved_usd, house.day.reserved_tokens) == (0, 0, 0)


def test_u04_a_stream_that_was_left_is_charged_for_what_came():
    """Leaving a stream after its first words charges them, and gives the rest back."""
    house = House("1")
    house.openai.replies("one two three four five six seven eight nine ten")

    async def leave():
        events = house.chain.stream_async(REQUEST)
        async for event in events:
            if event.visible:
                break
        await events.aclose()

    house.run(leave())
    assert 0 < house.day.spent_usd < Decimal("0.0001")
    assert (house.day.reserved_usd, house.day.reserved_tokens) == (0, 0)


async def one_call(house, number, dice):
    """Make a call that may be a stream, and may be left."""
    request = CompletionRequest.ask(f"question number {number}").with_max_tokens(20)
    if number % 3:
        return await house.chain.complete_async(request)
    events = house.chain.stream_async(request)
    async for event in events:
        if event.visible and dice.random() < 0.3:
            break
    await events.aclose()
    return None


async def crowd(house, calls, *, cancelled):
    """Make many calls at once; cancel a share of them on the way."""
    dice = stream(11, "crowd")
    tasks = [asyncio.create_task(one_call(house, number, dice)) for number in range(calls)]
    for task in tasks:
        if dice.random() < cancelled:
            asyncio.get_running_loop().call_later(dice.random(), task.cancel)
    return await asyncio.gather(*tasks, return_exceptions=True)


def furnish(house):
    """Let the first provider fail now and then, and both take their time."""
    house.openai.latency(ttft=0.3, tokens_per_second=20)
    house.anthropic.latency(ttft=0.2, tokens_per_second=20)
    house.openai.fails(faults.ServerError(), times=40).fails(faults.StreamDropped(after_chunks=1), times=40)
    house.openai.replies("a rather short answer", times=None)
    house.anthropic.echoes()


def test_u01_500_calls_through_a_chain_never_pass_the_limit():
    """Failures, cancellations and abandoned streams among them: the limit holds, and nothing stays reserved."""
    house = House("0.01")
    furnish(house)
    ends = house.run(crowd(house, 500, cancelled=0.2))
    assert house.day.spent_usd <= Decimal("0.01")
    assert house.day.spent_usd == house.ledger.known_usd
    assert (house.day.reserved_usd, house.day.reserved_tokens) == (0, 0)
    assert {BudgetExceededError, asyncio.CancelledError} <= {type(end) for end in ends}


def test_u04_the_account_equals_the_provider_s_bill():
    """Whole answers and failures through the chain: the account equals the simulated bill to the last digit."""
    house = House("1")
    house.openai.fails(faults.ServerError(), times=70).fails(faults.RateLimited(), times=70)
    house.openai.replies("a rather short answer", times=None)
    house.anthropic.echoes()

    async def main():
        calls = (house.chain.complete_async(CompletionRequest.ask("x" * n).with_max_tokens(90)) for n in range(300))
        await asyncio.gather(*calls)

    house.run(main())
    assert house.day.spent_usd == house.ledger.total_usd == house.world.costs.total_usd > 0


def test_u03_each_attempt_is_charged_once():
    """Two timeouts and an answer are three charges, whatever retried and whoever answered."""
    house = House("1", retry=RetryConfig(max_attempts=2))
    house.openai.fails(faults.Timeout(), times=2)
    house.anthropic.replies("Paris")
    answer = house.run(house.chain.complete_async(REQUEST))
    assert [attempt.billed for attempt in answer.attempts] == [True, True, True]
    assert [entry.cost_usd for entry in house.ledger] == [attempt.cost_usd for attempt in answer.attempts]
    assert [entry.cost_usd for entry in house.ledger] == [entry.cost_usd for entry in house.world.costs]
    assert house.day.spent_usd == house.world.costs.total_usd


class Gateway:
    """A provider that answers with another model than it was asked for."""

    name, model, capabilities = "openai", "big", Capabilities()

    def complete(self, request, timeouts=None):
        return CompletionResponse(parts=(TextPart("Paris"),), usage=Usage(1000, 100), model="small")

    async def complete_async(self, request, timeouts=None):
        return self.complete(request)

    def stream(self, request, timeouts=None):
        yield StreamEvent("end", response=self.complete(request))

    async def stream_async(self, request, timeouts=None):
        yield StreamEvent("end", response=self.complete(request))


def test_u06_the_model_that_answered_is_charged():
    """A gateway that serves a cheaper model than was asked for is charged that model's price."""
    house = House("1")
    house.prices.add("openai:small", input_usd_per_mtok="0.1", output_usd_per_mtok="0.2")
    chain = FallbackChain([Gateway()], budget=house.budget)
    answers = [chain.complete(REQUEST), house.run(chain.complete_async(REQUEST))]
    answers += [list(chain.stream(REQUEST))[-1].response]
    assert [answer.attempts[0].cost_usd for answer in answers] == [Decimal("0.00012")] * 3
    assert [(entry.model, entry.cost_usd) for entry in house.ledger] == [("small", Decimal("0.00012"))] * 3


def test_u08_cached_tokens_are_charged_at_their_own_price_on_both_sides():
    """What the provider read from its cache is cheaper in the account as it is on the bill."""
    house = House("1")
    house.prices.add("openai:big", input_usd_per_mtok="1.1", output_usd_per_mtok="3.7", cache_read_usd_per_mtok="0.1")
    house.openai.replies(Reply("Paris", usage=Usage(1000, 10, cache_read_tokens=900)))
    house.run(house.chain.complete_async(REQUEST))
    assert house.day.spent_usd == house.world.costs.total_usd == Decimal("0.000237")


def test_u11_a_refused_fallback_is_the_caller_s_error_and_goes_no_further():
    """Where the next provider is too dear, nobody after it is asked instead, and the error is the budget's."""
    house = House("0.000135")
    house.openai.fails(faults.ServerError(), times=3)
    house.anthropic.echoes()
    third = house.world.provider("ollama").echoes()
    house.prices.add("anthropic:other", input_usd_per_mtok="23", output_usd_per_mtok="59")
    providers = [house.openai.as_provider("big"), house.anthropic.as_provider("other"), third.as_provider("llama3.2")]
    chain = FallbackChain(providers, retry=None, budget=house.budget)
    with pytest.raises(BudgetExceededError) as caught:
        house.run(chain.complete_async(REQUEST))
    assert [attempt.outcome for attempt in caught.value.attempts] == ["500"]
    with pytest.raises(BudgetExceededError):
        list(chain.stream(REQUEST))
    assert len(house.openai.requests) == 2
    assert list(house.anthropic.requests) == list(third.requests) == []


def test_u13_a_budget_that_does_not_halt_lets_every_call_pass_and_tells():
    """With `halt_on_budget_exceeded=False` the limit is a matter of the trace: answers come, and are charged."""
    house = House("1")
    limits = BudgetConfig(max_cost_per_day=0, max_tokens_per_day=1, halt_on_budget_exceeded=False)
    budget = Budget(limits, prices=house.prices, clock=house.clock)
    house.openai.replies("Paris", times=2)
    chain = FallbackChain([house.openai.as_provider("big")], budget=budget)
    trace = Trace()
    with subscribed(trace.append, number_call=trace.next_call):
        assert chain.complete(REQUEST).content == chain.complete(REQUEST).content == "Paris"
    assert budget.balance("day").spent_usd == house.world.costs.total_usd
    assert [(event.call, describe(event)[1]) for event in trace.of(BudgetWarned)] == [
        (1, "not halted: spent 0 + reserved 0 + requested 72 > limit 1 tokens"),
        (1, "not halted: spent 0 + reserved 0 + requested 0.0001312 > limit $0"),
        (1, "spent 11 tokens of 1 tokens: not halted"),
        (1, "spent $0.0000173 of $0: not halted"),
        (2, "not halted: spent 11 + reserved 0 + requested 72 > limit 1 tokens"),
        (2, "not halted: spent 0.0000173 + reserved 0 + requested 0.0001312 > limit $0"),
    ]


def test_tasks_months_and_warnings_hold_in_a_chain():
    """Calls inside a task share its limit, the month has its own, and the trace is told once at the threshold."""
    house = House("1")
    policy = CostManagementPolicy(per_task_limit_usd="0.00025", monthly_limit_usd="0.0004", warn_threshold_percent=50)
    budget = Budget(policy, prices=house.prices, clock=house.clock)
    house.openai.replies(Reply("Paris", usage=Usage(9, 20)), times=None)
    chain = FallbackChain([house.openai.as_provider("big")], budget=budget)
    trace = Trace()
    refusals = []
    with subscribed(trace.append):
        for task in ("report", "letter", "poem"):
            with budget.task(task):
                for _ in range(3):
                    try:
                        chain.complete(REQUEST)
                    except BudgetExceededError as refused:
                        refusals.append((task, refused.scope))
            house.clock.advance(24 * 3600)
    assert refusals == [("report", "task"), ("letter", "task"), *[("poem", "month")] * 3]
    assert [event.scope for event in trace.of(BudgetWarned)] == ["task", "month", "task"]


def test_a_chain_prices_by_its_budget():
    """Prices that only the budget was given are the chain's as well: attempts and account say the same."""
    house = House("1")
    house.openai.replies("Paris")
    chain = FallbackChain([house.openai.as_provider("big")], budget=house.budget)
    answer = chain.complete(REQUEST)
    assert answer.attempts[0].cost_usd == house.day.spent_usd == house.world.costs.total_usd


@pytest.mark.parametrize("mode", ["complete", "stream"])
def test_fb14_a_chain_without_a_budget_spends_from_the_chain_around_it(mode):
    """A chain as a slot is no way around the outer budget: its attempts are charged, and refused."""
    house = House("0.0003")
    house.openai.fails(faults.ServerError(), times=None)
    house.anthropic.replies("Paris", times=None)
    inner = FallbackChain([house.anthropic.as_provider("other")], name="inner", prices=house.prices)
    chain = FallbackChain([house.openai.as_provider("big"), inner], retry=None, budget=house.budget)

    def ask():
        if mode == "stream":
            return list(chain.stream(REQUEST))[-1].response
        return chain.complete(REQUEST)

    assert ask().content == "Paris"
    assert house.day.spent_usd == house.ledger.total_usd == house.world.costs.total_usd > 0
    for _ in range(20):
        with suppress(BudgetExceededError):
            ask()
    with pytest.raises(BudgetExceededError):
        ask()
    assert house.day.spent_usd <= Decimal("0.0003")
    assert house.day.reserved_usd == 0


def test_u09_the_machine_s_time_zone_decides_nothing(monkeypatch):
    """A day is a day of UTC, also where the machine is in New York and its clocks are changed that night."""
    monkeypatch.setenv("TZ", "America/New_York")
    time.tzset()
    try:
        clock = VirtualClock(datetime(2026, 3, 8, 6, 59, tzinfo=UTC))
        budget = Budget(BudgetConfig(max_tokens_per_day=10), clock=clock)
        budget.reserve(Estimate(10, Decimal(0))).settle(Usage(10, 0))
        clock.advance(17 * 3600)
        with pytest.raises(BudgetExceededError):
            budget.reserve(Estimate(1, Decimal(0)))
        clock.advance(60)
        budget.reserve(Estimate(10, Decimal(0))).release()
    finally:
        monkeypatch.undo()
        time.tzset()


class CountingPrices(Prices):
    """Prices that know how often they were asked for a cost."""

    asked = 0

    def cost(self, *args, **options):
        self.asked += 1
        return super().cost(*args, **options)


@pytest.mark.parametrize("mode", ["complete", "stream"])
def test_an_answer_is_priced_once(mode):
    """What the attempt's record says is what the budget is charged and the ledger is told, without a second look-up."""
    prices = CountingPrices()
    prices.add("openai:big", input_usd_per_mtok="1.1", output_usd_per_mtok="3.7")
    prices.add("openai:small", input_usd_per_mtok="0.1", output_usd_per_mtok="0.2")
    ledger = CostLedger()
    budget = Budget(BudgetConfig(max_cost_per_day=1), prices=prices, ledger=ledger)
    chain = FallbackChain([Gateway()], budget=budget)
    answer = chain.complete(REQUEST) if mode == "complete" else list(chain.stream(REQUEST))[-1].response
    (attempt,), (entry,) = answer.attempts, ledger
    assert attempt.cost_usd == entry.cost_usd == budget.balance("day").spent_usd == Decimal("0.00012")
    assert prices.asked == 1


def test_a_budget_is_charged_by_the_list_of_the_chain():
    """Where both have a list, the chain's says what an attempt costs; what it does not know is the budget's."""
    house = House("1")
    own = Prices()
    own.add("openai:big", input_usd_per_mtok="100", output_usd_per_mtok="200")
    house.openai.replies("Paris")
    house.anthropic.replies("Paris")
    chain = FallbackChain([house.openai.as_provider("big")], budget=house.budget, prices=own)
    attempt = chain.complete(REQUEST).attempts[0]
    assert attempt.cost_usd == house.day.spent_usd == house.ledger.total_usd > house.world.costs.total_usd
    chain = FallbackChain([house.anthropic.as_provider("other")], budget=house.budget, prices=own)
    assert chain.complete(REQUEST).attempts[0].cost_usd is None
    spent = [entry.cost_usd for entry in house.world.costs]
    assert house.ledger.total_usd == attempt.cost_usd + spent[1]


class Wrapped:
    """A foreign wrapper around a chain, with the members of the protocol alone."""

    def __init__(self, chain):
        self.name, self.model, self._chain = "wrapped", None, chain

    def __getattr__(self, name):
        if name in {"capabilities", "complete", "complete_async", "stream", "stream_async"}:
            return getattr(self._chain, name)
        raise AttributeError(name)


@pytest.mark.parametrize("wrap", [lambda chain: chain, Wrapped], ids=["bare", "wrapped"])
@pytest.mark.parametrize("mode", ["complete", "stream"])
def test_a_chain_spends_by_the_list_of_the_budget_around_it(mode, wrap):
    """A chain without prices of its own is priced as the enclosing budget counts, however it is wrapped."""
    house = House("1")
    house.openai.replies("Paris")
    inner = wrap(FallbackChain([house.openai.as_provider("big")], name="inner"))
    chain = FallbackChain([inner], budget=house.budget)
    answer = chain.complete(REQUEST) if mode == "complete" else list(chain.stream(REQUEST))[-1].response
    assert answer.attempts[0].cost_usd == house.day.spent_usd == house.world.costs.total_usd > 0
    assert house.day.reserved_usd == 0
