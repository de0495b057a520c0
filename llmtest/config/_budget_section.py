"""The schema of budgets and accounts in a chain file, and what they mean."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import BeforeValidator, WithJsonSchema, model_validator

from llmtest.config._fields import Count, Flag, Money, Percent, Positive, Seconds, Text
from llmtest.config._secrets import Key
from llmtest.config._validation import Section, one_of
from llmtest.costs import Budget, BudgetConfig, SqliteBudgetStore, SqliteLedgerStore
from llmtest.costs._calendar import Calendar
from llmtest.errors import ConfigurationError

if TYPE_CHECKING:
    from llmtest.costs import CostLedger, Prices

__all__ = ["BudgetSection", "SpendLimitsSection", "StoreSection"]

UNKNOWN_PRICE = ("error", "warn")
CUT_OFF = ("estimated", "reserved")
NO_LIMITS = {"halt_on_budget_exceeded", "warn_threshold_percent"}
"""Keys of limits that limit nothing by themselves."""


def _choice(*known: str) -> Callable[[Any], str]:
    def chosen(value: Any) -> str:
        if value not in known:
            raise ValueError(one_of("choice", value, list(known)))
        return str(value)

    return chosen


def _zone(value: Any) -> str:
    try:
        Calendar(value)
    except ConfigurationError as error:
        raise ValueError(str(error).partition("\n")[0]) from None
    return str(value)


UnknownPrice = Annotated[
    Literal["error", "warn"], BeforeValidator(_choice(*UNKNOWN_PRICE)), WithJsonSchema({"enum": list(UNKNOWN_PRICE)})
]
CutOff = Annotated[
    Literal["estimated", "reserved"], BeforeValidator(_choice(*CUT_OFF)), WithJsonSchema({"enum": list(CUT_OFF)})
]
Zone = Annotated[str, BeforeValidator(_zone), WithJsonSchema({"type": "string", "minLength": 1})]


class SpendLimitsSection(Section):
    """Limits on tokens and money, of one provider, model or tenant."""

    max_tokens_per_session: Count | None = None
    """Tokens in one run."""
    max_cost_per_session: Money | None = None
    """USD in one run."""
    max_tokens_per_day: Count | None = None
    """Tokens in a day; in UTC, where no `timezone` is given."""
    max_cost_per_day: Money | None = None
    """USD in a day."""
    max_cost_per_month: Money | None = None
    """USD in a month."""
    max_cost_per_task: Money | None = None
    """USD in one task; a call without a task is a task of its own."""
    max_tokens_per_month: Count | None = None
    """Tokens in a month."""
    max_tokens_per_task: Count | None = None
    """Tokens in one task."""
    max_tokens_per_call: Count | None = None
    """Tokens that one request may need at most, its answer included."""
    max_cost_per_call: Money | None = None
    """USD that one request may need at most."""
    warn_threshold_percent: Percent | None = None
    """Share of a limit from which on the trace is told, once, in percent; never by default."""
    halt_on_budget_exceeded: Flag = True
    """Whether a call that could pass a limit is refused."""

    def limits(self) -> BudgetConfig:
        """Return them as a budget takes them."""
        return BudgetConfig(**{name: getattr(self, name) for name in SpendLimitsSection.model_fields})


class StoreSection(Section):
    """Where an account is kept, so that processes share it and it outlives them: in a file, or on a server."""

    sqlite: Text | None = None
    """A file of SQLite, relative to the chain file, which the processes of a machine share."""
    redis: Key | None = None
    """The URL of a Redis server, which machines share; write a password as `${VAR}`, `env:VAR` or `file:PATH`."""
    namespace: Text | None = None
    """What the names of the keys on the server begin with; `llmtest` by default."""
    timeout: Seconds | None = None
    """Longest wait for the file, 5s by default, or for the server, 1s by default."""

    @model_validator(mode="after")
    def _is_one_place(self) -> StoreSection:
        if (self.sqlite is None) is (self.redis is None):
            raise ValueError("takes `sqlite` or `redis`, one of the two, such as `{sqlite: costs.db}`")
        if self.sqlite is not None and self.namespace is not None:
            raise ValueError("`namespace` belongs to `redis`; a file has no other accounts in it")
        return self

    def open(
        self, kind: Literal["budget", "ledger"], folder: Path | None, environment: Mapping[str, str] | None
    ) -> Any:
        """Return the store.

        Args:
            kind: What is kept there.
            folder: Where a relative path begins; None: the working directory.
            environment: What `env:` reads; None: that of the process.

        Raises:
            ConfigurationError: It cannot be opened.
        """
        given: dict[str, Any] = {} if self.timeout is None else {"timeout": self.timeout}
        if self.redis is not None:
            if self.namespace is not None:
                given |= {"namespace": self.namespace}
            from llmtest.stores import RedisBudgetStore, RedisLedgerStore

            server = RedisBudgetStore if kind == "budget" else RedisLedgerStore
            return server(self.redis.reveal(environment, folder), **given)
        store = SqliteBudgetStore if kind == "budget" else SqliteLedgerStore
        return store((folder or Path()) / (self.sqlite or ""), **given)


class BudgetSection(SpendLimitsSection):
    """Limits on tokens and money."""

    on_unknown_price: UnknownPrice = "error"
    """What becomes of a call without a known price where USD are limited: `error` refuses it, `warn` only tells."""
    per_provider: dict[str, SpendLimitsSection] | None = None
    """Limits of single providers, by name, beside those of everybody; `*` in a name stands for any text."""
    per_model: dict[str, SpendLimitsSection] | None = None
    """Limits of single models, by `model` or `provider:model`: of the one that is asked."""
    per_tenant: dict[str, SpendLimitsSection] | None = None
    """Limits of tenants (`budget.tenant`), by name; those under `*` are those of each of the others."""
    timezone: Zone | None = None
    """Whose days and months count, such as `Europe/Berlin`; UTC by default."""
    cut_off: CutOff = "estimated"
    """What a call is charged that was cut off: what is `estimated` of it, or what was `reserved` for it."""
    default_max_tokens: Positive | None = None
    """Tokens of an answer where the request sets no limit; 4096 by default."""
    tokenizer: Text | None = None
    """What counts prompts, such as `o200k_base`; by default a bound that holds for every vocabulary."""
    name: Text | None = None
    """Budgets of different names keep apart in one store."""
    session: Text | None = None
    """The session to go on with, in a store; a new one by default."""
    store: StoreSection | None = None
    """Where balances are kept, `{sqlite: budget.db}` or `{redis: ${REDIS_URL}}`; in memory by default."""

    def budget(self, prices: Prices | None, ledger: CostLedger | None, store: Any) -> Budget:
        """Return the budget.

        Args:
            prices: What models cost.
            ledger: Account of what is spent.
            store: Where balances are kept; None: in memory.
        """
        named: dict[str, Any] = {
            kind: {name: limits.limits() for name, limits in getattr(self, kind).items()}
            for kind in ("per_provider", "per_model", "per_tenant")
            if getattr(self, kind)
        }
        said = {key: getattr(self, key) for key in ("default_max_tokens", "tokenizer", "name", "session")}
        return Budget(
            self.limits(),
            prices=prices,
            ledger=ledger,
            store=store,
            on_unknown_price=self.on_unknown_price,
            cut_off=self.cut_off,
            timezone=self.timezone,
            **named,
            **{key: value for key, value in said.items() if value is not None},
        )
