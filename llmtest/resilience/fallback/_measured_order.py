"""Strategies that go by what the places do: how many calls are under way there, and how fast they answer."""

from __future__ import annotations

from functools import partial

from llmtest.clock import Turn
from llmtest.resilience._classification import conduct_of
from llmtest.resilience.fallback._strategies import (
    Drawn,
    InTurn,
    Places,
    Shared,
    Spread,
    check_strategy,
)
from llmtest.resilience.pipeline._layers import AskPlace, Result, Selection
from llmtest.resilience.pipeline._open_stream import OpenStream
from llmtest.resilience.pipeline._running_call import NS, RunningCall
from llmtest.resilience.pipeline._running_slot import RunningSlot
from llmtest.resilience.pipeline._visit import Visit
from llmtest.types import CompletionResponse

__all__ = ["LeastBusy", "LeastLatency", "Measured", "with_strategy"]

MEASURED_FOR_NS = 30 * NS
"""How long a measured time holds: then the place is asked again, by one call at a time."""
NEWEST = 0.3
"""Weight of the newest time in the moving average."""
NEVER_NS = 1 << 62


class _Gauge:
    """What is known of one place."""

    __slots__ = ("at_ns", "average_ns", "under_way")

    def __init__(self) -> None:
        self.under_way = 0
        self.average_ns: dict[bool, float] = {}
        """How long answers take, by whether they are streamed: then until their first piece."""
        self.at_ns: dict[bool, int] = {}
        """When that was last measured."""

    def is_known(self, kind: bool, now_ns: int) -> bool:
        """Tell whether a time was measured that still holds."""
        at_ns = self.at_ns.get(kind)
        return at_ns is not None and now_ns - at_ns < MEASURED_FOR_NS

    def add(self, change: int) -> None:
        """Count a call that has begun, or ended."""
        self.under_way += change


class Measured(Spread):
    """A selection that watches the places it chooses from.

    Args:
        places: Every place of the chain.
    """

    __slots__ = ("_gauges", "_turn")

    def __init__(self, places: Places) -> None:
        self._turn = Turn()
        self._gauges = [_Gauge() for _ in places]

    def around(self, place: RunningSlot, further: AskPlace) -> AskPlace:
        """Put a gauge around everything that asks a place: its calls are under way until their last piece."""
        gauge = self._gauges[place.index]

        async def ask(visit: Visit) -> Result:
            start_ns = visit.call.clock.now_ns()
            self._count(gauge, 1)
            try:
                result = await further(visit)
            except BaseException as error:
                self._count(gauge, -1)
                if visit.is_asked and isinstance(error, Exception) and conduct_of(error).counts:
                    self._note(gauge, visit.call, None)
                raise
            self._note(gauge, visit.call, start_ns)
            if isinstance(result, OpenStream):
                result.at_end(partial(self._ended, gauge))
            else:
                self._count(gauge, -1)
            return result

        return ask

    def _ended(
        self,
        gauge: _Gauge,
        stream: OpenStream,  # noqa: ARG002 - a watcher of streams
        end: CompletionResponse | BaseException,  # noqa: ARG002 - a watcher of streams
    ) -> None:
        self._count(gauge, -1)

    def _count(self, gauge: _Gauge, change: int) -> None:
        with self._turn as is_free:
            if is_free:
                gauge.add(change)
            else:  # The collector has closed a stream in the middle of another count.
                self._turn.later(partial(gauge.add, change))

    def _note(self, gauge: _Gauge, call: RunningCall, start_ns: int | None) -> None:
        """Keep how long an answer took; a place that failed in a way that counts is the slowest for a while."""
        now_ns, kind = call.clock.now_ns(), call.streaming
        before = gauge.average_ns.get(kind, NEVER_NS)
        average: float = NEVER_NS
        if start_ns is not None:
            average = now_ns - start_ns
            if before < NEVER_NS and gauge.is_known(kind, start_ns):
                average = before + NEWEST * (average - before)
        gauge.average_ns[kind] = average
        gauge.at_ns[kind] = now_ns


class LeastBusy(Measured):
    """`load_balance`: the place with the fewest calls under way; among equals each in turn."""

    __slots__ = ("_next",)

    def __init__(self, places: Places) -> None:
        super().__init__(places)
        self._next = 0

    def spread(self, ready: Places, call: RunningCall) -> Places:  # noqa: ARG002 - the seam
        """Return the places from the least busy to the busiest."""
        gauges, size = self._gauges, len(self._gauges)
        with self._turn:
            first = self._next
            found = sorted(ready, key=lambda place: (gauges[place.index].under_way, (place.index - first) % size))
            self._next = found[0].index + 1
        return found


class LeastLatency(Measured):
    """`least_latency`: the place that has answered fastest, in the moving average of its answers of the same kind.

    A time holds for 30 s. A place without one that holds is asked next, by one call at a time, so that one that has
    become fast again is found, and one that has not slows down no more than that call. A failure that tells of the
    place counts as the slowest answer of all.
    """

    __slots__ = ()

    def spread(self, ready: Places, call: RunningCall) -> Places:
        """Return the places from the fastest to the slowest."""
        now_ns, kind = call.clock.now_ns(), call.streaming

        def rank(place: RunningSlot) -> tuple[int, float, int]:
            gauge = self._gauges[place.index]
            average = gauge.average_ns.get(kind)
            if not gauge.under_way and not gauge.is_known(kind, now_ns):
                return 0, 0.0, place.index
            return (2, gauge.under_way, place.index) if average is None else (1, average, place.index)

        return sorted(ready, key=rank)


def with_strategy(
    chain: str, strategy: str, selection: Selection, places: Places, asks: tuple[AskPlace, ...]
) -> tuple[Selection, tuple[AskPlace, ...]]:
    """Return the selection of a chain, and what asks each place, watched where the strategy goes by that.

    Args:
        chain: Its name.
        strategy: The strategy's name.
        selection: What the chain's pipeline says.
        places: Every place.
        asks: What asks each of them.

    Raises:
        ConfigurationError: There is no such strategy, or something that contradicts it.
    """
    check_strategy(chain, strategy, places, selection)
    if strategy == "priority":
        return selection, asks
    if strategy in {"load_balance", "least_latency"}:
        watching = LeastBusy(places) if strategy == "load_balance" else LeastLatency(places)
        return watching, tuple(watching.around(place, ask) for place, ask in zip(places, asks, strict=True))
    return {"round_robin": InTurn, "random": Drawn}[strategy]() if strategy != "weighted" else Shared(places), asks
