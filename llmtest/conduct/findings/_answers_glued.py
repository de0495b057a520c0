"""`answers_glued`: the caller got the text of two attempts in one."""

from __future__ import annotations

import re
from collections.abc import Iterator

from llmtest.conduct._conversation import messages_of
from llmtest.conduct._evidence import CallEvidence, RequestEvidence
from llmtest.conduct._kind import FindingKind, Limits, Suspicion, Threshold, shortened

__all__ = ["KIND"]


def judge(call: CallEvidence, limits: Limits) -> Iterator[Suspicion]:
    """Look in what the caller got for what a broken stream had said, followed by the whole answer after it.

    An app that shows the second model what the first had said, and lets it go on from there, glues on purpose; where
    the second begins anew all the same, it has not gone on.
    """
    for stretch in call.stretches():
        answer = stretch[-1]
        whole = _text_of(call, answer)
        if not whole or not (answer.is_answered or _is_left_open(answer)):
            continue
        for broken in stretch[:-1]:
            partial = _said_before(call, broken, whole)
            if len(partial.strip()) < limits["characters"]:
                continue
            if _goes_on(call, answer, partial) and not whole.strip().startswith(partial.strip()):
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


def _is_left_open(request: RequestEvidence) -> bool:
    """Tell whether a stream was not read to its end, as libraries do that stop at its last event."""
    return request.answer is None and bool(request.stream)


def _said_before(call: CallEvidence, broken: RequestEvidence, whole: str) -> str:
    """Return what a broken stream had said. Of one that was left open, it is what stands before the whole answer.

    That is then the beginning of what was to come, and not all of it.
    """
    if broken.answer is not None:
        return broken.answer.partial_text or ""
    returned = None if call.returned is None else call.returned.text
    if not _is_left_open(broken) or not returned or not returned.rstrip().endswith(whole.strip()):
        return ""
    said = returned.rstrip().removesuffix(whole.strip()).strip()
    planned = _text_of(call, broken).strip()
    return said if planned.startswith(said) and said != planned else ""


def _text_of(call: CallEvidence, answer: RequestEvidence) -> str:
    record = call.witness.record(answer.exchange)
    return "" if record is None or record.response is None else record.response.content or ""


def _goes_on(call: CallEvidence, answer: RequestEvidence, partial: str) -> bool:
    return any(partial.strip() in message.text for message in messages_of(call.witness, answer))


def _shown(text: str) -> str:
    return repr(shortened(text))


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
