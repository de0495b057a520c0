"""`request_mutated`: what is sent again is not what had failed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from itertools import pairwise

from llmtest.conduct._conversation import Said, messages_of, said
from llmtest.conduct._evidence import CallEvidence, RequestEvidence
from llmtest.conduct._kind import FindingKind, Limits, Suspicion, Threshold
from llmtest.conduct._outcomes import is_final

__all__ = ["KIND"]


def judge(call: CallEvidence, limits: Limits) -> Iterator[Suspicion]:
    """Compare each request with the one before it that failed for a passing reason.

    A request that repeats messages of the failed one, or has lost what the user had said, was not meant so. One that
    says more or less in other ways may be, and one with nothing in common is another request.
    """
    for stretch in call.stretches():
        for before, after in pairwise(stretch):
            if not before.has_failed or is_final(before) or before.operation != after.operation:
                continue
            if after.at_ns < before.ended_ns:
                continue
            yield from _compare(call, before, after, limits["messages"])


def _compare(call: CallEvidence, before: RequestEvidence, after: RequestEvidence, least: float) -> Iterator[Suspicion]:
    old, new = (Counter(map(said, messages_of(call.witness, request))) for request in (before, after))
    added, lost = new - old, old - new
    if not old or not (added or lost) or not _is_about_the_same(old, new):
        return
    text = f"{call.name} asked `{after.provider}` at {after.at_ns / 1e9:.3f} s after a {before.outcome}, "
    evidence = (f"{before}; {_counted(old)}", f"{after}; {_counted(new)}")
    if not lost and all(message in old for message in added) and added.total() >= least:
        twice = f"with {added.total()} of {old.total()} messages twice."
        yield Suspicion(text + twice, call.sender(after), evidence)
    elif not added and _users(old) and not _users(new) and lost.total() >= least:
        yield Suspicion(f"{text}without what the user had said.", call.sender(after), evidence)


def _is_about_the_same(old: Counter[Said], new: Counter[Said]) -> bool:
    """Tell whether two requests share more than instructions, or one of them has nothing but what the other has."""
    return any(role != "system" for role, *_ in old & new) or not new - old


def _users(messages: Counter[Said]) -> bool:
    return any(role == "user" for role, *_ in messages)


def _counted(messages: Counter[Said]) -> str:
    total = messages.total()
    return f"{total} {'message' if total == 1 else 'messages'}"


KIND = FindingKind(
    name="request_mutated",
    rule="a request that followed a passing failure repeated messages of the failed one, or had lost the user's",
    fix="build the messages once, before the first attempt, and send a copy of them at each",
    blames="framework or app: who sent the repeat",
    thresholds=(Threshold("messages", 1, "messages too many, or lost, that are a finding", 1),),
    judge_call=judge,
)
