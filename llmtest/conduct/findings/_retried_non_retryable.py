"""`retried_non_retryable`: the same again after a final refusal."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

from llmtest.conduct._evidence import CallEvidence, RequestEvidence
from llmtest.conduct._kind import FindingKind, Limits, Suspicion
from llmtest.conduct._outcomes import is_final

__all__ = ["KIND"]


def judge(call: CallEvidence, limits: Limits) -> Iterator[Suspicion]:  # noqa: ARG001 - there is nothing to set
    """Look for repeats of what can only be refused again."""
    for before, request in pairwise(call.requests):
        record = call.witness.record(request.exchange)
        if record is not None and record.is_after_cancellation and _is_again(call, before, request):
            yield Suspicion(
                f"{call.name} sent the same to `{request.provider}` again at {request.at_ns / 1e9:.3f} s after it had "
                "been cancelled.",
                call.sender(request),
                (str(before), str(request)),
            )
    for before, request in call.repeats():
        if is_final(before) and before.model == request.model:
            yield Suspicion(
                f"{call.name} sent the same to `{request.provider}` again at {request.at_ns / 1e9:.3f} s after a final "
                "refusal.",
                call.sender(request),
                (str(before), str(request)),
            )


def _is_again(call: CallEvidence, before: RequestEvidence, request: RequestEvidence) -> bool:
    return before.outcome == "abandoned" and call.witness.is_same(before.exchange, request.exchange)


KIND = FindingKind(
    name="retried_non_retryable",
    rule="within one call the same was asked again after a 400-404, 413, 422, or without credit, or by a task that had "
    "been cancelled",
    fix="retry only what may pass: 408, 409, 429 with credit left, 5xx, timeouts and broken connections, and let a "
    "cancellation through",
    blames="SDK, framework or app: who sent the repeat",
    judge_call=judge,
)
