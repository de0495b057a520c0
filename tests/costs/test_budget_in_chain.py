"""Budgets in a chain: every attempt is paid for, and whatever becomes of it, nothing stays reserved."""

import asyncio
from decimal import Decimal

import pytest

from llmtest.clock import VirtualClock, run_virtual, stream
from llmtest.costs import Budget, BudgetConfig, CostLedger, Prices
from llmtest.errors import BudgetExceededError, UnknownPriceError
from llmtest.events import Trace
from llmtest.resilience import FallbackChain, RetryConfig
from llmtest.simulation import World, faults
from llmtest.types import CompletionRequest

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


def test_u10_a_slot_without_a_price_is_refused():
    """An unknown price is not free, in a chain too."""
    house = House("1")
    with pytest.raises(UnknownPriceError):
        house.run(house.chain.complete_async(REQUEST.with_model("gpt-9")))
    assert list(house.openai.requests) == []


def test_u02_failures_everywhere_leave_nothing_reserved():
    """When every attempt fails, nothing is spent and nothing is held."""
    house = House("1", retry=RetryConfig(max_attempts=2))
    house.openai.fails(faults.ServerError(), times=2)
    house.anthropic.fails(faults.ConnectionRefused(), times=2)
    with pytest.raises(Exception, match="all providers failed"):
        house.run(house.chain.complete_async(REQUEST))
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
