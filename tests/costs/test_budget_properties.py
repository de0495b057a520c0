"""Budgets as a state machine: whatever the order of operations, the accounts are right."""

from decimal import Decimal
from fractions import Fraction

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, rule

from llmtest.clock import VirtualClock
from llmtest.costs import Budget, BudgetConfig, CostManagementPolicy, Estimate, MemoryBudgetStore
from llmtest.errors import BudgetExceededError
from llmtest.types import Usage

MONEY = st.decimals(0, 3, places=9)
TOKENS = st.integers(0, 60)
LIMIT_USD = Decimal(10)
LIMIT_TOKENS = 150


class BudgetMachine(RuleBasedStateMachine):
    """Any mix of calls, with a model of the accounts beside them; no call costs more than it reserved."""

    reservations = Bundle("reservations")

    def __init__(self):
        super().__init__()
        self.clock = VirtualClock()
        self.store = MemoryBudgetStore()
        limits = (
            BudgetConfig(max_tokens_per_day=LIMIT_TOKENS, max_cost_per_day=LIMIT_USD),
            CostManagementPolicy(per_task_limit_usd=LIMIT_USD, monthly_limit_usd=100),
        )
        self.budget = Budget(*limits, clock=self.clock, store=self.store)
        self.open = {}
        self.spent = {}
        self.total = Decimal(0)

    def day(self):
        """Return today."""
        return self.clock.now().date().isoformat()

    def used(self, day):
        """Return what a day has spent and reserved."""
        spent = self.spent.get(day, (0, Decimal(0)))
        held = [reservation for reservation, its_day in self.open.items() if its_day == day]
        return spent[0] + sum(r.tokens for r in held), spent[1] + sum(r.usd for r in held)

    @rule(target=reservations, tokens=TOKENS, usd=MONEY)
    def reserve(self, tokens, usd):
        """A call is admitted exactly if it fits."""
        used_tokens, used_usd = self.used(self.day())
        fits = used_tokens + tokens <= LIMIT_TOKENS and used_usd + usd <= LIMIT_USD
        try:
            reservation = self.budget.reserve(Estimate(tokens, usd))
        except BudgetExceededError:
            assert not fits
            return None
        assert fits
        self.open[reservation] = self.day()
        return reservation

    @rule(reservation=consumes(reservations), share=st.fractions(0, 1), again=st.booleans())
    def settle(self, reservation, share, again):
        """A call is charged to the day of its reservation, once."""
        if reservation is None:
            return
        tokens = int(reservation.tokens * share)
        usd = Decimal(int(Fraction(reservation.usd) * 10**9 * share)).scaleb(-9)
        reservation.settle(Usage(tokens, 0), cost_usd=usd)
        day = self.open.pop(reservation)
        before = self.spent.get(day, (0, Decimal(0)))
        self.spent[day] = (before[0] + tokens, before[1] + usd)
        self.total += usd
        if again:
            assert reservation.release() is False
            try:
                reservation.settle(Usage(tokens, 0), cost_usd=usd)
            except RuntimeError:
                return
            raise AssertionError("settled twice")

    @rule(reservation=consumes(reservations))
    def release(self, reservation):
        """A call that ended otherwise gives everything back."""
        if reservation is not None:
            assert reservation.release() is True
            del self.open[reservation]

    @rule(hours=st.integers(1, 30))
    def wait(self, hours):
        """Time passes, over midnights."""
        self.clock.advance(hours * 3600)

    @invariant()
    def accounts_are_right(self):
        """Every day has what was settled in it, holds what is open in it, and stays within its limits."""
        for day in {self.day(), *self.spent, *self.open.values()}:
            balance = self.store.balance(f"day:{day}")
            held = [reservation for reservation, its_day in self.open.items() if its_day == day]
            assert (balance.spent_tokens, balance.spent_usd) == self.spent.get(day, (0, 0))
            assert balance.reserved_tokens == sum(reservation.tokens for reservation in held)
            assert balance.reserved_usd == sum(reservation.usd for reservation in held)
            assert balance.spent_tokens + balance.reserved_tokens <= LIMIT_TOKENS
            assert balance.spent_usd + balance.reserved_usd <= LIMIT_USD
        assert self.budget.balance().spent_usd == self.total


BudgetMachine.TestCase.settings = settings(max_examples=30, stateful_step_count=25, deadline=None)
TestBudgetMachine = BudgetMachine.TestCase
