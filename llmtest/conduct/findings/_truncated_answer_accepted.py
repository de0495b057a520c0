"""`truncated_answer_accepted`: half an answer taken for a whole one."""

from __future__ import annotations

from collections.abc import Iterator

from llmtest.conduct._evidence import CallEvidence, RequestEvidence
from llmtest.conduct._kind import FindingKind, Limits, Suspicion

__all__ = ["KIND"]


def judge(call: CallEvidence, limits: Limits) -> Iterator[Suspicion]:  # noqa: ARG001 - there is nothing to set
    """Look at what came of a stream that broke off without a word, and of the call after it."""
    last = call.requests[-1]
    if last.outcome != "truncated" or call.result == "raised":
        return
    at = f"a stream of `{last.provider}` for whole that ended too early, at {last.ended_ns / 1e9:.3f} s"
    is_accepted = _is_accepted(call, last)
    if is_accepted:
        yield Suspicion(f"{call.name} took {at}.", "the app, because no SDK tells it", (str(last),))
    elif is_accepted is None:
        yield Suspicion(
            f"{call.name} may have taken {at}: what its caller got is not known.", None, (str(last),), is_decided=False
        )


def _is_accepted(call: CallEvidence, last: RequestEvidence) -> bool | None:
    """Tell whether what the caller got is what the broken stream had said; None where that is not known."""
    returned, answer = call.returned, last.answer
    if call.result is None or returned is None or returned.text is None or answer is None:
        return None
    got, said = returned.text.strip(), (answer.partial_text or "").strip()
    return bool(got) and bool(said) and (said in got or got in said)


KIND = FindingKind(
    name="truncated_answer_accepted",
    rule="a stream ended without its terminator, and the caller returned its text for an answer",
    fix="take a streamed answer for whole only if it told a finish reason, or its last event",
    blames="app",
    needs="caller",
    judge_call=judge,
)
