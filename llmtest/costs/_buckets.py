"""Which accounts a call charges: those of its session, day, month and task, and of its provider, model and tenant."""

from __future__ import annotations

import re
from collections.abc import Mapping
from contextvars import ContextVar
from datetime import date
from typing import NamedTuple
from weakref import WeakKeyDictionary

from llmtest.costs._limits import Kind, Limit, Scope
from llmtest.costs._prices import EPOCH_ORDINAL
from llmtest.costs._store import Balance, Check
from llmtest.errors import ConfigurationError
from llmtest.events import LogicalCall

__all__ = ["Buckets", "Plan", "Subject", "current_task", "current_tenant"]

current_task: ContextVar[str | None] = ContextVar("llmtest_budget_task", default=None)
"""The task that the running code belongs to; None outside any."""
current_tenant: ContextVar[str | None] = ContextVar("llmtest_budget_tenant", default=None)
"""Whom the running code works for; None outside any."""

MOST_PLANS = 1_000
"""Plans that are kept for the calls of a day."""


class Subject(NamedTuple):
    """Whose accounts a call charges beside those of everybody."""

    provider: str | None = None
    model: str | None = None
    tenant: str | None = None

    def name(self, kind: Kind) -> str | None:
        """Return what limits of a kind are looked up by."""
        if kind == "model":
            return None if self.model is None else f"{self.provider or '?'}:{self.model}".lower()
        found = self.provider if kind == "provider" else self.tenant
        return found if found is None or kind == "tenant" else found.lower()


class Plan(NamedTuple):
    """The buckets a call charges on one day, and the limits that look at them."""

    day: int
    buckets: tuple[str, ...]
    checks: tuple[Check, ...]
    own_checks: tuple[Check, ...] = ()
    """The same where a logical call without a task has an account of its own; empty where none is needed."""


NOBODY = Subject()
Rules = Mapping[Kind, Mapping[str, tuple[Limit, ...]]]
"""Limits by what they look at, and by the name or pattern of it."""


class Buckets:
    """The accounts of one budget.

    Args:
        limits: The budget's limits.
        session: Name of its session.
        name: Budgets of different names keep apart in one store.
        rules: Limits of single providers, models and tenants.
    """

    __slots__ = ("_calls", "_latest", "_limits", "_name", "_plans", "_prefix", "_rules", "_scopes", "_session")

    def __init__(self, limits: tuple[Limit, ...], session: str, name: str, rules: Rules | None = None) -> None:
        self._limits = limits
        self._session = session
        self._name = name
        self._rules: Rules = {} if rules is None else rules
        self._prefix = f"{name}/" if name else ""
        self._calls: WeakKeyDictionary[LogicalCall, Balance] = WeakKeyDictionary()
        self._scopes: set[Scope] = {"session", *(limit.scope for limit in self._all_limits())}
        self._latest = Plan(-1, (), ())
        self._plans: dict[Subject, Plan] = {}

    def _all_limits(self) -> tuple[Limit, ...]:
        inner = (limit for rules in self._rules.values() for limits in rules.values() for limit in limits)
        return (*self._limits, *inner)

    def plan(self, day: int, task: str | None, subject: Subject = NOBODY) -> Plan:
        """Return what a call charges.

        Args:
            day: Days since 1970.
            task: Its task; None: that of the running code.
            subject: Whom it asks for what, and for whom.
        """
        if "task" not in self._scopes:
            task = None
        elif task is None:
            task = current_task.get()
        if not self._rules:
            plan = self._latest
            if task is None and plan.day == day:
                return plan
            plan = self._make(day, task, subject)
            if task is None:
                self._latest = plan
            return plan
        kept = self._plans.get(subject)
        if task is None and kept is not None and kept.day == day:
            return kept
        plan = self._make(day, task, subject)
        if task is None:
            if len(self._plans) >= MOST_PLANS:
                self._plans.clear()
            self._plans[subject] = plan
        return plan

    def _make(self, day: int, task: str | None, subject: Subject) -> Plan:
        groups: list[tuple[str, tuple[Limit, ...]]] = [("", self._limits)]
        for kind, rules in self._rules.items():
            name = subject.name(kind)
            limits = None if name is None else _limits_for(name, rules)
            if limits is not None:
                groups.append((f"{kind}:{name}/", limits))
        buckets: list[str] = []
        placed: list[tuple[Limit, int | None]] = []
        for prefix, limits in groups:
            names = self._names(day, task, prefix)
            places = {scope: len(buckets) + number for number, scope in enumerate(names)}
            buckets += names.values()
            placed += [(limit, places.get(limit.scope)) for limit in limits]
        checks = tuple(Check(limit, place) for limit, place in placed)
        if task is None and "task" in self._scopes:
            own = tuple(
                Check(limit, len(buckets) if place is None and limit.scope == "task" else place)
                for limit, place in placed
            )
            return Plan(day, tuple(buckets), checks, own)
        return Plan(day, tuple(buckets), checks)

    def own(self, call: LogicalCall) -> Balance:
        """Return the account of a logical call without a task, which is a task of its own; it ends with the call."""
        return self._calls.setdefault(call, Balance())

    def __reduce__(self) -> tuple[object, ...]:
        """Leave the calls under way to the budget they were made by."""
        return Buckets, (self._limits, self._session, self._name, self._rules)

    def name(self, scope: Scope, day: int, task: str | None, kind: Kind | None = None, whose: str = "") -> str:
        """Return the name of one bucket.

        Raises:
            ConfigurationError: It is not kept, or the task is missing.
        """
        if scope not in self._scopes or scope == "call" or (scope == "task") != (task is not None):
            kept = ", ".join(sorted(self._scopes - {"call"}))
            raise ConfigurationError(
                f"no balance is kept for scope `{scope}`, task {task!r}; this budget keeps: {kept}"
            )
        if kind is None:
            return self._names(day, task, "")[scope]
        name = whose if kind == "tenant" else whose.lower()
        if _limits_for(name, self._rules.get(kind, {})) is None:
            known = [f"{each} {', '.join(map(repr, rules))}" for each, rules in self._rules.items()]
            kept = "; ".join(known) or "none of its own"
            raise ConfigurationError(f"no balance is kept for the {kind} {whose!r}; this budget keeps: {kept}")
        return self._names(day, task, f"{kind}:{name}/")[scope]

    def _names(self, day: int, task: str | None, prefix: str) -> dict[Scope, str]:
        today = date.fromordinal(day + EPOCH_ORDINAL).isoformat()
        names: dict[Scope, str] = {
            "session": self._session,
            "day": f"day:{today}",
            "month": f"month:{today[:7]}",
            "task": f"task:{task}",
        }
        return {
            scope: self._prefix + prefix + name
            for scope, name in names.items()
            if scope in self._scopes and (scope != "task" or task is not None)
        }


def _limits_for(name: str, rules: Mapping[str, tuple[Limit, ...]]) -> tuple[Limit, ...] | None:
    """Return the limits of a name: those that are set for it, else those of the pattern that says most of it."""
    model = name.partition(":")[2]
    for each in (name, model):
        if each and each in rules:
            return rules[each]
    patterns = sorted((each for each in rules if "*" in each), key=len, reverse=True)
    for pattern in patterns:
        fits = re.compile(".*".join(map(re.escape, pattern.split("*"))), re.DOTALL)
        if fits.fullmatch(name) or (model and fits.fullmatch(model)):
            return rules[pattern]
    return None
