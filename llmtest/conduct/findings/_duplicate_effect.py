"""`duplicate_effect`: one tool call was answered twice, so the tool has run twice."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import pairwise

from llmtest.conduct._conversation import asks_the_same, messages_of
from llmtest.conduct._evidence import CallEvidence, RequestEvidence, RunEvidence
from llmtest.conduct._kind import FindingKind, Limits, Suspicion, Threshold, shortened
from llmtest.types import ChatMessage

__all__ = ["KIND"]


def judge(run: RunEvidence, limits: Limits) -> Iterator[Suspicion]:
    """Look for tool calls with more results than calls, and for results that a repeat of a failed request changed.

    Later in a conversation a result may be shortened; between a failure and the next attempt only a second run of the
    tool changes it.
    """
    told: set[str] = set()
    begun: set[int] = set()
    for call in run.calls:
        for before, after in _attempts(call):
            for tool_call, first, second in _changed(call, before, after):
                if tool_call not in told:
                    told.add(tool_call)
                    yield Suspicion(
                        f"{call.name} answered the tool call `{tool_call}` with another result at "
                        f"{after.at_ns / 1e9:.3f} s than before a {before.outcome}: the tool ran again.",
                        call.witness.caller,
                        (f"{before}; result {_shown(first)}", f"{after}; result {_shown(second)}"),
                    )
        for tool, first_run, second_run in _begun_again(call):
            if second_run.exchange not in begun:
                begun.add(second_run.exchange)
                yield Suspicion(
                    f"{call.name} began its conversation anew at {second_run.at_ns / 1e9:.3f} s after a failure, and "
                    f"ran the tool `{tool}` again with the same arguments.",
                    call.witness.caller,
                    (f"{first_run}; called the tool", f"{second_run}; called it again"),
                )
        for request in call.requests:
            for tool_call, count in _too_often(messages_of(call.witness, request), limits["results"]):
                if tool_call not in told:
                    told.add(tool_call)
                    yield Suspicion(
                        f"{call.name} sent {count} results of the one tool call `{tool_call}` to "
                        f"`{request.provider}` at {request.at_ns / 1e9:.3f} s.",
                        call.witness.caller,
                        (str(request),),
                    )


def _attempts(call: CallEvidence) -> Iterator[tuple[RequestEvidence, RequestEvidence]]:
    for stretch in call.stretches():
        for before, after in pairwise(stretch):
            if before.has_failed and after.at_ns >= before.ended_ns:
                yield before, after


def _begun_again(call: CallEvidence) -> Iterator[tuple[str, RequestEvidence, RequestEvidence]]:
    """Return tools that ran, whose turn failed then, and that ran again because the first turn was asked again.

    That a tool has run is told by its result, which a later request holds.
    """
    requests = call.requests
    for position, first in enumerate(requests):
        calls = _tool_calls(call, first)
        if not calls:
            continue
        failed = next((n for n in range(position + 1, len(requests)) if requests[n].has_failed), len(requests))
        ran = _results_in(call, requests[position + 1 : failed + 1])
        for later in range(failed + 1, len(requests)):
            again = _tool_calls(call, requests[later])
            if not again or not asks_the_same(call.witness, first, requests[later]):
                continue
            ran_again = _results_in(call, requests[later + 1 :])
            done = {what for number, what in calls.items() if number in ran}
            for name, arguments in (what for number, what in again.items() if number in ran_again):
                if (name, arguments) in done:
                    yield name, first, requests[later]


def _tool_calls(call: CallEvidence, request: RequestEvidence) -> dict[str, tuple[str, str]]:
    """Return the tools that an answer calls, with their arguments, by the numbers of the calls."""
    record = call.witness.record(request.exchange)
    response = None if record is None or not request.is_answered else record.response
    return {} if response is None else {each.id: (each.name, each.arguments) for each in response.tool_calls}


def _results_in(call: CallEvidence, requests: Sequence[RequestEvidence]) -> set[str]:
    """Return the numbers of the tool calls whose results stand in requests."""
    messages = (message for request in requests for message in messages_of(call.witness, request))
    return {message.tool_call_id for message in messages if message.tool_call_id is not None}


def _changed(call: CallEvidence, before: RequestEvidence, after: RequestEvidence) -> Iterator[tuple[str, str, str]]:
    """Return the tool calls whose results differ in two requests that are equal in everything else."""
    old, new = messages_of(call.witness, before), messages_of(call.witness, after)
    if len(old) != len(new):
        return
    changed: list[tuple[str, str, str]] = []
    for one, other in zip(old, new, strict=True):
        if one.role == other.role == "tool" and one.tool_call_id == other.tool_call_id:
            if one.tool_call_id is not None and one.text != other.text:
                changed.append((one.tool_call_id, one.text, other.text))
        elif (one.role, one.text) != (other.role, other.text):
            return
    yield from changed


def _too_often(messages: Sequence[ChatMessage], most: float) -> Iterator[tuple[str, int]]:
    results = Counter(message.tool_call_id for message in messages if message.tool_call_id is not None)
    if not results or max(results.values()) < 2:
        return
    calls = Counter(call.id for message in messages for call in message.tool_calls)
    for tool_call, count in results.items():
        if calls[tool_call] and count > calls[tool_call] * most:
            yield tool_call, count


def _shown(text: str) -> str:
    return repr(shortened(text))


KIND = FindingKind(
    name="duplicate_effect",
    rule="one tool call got more than `results` results, or another result in a repeat of a failed request; or a "
    "conversation was begun anew after a failure, and its tools ran again with the same arguments",
    fix="keep the result of each tool call by its id before the next request, send the kept one again, and retry the "
    "request that failed, not the whole run",
    blames="app or framework: who runs the tools",
    thresholds=(Threshold("results", 1, "results that one tool call may have in a conversation", 1),),
    judge_run=judge,
)
