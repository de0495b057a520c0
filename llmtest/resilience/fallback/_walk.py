"""Fallback: from one place of a chain to the next, for whole answers and for streams alike.

The result of a walk is either a response, or an `OpenStream`: a stream that has shown its first visible piece, the
point after which it may no longer be replaced. Until then a stream falls back like any other call.
"""

from __future__ import annotations

from collections.abc import Sequence

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
from llmtest.events import CircuitSkipped, FallbackTaken, KeyRefused, publish
from llmtest.resilience._classification import Elsewhere, conduct_of, outcome_of
from llmtest.resilience.fallback._log_records import log_failure, log_rescue
from llmtest.resilience.fallback._refused_keys import RefusedKeys
from llmtest.resilience.pipeline._layers import AskPlace, Result, Selection
from llmtest.resilience.pipeline._open_stream import OpenStream
from llmtest.resilience.pipeline._running_call import RunningCall
from llmtest.resilience.pipeline._running_slot import RunningSlot
from llmtest.resilience.pipeline._visit import Visit

__all__ = ["Walk"]

UNBOUNDED = 1 << 62


class _Failures:
    """What has failed on the way of one call, and who is left.

    Args:
        places: Who may be asked, in order; the first one has been.
    """

    __slots__ = ("asked", "errors", "least_window", "left", "places")

    def __init__(self, places: Sequence[RunningSlot]) -> None:
        self.places = places
        self.left: Sequence[RunningSlot] = places[1:]
        """Who comes after the place that was asked last."""
        self.errors: list[tuple[str, Exception]] = []
        self.asked = 0
        """How many of them came from a provider that was asked."""
        self.least_window = 0
        """Tokens that are known not to be enough."""

    def may_help(self, place: RunningSlot, call: RunningCall) -> bool:
        """Tell whether a place has what others were found to lack: an accepted key, a large enough window."""
        if place.credential is not None and place.credential in call.refused_credentials:
            return False
        if not self.least_window or place.is_chain:
            return True
        return (place.window(call.request.model, call.prices) or 0) > self.least_window

    def take(self, place: RunningSlot, offered: Sequence[RunningSlot]) -> None:
        """Let a place be the next one: who comes after it is left, and who was passed over."""
        behind = self.left[self.left.index(place) + 1 :]
        self.left = (*offered[: offered.index(place)], *behind)

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
        places: Every place, in the order of the list.
        asks: What asks each of them, layers included.
        selection: Who of them is asked, and who next.
        keys: What is remembered of their keys.
        tries_oldest: Whether, when every circuit is open, the one that opened first is asked nevertheless.
    """

    __slots__ = ("_asks", "_keys", "_name", "_places", "_refused", "_selection", "_tries_oldest", "fallbacks")

    def __init__(
        self,
        name: str,
        places: tuple[RunningSlot, ...],
        asks: Sequence[AskPlace],
        selection: Selection,
        *,
        keys: RefusedKeys,
        tries_oldest: bool,
    ) -> None:
        self._name = name
        self._places = places
        self._asks = asks
        self._selection = selection
        self._keys = keys
        self._refused: object = keys.known if keys.store is None else True
        self._tries_oldest = tries_oldest
        self.fallbacks = 0

    async def answer(self, call: RunningCall) -> Result:
        """Ask one place after the other until one answers.

        Raises:
            LLMTestError: The one failure there was, or `AllProvidersFailedError` with each of them.
        """
        places = self._selection.order(self._places, call)
        if not places:
            raise ConfigurationError(
                f"the selection of chain `{self._name}` left no place to ask.\n"
                "To fix: let its `order` return one place at least, or raise the error that says why there is none"
            )
        place = places[0]
        failures: _Failures | None = None
        forced = False
        while True:
            visit = Visit(call, place, forced=forced, is_last=place is places[-1])
            try:
                if self._refused:
                    await self._check_key(visit)
                visit.prepare()
                result = await self._asks[place.index](visit)
            except Exception as error:
                failures = failures or _Failures(places)
                log_failure(self._name, place, call, len(failures.errors) + 1, error)
                following, forced = self._next(visit, error, failures, forced=forced)
                if isinstance(error, AuthenticationError | PermissionDeniedError) and visit.is_asked:
                    await self._keys.tell(place.key, call.clock, call.parts)
                if following is None:
                    final = failures.final(self._name)
                    if final is error:
                        raise
                    raise final from error
                self._move(place, following, call, error)
                place = following
            else:
                if not isinstance(result, OpenStream):
                    place.successes += 1
                if failures is not None:
                    log_rescue(self._name, place, call, places[0], len(failures.errors))
                if self._refused:
                    await self._keys.taken(place.key, call.clock, call.parts)
                return result

    async def _check_key(self, visit: Visit) -> None:
        """Let a place be passed by whose key was refused a short time ago.

        Raises:
            AuthenticationError: It was, and the key is the same; or `PermissionDeniedError`.
        """
        place, call = visit.place, visit.call
        if place.is_chain:
            return  # It remembers its own.
        refusal = await self._keys.find(place.key, place.name, call.clock, call.parts)
        if refusal is not None:
            raise refusal

    def _remember_key(
        self, place: RunningSlot, call: RunningCall, error: AuthenticationError | PermissionDeniedError
    ) -> None:
        place.auth_failures += 1
        credential = place.credential
        if credential is not None:
            call.refused_credentials.add(credential)
        now_ns = call.clock.now_ns()
        if not place.is_chain and self._keys.remember(place.key, error, now_ns):
            publish(
                KeyRefused(
                    now_ns,
                    call.id,
                    place.name,
                    place.provider.model,
                    outcome_of(error),
                    credential,
                    self._keys.interval,
                )
            )

    def _next(
        self, visit: Visit, error: Exception, failures: _Failures, *, forced: bool
    ) -> tuple[RunningSlot | None, bool]:
        """Return the next place that may help, if any, and whether it is asked against its circuit."""
        following = self._following(visit, error, failures)
        if forced:
            # It alone was asked against its circuit; the others' stand.
            return None, True
        if following is None and self._tries_oldest:
            following = _oldest(failures)
            return following, following is not None
        return following, False

    def _following(self, visit: Visit, error: Exception, failures: _Failures) -> RunningSlot | None:
        """Count a failure that ended a place's turn; return the next place that may help, if any."""
        call, place = visit.call, visit.place
        failures.errors.append((place.name, error))
        elsewhere: Elsewhere
        if visit.is_asked:
            failures.asked += 1
            place.calls_failed += 1
            if isinstance(error, AuthenticationError | PermissionDeniedError):
                self._remember_key(place, call, error)
            elif isinstance(error, InvalidResponseError):
                place.malformed += 1
            elsewhere = place.trigger.judge(error)
        elif isinstance(error, AuthenticationError | PermissionDeniedError):
            # The provider has said so before, and the slot's trigger judges it as it did then.
            place.key_skips += 1
            if place.credential is not None:
                call.refused_credentials.add(place.credential)
            elsewhere = place.trigger.judge(error)
        else:
            if isinstance(error, CircuitOpenError):
                place.skips += 1
                publish(
                    CircuitSkipped(call.clock.now_ns(), call.id, place.name, place.provider.model, error.retry_after)
                )
            elsewhere = conduct_of(error).fall_back
            if elsewhere != "no":
                # Nobody was asked: the place was passed by, which is no failure of its own.
                elsewhere = "no" if place.trigger.mode == "never" else "yes"
        if elsewhere == "no" or call.is_spent:
            return None
        if elsewhere == "larger_window":
            known = error.max_tokens if isinstance(error, ContextLengthExceededError) else None
            window = known or place.window(call.request.model, call.prices) or UNBOUNDED
            failures.least_window = max(failures.least_window, window)
        others = failures.left
        if elsewhere == "other_credential":
            others = tuple(other for other in others if _has_other_key(other, place))
        offered = [other for other in others if failures.may_help(other, call)]
        following = self._selection.after(place, error, call, offered) if offered else None
        if following is not None:
            failures.take(following, offered)
        return following

    def _move(self, place: RunningSlot, following: RunningSlot, call: RunningCall, error: Exception) -> None:
        self.fallbacks += 1
        call.has_moved = True
        if not isinstance(error, CircuitOpenError):
            place.handed_on += 1
        publish(
            FallbackTaken(
                call.clock.now_ns(),
                call.id,
                self._name,
                place.name,
                place.provider.model,
                following.name,
                following.provider.model,
                outcome_of(error),
                type(error).__name__,
            )
        )


def _oldest(failures: _Failures) -> RunningSlot | None:
    """Return the place whose circuit opened first, if all that failed is that circuits are open."""
    if not all(isinstance(error, CircuitOpenError) for _, error in failures.errors):
        return None
    waiting = [(place.breaker.available_at_ns, place.index, place) for place in failures.places if place.breaker]
    return min(waiting)[2] if waiting else None


def _has_other_key(other: RunningSlot, place: RunningSlot) -> bool:
    if other.credential is None or place.credential is None:
        return other.name != place.name
    return other.credential != place.credential
