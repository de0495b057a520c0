"""One logical call under way: its attempts so far, and its time."""

from __future__ import annotations

import os
from contextvars import ContextVar
from dataclasses import dataclass
from typing import TYPE_CHECKING

from llmtest.clock import Clock, VirtualClock, unique_key
from llmtest.errors import DeadlineExceededError, ProviderTimeoutError
from llmtest.resilience._timeout import shorter, stricter
from llmtest.types import NO_TIMEOUTS, Attempt, CompletionRequest, Timeouts

if TYPE_CHECKING:
    from llmtest.costs import Prices
    from llmtest.resilience.pipeline._running_slot import RunningSlot
    from llmtest.resilience.pipeline._sync_async import Parts

__all__ = ["NS", "CallRules", "RunningCall"]

NS = 1_000_000_000

enclosing_purpose: ContextVar[str] = ContextVar("llmtest_enclosing_purpose", default="call")
"""What for the chain around the running one asks it: an answer, or a second one beside it."""

_forks = 0
"""How many forks lie between the first process and this one. To ask the system which process this is takes a call of
the kernel, and every call of a chain would ask."""


def _note_fork() -> None:
    global _forks  # noqa: PLW0603 - a process is one
    _forks += 1


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_note_fork)


@dataclass(frozen=True, slots=True, kw_only=True)
class CallRules:
    """What all calls of a chain have in common.

    Args:
        deadline: Seconds for a whole call; None sets no limit.
        max_attempts: Most attempts of a call, over all places; None sets no limit.
        seed: Seed of the waits; None chooses one.
        holds_streams: Whether a stream is handed over only when all of it has come.
    """

    deadline: float | None = None
    max_attempts: int | None = None
    seed: int | None = None
    holds_streams: bool = False


class RunningCall:
    """The state of one logical call while it passes through the policies.

    Args:
        call_id: Number of the logical call.
        request: The request, as the caller made it.
        clock: The time.
        parts: How to ask and to wait: blocking, or on an event loop.
        rules: What the chain says of every call.
        prices: What attempts cost.
        caller: The caller's own limits.
        streaming: Whether the answer is to come in pieces.
    """

    __slots__ = (
        "_forks",
        "_name",
        "_rules",
        "attempts",
        "begun",
        "caller",
        "clock",
        "deadline_ns",
        "has_moved",
        "id",
        "is_unlimited",
        "parts",
        "prices",
        "purpose",
        "refused_credentials",
        "request",
        "route",
        "start_ns",
        "streaming",
    )

    def __init__(
        self,
        call_id: int,
        request: CompletionRequest,
        clock: Clock,
        parts: Parts,
        rules: CallRules,
        prices: Prices,
        caller: Timeouts,
        streaming: bool,
    ) -> None:
        self.id = call_id
        self.request = request
        self.clock = clock
        self.parts = parts
        self.prices = prices
        self._forks = _forks
        self.caller = caller
        self.streaming = streaming
        self.attempts: list[Attempt] = []
        """Every attempt that has ended."""
        self.begun = 0
        """How many attempts were begun, over all places."""
        self.has_moved = False
        """Whether another place was asked after one that had been chosen first."""
        self.refused_credentials: set[str] = set()
        self.purpose = enclosing_purpose.get()
        """What its attempts are made for: `call`, or `hedge`, `cascade` and the like, for records and the ledger."""
        self.route: object = None
        """What a selection or a layer has decided about this call, where it keeps something."""
        self._name: str | None = None
        self._rules = rules
        self.start_ns = clock.now_ns()
        self.deadline_ns: int | None = None
        self.is_unlimited = caller is NO_TIMEOUTS and rules.deadline is None
        """Whether each place's own limits are all that holds."""
        if not self.is_unlimited:
            allowed = shorter(rules.deadline, caller.total)
            if allowed is not None:
                self.deadline_ns = self.start_ns + round(allowed * NS)

    @property
    def is_of_this_process(self) -> bool:
        """Whether it was begun here; a fork gets a copy of what is under way."""
        return self._forks == _forks

    @property
    def is_spent(self) -> bool:
        """Whether it has made all the attempts it may make."""
        most = self._rules.max_attempts
        return most is not None and self.begun >= most

    @property
    def holds_streams(self) -> bool:
        """Whether a stream is handed over only when all of it has come, so that it may be replaced until then."""
        return self._rules.holds_streams

    @property
    def seed(self) -> int:
        """Seed of this call's draws: repeatable in a simulation, different for each client outside."""
        if self._rules.seed is not None:
            return self._rules.seed
        return 0 if isinstance(self.clock, VirtualClock) else self.clock.time_ns()

    def name_for(self, place: RunningSlot) -> str:
        """Return the name under which a place gets the request of this call, however often it is asked.

        Places get different names, because they are sent different requests.
        """
        if self._name is None:
            self._name = self.request.idempotency_key or unique_key()
        return f"{self._name}-{place.index}" if place.index else self._name

    def forget_name(self) -> None:
        """Let the request have another name from now on, because it is not the same one any more."""
        self._name = None

    def limits(self, place: RunningSlot, now_ns: int, last_error: BaseException | None) -> Timeouts:
        """Return the limits of the next attempt, cut to what the deadline leaves.

        Raises:
            DeadlineExceededError: It leaves nothing.
        """
        limits = place.timeouts
        if self.caller is not NO_TIMEOUTS:
            limits = stricter(limits, self.caller)
        if self.deadline_ns is None:
            return limits
        left_ns = self.deadline_ns - now_ns
        if left_ns <= 0:
            raise self.too_late(0.0, last_error)
        if limits.total is None or round(limits.total * NS) > left_ns:
            return Timeouts(limits.connect, limits.first_token, limits.read, left_ns / NS)
        return limits

    def too_late(self, needed: float, last_error: BaseException | None) -> DeadlineExceededError:
        """Make the error of a call whose deadline leaves no room."""
        assert self.deadline_ns is not None
        allowed = (self.deadline_ns - self.start_ns) / NS
        return DeadlineExceededError(deadline=allowed, needed=needed, last_error=last_error)

    def has_room(self, delay_ns: int) -> bool:
        """Tell whether anything could still be done after a wait."""
        return self.deadline_ns is None or self.clock.now_ns() + delay_ns < self.deadline_ns

    def is_over(self, error: BaseException) -> bool:
        """Tell whether it was the call's own deadline that ended an attempt, or a stream on its way."""
        return (
            self.deadline_ns is not None
            and (isinstance(error, ProviderTimeoutError) or isinstance(error.__cause__, ProviderTimeoutError))
            and self.clock.now_ns() >= self.deadline_ns
        )
