"""`no_fallback_after_break`: a stream broke before it had said anything, and nobody else was asked."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

from llmtest.conduct._conversation import asks_the_same
from llmtest.conduct._evidence import CallEvidence, RequestEvidence, RunEvidence
from llmtest.conduct._kind import FindingKind, Limits, Suspicion, Threshold

__all__ = ["KIND"]

BROKEN = frozenset({"truncated", "dropped", "stalled", "reset", "error"})
OTHER_REASONS = frozenset({"ok", "truncated", "cancelled", "BudgetExceededError", "DeadlineExceededError"})


def judge(run: RunEvidence, limits: Limits) -> Iterator[Suspicion]:
    """Look for calls that ended with a broken stream, in an app that asks another provider after other failures.

    What the caller has been told cannot be taken back, so a stream that broke later may end its call. A provider that
    stood idle is not enough: nothing shows that the app knows it.
    """
    others = {pair for call in run.calls for pair in _moves(call)}
    for call in run.calls:
        last = _broken_off(call, limits["told"])
        if last is None:
            continue
        known = sorted(after for before, after in others if before == last.provider)
        if known:
            yield Suspicion(
                f"{call.name} failed with a stream of `{last.provider}` that ended before it had said anything, at "
                f"{last.ended_ns / 1e9:.3f} s, and did not ask `{known[0]}`, as others do that fail there.",
                call.witness.caller,
                (str(last), f"others went from `{last.provider}` to `{known[0]}`"),
            )


def _broken_off(call: CallEvidence, told: float) -> RequestEvidence | None:
    """Return the broken stream that a marked call ended with; None where it ended otherwise."""
    ended = call.ended
    if not call.is_marked or call.is_refused or ended is None or ended.outcome in OTHER_REASONS or not call.requests:
        return None
    last = call.requests[-1]
    partial = None if last.answer is None else last.answer.partial_text
    is_early = partial is not None and len(partial) <= told
    return last if last.stream and last.outcome in BROKEN and is_early else None


def _moves(call: CallEvidence) -> Iterator[tuple[str, str]]:
    for stretch in call.stretches():
        for before, after in pairwise(stretch):
            if before.has_failed and before.provider != after.provider and asks_the_same(call.witness, before, after):
                yield before.provider, after.provider


KIND = FindingKind(
    name="no_fallback_after_break",
    rule="a call failed with a stream that broke before it had said anything, and did not ask the provider that other "
    "calls ask after a failure there",
    fix="treat a stream that ends before its first token as a failed request: try again, or ask the next provider",
    blames="framework, app or provider layer",
    needs="caller",
    thresholds=(Threshold("told", 0, "characters that the caller may have been told before the stream broke"),),
    judge_run=judge,
)
