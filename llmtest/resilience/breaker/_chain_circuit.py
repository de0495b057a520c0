"""One circuit around a whole chain, as IronClaw has it: it sees what became of a call after retries and fallbacks."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from llmtest.errors import AllProvidersFailedError, CircuitOpenError
from llmtest.events import CircuitSkipped, publish
from llmtest.resilience.breaker._breaker import CircuitBreaker
from llmtest.resilience.breaker._breaker_layer import Guarded
from llmtest.resilience.pipeline._layers import AskCall, Result

if TYPE_CHECKING:
    from llmtest.resilience.pipeline._running_call import RunningCall
    from llmtest.resilience.pipeline._running_slot import RunningSlot
    from llmtest.resilience.pipeline._visit import Visit

__all__ = ["ChainCircuit"]


class ChainCircuit:
    """Asks a chain only as far as its circuit allows; while it is open nobody is asked.

    Args:
        chain: Name of the chain.
        breaker: The circuit.
    """

    kind = "circuit_breaker"

    def __init__(self, chain: str, breaker: CircuitBreaker) -> None:
        self._chain = chain
        self.breaker = breaker
        self.peers = self.account = (self,)
        """Whom a full quota makes cool down, as with a place: this circuit alone."""

    def around(self, further: AskCall) -> AskCall:
        """Put the circuit around what answers a call."""
        guarded = Guarded(self.breaker, lambda visit: further(visit.call))

        async def ask(call: RunningCall) -> Result:
            try:
                return await guarded.ask(cast("Visit", _Whole(call, cast("RunningSlot", self))))
            except CircuitOpenError as error:
                now_ns = call.clock.now_ns()
                publish(CircuitSkipped(now_ns, call.id, self._chain, None, error.retry_after))
                raise AllProvidersFailedError(self._chain, [(self._chain, error)]) from error

        return ask


class _Whole:
    """A call at its chain as a whole, for what guards calls at places.

    Args:
        call: The call.
        place: What stands for the place.
    """

    __slots__ = ("call", "place")

    forced = False

    def __init__(self, call: RunningCall, place: RunningSlot) -> None:
        self.call = call
        self.place = place
