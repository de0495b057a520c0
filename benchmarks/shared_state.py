"""What a decision costs in memory and in Redis, and how many commands each is there.

Run `python benchmarks/shared_state.py [--short]`; it starts a `redis-server` on a free loopback port, and measures
nothing where there is none. Times are those of the wall, the best of some rounds, one decision after the other in
blocking code; `PING` is what the way there and back costs alone.
"""

import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import redis

from llmtest import CircuitBreaker, CircuitBreakerConfig, RateLimitConfig, RedisState
from llmtest.resilience import (
    Asking,
    BreakerStore,
    Ended,
    HealthRules,
    HealthStore,
    KeyRecord,
    LimiterStore,
    MemoryBreakerStore,
    MemoryHealthStore,
    MemoryKeyStore,
    MemoryLimiterStore,
    RefusedKeyStore,
)

ROUNDS = 5
NS = 1_000_000_000


@contextmanager
def redis_server(binary: str) -> Iterator[str]:
    """Start a Redis for as long as this lasts; give its address."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    server = subprocess.Popen([binary, "--port", str(port), "--save", ""], stdout=subprocess.DEVNULL)
    url = f"redis://127.0.0.1:{port}/0"
    try:
        while True:
            try:
                redis.Redis.from_url(url).ping()
                break
            except redis.ConnectionError:
                time.sleep(0.05)
        yield url
    finally:
        server.terminate()
        server.wait()


def circuit(store: BreakerStore, **rules: float) -> Callable[[], object]:
    """Return a call that is let through and succeeds: two decisions."""
    breaker = CircuitBreaker(f"a{len(rules)}", CircuitBreakerConfig(**rules), store)  # type: ignore[arg-type]

    def call() -> None:
        breaker.success(breaker.admit(NS), NS, 0)

    return call


def limiter(store: LimiterStore, config: RateLimitConfig) -> Callable[[], object]:
    """Return a request that goes and ends: two decisions, with a minute of requests behind it."""
    numbers = iter(range(10**9))

    def call() -> None:
        now_ns = next(numbers) * 100_000_000
        asking = Asking(f"k{config.concurrency}", config, 10, 20, None, "deadline", lambda: None)
        store.acquire(asking, now_ns)
        store.release(asking, Ended(True, 15), now_ns)

    return call


def keys(store: RefusedKeyStore) -> Callable[[], object]:
    """Return a look for a key that was refused: one decision."""
    store.remember("k", KeyRecord(401, 0, 10 * NS))
    return lambda: store.look("k", NS, NS)


def health(store: HealthStore) -> Callable[[], object]:
    """Return a success that is noted: one decision."""
    kept = store.health("a", HealthRules(60 * NS, 3, 2))
    return lambda: kept.record("success", NS)


def measure(call: Callable[[], object], calls: int) -> float:
    """Return the best of some rounds, in microseconds a call."""
    best = float("inf")
    for _ in range(ROUNDS):
        start = time.perf_counter()
        for _ in range(calls):
            call()
        best = min(best, time.perf_counter() - start)
    return best / calls * 1e6


def commands(client: "redis.Redis", call: Callable[[], object]) -> int:
    """Return how many scripts the server runs for a call."""

    def run() -> int:
        stats = client.info("commandstats")
        assert isinstance(stats, dict)
        return sum(stats.get(f"cmdstat_{name}", {"calls": 0})["calls"] for name in ("evalsha", "eval"))

    before = run()
    call()
    return run() - before


def main() -> None:
    """Print the table."""
    calls = 200 if "--short" in sys.argv else 3_000
    limits = RateLimitConfig(rpm=100_000, tpm=10_000_000, concurrency=50)
    binary = shutil.which("redis-server")
    if binary is None:
        print("needs the binary `redis-server`, which is not installed")
        return
    with redis_server(binary) as url, RedisState(url, namespace="benchmark") as state:
        client = redis.Redis.from_url(url)
        assert state.breakers is not None
        assert state.limits is not None
        assert state.refused_keys is not None
        assert state.health is not None
        rows: dict[str, tuple[Callable[[], object], Callable[[], object]]] = {
            "circuit, failures in a row": (circuit(MemoryBreakerStore()), circuit(state.breakers)),
            "circuit, window of 100 calls": (
                circuit(MemoryBreakerStore(), failure_rate=0.5),
                circuit(state.breakers, failure_rate=0.5),
            ),
            "limits, 600 requests a minute": (limiter(MemoryLimiterStore(), limits), limiter(state.limits, limits)),
            "refused key, looked for": (keys(MemoryKeyStore()), keys(state.refused_keys)),
            "health, noted": (health(MemoryHealthStore()), health(state.health)),
        }
        print(f"{'µs for the decisions of one call':<34} {'memory':>8} {'Redis':>8} {'trips':>6}")
        print(f"{'PING':<34} {'':>8} {measure(client.ping, calls):>8.1f} {1:>6}")
        for name, (in_memory, in_redis) in rows.items():
            in_redis()
            took, trips = measure(in_redis, calls), commands(client, in_redis)
            print(f"{name:<34} {measure(in_memory, calls):>8.2f} {took:>8.1f} {trips:>6}")


if __name__ == "__main__":
    main()
