"""Where budgets keep their balances: the protocol of a store, and the one in memory.

A store knows nothing of prices, clocks or events. It has named buckets (`day:2026-01-01`), and five operations on
them, each of which happens as a whole or not at all.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from decimal import Decimal
from functools import partial
from typing import NamedTuple, Protocol

from llmtest.clock import Turn
from llmtest.costs._limits import Limit
from llmtest.costs._money import EXACT, ZERO

__all__ = ["Balance", "BudgetStore", "Check", "Hold", "MemoryBudgetStore", "Overrun", "Spent"]


@dataclass(slots=True)
class Balance:
    """What a bucket holds: what was spent, and what calls under way may still spend."""

    spent_tokens: int = 0
    spent_usd: Decimal = ZERO
    reserved_tokens: int = 0
    reserved_usd: Decimal = ZERO


NOTHING = Balance()


class Check(NamedTuple):
    """A limit, and the number of the hold's bucket it looks at.

    The number after the last bucket's is that of the hold's own account; None means that the hold stands alone.
    """

    limit: Limit
    bucket: int | None


@dataclass(slots=True)
class Hold:
    """An amount set aside in some buckets, until it is settled or released.

    Args:
        buckets: Names of the buckets.
        checks: Limits that look at them.
        tokens: Upper bound of the call's tokens.
        usd: Upper bound of its price.
        at_ns: Wall time, in nanoseconds since 1970.
        is_open: Whether it is held; written by the store alone.
        id: Number the store gave it.
        owner: Process that made it, where several share the store.
        own: Account of the logical call it belongs to, beside the buckets; a store changes it together with them.
    """

    buckets: tuple[str, ...]
    checks: tuple[Check, ...]
    tokens: int
    usd: Decimal
    at_ns: int
    is_open: bool = False
    id: int = 0
    owner: int = 0
    own: Balance | None = None


class Overrun(NamedTuple):
    """A limit that a call could pass, with the numbers it was judged by."""

    limit: Limit
    spent: Decimal
    reserved: Decimal
    requested: Decimal


Spent = tuple[int, Decimal]
"""Tokens and USD that one bucket has spent."""


class BudgetStore(Protocol):
    """Balances that several budgets, threads or processes share."""

    def new_session(self) -> str:
        """Return a name that no session of this store has had."""

    def hold(self, hold: Hold) -> tuple[Overrun, ...]:
        """Set an amount aside in all buckets of `hold`, unless that could pass a halting limit.

        Returns:
            The limits that `spent + reserved + requested` passes. If one of them halts, nothing is held.
        """

    def settle(self, hold: Hold, tokens: int, usd: Decimal) -> tuple[Spent, ...]:
        """Replace what was set aside by what was spent, and return what its buckets have spent since.

        The garbage collector may call it in the middle of any other operation of the same thread; then it is done at
        the end of that one, and nothing is returned.

        Raises:
            RuntimeError: It is not held any more.
        """

    def release(self, hold: Hold) -> bool:
        """Give back what was set aside; False where it is not held any more. Interrupts like `settle`."""

    def charge(self, buckets: tuple[str, ...], tokens: int, usd: Decimal) -> tuple[Spent, ...]:
        """Add what was spent without having been set aside, and return what the buckets have spent since."""

    def balance(self, bucket: str) -> Balance:
        """Return the balance of one bucket; zeros where nothing was ever spent."""


def overruns(balances: list[Balance], hold: Hold) -> tuple[Overrun, ...]:
    """Return the limits that a hold would pass, given the balances of its buckets, and its own account behind them."""
    over: tuple[Overrun, ...] = ()
    for limit, bucket in hold.checks:
        balance = NOTHING if bucket is None else balances[bucket]
        if limit.unit == "usd":
            requested, spent, reserved = hold.usd, balance.spent_usd, balance.reserved_usd
            if EXACT.add(EXACT.add(spent, reserved), requested) > limit.amount:
                over += (Overrun(limit, spent, reserved, requested),)
        elif balance.spent_tokens + balance.reserved_tokens + hold.tokens > limit.amount:
            numbers = map(Decimal, (balance.spent_tokens, balance.reserved_tokens, hold.tokens))
            over += (Overrun(limit, *numbers),)
    return over


def closed(hold: Hold) -> RuntimeError:
    """Return the error of settling twice."""
    return RuntimeError(
        f"this reservation of {hold.tokens} tokens and ${hold.usd:f} was settled or released before, so that settling "
        "it now would charge twice. To fix: settle a reservation once; for spend that shows up later, "
        "use budget.charge(usage, ...)"
    )


class MemoryBudgetStore:
    """Balances in this process; every operation is atomic under threads."""

    def __init__(self) -> None:
        self._turn = Turn()
        self._balances: dict[str, Balance] = {}
        self._sessions = 0

    def __reduce__(self) -> tuple[object, ...]:
        """Refuse to be copied: each copy would let the limits be spent once more."""
        raise TypeError(
            "balances in memory cannot be copied or sent to another process, because each copy would let the limits be "
            "spent again. To fix: share the budget itself, or keep it in a file: Budget(..., store=SqliteBudgetStore("
            '"budget.db"))'
        )

    def new_session(self) -> str:
        """Return a name that no session of this store has had."""
        with self._turn:
            self._sessions += 1
            return f"session:{self._sessions}"

    def hold(self, hold: Hold) -> tuple[Overrun, ...]:
        """Set an amount aside, unless that could pass a halting limit."""
        tokens, usd = hold.tokens, hold.usd
        with self._turn:
            balances = self._accounts(hold)
            over = overruns(balances, hold)
            if over and any(overrun.limit.halt for overrun in over):
                return over
            for balance in balances:
                balance.reserved_tokens += tokens
                balance.reserved_usd = EXACT.add(balance.reserved_usd, usd)
            hold.is_open = True
        return over

    def settle(self, hold: Hold, tokens: int, usd: Decimal) -> tuple[Spent, ...]:
        """Replace what was set aside by what was spent."""
        with self._turn as is_free:
            if not hold.is_open:
                raise closed(hold)
            hold.is_open = False
            if not is_free:
                self._turn.later(partial(self._settle, hold, tokens, usd))
                return ()
            return self._settle(hold, tokens, usd)

    def release(self, hold: Hold) -> bool:
        """Give back what was set aside."""
        with self._turn as is_free:
            if not hold.is_open:
                return False
            hold.is_open = False
            if is_free:
                self._give_back(hold)
            else:
                self._turn.later(partial(self._give_back, hold))
            return True

    def charge(self, buckets: tuple[str, ...], tokens: int, usd: Decimal) -> tuple[Spent, ...]:
        """Add what was spent without having been set aside."""
        with self._turn:
            return _spend([self._balance(bucket) for bucket in buckets], tokens, usd)

    def balance(self, bucket: str) -> Balance:
        """Return a copy of one balance."""
        with self._turn:
            return replace(self._balances.get(bucket, NOTHING))

    def _balance(self, bucket: str) -> Balance:
        balance = self._balances.get(bucket)
        if balance is None:
            balance = self._balances[bucket] = Balance()
        return balance

    def _accounts(self, hold: Hold) -> list[Balance]:
        known = self._balances.get
        balances = [known(bucket) or self._balance(bucket) for bucket in hold.buckets]
        if hold.own is not None:
            balances.append(hold.own)
        return balances

    def _settle(self, hold: Hold, tokens: int, usd: Decimal) -> tuple[Spent, ...]:
        spent = []
        for balance in self._accounts(hold):
            # `give_back` and `spend` in one piece: every call of every chain with a budget comes here.
            balance.reserved_tokens -= hold.tokens
            balance.reserved_usd = EXACT.subtract(balance.reserved_usd, hold.usd)
            balance.spent_tokens += tokens
            balance.spent_usd = after = EXACT.add(balance.spent_usd, usd)
            spent.append((balance.spent_tokens, after))
        return tuple(spent)

    def _give_back(self, hold: Hold) -> None:
        for balance in self._accounts(hold):
            give_back(balance, hold)


def give_back(balance: Balance, hold: Hold) -> None:
    """Take out of a balance what a hold has in it."""
    balance.reserved_tokens -= hold.tokens
    balance.reserved_usd = EXACT.subtract(balance.reserved_usd, hold.usd)


def spend(balance: Balance, tokens: int, usd: Decimal) -> Spent:
    """Add to a balance what was spent, and return what that makes."""
    balance.spent_tokens += tokens
    balance.spent_usd = EXACT.add(balance.spent_usd, usd)
    return balance.spent_tokens, balance.spent_usd


def _spend(balances: list[Balance], tokens: int, usd: Decimal) -> tuple[Spent, ...]:
    return tuple([spend(balance, tokens, usd) for balance in balances])
