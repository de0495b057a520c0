"""The little language of `assert_sequence`: `"openai:429"`, `"openai/gpt-4o:200"`, `unordered(...)`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from llmtest.errors import ConfigurationError
from llmtest.testing._failure import did_you_mean
from llmtest.testing._history import PENDING, Seen, matches_target
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
        raise ConfigurationError(
            f"a step is text like `{default_dialect().name}:429`, got {text!r}.\n"
            "To fix: write each step as `provider:outcome` or `provider/model:outcome`."
        )
    target, colon, outcome = text.rpartition(":")
    if not colon or not target or not outcome:
        example = f"{text.strip(':') or default_dialect().name}:200"
        raise ConfigurationError(
            f"the step `{text}` has no outcome.\n"
            f"To fix: write `provider:outcome` or `provider/model:outcome`, as in `{example}`."
        )
    if outcome not in OUTCOMES and not (outcome.isdigit() and len(outcome) == 3):
        raise ConfigurationError(
            f"the step `{text}` ends in an unknown outcome `{outcome}`.{did_you_mean(outcome, OUTCOMES)}\n"
            f"An outcome is a status code or one of: {', '.join(sorted(OUTCOMES))}."
        )
    return Step(target, outcome)
