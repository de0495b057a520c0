"""What the calls of a piece of code belong to: a task, a tenant, a limit of their own."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from decimal import Decimal
from typing import Any

from llmtest.costs._buckets import Rules, current_task, current_tenant
from llmtest.costs._from_above import from_above
from llmtest.costs._limits import CENT, Kind, Limit, Limits
from llmtest.costs._money import EXACT, Amount, money
from llmtest.errors import ConfigurationError

__all__ = ["BudgetScopes", "current_most", "most_of", "outside_scopes", "require_limits", "rules_of"]

current_most: ContextVar[Decimal | None] = ContextVar("llmtest_budget_most", default=None)
"""USD that each request of the running code may need at most; None: no limit."""


@contextmanager
def outside_scopes() -> Iterator[None]:
    """Let calls inside the block belong to no task and no tenant, and be held to no `at_most`."""
    task, tenant, most = current_task.set(None), current_tenant.set(None), current_most.set(None)
    try:
        yield
    finally:
        current_most.reset(most)
        current_tenant.reset(tenant)
        current_task.reset(task)


class BudgetScopes:
    """The words of a budget that hold for everything inside a block."""

    @contextmanager
    def task(self, name: str) -> Iterator[None]:
        """Let every call inside the block belong to one task, whoever makes it: a chain, a client, this budget.

        Args:
            name: Name of the task.

        Example:
            >>> budget = Budget(CostManagementPolicy(per_task_limit_cents=50))
            >>> with budget.task("weekly report"):
            ...     reservation = budget.reserve(Estimate(tokens=80, usd=Decimal("0.01")))
            >>> budget.balance("task", task="weekly report").reserved_usd
            Decimal('0.01')
        """
        token = current_task.set(name)
        try:
            yield
        finally:
            current_task.reset(token)

    @contextmanager
    def tenant(self, name: str) -> Iterator[None]:
        """Let every call inside the block be made for one tenant, for limits `per_tenant` and for the ledger.

        Args:
            name: Name of the tenant.
        """
        token = current_tenant.set(name)
        try:
            yield
        finally:
            current_tenant.reset(token)

    @contextmanager
    def at_most(self, *, max_cost_cents: Amount | None = None, max_cost_usd: Amount | None = None) -> Iterator[None]:
        """Refuse every request inside the block that could cost more than this by itself.

        Args:
            max_cost_cents: Cents, 0 or more.
            max_cost_usd: The same in USD.

        Raises:
            ConfigurationError: Neither is given, or both; or the amount is negative or not finite.

        Example:
            >>> budget = Budget()
            >>> with budget.at_most(max_cost_cents=5):
            ...     budget.reserve(Estimate(tokens=80, usd=Decimal("0.04"))).release()
            True
        """
        token = current_most.set(most_of(max_cost_cents, max_cost_usd))
        try:
            yield
        finally:
            current_most.reset(token)

    def guard(self, transport: Any = None, **settings: Any) -> Any:
        """Return a transport for an `httpx` or `httpx2` client that holds every request of it to this budget.

        For code on an official SDK, or on the client alone: each request to a known API reserves what it may cost, is
        refused before it is sent where that could pass a limit, and is charged what its answer says that it used,
        streams included.

        Args:
            transport: What sends the requests; default: `httpx.HTTPTransport()`. An asynchronous one makes an
                asynchronous guard; so does `is_async=True`.
            **settings: As for `llmtest.resilience.guarded_transport`.

        Example:
            >>> client = httpx.Client(transport=Budget().guard())  # doctest: +SKIP
        """
        return from_above("guarded_transport")(self, transport, **settings)


def most_of(max_cost_cents: Amount | None, max_cost_usd: Amount | None) -> Decimal:
    """Return a limit of one request in USD.

    Raises:
        ConfigurationError: Neither is given, or both; or the amount is negative or not finite.
    """
    if (max_cost_cents is None) == (max_cost_usd is None):
        raise ConfigurationError(
            "a request is limited by `max_cost_cents` or by `max_cost_usd`, one of the two.\n"
            "To fix: budget.at_most(max_cost_cents=5)"
        )
    if max_cost_cents is not None:
        return EXACT.multiply(money(max_cost_cents, "max_cost_cents"), CENT)
    return money(max_cost_usd or 0, "max_cost_usd")


def require_limits(source: object) -> None:
    """Raise for what sets no limits.

    Raises:
        ConfigurationError: It does not.
    """
    if isinstance(source, type) or not hasattr(source, "limits"):
        raise ConfigurationError(
            f"a budget is made of `BudgetConfig` and `CostManagementPolicy`, not {source!r}.\n"
            'To fix: Budget(BudgetConfig(max_cost_per_day="25.00"))'
        )


def rules_of(
    per_provider: Mapping[str, Limits] | None,
    per_model: Mapping[str, Limits] | None,
    per_tenant: Limits | Mapping[str, Limits] | None,
) -> Rules:
    """Return the limits of single providers, models and tenants.

    Raises:
        ConfigurationError: One of them is no mapping of names to limits.
    """
    tenants = {"*": per_tenant} if isinstance(per_tenant, Limits) else per_tenant
    given: dict[Kind, Any] = {"provider": per_provider, "model": per_model, "tenant": tenants}
    rules: dict[Kind, dict[str, tuple[Limit, ...]]] = {}
    for kind, each in given.items():
        if each is None:
            continue
        if not isinstance(each, Mapping):
            raise ConfigurationError(
                f"`per_{kind}` maps names to limits, and {each!r} is no mapping.\n"
                f'To fix: Budget(per_{kind}={{"*": BudgetConfig(max_cost_per_day="5.00")}})'
            )
        for limits in each.values():
            require_limits(limits)
        names = {name if kind == "tenant" else name.lower(): tuple(limits.limits()) for name, limits in each.items()}
        rules[kind] = names
    return rules
