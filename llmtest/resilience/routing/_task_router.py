"""The provider that a task goes to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from llmtest.clock import active_clock
from llmtest.costs import Prices, count_tokens, default_prices
from llmtest.errors import BudgetExceededError, ConfigurationError
from llmtest.events import RouteTaken, current_call, publish
from llmtest.resilience._chain import FallbackChain
from llmtest.resilience._own_provider import as_provider
from llmtest.resilience.fallback._slot import FallbackSlot
from llmtest.resilience.fallback._trigger import FallbackTrigger
from llmtest.resilience.routing._score import Tier
from llmtest.resilience.routing._tasks import Complexity, Quality, Task, TaskContext
from llmtest.types import CompletionRequest, CompletionResponse, Provider, TextPart, Usage
from llmtest.wire import default_dialect

__all__ = ["LLMRouter", "MockLLMClient"]

TIERS = list(Tier)
LEVEL = {"low": 0, "medium": 1, "high": 2}
EXPECTED = Usage(1000, 4096)
"""What a task is taken for before it is asked: a prompt, and an answer as a budget sets aside for it."""


class MockLLMClient:
    """A provider that answers with texts in turn, at no cost.

    Args:
        name: Its name.
        responses: What it says, again from the start after the last; by default its name and a number.
    """

    def __init__(self, name: str, responses: Sequence[str] = ()) -> None:
        self.name = name
        self.model: str | None = None
        self.responses = tuple(responses)
        self.call_count = 0
        self.price = None

    def complete(self, request: CompletionRequest) -> CompletionResponse:
        """Answer with the next text."""
        number, said = self.call_count, self.responses
        self.call_count += 1
        text = said[number % len(said)] if said else f"Mock response #{number} of {self.name}"
        asked = sum(count_tokens(message.text) for message in request.messages)
        usage = Usage(asked, count_tokens(text), cost_usd=Decimal(0))
        return CompletionResponse(parts=(TextPart(text),), usage=usage, provider=self.name)


@dataclass(frozen=True, slots=True)
class _Registered:
    """A provider of the router, and what was said of it."""

    name: str
    provider: Provider
    tier: Tier | None
    latency_ms: float | None


class LLMRouter:
    """Providers by name, of which a task is given one.

    A task needs a tier: `flash` where neither complexity nor quality is more than low, `pro` where one of them is high,
    `frontier` where both are, else `standard`. It goes to the cheapest provider that has this tier or a higher one, is
    fast enough and within the budget; where none is good enough, to the best that there is. Among equals the one that
    was registered first is chosen, so that a route is the same in every run.

    Args:
        prices: What models cost; by default the published prices.

    Example:
        >>> from llmtest import LLMRouter, TaskContext
        >>> LLMRouter.with_mocks().route(TaskContext())
        'claude'
    """

    def __init__(self, *, prices: Prices | None = None) -> None:
        self.prices = default_prices() if prices is None else prices
        self._providers: dict[str, _Registered] = {}

    @classmethod
    def with_mocks(cls) -> LLMRouter:
        """Return a router of two mocks, which answer without network, keys and cost: Claude's and the default one."""
        router = cls()
        for name in ("claude", default_dialect().name):
            router.register_provider(name, MockLLMClient(name))
        return router

    @classmethod
    def load_from_config(cls, config: Any) -> LLMRouter:
        """Return a router of the providers of a configuration, by the names of its slots.

        Args:
            config: What `load_config` returned, a chain, or providers by name.

        Raises:
            ConfigurationError: It is none of them.
        """
        if hasattr(config, "build"):
            config = config.build()
        router = cls(prices=config.prices) if isinstance(config, FallbackChain) else cls()
        if isinstance(config, FallbackChain):
            for place in config.places:
                router.register_provider(place.config.name or place.name, place.provider)
        elif isinstance(config, Mapping):
            for name, provider in config.items():
                router.register_provider(name, provider)
        else:
            raise ConfigurationError(
                f"a router is loaded from a configuration, not from {config!r}.\n"
                'To fix: LLMRouter.load_from_config(load_config("llm-providers.toml"))'
            )
        return router

    def register_provider(
        self, name: str, client: Any, *, tier: Tier | str | None = None, latency_ms: float | None = None
    ) -> None:
        """Add a provider.

        Args:
            name: What it is called here.
            client: A provider, or an object with `name` and `complete`.
            tier: How much it can do; by default as its price tells: `flash` below 2 USD for a million tokens of an
                answer, `standard` below 10, `pro` below 30, `frontier` from there on; `standard` where no price is
                known.
            latency_ms: How long it takes, in milliseconds; by default it is taken to be fast enough.

        Raises:
            ConfigurationError: The name is taken, the tier is none, or it is no provider.
        """
        if name in self._providers:
            raise ConfigurationError(f"a provider `{name}` is registered already.\nTo fix: give it another name")
        if tier is not None and tier not in TIERS:
            raise ConfigurationError(f"tier of `{name}` is one of {', '.join(TIERS)}, got `{tier}`")
        known = None if tier is None else Tier(tier)
        self._providers[name] = _Registered(name, as_provider(client), known, latency_ms)

    @property
    def names(self) -> tuple[str, ...]:
        """The names of its providers, in the order in which they were registered."""
        return tuple(self._providers)

    def get_provider(self, name: str) -> Provider:
        """Return a provider by its name.

        Raises:
            ConfigurationError: There is none of that name.
        """
        return self._named(name).provider

    def _named(self, name: str) -> _Registered:
        found = self._providers.get(name)
        if found is None:
            known = ", ".join(f"`{each}`" for each in self._providers) or "none"
            raise ConfigurationError(
                f"no provider `{name}` is registered; registered: {known}.\nTo fix: register_provider({name!r}, ...)"
            )
        return found

    def route(self, context: TaskContext, preferred: str | None = None) -> str:
        """Return the name of the provider that a task goes to.

        Args:
            context: What is known of the task.
            preferred: The provider to take in any case; None: the router's choice.

        Raises:
            ConfigurationError: No provider is registered, or not the preferred one.
            BudgetExceededError: None is within the budget, for 1,000 tokens of prompt and 4,096 of answer.
        """
        if not self._providers:
            raise ConfigurationError("the router has no providers.\nTo fix: register_provider(name, provider)")
        if preferred is not None:
            self._named(preferred)
            self._tell(preferred, "preference", None)
            return preferred
        affordable = [each for each in self._providers.values() if self._is_within(each, context.budget_cents)]
        if not affordable:
            known = [cost for each in self._providers.values() if (cost := self._expected(each)) is not None]
            limit_usd = Decimal(str(context.budget_cents)) / 100
            raise BudgetExceededError(
                scope="task",
                unit="usd",
                limit=limit_usd,
                spent=Decimal(0),
                reserved=Decimal(0),
                requested=min(known),
            )
        limit = context.latency_required_ms
        fast = [each for each in affordable if limit is None or each.latency_ms is None or each.latency_ms <= limit]
        needed = needed_tier(context)
        enough = [each for each in fast or affordable if TIERS.index(self.tier_of(each.name)) >= TIERS.index(needed)]
        if enough:
            chosen = min(enough, key=lambda each: self._expected(each) or Decimal(0))
        else:
            chosen = max(fast or affordable, key=lambda each: TIERS.index(self.tier_of(each.name)))
        self._tell(chosen.name, "task", needed)
        return chosen.name

    def _tell(self, name: str, cause: str, tier: Tier | None) -> None:
        call = current_call.get()
        found = self._providers[name].provider
        at_ns = active_clock().now_ns()
        word = None if tier is None else str(tier)
        publish(RouteTaken(at_ns, 0 if call is None else call.id, "router", name, found.model, cause, word))

    def tier_of(self, name: str) -> Tier:
        """Return how much a provider can do: as it was registered, else as its price tells."""
        found = self._named(name)
        if found.tier is not None:
            return found.tier
        rates = self.prices.rates(found.provider.name, found.provider.model)
        output = None if rates is None else rates.output
        if output is None:
            return Tier.STANDARD
        bounds = ((Decimal(2), Tier.FLASH), (Decimal(10), Tier.STANDARD), (Decimal(30), Tier.PRO))
        return next((tier for bound, tier in bounds if output < bound), Tier.FRONTIER)

    def _expected(self, found: _Registered) -> Decimal | None:
        """Return what a task may cost at a provider, in USD; None where nobody knows."""
        return self.prices.cost(found.provider.name, found.provider.model, EXPECTED)

    def _is_within(self, found: _Registered, cents: Decimal | float | None) -> bool:
        expected = self._expected(found)
        return cents is None or expected is None or expected * 100 <= Decimal(str(cents))

    def chain_of(self, names: Sequence[str], **policies: Any) -> FallbackChain:
        """Return providers as a chain in which every failure goes on to the next.

        Args:
            names: Their names, in order; at least one.
            policies: Arguments of `FallbackChain`; by default no retry and no circuit breaker.
        """
        settings = {"retry": None, "circuit_breaker": None, **policies}
        trigger = FallbackTrigger.any_error()
        slots = [FallbackSlot(provider=self.get_provider(name), name=name, trigger=trigger) for name in names]
        return FallbackChain(slots, name="router", **settings)

    def route_with_fallback(self, names: Sequence[str], prompt: str) -> str:
        """Return the answer to a prompt of the first provider that gives one, blocking.

        Args:
            names: Who is asked, in order.
            prompt: The prompt.

        Raises:
            LLMTestError: None of them did.
        """
        return self.chain_of(names).complete(CompletionRequest.ask(prompt)).content or ""

    async def route_with_fallback_async(self, names: Sequence[str], prompt: str) -> str:
        """Return the same on the event loop."""
        return (await self.chain_of(names).complete_async(CompletionRequest.ask(prompt))).content or ""

    def route_task(self, task: Task) -> CompletionResponse:
        """Choose a provider for a task and return its answer, blocking.

        Raises:
            LLMTestError: It did not answer.
        """
        chain, request = self._asked(task)
        return chain.complete(request)

    async def route_task_async(self, task: Task) -> CompletionResponse:
        """Return the same on the event loop."""
        chain, request = self._asked(task)
        return await chain.complete_async(request)

    def _asked(self, task: Task) -> tuple[FallbackChain, CompletionRequest]:
        name = self.route(task.context or TaskContext(task_type=task.task_type))
        prompt = task.prompt or f"{task.task_type.replace('_', ' ')}: {task.id}"
        return self.chain_of([name]), CompletionRequest.ask(prompt)


def needed_tier(context: TaskContext) -> Tier:
    """Return the tier that a task needs."""
    hard, good = LEVEL[Complexity(context.complexity)], LEVEL[Quality(context.quality_requirement)]
    if hard == good == 2:
        return Tier.FRONTIER
    if 2 in {hard, good}:
        return Tier.PRO
    return Tier.STANDARD if 1 in {hard, good} else Tier.FLASH
