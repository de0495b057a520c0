"""`backoff_synchronised`: callers that failed together come back together."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

from llmtest.conduct._evidence import CallEvidence, RequestEvidence, RunEvidence
from llmtest.conduct._kind import FindingKind, Limits, Suspicion, Threshold
from llmtest.conduct._outcomes import is_final

__all__ = ["KIND"]

Repeat = tuple[CallEvidence, RequestEvidence, RequestEvidence]


def judge(run: RunEvidence, limits: Limits) -> Iterator[Suspicion]:
    """Look for calls that met a failure at one moment, waited, and asked again at one moment.

    A provider that says how long to wait is obeyed to the millisecond, and who does not wait at all has no backoff.
    """
    window_ns = max(1, round(limits["window"] * 1e9))
    together: dict[tuple[str, int], list[Repeat]] = defaultdict(list)
    for call in run.calls:
        for before, after in call.repeats():
            if before.retry_after or is_final(before) or after.at_ns - before.ended_ns < window_ns:
                continue
            together[before.provider, before.ended_ns // window_ns].append((call, before, after))
    for (provider, _), repeats in sorted(together.items()):
        by_moment: dict[int, list[Repeat]] = defaultdict(list)
        for repeat in repeats:
            by_moment[repeat[2].at_ns // window_ns].append(repeat)
        crowd = max(by_moment.values(), key=len)
        callers = {call.number for call, _, _ in crowd}
        everybody = {call.number for call, _, _ in repeats}
        if len(callers) >= limits["callers"] and len(callers) >= limits["share"] * len(everybody):
            call, before, after = crowd[0]
            yield Suspicion(
                f"{len(callers)} of {len(everybody)} calls that had failed at `{provider}` at "
                f"{before.ended_ns / 1e9:.3f} s asked again at {after.at_ns / 1e9:.3f} s, all at once.",
                call.sender(after),
                tuple(f"{each.name}: {request}" for each, _, request in crowd[:3]),
            )


KIND = FindingKind(
    name="backoff_synchronised",
    rule="`callers` calls or more failed at a provider within one `window`, and `share` of them asked again within one",
    fix="make each wait longer or shorter by a random part (full jitter), so that callers that failed together do not "
    "come back together",
    blames="SDK, framework or app: who sent the repeats",
    thresholds=(
        Threshold("callers", 5, "calls that come back at one moment", 2),
        Threshold("share", 0.8, "the part of those that failed together, from 0 to 1"),
        Threshold("window", 0.001, "how long a moment is, in seconds", 0.000001),
    ),
    rests_on_waiting=True,
    judge_run=judge,
)
