"""Randomness without state: a draw is a function of its seed and its key, and of nothing else."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import blake2b
from random import Random

_SCALE = 2.0**-53


def uniform(seed: int, *key: object) -> float:
    """Return a number in [0, 1) that depends on `seed` and `key` alone.

    Because no generator is shared, removing one fault or adding one call shifts no other draw.

    Args:
        seed: Seed of the run.
        key: What is being decided: rule, entity, call number, attempt. Strings, integers, None; compared by `repr`.
    """
    digest = blake2b(repr(key).encode(), digest_size=8, key=b"%d" % seed).digest()
    return (int.from_bytes(digest, "little") >> 11) * _SCALE


def draw_bits(seed: int, *key: object, bits: int = 64) -> int:
    """Return an integer of up to 512 random bits that depends on `seed` and `key` alone, for identifiers."""
    digest = blake2b(repr(key).encode(), digest_size=(bits + 7) // 8, key=b"%d" % seed).digest()
    return int.from_bytes(digest, "little") >> (-bits % 8)


def stream(seed: int, *path: object) -> Random:
    """Return a generator of its own for one entity, for when a whole series of draws is needed."""
    return Random(f"{seed}/{path!r}")  # noqa: S311 - a simulation wants repeatable numbers


class OwnDraws:
    """What an observer draws from the global generator, which a simulation has seeded for the code under test.

    Between `drawing` and its end the generator is the observer's own, seeded by the system: so its draws shift nobody
    else's, and are other ones in every run.
    """

    def __init__(self) -> None:
        self._state = Random().getstate()  # noqa: S311 - identifiers, no secrets

    @contextmanager
    def drawing(self) -> Iterator[None]:
        """Let the generator be the observer's own."""
        others = random.getstate()
        random.setstate(self._state)
        try:
            yield
        finally:
            self._state = random.getstate()
            random.setstate(others)
