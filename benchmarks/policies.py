"""What each policy adds to a call that succeeds, beside tenacity, stamina, purgatory and pybreaker, in one run.

Run `python benchmarks/policies.py [--short]`. Ours: a chain over a provider that answers at once, with one policy, less
the same chain with none. Theirs: an async function that returns at once, called through the library, less the function
alone; pybreaker guards plain functions, so it is called in blocking code. What is not installed is left out. All times
are of the processor, because these machines are shared.
"""

import asyncio
import json
import sys
from collections.abc import Awaitable, Callable
from importlib import import_module
from time import process_time
from typing import Any

from llmtest import (
    AdaptiveRoutingConfig,
    CircuitBreakerConfig,
    CompletionRequest,
    CompletionResponse,
    FallbackChain,
    FallbackSlot,
    HealthConfig,
    HedgingConfig,
    PromptRetry,
    RateLimitConfig,
    RetryConfig,
    TextPart,
    TimeoutConfig,
    Usage,
)
from llmtest.types import NO_TIMEOUTS, Capabilities, StreamEvent, Timeouts

REQUEST = CompletionRequest.ask("Capital of France?")
ANSWER = CompletionResponse(parts=(TextPart('"Paris"'),), usage=Usage(9, 1), model="m")
ROUNDS = 7


class Quick:
    """A provider that answers at once."""

    name = "quick"
    model = "m"
    capabilities = Capabilities()

    def complete(self, request: CompletionRequest, timeouts: Timeouts = NO_TIMEOUTS) -> CompletionResponse:
        """Answer."""
        del request, timeouts
        return ANSWER

    async def complete_async(self, request: CompletionRequest, timeouts: Timeouts = NO_TIMEOUTS) -> CompletionResponse:
        """Answer."""
        del request, timeouts
        return ANSWER

    def stream(self, request: CompletionRequest, timeouts: Timeouts = NO_TIMEOUTS) -> list[StreamEvent]:
        """Answer in pieces."""
        del request, timeouts
        return [StreamEvent("text", "Paris"), StreamEvent("finish"), StreamEvent("end", response=ANSWER)]


POLICIES: dict[str, dict[str, Any]] = {
    "retry": {"retry": RetryConfig()},
    "retry, decorrelated, by name": {"retry": RetryConfig(backoff="decorrelated", retry_on=["server_error"])},
    "breaker, failures in a row": {"circuit_breaker": CircuitBreakerConfig()},
    "breaker, window of calls": {"circuit_breaker": CircuitBreakerConfig(failure_rate=0.5)},
    "breaker, window of seconds": {"circuit_breaker": CircuitBreakerConfig(failure_rate=0.5, window_seconds=60)},
    "breaker, z-score": {"circuit_breaker": CircuitBreakerConfig.llmkit()},
    "timeouts and a deadline": {"timeouts": TimeoutConfig(deadline=60)},
    "health, told by calls": {"health": HealthConfig(active=False)},
    "health, asked and told": {"health": HealthConfig()},
    "prompt retry": {"prompt_retry": PromptRetry(json.loads)},
    "rate limit, by requests": {"rate_limit": RateLimitConfig(rpm=1_000_000_000)},
    "rate limit, at a time": {"rate_limit": RateLimitConfig(concurrency=100)},
}
SHARING: dict[str, dict[str, Any]] = {
    "strategy round_robin": {"strategy": "round_robin"},
    "strategy weighted": {"strategy": "weighted"},
    "strategy least_latency": {"strategy": "least_latency"},
    "strategy load_balance": {"strategy": "load_balance"},
    "strategy random": {"strategy": "random"},
    "adaptive routing": {"routing": AdaptiveRoutingConfig()},
    "hedging, to the next": {"hedging": HedgingConfig(delay=5, to="next")},
}
"""What needs two places: it is measured against a chain of two."""
OFF: dict[str, Any] = {"retry": None, "circuit_breaker": None, "timeouts": None}


async def measure(call: Callable[[], Awaitable[object]], calls: int) -> float:
    """Return the best of some rounds, in microseconds a call."""
    best = float("inf")
    for _ in range(ROUNDS):
        start = process_time()
        for _ in range(calls):
            await call()
        best = min(best, process_time() - start)
    return best / calls * 1e6


def measure_blocking(call: Callable[[], object], calls: int) -> float:
    """Return the same of blocking code."""
    best = float("inf")
    for _ in range(ROUNDS):
        start = process_time()
        for _ in range(calls):
            call()
        best = min(best, process_time() - start)
    return best / calls * 1e6


async def nothing() -> object:
    """Return at once."""
    return ANSWER


def library(name: str) -> Any:
    """Return a library; None where it is not installed."""
    try:
        return import_module(name)
    except ImportError:
        return None


async def peers(calls: int) -> dict[str, float]:
    """Return what each library adds to a function that returns at once."""
    bare, found = await measure(nothing, calls), {}
    if tenacity := library("tenacity"):
        retried = tenacity.retry(stop=tenacity.stop_after_attempt(3), wait=tenacity.wait_random_exponential())(nothing)
        found["tenacity, retry"] = await measure(retried, calls) - bare
    if stamina := library("stamina"):
        found["stamina, retry"] = await measure(stamina.retry(on=OSError, attempts=3)(nothing), calls) - bare
    if purgatory := library("purgatory"):
        guarded = purgatory.AsyncCircuitBreakerFactory()("quick")(nothing)
        found["purgatory, breaker"] = await measure(guarded, calls) - bare
    if pybreaker := library("pybreaker"):
        circuit = pybreaker.CircuitBreaker()
        plain = measure_blocking(lambda: ANSWER, calls)
        found["pybreaker, breaker"] = measure_blocking(circuit(lambda: ANSWER), calls) - plain
    return found


async def main() -> None:
    """Print the table."""
    calls = 1_000 if "--short" in sys.argv else 10_000

    def asks(places: int = 1, **policy: Any) -> Callable[[], Awaitable[object]]:
        slots = [FallbackSlot(provider=Quick(), name=f"place {number}") for number in range(places)]  # type: ignore[arg-type]  # what it lacks is made of what it has
        chain = FallbackChain(slots, **{**OFF, **policy})
        return lambda: chain.complete_async(REQUEST)

    bare = await measure(asks(), calls)
    print(f"{'added to a call by':<32} {'µs':>7}")
    for name, policy in POLICIES.items():
        print(f"{name:<32} {await measure(asks(**policy), calls) - bare:>7.2f}")
    bare_of_two = await measure(asks(2), calls)
    for name, policy in SHARING.items():
        print(f"{name:<32} {await measure(asks(2, **policy), calls) - bare_of_two:>7.2f}")
    for name, added in (await peers(calls)).items():
        print(f"{name:<32} {added:>7.2f}")
    print(f"\na chain with no policy at all: {bare:.1f} µs a call")


if __name__ == "__main__":
    asyncio.run(main())
