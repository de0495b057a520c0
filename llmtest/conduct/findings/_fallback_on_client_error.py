"""`fallback_on_client_error`: asked others what is wrong wherever it is asked."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from llmtest.conduct._conversation import asks_the_same, completion_of
from llmtest.conduct._evidence import CallEvidence, RequestEvidence, RunEvidence
from llmtest.conduct._kind import FindingKind, Limits, Suspicion, Threshold
from llmtest.errors import (
    ContentFilteredError,
    ContextLengthExceededError,
    InvalidRequestError,
    RequestTooLargeError,
)

__all__ = ["KIND"]

REFUSED = frozenset({"400", "422"})
Target = tuple[str, str | None]


def judge(run: RunEvidence, limits: Limits) -> Iterator[Suspicion]:
    """Look for requests that were refused as wrong, and went to somebody else unchanged.

    Another model may have the room for a prompt that is too long, another provider a key or the model: such refusals
    are no reason to stay, and for refused content a fallback may have been asked for. An app that asks both whatever
    the first says falls back on nothing.
    """
    moves = [(call, before, after) for call in run.calls for before, after in _moves(call)]
    if not moves:
        return
    both = {pair for call in run.calls for pair in _asked_all_the_same(call)}
    found = [
        suspicion
        for call, before, after in moves
        if (_target(before), _target(after)) not in both
        for suspicion in _judge_move(call, before, after, limits)
    ]
    if len(found) >= limits["times"]:
        yield from found


def _judge_move(
    call: CallEvidence, before: RequestEvidence, after: RequestEvidence, limits: Limits
) -> Iterator[Suspicion]:
    record = call.witness.record(before.exchange)
    error = None if record is None else record.error
    if isinstance(error, ContextLengthExceededError | RequestTooLargeError):
        return
    text = (
        f"{call.name} asked `{after.provider}` at {after.at_ns / 1e9:.3f} s what `{before.provider}` had refused with "
        f"{before.outcome}"
    )
    evidence = (str(before), str(after))
    if isinstance(error, ContentFilteredError) and limits["refused_content"]:
        yield Suspicion(f"{text}, because of its content.", call.sender(after), evidence)
    elif isinstance(error, InvalidRequestError):
        yield Suspicion(f"{text}, as a wrong request.", call.sender(after), evidence)


def _moves(call: CallEvidence) -> Iterator[tuple[RequestEvidence, RequestEvidence]]:
    """Return each refused request, with the next one that asks another the same."""
    for stretch in call.stretches():
        for number, before in enumerate(stretch):
            if before.outcome not in REFUSED or before.operation != "chat":
                continue
            later = [request for request in stretch[number + 1 :] if request.at_ns >= before.ended_ns]
            after = next((request for request in later if asks_the_same(call.witness, before, request)), None)
            if after is not None and _target(after) != _target(before) and not _is_mended(call, before, after):
                yield before, after


def _asked_all_the_same(call: CallEvidence) -> Iterator[tuple[Target, Target]]:
    """Return who was asked although another had answered the same."""
    for number, first in enumerate(call.requests):
        if first.is_answered:
            for second in call.requests[number + 1 :]:
                if _target(first) != _target(second) and asks_the_same(call.witness, first, second):
                    yield _target(first), _target(second)


def _is_mended(call: CallEvidence, before: RequestEvidence, after: RequestEvidence) -> bool:
    """Tell whether the second says something else beside its model; where the APIs differ, that is not known."""
    one, other = (call.witness.record(request.exchange) for request in (before, after))
    if one is None or other is None or one.path != other.path:
        return False
    first, second = completion_of(call.witness, before), completion_of(call.witness, after)
    return first is not None and second is not None and replace(first, model=None) != replace(second, model=None)


def _target(request: RequestEvidence) -> Target:
    return request.provider, request.model


KIND = FindingKind(
    name="fallback_on_client_error",
    rule="a request was refused as wrong (400 or 422), and another provider or model was asked the same",
    fix="let a wrong request fail where it is made: fall back on what others may not have (an outage, a full quota, a "
    "key, a model, room for the prompt)",
    blames="framework, app or provider layer: who fell back",
    thresholds=(
        Threshold("times", 1, "such fallbacks in a run that are a finding", 1),
        Threshold("refused_content", 0, "1: a fallback after refused content is a finding; 0: it may be wanted"),
    ),
    judge_run=judge,
)
