"""`llm_sim.budget(...)`: a limit for code on official SDKs, which refuses before the simulated provider is asked."""

from __future__ import annotations

from decimal import Decimal
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal, Self

from llmtest.costs import Budget, BudgetConfig, CostLedger, CostManagementPolicy, Limit
from llmtest.costs._alarm import Warned, warnings_of
from llmtest.errors import BudgetExceededError, ConfigurationError, LLMTestError, UnknownPriceError
from llmtest.resilience._http_guard import refusal_of, reserve
from llmtest.simulation._admission import TurnedAway
from llmtest.testing._argument_checks import check_counts
from llmtest.testing._assert_resources import check_spend
from llmtest.testing._failure import dollars, failure

if TYPE_CHECKING:
    from llmtest.costs import Charge, Reservation
    from llmtest.costs._store import Check, Spent
    from llmtest.simulation import World
    from llmtest.simulation.plan._plan import Exchange
    from llmtest.types import Usage
    from llmtest.wire import WireCall

__all__ = ["Budgets", "SimulatedBudget"]

COUNTED = {"completion", "embeddings"}
"""What endpoints give that are held to a budget."""


class SimulatedBudget(Budget):
    """A budget that every request to a simulated provider is held to, whoever sends it.

    It has all words of `Budget`: `task`, `tenant`, `balance`, `ledger`. As a context manager it holds inside the block;
    otherwise until the simulation ends, or `end`.
    """

    def __init__(self, world: World, limits: tuple[Any, ...], refusal: str, settings: dict[str, Any]) -> None:
        super().__init__(*limits, **{"prices": world.prices, "clock": world.clock, "ledger": CostLedger(), **settings})
        self._world = world
        self._refusal = refusal
        self._admission = self._admit
        """What the world asks; the same object each time, so that it can be told from others'."""
        self._before = world.admission
        self.refused: list[BudgetExceededError | UnknownPriceError] = []
        """Why requests were refused, in order."""
        self._passed: list[Warned] = []
        world.admission = self._admission

    def end(self) -> None:
        """Let requests pass again; harmless where it has ended."""
        if self._world.admission is self._admission:
            self._world.admission = self._before

    def assert_refused(
        self, exactly: int | None = None, at_least: int | None = None, at_most: int | None = None
    ) -> None:
        """Assert how many requests were refused; without a number, that any was.

        Args:
            exactly: So many; 0 or more.
            at_least: So many or more; 0 or more.
            at_most: So many or fewer; 0 or more.

        Raises:
            ConfigurationError: There is no number within the bounds.
        """
        __tracebackhide__ = True
        if exactly is at_least is at_most is None:
            at_least = 1
        check_counts("assert_refused", exactly, at_least, at_most)
        count = len(self.refused)
        bounds = [("exactly", exactly, count == exactly)] if exactly is not None else []
        bounds += [("at least", at_least, count >= at_least)] if at_least is not None else []
        bounds += [("at most", at_most, count <= at_most)] if at_most is not None else []
        for word, bound, holds in bounds:
            if not holds:
                raise failure(
                    f"assert_refused: the budget refused {count} requests, expected {word} {bound}.",
                    self._world.trace,
                    facts=[*(str(error).partition("\n")[0] for error in self.refused), *self._standing()],
                )

    def assert_spend(self, at_most: str | Decimal | None = None, at_least: str | Decimal | None = None) -> None:
        """Assert what the requests cost that were held to this budget, in USD, written as text or `Decimal`.

        Raises:
            UnknownPriceError: One of them has no known price, so the sum is unknown.
            ConfigurationError: Nothing is given, or something that is no amount.
        """
        __tracebackhide__ = True
        assert self.ledger is not None, "it is made with one"
        check_spend(self._world.trace, self.ledger.total_usd, at_most=at_most, at_least=at_least)

    def assert_kept(self) -> None:
        """Assert that no limit was passed, and that nothing is set aside any more for a request under way.

        A limit is passed where an answer needed more than it could need at most (a provider that ignores `max_tokens`),
        or where `halt_on_budget_exceeded=False` lets requests pass.

        Raises:
            ConfigurationError: The store cannot be asked.
        """
        __tracebackhide__ = True
        balance = self.balance("session")
        if balance.reserved_tokens or balance.reserved_usd:
            text = f"{balance.reserved_tokens} tokens and {dollars(balance.reserved_usd)}"
            raise failure(
                f"assert_kept: {text} are still set aside, for answers that nobody has read to their end or closed.",
                self._world.trace,
            )
        if self._passed:
            raise failure(
                "assert_kept: more was spent than a limit allows.",
                self._world.trace,
                facts=[
                    f"{limit.scope} limit of {_amount(limit, limit.amount)}: {_amount(limit, spent)} were spent"
                    for limit, _, spent in self._passed
                ],
            )

    def _warn(self, checks: tuple[Check, ...], spent: tuple[Spent, ...], charge: Charge, call: int) -> None:
        if spent:
            self._passed += (each for each in warnings_of(checks, spent, charge) if each.cause != "threshold")
        super()._warn(checks, spent, charge, call)

    def _standing(self) -> list[str]:
        balance = self.balance("session")
        return [f"spent so far: {balance.spent_tokens:,} tokens, {dollars(balance.spent_usd)}"]

    def _admit(self, provider: str, call: WireCall, exchange: Exchange) -> Any:
        """Set aside what a request may cost, or turn it away."""
        outer = None if self._before is None else self._before(provider, call, exchange)
        if isinstance(outer, TurnedAway) or call.endpoint.gives not in COUNTED:
            return outer
        try:
            asked: object = call.request
        except LLMTestError:
            asked = None  # The provider decides about it; until then it is held to its size.
        try:
            reservation = reserve(self, provider, call.model, asked, exchange.body)
        except (BudgetExceededError, UnknownPriceError) as error:
            self.refused.append(error)
            if outer is not None:
                outer.release()
            if self._refusal == "error":
                raise
            status, headers, body = refusal_of(error, call.endpoint, provider)
            return TurnedAway(status, tuple(headers), body)
        return _Permit(reservation, outer)

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Let requests pass again."""
        self.end()


class _Permit:
    """What was set aside for one request, in this budget and in those around it."""

    def __init__(self, reservation: Reservation, outer: Any) -> None:
        self._reservation = reservation
        self._outer = outer

    def settle(self, usage: Usage | None, cost_usd: Decimal | None, model: str | None, tier: str | None) -> None:
        """Charge what the answer is billed."""
        if self._outer is not None:
            self._outer.settle(usage, cost_usd, model, tier)
        if not self._reservation.is_open:
            return
        if usage is None:
            self._reservation.release()
        else:
            self._reservation.settle(usage, cost_usd=cost_usd, model=model, service_tier=tier)

    def release(self) -> None:
        """Give everything back."""
        self._reservation.release()
        if self._outer is not None:
            self._outer.release()


def _amount(limit: Limit, amount: Decimal) -> str:
    return dollars(amount) if limit.unit == "usd" else f"{amount:,} tokens"


class Budgets:
    """The word of a simulation that limits what its code may spend."""

    if TYPE_CHECKING:

        @property
        def world(self) -> World:
            """The providers and their shared state."""

    def budget(
        self,
        *limits: BudgetConfig | CostManagementPolicy,
        usd: str | Decimal | float | None = None,
        tokens: int | None = None,
        refusal: Literal["answer", "error"] = "answer",
        **settings: Any,
    ) -> SimulatedBudget:
        """Hold every request of the code under test to a budget, as `Budget.guard` does in production.

        Each conversation and each embedding sets aside what it may cost at most before the simulated provider is asked,
        and is charged what the provider bills. A request that could pass a limit is not sent: no step is played for it,
        no attempt is in the trace but a refusal of the budget, and the client reads that no quota is left, in the words
        of the API. Requests of the direct path are not held to it: a chain has its own `budget`.

        Args:
            *limits: `BudgetConfig`, `CostManagementPolicy`, or several; all are enforced.
            usd: USD that everything may cost together, 0 or more.
            tokens: Tokens that everything may need together, 0 or more.
            refusal: What a refused client gets: `answer` (the default), or `error`, `BudgetExceededError` itself, which
                comes out of the SDK unless that takes it for a lost connection.
            **settings: As for `Budget`: `per_model`, `per_tenant`, `timezone`, `store`, `ledger`.

        Returns:
            The budget, with `refused`, `assert_refused`, `assert_spend`, `assert_kept`; it holds until the simulation
            ends, or inside a `with` block.

        Raises:
            ConfigurationError: No limit is given, or one makes no sense.

        Example:
            `budget = llm_sim.budget(usd="0.05")`
        """
        if refusal not in {"answer", "error"}:
            raise ConfigurationError(f'`refusal` must be "answer" or "error", got {refusal!r}')
        if usd is not None or tokens is not None:
            limits = (*limits, BudgetConfig(max_cost_per_session=usd, max_tokens_per_session=tokens))
        if not limits and not any(name.startswith("per_") for name in settings):
            raise ConfigurationError('a budget without a limit refuses nothing.\nTo fix: llm_sim.budget(usd="0.05")')
        return SimulatedBudget(self.world, limits, refusal, settings)
