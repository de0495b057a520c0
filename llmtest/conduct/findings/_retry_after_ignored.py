"""`retry_after_ignored`: asked again before the wait was over."""

from __future__ import annotations

from collections.abc import Iterator

from llmtest.conduct._evidence import CallEvidence, RequestEvidence
from llmtest.conduct._kind import FindingKind, Limits, Suspicion, Threshold

__all__ = ["KIND"]


def judge(call: CallEvidence, limits: Limits) -> Iterator[Suspicion]:
    """Look for requests that came before the provider had said."""
    slack_ns = limits["slack"] * 1e9
    due: dict[str, tuple[int, RequestEvidence]] = {}
    for request in call.requests:
        owed = due.pop(request.provider, None) if due else None
        if owed is not None and request.at_ns < owed[0] - slack_ns:
            early = (owed[0] - request.at_ns) / 1e9
            yield Suspicion(
                f"{call.name} asked `{request.provider}` again at {request.at_ns / 1e9:.3f} s, {early:.3f} s before it "
                "was to.",
                call.sender(request),
                (str(owed[1]), str(request)),
            )
        if request.retry_after and request.has_failed:
            due[request.provider] = (request.ended_ns + round(request.retry_after * 1e9), request)


KIND = FindingKind(
    name="retry_after_ignored",
    rule="within one call a provider was asked again before the wait that it had asked for was over",
    fix="wait as long as `retry-after` (or `retry-after-ms`) says before the next request to that provider",
    blames="SDK, framework or app: who sent the early request",
    thresholds=(Threshold("slack", 0.0, "seconds that a request may come too early"),),
    rests_on_waiting=True,
    judge_call=judge,
)
