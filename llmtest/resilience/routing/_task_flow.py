"""A task from its choice of a provider to its account: select, check the budget, ask, track the cost, count."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from llmtest.clock import active_clock
from llmtest.costs import Budget, CostLedger, CostManagementPolicy
from llmtest.errors import LLMTestError
from llmtest.resilience._chain import FallbackChain
from llmtest.resilience._timeout import TimeoutConfig
from llmtest.resilience.routing._task_router import LLMRouter
from llmtest.resilience.routing._tasks import TaskRequest, TaskResponse, TaskType
from llmtest.types import Attempt, CompletionRequest, CompletionResponse

__all__ = ["LLMRouterOrchestrator", "TaskMetrics"]

LIMIT = 30.0
"""Seconds that a task may take."""


@dataclass(frozen=True, slots=True)
class TaskMetrics:
    """Counts of the tasks of one kind at one provider.

    Args:
        completed: Tasks that were answered.
        failed: Tasks that were not.
        seconds: How long the answered ones took together, as the caller waited.
    """

    completed: int = 0
    failed: int = 0
    seconds: float = 0.0


class LLMRouterOrchestrator:
    """Takes a task through: a provider is selected, its budget checked, it is asked, paid for and counted.

    A task that could cost more than its `max_cost_cents` is refused before anything is sent. What every attempt came to
    is in the ledger, failed and timed-out ones included.

    Args:
        router: Who may be asked.
        ledger: Where costs are entered; by default a new one.
        timeout: Seconds that a task may take, over all its providers; more than 0.

    Raises:
        ConfigurationError: The timeout is not more than 0.
    """

    def __init__(self, router: LLMRouter, *, ledger: CostLedger | None = None, timeout: float = LIMIT) -> None:
        self.router = router
        self.ledger = CostLedger() if ledger is None else ledger
        self._timeouts = TimeoutConfig(total=timeout, deadline=timeout)
        self._metrics: dict[tuple[TaskType, str], TaskMetrics] = {}

    def metrics(self) -> dict[tuple[TaskType, str], TaskMetrics]:
        """Return a copy of the counts, by kind of task and provider."""
        return dict(self._metrics)

    def execute(self, request: TaskRequest) -> TaskResponse:
        """Take a task through, blocking.

        Raises:
            BudgetExceededError: It could cost more than it may; nothing was sent.
            LLMTestError: The provider did not answer, or not in time.
        """
        return self._run(request, [self.router.route(request.context)])

    async def execute_async(self, request: TaskRequest) -> TaskResponse:
        """Take a task through on the event loop."""
        return await self._run_async(request, [self.router.route(request.context)])

    def execute_with_fallback(self, request: TaskRequest, names: Sequence[str]) -> TaskResponse:
        """Take a task through with providers that are asked one after the other, blocking.

        Args:
            request: The task.
            names: Who is asked, in order; at least one.

        Raises:
            LLMTestError: None of them answered; every failure is in it.
        """
        return self._run(request, names)

    async def execute_with_fallback_async(self, request: TaskRequest, names: Sequence[str]) -> TaskResponse:
        """Do the same on the event loop."""
        return await self._run_async(request, names)

    def _run(self, request: TaskRequest, names: Sequence[str]) -> TaskResponse:
        start_ns = active_clock().now_ns()
        try:
            response = self._chain(request, names).complete(CompletionRequest.ask(request.prompt))
        except LLMTestError as error:
            self._count_failed(request, names, error.attempts)
            raise
        return self._answered(request, names, response, start_ns)

    async def _run_async(self, request: TaskRequest, names: Sequence[str]) -> TaskResponse:
        start_ns = active_clock().now_ns()
        try:
            response = await self._chain(request, names).complete_async(CompletionRequest.ask(request.prompt))
        except LLMTestError as error:
            self._count_failed(request, names, error.attempts)
            raise
        return self._answered(request, names, response, start_ns)

    def _chain(self, request: TaskRequest, names: Sequence[str]) -> FallbackChain:
        cents = request.max_cost_cents
        prices = self.router.prices
        if cents is None:
            budget = Budget(prices=prices, ledger=self.ledger, on_unknown_price="warn")
        else:
            limit = CostManagementPolicy(per_task_limit_usd=Decimal(str(cents)) / 100)
            budget = Budget(limit, prices=prices, ledger=self.ledger)
        return self.router.chain_of(names, timeouts=self._timeouts, budget=budget)

    def _answered(
        self, request: TaskRequest, names: Sequence[str], response: CompletionResponse, start_ns: int
    ) -> TaskResponse:
        seconds = (active_clock().now_ns() - start_ns) / 1e9
        failed = [self._name(attempt, names) for attempt in response.attempts[:-1]]
        name = self._name(response.attempts[-1], names)
        self._count(request, failed)
        known = self._metrics.get((request.task_type, name), TaskMetrics())
        counted = TaskMetrics(known.completed + 1, known.failed, known.seconds + seconds)
        self._metrics[request.task_type, name] = counted
        costs = [attempt.cost_usd for attempt in response.attempts if attempt.billed]
        total = None if None in costs else sum((cost for cost in costs if cost is not None), Decimal(0))
        cents = None if total is None else total * 100
        return TaskResponse(task_id=request.task_id, result=response.content or "", provider=name, cost_cents=cents)

    def _count_failed(self, request: TaskRequest, names: Sequence[str], attempts: Sequence[Attempt]) -> None:
        self._count(request, [self._name(attempt, names) for attempt in attempts] or [names[0]])

    def _count(self, request: TaskRequest, failed: Sequence[str]) -> None:
        for name in dict.fromkeys(failed):
            known = self._metrics.get((request.task_type, name), TaskMetrics())
            counted = TaskMetrics(known.completed, known.failed + 1, known.seconds)
            self._metrics[request.task_type, name] = counted

    def _name(self, attempt: Attempt, names: Sequence[str]) -> str:
        """Return what the router calls the provider of an attempt."""
        for name in names:
            provider = self.router.get_provider(name)
            if provider.name == attempt.provider and (provider.model is None or provider.model == attempt.model):
                return name
        return attempt.provider
