"""Who is asked first: the ways to share calls among the places of a chain.

| strategy | the first place is |
|---|---|
| `priority` | the first one of the list |
| `round_robin` | each in turn |
| `weighted` | each in turn, as often as its `weight` says |
| `least_latency` | the one that has answered fastest lately |
| `load_balance` | the one with the fewest calls under way |
| `random` | drawn |

Whatever the strategy, a call that fails goes on through the others. Places that may not be asked now, because their
circuit is open or their key was refused, come after all others and take no turn, so that the share of a place that is
down does not fall to its neighbour alone; they are back as soon as they may be asked.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from itertools import count
from typing import Literal, get_args

from llmtest.clock import Turn, uniform
from llmtest.errors import ConfigurationError
from llmtest.resilience.fallback._listed_order import ListedOrder
from llmtest.resilience.pipeline._layers import Selection
from llmtest.resilience.pipeline._running_call import RunningCall
from llmtest.resilience.pipeline._running_slot import RunningSlot

__all__ = ["STRATEGIES", "Drawn", "InTurn", "Shared", "Spread", "Strategy", "check_strategy"]

Strategy = Literal["priority", "round_robin", "weighted", "least_latency", "load_balance", "random"]
STRATEGIES: tuple[str, ...] = get_args(Strategy)

Places = Sequence[RunningSlot]


def check_strategy(chain: str, strategy: str, places: Places, selection: Selection) -> None:
    """Refuse a strategy that is none, that another selection would overrule, or weights that nothing goes by.

    Raises:
        ConfigurationError: With what to write instead.
    """
    if strategy not in STRATEGIES:
        raise ConfigurationError(f"strategy of chain `{chain}` is one of {', '.join(STRATEGIES)}, got {strategy!r}")
    if strategy != "priority" and not isinstance(selection, ListedOrder):
        raise ConfigurationError(
            f"chain `{chain}` has strategy `{strategy}`, and its pipeline a selection of its own, of which only one "
            "would hold.\nTo fix: leave one of the two out"
        )
    weights = [place.config.weight for place in places]
    if strategy != "weighted":
        weighed = next((place for place in places if place.config.weight is not None), None)
        if weighed is not None:
            raise ConfigurationError(
                f"slot `{weighed.name}` of chain `{chain}` has a `weight`, which strategy `{strategy}` does not go by."
                '\nTo fix: strategy="weighted", or leave the weight out'
            )
    elif len(places) > 1 and not any(weight is None or weight > 0 for weight in weights):
        raise ConfigurationError(
            f"every slot of chain `{chain}` has the weight 0, so that nobody would be asked.\n"
            "To fix: give one of them a weight above 0"
        )


class Spread(ABC):
    """A selection that shares calls among the places that may be asked now."""

    __slots__ = ()

    def order(self, places: Places, call: RunningCall) -> Places:
        """Return every place that may be asked in the order of the strategy, then those that may not as they stand."""
        now_ns = call.clock.now_ns()
        ready = [place for place in places if place.available_at_ns <= now_ns]
        if len(ready) == len(places):
            return self.spread(ready, call)
        if not ready:
            return places
        return (*self.spread(ready, call), *(place for place in places if place.available_at_ns > now_ns))

    def after(
        self,
        place: RunningSlot,  # noqa: ARG002 - the seam
        error: Exception,  # noqa: ARG002 - the seam
        call: RunningCall,  # noqa: ARG002 - the seam
        left: Places,
    ) -> RunningSlot | None:
        """Return the first one that is left."""
        return left[0]

    @abstractmethod
    def spread(self, ready: Places, call: RunningCall) -> Places:
        """Return the places in the order in which this call goes to them.

        Args:
            ready: Those that may be asked now, in the order of the list; at least one.
            call: The call.
        """


class InTurn(Spread):
    """`round_robin`: each place in turn; after a failure its neighbours."""

    __slots__ = ("_next", "_turn")

    def __init__(self) -> None:
        self._turn = Turn()
        self._next = 0

    def spread(self, ready: Places, call: RunningCall) -> Places:  # noqa: ARG002 - the seam
        """Return the place whose turn it is, and those behind it, round to those before it."""
        with self._turn:
            at = next((at for at, place in enumerate(ready) if place.index >= self._next), 0)
            self._next = ready[at].index + 1
        return (*ready[at:], *ready[:at])


class Shared(Spread):
    """`weighted`: each place in turn, as often as its weight says; after a failure the heaviest first.

    No draw decides: after any number of calls each place has been asked first as often as its share of them, give or
    take one call for each place, so that a shift of traffic by a few percent is one from the first call on.

    Args:
        places: Every place of the chain.
    """

    __slots__ = ("_credit", "_places", "_turn")

    def __init__(self, places: Places) -> None:
        self._turn = Turn()
        self._places = places
        if len(places) == 1:
            places[0].weight = 1.0
        self._credit = [0.0] * len(places)

    def order(self, places: Places, call: RunningCall) -> Places:
        """Leave out who has no weight; else as any other."""
        return super().order([place for place in places if place.weight], call)

    def spread(self, ready: Places, call: RunningCall) -> Places:  # noqa: ARG002 - the seam
        """Return the place that is furthest behind its share, and then the others by their weight."""
        credit = self._credit
        with self._turn:
            for place in ready:
                credit[place.index] += place.weight
            first = max(ready, key=lambda place: credit[place.index])
            credit[first.index] -= sum(place.weight for place in ready)
        others = sorted((place for place in ready if place is not first), key=lambda place: -place.weight)
        return (first, *others)

    def reweigh(self, weights: Sequence[float]) -> None:
        """Share the calls that begin from now on by other weights.

        What a place was behind its share, or before it, is kept in calls, so that shares hold across many small
        changes as across none; one that has no weight any more is owed nothing.

        Args:
            weights: That of each place; one of them at least is above 0.
        """
        with self._turn:
            scale = sum(weights) / sum(place.weight for place in self._places)
            for place, weight in zip(self._places, weights, strict=True):
                place.weight = weight
                self._credit[place.index] *= scale if weight else 0.0


class Drawn(Spread):
    """`random`: an order drawn for each call, from the chain's seed."""

    __slots__ = ("_numbers",)

    def __init__(self) -> None:
        self._numbers = count()

    def spread(self, ready: Places, call: RunningCall) -> Places:
        """Return the places in a drawn order."""
        seed, number = call.seed, next(self._numbers)
        return sorted(ready, key=lambda place: uniform(seed, "strategy", number, place.index))
