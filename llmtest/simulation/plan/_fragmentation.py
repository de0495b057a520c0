"""How a streamed answer is cut into network pieces: a network knows no events.

| mode | pieces |
|---|---|
| `events` | one for each event, which is the default and the one that no network promises |
| `whole` | everything in one, at the end, as a proxy delivers that buffers |
| `random` | seeded: cut inside lines and inside characters, several events in one |
| a number | so many bytes each |

A piece that completes an event comes at the time of that event: nothing is held back over a wait, except by `whole`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from difflib import get_close_matches
from random import Random
from typing import Any

from llmtest.clock import stream
from llmtest.errors import ConfigurationError
from llmtest.simulation.plan._plan import Chunk, Head, Step, Wait
from llmtest.types import is_whole

__all__ = ["MODES", "Cutter", "Fragmentation", "as_fragmentation", "fragmentation_problem"]

MODES = ("events", "whole", "random")
Fragmentation = str | int
"""One of `MODES`, or how many bytes a piece has."""

SLIVER = 24
MOST = 600
"""A random piece has up to so many bytes; every other one is a sliver."""


def fragmentation_problem(value: Any) -> str | None:
    """Return what is wrong with a fragmentation, in one sentence; None where nothing is."""
    if value in MODES or is_whole(value, 1):
        return None
    near = get_close_matches(value, MODES, n=1) if isinstance(value, str) else []
    hint = f" Did you mean `{near[0]}`?" if near else ""
    return f"fragmentation cannot be {value!r}.{hint} It is events, whole, random or a number of bytes, 1 or more."


def as_fragmentation(value: Any) -> Fragmentation:
    """Return a fragmentation as it is kept; texts of files and command lines may hold the number.

    Args:
        value: A mode; a number of bytes, 1 or more; `"7"` or `"bytes=7"`.

    Raises:
        ConfigurationError: It is none of these.
    """
    if isinstance(value, str):
        value = value.strip()
        digits = value.removeprefix("bytes=")
        value = int(digits) if digits.isascii() and digits.isdecimal() else value
    problem = fragmentation_problem(value)
    if problem is not None:
        raise ConfigurationError(f'{problem}\n\nTo fix: fragmentation="random"')
    found: Fragmentation = value
    return found


class Cutter:
    """Cuts the pieces of one answer.

    Args:
        mode: How; anything but `events`.
        seed: Seed of the world.
        key: Whose answer it is: the same seed and key give the same pieces.
    """

    __slots__ = ("_draws", "_mode")

    def __init__(self, mode: Fragmentation, seed: int, *key: object) -> None:
        self._mode = mode
        self._draws: Random | None = stream(seed, "fragmentation", *key) if mode == "random" else None

    def steps(self, steps: Iterable[Step]) -> Iterator[Step]:
        """Yield the steps of an answer, its pieces cut anew."""
        run: list[bytes] = []
        held, has_begun = 0, False
        for step in steps:
            if isinstance(step, Chunk):
                run.append(step.data)
                continue
            if self._mode == "whole" and has_begun and isinstance(step, Wait) and step.ns is not None:
                held += step.ns
                continue
            yield from self._flush(run, held)
            held = 0
            yield step
            has_begun = has_begun or isinstance(step, Head)
        yield from self._flush(run, held)

    def _flush(self, run: list[bytes], held: int) -> Iterator[Step]:
        if held:
            yield Wait(held)
        if run:
            yield from map(Chunk, self._pieces(run))
            run.clear()

    def _pieces(self, run: Sequence[bytes]) -> list[bytes]:
        data = b"".join(run)
        if self._draws is not None:
            cuts = _random_cuts(run, data, self._draws)
        elif isinstance(self._mode, int):
            cuts = list(range(self._mode, len(data), self._mode))
        else:
            cuts = []
        return [data[start:end] for start, end in zip([0, *cuts], [*cuts, len(data)], strict=True) if end > start]


def _random_cuts(run: Sequence[bytes], data: bytes, draws: Random) -> list[int]:
    """Return where to cut: anywhere, but once at least where it hurts.

    A reader that takes pieces for events must fail whatever the seed: one cut is inside an event's payload, one inside
    a character where there is one of several bytes, and two events share a piece where there are two.
    """
    cuts: set[int] = set()
    at = 0
    while True:
        at += draws.randint(1, SLIVER) if draws.random() < 0.5 else draws.randint(SLIVER, MOST)
        if at >= len(data):
            break
        cuts.add(at)
    ends: list[int] = []
    insides: list[range] = []
    start = 0
    for event in run:
        first, last = event.find(b"{"), event.rfind(b"}")
        if last > first + 1:
            insides.append(range(start + first + 1, start + last))
        start += len(event)
        ends.append(start)
    if insides and not any(cut in inside for inside in insides for cut in cuts):
        cuts.add(draws.choice(draws.choice(insides)))
    if not data.isascii():
        letters = [place for place in range(1, len(data)) if data[place] & 0xC0 == 0x80]
        if letters and not cuts.intersection(letters):
            cuts.add(draws.choice(letters))
    if len(ends) > 1 and cuts.issuperset(ends[:-1]):
        cuts.discard(draws.choice(ends[:-1]))
    return sorted(cuts)
