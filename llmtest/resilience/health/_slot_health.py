"""The health of one slot: what is told of it becomes a state, events and alerts."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, cast

from llmtest.events import HealthChanged, HealthSource, HealthState, current_call, publish
from llmtest.resilience.health._alerts import Alerts
from llmtest.resilience.health._criterion import Finding
from llmtest.resilience.health._health_store import HealthReading, HealthRules, HealthStore, RemoteHealth

if TYPE_CHECKING:
    from llmtest.clock import Clock
    from llmtest.resilience.health._health_config import HealthConfig
    from llmtest.resilience.pipeline._running_slot import RunningSlot

__all__ = ["SlotHealth", "SlotReport"]

NS = 1_000_000_000
ZERO = Decimal(0)
NEWS = 4
"""A success that tells nothing new is noted so many times an interval at most: that is all the next probe goes by."""
logger = logging.getLogger("llmtest.resilience")


@dataclass(frozen=True, slots=True)
class SlotReport:
    """What is known of a slot's health.

    Args:
        name: Its name, as its circuit has it.
        provider: Its provider.
        model: The provider's model, where it has one of its own.
        state: `healthy` or `unhealthy`.
        failures: In a row, up to now.
        successes: In a row, up to now; successes of calls that told nothing new are not all counted.
        last_failure: Outcome of the last failure that this process has seen; None: none.
    """

    name: str
    provider: str
    model: str | None
    state: HealthState
    failures: int
    successes: int
    last_failure: str | None


class SlotHealth:
    """The health of one slot.

    Args:
        name: Its name.
        place: The slot at run time.
        config: How its health is told.
        store: Where it is kept.
    """

    def __init__(self, name: str, place: RunningSlot, config: HealthConfig, store: HealthStore) -> None:
        self.name = name
        self.place = place
        self._config = config
        self._interval_ns = round(config.interval * NS)
        rules = HealthRules(self._interval_ns, config.failure_threshold, config.recovery_threshold)
        self._stored = store.health(name, rules)
        self._is_shared = store.is_shared
        self._remote = cast("RemoteHealth", self._stored) if hasattr(self._stored, "record_async") else None
        alerts = config.alerts
        self.alerts = None if alerts is None else Alerts(alerts, place.name, place.provider.model)
        self._told_ns: int | None = None
        """When this process last heard of it, by the monotonic clock."""
        self._noted_ns: int | None = None
        """When it last said so to the store."""
        self._is_clean = False
        """Whether another success would be nothing new."""
        self.last_failure: str | None = None
        self.ill_since_ns = 0

    def due_ns(self, now_ns: int) -> int:
        """Return when its next probe is due, as far as this process knows."""
        told_ns = self._told_ns
        return now_ns if told_ns is None or told_ns > now_ns else told_ns + self._interval_ns

    def report(self) -> SlotReport:
        """Return what is known of it."""
        reading, place = self._stored.read(), self.place
        state: HealthState = "unhealthy" if reading.is_ill else "healthy"
        return SlotReport(
            self.name,
            place.name,
            place.provider.model,
            state,
            reading.failures,
            reading.successes,
            self.last_failure,
        )

    async def claim(self, clock: Clock, *, on_loop: bool) -> bool:
        """Return whether a probe is due, which is then the caller's."""
        at_ns, now_ns = self._store_time(clock), clock.now_ns()
        self._told_ns = now_ns
        try:
            if self._remote is not None and on_loop:
                is_due, reading = await self._remote.claim_async(at_ns)
            else:
                is_due, reading = self._stored.claim(at_ns)
        except Exception as error:  # noqa: BLE001 - whatever a store raises
            self._store_failed("claim", error)
            return False
        if reading.told_ns is not None:
            self._told_ns = now_ns - max(0, at_ns - reading.told_ns)
        self._take(reading, now_ns)
        self.look(now_ns)
        return is_due

    def hears_news(self, now_ns: int) -> bool:
        """Hear of a success of a call; return whether it says more than the store knows."""
        self._told_ns, noted_ns = now_ns, self._noted_ns
        return not (self._is_clean and noted_ns is not None and 0 <= now_ns - noted_ns < self._interval_ns // NEWS)

    async def tell(self, finding: Finding, source: HealthSource, clock: Clock, *, on_loop: bool) -> None:
        """Note what was found."""
        if self._remote is None or not on_loop:
            self.tell_blocking(finding, source, clock)
            return
        try:
            changed, reading = await self._remote.record_async(finding.told, self._store_time(clock))
        except Exception as error:  # noqa: BLE001 - whatever a store raises
            self._store_failed("record", error)
        else:
            self._noted(finding, source, clock.now_ns(), changed, reading)

    def tell_blocking(self, finding: Finding, source: HealthSource, clock: Clock) -> None:
        """Note what was found, where nothing can be waited for: at the end of a stream."""
        try:
            changed, reading = self._stored.record(finding.told, self._store_time(clock))
        except Exception as error:  # noqa: BLE001 - whatever a store raises
            self._store_failed("record", error)
        else:
            self._noted(finding, source, clock.now_ns(), changed, reading)

    def _store_failed(self, operation: str, error: Exception) -> None:
        """Go on with what is known: a call does not fail because nobody can be told how it went."""
        logger.error("the store of the health of `%s` failed at `%s`", self.name, operation, exc_info=error)

    def look(self, now_ns: int) -> None:
        """Let alerts begin or end."""
        if self.alerts is not None:
            self.alerts.look(now_ns, max(0, now_ns - self.ill_since_ns) if self.place.is_ill else None)

    def _store_time(self, clock: Clock) -> int:
        return clock.time_ns() if self._is_shared else clock.now_ns()

    def _noted(
        self, finding: Finding, source: HealthSource, now_ns: int, changed: bool, reading: HealthReading
    ) -> None:
        self._told_ns = self._noted_ns = now_ns
        if finding.told == "failure":
            self.last_failure = finding.outcome
        self._take(reading, now_ns)
        if changed:
            self._publish(finding, source, now_ns, reading)

    def _take(self, reading: HealthReading, now_ns: int) -> None:
        """Let calls go by what is known."""
        place = self.place
        if reading.is_ill and not place.is_ill:
            self.ill_since_ns = now_ns
        place.is_ill = reading.is_ill
        self._is_clean = not reading.is_ill and not reading.failures

    def _publish(self, finding: Finding, source: HealthSource, now_ns: int, reading: HealthReading) -> None:
        call, place = current_call.get(), self.place
        before: HealthState = "healthy" if reading.is_ill else "unhealthy"
        after: HealthState = "unhealthy" if reading.is_ill else "healthy"
        event = HealthChanged(
            now_ns,
            0 if call is None else call.id,
            place.name,
            place.provider.model,
            before,
            after,
            source,
            reading.failures if reading.is_ill else reading.successes,
            finding.outcome,
            finding.error_class,
        )
        publish(event)
        listener = self._config.on_change
        if listener is not None:
            try:
                listener(event)
            except Exception:
                logger.exception("the function that is told of the health of `%s` failed at %s", self.name, after)
