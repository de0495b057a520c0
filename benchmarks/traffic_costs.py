"""`llmtest costs`: how long it takes to price a million calls of an event file, as they were and on another model.

    python benchmarks/traffic_costs.py [--short]

Bar: 1,000,000 calls in under 10 s, in memory that does not grow with them. Times are the processor's, of the command as
it is run, so that they repeat on a machine that others use as well. No two calls have the same tokens or times.
"""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys
import tempfile
from decimal import Decimal
from pathlib import Path
from typing import Any

from llmtest.events import RequestAnswered, RequestReceived
from llmtest.reporting import EventFile
from llmtest.types import Usage

MODELS = (
    ("openai", "gpt-4o"),
    ("anthropic", "claude-sonnet-4-5"),
    ("openai", "gpt-5-mini"),
    ("google", "gemini-2.5-flash"),
)
WAYS = (
    ("as they were, by model", ("--by", "model")),
    ("as they were, by hour", ("--by", "hour")),
    ("on another model", ("--as", "openai:gpt-5-mini")),
    ("with a prompt cache", ("--as", "openai:gpt-5-mini", "--caching", "80%")),
)


def write_run(path: Path, calls: int) -> None:
    """Write an event file with so many calls."""
    with EventFile(path) as file:
        for number in range(1, calls + 1):
            provider, model = MODELS[number % len(MODELS)]
            at_ns = number * 10_000_000
            facts: dict[str, Any] = {"call": number, "exchange": number, "provider": provider, "model": model}
            file.write(RequestReceived(at_ns=at_ns, operation="chat", stream=False, **facts))
            file.write(
                RequestAnswered(
                    at_ns=at_ns + 5,
                    start_ns=at_ns,
                    outcome="200",
                    usage=Usage(1000 + number, number % 997),
                    billed=True,
                    cost_usd=Decimal("0.0000035") * (number % 1009),
                    metadata=(("team", str(number % 7)),),
                    **facts,
                )
            )
        file.end(calls / 100)


def measured(path: Path, *options: str) -> tuple[float, float]:
    """Run the command and return its seconds of processor time and its peak of memory in MB."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    command = [sys.executable, "-m", "llmtest", "costs", str(path), *options]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, env=os.environ)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    seconds = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return seconds, after.ru_maxrss / (1 << 20 if sys.platform == "darwin" else 1 << 10)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--short", action="store_true", help="fewer calls")
    calls = 50_000 if parser.parse_args().short else 1_000_000
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "run.jsonl"
        write_run(path, calls)
        print(f"{calls:,} calls, {path.stat().st_size / 1e6:,.0f} MB of events{'':18} seconds   peak MB")
        for name, options in WAYS:
            seconds, peak = measured(path, *options)
            print(f"{name:45} {seconds:10.2f} {peak:9.0f}   bar: under 10 s for 1,000,000")


if __name__ == "__main__":
    main()
