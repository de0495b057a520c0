"""What one token costs: the arithmetic from rates and usage to money, exact to the last digit."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from llmtest.costs._money import EXACT, ZERO
from llmtest.types import Usage

__all__ = ["FREE", "Rates", "Tariff"]

PER_MTOK = Decimal("1E-6")
Coefficients = tuple[int, int | None, int, int, int | None, int, Decimal]
"""Rates as whole numbers of a small unit of money per token (input, output, cache read, cache write, reasoning), the
price per request in that unit, and the unit in USD."""


@dataclass(frozen=True, slots=True)
class Rates:
    """Prices in USD per million tokens; None where the price list has no price of that kind.

    Cached tokens without a price of their own cost as much as other input, reasoning as much as other output.

    Args:
        input: Prompt tokens that come from no cache.
        output: Tokens of the answer.
        cache_read: Prompt tokens read from the provider's cache.
        cache_write: Prompt tokens written to it (the price of the short-lived kind, where there are two).
        reasoning: Tokens of the answer that were thought only.
        per_request: USD for each request, whatever its size.
    """

    input: Decimal
    output: Decimal | None = None
    cache_read: Decimal | None = None
    cache_write: Decimal | None = None
    reasoning: Decimal | None = None
    per_request: Decimal = ZERO


class Tariff:
    """The prices of one model at one time, with steps for long prompts.

    A step applies to *all* tokens of a request whose prompt is longer than its start, which is how providers bill.

    Args:
        steps: `(start, rates)`: rates of prompts longer than `start` tokens; the first start is -1.
    """

    __slots__ = ("_higher", "_last", "_lowest", "free", "rates", "steps")

    def __init__(self, *steps: tuple[int, Rates]) -> None:
        self.steps = steps
        self.rates = steps[0][1]
        self._lowest = _coefficients(self.rates)
        self._higher = [(start, _coefficients(rates)) for start, rates in reversed(steps[1:])]
        coefficients = [self._lowest, *(values for _, values in self._higher)]
        self._last: tuple[Usage | None, Decimal | None] = (None, None)
        """The usage that was counted last, and its cost: provider, client and budget ask for the same one in turn."""
        self.free = all(values[1] is not None and not any(values[:6]) for values in coefficients)

    def upper_bound(self, input_tokens: int, output_tokens: int) -> Decimal | None:
        """Return the most that a call of this size can cost in USD; None where a price is unknown.

        Nobody knows before the call which prompt tokens the provider will write to its cache, and a write can cost
        more than a plain token; so each token counts at the dearest price of its side.
        """
        input_rate, output_rate, read_rate, write_rate, reasoning_rate, total, scale = self._values(input_tokens)
        total += input_tokens * max(input_rate, read_rate, write_rate)
        if output_tokens:
            if output_rate is None or reasoning_rate is None:
                return None
            total += output_tokens * max(output_rate, reasoning_rate)
        return EXACT.multiply(Decimal(total), scale)

    def _values(self, prompt: int) -> Coefficients:
        for start, values in self._higher:
            if prompt > start:
                return values
        return self._lowest

    def cost(self, usage: Usage) -> Decimal | None:
        """Return what a usage costs in USD; None where a kind of token it contains has no price.

        Usage that contradicts itself (more cached tokens than prompt tokens) is charged by its parts, never below
        them.
        """
        known, cost = self._last
        if known is not usage:
            cost = self._cost(usage)
            self._last = (usage, cost)
        return cost

    def _cost(self, usage: Usage) -> Decimal | None:
        input_rate, output_rate, read_rate, write_rate, reasoning_rate, total, scale = self._values(usage.input_tokens)
        read, write, reasoning = usage.cache_read_tokens, usage.cache_write_tokens, usage.reasoning_tokens
        fresh, answer = usage.input_tokens, usage.output_tokens
        if read or write:
            fresh = max(fresh - read - write, 0)
            total += read * read_rate + write * write_rate
        if reasoning and reasoning_rate is not None and reasoning_rate != output_rate:
            answer = max(answer - reasoning, 0)
            total += reasoning * reasoning_rate
        total += fresh * input_rate
        if answer:
            if output_rate is None:
                return None
            total += answer * output_rate
        return EXACT.multiply(Decimal(total), scale)


def _coefficients(rates: Rates) -> Coefficients:
    """Turn rates into whole numbers of one common unit per token, because integers are exact and fast."""
    read = rates.input if rates.cache_read is None else rates.cache_read
    write = rates.input if rates.cache_write is None else rates.cache_write
    reasoning = rates.output if rates.reasoning is None else rates.reasoning
    amounts = [rates.input, rates.output or ZERO, read, write, reasoning or ZERO]
    per_token = [EXACT.multiply(amount, PER_MTOK) for amount in amounts]
    exponent = min(_exponent(amount) for amount in (*per_token, rates.per_request))
    whole = [int(EXACT.scaleb(amount, -exponent)) for amount in (*per_token, rates.per_request)]
    return (
        whole[0],
        None if rates.output is None else whole[1],
        whole[2],
        whole[3],
        None if reasoning is None else whole[4],
        whole[5],
        Decimal((0, (1,), exponent)),
    )


def _exponent(amount: Decimal) -> int:
    exponent = EXACT.normalize(amount).as_tuple().exponent
    assert isinstance(exponent, int)
    return min(exponent, 0)


FREE = Tariff((-1, Rates(ZERO, ZERO)))
"""The tariff of a model that runs on one's own machine."""
