"""Summarise the texts of a folder under a budget; run it again to go on where it stopped."""

import argparse
import asyncio
import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from llmtest import (
    AnthropicProvider,
    AsyncLLMClient,
    Budget,
    BudgetConfig,
    CircuitBreakerConfig,
    CompletionRequest,
    FallbackChain,
    OpenAIProvider,
    Provider,
    RetryConfig,
    TimeoutConfig,
    errors,
)
from llmtest.costs import SqliteBudgetStore

SYSTEM = "Summarise the text in two sentences."
MOST_TOKENS = 150
AT_A_TIME = 8
BUDGET_SPENT = 3
"""Exit code of a run that the budget ended."""


@dataclass
class Report:
    """What became of a run."""

    done: int = 0
    failed: dict[str, str] = field(default_factory=dict)
    left: int = 0
    """Texts that the budget left for another day."""


def make_chain(providers: Sequence[Provider], budget: Budget) -> FallbackChain:
    """Return the providers in order, with the policies of a job that is in no hurry."""
    return FallbackChain(
        providers,
        retry=RetryConfig(max_attempts=4, base_delay=2.0, max_delay=60.0),
        circuit_breaker=CircuitBreakerConfig(failure_threshold=5, recovery_timeout=60.0),
        timeouts=TimeoutConfig(total=60.0, deadline=600.0),
        budget=budget,
    )


class Job:
    """Summarises texts, a few at a time, and writes each summary down as soon as it is there.

    Args:
        client: Who answers; its chain has the budget.
        results: File of the results, one JSON object a line.
        at_a_time: Most calls under way at once.
    """

    def __init__(self, client: AsyncLLMClient, results: Path, at_a_time: int = AT_A_TIME) -> None:
        self._client = client
        self._results = results
        self._slots = asyncio.Semaphore(at_a_time)
        self._is_spent = False
        self._report = Report()

    async def run(self, texts: Sequence[Path]) -> Report:
        """Summarise what has no result yet."""
        done = names_in(self._results)
        async with asyncio.TaskGroup() as group:
            for path in texts:
                if path.name not in done:
                    group.create_task(self._summarise(path))
        return self._report

    async def _summarise(self, path: Path) -> None:
        async with self._slots:
            if self._is_spent:
                self._report.left += 1
                return
            text = await asyncio.to_thread(path.read_text, encoding="utf-8")
            request = CompletionRequest.ask(text, system=SYSTEM).with_max_tokens(MOST_TOKENS)
            try:
                response = await self._client.complete(request)
            except errors.BudgetExceededError:
                self._is_spent = True  # what is under way is paid for, and ends; nothing new begins
                self._report.left += 1
            except errors.LLMTestError as error:
                self._report.failed[path.name] = f"{type(error).__name__}: {error}"
            else:
                self._write({"name": path.name, "summary": response.content, "provider": response.provider})
                self._report.done += 1

    def _write(self, result: dict[str, str | None]) -> None:
        with self._results.open("a", encoding="utf-8") as file:
            file.write(json.dumps(result, ensure_ascii=False) + "\n")


def names_in(results: Path) -> set[str]:
    """Return what has a result already."""
    if not results.exists():
        return set()
    return {json.loads(line)["name"] for line in results.read_text(encoding="utf-8").splitlines()}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the job from the command line and return its exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, help="folder of *.txt")
    parser.add_argument("results", type=Path, help="file of the results, one JSON object a line")
    parser.add_argument("--usd-per-day", default="1.00", help="budget of a UTC day (default %(default)s)")
    given = parser.parse_args(arguments)
    texts = sorted(given.folder.glob("*.txt"))
    with SqliteBudgetStore(given.results.with_suffix(".budget")) as store:
        budget = Budget(BudgetConfig(max_cost_per_day=given.usd_per_day), store=store)
        chain = make_chain([OpenAIProvider.from_env(), AnthropicProvider.from_env()], budget)
        report = asyncio.run(Job(AsyncLLMClient(chain), given.results).run(texts))
        spent = budget.balance("day").spent_usd
    print(f"{report.done} done, {len(report.failed)} failed, {report.left} left; ${spent:f} spent today")
    for name, error in report.failed.items():
        print(f"  {name}: {error}", file=sys.stderr)
    return BUDGET_SPENT if report.left else 1 if report.failed else 0


if __name__ == "__main__":
    sys.exit(main())
