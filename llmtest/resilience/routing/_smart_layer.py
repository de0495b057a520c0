"""The decision about a call, and the cascade from the cheap provider to the primary one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import TYPE_CHECKING

from llmtest.errors import AllProvidersFailedError, ProviderError, RejectedError
from llmtest.events import CascadeTaken, RouteTaken, publish
from llmtest.resilience._classification import outcome_of
from llmtest.resilience.pipeline._layers import AskCall, Result
from llmtest.resilience.pipeline._open_stream import OpenStream
from llmtest.resilience.routing._smart_config import Decision, SmartRoutingConfig
from llmtest.types import CompletionResponse

if TYPE_CHECKING:
    from typing import Literal

    from llmtest.resilience.pipeline._running_call import RunningCall
    from llmtest.resilience.pipeline._running_slot import RunningSlot

__all__ = ["SmartRouting", "SmartRoutingStats"]

PRIMARY, CHEAP = 0, 1
"""The places; the primary one comes first, for it may be asked for any model."""


@dataclass(frozen=True, slots=True)
class SmartRoutingStats:
    """Counts of a smart routing since it was made.

    Args:
        total: Calls.
        cheap: Those that went to the cheap provider first.
        primary: Those that went to the primary one at once.
        cascade_escalations: Those that went on from the cheap provider to the primary one.
    """

    total: int
    cheap: int
    primary: int
    cascade_escalations: int


class SmartRouting:
    """A layer around each call and a selection of places in one: they share the decision.

    Args:
        chain: Name of the chain.
        config: What decides.
    """

    def __init__(self, chain: str, config: SmartRoutingConfig) -> None:
        self._chain = chain
        self._config = config
        self.places: Sequence[RunningSlot] = ()
        self._cheap = self._primary = self._escalations = 0

    def stats(self) -> SmartRoutingStats:
        """Return the counts."""
        return SmartRoutingStats(self._cheap + self._primary, self._cheap, self._primary, self._escalations)

    def around(self, further: AskCall) -> AskCall:
        """Put the decision, and the cascade on an uncertain answer, around what answers a call."""

        async def ask(call: RunningCall) -> Result:
            decision = self._decide(call)
            call.route = decision
            call.request = decision.request
            result = await further(call)
            if not decision.is_cheap or isinstance(result, OpenStream) or not self._config.cascades_on("uncertain"):
                return result
            if result.attempts and result.attempts[-1].purpose == "cascade":
                return result  # The primary provider has answered already.
            doubt = self._config.doubt_of(result)
            if doubt is None or call.is_spent or not call.has_room(0):
                return result
            return await self._ask_primary(call, further, result, doubt)

        return ask

    def _decide(self, call: RunningCall) -> Decision:
        cheap = self.places[CHEAP].provider
        decision = self._config.decide(call.request, cheap.model)
        place = self.places[CHEAP if decision.is_cheap else PRIMARY]
        self._cheap += decision.is_cheap
        self._primary += not decision.is_cheap
        percent = None if decision.score is None else Decimal(str(round(decision.score * 100, 1)))
        publish(
            RouteTaken(
                call.clock.now_ns(), call.id, self._chain, place.name, place.provider.model, decision.cause,
                None if decision.tier is None else str(decision.tier), percent,
            )
        )  # fmt: skip
        return decision

    async def _ask_primary(
        self, call: RunningCall, further: AskCall, cheap: CompletionResponse, doubt: str
    ) -> CompletionResponse:
        """Return the primary provider's answer; the cheap one's where the primary one fails."""
        self._escalate(call, "uncertain", doubt)
        call.route = None
        try:
            result = await further(call)
        except (ProviderError, RejectedError, AllProvidersFailedError):
            # An answer that is not sure is worth more than none, and is paid for.
            failed = call.attempts[len(cheap.attempts) :]
            return replace(cheap, attempts=(*failed, *cheap.attempts))
        assert isinstance(result, CompletionResponse), "a call without a stream is answered with a response"
        return result

    def _escalate(self, call: RunningCall, cause: Literal["error", "uncertain"], evidence: str) -> None:
        self._escalations += 1
        if call.purpose == "call":
            call.purpose = "cascade"
        cheap, primary = self.places[CHEAP], self.places[PRIMARY]
        publish(
            CascadeTaken(
                call.clock.now_ns(), call.id, self._chain, cheap.name, cheap.provider.model,
                primary.name, primary.provider.model, cause, evidence,
            )
        )  # fmt: skip

    def order(self, places: Sequence[RunningSlot], call: RunningCall) -> Sequence[RunningSlot]:
        """Return who is asked: the cheap provider, and the primary one after an error where that is wanted."""
        decision = call.route
        if not isinstance(decision, Decision) or not decision.is_cheap:
            return places[:CHEAP]
        return places[::-1] if self._config.cascades_on("error") else places[CHEAP:]

    def after(
        self, place: RunningSlot, error: Exception, call: RunningCall, left: Sequence[RunningSlot]
    ) -> RunningSlot | None:
        """Return the primary provider, where the cheap one has failed."""
        if place.index == CHEAP:
            self._escalate(call, "error", outcome_of(error))
        return left[0]
