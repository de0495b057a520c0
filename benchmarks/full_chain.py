"""What a call through the full chain costs, beside litellm's Router, measured in one run.

Run `python benchmarks/full_chain.py [--short]`. The full chain is metrics, budget, fallback, breaker, retry and timeout
over a simulated provider that is reached directly; the simulation's own share is in the figure. litellm answers from
`mock_response`, so that neither side does any I/O. It needs an environment of its own (it pins another openai), whose
python is named by `LLMTEST_LITELLM_PYTHON`; without it that row is left out.

All times are of the processor, because these machines are shared.

Bars (design section 4): at most 60 µs a call, at least 50 times faster than litellm, at least 15,000 calls a second.
"""

import argparse
import asyncio
import os
import subprocess
from collections.abc import Callable, Coroutine
from time import process_time
from typing import Any

from llmtest.clock import VirtualClock, run_virtual
from llmtest.costs import Budget, BudgetConfig
from llmtest.events import Trace, subscribed
from llmtest.resilience import FallbackChain
from llmtest.simulation import World
from llmtest.types import CompletionRequest, Provider

MOST_US = 60.0
LEAST_RATIO = 50.0
LEAST_PER_SECOND = 15_000
REQUEST = CompletionRequest.ask("Capital of France?")
LITELLM = """
import asyncio, sys, time
import litellm
litellm.suppress_debug_info = True
router = litellm.Router(
    model_list=[
        {"model_name": "main", "litellm_params": {"model": "openai/gpt-4o", "api_key": "k", "mock_response": "Paris"}},
        {"model_name": "spare", "litellm_params": {
            "model": "anthropic/claude-sonnet-4-5", "api_key": "k", "mock_response": "Paris"}},
    ],
    fallbacks=[{"main": ["spare"]}], num_retries=2, timeout=30,
)
async def run(calls):
    for _ in range(calls):
        await router.acompletion(model="main", messages=[{"role": "user", "content": "Capital of France?"}])
async def main(calls):
    await run(20)
    rounds = []
    for _ in range(3):
        start = time.process_time()
        await run(calls)
        rounds.append((time.process_time() - start) / calls)
    print("SECONDS", min(rounds))
asyncio.run(main(int(sys.argv[1])))
"""


class Bench:
    """A world with two providers, and chains over them."""

    def __init__(self) -> None:
        self.clock = VirtualClock()
        self.trace = Trace(keep=False)
        world = World(self.clock, self.trace)
        world.keep_requests = False
        self.first = world.provider("openai").replies("Paris", times=None).as_provider(model="gpt-4o")
        self.second = world.provider("anthropic").replies("Paris", times=None).as_provider(model="claude-sonnet-4-5")

    def measure(self, calls: int, work: Callable[[int], Coroutine[Any, Any, None]]) -> float:
        """Return the best of three rounds, in seconds per call."""
        with subscribed(self.trace.append, number_call=self.trace.next_call):
            run_virtual(work(calls // 10), self.clock)
            rounds = []
            for _ in range(3):
                start = process_time()
                run_virtual(work(calls), self.clock)
                rounds.append((process_time() - start) / calls)
        return min(rounds)

    def one_by_one(self, provider: Provider) -> Callable[[int], Coroutine[Any, Any, None]]:
        """Ask again and again."""

        async def work(calls: int) -> None:
            for _ in range(calls):
                await provider.complete_async(REQUEST)

        return work

    def streamed(self, provider: Provider) -> Callable[[int], Coroutine[Any, Any, None]]:
        """Ask for streams, and read them to their end."""

        async def work(calls: int) -> None:
            for _ in range(calls):
                async for _ in provider.stream_async(REQUEST):
                    pass

        return work

    def blocking(self, provider: Provider) -> Callable[[int], Coroutine[Any, Any, None]]:
        """Ask in blocking code."""

        async def work(calls: int) -> None:
            for _ in range(calls):
                provider.complete(REQUEST)

        return work

    def at_once(self, provider: Provider) -> Callable[[int], Coroutine[Any, Any, None]]:
        """Let a hundred tasks ask at once."""

        async def work(calls: int) -> None:
            share = self.one_by_one(provider)
            await asyncio.gather(*(share(calls // 100) for _ in range(100)))

        return work


def litellm_seconds(calls: int) -> float | None:
    """Return what a call of litellm's Router takes; None where there is no environment for it."""
    python = os.environ.get("LLMTEST_LITELLM_PYTHON")
    if not python:
        return None
    environment = {**os.environ, "LITELLM_LOCAL_MODEL_COST_MAP": "True", "LITELLM_LOG": "ERROR"}
    result = subprocess.run(
        [python, "-c", LITELLM, str(calls)], capture_output=True, text=True, check=True, env=environment
    )
    return float(result.stdout.rpartition("SECONDS")[2])


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--short", action="store_true", help="measure less")
    short = parser.parse_args().short
    calls = 2_000 if short else 20_000
    bench = Bench()
    chain = FallbackChain([bench.first, bench.second])
    budget = Budget(BudgetConfig(max_cost_per_day=10**9))
    full = FallbackChain([bench.first, bench.second], budget=budget)
    rows = [
        ("simulated provider alone", bench.one_by_one(bench.first)),
        ("chain without budget", bench.one_by_one(chain)),
        ("full chain", bench.one_by_one(full)),
        ("full chain, blocking", bench.blocking(full)),
        ("full chain, 100 tasks at once", bench.at_once(full)),
        ("full chain, streamed", bench.streamed(full)),
    ]
    taken = {name: bench.measure(calls, work) for name, work in rows}
    peer = litellm_seconds(50 if short else 300)
    print(f"{'a call through':<32} {'µs/call':>9} {'calls/s':>9}")
    for name, seconds in taken.items():
        print(f"{name:<32} {seconds * 1e6:>9.1f} {1 / seconds:>9,.0f}")
    seconds = taken["full chain"]
    print(
        f"\nfull chain: {seconds * 1e6:.1f} µs (bar {MOST_US:g}), {1 / seconds:,.0f} calls/s (bar {LEAST_PER_SECOND:,})"
    )
    if peer is None:
        print("litellm: not measured; set LLMTEST_LITELLM_PYTHON to the python of an environment that has it")
        return
    ratio = peer / seconds
    print(f"litellm Router.acompletion: {peer * 1e6:,.0f} µs, so the ratio is {ratio:.0f} (bar {LEAST_RATIO:g})")


if __name__ == "__main__":
    main()
