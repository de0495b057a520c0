"""What a budget costs per call: estimate, reserve, settle, in memory and in SQLite; prices and ledgers beside it.

Run `python benchmarks/budget.py [--short]`; with a `redis-server` on the path, what a server nearby costs is measured.
The bar of reserve plus settle is 15 µs in memory and 150 µs in SQLite.
"""

import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from decimal import Decimal
from pathlib import Path

import redis

from llmtest import RedisBudgetStore, RedisLedgerStore
from llmtest.costs import Budget, BudgetConfig, CostLedger, Prices, SqliteBudgetStore, SqliteLedgerStore, count_tokens
from llmtest.types import CompletionRequest, Usage

MEMORY, SQLITE = "reserve + settle, in memory, 4 limits", "reserve + settle, in SQLite"
BARS = {MEMORY: 15.0, SQLITE: 150.0}
LIMITS = BudgetConfig(
    max_tokens_per_session=10**12, max_cost_per_session=10**9, max_tokens_per_day=10**12, max_cost_per_day=10**9
)
REQUEST = CompletionRequest.ask("What is the capital of France?", model="gpt-4o").with_max_tokens(100)
USAGE = Usage(12, 40)
COST = Decimal("0.00043")


def measure(work: Callable[[], object], calls: int) -> float:
    """Return the best of fifty short rounds, in microseconds per call: a busy machine spoils some of them, not all."""
    work()
    rounds = []
    calls //= 50
    for _ in range(50):
        start = time.perf_counter()
        for _ in range(calls):
            work()
        rounds.append((time.perf_counter() - start) / calls * 1e6)
    return min(rounds)


@contextmanager
def redis_server() -> Iterator[str | None]:
    """Start a server on a free port, where there is one to be started; give its URL."""
    binary = shutil.which("redis-server")
    if binary is None:
        yield None
        return
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    command = [binary, "--port", str(port), "--save", "", "--bind", "127.0.0.1"]
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    try:
        for _ in range(100):
            with suppress(OSError), socket.create_connection(("127.0.0.1", port)):
                break
            time.sleep(0.05)
        yield f"redis://127.0.0.1:{port}/0"
    finally:
        server.terminate()
        server.wait()


def on_redis(url: str, few: int) -> list[tuple[str, float]]:
    """Return what a budget and a ledger on a server cost, beside a bare round trip."""
    with RedisBudgetStore(url) as store, RedisLedgerStore(url) as entries:
        budget, ledger = Budget(LIMITS, store=store), CostLedger(store=entries)
        estimate = budget.estimate(REQUEST, "openai")
        client = redis.Redis.from_url(url)
        rows: list[tuple[str, Callable[[], object]]] = [
            ("reserve + settle, in Redis (2 round trips)", lambda: budget.reserve(estimate).settle(USAGE)),
            ("CostLedger.record, in Redis", lambda: ledger.record("openai", "gpt-4o", USAGE, COST)),
            ("a bare round trip to Redis", client.ping),
        ]
        results = [(name, measure(work, few)) for name, work in rows]
        client.close()
    return results


def main() -> None:
    """Print the table."""
    calls = 10_000 if "--short" in sys.argv else 50_000
    few = max(calls // 50, 100)
    prices = Prices()
    budget = Budget(LIMITS, prices=prices)
    estimate = budget.estimate(REQUEST, "openai")
    ledger = CostLedger(keep=False)
    with tempfile.TemporaryDirectory() as folder:
        store = SqliteBudgetStore(Path(folder) / "budget.db")
        entries = SqliteLedgerStore(Path(folder) / "costs.db")
        kept = CostLedger(store=entries)
        filed = Budget(LIMITS, prices=prices, store=store)
        rows: list[tuple[str, Callable[[], object], int]] = [
            (MEMORY, lambda: budget.reserve(estimate).settle(USAGE), calls),
            ("reserve + settle, price given", lambda: budget.reserve(estimate).settle(USAGE, cost_usd=COST), calls),
            ("reserve + release", lambda: budget.reserve(estimate).release(), calls),
            ("estimate of a request", lambda: budget.estimate(REQUEST, "openai"), calls),
            (SQLITE, lambda: filed.reserve(estimate).settle(USAGE), few),
            ("Prices.cost", lambda: prices.cost("openai", "gpt-4o", USAGE), calls),
            ("CostLedger.record", lambda: ledger.record("openai", "gpt-4o", USAGE, COST), calls),
            ("CostLedger.record, in SQLite", lambda: kept.record("openai", "gpt-4o", USAGE, COST), few),
            ("count_tokens", lambda: count_tokens("What is the capital of France?"), calls),
        ]
        results = [(name, measure(work, count)) for name, work, count in rows]
        with redis_server() as url:
            results += [] if url is None else on_redis(url, few)
        store.close()
        entries.close()
    print(f"{'budget':<42} {'µs/call':>9}   bar")
    for name, duration in results:
        most = BARS.get(name)
        bar = "" if most is None else f"< {most:g}  {'ok' if duration < most else 'MISSED'}"
        print(f"{name:<42} {duration:>9.2f}   {bar}".rstrip())


if __name__ == "__main__":
    main()
