"""How many sleeps a second the virtual loop does, beside simpy, aiotools and looptime, measured in one run.

Prints a table of sleeps per second and the ratios of design section 4. `--short` measures less.
"""

import argparse
import asyncio
import gc
import sys
from collections.abc import Callable, Generator
from time import process_time

from llmtest.clock import active_clock, run_virtual, virtual_time

TASKS = 1000


def delay_of(number: int) -> float:
    """Return how long a task sleeps each time: no two tasks wake at the same instant, as in real traffic."""
    return 1 + number / 1024


async def sleep_through_asyncio(sleeps: int) -> None:
    """Let every task sleep through asyncio."""

    async def task(delay: float) -> None:
        for _ in range(sleeps):
            await asyncio.sleep(delay)

    await asyncio.gather(*(task(delay_of(number)) for number in range(TASKS)))


def run_ours(sleeps: int) -> None:
    """Run on the virtual loop."""
    run_virtual(sleep_through_asyncio(sleeps))


def run_installed(sleeps: int) -> None:
    """Run on the virtual loop of an installed simulation."""
    with virtual_time():
        asyncio.run(sleep_through_asyncio(sleeps))


def run_direct(sleeps: int) -> None:
    """Run on the virtual loop, sleeping through the clock."""

    async def task(delay_ns: int) -> None:
        clock = active_clock()
        for _ in range(sleeps):
            await clock.sleep_async_ns(delay_ns)

    async def main() -> None:
        await asyncio.gather(*(task(round(delay_of(number) * 1e9)) for number in range(TASKS)))

    run_virtual(main())


def run_simpy(sleeps: int) -> None:
    """Run generators on simpy."""
    import simpy

    environment = simpy.Environment()

    def process(delay: float) -> Generator[simpy.Event, object, None]:
        for _ in range(sleeps):
            yield environment.timeout(delay)

    for number in range(TASKS):
        environment.process(process(delay_of(number)))
    environment.run()


def run_aiotools(sleeps: int) -> None:
    """Run asyncio under the clock of aiotools."""
    import aiotools

    async def main() -> None:
        with aiotools.VirtualClock().patch_loop():
            await sleep_through_asyncio(sleeps)

    asyncio.run(main())


def run_looptime(sleeps: int) -> None:
    """Run asyncio on the loop of looptime."""
    import looptime

    loop = looptime.new_event_loop()
    try:
        loop.run_until_complete(sleep_through_asyncio(sleeps))
    finally:
        loop.close()


ENGINES: tuple[tuple[str, Callable[[int], None], float | None], ...] = (
    ("llmtest, asyncio.sleep", run_ours, None),
    ("llmtest, asyncio.sleep, installed", run_installed, None),
    ("llmtest, clock.sleep_async_ns", run_direct, None),
    ("simpy", run_simpy, 0.18),
    ("aiotools", run_aiotools, 1.5),
    ("looptime", run_looptime, 40.0),
)
"""Name, runner, and the least ratio of the first engine to this one (design, section 4)."""


def measure(sleeps: int, repeats: int) -> dict[str, float]:
    """Return each engine's best rate, in sleeps per second of processor time, which other programs do not slow.

    The engines take turns, so that a slow minute of the machine hits them all.
    """
    best: dict[str, float] = {}
    for _ in range(repeats):
        for name, run, _ in ENGINES:
            count = 1 if run is run_looptime else sleeps
            gc.collect()  # nobody pays for the garbage of the engine before
            start = process_time()
            try:
                run(count)
            except ImportError as error:
                print(f"{name} is left out: {error}. To fix: pip install -e '.[bench]'")
                continue
            best[name] = max(best.get(name, 0.0), count * TASKS / (process_time() - start))
    return best


def main() -> None:
    """Measure, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--short", action="store_true", help="a tenth of the work")
    sleeps, repeats = (10, 3) if parser.parse_args().short else (50, 6)
    print(f"{TASKS:,} tasks, {sleeps} sleeps each, best of {repeats}, CPython {sys.version.split()[0]}\n")
    rates = measure(sleeps, repeats)
    ours = rates[ENGINES[0][0]]
    print(f"{'engine':<36}{'sleeps/s':>12}{'ours / it':>11}{'bar':>7}")
    for name, _, least in ENGINES:
        if name not in rates:
            continue
        below = least is not None and ours / rates[name] < least
        verdict = "" if least is None else f"{least:>7g}{'  below' if below else ''}"
        print(f"{name:<36}{rates[name]:>12,.0f}{ours / rates[name]:>11.2f}{verdict}")


if __name__ == "__main__":
    main()
