"""Calls of somebody's own app, with every HTTP client in it reaching the simulated providers, in virtual time."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from contextvars import copy_context
from typing import Any, Self, TypeVar

from llmtest.clock import VirtualClock, virtual_time
from llmtest.conduct import returned_by
from llmtest.errors import HarnessError
from llmtest.events import CallEnded, CallStarted, LogicalCall, Returned, current_call
from llmtest.scenarios._arrivals import Arrival
from llmtest.scenarios._prompts import answer_size, answer_target, prompt_text
from llmtest.scenarios._spec import Scenario
from llmtest.scenarios._target import dummy_keys, import_target, is_async
from llmtest.simulation import World, intercept

__all__ = ["TargetCalls"]

T = TypeVar("T")
MOST_THREADS = 256
"""Calls of a blocking target that can be under way at a time; more wait for a thread."""


class TargetCalls:
    """Makes the calls of a run.

    Args:
        scenario: A scenario with a target.
        world: Its providers and faults.
        clock: The clock of the run.
        seed: Seed of the global `random`, which SDKs draw their jitter from.
    """

    def __init__(self, scenario: Scenario, world: World, clock: VirtualClock, seed: int) -> None:
        assert scenario.target is not None
        self._name = scenario.target
        self._path = scenario.path
        self._label = scenario.target.partition(":")[2]
        self._world = world
        self._clock = clock
        self._seed = seed
        self._ask: Callable[[str], Coroutine[Any, Any, Any]] | None = None
        for spec in scenario.providers:
            if spec.plays is not None:
                continue
            world.provider(spec.name).replies(answer_target if spec.answer is None else spec.answer, times=None)

    @contextmanager
    def installed(self) -> Iterator[Self]:
        """Put the process into the scenario's world while the context is open, and import the target there."""
        with ExitStack() as stack:
            stack.enter_context(dummy_keys())
            target = import_target(self._name, self._path)
            stack.enter_context(
                virtual_time(
                    self._clock,
                    seed=self._seed,
                    label=f"the scenario of `{self._name}`",
                    on_error=self._record,
                )
            )
            stack.enter_context(intercept(self._world))
            if is_async(target):
                self._ask = target
            else:
                pool = stack.enter_context(ThreadPoolExecutor(MOST_THREADS, thread_name_prefix="target"))
                self._ask = _in_thread(target, pool)
            yield self

    def _record(self, error: HarnessError) -> None:
        self._world.record_harness_error(error)

    async def call(self, arrival: Arrival) -> None:
        """Ask the target once, and tell the trace."""
        assert self._ask is not None
        trace, clock, label = self._world.trace, self._clock, self._label
        call = trace.next_call(label)
        current_call.set(call)
        answer_size.set(max(1, arrival.output_tokens))
        start_ns = clock.now_ns()
        trace.append(CallStarted(start_ns, call.id, label))
        outcome, returned = "cancelled", None
        try:
            value = await self._ask(prompt_text(arrival.input_tokens))
            outcome, returned = "ok", returned_by(value)
        except HarnessError as error:  # Recorded where it arose; it ends the run.
            outcome = type(error).__name__
        except Exception as error:  # noqa: BLE001 - whatever the app raises is a failed call, not the run's failure
            outcome = type(error).__name__
        finally:
            self._end(call, start_ns, outcome, returned)

    def _end(self, call: LogicalCall, start_ns: int, outcome: str, returned: Returned | None) -> None:
        now = self._clock.now_ns()
        end = CallEnded(now, call.id, call.label, outcome, None, None, start_ns, returned=returned)
        self._world.trace.append(end)


def _in_thread(target: Callable[[str], Any], pool: ThreadPoolExecutor) -> Callable[[str], Coroutine[Any, Any, Any]]:
    async def ask(prompt: str) -> Any:
        context = copy_context()
        return await asyncio.get_running_loop().run_in_executor(pool, context.run, target, prompt)

    return ask
