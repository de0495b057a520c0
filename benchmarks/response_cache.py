"""What an answer from the cache costs, beside caches that know nothing of requests, and what a chain without one pays.

Run `python benchmarks/response_cache.py [--short]`. The bar is 15 µs for a hit through the whole chain: the key of the
request, the look into the store, the mark of the call, its attempt and its answer. `cachetools` and `aiocache` are
given a key that is there already, and return the object as it is; beside them stands our store alone, which does the
same. They are left out where they are not installed. All times are of the processor, because these machines are shared.
"""

import asyncio
import sys
import tempfile
from collections.abc import Awaitable, Callable
from pathlib import Path
from time import process_time

from llmtest import (
    CompletionRequest,
    CompletionResponse,
    FallbackChain,
    ResponseCache,
    ResponseCacheConfig,
    SqliteCacheStore,
    TextPart,
    Usage,
)
from llmtest.resilience import CachedAnswer, MemoryCacheStore, Room
from llmtest.resilience.cache._cache_key import KeyMaker
from llmtest.types import NO_TIMEOUTS, Capabilities, StreamEvent, Timeouts

BAR_US = 15.0
REQUEST = CompletionRequest.ask("What is the capital of France?", system="Answer in one word.", model="gpt-4o")
ANSWER = CompletionResponse(parts=(TextPart("Paris"),), usage=Usage(12, 2), model="gpt-4o", provider="quick")
ROUNDS = 20


class Quick:
    """A provider that answers at once, so that all that is measured is ours."""

    name = "quick"
    model = "gpt-4o"
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


def blocking(work: Callable[[], object], calls: int) -> float:
    """Return the best of some rounds, in microseconds per call."""
    work()
    rounds = []
    for _ in range(ROUNDS):
        start = process_time()
        for _ in range(calls):
            work()
        rounds.append((process_time() - start) / calls * 1e6)
    return min(rounds)


def on_a_loop(work: Callable[[], Awaitable[object]], calls: int) -> float:
    """Return the same for what is awaited."""

    async def run() -> float:
        await work()
        rounds = []
        for _ in range(ROUNDS):
            start = process_time()
            for _ in range(calls):
                await work()
            rounds.append((process_time() - start) / calls * 1e6)
        return min(rounds)

    return asyncio.run(run())


def peers(calls: int) -> list[tuple[str, float]]:
    """Return what others take for a look into a cache with time to live and least recently used."""
    rows = []
    try:
        from cachetools import TTLCache
    except ImportError:
        print("cachetools: not installed")
    else:
        known: TTLCache[str, CompletionResponse] = TTLCache(1000, 3600)
        known["key"] = ANSWER
        rows.append(("cachetools.TTLCache, get", blocking(lambda: known["key"], calls)))
    try:
        from aiocache import SimpleMemoryCache
    except ImportError:
        print("aiocache: not installed")
    else:
        memory = SimpleMemoryCache()
        asyncio.run(memory.set("key", ANSWER, ttl=None))
        rows.append(("aiocache.SimpleMemoryCache, get", on_a_loop(lambda: memory.get("key"), calls)))
    return rows


def main() -> None:
    """Print the table."""
    calls = 500 if "--short" in sys.argv else 5_000
    plain = FallbackChain([Quick()], retry=None, circuit_breaker=None, timeouts=None)  # type: ignore[list-item]  # what it lacks is made of what it has
    cached = FallbackChain([Quick()], retry=None, circuit_breaker=None, timeouts=None, cache=ResponseCacheConfig())  # type: ignore[list-item]  # likewise
    keys = KeyMaker("bench")
    store = MemoryCacheStore()
    store.put(
        CachedAnswer(key="key", response=ANSWER, provider="quick", model="m", stored_ns=0, ttl_ns=10**12), Room(9, 1), 0
    )
    with tempfile.TemporaryDirectory() as folder, SqliteCacheStore(Path(folder) / "answers.db") as file:
        filed = FallbackChain([Quick()], retry=None, circuit_breaker=None, cache=ResponseCache(store=file))  # type: ignore[list-item]  # likewise
        hit = blocking(lambda: cached.complete(REQUEST), calls)
        rows = [
            ("a hit", hit),
            ("a hit, on an event loop", on_a_loop(lambda: cached.complete_async(REQUEST), calls)),
            ("a hit of a stream, four pieces", blocking(lambda: list(cached.stream(REQUEST)), calls // 5)),
            ("a hit in SQLite", blocking(lambda: filed.complete(REQUEST), calls // 20)),
            ("the key of a request alone", blocking(lambda: keys.key(REQUEST), calls)),
            ("our store alone, find", blocking(lambda: store.find("key", 1, needs_events=False), calls)),
            *peers(calls),
            ("the chain without a cache", blocking(lambda: plain.complete(REQUEST), calls)),
        ]
    print(f"{'cache':<40} {'µs/call':>9}")
    for name, taken in rows:
        print(f"{name:<40} {taken:>9.2f}")
    print(f"\na hit: {hit:.1f} µs (bar {BAR_US:g})")


if __name__ == "__main__":
    main()
