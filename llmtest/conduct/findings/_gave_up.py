"""`gave_up`: failed at the first thing that went wrong."""

from __future__ import annotations

from collections.abc import Iterator

from llmtest.conduct._evidence import CallEvidence
from llmtest.conduct._kind import FindingKind, Limits, Suspicion, Threshold
from llmtest.conduct._outcomes import may_pass

__all__ = ["KIND"]

REFUSED_BY_CALLER = frozenset({"BudgetExceededError", "CircuitOpenError", "DeadlineExceededError", "cancelled"})


def judge(call: CallEvidence, limits: Limits) -> Iterator[Suspicion]:
    """Look at how a call ended that sent one request."""
    ended, last = call.ended, call.requests[-1]
    if ended is None or call.asked != 1 or call.is_refused or not may_pass(last, limits["wait"]):
        return
    if ended.outcome not in {"ok", "truncated"} and ended.outcome not in REFUSED_BY_CALLER:
        failure = f"`{last.provider}:{last.outcome}` at {last.ended_ns / 1e9:.3f} s"
        yield Suspicion(f"{call.name} failed with {failure} and did not try again.", call.witness.caller, (str(last),))


KIND = FindingKind(
    name="gave_up",
    rule="a call failed after a single request, at a failure that may pass within `wait` seconds",
    fix="try again after a pause (the SDK's `max_retries`, a retry of your own), or ask another provider",
    blames="app or provider layer",
    needs="caller",
    thresholds=(Threshold("wait", 60.0, "a provider that asks for a longer wait need not be asked again, in seconds"),),
    judge_call=judge,
)
