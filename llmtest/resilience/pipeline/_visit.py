"""A call at one place of a chain."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from llmtest.resilience.pipeline._running_call import RunningCall
    from llmtest.resilience.pipeline._running_slot import RunningSlot

__all__ = ["Visit"]


class Visit:
    """A call's turn at one place: what that place is asked, and what is known of it so far.

    Two turns of one call may run at the same time; each knows for itself whether its place was asked.

    Args:
        call: The call.
        place: Who is asked.
        forced: Whether the place is asked against its circuit, because every other one is open as well.
        is_last: Whether it is the last of the places that this call may go to.
    """

    __slots__ = ("call", "forced", "is_asked", "is_last", "last_error", "place", "request", "slept")

    def __init__(self, call: RunningCall, place: RunningSlot, *, forced: bool = False, is_last: bool = True) -> None:
        self.call = call
        self.place = place
        self.forced = forced
        self.is_last = is_last
        self.request = call.request
        """The request as this place gets it, after `prepare`."""
        self.is_asked = False
        """Whether anything was sent; what fails before that is no failure of the place."""
        self.slept = 0.0
        """Seconds that were waited for the next attempt."""
        self.last_error: Exception | None = None
        """What the last attempt failed with."""

    @property
    def model(self) -> str | None:
        """The model that is asked for."""
        return self.request.model or self.place.provider.model

    def prepare(self) -> None:
        """Put the request into the terms of the place.

        Raises:
            LLMTestError: The place cannot serve it; nothing was sent.
        """
        call, place, request = self.call, self.place, self.request
        if request.model is not None:
            model = place.model_for(request.model)
            if model != request.model:
                request = request.with_model(model)
        if place.has_defaults:
            request = place.config.completed(request)
        refusal = place.refusal(request, call.streaming, call.prices, is_last=self.is_last)
        if refusal is not None:
            raise refusal
        if place.is_named:
            request = request.with_idempotency_key(call.name_for(place))
        self.request = request
