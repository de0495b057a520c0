"""Who is asked first, as far as they are well; and what the calls tell of them."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from functools import partial
from typing import TYPE_CHECKING

from llmtest.events import HealthSkipped, publish
from llmtest.resilience.fallback._listed_order import ListedOrder
from llmtest.resilience.health._criterion import Finding, KeyErrors, finding_of_call
from llmtest.resilience.pipeline._open_stream import OpenStream

if TYPE_CHECKING:
    from llmtest.costs import Prices
    from llmtest.resilience.health._chain_health import ChainHealth
    from llmtest.resilience.health._slot_health import SlotHealth
    from llmtest.resilience.pipeline._layers import AskPlace, Result, Selection
    from llmtest.resilience.pipeline._running_call import RunningCall
    from llmtest.resilience.pipeline._running_slot import RunningSlot
    from llmtest.resilience.pipeline._sender import Sender
    from llmtest.resilience.pipeline._visit import Visit
    from llmtest.types import CompletionResponse

__all__ = ["HealthOrder", "by_health"]

NS = 1_000_000_000
ZERO = Decimal(0)
WELL = Finding("success")
NOTHING = Finding("nothing")


def by_health(
    health: ChainHealth | None,
    selection: Selection,
    asks: tuple[AskPlace, ...],
    places: Sequence[RunningSlot],
    sender: Sender,
    prices: Prices,
    has_own_list: bool,
) -> tuple[Selection, tuple[AskPlace, ...]]:
    """Return the selection of a chain as health has it, and what asks each place, watched where calls tell.

    Args:
        health: The health of the chain; None: nothing changes.
        selection: Who is asked, in which order.
        asks: What asks each place.
        places: Every place.
        sender: What makes the attempts of the chain; probes are some.
        prices: What attempts cost.
        has_own_list: Whether they cost that inside another chain too.
    """
    if health is None:
        return selection, asks
    # Nothing here may hold the chain: one that nobody holds any more is gone at once, and asks nobody.
    health.asks_by(sender.send, partial(_same if has_own_list else sender.enclosing_prices, prices))
    if health.config.passive or health.config.alerts is not None:
        tells = health.config.passive
        pairs = zip(places, asks, strict=True)
        asks = tuple(_Watched(health.slot(place), ask, is_telling=tells).ask for place, ask in pairs)
    return HealthOrder(health, selection, is_listed=isinstance(selection, ListedOrder)), asks


def _same(prices: Prices) -> Prices:
    return prices


class HealthOrder:
    """The selection of a chain, with those that are ill behind all others; never without any.

    Args:
        health: The health of the chain.
        inner: The selection.
        is_listed: Whether that keeps to the list, so that who stands behind the first was not passed by.
    """

    __slots__ = ("_health", "_inner", "_is_listed")

    def __init__(self, health: ChainHealth, inner: Selection, *, is_listed: bool) -> None:
        self._health = health
        self._inner = inner
        self._is_listed = is_listed

    def order(self, places: Sequence[RunningSlot], call: RunningCall) -> Sequence[RunningSlot]:
        """Return those that are well in the order of the selection, then the others as they are listed."""
        for place in places:
            if place.is_ill:
                break
        else:
            return self._inner.order(places, call)
        used = [place for place in places if place.weight]
        ill = [place for place in used if place.is_ill]
        well = [place for place in used if not place.is_ill]
        if not well:
            return self._inner.order(places, call)
        found = self._inner.order(well, call)
        now_ns = call.clock.now_ns()
        for place in ill:
            if not self._is_listed or place.index < found[0].index:
                place.health_skips += 1
                ill_for = max(0, now_ns - self._health.slot(place).ill_since_ns) / NS
                publish(HealthSkipped(now_ns, call.id, place.name, place.provider.model, ill_for))
        return (*found, *ill)

    def after(
        self, place: RunningSlot, error: Exception, call: RunningCall, left: Sequence[RunningSlot]
    ) -> RunningSlot | None:
        """Return who is asked next, as the selection says."""
        return self._inner.after(place, error, call, left)


class _Watched:
    """What asks one place, and tells of its health how that went.

    Args:
        slot: The health of the place.
        further: What asks it.
        is_telling: Whether calls tell of health, and not for alerts alone.
    """

    __slots__ = ("_further", "_is_telling", "_slot")

    def __init__(self, slot: SlotHealth, further: AskPlace, *, is_telling: bool) -> None:
        self._slot = slot
        self._further = further
        self._is_telling = is_telling

    async def ask(self, visit: Visit) -> Result:
        call, slot = visit.call, self._slot
        clock, before = call.clock, len(call.attempts)
        start_ns = clock.now_ns()
        try:
            result = await self._further(visit)
        except Exception as error:
            finding = self._judge(visit, error)
            if self._is_telling and finding.told == "failure":
                await slot.tell(finding, "call", clock, on_loop=call.parts.is_async)
            self._alert(visit, finding, before, None, error)
            raise
        except BaseException:
            self._alert(visit, NOTHING, before, None)
            raise
        now_ns = clock.now_ns()
        if isinstance(result, OpenStream):
            result.at_end(partial(self._ended, visit, before, now_ns - start_ns))
            return result
        if self._is_telling and slot.hears_news(now_ns):
            await slot.tell(WELL, "call", clock, on_loop=call.parts.is_async)
        if slot.alerts is not None:
            self._alert(visit, WELL, before, now_ns - start_ns)
        return result

    def _ended(
        self, visit: Visit, before: int, took_ns: int, stream: OpenStream, end: CompletionResponse | BaseException
    ) -> None:
        """Tell how a stream ended."""
        clock, slot = visit.call.clock, self._slot
        finding, error = WELL, None
        if isinstance(end, BaseException) and not stream.is_finished:
            error = end if isinstance(end, Exception) else None
            finding = NOTHING if error is None else self._judge(visit, error)
        if self._is_telling and finding.told != "nothing" and (finding is not WELL or slot.hears_news(clock.now_ns())):
            slot.tell_blocking(finding, "call", clock)
        self._alert(visit, finding, before, took_ns if finding is WELL else None, error)

    @staticmethod
    def _judge(visit: Visit, error: Exception) -> Finding:
        """Return what a failure tells; nothing, where nobody was asked, or the caller's own limit ended it."""
        if not visit.is_asked or visit.call.is_over(error):
            return NOTHING
        return finding_of_call(error)

    def _alert(
        self, visit: Visit, finding: Finding, before: int, took_ns: int | None, error: Exception | None = None
    ) -> None:
        alerts = self._slot.alerts
        if alerts is None:
            return
        call = visit.call
        usd = sum((each.cost_usd for each in call.attempts[before:] if each.cost_usd is not None), ZERO)
        alerts.note(
            call.clock.now_ns(),
            failed=None if finding.told == "nothing" else finding.told == "failure",
            outcome=finding.outcome,
            took_ns=took_ns,
            usd=usd,
            key_refused=visit.is_asked and isinstance(error, KeyErrors),
        )
        self._slot.look(call.clock.now_ns())
