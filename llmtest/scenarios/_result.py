"""What came of a run: numbers, checks, and the JSON object that `simulate --json` prints."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

__all__ = ["Check", "RunResult", "Transition"]


@dataclass(frozen=True, slots=True)
class Check:
    """One expectation, judged.

    Args:
        check: What was checked: `availability`, `breaker.openai`.
        expected: What had to hold.
        actual: What was found.
        ok: Whether it held.
    """

    check: str
    expected: str
    actual: str
    ok: bool


@dataclass(frozen=True, slots=True)
class Transition:
    """A circuit breaker changed its state, `at` seconds after the start."""

    at: float
    provider: str
    state: str


@dataclass(slots=True, kw_only=True)
class RunResult:
    """What came of one run of a scenario.

    Args:
        scenario: The scenario's name.
        path: Its file.
        seed: The seed it ran with.
        digest: Hash of the whole history of events; equal digests, equal runs.
        calls: Logical calls that were made.
        succeeded: Calls that were answered.
        failed: Calls that were not.
        attempts: Requests that reached a provider.
        retries: Attempts that repeated an earlier one at the same provider.
        fallbacks: Times a call moved on to another provider.
        rejected: Calls that a budget refused.
        served_by: Answered calls by provider.
        breaker: States of each circuit breaker, from `closed` on.
        transitions: The same with their times.
        latency: Seconds from when a call was due to its answer: `p50`, `p95`, `p99`.
        ttft: Seconds to the first token of streamed answers; None where nothing was streamed.
        cost_usd: What the calls cost; None where a price is unknown.
        known_cost_usd: The part of it whose prices are known.
        cost_by_provider: The same by provider.
        cost_by_model: The same by `provider:model`, in the order of their first calls.
        cost_by_hour: The same by the hour of the run's clock in which calls were charged; hours without are left out.
        virtual_seconds: How long the run took on its own clock.
        wall_seconds: How long it really took.
        faults_fired: How often each fault rule struck.
        errors: Failed calls by class of error.
        findings: What the verdict found, with its first occurrence.
        expectations: The checks.
        notes: What is odd about the scenario: a check that may hold for the wrong reason.
    """

    scenario: str
    path: str | None
    seed: int
    digest: str
    calls: int
    succeeded: int
    failed: int
    attempts: int
    retries: int
    fallbacks: int
    rejected: int
    served_by: dict[str, int]
    breaker: dict[str, list[str]]
    transitions: list[Transition]
    latency: dict[str, float | None]
    ttft: dict[str, float | None]
    cost_usd: Decimal | None
    known_cost_usd: Decimal
    cost_by_provider: dict[str, Decimal | None]
    virtual_seconds: float
    wall_seconds: float
    faults_fired: dict[str, int]
    errors: dict[str, int] = field(default_factory=dict)
    findings: dict[str, str] = field(default_factory=dict)
    expectations: list[Check] = field(default_factory=list)
    notes: tuple[str, ...] = ()
    cost_by_model: dict[str, Decimal | None] = field(default_factory=dict)
    cost_by_hour: dict[int, Decimal | None] = field(default_factory=dict)

    @property
    def availability(self) -> float:
        """Share of calls that were answered; 1 where none was made."""
        return self.succeeded / self.calls if self.calls else 1.0

    @property
    def ok(self) -> bool:
        """Whether every expectation held."""
        return all(check.ok for check in self.expectations)

    def as_json(self) -> dict[str, Any]:
        """Return the object that `llmtest simulate --json` prints."""
        return {
            "scenario": self.scenario,
            "seed": self.seed,
            "digest": self.digest,
            "calls": self.calls,
            "succeeded": self.succeeded,
            "failed": self.failed,
            "availability": round(self.availability, 9),
            "attempts": self.attempts,
            "retries": self.retries,
            "fallbacks": self.fallbacks,
            "served_by": self.served_by,
            "breaker": self.breaker,
            "latency_s": self.latency,
            "ttft_s": self.ttft,
            "cost_usd": _usd(self.cost_usd),
            "cost_by_provider": {name: _usd(cost) for name, cost in self.cost_by_provider.items()},
            "cost_by_model": {name: _usd(cost) for name, cost in self.cost_by_model.items()},
            "cost_by_hour": {f"+{hour}h": _usd(cost) for hour, cost in self.cost_by_hour.items()},
            "virtual_seconds": round(self.virtual_seconds, 9),
            "wall_seconds": round(self.wall_seconds, 3),
            "faults_fired": self.faults_fired,
            "expectations": [
                {"check": check.check, "expected": check.expected, "actual": check.actual, "ok": check.ok}
                for check in self.expectations
            ],
            **({"notes": list(self.notes)} if self.notes else {}),
        }


def _usd(cost: Decimal | None) -> str:
    return "unknown" if cost is None else f"{cost:f}"
