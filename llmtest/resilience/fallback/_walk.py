"""Fallback: from one place of a chain to the next, for whole answers and for streams alike.

The result of a walk is either a response, or an `OpenStream`: a stream that has shown its first visible piece, the
point after which it may no longer be replaced. Until then a stream falls back like any other call.
"""

from __future__ import annotations

from llmtest.errors import (
    AllProvidersFailedError,
    AuthenticationError,
    BudgetExceededError,
    CircuitOpenError,
    ConfigurationError,
    ContextLengthExceededError,
    DeadlineExceededError,
    InvalidResponseError,
    LLMTestError,
    PermissionDeniedError,
)
from llmtest.events import CircuitSkipped, FallbackTaken, publish
from llmtest.resilience._classification import Elsewhere, conduct_of, outcome_of
from llmtest.resilience.fallback._slot import RunningSlot
from llmtest.resilience.pipeline._attempts import Asker, Result
from llmtest.resilience.pipeline._call import Call

__all__ = ["Walk"]

UNBOUNDED = 1 << 62


class _Failures:
    """What has failed on the way of one call."""

    __slots__ = ("asked", "errors", "least_window")

    def __init__(self) -> None:
        self.errors: list[tuple[str, Exception]] = []
        self.asked = 0
        """How many of them came from a provider that was asked."""
        self.least_window = 0
        """Tokens that are known not to be enough."""

    def may_help(self, place: RunningSlot, call: Call) -> bool:
        """Tell whether a place has what others were found to lack: an accepted key, a large enough window."""
        if place.credential is not None and place.credential in call.refused_credentials:
            return False
        if not self.least_window or place.is_chain:
            return True
        return (place.window(call.request.model, call.prices) or 0) > self.least_window

    def final(self, chain: str) -> Exception:
        """Return what to raise: one failure as it is, several as one error that has them all.

        What the caller has to act on himself (a budget, a deadline, a setting) is never wrapped; nor is a failure that
        no other provider would have mended, where no other one was asked before.
        """
        error = self.errors[-1][1]
        if not isinstance(error, LLMTestError) or isinstance(
            error, DeadlineExceededError | BudgetExceededError | ConfigurationError
        ):
            return error
        if isinstance(error, CircuitOpenError):
            return AllProvidersFailedError(chain, self.errors)
        if len(self.errors) == 1 or (self.asked <= 1 and conduct_of(error).fall_back == "no"):
            return error
        return AllProvidersFailedError(chain, self.errors)


class Walk:
    """The way of a call through the places of a chain.

    Args:
        name: Name of the chain.
        places: Who may be asked, in order.
        asker: How each of them is asked.
        tries_oldest: Whether, when every circuit is open, the one that opened first is asked nevertheless.
    """

    __slots__ = ("asker", "fallbacks", "name", "places", "tries_oldest")

    def __init__(self, name: str, places: tuple[RunningSlot, ...], asker: Asker, *, tries_oldest: bool) -> None:
        self.name = name
        self.places = places
        self.asker = asker
        self.tries_oldest = tries_oldest
        self.fallbacks = 0

    async def answer(self, call: Call) -> Result:
        """Ask one place after the other until one answers.

        Raises:
            LLMTestError: The one failure there was, or `AllProvidersFailedError` with each of them.
        """
        failures: _Failures | None = None
        place = self.places[0]
        forced = False
        while True:
            begun = call.begun
            try:
                return await self.asker.ask(place, call, forced=forced)
            except Exception as error:
                failures = failures or _Failures()
                failures.errors.append((place.name, error))
                was_asked = call.begun > begun
                failures.asked += was_asked
                following = self._following(place, call, error, failures, was_asked=was_asked)
                if forced:
                    # It alone was asked against its circuit; the others' stand.
                    following = None
                elif following is None and self.tries_oldest:
                    following = self._oldest(failures)
                    forced = following is not None
                if following is None:
                    final = failures.final(self.name)
                    if final is error:
                        raise
                    raise final from error
                self._move(place, following, call, error)
                place = following

    def _following(
        self, place: RunningSlot, call: Call, error: Exception, failures: _Failures, *, was_asked: bool
    ) -> RunningSlot | None:
        """Count a failure that ended a place's turn; return the next place that may help, if any."""
        if isinstance(error, CircuitOpenError) and not was_asked:
            place.skips += 1
            publish(CircuitSkipped(call.clock.now_ns(), call.id, place.name, place.provider.model, error.retry_after))
        if was_asked:
            _count(place, call, error)
        if self.asker.is_spent(call):
            return None
        elsewhere: Elsewhere = conduct_of(error).fall_back
        if was_asked:
            elsewhere = place.trigger.judge(error)
        elif elsewhere != "no":
            # Nobody was asked: the place was passed by, which is no failure of its own.
            elsewhere = "no" if place.trigger.mode == "never" else "yes"
        if elsewhere == "no":
            return None
        if elsewhere == "larger_window":
            known = error.max_tokens if isinstance(error, ContextLengthExceededError) else None
            window = known or place.window(call.request.model, call.prices) or UNBOUNDED
            failures.least_window = max(failures.least_window, window)
        others = self.places[place.index + 1 :]
        if elsewhere == "other_credential":
            others = tuple(other for other in others if _has_other_key(other, place))
        return next((other for other in others if failures.may_help(other, call)), None)

    def _oldest(self, failures: _Failures) -> RunningSlot | None:
        """Return the place whose circuit opened first, if all that failed is that circuits are open."""
        if not all(isinstance(error, CircuitOpenError) for _, error in failures.errors):
            return None
        waiting = [(place.breaker.available_at_ns, place.index) for place in self.places if place.breaker is not None]
        return self.places[min(waiting)[1]] if waiting else None

    def _move(self, place: RunningSlot, following: RunningSlot, call: Call, error: Exception) -> None:
        self.fallbacks += 1
        if not isinstance(error, CircuitOpenError):
            place.handed_on += 1
        publish(
            FallbackTaken(
                call.clock.now_ns(),
                call.id,
                self.name,
                place.name,
                place.provider.model,
                following.name,
                following.provider.model,
                outcome_of(error),
            )
        )


def _count(place: RunningSlot, call: Call, error: Exception) -> None:
    place.calls_failed += 1
    if isinstance(error, AuthenticationError | PermissionDeniedError):
        place.auth_failures += 1
        if place.credential is not None:
            call.refused_credentials.add(place.credential)
    elif isinstance(error, InvalidResponseError):
        place.malformed += 1


def _has_other_key(other: RunningSlot, place: RunningSlot) -> bool:
    if other.credential is None or place.credential is None:
        return other.name != place.name
    return other.credential != place.credential
