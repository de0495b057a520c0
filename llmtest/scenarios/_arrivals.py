"""When calls are made, and how large they are: one iterator of `Arrival` for every kind of open load.

Open load does not wait for answers: a slow provider meets the next call all the same, as in production. Every series of
draws has its own generator, so that changing the sizes shifts no arrival.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from random import Random
from typing import Literal, NamedTuple

from llmtest.clock import stream
from llmtest.scenarios._profiles import PROFILES, Profile
from llmtest.scenarios._spec import Load, Stage
from llmtest.scenarios._trace_file import TraceFile

__all__ = ["Arrival", "Sizes", "open_arrivals", "sizes_of"]

NS = 1_000_000_000


class Arrival(NamedTuple):
    """One call to come."""

    at_ns: int
    """When it is due, from the start of the run."""
    input_tokens: int
    output_tokens: int


Sizes = Callable[[], tuple[int, int]]
"""Draws the tokens of the next prompt and answer."""


def open_arrivals(load: Load, seed: int) -> Iterator[Arrival]:
    """Yield the calls of an open load in the order of their times, until its duration is over.

    Args:
        load: Any load but closed ones (`users`).
        seed: Seed of the run.
    """
    if load.trace is not None:
        times = _traced(load)
    else:
        sizes = sizes_of(load, seed)
        times = (Arrival(at_ns, *sizes()) for at_ns in _times(load, stream(seed, "load", "arrivals")))
    end_ns = None if load.duration is None else round(load.duration * NS)
    for number, arrival in enumerate(times, 1):
        if end_ns is not None and arrival.at_ns >= end_ns:
            return
        yield arrival
        if number == load.max_calls:
            return


def sizes_of(load: Load, seed: int) -> Sizes:
    """Return what draws the tokens of each call: the profile's distributions, or the load's fixed numbers."""
    name = load.profile or load.tokens_like
    if name is None:
        fixed = (load.input_tokens, load.output_tokens)
        return lambda: fixed
    profile = PROFILES[name]
    prompts, answers = stream(seed, "load", "input_tokens"), stream(seed, "load", "output_tokens")
    return lambda: (round(profile.input_tokens.draw(prompts)), round(profile.output_tokens.draw(answers)))


def _traced(load: Load) -> Iterator[Arrival]:
    assert load.trace is not None
    for row in TraceFile(load.trace, shown=load.trace_shown):
        yield Arrival(round(row.at_ns / load.speed), row.input_tokens, max(1, row.output_tokens))


def _times(load: Load, draws: Random) -> Iterator[int]:
    if load.profile is not None:
        return _profiled(PROFILES[load.profile], load.speed, draws)
    if load.stages:
        return _staged(load.stages, load.arrivals, load.cv, draws)
    assert load.rate is not None
    return _steady(load.rate, load.arrivals, load.cv, draws)


def _profiled(profile: Profile, speed: float, draws: Random) -> Iterator[int]:
    now = 0.0
    while True:
        now += profile.gaps.draw(draws) / speed
        yield round(now * NS)


def _gap(kind: Literal["constant", "poisson", "gamma"], cv: float, draws: Random) -> float:
    """Draw a gap whose mean is 1."""
    if kind == "constant":
        return 1.0
    if kind == "poisson":
        return -math.log(1.0 - draws.random())
    shape = 1 / (cv * cv)
    return draws.gammavariate(shape, 1 / shape)


def _steady(rate: float, kind: Literal["constant", "poisson", "gamma"], cv: float, draws: Random) -> Iterator[int]:
    if kind == "constant":  # Counted, not summed, so that the thousandth call is not late by rounding.
        number = 0
        while True:
            yield round(number / rate * NS)
            number += 1
    now = 0.0
    while True:
        now += _gap(kind, cv, draws) / rate
        yield round(now * NS)


def _staged(
    stages: tuple[Stage, ...], kind: Literal["constant", "poisson", "gamma"], cv: float, draws: Random
) -> Iterator[int]:
    """Yield arrivals whose rate runs in straight lines from stage to stage.

    Gaps of mean 1 are drawn in units of expected calls, and mapped to time through the integral of the rate.
    """
    start, rate = 0.0, stages[0].rate if stages[0].start is None else stages[0].start
    budget = _gap(kind, cv, draws)
    for stage in stages:
        begin = rate if stage.start is None else stage.start
        area = (begin + stage.rate) / 2 * stage.duration
        done = 0.0
        while budget <= area - done:
            done += budget
            yield round((start + _time_of(done, begin, stage.rate, stage.duration)) * NS)
            budget = _gap(kind, cv, draws)
        budget -= area - done
        start, rate = start + stage.duration, stage.rate


def _time_of(area: float, begin: float, end: float, duration: float) -> float:
    """Return when a rate that runs from `begin` to `end` has brought that many calls."""
    slope = (end - begin) / duration
    if abs(slope) < 1e-12:
        return area / begin
    return (math.sqrt(max(0.0, begin * begin + 2 * slope * area)) - begin) / slope
