"""`slow_stream_unbounded`: a timeout between two pieces that limits no answer."""

from __future__ import annotations

from collections.abc import Iterator

from llmtest.conduct._evidence import CallEvidence
from llmtest.conduct._kind import FindingKind, Limits, Suspicion, Threshold

__all__ = ["KIND"]


def judge(call: CallEvidence, limits: Limits) -> Iterator[Suspicion]:
    """Look for answers that dripped for much longer than their client's timeout."""
    for request in call.requests:
        took = (request.ended_ns - request.at_ns) / 1e9
        if took < limits["seconds"] or request.outcome in {"timeout", "abandoned", "pending"}:
            continue
        record = call.witness.record(request.exchange)
        limit = None if record is None else record.read_timeout
        if limit is not None and took >= limit * limits["factor"]:
            yield Suspicion(
                f"{call.name} read an answer of `{request.provider}` for {took:.0f} s under a timeout of {limit:g} s, "
                "which holds for each piece alone.",
                "the app, which sets no limit for the whole answer",
                (str(request),),
            )


KIND = FindingKind(
    name="slow_stream_unbounded",
    rule="an answer that came in pieces took `factor` times its client's timeout and `seconds` seconds, or longer",
    fix="limit the whole answer (`asyncio.timeout`, a clock beside the loop over its pieces): a read timeout begins "
    "anew with each piece",
    blames="app",
    thresholds=(
        Threshold("factor", 10.0, "how many times the client's timeout an answer may take", 1),
        Threshold("seconds", 30.0, "an answer that takes less is never a finding, in seconds"),
    ),
    judge_call=judge,
)
