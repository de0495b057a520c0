"""Budgets: set aside an upper bound before a call, settle what it cost after it, give the rest back.

Checking a limit first and recording the cost later lets any number of concurrent calls pass the same check. So each
call reserves what it may cost at most, in one atomic step with the check: what is spent plus what is reserved never
passes a limit.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import TYPE_CHECKING, Literal

from llmtest.clock import active_clock
from llmtest.costs._alarm import (
    Moment,
    refuse,
    refuse_unpriced,
    tell_passed,
    tell_unpriced,
    tell_waiting,
    warn,
    warnings_of,
)
from llmtest.costs._buckets import Buckets, Subject, current_task, current_tenant
from llmtest.costs._budget_scopes import BudgetScopes, current_most, most_of, require_limits, rules_of
from llmtest.costs._calendar import Calendar
from llmtest.costs._default_prices import default_prices
from llmtest.costs._estimate import Estimate, estimate_of
from llmtest.costs._ledger import CostLedger
from llmtest.costs._ledger_entry import NO_METADATA
from llmtest.costs._limits import BudgetConfig, CostManagementPolicy, Limit, Limits
from llmtest.costs._money import ZERO, Amount, is_summable, money
from llmtest.costs._prices import Prices
from llmtest.costs._reservation import Charge, Reservation
from llmtest.costs._store import Balance, BudgetStore, Check, Hold, MemoryBudgetStore, Spent
from llmtest.costs._tiers import plain_tier
from llmtest.costs._tokenizers import find_tokenizer
from llmtest.errors import ConfigurationError, UnknownPriceError
from llmtest.events import current_call
from llmtest.types import UNKNOWN_USAGE, CompletionRequest, Usage
from llmtest.types._spelling import settings_tell_near_arguments

if TYPE_CHECKING:
    from datetime import tzinfo

    from llmtest.clock import Clock
    from llmtest.costs._limits import Kind, Scope
    from llmtest.costs._tokenizers import Tokenizer

__all__ = ["Budget"]

Facts = tuple[str | None, str | None, str | None, str | None]
"""For the ledger: the model that was asked for, the label of the call, its task, its tenant."""


@settings_tell_near_arguments
class Budget(BudgetScopes):
    """Limits that hold, also for concurrent calls.

    `reserve` refuses a call if what is spent, what other calls have reserved, and what this call may need at most
    pass a limit together; spending exactly the limit is allowed. `Reservation.settle` then charges what the call
    really cost, and `Reservation.release` gives everything back. Days and months are those of the clock, in UTC if
    no `timezone` is given, and a call is charged to the day in which it was reserved.

    A call that was cut off (cancelled, timed out, a stream that broke or was left) is charged its prompt and what had
    come of the answer, estimated where the provider had not told its own count (`partial_usage`). A provider may bill
    more: what it had generated and not sent. Where a limit must hold against that as well, such calls are charged as
    they were reserved: `cut_off="reserved"`.

    The upper bound of a call is the most tokens that its prompt can have (`most_request_tokens`) and its `max_tokens`,
    or `default_max_tokens` where the request sets none, times `n`, at the dearest rates of the model. A call that
    turns out to need more than it reserved all the same is charged in full, and the trace is told if that passes a
    limit.

    Args:
        *limits: `BudgetConfig`, `CostManagementPolicy`, or several; all are enforced.
        prices: What models cost; default: `default_prices()`.
        clock: Whose days count; default: the active clock at each call.
        store: Where balances are kept; default: in memory. Budgets that share a store share their days and months.
        session: Name of the session, to go on with one that is in the store; default: a new one.
        name: Budgets of different names keep apart in one store.
        default_max_tokens: Tokens of an answer where the request sets no limit; 1 or more, default 4096.
        on_unknown_price: `error` (the default) refuses a call whose price is unknown while a limit on money is set,
            with `UnknownPriceError`; `warn` lets it pass uncounted, and tells the trace.
        cut_off: What a call is charged whose usage is only estimated: the estimate (`estimated`, the default), or the
            upper bound that was reserved for it (`reserved`). The ledger has the estimate either way.
        ledger: Account in which each settled call is entered too.
        tokenizer: What counts prompts, as for `use_tokenizer`: exact counts reserve less than the bound that holds
            for every vocabulary, and hold for the models that have this one. Default: that bound, `most_tokens`.
        per_provider: Limits of single providers, by name, beside those of everybody. In each of these mappings `*`
            stands for any text, each name that fits has an account of its own, and the entry that says most holds.
        per_model: Limits of single models, by `model` or `provider:model`: of the one that is asked.
        per_tenant: Limits of tenants (`with budget.tenant("acme"):`), by name; limits alone are those of each tenant.
        timezone: Whose days and months count, such as `Europe/Berlin`; default: UTC.

    Example:
        >>> budget = Budget(BudgetConfig(max_tokens_per_session=100))
        >>> with budget.reserve(Estimate(tokens=80, usd=ZERO)) as reservation:
        ...     charge = reservation.settle(Usage(input_tokens=20, output_tokens=10))
        >>> budget.balance().spent_tokens
        30
    """

    def __init__(  # noqa: PLR0913 - one argument for each thing that may be set
        self,
        *limits: BudgetConfig | CostManagementPolicy,
        prices: Prices | None = None,
        clock: Clock | None = None,
        store: BudgetStore | None = None,
        session: str | None = None,
        name: str = "",
        default_max_tokens: int = 4096,
        on_unknown_price: Literal["error", "warn"] = "error",
        cut_off: Literal["estimated", "reserved"] = "estimated",
        ledger: CostLedger | None = None,
        tokenizer: str | Tokenizer | None = None,
        per_provider: Mapping[str, Limits] | None = None,
        per_model: Mapping[str, Limits] | None = None,
        per_tenant: Limits | Mapping[str, Limits] | None = None,
        timezone: str | tzinfo | None = None,
    ) -> None:
        if type(default_max_tokens) is not int or default_max_tokens < 1:
            raise ConfigurationError(
                f"`default_max_tokens` must be a whole number of 1 or more, got {default_max_tokens!r}"
            )
        for source in limits:
            require_limits(source)
        if on_unknown_price not in {"error", "warn"}:
            raise ConfigurationError(f'`on_unknown_price` must be "error" or "warn", got {on_unknown_price!r}')
        if cut_off not in {"estimated", "reserved"}:
            raise ConfigurationError(f'`cut_off` must be "estimated" or "reserved", got {cut_off!r}')
        self.limits: tuple[Limit, ...] = tuple(limit for source in limits for limit in source.limits())
        self.prices = default_prices() if prices is None else prices
        self.ledger = ledger
        self.default_max_tokens = default_max_tokens
        self._clock = clock
        self._store: BudgetStore = MemoryBudgetStore() if store is None else store
        self.session = self._store.new_session() if session is None else session
        self._tokenizer = None if tokenizer is None else find_tokenizer(tokenizer)
        self._lenient = on_unknown_price == "warn"
        self._cautious = cut_off == "reserved"
        self._calendar = Calendar(timezone)
        rules = rules_of(per_provider, per_model, per_tenant)
        inner = (limit for names in rules.values() for found in names.values() for limit in found)
        self._limits_money = any(limit.unit == "usd" for limit in (*self.limits, *inner))
        self._has_rules = bool(rules)
        self._buckets = Buckets(self.limits, self.session, name, rules)

    def estimate(self, request: CompletionRequest, provider: str, model: str | None = None) -> Estimate:
        """Return the most that a request may need at a provider.

        Args:
            request: The request.
            provider: Who is going to be asked.
            model: The model; default: the request's.
        """
        at = None if self._clock is None else self._clock.now()
        return estimate_of(
            request, provider, model or request.model, self.prices, self.default_max_tokens, at, self._tokenizer
        )

    def reserve(
        self,
        estimate: Estimate | CompletionRequest,
        *,
        provider: str | None = None,
        model: str | None = None,
        task: str | None = None,
        purpose: str = "call",
        tenant: str | None = None,
        max_cost_cents: Amount | None = None,
    ) -> Reservation:
        """Set aside what a call may need at most, or refuse the call.

        Args:
            estimate: The upper bound; a request is estimated for `provider` and `model`.
            provider: Who is going to be asked; needed with a request.
            model: The model; default: the request's.
            task: Task the call belongs to, for limits per task; default: the one of the enclosing `Budget.task`.
            purpose: `call`, or `summary`, `health`, `hedge`, `cascade`, for the ledger.
            tenant: Whom it is made for; default: the one of the enclosing `Budget.tenant`.
            max_cost_cents: Cents that this request may need at most; default: those of the enclosing `Budget.at_most`.

        Raises:
            BudgetExceededError: The call could pass a limit that halts. Nothing was reserved.
            UnknownPriceError: Money is limited, and the price of the model is unknown.
        """
        if isinstance(estimate, CompletionRequest):
            if provider is None:
                raise ConfigurationError("reserving for a request needs the provider that is going to be asked")
            estimate = self.estimate(estimate, provider, model)
        elif not isinstance(estimate, Estimate):
            raise ConfigurationError(
                f"a budget reserves an `Estimate` or what a `CompletionRequest` may need, not {estimate!r}.\n"
                'To fix: budget.reserve(Estimate(tokens=500, usd=Decimal("0.01")))'
            )
        usd = estimate.usd
        most = current_most.get() if max_cost_cents is None else most_of(max_cost_cents, None)
        if usd is None:
            usd = ZERO
            if self._limits_money or most is not None:
                self._check_price(estimate)
        now = (self._clock or active_clock()).time_ns()
        if self._has_rules:
            subject = Subject(estimate.provider, estimate.model, tenant or current_tenant.get())
            plan = self._buckets.plan(self._calendar.day(now), task, subject)
        else:
            plan = self._buckets.plan(self._calendar.day(now), task)
        hold = Hold(plan.buckets, plan.checks, estimate.tokens, usd, now)
        call = current_call.get()
        if plan.own_checks and call is not None:
            hold.checks, hold.own = plan.own_checks, self._buckets.own(call)
        if most is not None:
            hold.checks = (Check(Limit("call", "usd", most), None), *hold.checks)
        for overrun in self._store.hold(hold):
            if hold.is_open:
                tell_passed(overrun, self._moment())
            elif overrun.limit.halt:
                raise refuse(overrun, self._moment(), self._calendar.end_of(overrun.limit.scope, now))
        return Reservation(
            self, hold, estimate, purpose, call, (task or current_task.get(), tenant or current_tenant.get())
        )

    def charge(
        self,
        usage: Usage,
        *,
        provider: str | None = None,
        model: str | None = None,
        cost_usd: Decimal | None = None,
        task: str | None = None,
        purpose: str = "call",
        service_tier: str | None = None,
        metadata: Mapping[str, str] = NO_METADATA,
        tenant: str | None = None,
    ) -> Charge:
        """Charge what was spent without a reservation, such as an attempt that failed and was billed all the same.

        It is never refused, because it has happened; the trace is told if it passes a limit.

        Args:
            usage: Tokens.
            provider: Who billed them.
            model: The model that served them.
            cost_usd: The price; default: looked up.
            task: Task the call belongs to; default: the one of the enclosing `Budget.task`.
            purpose: `call`, or `summary`, `health`, `hedge`, `cascade`.
            service_tier: The tier that served them; default: the standard one.
            metadata: The caller's own labels of the request, for the ledger.
            tenant: Whom it was made for; default: the one of the enclosing `Budget.tenant`.

        Raises:
            ConfigurationError: A count is negative.
        """
        if not usage.is_possible:
            raise ConfigurationError(f"a budget is charged what was used, and a count of {usage!r} is negative")
        usd = self._price(provider, model, usage, cost_usd, service_tier)
        if usd is None and self._limits_money:
            tell_unpriced(self._unpriced(provider, model, usage, tier=service_tier), self._moment())
        charge = Charge(usage.total_tokens, ZERO if usd is None else usd, "unknown" if usd is None else usage.source)
        day = self._calendar.day((self._clock or active_clock()).time_ns())
        tenant = tenant or current_tenant.get()
        plan = self._buckets.plan(day, task, Subject(provider, model, tenant))
        call = current_call.get()
        number = 0 if call is None else call.id
        facts = (model, None if call is None else call.label, task or current_task.get(), tenant)
        self._enter(provider, model, usage, usd, purpose, number, service_tier, metadata, facts)
        self._warn(plan.checks, self._store.charge(plan.buckets, charge.tokens, charge.usd), charge, number)
        return charge

    def balance(
        self,
        scope: Scope = "session",
        *,
        task: str | None = None,
        provider: str | None = None,
        model: str | None = None,
        tenant: str | None = None,
    ) -> Balance:
        """Return what was spent and is reserved in the current session, day or month, or in a task.

        Args:
            scope: `session`, `day`, `month` or `task`. Days, months and tasks are kept if a limit looks at them.
            task: Name of the task, with the scope `task`.
            provider: Of this provider alone, where it has limits of its own.
            model: Of this model alone, as `provider:model`.
            tenant: Of this tenant alone.

        Raises:
            ConfigurationError: The scope is not kept, or the task is missing.
        """
        day = self._calendar.day((self._clock or active_clock()).time_ns())
        named: dict[Kind, str | None] = {"provider": provider, "model": model, "tenant": tenant}
        kind = next((each for each, name in named.items() if name is not None), None)
        return self._store.balance(
            self._buckets.name(scope, day, task, kind, "" if kind is None else named[kind] or "")
        )

    def _check_price(self, estimate: Estimate) -> None:
        """Refuse a call without a price, or tell the trace that it passes uncounted."""
        error = self._unpriced(estimate.provider, estimate.model, tier=estimate.service_tier)
        if not self._lenient:
            raise refuse_unpriced(error, self._moment())
        tell_unpriced(error, self._moment())

    def _unpriced(
        self, provider: str | None, model: str | None, usage: Usage | None = None, *, tier: str | None = None
    ) -> UnknownPriceError:
        at = None if self._clock is None else self._clock.now()
        return self.prices.unknown(provider or "?", model, usage, at, tier=tier)

    def _settle(
        self,
        hold: Hold,
        usage: Usage | None,
        usd: Decimal | None,
        provider: str | None,
        model: str | None,
        purpose: str,
        call: int,
        service_tier: str | None,
        metadata: Mapping[str, str],
        facts: Facts,
    ) -> Charge:
        """Charge a reservation; what is not known of its usage or price is charged as it was reserved."""
        usage = UNKNOWN_USAGE if usage is None or not usage.is_possible else usage
        usd = self._price(provider, model, usage, usd, service_tier)
        source = usage.source
        if source == "estimated" and self._cautious:
            charge = Charge(hold.tokens, hold.usd, source)
        else:
            charge = Charge(
                hold.tokens if source == "unknown" else usage.total_tokens,
                hold.usd if usd is None else usd,
                "unknown" if usd is None else source,
            )
        spent = self._store.settle(hold, charge.tokens, charge.usd)
        self._enter(provider, model, usage, usd, purpose, call, service_tier, metadata, facts)
        self._warn(hold.checks, spent, charge, call)
        return charge

    def _release(self, hold: Hold) -> bool:
        return self._store.release(hold)

    def _price(
        self, provider: str | None, model: str | None, usage: Usage, usd: Decimal | None, tier: str | None
    ) -> Decimal | None:
        if usd is not None:
            return usd if type(usd) is Decimal and is_summable(usd) else money(usd, "cost_usd")
        if provider is None:
            return None
        return self.prices.cost(provider, model, usage, None if self._clock is None else self._clock.now(), tier=tier)

    def _enter(
        self,
        provider: str | None,
        model: str | None,
        usage: Usage,
        usd: Decimal | None,
        purpose: str,
        call: int,
        tier: str | None,
        metadata: Mapping[str, str],
        facts: Facts,
    ) -> None:
        if self.ledger is not None:
            clock = self._clock or active_clock()
            requested, label, task, tenant = facts
            try:
                self.ledger.record(
                    provider or "?",
                    model,
                    usage,
                    usd,
                    purpose=purpose,
                    at_ns=clock.now_ns(),
                    call=call,
                    service_tier=plain_tier(tier),
                    metadata=metadata,
                    requested_model=requested,
                    label=label,
                    task=task,
                    tenant=tenant,
                    time_ns=clock.time_ns(),
                    may_wait=True,
                )
            except ConfigurationError as trouble:  # The call is charged all the same, and what it used is not lost.
                tell_waiting(trouble, Moment(clock.now_ns(), call))

    def _warn(self, checks: tuple[Check, ...], spent: tuple[Spent, ...], charge: Charge, call: int) -> None:
        # Where the store will do it later, it does not know yet what its buckets will have spent.
        warnings = warnings_of(checks, spent, charge) if spent else None
        if warnings:
            warn(warnings, Moment((self._clock or active_clock()).now_ns(), call))

    def _moment(self) -> Moment:
        call = current_call.get()
        return Moment((self._clock or active_clock()).now_ns(), 0 if call is None else call.id)
