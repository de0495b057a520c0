"""The account against the provider's bill: whatever becomes of the calls, both say the same."""

import asyncio
from decimal import Decimal

from llmtest.clock import VirtualClock, run_virtual, stream
from llmtest.costs import Budget, BudgetConfig, CostLedger, Prices
from llmtest.errors import BudgetExceededError
from llmtest.types import CompletionRequest, Usage

FATES = ("answered", "failed", "failed but billed", "cancelled", "abandoned")


class Billing:
    """A provider that bills each call by its fate, and a client that settles or releases accordingly."""

    def __init__(self, limit):
        self.prices = Prices()
        self.prices.add("openai:big", input_usd_per_mtok="1.1", output_usd_per_mtok="3.7")
        self.ledger = CostLedger()
        self.clock = VirtualClock()
        limits = BudgetConfig(max_cost_per_day=limit)
        self.budget = Budget(limits, prices=self.prices, clock=self.clock, ledger=self.ledger)
        self.bill = Decimal(0)
        self.highest = Decimal(0)

    def billed(self, usage):
        """Put a usage on the provider's bill."""
        self.bill += self.prices.cost("openai", "big", usage)
        return usage

    async def call(self, number, fate, dice):
        """Make one call."""
        request = CompletionRequest.ask(f"question {number}", model="big").with_max_tokens(50)
        with self.budget.reserve(request, provider="openai") as reservation:
            balance = self.budget.balance("day")
            self.highest = max(self.highest, balance.spent_usd + balance.reserved_usd)
            await asyncio.sleep(dice.random())
            if fate == "failed":
                raise ConnectionError
            if fate in {"failed but billed", "abandoned"}:
                source = "exact" if fate == "abandoned" else "estimated"
                reservation.settle(self.billed(Usage(7, dice.randint(0, 20), source=source)))
                raise ConnectionError
            reservation.settle(self.billed(Usage(7, dice.randint(0, 50))))

    async def crowd(self, calls):
        """Make all calls at once, cancel some, and return how they ended."""
        dice = stream(4, "crowd")
        tasks = []
        for number in range(calls):
            fate = FATES[dice.randrange(len(FATES))]
            task = asyncio.create_task(self.call(number, fate, dice))
            if fate == "cancelled":
                asyncio.get_running_loop().call_later(dice.random() / 2, task.cancel)
            tasks.append(task)
            if number % 50 == 49:
                await asyncio.sleep(1)
        return await asyncio.gather(*tasks, return_exceptions=True)


def test_u04_the_ledger_equals_the_bill_to_the_last_digit():
    """500 calls that succeed, fail, fail and are billed, are cancelled or abandoned: account and bill are equal."""
    billing = Billing(limit="0.02")
    ends = run_virtual(billing.crowd(500), billing.clock)
    balance = billing.budget.balance("day")
    assert balance.spent_usd == billing.ledger.total_usd == billing.bill
    assert (balance.reserved_usd, balance.reserved_tokens) == (0, 0)
    assert billing.bill <= billing.highest <= Decimal("0.02")
    kinds = {type(end) for end in ends}
    assert kinds == {type(None), ConnectionError, asyncio.CancelledError, BudgetExceededError}


def test_the_same_crowd_has_the_same_bill():
    """Two runs are equal to the last digit."""
    bills = []
    for _ in range(2):
        billing = Billing(limit="0.02")
        run_virtual(billing.crowd(100), billing.clock)
        bills.append(billing.bill)
    assert bills[0] == bills[1]


def test_unknown_usage_of_a_free_model_costs_nothing():
    """Whatever a local model used, its cost is known."""
    ledger = CostLedger()
    budget = Budget(BudgetConfig(max_cost_per_day=0), ledger=ledger)
    charge = budget.reserve(CompletionRequest.ask("x"), provider="ollama", model="llama3.2").settle()
    assert (charge.usd, charge.source) == (0, "unknown")
    assert ledger.total_usd == 0
