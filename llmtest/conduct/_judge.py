"""The judge: collects the evidence of each call while a run goes on, and applies the rules when the call has ended."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping
from decimal import Decimal

from llmtest import events
from llmtest.conduct._evidence import CallEvidence, RequestEvidence, RunEvidence
from llmtest.conduct._kind import Suspicion
from llmtest.conduct._verdict import Verdict
from llmtest.conduct._witness import Witness
from llmtest.conduct.findings._half_open_herd import HalfOpenProbes
from llmtest.conduct.findings._retry_storm import BusyMinutes
from llmtest.conduct.findings._table import KINDS, limits_of

__all__ = ["Judge"]

NOTHING: Mapping[str, float] = {}


class Judge:
    """Judges a run while it goes on.

    A run of a million calls keeps nothing: of a call that meets no failure nothing is noted, and what is noted of
    another is forgotten when it has ended.

    Args:
        witness: What is known of requests beside their events.
        half_open_calls: Calls that a breaker lets through while half open; None: unknown.
        ignore: Findings that nobody asks for; they cost nothing.
        thresholds: Thresholds in place of the defaults, as `as_thresholds` returns them.
        budget: What the run may cost, in USD; None: nobody set a limit.
        keeps: Whether the evidence of every call is kept, so that the run can be judged as a whole.
    """

    def __init__(
        self,
        witness: Witness | None = None,
        *,
        half_open_calls: int | None = None,
        ignore: Collection[str] = (),
        thresholds: Mapping[str, float] = NOTHING,
        budget: Decimal | None = None,
        keeps: bool = False,
    ) -> None:
        self.verdict = Verdict()
        self._witness = Witness() if witness is None else witness
        self._kinds = [kind for name, kind in KINDS.items() if name not in ignore]
        self._call_kinds = [kind for kind in self._kinds if kind.judge_call is not None]
        self._limits = limits_of(thresholds)
        self._budget = budget
        self._keeps = keeps
        self._calls: dict[int, CallEvidence] = {}
        """Calls under way: those that have failed somewhere, or all of them."""
        self._ignored = frozenset(ignore)
        self._minutes = BusyMinutes(self._limits["retry_storm"], self._witness.caller)
        self._half_open = HalfOpenProbes(half_open_calls, self._witness.caller)

    @property
    def caller(self) -> str:
        """Who makes the calls."""
        return self._witness.caller

    def add(self, name: str, suspicion: Suspicion) -> None:
        """Record a finding, unless nobody asks for it."""
        if name not in self._ignored:
            self.verdict.add(name, suspicion, KINDS[name].fix)

    def received(self, event: events.RequestReceived, *, first: bool) -> None:
        """Note a request; `first` tells whether its call had not asked this provider before."""
        if not (self._calls or self._keeps or self._half_open.open):
            return
        if first and event.provider in self._half_open.open:
            suspicion = self._half_open.asked(event)
            if suspicion is not None:
                self.add("half_open_herd", suspicion)
        call = self._calls.get(event.call) if self._calls or self._keeps else None
        if call is None:
            if not self._keeps:
                return
            call = self._evidence_of(event.call)
        call.requests.append(RequestEvidence(event))

    def _evidence_of(self, number: int) -> CallEvidence:
        call = self._calls.get(number)
        if call is None:
            call = self._calls[number] = CallEvidence(number, self._witness)
        return call

    def answered(self, event: events.RequestAnswered) -> None:
        """Note what came of a request."""
        if self._half_open.open and event.provider in self._half_open.open:
            self._half_open.answered(event)
        if event.outcome == "200":
            if self._calls and event.call in self._calls:
                self._close(self._calls[event.call], event)
        elif self._call_kinds or self._keeps:
            self._close(self._evidence_of(event.call), event)

    @staticmethod
    def _close(call: CallEvidence, event: events.RequestAnswered) -> None:
        for request in reversed(call.requests):
            if request.exchange == event.exchange:
                request.answer = event
                return
        call.requests.append(RequestEvidence(event))

    def refused(self, event: events.Event) -> None:
        """Note that the caller's own circuit or budget stood in the way of a request."""
        self._evidence_of(event.call).is_refused = True

    def forget(self, number: int) -> None:
        """Let requests of this number be no call of the application."""
        self._calls.pop(number, None)

    def breaker_changed(self, event: events.BreakerChanged) -> None:
        """Watch half-open circuits."""
        self._half_open.changed(event)

    def harness_error(self, event: events.HarnessErrorRecorded) -> None:
        """Record that the run itself was wrong."""
        self.add("harness_error", Suspicion(f"{events.error_facts(event.error).class_name}: {event.error}", None))

    def call_ended(self, event: events.CallEnded, asked: Mapping[str, int]) -> None:
        """Judge a whole call and forget it; `asked` counts its requests by provider."""
        if self._keeps:  # Streams that the call left open may still end, so it is judged when the run is over.
            call: CallEvidence | None = self._evidence_of(event.call)
        else:
            call = self._calls.pop(event.call, None) if self._calls else None
        if call is None:
            self._minutes.add(event.at_ns, asked, None)
            return
        call.ended = event
        repeats = Counter(request.provider for _, request in call.repeats()) if len(call.requests) > 1 else None
        self._minutes.add(event.at_ns, asked, repeats)
        call.asked = sum(asked.values())
        if not self._keeps:
            self._judge(call)

    def _judge(self, call: CallEvidence) -> None:
        if not call.requests:
            return
        for kind in self._call_kinds:
            assert kind.judge_call is not None
            for suspicion in kind.judge_call(call, self._limits[kind.name]):
                self.add(kind.name, suspicion)

    def finish(self, history: Collection[events.Event] = ()) -> Verdict:
        """Judge what is still open when the run ends, and the run as a whole, and return what was found.

        Args:
            history: Everything that happened, in order; empty where it was not kept.
        """
        calls = list(self._calls.values())
        self._calls.clear()
        for call in calls:
            call.asked = call.asked or len(call.requests)
            self._judge(call)
        for suspicion in self._minutes.finish():
            self.add("retry_storm", suspicion)
        if self._keeps:
            self._judge_run(RunEvidence(calls, tuple(history), self._witness, self._budget))
        passed = next((event for event in history if _is_real_wait(event)), None)
        if passed is not None:
            subject, words = events.describe(passed)
            kinds = [kind.name for kind in self._kinds if kind.rests_on_waiting]
            self.verdict.doubt(kinds, f"{subject}: {words}" if subject else words)
        return self.verdict

    def _judge_run(self, run: RunEvidence) -> None:
        for kind in self._kinds:
            if kind.judge_run is not None:
                for suspicion in kind.judge_run(run, self._limits[kind.name]):
                    self.add(kind.name, suspicion)


def _is_real_wait(event: events.Event) -> bool:
    return isinstance(event, events.RealTimePassed) and event.cause == "native_wait"
