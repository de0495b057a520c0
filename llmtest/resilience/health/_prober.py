"""One probe: a small call of its own, held to the budget and the limits of the chain, paid for and tagged."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

from llmtest.costs import outside_scopes
from llmtest.errors import ProviderError
from llmtest.events import HealthProbed, KeyRefused, ProbeAsk, begin_call, current_call, publish
from llmtest.resilience._classification import outcome_of
from llmtest.resilience.health._criterion import Finding, KeyErrors, finding_of_error, finding_of_response
from llmtest.resilience.pipeline._running_call import CallRules, RunningCall
from llmtest.resilience.pipeline._visit import Visit
from llmtest.types import CompletionRequest, CompletionResponse, HealthReport, Timeouts

if TYPE_CHECKING:
    from llmtest.clock import Clock
    from llmtest.costs import Prices
    from llmtest.resilience.health._health_config import HealthConfig
    from llmtest.resilience.health._slot_health import SlotHealth
    from llmtest.resilience.pipeline._layers import AskPlace
    from llmtest.resilience.pipeline._running_slot import RunningSlot
    from llmtest.resilience.pipeline._sync_async import Parts

__all__ = ["PURPOSE", "Prober"]

PURPOSE = "health"
"""What its attempts are tagged with, and what its number is called: it is no call of the application."""
NOTHING = Finding("nothing")


class Prober:
    """Asks slots whether they are well.

    Args:
        config: What is asked.
        send: What makes one attempt at a place, guards included.
        prices: Returns what attempts cost.
    """

    def __init__(self, config: HealthConfig, send: AskPlace, prices: Callable[[], Prices]) -> None:
        self._config = config
        self._send = send
        self._prices = prices
        self._request = CompletionRequest.ask(config.prompt).with_max_tokens(config.max_tokens)
        self._limits = Timeouts(total=config.timeout)
        self._rules = CallRules()

    async def probe(self, slot: SlotHealth, parts: Parts, clock: Clock) -> None:
        """Ask a slot, and note what that tells.

        Raises:
            HarnessError: The test itself is wrong.
        """
        finding = await self._find(slot, parts, clock)
        if slot.alerts is not None and finding.told == "failure":
            slot.alerts.note(clock.now_ns(), outcome=finding.outcome)
        await slot.tell(finding, "probe", clock, on_loop=parts.is_async)
        slot.look(clock.now_ns())

    async def _find(self, slot: SlotHealth, parts: Parts, clock: Clock) -> Finding:
        place = slot.place
        provider: Any = place.provider
        if place.is_chain:
            is_healthy = getattr(provider, "is_healthy", None)  # A chain tells, without a request.
            return NOTHING if is_healthy is None else Finding("success") if is_healthy else Finding("failure", "chain")
        keys = place.refused_keys
        if keys is not None and keys.until_ns(place.key) > clock.now_ns():
            return NOTHING  # It was told that it need not come again with this key.
        if not place.has_key:
            return Finding("failure", "no_key")
        listing = getattr(provider, "probe_async" if parts.is_async else "probe", None)
        is_listed = self._config.ask == "models" and not place.is_ill and callable(listing)
        asked: ProbeAsk = "models" if is_listed else "call"
        mark = begin_call(PURPOSE)
        token = current_call.set(mark)
        try:
            if listing is not None and is_listed:
                found = listing(None, self._limits)
                finding = self._told(await found if parts.is_async else found, slot, clock)
            else:
                finding = await self._call(mark.id, slot, parts, clock)
        finally:
            current_call.reset(token)
        told = partial(HealthProbed, clock.now_ns(), mark.id, place.name, place.provider.model, asked)
        publish(told(finding.told, finding.outcome))
        return finding

    async def _call(self, number: int, slot: SlotHealth, parts: Parts, clock: Clock) -> Finding:
        place = slot.place
        call = RunningCall(
            number, self._request, clock, parts, self._rules, self._prices(), self._limits, streaming=False
        )
        call.purpose = PURPOSE
        try:
            with outside_scopes():
                visit = Visit(call, place)
                visit.prepare()
                response = await self._send(visit)
        except Exception as error:  # noqa: BLE001 - whatever it is, it is what is to be found out
            finding = self._failed(error, slot, clock)
            if isinstance(error, KeyErrors) and place.refused_keys is not None:
                await place.refused_keys.tell(place.key, clock, parts)
            return finding
        finally:
            self._charge(slot, call, clock)
        assert isinstance(response, CompletionResponse), "a call without a stream is answered with a response"
        keys = place.refused_keys
        if keys is not None:
            await keys.taken(place.key, clock, parts)
        accept = self._config.accept
        finding = finding_of_response(response)
        if finding.told == "success" and accept is not None and not accept(response):
            return Finding("failure", "rejected")
        return finding

    @staticmethod
    def _charge(slot: SlotHealth, call: RunningCall, clock: Clock) -> None:
        if slot.alerts is not None:
            for attempt in call.attempts:
                if attempt.cost_usd:
                    slot.alerts.note(clock.now_ns(), usd=attempt.cost_usd)

    def _told(self, report: HealthReport, slot: SlotHealth, clock: Clock) -> Finding:
        if report.healthy:
            return Finding("success")
        error = report.error or ProviderError("the provider is not well", provider=report.provider)
        return self._failed(error, slot, clock)

    @staticmethod
    def _failed(error: Exception, slot: SlotHealth, clock: Clock) -> Finding:
        if isinstance(error, KeyErrors):
            remember_key(slot.place, error, clock.now_ns())
            if slot.alerts is not None:
                slot.alerts.note(clock.now_ns(), outcome=outcome_of(error), key_refused=True)
        return finding_of_error(error)


def remember_key(place: RunningSlot, error: KeyErrors, now_ns: int) -> None:
    """Keep that a key was refused, as a call that was refused does."""
    place.auth_failures += 1
    keys = place.refused_keys
    if keys is None or not keys.remember(place.key, error, now_ns):
        return
    told = partial(KeyRefused, now_ns, 0, place.name, place.provider.model, outcome_of(error))
    publish(told(place.credential, keys.interval))
