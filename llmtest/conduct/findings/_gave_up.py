"""`gave_up`: failed at the first thing that went wrong, swallowed it, or gave it out for an answer."""

from __future__ import annotations

from collections.abc import Iterator

from llmtest.conduct._evidence import CallEvidence, RequestEvidence
from llmtest.conduct._kind import FindingKind, Limits, Suspicion, Threshold, shortened
from llmtest.conduct._outcomes import is_circuit_error, may_pass
from llmtest.errors import RateLimitedError, ServerError

__all__ = ["KIND"]

LEAST_WORDS = 20
"""Characters of an error that no answer has by chance."""
REFUSED_BY_CALLER = frozenset({"BudgetExceededError", "DeadlineExceededError", "cancelled"})


def judge(call: CallEvidence, limits: Limits) -> Iterator[Suspicion]:
    """Look at how a call ended whose last request failed."""
    last, ended = call.requests[-1], call.ended
    if not last.has_failed or call.is_refused:
        return
    if (told := _told_of(call, last)) is not None:
        text = f"{call.name} gave out what `{last.provider}` had said of its failure for what the model answered."
        yield Suspicion(text, call.witness.caller, (str(last), f"returned {told!r}"))
        return
    if not may_pass(last, limits["wait"]) and not _is_told_at_once(call, last):
        return
    failure = f"`{last.provider}:{last.outcome}` at {last.ended_ns / 1e9:.3f} s"
    is_single = call.asked == 1
    match call.result:
        case "raised" if is_single and ended is not None and not _is_refused(ended.outcome):
            text = f"{call.name} failed with {failure} and did not try again."
            yield Suspicion(text, call.witness.caller, (str(last),))
        case "swallowed" if is_single or call.returned is not None:
            text = f"{call.name} met {failure}, and ended without an answer and without an error."
            yield Suspicion(text, call.witness.caller, (str(last),))
        case "swallowed":
            text = f"{call.name} ended without an error after {failure}; what its caller got instead is not known."
            yield Suspicion(text, None, (str(last),), is_decided=False)
        case None if is_single:
            text = f"{call.name} met {failure} and did not try again; what its caller got instead is not known."
            yield Suspicion(text, None, (str(last),), is_decided=False)


def _told_of(call: CallEvidence, last: RequestEvidence) -> str | None:
    """Return what the caller got, where the provider's own words about the failure stand in the place of an answer."""
    record, returned = call.witness.record(last.exchange), call.returned
    words = "" if record is None or record.error is None else record.error.message.strip()
    if call.result != "answered" or returned is None or not returned.text or len(words) < LEAST_WORDS:
        return None
    return shortened(returned.text) if words in returned.text else None


def _is_told_at_once(call: CallEvidence, last: RequestEvidence) -> bool:
    """Tell whether a stream told a failure that may pass before it had said anything: another answer spoils nothing."""
    if last.answer is None or last.answer.partial_text:
        return False
    if last.outcome == "stalled":
        return True
    if last.outcome != "error":
        return False
    record = call.witness.record(last.exchange)
    return record is not None and isinstance(record.error, RateLimitedError | ServerError)


def _is_refused(outcome: str) -> bool:
    """Tell whether something of the caller's own stood in the way of another request."""
    return outcome in REFUSED_BY_CALLER or is_circuit_error(outcome)


KIND = FindingKind(
    name="gave_up",
    rule="a call failed after a single request, at a failure that may pass within `wait` seconds; or it swallowed such "
    "a failure and returned nothing, or returned what the provider had said of its failure as if it were an answer",
    fix="try again after a pause (the SDK's `max_retries`, a retry of your own), or ask another provider",
    blames="app or provider layer",
    needs="caller",
    thresholds=(Threshold("wait", 60.0, "a provider that asks for a longer wait need not be asked again, in seconds"),),
    judge_call=judge,
)
