"""The seams of a chain: where a strategy is put in, without a change to any other.

| a strategy that | is | for example |
|---|---|---|
| answers instead of the chain, or asks it more than once | a `CallLayer` | cache, hedging, shorter prompts |
| says who is asked, and who next | a `Selection` | the order of the list, routing by price, health checks |
| decides whether and how often one place is asked | a `PlaceLayer` | circuit breaker, retry |
| may refuse or delay one request to a provider | an `AttemptGuard` | budget, rate limit |

Each is written once, as a coroutine that waits through `call.parts` alone, and then serves blocking code and event
loops, whole answers and streams (design D3). Layers are put around each other when the chain is made, not on each call.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol

from llmtest.resilience.pipeline._open_stream import OpenStream
from llmtest.resilience.pipeline._running_attempt import Permit, RunningAttempt
from llmtest.resilience.pipeline._running_call import RunningCall
from llmtest.resilience.pipeline._running_slot import RunningSlot
from llmtest.resilience.pipeline._visit import Visit
from llmtest.types import CompletionResponse

__all__ = ["AskCall", "AskPlace", "AttemptGuard", "CallLayer", "PlaceLayer", "Result", "Selection"]

Result = CompletionResponse | OpenStream
"""An answer, or a stream that has shown its first visible piece; its `at_end` tells what becomes of it."""

AskCall = Callable[[RunningCall], Awaitable[Result]]
AskPlace = Callable[[Visit], Awaitable[Result]]


class CallLayer(Protocol):
    """Something around a whole call: it may answer itself, change the request, or ask more than once."""

    def around(self, further: AskCall) -> AskCall:
        """Return what answers a call through this layer; called once, when the chain is made.

        Args:
            further: What answers it without this layer.
        """
        ...


class Selection(Protocol):
    """Who may be asked, in which order; what a failure allows at all is the business of the slots' triggers."""

    def order(self, places: Sequence[RunningSlot], call: RunningCall) -> Sequence[RunningSlot]:
        """Return the places that this call may go to, the first one first; at least one.

        Args:
            places: Every place of the chain, in the order of the list.
            call: The call.
        """
        ...

    def after(
        self, place: RunningSlot, error: Exception, call: RunningCall, left: Sequence[RunningSlot]
    ) -> RunningSlot | None:
        """Return who is asked next; None ends the call with what has failed.

        Args:
            place: Who has failed, or could not be asked.
            error: How.
            call: The call.
            left: Who may be asked, in the order of `order`: not asked yet, and of help after this error; at least one.
                A place that is passed over is offered again.
        """
        ...


class PlaceLayer(Protocol):
    """Something around one place: it may keep the place from being asked, or ask it more than once."""

    def around(self, place: RunningSlot, further: AskPlace) -> AskPlace:
        """Return what asks a place through this layer, or `further` itself where it has nothing to do there.

        Called once for every place, when the chain is made.

        Args:
            place: The place.
            further: What asks it without this layer.
        """
        ...


class AttemptGuard(Protocol):
    """Something that every request to a provider needs a permit of.

    A chain inside another one is no provider: its own requests are what the outer guards are asked about, except those
    of a `kind` that the inner chain has itself.
    """

    kind: str
    """What it guards: `budget`, `rate_limit`."""

    async def before(self, attempt: RunningAttempt) -> Permit | None:
        """Let an attempt pass, now or after a wait, or refuse it; None where nothing has to be given back.

        Raises:
            LLMTestError: The attempt may not be made; nothing is sent, and every other permit is given back.
        """
        ...
