"""What a budget costs per call: estimate, reserve, settle, in memory and in SQLite; prices and ledgers beside it.

Run `python benchmarks/budget.py [--short]`. The bar of reserve plus settle is 15 µs in memory and 150 µs in
SQLite.
"""

import sys
import tempfile
import time
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

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
        store.close()
        entries.close()
    print(f"{'budget':<42} {'µs/call':>9}   bar")
    for name, duration in results:
        most = BARS.get(name)
        bar = "" if most is None else f"< {most:g}  {'ok' if duration < most else 'MISSED'}"
        print(f"{name:<42} {duration:>9.2f}   {bar}".rstrip())


if __name__ == "__main__":
    main()
