"""`retry_after_unbounded`: slept for as long as a provider said, however long."""

from __future__ import annotations

from collections.abc import Iterator

from llmtest.conduct._evidence import CallEvidence, RequestEvidence
from llmtest.conduct._kind import FindingKind, Limits, Suspicion, Threshold

__all__ = ["KIND"]


def judge(call: CallEvidence, limits: Limits) -> Iterator[Suspicion]:
    """Look for long waits that a provider asked for and that a call served in full."""
    for stretch in call.stretches():
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


KIND = FindingKind(
    name="retry_after_unbounded",
    rule="a call slept for longer than `wait` seconds because a provider had asked for it",
    fix="take a wait for a failure where it is longer than the caller has time for: raise, or ask another provider",
    blames="SDK, framework or app: who sent the repeat",
    thresholds=(Threshold("wait", 120.0, "the longest wait that a call may serve, in seconds"),),
    judge_call=judge,
)
