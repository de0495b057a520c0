"""What one token costs: the arithmetic from rates and usage to money, exact to the last digit."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from decimal import Decimal
from typing import Any

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

    Cached tokens without a price of their own cost as much as other input, reasoning as much as other output. Where a
    write to the cache has a price of its own and a write for an hour has none, the latter is unknown: it is dearer.
    Sound and searches without a price are unknown too; pictures without one cost as much as other tokens.

    Args:
        input: Prompt tokens that come from no cache.
        output: Tokens of the answer.
        cache_read: Prompt tokens read from the provider's cache.
        cache_write: Prompt tokens written to it (the price of the short-lived kind, where there are two).
        reasoning: Tokens of the answer that were thought only.
        per_request: USD for each request, whatever its size.
        cache_write_1h: Prompt tokens written to the cache for an hour.
        input_audio: Prompt tokens of sound.
        output_audio: Tokens of the answer that are sound.
        tool_uses: USD for each use of a tool that runs at the provider, by its name.
        input_image: Prompt tokens of pictures.
        output_image: Tokens of the answer that are pictures.
    """

    input: Decimal
    output: Decimal | None = None
    cache_read: Decimal | None = None
    cache_write: Decimal | None = None
    reasoning: Decimal | None = None
    per_request: Decimal = ZERO
    cache_write_1h: Decimal | None = None
    input_audio: Decimal | None = None
    output_audio: Decimal | None = None
    tool_uses: tuple[tuple[str, Decimal], ...] = ()
    input_image: Decimal | None = None
    output_image: Decimal | None = None

    def times(self, factor: Decimal) -> Rates:
        """Return the same prices with every rate of tokens multiplied; requests and searches cost what they cost."""
        rates: dict[str, Any] = {name: getattr(self, name) for name in PER_TOKEN}
        multiplied: dict[str, Any] = {
            name: EXACT.multiply(rate, factor) for name, rate in rates.items() if rate is not None
        }
        return replace(self, **multiplied)


PER_TOKEN = tuple(each.name for each in fields(Rates) if each.name not in {"per_request", "tool_uses"})
"""The fields of `Rates` that are prices of tokens."""


class Tariff:
    """The prices of one model at one time, with steps for long prompts.

    A step applies to *all* tokens of a request whose prompt is longer than its start, which is how providers bill.

    Args:
        steps: `(start, rates)`: rates of prompts longer than `start` tokens; the first start is -1.
        longest: Prompt tokens up to which the prices are known; None: whatever the prompt.
    """

    __slots__ = ("_higher", "_last", "_lowest", "free", "longest", "rates", "steps")

    def __init__(self, *steps: tuple[int, Rates], longest: int | None = None) -> None:
        self.steps = steps
        self.longest = longest
        self.rates = steps[0][1]
        self._lowest = _coefficients(self.rates)
        self._higher = [(start, _coefficients(rates)) for start, rates in reversed(steps[1:])]
        coefficients = [self._lowest, *(values for _, values in self._higher)]
        self._last: tuple[Usage | None, Decimal | None] = (None, None)
        """The usage that was counted last, and its cost: provider, client and budget ask for the same one in turn."""
        self.free = all(values[1] is not None and not any(values[:6]) for values in coefficients)

    @property
    def first_step(self) -> int | None:
        """The prompt tokens above which other rates hold; None where there is no such step."""
        return self.steps[1][0] if len(self.steps) > 1 else None

    def upper_bound(
        self, input_tokens: int, output_tokens: int, *, for_an_hour: bool = False, media: bool = False
    ) -> Decimal | None:
        """Return the most that a call of this size can cost in USD; None where a price is unknown.

        Nobody knows before the call which prompt tokens the provider will write to its cache, and a write can cost
        more than a plain token; so each token counts at the dearest price of its side.

        Args:
            input_tokens: Prompt tokens.
            output_tokens: Most tokens of the answer.
            for_an_hour: Whether the call asks the cache to keep something for an hour.
            media: Whether some of the tokens may be of sound or of pictures.
        """
        if self.longest is not None and input_tokens > self.longest:
            return None
        input_rate, output_rate, read_rate, write_rate, reasoning_rate, total, scale = self._values(input_tokens)
        prompt = input_tokens * max(input_rate, read_rate, write_rate)
        if output_tokens:
            if output_rate is None or reasoning_rate is None:
                return None
            total += output_tokens * max(output_rate, reasoning_rate)
        plain = EXACT.multiply(Decimal(total + prompt), scale)
        if media:
            plain = max(plain, self._dearest(input_tokens, output_tokens))
        if not for_an_hour:
            return plain
        kept = self._rare(Usage(input_tokens, cache_write_1h_tokens=input_tokens))
        if kept is None:
            return None
        return max(plain, EXACT.add(EXACT.multiply(Decimal(total), scale), kept[0]))

    def _dearest(self, input_tokens: int, output_tokens: int) -> Decimal:
        """Return what a call costs of which every token is of the dearest kind that has a price."""
        rates = self._rates_of(input_tokens)
        asked = (rates.input, rates.cache_read, rates.cache_write, rates.input_audio, rates.input_image)
        said = (rates.output, rates.reasoning, rates.output_audio, rates.output_image)
        total = rates.per_request
        for count, each in ((input_tokens, asked), (output_tokens, said)):
            rate = max((rate for rate in each if rate is not None), default=ZERO)
            total = EXACT.add(total, EXACT.multiply(EXACT.multiply(Decimal(count), rate), PER_MTOK))
        return total

    def _rates_of(self, prompt: int) -> Rates:
        return next(rates for start, rates in reversed(self.steps) if prompt > start)

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
            cost = self._cost(usage) if usage.is_possible else None
            self._last = (usage, cost)
        return cost

    def _cost(self, usage: Usage) -> Decimal | None:
        fresh, answer = usage.input_tokens, usage.output_tokens
        if self.longest is not None and fresh > self.longest:
            return None
        input_rate, output_rate, read_rate, write_rate, reasoning_rate, total, scale = self._values(fresh)
        read, write, reasoning = usage.cache_read_tokens, usage.cache_write_tokens, usage.reasoning_tokens
        rare = ZERO
        if (
            usage.cache_write_1h_tokens
            or usage.input_audio_tokens
            or usage.output_audio_tokens
            or usage.server_tools
            or usage.input_image_tokens
            or usage.output_image_tokens
        ):
            priced = self._rare(usage)
            if priced is None:
                return None
            rare, asked, said = priced
            write = max(write - usage.cache_write_1h_tokens, 0)
            fresh = max(fresh - asked, 0)
            answer = max(answer - said, 0)
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
        cost = EXACT.multiply(Decimal(total), scale)
        return EXACT.add(cost, rare) if rare else cost

    def _rare(self, usage: Usage) -> tuple[Decimal, int, int] | None:
        """Return what the rarer kinds of a usage cost: hours of cache, sound, pictures, searches; None: one is unknown.

        With it come the tokens of prompt and answer that are paid by it.
        """
        rates = self._rates_of(usage.input_tokens)
        hour = rates.cache_write_1h
        if hour is None and rates.cache_write is None:
            # A provider that asks more for a write asks more again for a longer one; another has one rate for all.
            hour = rates.input
        asked = [(usage.cache_write_1h_tokens, hour), (usage.input_audio_tokens, rates.input_audio)]
        said = [(usage.output_audio_tokens, rates.output_audio)]
        if rates.input_image is not None:
            asked.append((usage.input_image_tokens, rates.input_image))
        if rates.output_image is not None:
            said.append((usage.output_image_tokens, rates.output_image))
        total = ZERO
        for count, rate in (*asked, *said):
            if count and rate is None:
                return None
            total = EXACT.add(total, EXACT.multiply(EXACT.multiply(Decimal(count), rate or ZERO), PER_MTOK))
        for name, count in usage.server_tools:
            each = dict(rates.tool_uses).get(name)
            if each is None:
                return None
            total = EXACT.add(total, EXACT.multiply(Decimal(count), each))
        return total, sum(count for count, _ in asked), sum(count for count, _ in said)


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
