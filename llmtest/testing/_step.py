"""The little language of `assert_sequence`: `"openai:429"`, `"openai/gpt-4o:200"`, `unordered(...)`."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from llmtest.errors import ConfigurationError
from llmtest.testing._history import PENDING, Seen, matches_target
from llmtest.types import is_whole
from llmtest.types._spelling import nearest
from llmtest.wire import default_dialect

__all__ = ["OUTCOMES", "Step", "Unordered", "parse_steps", "unordered"]

OUTCOMES = frozenset(
    {
        "abandoned",
        "cache_hit",
        "circuit_open",
        "dropped",
        "error",
        "malformed",
        "refused",
        "reset",
        "stalled",
        "timeout",
        "truncated",
        PENDING,
    }
)
"""The outcomes that are words; every other outcome is a status code."""
FORM = "a step is `provider:outcome` or `provider/model:outcome`"


@dataclass(slots=True, frozen=True)
class Step:
    """One expected attempt."""

    target: str
    outcome: str

    def __str__(self) -> str:
        return f"{self.target}:{self.outcome}"

    def matches(self, attempt: Seen) -> bool:
        """Tell whether an attempt is the expected one; a step without a model takes any model."""
        return attempt.outcome == self.outcome and matches_target(attempt, self.target)


@dataclass(slots=True, frozen=True)
class Unordered:
    """Expected attempts whose order does not matter; made by `unordered`."""

    steps: tuple[str, ...]


def unordered(*steps: str) -> Unordered:
    """Expect these attempts in any order, as one part of `assert_sequence`.

    Args:
        steps: Steps as `assert_sequence` takes them: `"provider[/model]:outcome"`.

    Example:
        >>> unordered("openai:200", "anthropic:200").steps
        ('openai:200', 'anthropic:200')
    """
    return Unordered(steps)


def parse_steps(steps: Sequence[str | Unordered]) -> list[list[Step]]:
    """Return the expected groups in order; a plain step is a group of one.

    Raises:
        ConfigurationError: A step is not written `provider[/model]:outcome`.
    """
    return [
        [_parse(text) for text in step.steps] if isinstance(step, Unordered) else [_parse(step)]
        for step in steps
        if not isinstance(step, Unordered) or step.steps
    ]


def _parse(text: str) -> Step:
    if not isinstance(text, str):
        outcome = text if is_whole(text, 100) and text <= 599 else 429
        raise ConfigurationError(
            f"a step is text, got {text!r}.\nTo fix: write `{default_dialect().name}:{outcome}`; {FORM}."
        )
    target, colon, outcome = text.rpartition(":")
    if not colon or not target or not outcome:
        raise ConfigurationError(
            f"the step `{text}` has no {'outcome' if target or not colon else 'provider'}.\n"
            f"To fix: write `{_meant(text)}`; {FORM}."
        )
    if outcome not in OUTCOMES and not (outcome.isdigit() and len(outcome) == 3 and 100 <= int(outcome) <= 599):
        near = nearest(outcome, OUTCOMES)
        hint = "" if near is None else f" Did you mean `{near}`?"
        raise ConfigurationError(
            f"the step `{text}` ends in an unknown outcome `{outcome}`.{hint}\n"
            f"An outcome is a status from 100 to 599, or one of: {', '.join(sorted(OUTCOMES))}.\n"
            f"To fix: write `{target}:{near or 200}`."
        )
    return Step(target, outcome)


def _meant(text: str) -> str:
    """Return the step that was meant by one without a colon between provider and outcome: `openai-200`, `429`."""
    plain = text.strip(": ")
    if plain in OUTCOMES or plain.isdigit():
        return f"{default_dialect().name}:{plain}"
    parts = re.fullmatch(rf"(.+?)[\s\-_=.,;>]+({'|'.join(sorted(OUTCOMES))}|[1-5]\d\d)", plain)
    if parts is not None:
        return f"{parts[1]}:{parts[2]}"
    return f"{plain or default_dialect().name}:200"
