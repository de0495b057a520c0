"""`retry_after_unbounded`: slept for as long as a provider said, however long."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise

from llmtest.conduct._conversation import asks_the_same
from llmtest.conduct._evidence import CallEvidence, RequestEvidence
from llmtest.conduct._kind import FindingKind, Limits, Suspicion, Threshold

__all__ = ["KIND"]


def judge(call: CallEvidence, limits: Limits) -> Iterator[Suspicion]:
    """Look for long waits that a provider asked for and that a call served in full."""
    for stretch in call.stretches():
        yield from _judge_waits_before_another(call, stretch, limits["before_another"])
        asked: dict[str, RequestEvidence] = {}
        for request in stretch:
            before = asked.pop(request.provider, None)
            wait = None if before is None else before.retry_after
            if before is not None and wait and wait > limits["wait"]:
                slept = (request.at_ns - before.ended_ns) / 1e9
                if slept >= wait:
                    yield Suspicion(
                        f"{call.name} slept {slept:.0f} s before it asked `{request.provider}` again, because it was "
                        "told to.",
                        call.sender(request),
                        (str(before), str(request)),
                    )
            if request.has_failed:
                asked[request.provider] = request


def _judge_waits_before_another(
    call: CallEvidence, stretch: Sequence[RequestEvidence], most: float
) -> Iterator[Suspicion]:
    """Look for waits for a provider, served in vain, behind which another one was asked, who could have been before."""
    answer = stretch[-1]
    if answer.provider == stretch[0].provider or not answer.is_answered:
        return
    first = [request for request in stretch if request.provider == stretch[0].provider]
    served = [
        (before, after)
        for before, after in pairwise(first)
        if before.has_failed and before.retry_after and (after.at_ns - before.ended_ns) / 1e9 >= before.retry_after
    ]
    slept = sum(after.at_ns - before.ended_ns for before, after in served) / 1e9
    if served and slept > most and asks_the_same(call.witness, first[-1], answer):
        yield Suspicion(
            f"{call.name} slept {slept:.0f} s before it asked `{first[0].provider}` again, in vain, and then asked "
            f"`{answer.provider}`, which answered.",
            call.sender(served[-1][1]),
            (*(str(after) for _, after in served), str(answer)),
        )


KIND = FindingKind(
    name="retry_after_unbounded",
    rule="a call slept for longer than `wait` seconds because a provider had asked for it, or for longer than "
    "`before_another` seconds, in vain, before it asked another one that answered",
    fix="take a wait for a failure where it is longer than the caller has time for: raise, or ask another provider",
    blames="SDK, framework or app: who sent the repeat",
    thresholds=(
        Threshold("wait", 120.0, "the longest wait that a call may serve, in seconds"),
        Threshold(
            "before_another", 45.0, "seconds of such waits that a call may serve before it asks another provider"
        ),
    ),
    judge_call=judge,
)
