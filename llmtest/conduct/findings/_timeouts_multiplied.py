"""`timeouts_multiplied`: a limit that holds for each attempt, and so for no call."""

from __future__ import annotations

from collections.abc import Iterator

from llmtest.conduct._evidence import CallEvidence
from llmtest.conduct._kind import FindingKind, Limits, Suspicion, Threshold

__all__ = ["KIND"]


def judge(call: CallEvidence, limits: Limits) -> Iterator[Suspicion]:
    """Add up the silences of a call that were waited out one after the other."""
    for stretch in call.stretches():
        silent = [request for request in stretch if request.outcome in {"timeout", "stalled"}]
        if len(silent) < 2:
            continue
        waits = [request.ended_ns - request.at_ns for request in silent]
        longest, total = max(waits), sum(waits)
        if longest and total >= longest * limits["factor"]:
            took = (silent[-1].ended_ns - silent[0].at_ns) / 1e9
            yield Suspicion(
                f"{call.name} waited {took:.1f} s in {len(silent)} attempts, each of which was to take "
                f"{longest / 1e9:.3g} s at most.",
                call.sender(silent[-1]),
                tuple(map(str, silent)),
            )


KIND = FindingKind(
    name="timeouts_multiplied",
    rule="one call waited out timeouts one after the other, over all `factor` times as long as the longest of them",
    fix="give the whole call a deadline (`asyncio.timeout`, a total timeout), and each attempt what is left of it",
    blames="SDK, framework or app: who sent the last repeat",
    thresholds=(Threshold("factor", 3.0, "how many times a single limit all timeouts of a call may add up to", 1),),
    judge_call=judge,
)
