"""What somebody has to be told of a provider: each alert begins once and ends once."""

from __future__ import annotations

import logging
from collections import deque
from decimal import Decimal
from functools import partial

from llmtest.clock import Turn
from llmtest.events import AlertKind, AlertUnit, HealthAlert, current_call, publish
from llmtest.resilience.health._health_config import AlertConfig

__all__ = ["Alerts"]

NS = 1_000_000_000
SLICES = 10
"""Parts of the window; a call counts until its part has left it."""
ZERO = Decimal(0)
logger = logging.getLogger("llmtest.resilience")


class _Slice:
    """What happened in one part of the window."""

    __slots__ = ("calls", "failures", "number", "slow", "usd")

    def __init__(self, number: int) -> None:
        self.number = number
        self.calls = self.failures = self.slow = 0
        self.usd = ZERO


class Alerts:
    """The alerts of one provider.

    Args:
        config: When there is one.
        provider: Name of the provider.
        model: Its model.
    """

    def __init__(self, config: AlertConfig, provider: str, model: str | None) -> None:
        self._config = config
        self._provider = provider
        self._model = model
        self._slice_ns = max(1, round(config.window * NS / SLICES))
        self._slices: deque[_Slice] = deque()
        self._raised: set[AlertKind] = set()
        self._last_outcome: str | None = None
        self._turn = Turn()

    def note(
        self,
        now_ns: int,
        *,
        failed: bool | None = None,
        outcome: str | None = None,
        took_ns: int | None = None,
        usd: Decimal = ZERO,
        key_refused: bool = False,
    ) -> None:
        """Take in what happened.

        Args:
            now_ns: The time.
            failed: Whether a call failed; None: it told nothing, or it was no call.
            outcome: How it failed.
            took_ns: How long its answer took; None where there is none.
            usd: What was spent.
            key_refused: Whether it says that the key is not taken.
        """
        with self._turn as is_free:
            if is_free:
                self._add(now_ns, failed, outcome, took_ns, usd)
            else:  # The collector has closed a stream in the middle of another operation.
                self._turn.later(partial(self._add, now_ns, failed, outcome, took_ns, usd))
        if key_refused:
            self._turn_to("key_refused", now_ns, True, outcome=outcome)
        elif failed is False:
            self._turn_to("key_refused", now_ns, False)

    def _add(self, now_ns: int, failed: bool | None, outcome: str | None, took_ns: int | None, usd: Decimal) -> None:
        slow, newest = self._config.slow, self._newest(now_ns)
        newest.usd += usd
        if failed is not None:
            newest.calls += 1
            newest.failures += failed
        newest.slow += slow is not None and took_ns is not None and took_ns >= slow * NS
        if outcome is not None:
            self._last_outcome = outcome

    def look(self, now_ns: int, ill_ns: int | None) -> None:
        """Let alerts begin or end, as things are now.

        Args:
            now_ns: The time.
            ill_ns: For how long the provider has been ill; None: it is well.
        """
        config = self._config
        with self._turn as is_free:
            if is_free:
                self._newest(now_ns)
            slices = tuple(self._slices)
        calls, failures = sum(each.calls for each in slices), sum(each.failures for each in slices)
        enough = calls >= config.minimum_calls
        if config.downtime is not None:
            limit = Decimal(str(config.downtime))
            is_down = ill_ns is not None and ill_ns >= config.downtime * NS
            value = None if ill_ns is None else Decimal(ill_ns) / NS
            self._turn_to("downtime", now_ns, is_down, "seconds", value, limit, self._last_outcome)
        if config.error_rate is not None:
            is_high = enough and failures >= config.error_rate * calls
            self._share("error_rate", now_ns, is_high, failures, calls, config.error_rate, self._last_outcome)
        if config.slow is not None:
            slow = sum(each.slow for each in slices)
            self._share(
                "degradation", now_ns, enough and slow >= config.slow_rate * calls, slow, calls, config.slow_rate
            )
        if config.cost_usd is not None:
            spent = sum((each.usd for each in slices), ZERO)
            self._turn_to("cost", now_ns, spent >= config.cost_usd, "usd", spent, config.cost_usd)

    def _newest(self, now_ns: int) -> _Slice:
        """Return the part of the window that is under way, and forget those that have left it."""
        number, slices = now_ns // self._slice_ns, self._slices
        if slices and slices[-1].number > number:
            slices.clear()  # Another clock.
        while slices and slices[0].number <= number - SLICES:
            slices.popleft()
        if not slices or slices[-1].number < number:
            slices.append(_Slice(number))
        return slices[-1]

    def _share(
        self,
        alert: AlertKind,
        now_ns: int,
        is_on: bool,
        count: int,
        calls: int,
        limit: float,
        outcome: str | None = None,
    ) -> None:
        percent = round(Decimal(100 * count) / calls, 1) if calls else ZERO
        self._turn_to(alert, now_ns, is_on, "percent", percent, Decimal(str(limit)) * 100, outcome)

    def _turn_to(
        self,
        alert: AlertKind,
        now_ns: int,
        is_on: bool,
        unit: AlertUnit | None = None,
        value: Decimal | None = None,
        limit: Decimal | None = None,
        outcome: str | None = None,
    ) -> None:
        """Tell of an alert that begins, or ends."""
        with self._turn:
            if is_on is (alert in self._raised):
                return
            (self._raised.add if is_on else self._raised.discard)(alert)
        call = current_call.get()
        event = HealthAlert(
            now_ns,
            0 if call is None else call.id,
            self._provider,
            self._model,
            alert,
            is_on,
            unit,
            value,
            limit,
            outcome if is_on else None,
        )
        publish(event)
        listener = self._config.on_alert
        if listener is not None:
            try:
                listener(event)
            except Exception:
                logger.exception("the function that is told of alerts failed at `%s` of `%s`", alert, self._provider)
