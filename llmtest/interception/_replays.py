"""Who keeps account of answers that come out of recordings: no simulated provider gives them, and none sees them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Protocol

__all__ = ["Replay", "ReplayWitness", "replay_witness", "witnessed_by"]

Ended = Callable[[str, Sequence[bytes]], object]
"""Told once how a replayed answer ended (a status code, `abandoned`, `dropped`, `stalled`) and what was heard."""


@dataclass(slots=True)
class Replay:
    """A request, and the recorded answer that it gets.

    Args:
        method: `POST`, upper case.
        url: Its URL.
        headers: Headers of the request, names in lower case.
        body: Body of the request.
        owner: Who is at that address, as far as the recording tells.
        dialect: The API that is spoken there; None where nobody knows it.
        status: Status code of the answer.
        answer_headers: Headers of the answer, names in lower case.
        answer: Body of the answer, decompressed.
    """

    method: str
    url: str
    headers: Mapping[str, str]
    body: bytes
    owner: str
    dialect: str | None
    status: int
    answer_headers: Sequence[tuple[str, str]]
    answer: bytes


class ReplayWitness(Protocol):
    """Keeps account of replayed answers."""

    def begins(self, replay: Replay) -> Ended | None:
        """Note that a request was sent; returns whom to tell of its end, None where it is nothing to this witness."""
        ...


_witnesses: list[ReplayWitness] = []


def replay_witness() -> ReplayWitness | None:
    """Return who keeps account now: the last one that began to; None where nobody does."""
    return _witnesses[-1] if _witnesses else None


@contextmanager
def witnessed_by(witness: ReplayWitness) -> Iterator[None]:
    """Let somebody keep account of replayed answers while the context is open."""
    _witnesses.append(witness)
    try:
        yield
    finally:
        _witnesses.remove(witness)
