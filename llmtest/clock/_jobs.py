"""The jobs of a simulation in thread pools, so that time does not jump between submitting one and its start."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

_get_ident = threading.get_ident
_allocate_lock = threading.Lock


@dataclass(slots=True)
class PoolJobs:
    """Jobs in one pool: how many wait, and which threads are in one."""

    queued: int = 0
    workers: set[int] = field(default_factory=set)


class JobBook:
    """Counts the jobs of every pool."""

    def __init__(self) -> None:
        self._pools: dict[ThreadPoolExecutor, PoolJobs] = {}
        self._mutex = _allocate_lock()

    def queued(self, executor: ThreadPoolExecutor) -> None:
        """Note that a job was submitted."""
        with self._mutex:
            self._pools.setdefault(executor, PoolJobs()).queued += 1

    def started(self, executor: ThreadPoolExecutor) -> None:
        """Note, in the worker, that a job has been taken."""
        with self._mutex:
            pool = self._pools[executor]
            pool.queued -= 1
            pool.workers.add(_get_ident())

    def ended(self, executor: ThreadPoolExecutor) -> None:
        """Note, in the worker, that a job is done."""
        with self._mutex:
            self._pools[executor].workers.discard(_get_ident())

    def cancelled(self, executor: ThreadPoolExecutor) -> None:
        """Note that a job was cancelled before any worker took it."""
        with self._mutex:
            self._pools[executor].queued -= 1

    @property
    def are_queued(self) -> bool:
        """Whether a job waits for a worker."""
        with self._mutex:
            return any(pool.queued > 0 for pool in self._pools.values())

    def workers(self) -> set[int]:
        """Return the threads that are in a job."""
        with self._mutex:
            return {ident for pool in self._pools.values() for ident in pool.workers}

    def is_about_to_start(self, is_free: Callable[[int], bool]) -> bool:
        """Tell whether a job is queued that an idle worker will take.

        Args:
            is_free: Tells of a thread outside any job whether it will take one, and does not wait for its turn.
        """
        with self._mutex:
            pools = [(executor, set(pool.workers)) for executor, pool in self._pools.items() if pool.queued > 0]
        for executor, workers in pools:
            for thread in tuple(executor._threads):  # noqa: SLF001 - no public name tells the workers
                ident = thread.ident or 0
                if ident not in workers and is_free(ident):
                    return True
        return False
