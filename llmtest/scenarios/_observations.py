"""What is noted during a run only where a check asks for it: what callers got, and how single calls treated a provider.

A check that nobody asks for costs nothing: the handlers are put around those of the counts only where one is there.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from fnmatch import fnmatchcase
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from llmtest import events
from llmtest.scenarios._expectations import Expectation
from llmtest.scenarios._measures import Sample

if TYPE_CHECKING:
    from llmtest.scenarios._spec import FaultSpec
    from llmtest.types import CompletionResponse

__all__ = ["CALLER", "OBSERVED", "Observations", "end_of_faults"]

NS = 1_000_000_000
CALLER = frozenset({"whole_answers", "broken_answers", "usage_reported", "reported_model"})
"""Checks on what the caller of a chain was handed."""
OBSERVED = CALLER | {"call_time", "retry_gap", "burst", "recovery"}
"""Every check that needs notes of its own."""


def end_of_faults(faults: Sequence[FaultSpec], provider: str) -> int | None:
    """Return when the last fault at a provider ends, in nanoseconds of the run; None where none of them ends."""
    ends = []
    for fault in faults:
        where = fault.arguments.get("where", {}).get("provider", "*")
        hits = any(fnmatchcase(provider, pattern) for pattern in ([where] if isinstance(where, str) else where))
        if hits and fault.arguments.get("for_ns") is not None and fault.arguments.get("every_ns") is None:
            ends.append(fault.arguments["at_ns"] + fault.arguments["for_ns"])
    return max(ends, default=None)


class Observations:
    """Notes of a run.

    Args:
        expectations: What they are made for.
        faults: When providers are ill.
        answers: What each provider says when it is well.
    """

    def __init__(
        self, expectations: Sequence[Expectation], faults: Sequence[FaultSpec], answers: Mapping[str, frozenset[str]]
    ) -> None:
        asked = [expectation for expectation in expectations if _head(expectation) in OBSERVED]
        self.watches_answers = any(_head(expectation) in CALLER for expectation in asked)
        """Whether what callers are handed has to be told."""
        self._answers = dict(answers)
        self._calls: dict[int, dict[str, list[int]]] = {}
        self._gaps: dict[str, int] = {}
        self._windows = {(_tail(each), round(each.window * NS)) for each in asked if _head(each) == "burst"}
        self._bursts: Counter[tuple[str, int]] = Counter()
        ill = {_tail(each): end_of_faults(faults, _tail(each)) for each in asked if _head(each) == "recovery"}
        self._well_from = {name: end for name, end in ill.items() if end is not None}
        self._well_at: dict[str, int] = {}
        self._call_time = Sample()
        self._told = self._whole = self._metered = 0
        self._ended = 0
        self._models: Counter[str] = Counter()

    @classmethod
    def needed(
        cls, expectations: Sequence[Expectation], faults: Sequence[FaultSpec], answers: Mapping[str, frozenset[str]]
    ) -> Observations | None:
        """Return the notes that some checks need; None where they need none."""
        needs = any(_head(expectation) in OBSERVED for expectation in expectations)
        return cls(expectations, faults, answers) if needs else None

    def says(self, provider: str, texts: frozenset[str]) -> None:
        """Take what a provider says when it is well, which is known only when its session has been read."""
        self._answers[provider] = texts

    def watch(self, handlers: dict[type[events.Event], Callable[[Any], None]]) -> None:
        """Note what passes by the handlers of a run, before they count it."""
        for kind, note in (
            (events.RequestReceived, self._received),
            (events.RequestAnswered, self._answered),
            (events.CallEnded, self._call_ended),
        ):
            handlers[kind] = _both(note, handlers[kind])

    def _received(self, event: events.RequestReceived) -> None:
        self._calls.setdefault(event.call, {}).setdefault(event.provider, []).append(event.at_ns)

    def _answered(self, event: events.RequestAnswered) -> None:
        end_ns = self._well_from.get(event.provider)
        if end_ns is not None and event.outcome == "200" and event.start_ns >= end_ns:
            self._well_at.setdefault(event.provider, event.at_ns)

    def _call_ended(self, event: events.CallEnded) -> None:
        self._ended += 1
        self._call_time.add((event.at_ns - event.start_ns) / NS)
        for provider, times in self._calls.pop(event.call, {}).items():
            for earlier, later in pairwise(times):
                self._gaps[provider] = min(later - earlier, self._gaps.get(provider, later - earlier))
            for name, window_ns in self._windows:
                if name == provider:
                    most = max(sum(0 <= at - first < window_ns for at in times) for first in times)
                    self._bursts[name, window_ns] = max(most, self._bursts[name, window_ns])

    def handed(self, response: CompletionResponse, text: str) -> None:
        """Note what the caller of a chain was handed.

        Args:
            response: The answer, as the chain told it at its end.
            text: What the caller has read, piece by piece where it came in pieces.
        """
        self._told += 1
        self._whole += text in self._answers.get(response.provider or "", ())
        self._metered += response.usage.source == "exact" and response.usage.output_tokens > 0
        self._models[response.model or "unknown"] += 1

    def value(self, expectation: Expectation) -> Any:  # noqa: PLR0911 - one for each check
        """Return what was found for a check; None where nothing was measured."""
        tail = _tail(expectation)
        match _head(expectation):
            case "whole_answers":
                return self._whole / self._ended if self._ended else None
            case "broken_answers":
                return self._told - self._whole
            case "usage_reported":
                return self._metered / self._told if self._told else None
            case "reported_model":
                return self._models[tail]
            case "call_time":
                return self._call_time.measure(tail)
            case "retry_gap":
                gap = self._gaps.get(tail)
                return None if gap is None else gap / NS
            case "burst":
                return self._bursts[tail, round(expectation.window * NS)]
            case _:
                at_ns = self._well_at.get(tail)
                return None if at_ns is None else (at_ns - self._well_from[tail]) / NS


def _head(expectation: Expectation) -> str:
    return expectation.check.partition(".")[0]


def _tail(expectation: Expectation) -> str:
    return expectation.check.partition(".")[2]


def _both(first: Callable[[Any], None], second: Callable[[Any], None]) -> Callable[[Any], None]:
    def handle(event: Any) -> None:
        first(event)
        second(event)

    return handle
