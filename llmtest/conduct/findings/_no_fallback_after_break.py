"""`no_fallback_after_break`: a stream broke before it had said anything, and nobody else was asked."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise

from llmtest.conduct._conversation import asks_the_same
from llmtest.conduct._evidence import CallEvidence, RequestEvidence, RunEvidence
from llmtest.conduct._kind import FindingKind, Limits, Suspicion, Threshold
from llmtest.conduct._outcomes import is_final

__all__ = ["KIND"]

BROKEN = frozenset({"truncated", "dropped", "stalled", "reset", "error"})
OTHER_REASONS = frozenset(
    {"ok", "truncated", "cancelled", "BudgetExceededError", "DeadlineExceededError", "TimeoutError"}
)


def judge(run: RunEvidence, limits: Limits) -> Iterator[Suspicion]:
    """Look for calls that ended with a broken stream, in an app that asks another provider after other failures.

    What the caller has been told cannot be taken back, so a stream that broke later may end its call. A provider that
    stood idle is not enough: nothing shows that the app knows it.
    """
    moves = [pair for call in run.calls for pair in _moves(call)]
    others = {(before.provider, after.provider) for before, after in moves}
    for call in run.calls:
        last = _broken_off(call, limits["told"])
        if last is None:
            yield from _judge_like_another(call, run, moves)
            continue
        known = sorted(after for before, after in others if before == last.provider)
        if known:
            yield Suspicion(
                f"{call.name} failed with a stream of `{last.provider}` that ended before it had said anything, at "
                f"{last.ended_ns / 1e9:.3f} s, and did not ask `{known[0]}`, as others do that fail there.",
                call.witness.caller,
                (str(last), f"others went from `{last.provider}` to `{known[0]}`"),
            )


def _judge_like_another(
    call: CallEvidence, run: RunEvidence, moves: Sequence[tuple[RequestEvidence, RequestEvidence]]
) -> Iterator[Suspicion]:
    """Compare a call that failed with another that met the same failure with the same question, and asked elsewhere.

    Who was asked then has to be well: a circuit or a cooldown in front of one that has failed is a reason to stop.
    """
    ended = call.ended
    if not call.is_marked or call.is_refused or ended is None or ended.outcome in OTHER_REASONS or not call.requests:
        return
    last = call.requests[-1]
    if not last.has_failed or is_final(last):
        return
    for before, after in moves:
        is_like = (before.provider, before.model, before.outcome) == (last.provider, last.model, last.outcome)
        if not is_like or not after.is_answered or after.at_ns > last.at_ns:
            continue
        if not asks_the_same(call.witness, before, last) or _has_failed(run, after.provider):
            continue
        yield Suspicion(
            f"{call.name} failed with `{last.provider}:{last.outcome}` at {last.ended_ns / 1e9:.3f} s, and did not ask "
            f"`{after.provider}`, as another did that met the same with the same question.",
            call.witness.caller,
            (str(last), f"{before}; then {after}"),
        )
        return


def _has_failed(run: RunEvidence, provider: str) -> bool:
    return any(each.provider == provider and not each.is_answered for call in run.calls for each in call.requests)


def _broken_off(call: CallEvidence, told: float) -> RequestEvidence | None:
    """Return the broken stream that a marked call ended with; None where it ended otherwise."""
    ended = call.ended
    if not call.is_marked or call.is_refused or ended is None or ended.outcome in OTHER_REASONS or not call.requests:
        return None
    last = call.requests[-1]
    partial = None if last.answer is None else last.answer.partial_text
    is_early = partial is not None and len(partial) <= told
    return last if last.stream and last.outcome in BROKEN and is_early else None


def _moves(call: CallEvidence) -> Iterator[tuple[RequestEvidence, RequestEvidence]]:
    for stretch in call.stretches():
        for before, after in pairwise(stretch):
            if before.has_failed and before.provider != after.provider and asks_the_same(call.witness, before, after):
                yield before, after


KIND = FindingKind(
    name="no_fallback_after_break",
    rule="a call failed with a stream that broke before it had said anything, and did not ask the provider that other "
    "calls ask after a failure there; or it failed where another call with the same question, the same model and the "
    "same failure had asked a provider that is well",
    fix="treat a stream that ends before its first token as a failed request, and an error that a breaker or a retry "
    "puts in the place of a failure as that failure: try again, or ask the next provider",
    blames="framework, app or provider layer",
    needs="caller",
    thresholds=(Threshold("told", 0, "characters that the caller may have been told before the stream broke"),),
    judge_run=judge,
)
