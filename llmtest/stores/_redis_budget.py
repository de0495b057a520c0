"""Balances in Redis, for many processes and machines: each operation of a budget is one script, and one round trip."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Sequence
from contextlib import suppress
from decimal import Decimal
from functools import partial
from typing import Any

from llmtest.clock import Turn
from llmtest.costs import Balance
from llmtest.costs._store import Hold, Overrun, Spent, closed, give_back, spend
from llmtest.errors import ConfigurationError
from llmtest.stores._budget_scripts import CHARGE, GIVE_BACK, HOLD, RELEASE, SETTLE
from llmtest.stores._redis_account import ONCE_MS, RedisAccount
from llmtest.types._closing import Closing

__all__ = ["RedisBudgetStore"]

DAY_MS = 86_400_000
KEEP_DAYS = 400
"""For how long a balance stays that nobody charges or asks a limit of: longer than a year."""
DIGITS = 20
"""Width of a time: Lua has floats, which hold no time to the nanosecond; strings of one width compare like numbers."""


class RedisBudgetStore(Closing):
    """Balances in Redis, for every process and machine that names the same server and namespace.

    Reserving, settling and releasing are one script each, and one round trip: no two processes judge by the same
    balance. Amounts are exact. What is sent again, because its answer was lost, is done once. Where the server cannot
    be asked, the call is refused before it is sent, and a call that was answered is settled when it is there again.

    A process that dies in the middle of a call leaves what that call had reserved, where it goes on counting, since the
    provider may well have billed the call; `release_abandoned` gives it back. A balance goes when nobody has used it
    for 400 days. Let the server write a journal (`appendonly yes`) and evict nothing (`maxmemory-policy noeviction`),
    or it forgets what was spent. A call on an event loop waits for the round trip, so keep the server near.

    Args:
        url: The server: `redis://user:password@host:6379/0`, `rediss://` for TLS, or `unix://`. Any Redis from 4.0 on,
            or what speaks like it.
        namespace: Begins the name of every key. In a cluster, all keys of one namespace are on one node.
        timeout: Seconds to wait for a connection and for an answer, above 0. This wait is real, also where time is
            virtual.

    Raises:
        ConfigurationError: The URL is none of Redis, a value is out of range, or `redis` is not installed.
    """

    def __init__(self, url: str, *, namespace: str = "llmtest", timeout: float = 1.0) -> None:
        self._account = RedisAccount(url, namespace, timeout, "budget", "RedisBudgetStore")
        self._holds, self._given_back = self._account.key("holds"), self._account.key("given_back")
        self._turn = Turn()

    def new_session(self) -> str:
        """Return a name that no session of this account has had."""
        return f"session:{self._account.ask('incr', self._account.key('sessions'))}"

    def hold(self, hold: Hold) -> tuple[Overrun, ...]:
        """Set an amount aside, unless that could pass a halting limit."""
        with self._turn:
            run, number = self._account.number()
            hold.id = run << 40 | number
            own = Balance() if hold.own is None else hold.own
            keys, usd = self._keys(hold.buckets), _plain(hold.usd)
            at = str(max(hold.at_ns, 0)).zfill(DIGITS)
            mark = json.dumps({"at": at, "tokens": str(hold.tokens), "usd": usd, "keys": keys})
            given: list[str | int] = [KEEP_DAYS * DAY_MS, hold.id, hold.tokens, usd, mark, *_texts(own)]
            for limit, bucket in hold.checks:
                given += [0 if bucket is None else bucket + 1, limit.unit, _plain(limit.amount), int(limit.halt)]
            held, *over = self._account.run(HOLD, (self._holds, *keys), given)
            if held:
                if hold.own is not None:
                    hold.own.reserved_tokens += hold.tokens
                    hold.own.reserved_usd += hold.usd
                hold.owner = os.getpid()
                hold.is_open = True
        return tuple(_overrun(hold, *each) for each in over)

    def settle(self, hold: Hold, tokens: int, usd: Decimal) -> tuple[Spent, ...]:
        """Replace what was set aside by what was spent, in the process that set it aside.

        What somebody gave back in the meantime (`release_abandoned`) is charged all the same: it was spent.
        """
        with self._turn as is_free:
            if not hold.is_open:
                raise closed(hold)
            if hold.owner != os.getpid():
                raise RuntimeError(
                    "a reservation is settled in the process that made it, and this one was made by process "
                    f"{hold.owner}. To fix: settle it there; for spend of this process, reserve in it"
                )
            if is_free:
                return self._settle(hold, tokens, usd)
            self._turn.later(partial(self._try, self._settle, hold, tokens, usd))
            return ()

    def _settle(self, hold: Hold, tokens: int, usd: Decimal) -> tuple[Spent, ...]:
        keys = (self._holds, self._given_back, *self._keys(hold.buckets))
        given = (KEEP_DAYS * DAY_MS, hold.id, hold.tokens, _plain(hold.usd), tokens, _plain(usd))
        spent = _spents(self._account.run(SETTLE, keys, given))
        if hold.own is not None:
            give_back(hold.own, hold)
            spent += (spend(hold.own, tokens, usd),)
        hold.is_open = False
        return spent

    def release(self, hold: Hold) -> bool:
        """Give back what was set aside, in the process that set it aside; False where it is not held any more."""
        with self._turn as is_free:
            if not hold.is_open or hold.owner != os.getpid():
                return False
            if is_free:
                return self._release(hold)
            self._turn.later(partial(self._try, self._release, hold))
            return True

    def _release(self, hold: Hold) -> bool:
        keys = (self._holds, *self._keys(hold.buckets))
        held = self._account.run(RELEASE, keys, (KEEP_DAYS * DAY_MS, hold.id, hold.tokens, _plain(hold.usd)))
        if hold.own is not None:
            give_back(hold.own, hold)
        hold.is_open = False
        return bool(held)

    def _try(self, operation: Callable[..., object], *arguments: object) -> None:
        """Do what nobody waits for. Where the server cannot be asked, the reservation stays there and counts on."""
        with suppress(ConfigurationError):
            operation(*arguments)

    def charge(self, buckets: tuple[str, ...], tokens: int, usd: Decimal) -> tuple[Spent, ...]:
        """Add what was spent without having been set aside."""
        with self._turn:
            keys = (self._account.once(), *self._keys(buckets))
            return _spents(self._account.run(CHARGE, keys, (KEEP_DAYS * DAY_MS, ONCE_MS, tokens, _plain(usd))))

    def balance(self, bucket: str) -> Balance:
        """Return one balance."""
        with self._turn:
            held = self._account.ask("get", self._keys((bucket,))[0])
        if held is None:
            return Balance()
        try:
            spent_tokens, spent_usd, reserved_tokens, reserved_usd = held.decode().split()
            return Balance(int(spent_tokens), Decimal(spent_usd), int(reserved_tokens), Decimal(reserved_usd))
        except (ValueError, ArithmeticError) as error:
            raise self._account.damaged(f"the balance `{bucket}`") from error

    def release_abandoned(self, before_ns: int) -> int:
        """Give back what was reserved before a moment and never settled, because its process died.

        A call that is still running after all is charged what it cost when it ends, but no limit knows of it until
        then.

        Args:
            before_ns: Wall time, in nanoseconds since 1970, of the clock the budgets used. Choose it so far back
                that no call of a living process can be older.

        Returns:
            How many reservations were given back.

        Raises:
            ConfigurationError: The moment is no whole number, or the server cannot be asked.
        """
        if type(before_ns) is not int:
            raise ConfigurationError(f"`before_ns` must be a whole number of nanoseconds, got {before_ns!r}")
        before = str(max(before_ns, 0)).zfill(DIGITS)
        with self._turn:
            return int(self._account.run(GIVE_BACK, (self._holds, self._given_back), (KEEP_DAYS * DAY_MS, before)))

    def close(self) -> None:
        """Close the connections; the next operation opens them again."""
        self._account.close()

    def __reduce__(self) -> tuple[object, ...]:
        """Let another process, or a copy, use the same account."""
        account = self._account
        return partial(RedisBudgetStore, namespace=account.namespace, timeout=account.timeout), (account.url,)

    def _keys(self, buckets: Sequence[str]) -> list[str]:
        return [self._account.key(f"bucket:{bucket}") for bucket in buckets]


def _plain(amount: Decimal) -> str:
    """Return an amount as the scripts read it: digits and a point."""
    return f"{amount:f}"


def _texts(balance: Balance) -> tuple[int, str, int, str]:
    return balance.spent_tokens, _plain(balance.spent_usd), balance.reserved_tokens, _plain(balance.reserved_usd)


def _spents(given: Sequence[Sequence[bytes]]) -> tuple[Spent, ...]:
    return tuple((int(tokens), Decimal(usd.decode())) for tokens, usd in given)


def _overrun(hold: Hold, number: int, spent: bytes, reserved: bytes) -> Overrun:
    limit = hold.checks[number].limit
    requested: Any = hold.usd if limit.unit == "usd" else Decimal(hold.tokens)
    return Overrun(limit, Decimal(spent.decode()), Decimal(reserved.decode()), requested)
