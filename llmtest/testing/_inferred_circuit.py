"""The circuit of somebody else's breaker, inferred from marked calls: those that asked a provider, those that did not.

An open circuit shows only as a call that does not ask the provider. Other things look the same: a rotation over
providers, an answer from a cache, another feature of the app. So a call that did not ask is a sign of an open circuit
only

- after a failure at the provider, while nothing was answered there since; and
- where it sent nothing at all: because its error is that of a circuit, or because at least two calls in a row had
  failed before, and no other call sent nothing while all was well; or
- where it asked another provider in its place: because that one has stepped in after a failure of the first, or calls
  of the same name ask the first; because the provider is asked by at least two calls in a row somewhere, which no
  rotation does; and because no call left it out while all was well.

The next call that asks again is the probe of a half-open circuit, and its outcome closes or opens it. What this does
not decide is said, and never guessed.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import pairwise

from llmtest.conduct import is_circuit_error
from llmtest.events import CallEnded, CallStarted, Event
from llmtest.testing._history import Seen, matches_target

__all__ = ["Undecided", "circuit_of", "marked_calls"]

SAYS_NOTHING = frozenset({"cancelled", "BudgetExceededError", "DeadlineExceededError"})
"""Why a call may have sent nothing that has nothing to do with a circuit."""


class Undecided(Exception):  # noqa: N818 - what is raised is no error of anybody
    """What happened has two explanations."""


@dataclass(slots=True)
class MarkedCall:
    """One marked call.

    Args:
        number: Its number.
        label: Its name.
        began: Position in the trace at which it began.
        ended: Position at which it ended.
        at_ns: When it began.
        outcome: `ok`, or the class of the error it ended with; empty where that is not known.
        attempts: Its requests, in order.
    """

    number: int
    label: str
    began: int
    ended: int
    at_ns: int
    outcome: str = ""
    attempts: list[Seen] = field(default_factory=list)

    @property
    def is_refused(self) -> bool:
        """Whether its error is that of a circuit."""
        return is_circuit_error(self.outcome)

    def __str__(self) -> str:
        return f"call {self.number} (`{self.label}`)" if self.label else f"call {self.number}"


def marked_calls(events: Iterable[Event], attempts: Iterable[Seen]) -> list[MarkedCall]:
    """Return the marked calls in the order in which they began, those without a request as well.

    A call around other calls is none of them: what happens inside it is theirs.
    """
    calls: dict[int, MarkedCall] = {}
    for position, event in enumerate(events):
        if isinstance(event, CallStarted):
            calls[event.call] = MarkedCall(event.call, event.label, position, position, event.at_ns)
        elif isinstance(event, CallEnded) and event.call in calls:
            calls[event.call].ended, calls[event.call].outcome = position, event.outcome
    for seen in attempts:
        call = calls.setdefault(seen.call, MarkedCall(seen.call, "", seen.began, seen.began, seen.at_ns))
        call.attempts.append(seen)
        call.ended = max(call.ended, seen.began if seen.ended is None else seen.ended)
    every = sorted(calls.values(), key=lambda call: call.began)
    return [
        call
        for call in every
        if call.attempts or not any(call.began < other.began and other.ended < call.ended for other in every)
    ]


def circuit_of(calls: list[MarkedCall], target: str) -> list[str]:
    """Return the states that the circuit of `target` went through, from `closed` on.

    Raises:
        Undecided: Something else may have been the reason; its text says what.
    """
    return _Circuit(calls, target).states()


class _Circuit:
    """Reads one circuit."""

    def __init__(self, calls: list[MarkedCall], target: str) -> None:
        self._target = target
        operations = {seen.operation for call in calls for seen in call.attempts if matches_target(seen, target)}
        calls = [call for call in calls if not call.attempts or any(s.operation in operations for s in call.attempts)]
        self._firsts = {call.attempts[0].target for call in calls if call.attempts}
        first = next((call for call in calls if self._mine(call)), None)
        self._is_first = first is not None and matches_target(first.attempts[0], target)
        pairs = [(a, b) for call in calls for a, b in pairwise(call.attempts) if a.failed]
        self._before = {a.target for a, b in pairs if matches_target(b, target) and not matches_target(a, target)}
        self._after = {b.target for a, b in pairs if matches_target(a, target)}
        self._calls = [call for call in calls if self._might_ask(call)]
        self._labels = {call.label for call in self._calls if self._mine(call) and call.label}
        asked = [bool(self._mine(call)) for call in self._calls if call.attempts]
        self._is_asked_in_a_row = any(first and second for first, second in pairwise(asked))
        self._changes = ["closed"]
        self._failed: list[Seen] = []
        self._left_out: MarkedCall | None = None
        self._quiet: MarkedCall | None = None
        self._probes: list[MarkedCall] = []
        self._reopening: int | None = None
        self._opened_ns = 0
        self._refused_after = -1
        self._probed_after: int | None = None

    def _mine(self, call: MarkedCall) -> list[Seen]:
        return [seen for seen in call.attempts if matches_target(seen, self._target)]

    def _might_ask(self, call: MarkedCall) -> bool:
        """Tell whether a call might have asked: any; of a provider that only steps in, one in which others failed."""
        if self._is_first or self._mine(call):
            return True
        return any(seen.failed and seen.target in self._before for seen in call.attempts)

    def states(self) -> list[str]:
        """Walk over beginnings and ends, in the order in which they happened."""
        steps: list[tuple[int, int, MarkedCall]] = []
        for call in self._calls:
            mine = self._mine(call)
            if not mine:
                steps.append((call.began, 1, call))
                continue
            steps.append((mine[0].began, 1, call))
            if mine[-1].ended is not None:
                steps.append((mine[-1].ended, 0, call))
        for _, is_beginning, call in sorted(steps, key=lambda step: step[:2]):
            if not is_beginning:
                self._ended(call)
            elif self._mine(call):
                self._asked(call)
            else:
                self._skipped(call)
        return self._changes

    def _asked(self, call: MarkedCall) -> None:
        at_ns = self._mine(call)[0].at_ns
        state = self._changes[-1]
        if state == "half_open" and self._reopening is not None:
            self._judge_reopening(call, at_ns - self._reopening)
            state = self._changes[-1]
        if state == "open":
            after = at_ns - self._opened_ns
            self._probed_after = after if self._probed_after is None else min(after, self._probed_after)
            self._changes.append("half_open")
            self._probes = []
        if self._changes[-1] == "half_open":
            self._probes.append(call)

    def _judge_reopening(self, call: MarkedCall, gap_ns: int) -> None:
        """Tell whether a circuit was open between a probe that failed and the next one, from how long it was before."""
        assert self._reopening is not None
        if self._probed_after is not None and gap_ns >= self._probed_after:
            self._changes.append("open")
            self._opened_ns = self._reopening
        elif gap_ns > self._refused_after:
            raise Undecided(
                f"a probe failed at {self._reopening / 1e9:.3f} s, and {call} asked again {gap_ns / 1e9:.3f} s later: "
                "the circuit may have been open in between"
            )
        self._reopening = None

    def _ended(self, call: MarkedCall) -> None:
        last = self._mine(call)[-1]
        is_probe = self._changes[-1] == "half_open" and call in self._probes
        if last.answered:
            if is_probe:
                self._changes.append("closed")
            if is_probe or self._changes[-1] == "closed":
                self._failed.clear()
                self._reopening = None
        elif self._changes[-1] == "closed" or is_probe:
            self._failed.append(last)
            if is_probe:
                self._reopening = self._moment(last)

    def _skipped(self, call: MarkedCall) -> None:
        state = self._changes[-1]
        if call.outcome in SAYS_NOTHING:
            return
        if state == "closed" and not self._failed:
            if call.attempts:
                self._left_out = self._left_out or call
            elif not call.is_refused:
                self._quiet = self._quiet or call
            return
        if state == "half_open" and self._reopening is None:
            return  # It is refused while a probe is under way, or goes on to somebody else.
        if state != "open":
            self._judge(call)
            self._opened_ns = self._moment(self._failed[-1])
            self._changes.append("open")
            self._reopening = None
        self._refused_after = max(self._refused_after, call.at_ns - self._opened_ns)

    def _moment(self, failure: Seen) -> int:
        return failure.at_ns if failure.ended_ns is None else failure.ended_ns

    def _judge(self, call: MarkedCall) -> None:
        """Raise Undecided where a call that did not ask may have had another reason."""
        failures = len(self._failed)
        since = f"after {failures} {'failure' if failures == 1 else 'failures'} at `{self._target}`"
        if not call.attempts:
            provider = self._target.partition("/")[0]
            others = {first for first in self._firsts - self._after if first.partition("/")[0] != provider}
            if others and call.label not in self._labels:
                raise Undecided(f"{call} sent nothing {since}, and might have asked `{min(others)}` instead")
            if call.is_refused:
                return
            if self._quiet is not None:
                raise Undecided(f"{call} sent nothing {since}, but so did {self._quiet} while all was well")
            if failures < 2 and self._changes[-1] == "closed":
                raise Undecided(f"{call} sent nothing {since}: an answer from a cache, or a check, looks the same")
            return
        place = self._in_its_place(call)
        if place is None:
            raise Undecided(f"{call} ended {since} without asking it, which no circuit has to be the reason of")
        if self._left_out is not None:
            raise Undecided(
                f"{call} asked `{place}` {since}, but {self._left_out} did not ask `{self._target}` either, while all "
                "was well: a rotation over providers looks the same"
            )
        if not self._is_asked_in_a_row:
            raise Undecided(
                f"{call} asked `{place}` {since}, but no two calls in a row ask `{self._target}`: a rotation over "
                "providers looks the same"
            )
        if place not in self._after and call.label not in self._labels:
            raise Undecided(
                f"{call} asked `{place}` {since}, but no call went from one to the other, so it may be about something "
                "else"
            )

    def _in_its_place(self, call: MarkedCall) -> str | None:
        """Return who was asked where the provider would have been; None where nobody was."""
        if self._is_first:
            return call.attempts[0].target
        return next((b.target for a, b in pairwise(call.attempts) if a.failed and a.target in self._before), None)
