"""`answers_glued`: the caller got the text of two attempts in one."""

from __future__ import annotations

import re
from collections.abc import Iterator

from llmtest.conduct._conversation import messages_of
from llmtest.conduct._evidence import CallEvidence, RequestEvidence
from llmtest.conduct._kind import FindingKind, Limits, Suspicion, Threshold

__all__ = ["KIND"]


def judge(call: CallEvidence, limits: Limits) -> Iterator[Suspicion]:
    """Look in what the caller got for what a broken stream had said, followed by the whole answer after it.

    An app that shows the second model what the first had said, and lets it go on from there, glues on purpose.
    """
    for stretch in call.stretches():
        answer = stretch[-1]
        whole = _text_of(call, answer)
        if not answer.is_answered or not whole:
            continue
        for broken in stretch[:-1]:
            partial = "" if broken.answer is None else (broken.answer.partial_text or "")
            if len(partial.strip()) < limits["characters"] or _goes_on(call, answer, partial):
                continue
            yield from _judge(call, broken, answer, partial, whole)


def _judge(
    call: CallEvidence, broken: RequestEvidence, answer: RequestEvidence, partial: str, whole: str
) -> Iterator[Suspicion]:
    returned = None if call.returned is None else call.returned.text
    evidence = (f"{broken}; had said {_shown(partial)}", f"{answer}; said {_shown(whole)}")
    if returned is None:
        text = (
            f"{call.name} asked again after a stream that had said something; whether both texts came out is unknown."
        )
        yield Suspicion(text, None, evidence, is_decided=False)
    elif re.search(rf"{re.escape(partial.strip())}\s*{re.escape(whole.strip())}", returned):
        yield Suspicion(
            f"{call.name} returned what `{broken.provider}` had said when its stream broke at "
            f"{broken.ended_ns / 1e9:.3f} s, and the whole answer of `{answer.provider}` behind it.",
            call.witness.caller,
            (*evidence, f"returned {_shown(returned)}"),
        )


def _text_of(call: CallEvidence, answer: RequestEvidence) -> str:
    record = call.witness.record(answer.exchange)
    return "" if record is None or record.response is None else record.response.content or ""


def _goes_on(call: CallEvidence, answer: RequestEvidence, partial: str) -> bool:
    return any(partial.strip() in message.text for message in messages_of(call.witness, answer))


def _shown(text: str) -> str:
    return repr(text if len(text) <= 60 else f"{text[:57]}...")


KIND = FindingKind(
    name="answers_glued",
    rule="a call returned what a broken stream had said, with the whole answer of the next attempt behind it",
    fix="throw away what a broken stream has said before another attempt begins, or show it to the model and let it go "
    "on from there",
    blames="framework or app",
    needs="caller",
    thresholds=(Threshold("characters", 1, "characters of a broken stream that are worth a look", 1),),
    judge_call=judge,
)
