"""`retries_multiplied`: one layer retries what another one has retried already."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

from llmtest.conduct._evidence import CallEvidence, RequestEvidence
from llmtest.conduct._kind import FindingKind, Limits, Suspicion, Threshold
from llmtest.conduct._request_log import RETRY_COUNT

__all__ = ["KIND"]

ALIKE = 0.34
"""The part by which two waits may differ that are one and the same, with the jitter that SDKs put on them."""


def judge(call: CallEvidence, limits: Limits) -> Iterator[Suspicion]:
    """Count the rounds of the SDK's own retries among requests that asked the same in vain."""
    for stretch in call.stretches():
        if len(stretch) < min(limits["requests"], limits["at_once"]):
            continue
        by_target: dict[tuple[str, str | None], list[RequestEvidence]] = {}
        for request in stretch:
            by_target.setdefault((request.provider, request.model), []).append(request)
        for (provider, _), requests in by_target.items():
            rounds = _rounds(call, requests)
            if len(rounds) == 1 or max(rounds) == 1:
                rounds = _rhythm(requests, limits["rounds"]) or rounds
            is_counted = len(requests) >= limits["requests"] and sum(size > 1 for size in rounds) > 1
            if is_counted or _begins_at_once(requests, rounds, limits["at_once"]):
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


def _begins_at_once(requests: list[RequestEvidence], rounds: list[int], least: float) -> bool:
    """Tell whether a second layer asked again in the moment in which the SDK had given up, and again after that."""
    if len(requests) < least or rounds[0] == 1 or len(rounds) < 3:
        return False
    return requests[rounds[0]].at_ns == requests[rounds[0] - 1].ended_ns


def _rhythm(requests: list[RequestEvidence], least: float) -> list[int]:
    """Return the sizes of rounds whose waits recur, where no SDK counts its retries; nothing where they do not.

    One layer waits longer each time, or as long each time. Two layers wait as the inner one does, round after round:
    its waits come back after a longer one.
    """
    waits = [after.at_ns - before.ended_ns for before, after in pairwise(requests)]
    for size in range(3, len(requests) // int(least) + 1):
        inner = [waits[start : start + size - 1] for start in range(0, len(requests) - size + 1, size)]
        between = [waits[end] for end in range(size - 1, len(waits), size)]
        first = inner[0]
        if min(first) <= 0 or max(first) < 1.5 * min(first) or min(between, default=0) <= max(first):
            continue
        recurs = all(
            abs(wait - known) <= ALIKE * known for each in inner[1:] for wait, known in zip(each, first, strict=True)
        )
        if recurs and len(inner) >= least and len(requests) == size * len(inner):
            return [size] * len(inner)
    return []


def _count(call: CallEvidence, request: RequestEvidence) -> int:
    record = call.witness.record(request.exchange)
    count = "0" if record is None else record.headers.get(RETRY_COUNT, "0")
    return int(count) if count.isdigit() else 0


KIND = FindingKind(
    name="retries_multiplied",
    rule="a call sent `requests` requests or more to one model in vain, in two or more rounds of the SDK's own "
    "retries; or `at_once` of them, the second round in the moment in which the SDK had given up; or, where no SDK "
    "counts, in `rounds` rounds of the same growing waits",
    fix="retry in one layer: `max_retries=0` for the SDK where a framework or a loop of your own retries",
    blames="framework or app",
    thresholds=(
        Threshold("requests", 6, "requests in several rounds that are a finding", 4),
        Threshold("at_once", 5, "requests that are a finding where a round begins without a pause", 4),
        Threshold("rounds", 3, "rounds of the same waits that are a finding", 3),
    ),
    judge_call=judge,
)
