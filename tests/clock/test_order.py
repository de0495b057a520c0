"""Set order is taken out of chance: every process sees the same history."""

import asyncio
import subprocess
import sys

import anyio
import pytest

from llmtest.clock import run_virtual
from llmtest.clock._order import OrderedSet

HISTORY = """
import asyncio, random, sys, threading, time
import anyio
from llmtest.clock import run_virtual, virtual_time

log = []

async def worker(name, seconds):
    try:
        await asyncio.sleep(seconds)
        return name
    finally:
        log.append(name)

async def anyio_worker(name):
    try:
        await anyio.sleep(60)
    finally:
        log.append(name)

async def main():
    tasks = [asyncio.create_task(worker(f"w{n}", 1 + n % 3)) for n in range(20)]
    done, pending = await asyncio.wait(tasks, timeout=2)
    log.append([task.get_name() for task in done] + [task.get_name() for task in pending])
    log.append([await future for future in asyncio.as_completed([worker(f"c{n}", n % 2) for n in range(12)])])
    try:
        async with asyncio.TaskGroup() as group:
            for n in range(12):
                group.create_task(worker(f"g{n}", 60))
            await asyncio.sleep(1)
            raise ValueError
    except* ValueError:
        pass
    with anyio.move_on_after(1):
        async with anyio.create_task_group() as outer:
            for n in range(8):
                outer.start_soon(anyio_worker, f"a{n}")
            async with anyio.create_task_group() as inner:
                for n in range(8):
                    inner.start_soon(anyio_worker, f"i{n}")
    rest = [asyncio.create_task(worker(f"r{n}", 60)) for n in range(12)]
    await asyncio.sleep(0)
    for task in asyncio.all_tasks():
        if task is not asyncio.current_task():
            task.cancel()
    await asyncio.gather(*rest, return_exceptions=True)

run_virtual(main())
with virtual_time(seed=4) as clock:
    asyncio.run(main())
    def thread(name):
        for _ in range(5):
            time.sleep(random.choice((1, 2)))
            log.append((name, clock.elapsed()))
    threads = [threading.Thread(target=thread, args=(n,)) for n in range(6)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
print(log)
"""


def test_two_processes_see_the_same_history():
    """Wait results, completion order, group cancellation, anyio scopes and threads do not depend on addresses."""
    histories = {
        subprocess.run(
            [sys.executable, "-c", HISTORY],
            capture_output=True,
            text=True,
            check=True,
            env={"PYTHONHASHSEED": seed, "PATH": "", "PYTHONPATH": ":".join(sys.path)},
        ).stdout
        for seed in ("1", "2", "3")
    }
    assert len(histories) == 1
    assert len(next(iter(histories))) > 1000


def test_sets_are_stock_again_afterwards():
    """Nothing of it stays in asyncio or anyio."""

    async def main():
        scope = anyio.CancelScope()
        return type(scope._child_scopes), "set" in vars(asyncio.tasks), type(scope).__init__

    inside = run_virtual(main())
    outside = asyncio.run(main())
    assert inside[:2] == (OrderedSet, True)
    assert outside[:2] == (set, False)
    assert inside[2] is not outside[2]


def test_tasks_are_numbered_within_their_loop():
    """Names in messages do not depend on the tests that ran before."""

    async def main():
        named = asyncio.create_task(asyncio.sleep(0), name="mine")
        unnamed = asyncio.create_task(asyncio.sleep(0))
        await asyncio.wait([named, unnamed])
        assert named != unnamed
        return [named.get_name(), unnamed.get_name()]

    assert run_virtual(main()) == ["mine", "Task-3"]
    assert run_virtual(main()) == ["mine", "Task-3"]


def test_completion_still_accepts_what_it_did():
    """Duplicates count once, and `wait` refuses coroutines."""

    async def answer(value):
        return value

    async def main():
        task = asyncio.create_task(answer(1))
        assert [await future for future in asyncio.as_completed([task, task, answer(2)])] == [1, 2]
        coroutine = answer(3)
        with pytest.raises(TypeError, match="Passing coroutines is forbidden"):
            await asyncio.wait([coroutine])
        coroutine.close()

    run_virtual(main())


def test_an_ordered_set_keeps_insertion_order():
    """It has the methods of a set that anyio uses."""
    items = OrderedSet([3, 1])
    items.add(2)
    items.add(3)
    copy = items.copy()
    items.discard(1)
    items.remove(3)
    assert (list(items), list(copy), 2 in items, len(copy)) == ([2], [3, 1, 2], True, 3)
