"""`retries_multiplied`: one layer retries what another one has retried already."""

from __future__ import annotations

from collections.abc import Iterator

from llmtest.conduct._evidence import CallEvidence, RequestEvidence
from llmtest.conduct._kind import FindingKind, Limits, Suspicion, Threshold
from llmtest.conduct._request_log import RETRY_COUNT

__all__ = ["KIND"]


def judge(call: CallEvidence, limits: Limits) -> Iterator[Suspicion]:
    """Count the rounds of the SDK's own retries among requests that asked the same in vain."""
    for stretch in call.stretches():
        if len(stretch) < limits["requests"]:
            continue
        by_target: dict[tuple[str, str | None], list[RequestEvidence]] = {}
        for request in stretch:
            by_target.setdefault((request.provider, request.model), []).append(request)
        for (provider, _), requests in by_target.items():
            rounds = _rounds(call, requests)
            if len(requests) >= limits["requests"] and sum(size > 1 for size in rounds) > 1:
                yield Suspicion(
                    f"{call.name} asked `{provider}` {len(requests)} times: {len(rounds)} rounds of "
                    f"{', '.join(map(str, rounds))} requests, because two layers retry.",
                    "the app, or a framework, which retries what the SDK retries by itself",
                    tuple(f"{request}, retry {_count(call, request)} of the SDK" for request in requests),
                )


def _rounds(call: CallEvidence, requests: list[RequestEvidence]) -> list[int]:
    """Return the sizes of rounds: one begins where the SDK counts no retry."""
    rounds: list[int] = []
    for request in requests:
        if not rounds or _count(call, request) == 0:
            rounds.append(0)
        rounds[-1] += 1
    return rounds


def _count(call: CallEvidence, request: RequestEvidence) -> int:
    record = call.witness.record(request.exchange)
    count = "0" if record is None else record.headers.get(RETRY_COUNT, "0")
    return int(count) if count.isdigit() else 0


KIND = FindingKind(
    name="retries_multiplied",
    rule="a call sent `requests` requests or more to one model in vain, in two or more rounds of the SDK's own retries",
    fix="retry in one layer: `max_retries=0` for the SDK where a framework or a loop of your own retries",
    blames="framework or app",
    thresholds=(Threshold("requests", 6, "requests in several rounds that are a finding", 4),),
    judge_call=judge,
)
