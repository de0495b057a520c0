"""`FallbackChain`: several providers that answer as one."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from typing import TYPE_CHECKING, Literal

from llmtest.clock import active_clock, run_blocking
from llmtest.costs import Prices, default_prices
from llmtest.errors import ConfigurationError, LLMTestError
from llmtest.events import current_call
from llmtest.resilience._breaker import CircuitBreaker, CircuitBreakerConfig
from llmtest.resilience._budget_argument import Limits, guard_of
from llmtest.resilience._metrics import ChainMetrics
from llmtest.resilience._retry import RetryConfig
from llmtest.resilience._timeout import TimeoutConfig
from llmtest.resilience.fallback._slot import FallbackSlot, RunningSlot
from llmtest.resilience.fallback._walk import Walk
from llmtest.resilience.pipeline._attempts import Asker
from llmtest.resilience.pipeline._call import Call, SpendGuard
from llmtest.resilience.pipeline._call_mark import Marks, begin, end
from llmtest.resilience.pipeline._completion_stream import AsyncCompletionStream, CompletionStream
from llmtest.resilience.pipeline._open_stream import OpenStream, deliver
from llmtest.resilience.pipeline._sync_async import ASYNC, BLOCKING, Parts
from llmtest.types import (
    NO_TIMEOUTS,
    Capabilities,
    CompletionRequest,
    CompletionResponse,
    Provider,
    StreamEvent,
    Timeouts,
)

if TYPE_CHECKING:
    from llmtest.resilience._builder import FallbackChainBuilder

__all__ = ["FallbackChain"]

DEFAULT_NAME = "fallback-chain"


class FallbackChain:
    """Providers in order: when one fails in a way that another can mend, the next is asked.

    A chain is itself a provider; inside another chain it keeps its own policies, and the outer ones do not apply to it
    unless its slot says so; a chain without a budget spends from that of the chain around it. From outside to inside
    its policies are fallback, circuit breaker, retry, budget, timeout: a circuit sees one result for each call, however
    often that was retried, and every attempt is paid for.

    Args:
        providers: Providers, or `FallbackSlot` where one has settings of its own; at least one.
        name: What errors and events call the chain.
        retry: How each provider is asked again; None never does.
        circuit_breaker: When a provider is left alone; None never. Each slot has a circuit of its own.
        timeouts: Limits of each attempt, and the deadline of the call; None sets none.
        budget: What may refuse an attempt: a `Budget`, which several chains may share, or limits (`BudgetConfig`,
            `CostManagementPolicy`) of which the chain makes its own (`.budget`). A refused call is neither retried
            nor handed on.
        on_all_open: When every circuit is open: `fail`, or `try_oldest`, which asks the provider whose circuit opened
            first nevertheless.
        breaker_inside_retry: Whether circuits count every attempt instead of every call.
        max_attempts: Most attempts of one call, over all providers; None sets no limit.
        seed: Seed of the jittered waits; None draws differently in each process, and repeatably in a simulation.
        prices: What attempts cost; by default the budget's prices, else the published ones.

    Raises:
        ConfigurationError: No provider, one provider twice, or an unknown word.

    Example:
        >>> from llmtest import FallbackChain, OpenAIProvider, AnthropicProvider
        >>> chain = FallbackChain([OpenAIProvider(api_key="a"), AnthropicProvider(api_key="b")])
        >>> [each.name for each in chain.metrics().providers]
        ['openai', 'anthropic']
    """

    model: str | None = None

    def __init__(
        self,
        providers: Sequence[Provider | FallbackSlot],
        *,
        name: str = DEFAULT_NAME,
        retry: RetryConfig | None = RetryConfig(),  # noqa: B008 - frozen
        circuit_breaker: CircuitBreakerConfig | None = CircuitBreakerConfig(),  # noqa: B008 - frozen
        timeouts: TimeoutConfig | None = TimeoutConfig(),  # noqa: B008 - frozen
        budget: SpendGuard | Limits | None = None,
        on_all_open: Literal["fail", "try_oldest"] = "fail",
        breaker_inside_retry: bool = False,
        max_attempts: int | None = None,
        seed: int | None = None,
        prices: Prices | None = None,
    ) -> None:
        if on_all_open not in {"fail", "try_oldest"}:
            raise ConfigurationError(f"on_all_open is `fail` or `try_oldest`, got `{on_all_open}`")
        if max_attempts is not None and max_attempts < 1:
            raise ConfigurationError(f"max_attempts must be 1 or more, got {max_attempts}")
        self.name = name
        self.places = _places(name, providers, retry, circuit_breaker, timeouts)
        self.budget = guard = guard_of(budget, prices)
        self.prices = getattr(guard, "prices", None) or default_prices() if prices is None else prices
        self._deadline = None if timeouts is None else timeouts.deadline
        asker = Asker(budget=guard, is_breaker_inside=breaker_inside_retry, max_attempts=max_attempts, seed=seed)
        self._walk = Walk(name, self.places, asker, tries_oldest=on_all_open == "try_oldest")
        self._requests = 0
        self._failures = 0

    @staticmethod
    def builder() -> FallbackChainBuilder:
        """Return a builder, for those who prefer chained calls."""
        from llmtest.resilience._builder import FallbackChainBuilder

        return FallbackChainBuilder()

    @property
    def capabilities(self) -> Capabilities:
        """What every provider of the chain can do; a call that needs more goes to those that can."""
        each = [place.provider.capabilities for place in self.places]
        windows = [can.context_window for can in each if can.context_window is not None]
        return Capabilities(
            tools=all(can.tools for can in each),
            vision=all(can.vision for can in each),
            streaming=all(can.streaming for can in each),
            context_window=min(windows) if windows else None,
        )

    @property
    def is_healthy(self) -> bool:
        """Whether at least one provider may be asked now, as far as circuits know."""
        now_ns = active_clock().now_ns()
        return any(place.breaker is None or place.breaker.available_at_ns <= now_ns for place in self.places)

    def breaker(self, provider: str) -> CircuitBreaker:
        """Return the circuit of a provider.

        Args:
            provider: Its name; `name/model` where the chain has several slots of that name, and with `#n` after it,
                the slot's number from 1, where they have the same model too.

        Raises:
            ConfigurationError: No slot has a circuit of that name.
        """
        for place in self.places:
            if place.breaker is not None and provider == place.breaker.name:
                return place.breaker
        known = ", ".join(f"`{place.breaker.name}`" for place in self.places if place.breaker is not None) or "none"
        raise ConfigurationError(f"`{self.name}` has no circuit `{provider}`; its circuits: {known}")

    def metrics(self) -> ChainMetrics:
        """Return counts of what happened since the chain was made."""
        return ChainMetrics(
            self._requests,
            self._failures,
            self._walk.fallbacks,
            tuple(place.metrics() for place in self.places),
        )

    def complete(self, request: CompletionRequest, timeouts: Timeouts = NO_TIMEOUTS) -> CompletionResponse:
        """Answer a request, blocking.

        Raises:
            LLMTestError: The one failure there was, or `AllProvidersFailedError`; `.attempts` has every attempt.
        """
        return run_blocking(self._complete(request, timeouts, BLOCKING))

    async def complete_async(self, request: CompletionRequest, timeouts: Timeouts = NO_TIMEOUTS) -> CompletionResponse:
        """Answer a request on the event loop.

        Raises:
            LLMTestError: The one failure there was, or `AllProvidersFailedError`; `.attempts` has every attempt.
        """
        return await self._complete(request, timeouts, ASYNC)

    def stream(self, request: CompletionRequest, timeouts: Timeouts = NO_TIMEOUTS) -> CompletionStream:
        """Answer a request piece by piece, blocking."""
        marks = Marks(self.name)
        return CompletionStream(self._stream(request, timeouts, BLOCKING, marks), marks)

    def stream_async(self, request: CompletionRequest, timeouts: Timeouts = NO_TIMEOUTS) -> AsyncCompletionStream:
        """Answer a request piece by piece on the event loop."""
        marks = Marks(self.name)
        return AsyncCompletionStream(self._stream(request, timeouts, ASYNC, marks), marks)

    async def _complete(self, request: CompletionRequest, timeouts: Timeouts, parts: Parts) -> CompletionResponse:
        clock = active_clock()
        self._requests += 1
        mark = current_call.get()
        if mark is not None:
            call = Call(mark.id, request, clock, parts, self.prices, timeouts, self._deadline, streaming=False)
            return await self._answer(call)
        mark, token = begin(self.name, clock)
        call = Call(mark.id, request, clock, parts, self.prices, timeouts, self._deadline, streaming=False)
        try:
            response = await self._answer(call)
        except BaseException as error:
            end(mark, clock, call.start_ns, error)
            raise
        else:
            end(mark, clock, call.start_ns, None, response)
            return response
        finally:
            current_call.reset(token)

    async def _answer(self, call: Call) -> CompletionResponse:
        try:
            response = await self._walk.answer(call)
        except Exception as error:
            self._give_up(call, error)
            raise
        assert isinstance(response, CompletionResponse)
        return response

    def _give_up(self, call: Call, error: Exception) -> None:
        self._failures += 1
        if isinstance(error, LLMTestError):
            error.attempts = tuple(call.attempts)

    async def _stream(
        self, request: CompletionRequest, timeouts: Timeouts, parts: Parts, marks: Marks
    ) -> AsyncGenerator[StreamEvent, None]:
        self._requests += 1
        call = Call(marks.id, request, active_clock(), parts, self.prices, timeouts, self._deadline, streaming=True)
        try:
            opened = await self._walk.answer(call)
            assert isinstance(opened, OpenStream)
            async with aclosing(deliver(call, opened)) as events:
                async for event in events:
                    yield event
        except GeneratorExit as left:
            # A stream that nobody holds any more has nobody else to say that its call is over.
            marks.end(None if marks.response is not None else left)
            raise
        except Exception as error:
            self._give_up(call, error)
            raise


def _places(
    chain: str,
    providers: Sequence[Provider | FallbackSlot],
    retry: RetryConfig | None,
    circuit_breaker: CircuitBreakerConfig | None,
    timeouts: TimeoutConfig | None,
) -> tuple[RunningSlot, ...]:
    slots = [each if isinstance(each, FallbackSlot) else FallbackSlot(provider=each) for each in providers]
    if not slots:
        raise ConfigurationError(f"chain `{chain}` has no providers. To fix: add at least one")
    if len({id(slot.provider) for slot in slots}) < len(slots):
        twice = next(slot for i, slot in enumerate(slots) if any(slot.provider is s.provider for s in slots[:i]))
        raise ConfigurationError(
            f"chain `{chain}` has provider `{twice.provider.name}` twice; a call would ask it twice for the same "
            "failure. To fix: remove one, or retry with `RetryConfig`"
        )
    names = _circuit_names(slots)
    places = []
    for index, slot in enumerate(slots):
        # A chain inside a chain has policies of its own: to apply the outer ones as well would multiply attempts.
        is_chain = hasattr(slot.provider, "places")
        breaker = slot.circuit_breaker or (None if is_chain else circuit_breaker)
        places.append(
            RunningSlot(
                index,
                slot,
                None if breaker is None else CircuitBreaker(names[index], breaker),
                slot.retry or (None if is_chain else retry),
                slot.timeouts or (None if is_chain else timeouts),
            )
        )
    for place in places:
        place.is_last = place is places[-1]
        group = place.config.quota_group
        if group is not None:
            place.peers = tuple(other for other in places if other.config.quota_group == group)
        if place.credential is not None:
            place.account = tuple(other for other in places if other.credential == place.credential)
    return tuple(places)


def _circuit_names(slots: Sequence[FallbackSlot]) -> list[str]:
    """Return a name for the circuit of each slot: the provider's, with as much more as tells it from the others."""
    names = [slot.provider.name for slot in slots]
    models = [f"{slot.provider.name}/{slot.provider.model}" if slot.provider.model else None for slot in slots]
    return [
        name if names.count(name) == 1 else model if model and models.count(model) == 1 else f"{model or name}#{number}"
        for number, (name, model) in enumerate(zip(names, models, strict=True), start=1)
    ]
