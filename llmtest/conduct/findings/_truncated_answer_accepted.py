"""`truncated_answer_accepted`: half an answer taken for a whole one."""

from __future__ import annotations

from collections.abc import Iterator

from llmtest.conduct._evidence import CallEvidence
from llmtest.conduct._kind import FindingKind, Limits, Suspicion

__all__ = ["KIND"]


def judge(call: CallEvidence, limits: Limits) -> Iterator[Suspicion]:  # noqa: ARG001 - there is nothing to set
    """Look at how a call ended whose last stream broke off without a word."""
    last = call.requests[-1]
    if last.outcome != "truncated" or call.ended is None or call.ended.outcome not in {"ok", "truncated"}:
        return
    yield Suspicion(
        f"{call.name} took a stream of `{last.provider}` for whole that ended too early, at "
        f"{last.ended_ns / 1e9:.3f} s.",
        "the app, because no SDK tells it",
        (str(last),),
    )


KIND = FindingKind(
    name="truncated_answer_accepted",
    rule="a stream ended without its terminator, and the caller returned its text for an answer",
    fix="take a streamed answer for whole only if it told a finish reason, or its last event",
    blames="app",
    needs="caller",
    judge_call=judge,
)
