"""The fastest, cheapest or most reliable provider of a chain, as they have answered lately."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Literal, get_args

from llmtest.clock import Turn
from llmtest.errors import ConfigurationError
from llmtest.events import RouteTaken, publish
from llmtest.resilience.fallback._listed_order import ListedOrder
from llmtest.resilience.pipeline._running_call import NS
from llmtest.types import is_number, is_whole
from llmtest.types._spelling import settings_tell_near_arguments

if TYPE_CHECKING:
    from llmtest.resilience.pipeline._pipeline import Pipeline
    from llmtest.resilience.pipeline._running_attempt import RunningAttempt
    from llmtest.resilience.pipeline._running_call import RunningCall
    from llmtest.resilience.pipeline._running_slot import RunningSlot
    from llmtest.types import Usage

__all__ = ["AdaptiveRoutingConfig", "with_routing"]

Preference = Literal["latency", "cost", "reliability"]
WEIGHTS: dict[str, tuple[tuple[str, float], ...]] = {
    "latency": (("latency", 0.7), ("reliability", 0.3)),
    "cost": (("cost", 0.6), ("reliability", 0.4)),
    "reliability": (("reliability", 0.7), ("latency", 0.3)),
}
"""What a score is made of."""


@settings_tell_near_arguments
@dataclass(frozen=True, slots=True, kw_only=True)
class AdaptiveRoutingConfig:
    """Each call goes to the provider that has done best lately, and after a failure to the next best.

    Every attempt is watched: how long an answer took and whether there was one, as moving averages. The score of a
    provider is 0.7 of its speed and 0.3 of its reliability (`latency`), 0.6 of its price and 0.4 of its reliability
    (`cost`), or 0.7 of its reliability and 0.3 of its speed (`reliability`), each compared with the best. One that has
    not been asked for a while is asked again, by one call: what was slow once may be fast by now.

    Args:
        prefer: What counts most: `latency`, `cost` or `reliability`.
        alpha: Weight of the newest attempt in the averages; more than 0, up to 1.
        explore_after: Seconds after which a provider that was not asked is asked again; more than 0.
        fallbacks: How many others are asked after a failure, the best first; 0 or more.

    Raises:
        ConfigurationError: A word that is none, or a number outside its range.

    Example:
        >>> AdaptiveRoutingConfig(prefer="cost").fallbacks
        2
    """

    prefer: Preference = "latency"
    alpha: float = 0.1
    explore_after: float = 60.0
    fallbacks: int = 2

    def __post_init__(self) -> None:
        if self.prefer not in get_args(Preference):
            raise ConfigurationError(
                f"routing: prefer is one of {', '.join(get_args(Preference))}, got {self.prefer!r}"
            )
        if not is_number(self.alpha) or not 0 < self.alpha <= 1:
            raise ConfigurationError(f"routing: alpha must be more than 0, up to 1, got {self.alpha!r}")
        if not is_number(self.explore_after) or not self.explore_after > 0:
            raise ConfigurationError(f"routing: explore_after must be more than 0 seconds, got {self.explore_after!r}")
        if not is_whole(self.fallbacks, 0):
            raise ConfigurationError(f"routing: fallbacks must be a whole number, 0 or more, got {self.fallbacks!r}")


def with_routing(pipeline: Pipeline, config: AdaptiveRoutingConfig | None, chain: str, strategy: str) -> Pipeline:
    """Return what stands around the calls of a chain, with its routing as selection and as watcher of attempts.

    Raises:
        ConfigurationError: Something else says who is asked as well.
    """
    if config is None:
        return pipeline
    if not isinstance(config, AdaptiveRoutingConfig):
        raise ConfigurationError(
            f"chain `{chain}`: `routing` is an `AdaptiveRoutingConfig`, not {config!r}.\n"
            'To fix: routing=AdaptiveRoutingConfig(prefer="latency"), or a SmartRoutingProvider for two providers'
        )
    other = f"strategy `{strategy}`" if strategy != "priority" else "its pipeline a selection of its own"
    if strategy != "priority" or not isinstance(pipeline.selection, ListedOrder):
        raise ConfigurationError(
            f"chain `{chain}` has `routing`, and {other}, of which only one would hold.\nTo fix: leave one of them out"
        )
    routing = AdaptiveOrder(chain, config)
    return replace(pipeline, selection=routing, guards=(*pipeline.guards, routing))


class _Seen:
    """What is known of one place."""

    __slots__ = ("asked_ns", "latency_ns", "reliability")

    def __init__(self) -> None:
        self.asked_ns: int | None = None
        """When it was last asked, or chosen to be."""
        self.latency_ns: float | None = None
        self.reliability = 1.0


class AdaptiveOrder:
    """A selection of places, and a guard that watches how their attempts end.

    Args:
        chain: Name of the chain.
        config: What counts.
    """

    kind = "routing"

    def __init__(self, chain: str, config: AdaptiveRoutingConfig) -> None:
        self._chain = chain
        self._config = config
        self._explore_ns = round(config.explore_after * NS)
        self._seen: dict[int, _Seen] = {}
        self._turn = Turn()

    def order(self, places: Sequence[RunningSlot], call: RunningCall) -> Sequence[RunningSlot]:
        """Return the place that is due to be asked again, else the best, and the next best after it."""
        now_ns = call.clock.now_ns()
        ready = [place for place in places if place.available_at_ns <= now_ns] or list(places)
        scores = self._scores(ready, call)
        ranked = sorted(ready, key=lambda place: (-scores[place.index], place.index))
        first, cause = ranked[0], str(self._config.prefer)
        with self._turn:
            due = next((place for place in ready if self._is_due(place, now_ns)), None)
            if due is not None:
                first, cause = due, "exploration"
            self._seen.setdefault(first.index, _Seen()).asked_ns = now_ns
        percent = Decimal(str(round(scores[first.index] * 100, 1)))
        model = first.provider.model
        publish(RouteTaken(now_ns, call.id, self._chain, first.name, model, cause, None, percent))
        others = [place for place in ranked if place is not first]
        return (first, *others[: self._config.fallbacks])

    def after(
        self,
        place: RunningSlot,  # noqa: ARG002 - the seam
        error: Exception,  # noqa: ARG002 - the seam
        call: RunningCall,  # noqa: ARG002 - the seam
        left: Sequence[RunningSlot],
    ) -> RunningSlot | None:
        """Return the best of those that are left."""
        return left[0]

    def _is_due(self, place: RunningSlot, now_ns: int) -> bool:
        seen = self._seen.get(place.index)
        if seen is None or seen.asked_ns is None or seen.asked_ns > now_ns:
            return True
        return now_ns - seen.asked_ns >= self._explore_ns

    def _scores(self, places: Sequence[RunningSlot], call: RunningCall) -> dict[int, float]:
        """Return the score of each place, from 0 to 1."""
        seen = {place.index: self._seen.get(place.index, _Seen()) for place in places}
        latencies = {index: each.latency_ns for index, each in seen.items()}
        costs = {place.index: _cost(place, call) for place in places}
        parts = {
            "latency": _compared(latencies),
            "cost": _compared(costs),
            "reliability": {index: each.reliability for index, each in seen.items()},
        }
        weights = WEIGHTS[self._config.prefer]
        return {index: sum(parts[name][index] * weight for name, weight in weights) for index in seen}

    async def before(self, attempt: RunningAttempt) -> _Watched:
        """Watch an attempt."""
        return _Watched(self, attempt)

    def note(self, attempt: RunningAttempt) -> None:
        """Keep how an attempt has ended, if it was sent at all."""
        ended = attempt.call.attempts[-1] if attempt.permits and attempt.call.attempts else None
        if ended is None or ended.outcome == "cancelled":
            return
        alpha = self._config.alpha
        with self._turn:
            seen = self._seen.setdefault(attempt.place.index, _Seen())
            seen.asked_ns = max(seen.asked_ns or 0, ended.start_ns)
            is_answered = ended.outcome == "200"
            seen.reliability += alpha * (is_answered - seen.reliability)
            if is_answered:
                took = ended.end_ns - ended.start_ns
                known = seen.latency_ns
                seen.latency_ns = took if known is None else known + alpha * (took - known)


def _cost(place: RunningSlot, call: RunningCall) -> float | None:
    rates = call.prices.rates(place.name, place.provider.model)
    if rates is None or rates.output is None:
        return None
    return float(rates.input + rates.output)


def _compared(values: dict[int, float | None]) -> dict[int, float]:
    """Return each value as a share of the best, which is the least; what is not known is half as good."""
    known = [value for value in values.values() if value is not None]
    least = min(known, default=0.0)
    return {
        index: 0.5 if value is None else 1.0 if value <= least else least / value for index, value in values.items()
    }


class _Watched:
    """A permit that refuses nothing, and notes how its attempt ends.

    Args:
        routing: Who wants to know.
        attempt: The attempt.
    """

    __slots__ = ("_attempt", "_routing")

    def __init__(self, routing: AdaptiveOrder, attempt: RunningAttempt) -> None:
        self._routing = routing
        self._attempt = attempt

    def settle(self, usage: Usage | None = None, **facts: Any) -> None:
        """Note an attempt that was billed."""
        del usage, facts
        self._routing.note(self._attempt)

    def release(self) -> None:
        """Note an attempt that was not."""
        self._routing.note(self._attempt)
