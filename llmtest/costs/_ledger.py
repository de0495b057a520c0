"""What was spent: every billed attempt once, summed exactly, with the unknown kept apart from zero."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import replace
from decimal import Decimal

from llmtest.clock import Turn
from llmtest.costs._groups import grouping, table
from llmtest.costs._ledger_entry import NO_METADATA, CostEntry, Row, Spend, entries_of
from llmtest.costs._ledger_store import START, LedgerStore, Mark, MemoryLedgerStore
from llmtest.costs._money import ZERO
from llmtest.costs._unknown import to_add
from llmtest.errors import ConfigurationError, UnknownPriceError
from llmtest.types import Usage

__all__ = ["CostLedger"]

MOST_WAITING = 256
"""Entries that wait to be summed where they are not kept."""
AT_ONCE = 10_000
"""Entries that are read from a store at a time."""


class CostLedger:
    """The account of a run.

    Sums are exact, whatever the thread's decimal context is, and safe under threads.

    Args:
        keep: Whether entries are stored. A run of a million calls sets this to False; the sums are the same, and the
            memory stays constant.
        test: The test that everything is entered for, where an entry does not say.
        store: Where entries are kept, such as a `SqliteLedgerStore`; default: in memory. Accounts that share a store
            are one account.

    Raises:
        ConfigurationError: A store is given, and entries are not to be kept.

    Example:
        >>> ledger = CostLedger()
        >>> _ = ledger.record("openai", "gpt-4o", Usage(1000, 100), Decimal("0.0035"))
        >>> ledger.total_usd
        Decimal('0.0035')
    """

    def __init__(self, *, keep: bool = True, test: str | None = None, store: LedgerStore | None = None) -> None:
        if store is not None and not keep:
            raise ConfigurationError(
                "an account with a `store` keeps its entries there, and `keep=False` keeps none.\n"
                "To fix: CostLedger(store=store), or CostLedger(keep=False)"
            )
        self._keep = keep
        self.test = test
        self._store: LedgerStore = MemoryLedgerStore() if store is None else store
        self._rows = self._store.rows if isinstance(self._store, MemoryLedgerStore) else None
        """The entries themselves, where they are in memory: they are added without a detour."""
        self._owed: list[tuple[int, Row]] = []
        """Entries that the store could not take yet, each with the process that has to enter it."""
        self._spend: dict[tuple[str, str | None, str], Spend] = {}
        self._turn = Turn()
        self._first_unknown: tuple[Usage, str | None] | None = None
        """Tokens and tier of the first entry without a price, which say what has to be added."""
        self._summed = START
        """How far entries are in the sums: they are summed when somebody looks, or many wait that are not kept."""

    def record(  # noqa: PLR0913 - one argument for each fact
        self,
        provider: str,
        model: str | None,
        usage: Usage,
        cost_usd: Decimal | None,
        *,
        purpose: str = "call",
        at_ns: int = 0,
        call: int = 0,
        service_tier: str | None = None,
        metadata: Mapping[str, str] = NO_METADATA,
        requested_model: str | None = None,
        label: str | None = None,
        task: str | None = None,
        tenant: str | None = None,
        test: str | None = None,
        time_ns: int = 0,
        billed: bool = True,
        may_wait: bool = False,
    ) -> None:
        """Enter one billed attempt.

        Args:
            provider: Who billed it.
            model: The model that served it.
            usage: Its tokens.
            cost_usd: Its price; None = unknown.
            purpose: `call`, or `summary`, `health`, `hedge`, `cascade`.
            at_ns: When it ended, in nanoseconds of the clock.
            call: Number of its logical call; 0 = none.
            service_tier: The tier that served it.
            metadata: The caller's own labels of the request.
            requested_model: The model that was asked for.
            label: Name of its logical call.
            task: Task that it was made for.
            tenant: Whom it was made for.
            test: The test that made it; default: the account's.
            time_ns: When it ended, in nanoseconds since 1970.
            billed: Whether the provider bills it; if not, it costs nothing, whatever is given.
            may_wait: Whether an entry that the store cannot take now waits here, and goes there before the next one.

        Raises:
            ConfigurationError: The store cannot take it: it was not entered, unless it may wait.
        """
        facts = (requested_model, label, task, tenant, test or self.test, time_ns, billed, 0)
        cost = cost_usd if billed else ZERO
        row: Row = (provider, model, usage, cost, purpose, at_ns, call, service_tier, metadata, *facts)
        rows = self._rows
        if rows is None:
            self._deliver(row, may_wait)
            return
        rows.append(row)
        if not self._keep and len(rows) >= MOST_WAITING:
            with self._turn as is_free:
                if is_free:
                    self._sum_up()

    def _deliver(self, row: Row, may_wait: bool) -> None:
        """Give an entry to the store, after those that wait."""
        with self._turn as is_free:
            owed = (os.getpid(), row)
            self._owed.append(owed)
            if not is_free:
                self._turn.later(self._try_to_pay)
                return
            try:
                self._pay()
            except ConfigurationError:
                if not may_wait:
                    self._owed.remove(owed)
                raise

    def _pay(self) -> None:
        owed = tuple(self._owed)
        if owed:
            here = os.getpid()
            self._store.append([row for owner, row in owed if owner == here])
            del self._owed[: len(owed)]

    def _try_to_pay(self) -> None:
        with suppress(ConfigurationError):
            self._pay()

    def _enter(self, row: Row) -> None:
        provider, model, usage, cost_usd, purpose, _, _, service_tier = row[:8]
        if cost_usd is None and self._first_unknown is None:
            self._first_unknown = (usage, service_tier)
        key = (provider, model, purpose)
        spend = self._spend.get(key)
        if spend is None:
            spend = self._spend[key] = Spend()
        spend._add(usage, cost_usd)  # noqa: SLF001 - one file, one account

    def _sum_up(self) -> None:
        self._pay()
        while True:
            rows, mark = self._store.read(self._summed, AT_ONCE)
            if mark.life != self._summed.life:
                self._forget_sums()
            for row in rows:
                self._enter(row)
            self._summed = mark
            if not rows:
                break
        if not self._keep and self._rows is not None:
            del self._rows[: mark.place]
            self._summed = Mark(mark.life, 0)  # of this account still: another life would forget its sums

    def _forget_sums(self) -> None:
        self._spend.clear()
        self._first_unknown = None

    def _all(self) -> Iterator[Row]:
        """Return every entry that is kept, a part of them at a time."""
        with self._turn:
            self._pay()
        life, mark = None, START
        while True:
            rows, mark = self._store.read(mark, AT_ONCE)
            life = mark.life if life is None else life
            if not rows or mark.life != life:
                return
            yield from rows

    @property
    def entries(self) -> tuple[CostEntry, ...]:
        """Every entry, in order; empty where entries are not kept."""
        return tuple(self)

    @property
    def summary(self) -> Spend:
        """The sum of everything, with unknown and estimated entries counted apart."""
        total = Spend()
        for spend in self.spends().values():
            total._merge(spend)  # noqa: SLF001 - one file, one account
        return total

    @property
    def known_usd(self) -> Decimal:
        """Sum of the entries whose price is known."""
        return self.summary.known_usd

    @property
    def total_usd(self) -> Decimal:
        """Sum of all entries.

        Raises:
            UnknownPriceError: The price of an entry is unknown; `known_usd` is the sum of the others.
        """
        total = self.summary
        if total.unknown:
            raise self._unknown_price(total)
        return total.known_usd

    def spends(self) -> dict[tuple[str, str | None, str], Spend]:
        """Return a copy of the sums by provider, model and purpose, in the order of their first entries."""
        with self._turn:
            self._sum_up()
            return {key: replace(spend) for key, spend in self._spend.items()}

    def by_provider(self) -> dict[str, Decimal | None]:
        """Return USD by provider; None where the price of any part is unknown."""
        return self._by(0)

    def by_model(self) -> dict[str, Decimal | None]:
        """Return USD by model; None where the price of any part is unknown."""
        return self._by(1)

    def by_purpose(self) -> dict[str, Decimal | None]:
        """Return USD by purpose (`call`, `summary`, `health` ...); None where the price of any part is unknown."""
        return self._by(2)

    def by_metadata(self, name: str) -> dict[str, Decimal | None]:
        """Return USD by the value of a label, of the entries that are kept; None where any part is unknown.

        Args:
            name: Name of the label, as requests carry it in their `metadata`; entries without it are under "".
        """
        return {value: spend.usd for (value,), spend in self._grouped(f"tag:{name}").items()}

    def by(self, *names: str) -> dict[tuple[str, ...], Spend]:
        """Return what was spent by one thing or several, in the order of their first entries.

        Args:
            *names: `provider`, `model`, `requested_model`, `purpose`, `tier`, `test`, `label`, `task`, `tenant`,
                `call`; `hour`, `day` or `month` in UTC; or `tag:team`, a label that requests carry in their `metadata`.
                What an entry does not say is under "".

        Raises:
            ConfigurationError: There is no such thing, or it is asked of an account that keeps no entries.

        Example:
            >>> ledger = CostLedger(test="test_capital")
            >>> ledger.record("openai", "gpt-4o", Usage(1000, 100), Decimal("0.0035"))
            >>> ledger.by("test", "model")[("test_capital", "gpt-4o")].known_usd
            Decimal('0.0035')
        """
        if not self._keep:
            raise ConfigurationError(
                "this account keeps no entries (`keep=False`), only sums by provider, model and purpose.\n"
                "To fix: CostLedger(keep=True), or `by_provider`, `by_model`, `by_purpose`"
            )
        return self._grouped(*names)

    def _grouped(self, *names: str) -> dict[tuple[str, ...], Spend]:
        keys = [grouping(name) for name in names]
        groups: dict[tuple[str, ...], Spend] = {}
        for entry in self:
            group = groups.setdefault(tuple(key(entry) for key in keys), Spend())
            group._add(entry.usage, entry.cost_usd)  # noqa: SLF001 - one file, one account
        return groups

    def __repr__(self) -> str:
        """Return the sums by provider, model and purpose, as a table."""
        rows = [((provider, model or "?", why), spend) for (provider, model, why), spend in self.spends().items()]
        return table(rows, self.summary)

    def _by(self, column: int) -> dict[str, Decimal | None]:
        groups: dict[str, Spend] = {}
        for key, spend in self.spends().items():
            groups.setdefault(key[column] or "", Spend())._merge(spend)  # noqa: SLF001 - one file, one account
        return {name: spend.usd for name, spend in groups.items()}

    def __len__(self) -> int:
        """Return how many entries were recorded, kept or not."""
        return self.summary.calls

    def __iter__(self) -> Iterator[CostEntry]:
        """Iterate over the entries that are kept."""
        return entries_of(self._all()) if self._keep else iter(())

    def clear(self) -> None:
        """Forget everything, for everybody who shares the store.

        Raises:
            ConfigurationError: The store cannot be written, and nothing is forgotten.
        """
        with self._turn:
            self._store.clear()
            self._owed.clear()
            self._forget_sums()
            self._summed = START

    def _unknown_price(self, total: Spend) -> UnknownPriceError:
        unknown = [(provider, model, spend) for (provider, model, _), spend in self.spends().items() if spend.unknown]
        provider, model, _ = unknown[0]
        lines = [
            f"  {name}:{served or '?'}   {spend.unknown} of {spend.calls} calls without a price"
            f"   {spend.input_tokens:,} input and {spend.output_tokens:,} output tokens in all"
            for name, served, spend in unknown
        ]
        reference = f"{provider}:{model or '?'}"
        return UnknownPriceError(
            f"the total is unknown: {total.unknown} of {total.calls} calls have no known price.\n\n"
            + "\n".join(lines)
            + f"\n\nThe other calls cost ${total.known_usd:f} (`known_usd`). An unknown price is not zero.\n"
            f"To fix: add it: `{to_add(reference, *(self._first_unknown or ()))}`.",
            provider=provider,
            model=model,
        )
