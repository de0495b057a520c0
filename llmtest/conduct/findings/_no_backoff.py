"""`no_backoff`: asked again and again without a pause."""

from __future__ import annotations

from collections.abc import Iterator

from llmtest.conduct._evidence import CallEvidence
from llmtest.conduct._kind import FindingKind, Limits, Suspicion, Threshold
from llmtest.conduct._outcomes import is_final

__all__ = ["KIND"]


def judge(call: CallEvidence, limits: Limits) -> Iterator[Suspicion]:
    """Look for repeats that follow their failure at once."""
    pause_ns, times = limits["pause"] * 1e9, int(limits["times"])
    for stretch in call.stretches():
        hasty = 0
        for before, request in call.repeats_in(stretch):
            if is_final(before) or before.retry_after or request.at_ns - before.ended_ns >= pause_ns:
                continue
            hasty += 1
            if hasty == times:
                yield Suspicion(
                    f"{call.name} asked `{request.provider}` again {_often(times)} without a pause, last at "
                    f"{request.at_ns / 1e9:.3f} s.",
                    call.sender(request),
                    (str(before), str(request)),
                )


def _often(times: int) -> str:
    return {1: "once", 2: "twice"}.get(times, f"{times} times")


KIND = FindingKind(
    name="no_backoff",
    rule="within one call a provider was asked the same again `times` times, each time without a pause",
    fix="wait between attempts, longer each time and by a random part (exponential backoff with jitter)",
    blames="SDK, framework or app: who sent the repeat",
    thresholds=(
        Threshold("times", 2, "hasty repeats that are a finding; a single one is let pass", 1),
        Threshold("pause", 0.001, "a wait shorter than this is none, in seconds"),
    ),
    rests_on_waiting=True,
    judge_call=judge,
)
