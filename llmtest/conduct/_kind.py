"""What a finding is made of: a rule in words and in code, its thresholds, and how to mend what it finds."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

from llmtest.conduct._evidence import CallEvidence, RunEvidence

__all__ = ["FindingKind", "Limits", "Needs", "Suspicion", "Threshold", "shortened"]

Needs = Literal["provider", "caller"]
Limits = Mapping[str, float]
"""Thresholds of one kind of finding, by their names."""


def shortened(text: str) -> str:
    """Return a text as evidence shows it: its beginning."""
    return text if len(text) <= 60 else f"{text[:57]}..."


@dataclass(frozen=True, slots=True)
class Threshold:
    """A number that a rule turns on.

    Args:
        name: Its name; `thresholds={"finding.name": value}` sets it, and `{"finding": value}` the first of a finding.
        default: What it is where nobody sets it.
        meaning: What it is, with its unit.
        least: The smallest value that makes sense.
    """

    name: str
    default: float
    meaning: str
    least: float = 0


@dataclass(frozen=True, slots=True)
class Suspicion:
    """One case of a finding.

    Args:
        text: What was done, by which call and when, as one sentence.
        blame: Who did it; None where nobody can be named.
        evidence: What it rests on, a line for each fact.
        is_decided: Whether the evidence suffices. What it does not suffice for is listed as undecided, and accuses
            nobody.
    """

    text: str
    blame: str | None
    evidence: tuple[str, ...] = ()
    is_decided: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class FindingKind:
    """One kind of finding.

    A kind judges each call by itself, or the run as a whole, or both. What judges the run needs a history that was
    kept: tests have one, a scenario of a million calls has none.

    Args:
        name: Its name, as `ignore` and the documentation have it.
        rule: What was done that should not be, in words.
        fix: What to do about it, in one sentence.
        blames: Whom it may blame.
        needs: `provider`: what the providers saw suffices; `caller`: it takes what the caller got.
        thresholds: The numbers that the rule turns on.
        rests_on_waiting: Whether it accuses of a wait that was too short. Where real time has passed, the code may have
            waited by a clock that nobody here sees, so that it is undecided.
        judge_call: Judges one call that has ended and has met a failure. Of a call without any failure it is asked
            only where a history was kept.
        judge_run: Judges a whole run.
    """

    name: str
    rule: str
    fix: str
    blames: str
    needs: Needs = "provider"
    thresholds: tuple[Threshold, ...] = ()
    rests_on_waiting: bool = False
    judge_call: Callable[[CallEvidence, Limits], Iterable[Suspicion]] | None = None
    judge_run: Callable[[RunEvidence, Limits], Iterable[Suspicion]] | None = None

    def limits(self, given: Mapping[str, float]) -> dict[str, float]:
        """Return the thresholds, those that were given in place of the defaults."""
        limits = {threshold.name: threshold.default for threshold in self.thresholds}
        for number, threshold in enumerate(self.thresholds):
            for key in (
                (self.name, f"{self.name}.{threshold.name}") if number == 0 else (f"{self.name}.{threshold.name}",)
            ):
                if key in given:
                    limits[threshold.name] = given[key]
        return limits
