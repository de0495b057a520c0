"""The health of a chain: what its calls go by, and what an application asks it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from llmtest.clock import active_clock, run_blocking
from llmtest.errors import ConfigurationError, HarnessError
from llmtest.resilience.fallback._start_slots import slot_names
from llmtest.resilience.health._health_config import HealthConfig
from llmtest.resilience.health._memory_health import MemoryHealthStore
from llmtest.resilience.health._prober import Prober
from llmtest.resilience.health._slot_health import SlotHealth, SlotReport
from llmtest.resilience.health._watch import Watches
from llmtest.resilience.pipeline._sync_async import ASYNC, BLOCKING

if TYPE_CHECKING:
    from llmtest.clock import Clock
    from llmtest.costs import Prices
    from llmtest.resilience.health._health_store import HealthStore
    from llmtest.resilience.pipeline._layers import AskCall, AskPlace, Result
    from llmtest.resilience.pipeline._pipeline import Pipeline
    from llmtest.resilience.pipeline._running_call import RunningCall
    from llmtest.resilience.pipeline._running_slot import RunningSlot

__all__ = ["ChainHealth", "with_health"]

NS = 1_000_000_000
logger = logging.getLogger("llmtest.resilience")


def with_health(
    config: HealthConfig | None,
    pipeline: Pipeline,
    chain: str,
    places: Sequence[RunningSlot],
    store: HealthStore | None = None,
) -> tuple[ChainHealth | None, Pipeline]:
    """Return the health of a chain, and what stands around its calls with that outermost: a call has probes sent.

    Args:
        config: How it is told.
        pipeline: What stands around its calls so far.
        chain: Its name.
        places: Its places.
        store: Where it is kept, if the settings do not say.

    Raises:
        ConfigurationError: It is no `HealthConfig`.
    """
    if config is None:
        return None, pipeline
    if not isinstance(config, HealthConfig):
        raise ConfigurationError(
            f"chain `{chain}`: `health` is a `HealthConfig`, not {config!r}.\n"
            "To fix: health=HealthConfig(interval=60.0)"
        )
    if config.store is None and store is not None:
        config = replace(config, store=store)
    health = ChainHealth(chain, config, places)
    return health, replace(pipeline, call_layers=(health, *pipeline.call_layers))


class ChainHealth:
    """The health of a chain's slots, as `chain.health` has it.

    Args:
        chain: Name of the chain.
        config: How it is told.
        places: Every place of the chain; one is not watched while its weight is 0.
    """

    kind = "health"

    def __init__(self, chain: str, config: HealthConfig, places: Sequence[RunningSlot]) -> None:
        self.chain = chain
        self.config = config
        store = MemoryHealthStore() if config.store is None else config.store
        names = slot_names([place.config for place in places])
        self._all = [SlotHealth(name, place, config, store) for name, place in zip(names, places, strict=True)]
        self._timeout_ns = round(config.timeout * NS)
        self._rest_ns = None if config.rest_after is None else round(config.rest_after * NS)
        self._watches = Watches()
        self._prober: Prober | None = None
        self._called_ns = self._looked_ns = self._next_ns = 0

    @property
    def _slots(self) -> list[SlotHealth]:
        """Those that calls go to now."""
        return [slot for slot in self._all if slot.place.weight]

    def asks_by(self, send: AskPlace, prices: Callable[[], Prices]) -> None:
        """Say how probes are sent, and what they cost."""
        self._prober = Prober(self.config, send, prices)

    def report(self) -> tuple[SlotReport, ...]:
        """Return what is known of each slot."""
        return tuple(slot.report() for slot in self._slots)

    def check(self) -> tuple[SlotReport, ...]:
        """Ask every slot now, one after the other, blocking; return what is known then.

        Each is charged as any probe is, and waits for `timeout` at most.
        """
        clock = active_clock()
        for slot in self._slots:
            run_blocking(self._asker.probe(slot, BLOCKING, clock))
        return self.report()

    async def check_async(self) -> tuple[SlotReport, ...]:
        """Ask every slot now, all at once, on the event loop; return what is known then."""
        clock = active_clock()
        for error in await asyncio.gather(*(self._ask(slot, clock) for slot in self._slots)):
            if error is not None:
                raise error
        return self.report()

    def close(self) -> None:
        """Send no more probes, and end what sends them; calls go on, and tell what they see. For good."""
        self._watches.close()

    async def aclose(self) -> None:
        """Do as `close`, and return when nothing of it runs any more on this event loop."""
        tasks = self._watches.close()
        if tasks:
            await asyncio.wait(tasks)

    @property
    def _asker(self) -> Prober:
        assert self._prober is not None, "a chain says how it is asked"
        return self._prober

    def slot(self, place: RunningSlot) -> SlotHealth:
        """Return the health of a place."""
        return self._all[place.index]

    def around(self, further: AskCall) -> AskCall:
        """Let calls see to it that probes are sent."""
        if not self.config.active:
            return further

        async def ask(call: RunningCall) -> Result:
            now_ns = self._called_ns = call.clock.now_ns()
            if not self._watches.is_closed:
                loop: Any = asyncio._get_running_loop() if call.parts.is_async else None  # noqa: SLF001 - see `_watch`
                if loop is not None:
                    self._watches.keep(loop, self)
                elif not self._looked_ns <= now_ns < self._next_ns:
                    await self._ask_one(call, now_ns)
            return await further(call)

        return ask

    async def _ask_one(self, call: RunningCall, now_ns: int) -> None:
        """Make one probe that is due, where nothing runs between the calls."""
        self._looked_ns = now_ns
        if call.deadline_ns is not None and call.deadline_ns - now_ns < 2 * self._timeout_ns:
            return
        for slot in sorted(self._slots, key=partial(_due, now_ns=now_ns)):
            if slot.due_ns(now_ns) > now_ns:
                break
            if await slot.claim(call.clock, on_loop=call.parts.is_async):
                await self._asker.probe(slot, call.parts, call.clock)
                break
        self._next_ns = self._next_due_ns(now_ns)

    def _next_due_ns(self, now_ns: int) -> int:
        return min(slot.due_ns(now_ns) for slot in self._slots)

    def wait_ns(self, now_ns: int) -> int | None:
        """Return how long until a probe is due; None where no more are sent for now."""
        if self._watches.is_closed or self._is_resting(now_ns):
            return None
        return max(0, self._next_due_ns(now_ns) - now_ns)

    def _is_resting(self, now_ns: int) -> bool:
        return self._rest_ns is not None and now_ns - self._called_ns >= self._rest_ns

    async def ask_due(self, clock: Clock) -> bool:
        """Make every probe that is due, all at once; return whether to go on."""
        if self._watches.is_closed or self._is_resting(clock.now_ns()):
            return False
        now_ns = clock.now_ns()
        slots = [slot for slot in self._slots if slot.due_ns(now_ns) <= now_ns]
        due = [slot for slot in slots if await slot.claim(clock, on_loop=True)]
        errors = await asyncio.gather(*(self._ask(slot, clock) for slot in due))
        return not any(errors)

    async def _ask(self, slot: SlotHealth, clock: Clock) -> HarnessError | None:
        """Make one probe; return the error of a test that is wrong, which is recorded and fails that test."""
        try:
            await self._asker.probe(slot, ASYNC, clock)
        except HarnessError as error:
            return error
        except Exception:
            logger.exception("the probe of `%s` failed in itself", slot.name)
        return None


def _due(slot: SlotHealth, *, now_ns: int) -> int:
    return slot.due_ns(now_ns)
