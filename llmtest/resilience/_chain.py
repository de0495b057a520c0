"""`FallbackChain`: several providers that answer as one."""

from __future__ import annotations

from asyncio import CancelledError
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from typing import TYPE_CHECKING, Literal

from llmtest.clock import active_clock, run_blocking
from llmtest.costs import Prices, default_prices
from llmtest.errors import ConfigurationError, LLMTestError
from llmtest.events import current_call
from llmtest.resilience._budget_guard import BudgetGuard, Limits, SpendGuard, budget_of
from llmtest.resilience._description import ChainDescription, describe_chain, given_arguments
from llmtest.resilience._metrics import ChainMetrics
from llmtest.resilience._order import ChainOrder, arranged
from llmtest.resilience._own_prices import with_own_prices
from llmtest.resilience._shared_state import SharedState, shared_of
from llmtest.resilience._timeout import TimeoutConfig
from llmtest.resilience.breaker._breaker import CircuitBreaker
from llmtest.resilience.breaker._breaker_config import CircuitBreakerConfig
from llmtest.resilience.breaker._breaker_store import BreakerStore
from llmtest.resilience.cache._cache_config import ResponseCacheConfig
from llmtest.resilience.cache._cache_layer import with_cache
from llmtest.resilience.cache._response_cache import ResponseCache, cache_of
from llmtest.resilience.context._context_layer import with_context
from llmtest.resilience.context._token_budget_config import TokenBudgetConfig
from llmtest.resilience.fallback._measured_order import with_strategy
from llmtest.resilience.fallback._refused_keys import DEFAULT_INTERVAL, RefusedKeys
from llmtest.resilience.fallback._slot import FallbackSlot
from llmtest.resilience.fallback._start_slots import DEFAULT_BREAKER, DEFAULT_RETRY, DEFAULT_TIMEOUTS, start_slots
from llmtest.resilience.fallback._strategies import Strategy
from llmtest.resilience.fallback._walk import Walk
from llmtest.resilience.fallback._weights import change_weights
from llmtest.resilience.health._chain_health import with_health
from llmtest.resilience.health._health_config import HealthConfig
from llmtest.resilience.health._health_order import by_health
from llmtest.resilience.hedging._hedge_layer import in_branches, with_hedging
from llmtest.resilience.hedging._hedging import HedgingConfig
from llmtest.resilience.limiting._limiter import RateLimiter, with_limits
from llmtest.resilience.limiting._limits import RateLimitConfig
from llmtest.resilience.pipeline._call_mark import Marks, begin, end
from llmtest.resilience.pipeline._completion_stream import AsyncCompletionStream, CompletionStream
from llmtest.resilience.pipeline._open_stream import OpenStream, StreamCommit, check_commit, deliver
from llmtest.resilience.pipeline._pipeline import Pipeline
from llmtest.resilience.pipeline._running_call import CallRules, RunningCall
from llmtest.resilience.pipeline._sender import Sender
from llmtest.resilience.pipeline._sync_async import ASYNC, BLOCKING, Parts
from llmtest.resilience.retry._prompt_retry import PromptRetry
from llmtest.resilience.retry._retry import RetryConfig
from llmtest.resilience.routing._adaptive import AdaptiveRoutingConfig, with_routing
from llmtest.types import (
    NO_TIMEOUTS,
    Capabilities,
    CompletionRequest,
    CompletionResponse,
    Provider,
    StreamEvent,
    Timeouts,
    refuse_what_is_no_request,
)
from llmtest.types._spelling import settings_tell_near_arguments

if TYPE_CHECKING:
    from llmtest.resilience._builder import FallbackChainBuilder

__all__ = ["FallbackChain"]

DEFAULT_NAME = "fallback-chain"


@settings_tell_near_arguments
class FallbackChain:
    """Providers in order: when one fails in a way that another can mend, the next is asked.

    A chain is itself a provider; inside another chain it keeps its own policies, and the outer ones do not apply to it
    unless its slot says so, but for a circuit breaker that the outer chain was given: that guards the inner chain as a
    whole. A chain without a budget spends from that of the chain around it. From outside to inside
    its policies are cache, fallback, circuit breaker, retry, budget, timeout: a circuit sees one result for each call,
    however often that was retried, and every attempt is paid for.

    Args:
        providers: Providers, or `FallbackSlot` where one has settings of its own; at least one.
        name: What errors and events call the chain.
        strategy: Who is asked first: `priority` (in the order of the list, slots of a higher `priority` before others),
            `round_robin`, `weighted` (by the slots' `weight`), `least_latency`, `load_balance` (the fewest calls under
            way), `random`. The others follow when it fails.
        retry: How each provider is asked again; None never does.
        circuit_breaker: When a provider is left alone; None never. Each slot has a circuit of its own.
        timeouts: Limits of each attempt, and the deadline of the call; None sets none.
        budget: What may refuse an attempt: a `Budget`, which several chains may share, or limits (`BudgetConfig`,
            `CostManagementPolicy`) of which the chain makes its own (`.budget`). A refused call is neither retried
            nor handed on.
        on_all_open: When every circuit is open: `fail`, or `try_oldest`, which asks the provider whose circuit opened
            first nevertheless.
        breaker_inside_retry: Whether circuits count every attempt instead of every call.
        refused_key_interval: Seconds, 0 or more, for which a key that a provider refused (401, 403) is not tried again
            unless it changes; 0 tries it with every call.
        advance_on_any_fallback_error: Whether every error of a slot but the first sends the call to the next one, where
            its trigger says nothing else.
        stream_commit: Until when a stream may be retried or fall back: its `first_token`, or its `end`. With `end` it
            is handed over only when all of it has come, so that a stream that breaks is replaced as a whole.
        max_attempts: Most attempts of one call, over all providers; None sets no limit.
        seed: Seed of the jittered waits; None draws differently in each process, and repeatably in a simulation.
        prices: What attempts cost, and what the budget is charged for them; by default the budget's prices (inside
            another chain that of the chain around it), else the published ones. A price that this list does not know is
            looked up in the budget's own.
        cache: Which answers are kept, so that an equal request need not be asked again: `ResponseCacheConfig`, or a
            `ResponseCache`, which several chains may share (`.cache`). It is outermost: a hit costs nothing.
        pipeline: Strategies of your own, and the order of all of them; None has those of the other arguments alone.
        hedging: When a call that is not answered is sent once more; None never.
        context: How prompts are made shorter that take too much of the window; None sends them as they are.
        rate_limit: How much is sent a minute and at a time, with each key; None: any number. A `RateLimiter` is shared
            by all that have it.
        breaker_store: What keeps the circuits, for all chains that are given the same one; None: each slot its own.
        routing: Whom each call goes to, as the providers have answered lately; None goes by the order of the list. It
            stands in the place of a `strategy`.
        prompt_retry: What answers have to be, and how they are asked for again with the reason when they are not; None
            takes them as they come. Streams are then handed over as a whole.
        health: How it is found out who is ill, and asked last (`.health`); None: nobody asks.
        shared: What it shares with other chains, processes and machines of what its policies remember: circuits,
            limits, refused keys, answers, health. `RedisState` keeps all of them in Redis; None shares nothing.
        order: Which system's order the policies have, with its numbers where nothing else is said: `default`,
            `ironclaw` (one circuit around the whole chain, named as the chain), `mofa`, `llmkit` (only the primary is
            asked again), `caxton`, `vapora`.

    Raises:
        ConfigurationError: No provider, one provider twice, an unknown word, or a policy that would apply to nobody.

    Example:
        >>> from llmtest import FallbackChain, OpenAIProvider, AnthropicProvider
        >>> chain = FallbackChain([OpenAIProvider(api_key="a"), AnthropicProvider(api_key="b")])
        >>> [each.name for each in chain.metrics().providers]
        ['openai', 'anthropic']
    """

    model: str | None = None

    def __init__(  # noqa: PLR0913 - one argument for each policy
        self,
        providers: Sequence[Provider | FallbackSlot],
        *,
        name: str = DEFAULT_NAME,
        strategy: Strategy = "priority",
        retry: RetryConfig | None = DEFAULT_RETRY,
        circuit_breaker: CircuitBreakerConfig | None = DEFAULT_BREAKER,
        timeouts: TimeoutConfig | None = DEFAULT_TIMEOUTS,
        budget: SpendGuard | Limits | None = None,
        on_all_open: Literal["fail", "try_oldest"] = "fail",
        breaker_inside_retry: bool = False,
        refused_key_interval: float = DEFAULT_INTERVAL,
        advance_on_any_fallback_error: bool = False,
        stream_commit: StreamCommit = "first_token",
        max_attempts: int | None = None,
        seed: int | None = None,
        prices: Prices | None = None,
        cache: ResponseCacheConfig | ResponseCache | None = None,
        pipeline: Pipeline | None = None,
        hedging: HedgingConfig | None = None,
        context: TokenBudgetConfig | None = None,
        rate_limit: RateLimitConfig | RateLimiter | None = None,
        breaker_store: BreakerStore | None = None,
        routing: AdaptiveRoutingConfig | None = None,
        prompt_retry: PromptRetry | None = None,
        health: HealthConfig | None = None,
        shared: SharedState | None = None,
        order: ChainOrder = "default",
    ) -> None:
        self._given = given_arguments(locals())
        _check(name, on_all_open, max_attempts, stream_commit)
        plan = arranged(name, self._given, providers, pipeline)
        self.name, self.strategy = name, strategy
        common = shared_of(shared, name)
        store = common.breakers if breaker_store is None else breaker_store
        keys = RefusedKeys(name, refused_key_interval, common.refused_keys)
        self.places = start_slots(
            name,
            *plan.for_slots(providers),
            keys,
            any_error=advance_on_any_fallback_error,
            breaker_store=store,
        )
        prices = with_own_prices(self.places, prices, budget)
        self.budget = budget = budget_of(budget, prices)
        budget_prices: Prices | None = getattr(budget, "prices", None)
        self.prices = budget_prices or default_prices() if prices is None else prices
        holds = stream_commit == "end" or prompt_retry is not None
        self._rules = CallRules(deadline=plan.deadline, max_attempts=max_attempts, seed=seed, holds_streams=holds)
        pipeline = with_routing(pipeline or Pipeline(), routing, name, strategy)
        pipeline = with_hedging(pipeline, hedging, name, self.places)
        pipeline = with_limits(pipeline, rate_limit, name, self.places, common.limits)
        pipeline = with_context(pipeline, context, name, self.places)
        self.health, pipeline = with_health(health, pipeline, name, self.places, common.health)
        self._circuit, pipeline = plan.around(pipeline, name, store)
        guards = pipeline.guards if budget is None else (*pipeline.guards, BudgetGuard(budget))
        self._pipeline = pipeline
        self._has_own_list = is_own = prices is not None or budget_prices is not None
        self._sender = Sender(guards)
        send = self._sender.send if prompt_retry is None else prompt_retry.around(None, self._sender.send)
        asks = pipeline.around_places(name, self.places, send, breaker_inside_retry=breaker_inside_retry)
        self._shares, asks = with_strategy(name, strategy, pipeline.selection, self.places, asks)
        selection = in_branches(self._shares, hedging)
        chosen, asks = by_health(self.health, selection, asks, self.places, self._sender, self.prices, is_own)
        self._walk = Walk(name, self.places, asks, chosen, keys=keys, tries_oldest=on_all_open == "try_oldest")
        self.cache = cache_of(cache, common.answers)
        self._ask = with_cache(self.cache, self.places, selection, pipeline.around_calls(self._walk.answer))
        self._requests = self._failures = 0

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
            is_chain=True,
        )

    @property
    def idempotency_header(self) -> str | None:
        """Header in which one of its providers looks for the name of a request; None where none does."""
        headers = (getattr(place.provider, "idempotency_header", None) for place in self.places)
        return next((header for header in headers if header), None)

    @property
    def is_healthy(self) -> bool:
        """Whether at least one provider is well and may be asked now, as far as health, circuits and keys tell."""
        now_ns = active_clock().now_ns()
        if self._circuit is not None and self._circuit.available_at_ns > now_ns:
            return False
        return any(place.is_usable(now_ns) for place in self.places)

    def available(self) -> bool:
        """Whether at least one of these has a key, or needs none; nobody is asked."""
        now_ns = active_clock().now_ns()
        return any(place.is_usable(now_ns) and place.has_key for place in self.places)

    def close(self) -> None:
        """End what runs beside its calls: nobody is asked any more whether he is well. It may still be asked itself."""
        if self.health is not None:
            self.health.close()

    async def aclose(self) -> None:
        """Do as `close`, and return when nothing of it runs any more on this event loop."""
        if self.health is not None:
            await self.health.aclose()

    def breaker(self, provider: str) -> CircuitBreaker:
        """Return the circuit of a provider.

        Args:
            provider: Its name; `name/model` where the chain has several slots of that name, and with `#n` after it,
                the slot's number from 1, where they have the same model too. The circuit around all is named as the
                chain is.

        Raises:
            ConfigurationError: No slot has a circuit of that name.
        """
        circuits = [found for found in (*(place.breaker for place in self.places), self._circuit) if found is not None]
        for circuit in circuits:
            if provider == circuit.name:
                return circuit
        known = ", ".join(f"`{circuit.name}`" for circuit in circuits) or "none"
        raise ConfigurationError(f"`{self.name}` has no circuit `{provider}`; its circuits: {known}")

    def set_weights(self, weights: Mapping[str, float]) -> None:
        """Give slots another `weight`, all at once, for the calls that begin from now on; see `FallbackSlot`.

        Args:
            weights: By the slot's name, which is its circuit's too; a slot that is not named keeps its weight.

        Raises:
            ConfigurationError: The strategy is not `weighted`, or weights are wrong; nothing has changed then.
        """
        change_weights(self.name, self._shares, self.places, weights)

    def metrics(self) -> ChainMetrics:
        """Return counts of what happened since the chain was made."""
        return ChainMetrics(
            self._requests,
            self._failures,
            self._walk.fallbacks,
            tuple(place.metrics() for place in self.places),
            None if self.cache is None else self.cache.stats(),
            None if self._circuit is None else self._circuit.state,
        )

    def describe(self) -> ChainDescription:
        """Return which policies it has, in which order and with which options; no key is part of it.

        Example:
            >>> from llmtest import FallbackChain, OpenAIProvider
            >>> FallbackChain([OpenAIProvider("sk-...")]).describe().order
            ('fallback', 'circuit_breaker', 'retry', 'timeouts')
        """
        return describe_chain(self.name, self._given, self._pipeline, self._sender.guards, self.places)

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
        refuse_what_is_no_request(request, "chain.stream")
        marks = Marks(self.name)
        return CompletionStream(self._stream(request, timeouts, BLOCKING, marks), marks)

    def stream_async(self, request: CompletionRequest, timeouts: Timeouts = NO_TIMEOUTS) -> AsyncCompletionStream:
        """Answer a request piece by piece on the event loop."""
        refuse_what_is_no_request(request, "chain.stream_async")
        marks = Marks(self.name)
        return AsyncCompletionStream(self._stream(request, timeouts, ASYNC, marks), marks)

    def _prices_now(self) -> Prices:
        """Return what attempts cost: inside another chain by the list of the budget that they are charged to."""
        return self.prices if self._has_own_list else self._sender.enclosing_prices(self.prices)

    async def _complete(self, request: CompletionRequest, timeouts: Timeouts, parts: Parts) -> CompletionResponse:
        if request.__class__ is not CompletionRequest:
            refuse_what_is_no_request(request, "chain.complete")
        self._requests += 1
        clock = active_clock()
        mark, token = current_call.get(), None
        if mark is None:
            mark, token = begin(self.name, clock)
        prices = self.prices if self._has_own_list else self._prices_now()
        call = RunningCall(mark.id, request, clock, parts, self._rules, prices, timeouts, False)
        try:
            response = await self._ask(call)
        except BaseException as error:
            self._give_up(call, error)
            if token is not None:
                end(mark, clock, call.start_ns, error)
            raise
        else:
            assert isinstance(response, CompletionResponse), "a call without a stream is answered with a response"
            if token is not None:
                end(mark, clock, call.start_ns, None, response)
            return response
        finally:
            if token is not None:
                current_call.reset(token)

    def _give_up(self, call: RunningCall, error: BaseException) -> None:
        self._failures += isinstance(error, Exception)
        if isinstance(error, LLMTestError | CancelledError):
            # A chain around this one is told of a request that it cancelled in the same way.
            error.attempts = tuple(call.attempts)  # type: ignore[union-attr]

    async def _stream(
        self, request: CompletionRequest, timeouts: Timeouts, parts: Parts, marks: Marks
    ) -> AsyncGenerator[StreamEvent, None]:
        self._requests += 1
        clock = active_clock()
        call = RunningCall(marks.id, request, clock, parts, self._rules, self._prices_now(), timeouts, True)
        try:
            opened = await self._ask(call)
            assert isinstance(opened, OpenStream), "a streamed call is answered with a stream"
            async with aclosing(deliver(opened)) as events:
                async for event in events:
                    yield event
        except GeneratorExit as left:
            # A stream that nobody holds any more has nobody else to say that its call is over.
            marks.end(None if marks.response is not None else left)
            raise
        except BaseException as error:
            self._give_up(call, error)
            raise


def _check(name: str, on_all_open: str, max_attempts: int | None, stream_commit: str) -> None:
    """Refuse words that mean nothing, and a call that may ask nobody."""
    check_commit(name, stream_commit)
    if on_all_open not in {"fail", "try_oldest"}:
        raise ConfigurationError(f"on_all_open is `fail` or `try_oldest`, got `{on_all_open}`")
    if max_attempts is not None and max_attempts < 1:
        raise ConfigurationError(f"max_attempts must be 1 or more, got {max_attempts}")
