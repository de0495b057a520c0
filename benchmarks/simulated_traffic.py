"""Simulated traffic through the full chain on the direct path: calls per second, an hour of conversation, memory.

    python benchmarks/simulated_traffic.py [--short]

The chain has every policy: budget, fallback, circuit breaker, retry, timeouts. Bars (one core): at least 15,000 calls
per second; the Azure conv hour in under 2 s; 1,000,000 calls in under 300 MB. Times are the processor's, of the fastest
of several runs, so that they repeat on a machine that others use as well.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
from pathlib import Path
from time import process_time

TRACE = Path(__file__).parents[2] / "shared" / "traces" / "AzureLLMInferenceTrace_conv.csv"
CALLS = 2_500
"""Calls of one round: short enough for some rounds to pass undisturbed."""

SCENARIO = """
version: 1
name: benchmark
providers:
  openai: {{model: gpt-4o, latency: {{total: 200ms}}}}
  anthropic: {{model: claude-sonnet-4-5}}
chain:
  retry: {{max_attempts: 3}}
  circuit_breaker: {{failure_threshold: 3, cooldown_secs: 30}}
  timeouts: {{read: 60s, total: 120s}}
  providers: [{{provider: openai}}, {{provider: anthropic}}]
budget: {{max_cost_per_day: 1000000}}
load: {load}
"""


def run(load: str, rounds: int) -> dict[str, float]:
    """Run a load several times in this process and return what the fastest took."""
    from llmtest.scenarios import load_scenario, run_scenario

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "benchmark.yaml"
        path.write_text(SCENARIO.format(load="{rate: 5/s, max_calls: 200}"))
        run_scenario(load_scenario(path))  # imports and price tables
        path.write_text(SCENARIO.format(load=load))
        scenario = load_scenario(path)
        seconds = float("inf")
        for _ in range(rounds):
            start = process_time()
            result = run_scenario(scenario)
            seconds = min(seconds, process_time() - start)
            assert result.succeeded == result.calls
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1 << 20 if sys.platform == "darwin" else 1 << 10)
    return {"calls": result.calls, "seconds": seconds, "peak_mb": peak}


def measured(load: str, rounds: int = 1) -> dict[str, float]:
    """Run a load in a fresh process and return what it took."""
    command = [sys.executable, __file__, "--load", load, "--rounds", str(rounds)]
    done = subprocess.run(command, check=True, capture_output=True, text=True, env=os.environ)
    found: dict[str, float] = json.loads(done.stdout)
    return found


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--short", action="store_true", help="fewer calls")
    parser.add_argument("--load", help=argparse.SUPPRESS)
    parser.add_argument("--rounds", type=int, default=1, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.load:
        print(json.dumps(run(options.load, options.rounds)))
        return
    speed = measured(f"{{rate: 50/s, max_calls: {CALLS}}}", 20 if options.short else 60)
    print(f"calls per second, open load       {speed['calls'] / speed['seconds']:>10,.0f}   bar: at least 15,000")
    if TRACE.is_file():
        hour = measured(f"{{trace: {TRACE}}}", 2 if options.short else 5)
        print(f"the Azure conv hour, seconds      {hour['seconds']:>10.2f}   bar: under 2")
    else:
        print("the Azure conv hour: skipped, ../shared/traces is missing")
    million = 100_000 if options.short else 1_000_000
    memory = measured(f"{{rate: 50/s, max_calls: {million}}}")
    print(f"peak memory of {million:>9,} calls, MB {memory['peak_mb']:>9.0f}   bar: under 300 for 1,000,000")


if __name__ == "__main__":
    main()
