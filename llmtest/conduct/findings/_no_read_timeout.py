"""`no_read_timeout`: waited as long as the SDK waits by itself."""

from __future__ import annotations

from collections.abc import Iterator

from llmtest.conduct._evidence import CallEvidence
from llmtest.conduct._kind import FindingKind, Limits, Suspicion, Threshold

__all__ = ["KIND"]


def judge(call: CallEvidence, limits: Limits) -> Iterator[Suspicion]:
    """Look for silences that were waited out."""
    patience_ns = limits["seconds"] * 1e9
    for request in call.requests:
        waited_ns = request.ended_ns - request.at_ns
        if request.outcome in {"timeout", "stalled"} and waited_ns >= patience_ns:
            yield Suspicion(
                f"{call.name} waited {waited_ns / 1e9:.0f} s for `{request.provider}`, which had fallen silent.",
                "the app, which sets no timeout",
                (str(request),),
            )


KIND = FindingKind(
    name="no_read_timeout",
    rule="a silent provider was waited for `seconds` seconds or longer",
    fix="give the client a timeout of your own: both official SDKs wait ten minutes where nobody tells them otherwise",
    blames="app",
    thresholds=(Threshold("seconds", 600.0, "a wait this long is a finding, in seconds", 0.001),),
    judge_call=judge,
)
