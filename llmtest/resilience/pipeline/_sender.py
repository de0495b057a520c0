"""Innermost of a chain: the guards are asked, the request is sent, and what came of it is recorded."""

from __future__ import annotations

from contextvars import ContextVar
from typing import TYPE_CHECKING

from llmtest.resilience.pipeline._open_stream import OpenStream
from llmtest.resilience.pipeline._running_attempt import RunningAttempt
from llmtest.resilience.pipeline._running_call import enclosing_purpose
from llmtest.resilience.pipeline._stream_pace import paced

if TYPE_CHECKING:
    from collections.abc import Sequence

    from llmtest.costs import Prices
    from llmtest.resilience.pipeline._layers import AttemptGuard, Result
    from llmtest.resilience.pipeline._running_attempt import Permit
    from llmtest.resilience.pipeline._visit import Visit

__all__ = ["Sender"]

Guards = tuple["AttemptGuard", ...]

enclosing_guards: ContextVar[Guards] = ContextVar("llmtest_enclosing_guards", default=())
"""The guards of the chain that asks the running one; a stream spends before its first piece, while it is asked."""


class Sender:
    """Makes the attempts of a chain.

    Args:
        guards: Who is asked before each of them, in order.
    """

    __slots__ = ("_guards", "_kinds")

    def __init__(self, guards: Sequence[AttemptGuard]) -> None:
        self._guards = tuple(guards)
        self._kinds = {guard.kind for guard in guards}

    def enclosing_prices(self, default: Prices) -> Prices:
        """Return the price list of the budget that a call spends from which begins now inside another chain."""
        for guard in enclosing_guards.get():
            prices: Prices | None = getattr(guard, "prices", None)
            if prices is not None and guard.kind not in self._kinds:
                return prices
        return default

    @property
    def guards(self) -> Guards:
        """The chain's own guards, in order."""
        return self._guards

    def _with(self, outer: Guards) -> Guards:
        """Return the chain's own guards, and those around it of which it has no kind."""
        return (*(guard for guard in outer if guard.kind not in self._kinds), *self._guards)

    async def send(self, visit: Visit) -> Result:
        """Make one attempt at a place.

        Raises:
            LLMTestError: A guard refused it, or it was not answered.
        """
        attempt = RunningAttempt(visit)
        call, place = visit.call, visit.place
        outer = enclosing_guards.get()
        guards = self._with(outer) if outer else self._guards
        token = None
        if guards:
            if place.is_chain:
                token = enclosing_guards.set(guards)
            else:
                await _pass(guards, attempt)
        tag = None
        if call.purpose != "call" and place.is_chain:
            tag = enclosing_purpose.set(call.purpose)
        visit.is_asked = True
        call.begun += 1
        stream: OpenStream | None = None
        try:
            if call.streaming:
                source = call.parts.stream(place.provider, visit.request, attempt.limits)
                if place.pace is not None:
                    source = paced(source, place.pace, call.clock, place.name, attempt.model)
                stream = OpenStream(source, attempt)
                await stream.commit(to_end=call.holds_streams)
                return stream
            response = await call.parts.complete(place.provider, visit.request, attempt.limits)
        except BaseException as error:
            attempt.failed(error, () if stream is None else stream.told)
            if isinstance(error, Exception) and call.is_over(error):
                raise call.too_late(0.0, error) from error
            raise
        finally:
            if token is not None:
                enclosing_guards.reset(token)
            if tag is not None:
                enclosing_purpose.reset(tag)
        return attempt.succeeded(response)


async def _pass(guards: Guards, attempt: RunningAttempt) -> None:
    """Get a permit of every guard, or none."""
    if attempt.place.owed:
        attempt.place.pay()
    permits: list[Permit] = []
    try:
        for guard in guards:
            permit = await guard.before(attempt)
            if permit is not None:
                permits.append(permit)
        if attempt.call.clock.now_ns() != attempt.start_ns:
            attempt.begin_anew()
    except BaseException:
        attempt.release(permits)
        raise
    attempt.permits = permits
