"""`assert_reported`: what the app says of its calls is what the providers charged."""

from __future__ import annotations

from decimal import Decimal

from llmtest.conduct import costs_differ, usage_of
from llmtest.costs import CostLedger
from llmtest.errors import ConfigurationError
from llmtest.events import RequestAnswered, Trace
from llmtest.testing._assert_resources import usd
from llmtest.testing._failure import dollars, failure

__all__ = ["check_reported"]

SHARE = 0.01
"""By what share a cost may differ: prices are rounded here and there."""


def check_reported(
    trace: Trace, costs: CostLedger, *, cost: str | Decimal | None, model: str | None, tokens: object
) -> None:
    """Raise AssertionError unless cost, model and tokens are those of the trace.

    Raises:
        ConfigurationError: Nothing is given, or something that is no amount and no number of tokens.
        UnknownPriceError: A billed attempt has no known price, so the sum is unknown.
    """
    __tracebackhide__ = True
    if cost is None and model is None and tokens is None:
        raise ConfigurationError(
            "assert_reported was given nothing.\n"
            'To fix: give what the app says: llm_sim.assert_reported(cost="0.05", model="gpt-4o", tokens=120)'
        )
    told = usd(cost, "cost")
    answers = [event for event in trace.of(RequestAnswered) if event.billed]
    wrong: list[str] = []
    if told is not None and costs_differ(told, costs.total_usd, SHARE):
        wrong.append(f"cost    {dollars(told)} told, {dollars(costs.total_usd)} charged")
    if model is not None:
        asked = sorted({event.model for event in answers if event.model})
        if model.rpartition("/")[2] not in {name.rpartition("/")[2] for name in asked}:
            wrong.append(f"model   `{model}` told, {', '.join(f'`{name}`' for name in asked) or 'none'} asked")
    if tokens is not None and (line := _wrong_tokens(tokens, answers)):
        wrong.append(line)
    if wrong:
        raise failure(
            "assert_reported: cost_misreported, the app says something else than the providers charged.",
            trace,
            facts=[*wrong, *(_line(event) for event in answers)],
        )


def _line(event: RequestAnswered) -> str:
    usage = event.usage
    used = "" if usage is None else f"  {usage.input_tokens}+{usage.output_tokens} tokens"
    price = "price unknown" if event.cost_usd is None else dollars(event.cost_usd)
    return f"| #{event.exchange} {event.provider}/{event.model} {event.outcome}{used}  {price}"


def _wrong_tokens(told: object, answers: list[RequestAnswered]) -> str | None:
    used = [event.usage for event in answers if event.usage is not None]
    sent, got = sum(usage.input_tokens for usage in used), sum(usage.output_tokens for usage in used)
    if isinstance(told, int) and not isinstance(told, bool):
        return None if told == sent + got else f"tokens  {told} told, {sent + got} used"
    usage = usage_of(told)
    if usage is None:
        raise ConfigurationError(
            f"assert_reported: tokens={told!r} is no number of tokens and no usage.\n"
            "To fix: give a whole number, or a usage: tokens=answer.usage"
        )
    if (usage.input_tokens, usage.output_tokens) == (sent, got):
        return None
    return f"tokens  {usage.input_tokens}+{usage.output_tokens} told, {sent}+{got} used"
