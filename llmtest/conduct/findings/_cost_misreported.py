"""`cost_misreported`: what an app says of an answer is not what the provider charged."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from decimal import Decimal

from llmtest.conduct._evidence import CallEvidence, RequestEvidence, RunEvidence
from llmtest.conduct._kind import FindingKind, Limits, Suspicion, Threshold
from llmtest.events import RequestAnswered
from llmtest.types import Usage

__all__ = ["KIND", "costs_differ"]

ZERO = Decimal(0)


def judge(call: CallEvidence, limits: Limits) -> Iterator[Suspicion]:
    """Hold what a marked call returned against what its requests came to: the last answer, or all of them."""
    returned = call.returned
    answered = [request for request in call.requests if request.is_answered and request.answer is not None]
    if returned is None or not answered or call.result != "answered":
        return
    told: list[str] = []
    if returned.model is not None and not any(_is_model(returned.model, request.model) for request in answered):
        told.append(f"the model `{returned.model}`, and `{answered[-1].model}` was asked")
    if returned.usage is not None and (wrong := _wrong_usage(returned.usage, answered)) is not None:
        told.append(wrong)
    if returned.cost_usd is not None and (wrong := _wrong_cost(returned.cost_usd, call, limits["share"])) is not None:
        told.append(wrong)
    if told:
        text = f"{call.name} told {'; and '.join(told)}."
        yield Suspicion(text, call.witness.caller, tuple(map(str, call.requests)))


def judge_run(run: RunEvidence, limits: Limits) -> Iterator[Suspicion]:  # noqa: ARG001 - what was not asked costs nothing
    """Look for calls that tell a cost and have asked nobody, as those that a cache answers."""
    for call in run.calls:
        cost = None if call.returned is None else call.returned.cost_usd
        if call.is_marked and not call.requests and cost:
            text = f"{call.name} told a cost of ${cost:f}, and asked nobody."
            yield Suspicion(text, run.caller, (f"{call.name} ended at {_ended(call):.3f} s without a request",))


def _ended(call: CallEvidence) -> float:
    return 0.0 if call.ended is None else call.ended.at_ns / 1e9


def _is_model(told: str, asked: str | None) -> bool:
    """Tell whether two names may mean one model: dates and prefixes of providers come and go."""
    if asked is None:
        return True
    one, other = told.rpartition("/")[2], asked.rpartition("/")[2]
    return one.startswith(other) or other.startswith(one)


def _wrong_usage(told: Usage, answered: Sequence[RequestEvidence]) -> str | None:
    used = [usage for usage in (_answer(request).usage for request in answered) if usage is not None]
    if not used:
        return None
    counts = (told.input_tokens, told.output_tokens)
    total = (sum(usage.input_tokens for usage in used), sum(usage.output_tokens for usage in used))
    if counts in {(used[-1].input_tokens, used[-1].output_tokens), total}:
        return None
    return f"{counts[0]}+{counts[1]} tokens, and {total[0]}+{total[1]} were used"


def _wrong_cost(told: Decimal, call: CallEvidence, share: float) -> str | None:
    costs = [_answer(request).cost_usd for request in call.requests if request.answer is not None]
    billed = [_answer(request) for request in call.requests if request.answer is not None and request.answer.billed]
    if any(answer.cost_usd is None for answer in billed):
        return None  # An unknown price proves nothing.
    known = [cost for cost in costs if cost is not None]
    last = known[-1] if known else ZERO
    total = sum(known, ZERO)
    if not costs_differ(told, last, share) or not costs_differ(told, total, share):
        return None
    return f"a cost of ${told:f}, and ${total.normalize():f} were charged"


def costs_differ(told: Decimal, charged: Decimal, share: float) -> bool:
    """Tell whether two amounts differ by more than a share of the second."""
    return abs(told - charged) > charged * Decimal(str(share))


def _answer(request: RequestEvidence) -> RequestAnswered:
    assert request.answer is not None
    return request.answer


KIND = FindingKind(
    name="cost_misreported",
    rule="the cost, the tokens or the model that a marked call returned are not those that the provider charged, "
    "neither of its last answer nor of the whole call, or it told a cost and asked nobody; `assert_reported` asks the "
    "same of a whole test",
    fix="take tokens from the answer's own usage, cached ones and failed attempts included, and prices from a list of "
    "the day",
    blames="framework or app",
    needs="caller",
    thresholds=(Threshold("share", 0.01, "by what share a cost may differ, 0 to 1"),),
    judge_call=judge,
    judge_run=judge_run,
)
