"""Which accounts a call charges: those of its session, day, month and task, as far as limits look at them."""

from __future__ import annotations

from contextvars import ContextVar
from datetime import date
from typing import NamedTuple
from weakref import WeakKeyDictionary

from llmtest.costs._limits import Limit, Scope
from llmtest.costs._prices import EPOCH_ORDINAL
from llmtest.costs._store import Balance, Check
from llmtest.errors import ConfigurationError
from llmtest.events import LogicalCall

__all__ = ["Buckets", "Plan", "current_task"]

current_task: ContextVar[str | None] = ContextVar("llmtest_budget_task", default=None)
"""The task that the running code belongs to; None outside any."""


class Plan(NamedTuple):
    """The buckets a call charges on one day, and the limits that look at them."""

    day: int
    buckets: tuple[str, ...]
    checks: tuple[Check, ...]
    own_checks: tuple[Check, ...] = ()
    """The same where a logical call without a task has an account of its own; empty where none is needed."""


class Buckets:
    """The accounts of one budget.

    Args:
        limits: The budget's limits.
        session: Name of its session.
        name: Budgets of different names keep apart in one store.
    """

    __slots__ = ("_calls", "_latest", "_limits", "_name", "_prefix", "_scopes", "_session")

    def __init__(self, limits: tuple[Limit, ...], session: str, name: str) -> None:
        self._limits = limits
        self._session = session
        self._name = name
        self._prefix = f"{name}/" if name else ""
        self._calls: WeakKeyDictionary[LogicalCall, Balance] = WeakKeyDictionary()
        self._scopes: set[Scope] = {"session", *(limit.scope for limit in limits)}
        self._latest = Plan(-1, (), ())

    def plan(self, day: int, task: str | None) -> Plan:
        """Return what a call charges.

        Args:
            day: Days since 1970.
            task: Its task; None: that of the running code.
        """
        if "task" not in self._scopes:
            task = None
        elif task is None:
            task = current_task.get()
        plan = self._latest
        if task is None and plan.day == day:
            return plan
        buckets = self._names(day, task)
        numbers = {scope: number for number, scope in enumerate(buckets)}
        checks = tuple(Check(limit, numbers.get(limit.scope)) for limit in self._limits)
        own_checks: tuple[Check, ...] = ()
        if task is None and "task" in self._scopes:
            own_checks = tuple(Check(limit, numbers.get(limit.scope, len(buckets))) for limit in self._limits)
        plan = Plan(day, tuple(buckets.values()), checks, own_checks)
        if task is None:
            self._latest = plan
        return plan

    def own(self, call: LogicalCall) -> Balance:
        """Return the account of a logical call without a task, which is a task of its own; it ends with the call."""
        return self._calls.setdefault(call, Balance())

    def __reduce__(self) -> tuple[object, ...]:
        """Leave the calls under way to the budget they were made by."""
        return Buckets, (self._limits, self._session, self._name)

    def name(self, scope: Scope, day: int, task: str | None) -> str:
        """Return the name of one bucket.

        Raises:
            ConfigurationError: It is not kept, or the task is missing.
        """
        if scope not in self._scopes or (scope == "task") != (task is not None):
            kept = ", ".join(sorted(self._scopes))
            raise ConfigurationError(
                f"no balance is kept for scope `{scope}`, task {task!r}; this budget keeps: {kept}"
            )
        return self._names(day, task)[scope]

    def _names(self, day: int, task: str | None) -> dict[Scope, str]:
        today = date.fromordinal(day + EPOCH_ORDINAL).isoformat()
        names: dict[Scope, str] = {
            "session": self._session,
            "day": f"day:{today}",
            "month": f"month:{today[:7]}",
            "task": f"task:{task}",
        }
        return {
            scope: self._prefix + name
            for scope, name in names.items()
            if scope in self._scopes and (scope != "task" or task is not None)
        }
