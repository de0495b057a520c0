"""What stands around the calls of a chain, as data."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from llmtest.errors import ConfigurationError
from llmtest.resilience.breaker._breaker_layer import BREAKER, BreakerLayer
from llmtest.resilience.fallback._listed_order import ListedOrder
from llmtest.resilience.retry._retry_layer import RETRY, RetryLayer

if TYPE_CHECKING:
    from llmtest.resilience.pipeline._layers import AskCall, AskPlace, AttemptGuard, CallLayer, PlaceLayer, Selection
    from llmtest.resilience.pipeline._running_slot import RunningSlot

__all__ = ["Pipeline"]

BREAKER_OUTSIDE: tuple[PlaceLayer, ...] = (BREAKER, RETRY)
BREAKER_INSIDE: tuple[PlaceLayer, ...] = (RETRY, BREAKER)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pipeline:
    """The strategies of a chain, from the outside to the inside, and their order.

    Args:
        call_layers: Around the whole call, the outermost first; none by default.
        selection: Who is asked, in which order; by default as they are listed.
        place_layers: Around every place, the outermost first; None = `(BREAKER, RETRY)`, or `(RETRY, BREAKER)` where
            the chain says `breaker_inside_retry`. What is given stands in their place, so it names these two as well.
        guards: Who is asked for a permit before each request to a provider, in order. The chain's budget comes after
            them, so that nothing is set aside while a guard lets an attempt wait.

    Example:
        >>> from llmtest.resilience import BREAKER, RETRY
        >>> pipeline = Pipeline(place_layers=(RETRY, BREAKER))  # what `breaker_inside_retry=True` says
    """

    call_layers: Sequence[CallLayer] = ()
    selection: Selection = ListedOrder()  # noqa: RUF009 - it has no state
    place_layers: Sequence[PlaceLayer] | None = None
    guards: Sequence[AttemptGuard] = ()

    def around_calls(self, ask: AskCall) -> AskCall:
        """Return what answers a call through every layer."""
        for layer in reversed(self.call_layers):
            ask = layer.around(ask)
        return ask

    def around_places(
        self, chain: str, places: Sequence[RunningSlot], ask: AskPlace, *, breaker_inside_retry: bool
    ) -> tuple[AskPlace, ...]:
        """Return what asks each place through every layer.

        Raises:
            ConfigurationError: The order is said twice, or leaves out a policy that a slot has.
        """
        layers = self._layers_of(chain, places, breaker_inside_retry)
        return tuple(_around(place, ask, layers) for place in places)

    def _layers_of(self, chain: str, places: Sequence[RunningSlot], breaker_inside_retry: bool) -> Sequence[PlaceLayer]:
        layers = self.place_layers
        if layers is None:
            return BREAKER_INSIDE if breaker_inside_retry else BREAKER_OUTSIDE
        if breaker_inside_retry:
            raise ConfigurationError(
                f"chain `{chain}` has `place_layers`, which say where the breaker is, and `breaker_inside_retry` as "
                "well.\nTo fix: leave the latter out"
            )
        kinds = {type(layer) for layer in layers}
        for policy, argument, name, kind in (
            ("breaker", "circuit_breaker", "BREAKER", BreakerLayer),
            ("retry", "retry", "RETRY", RetryLayer),
        ):
            if kind not in kinds and any(getattr(place, policy) is not None for place in places):
                raise ConfigurationError(
                    f"chain `{chain}` has a `{argument}`, and its `place_layers` leave it out.\n"
                    f"To fix: add `llmtest.resilience.{name}` to them where it belongs, or say {argument}=None"
                )
        return layers


def _around(place: RunningSlot, ask: AskPlace, layers: Sequence[PlaceLayer]) -> AskPlace:
    for layer in reversed(layers):
        further, ask = ask, layer.around(place, ask)
        if ask is not further:
            place.layers = (layer, *place.layers)
    return ask
