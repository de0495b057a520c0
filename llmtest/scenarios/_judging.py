"""Expectations against the numbers of a run."""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from llmtest.config import format_duration
from llmtest.scenarios._expectations import Expectation
from llmtest.scenarios._observations import OBSERVED
from llmtest.scenarios._result import Check, RunResult

if TYPE_CHECKING:
    from llmtest.scenarios._spec import FaultSpec
    from llmtest.scenarios._tally import Tally

__all__ = ["is_visited", "judge"]

_COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    ">=": operator.ge,
    "<=": operator.le,
    ">": operator.gt,
    "<": operator.lt,
    "==": operator.eq,
}


def judge(
    expectations: Sequence[Expectation], faults: Sequence[FaultSpec], result: RunResult, tally: Tally
) -> list[Check]:
    """Return every check of a run.

    Beside what the scenario expects, two things always have to hold: every fault rule fired (a fault that never struck
    proves nothing), and the run itself was in order.
    """
    checks = [_check(expectation, result, tally) for expectation in expectations]
    asked = {expectation.check for expectation in expectations}
    for fault in faults:
        name = f"faults_fired.{fault.name}"
        if not result.faults_fired[fault.name] and not fault.optional and name not in asked:
            checks.append(Check(name, ">= 1", "0: the rule never struck", ok=False))
    if "harness_error" in result.findings and "verdict" not in asked:
        checks.append(Check("harness", "no error", result.findings["harness_error"], ok=False))
    return checks


def _check(expectation: Expectation, result: RunResult, tally: Tally) -> Check:
    if expectation.kind == "states":
        return _breaker(expectation, result)
    if expectation.kind == "verdict":
        found = "; ".join(f"{name}: {text}" for name, text in result.findings.items())
        return Check(expectation.check, expectation.shown, found or "clean", ok=not found)
    value = _value(expectation, result, tally)
    if value is None:
        actual = "unknown: a price is missing" if expectation.kind == "money" else "nothing was measured"
        return Check(expectation.check, expectation.shown, actual, ok=False)
    ok = _COMPARE[expectation.operator](value, expectation.value)
    return Check(expectation.check, expectation.shown, _shown(expectation, value), ok=ok)


def _value(expectation: Expectation, result: RunResult, tally: Tally) -> Any:  # noqa: PLR0911 - one for each kind
    head, _, tail = expectation.check.partition(".")
    if head in OBSERVED:
        return None if tally.observations is None else tally.observations.value(expectation)
    if head == "errors":
        return tally.errors.get(tail, 0)
    if head == "attempts":
        return tally.attempts.get(tail, 0) if tail else result.attempts
    if head == "served_by":
        served = result.served_by.get(tail, 0)
        return served if expectation.kind == "count" else served / result.succeeded if result.succeeded else 0.0
    if head == "faults_fired":
        return result.faults_fired[tail]
    if head == "latency":
        return tally.latency.measure(tail)
    if head == "ttft":
        return tally.ttft.measure(tail)
    if head == "spend":
        return result.cost_by_provider.get(tail, Decimal(0)) if tail else result.cost_usd
    return getattr(result, head)


def _shown(expectation: Expectation, value: Any) -> str:
    match expectation.kind:
        case "share":
            return f"{value * 100:.6g}%"
        case "duration":
            return format_duration(round(value, 6))
        case "burst":
            return f"{value} in {format_duration(expectation.window)}"
        case "money":
            return f"{Decimal(value).quantize(Decimal('0.0001'))}"
        case _:
            return str(value)


def is_visited(states: Sequence[str], history: Sequence[str]) -> bool:
    """Tell whether the states were visited in this order, whatever came between."""
    remaining = iter(history)
    return all(state in remaining for state in states)


def _breaker(expectation: Expectation, result: RunResult) -> Check:
    history = result.breaker.get(expectation.check.partition(".")[2], ["closed"])
    same = tuple(history) == expectation.value
    ok = same if expectation.exactly else is_visited(expectation.value, history)
    return Check(expectation.check, expectation.shown, _path(history), ok=ok)


def _path(history: Sequence[str]) -> str:
    if len(history) <= 12:
        return " -> ".join(history)
    return f"{' -> '.join(history[:8])} -> ... ({len(history) - 11} more) ... -> {' -> '.join(history[-3:])}"
