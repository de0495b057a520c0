"""How much a prompt asks for: a score from 0 to 1, made of parts that can be told one by one.

The score is our own, and plain on purpose: every part looks for one thing in the last message of the user, as far as it
is there (0 to 1), times its weight. The parts add up, to 1 at most. The same text has the same score everywhere.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from llmtest.costs import count_tokens
from llmtest.types import CompletionRequest

__all__ = ["Explanation", "Part", "Tier", "explain", "prompt_of"]


class Tier(StrEnum):
    """How much of a model a prompt needs: the score in four steps."""

    FLASH = "flash"
    """Below 0.15."""
    STANDARD = "standard"
    """From 0.15."""
    PRO = "pro"
    """From 0.40."""
    FRONTIER = "frontier"
    """From 0.65."""

    @classmethod
    def of(cls, score: float) -> Tier:
        """Return the tier of a score."""
        if score < 0.15:
            return cls.FLASH
        if score < 0.40:
            return cls.STANDARD
        return cls.PRO if score < 0.65 else cls.FRONTIER


@dataclass(frozen=True, slots=True)
class Part:
    """What one part of the score saw.

    Args:
        name: The part.
        weight: Its weight.
        value: How much of it there is, from 0 to 1.
        evidence: What was found.
    """

    name: str
    weight: float
    value: float
    evidence: tuple[str, ...] = ()

    @property
    def points(self) -> float:
        """What it adds to the score."""
        return self.weight * self.value


@dataclass(frozen=True, slots=True)
class Explanation:
    """A score and its reasons; as text a table.

    Args:
        score: From 0 to 1.
        tier: The score in four steps.
        parts: Every part, those that add nothing too.
    """

    score: float
    tier: Tier
    parts: tuple[Part, ...]

    def __str__(self) -> str:
        lines = [f"score {self.score:.2f}, tier {self.tier}"]
        for part in sorted(self.parts, key=lambda part: -part.points):
            if part.points:
                found = ", ".join(part.evidence)
                lines.append(f"  {part.points:.2f}  {part.name:<10} {part.value:.2f} x {part.weight:.2f}  {found}")
        return "\n".join(lines)


Found = tuple[float, tuple[str, ...]]


def _words(needed: int, *stems: str) -> Callable[[str], Found]:
    """Return what looks for words that begin so; as many as are needed are all of it."""
    pattern = re.compile(rf"\b(?:{'|'.join(stems)})", re.IGNORECASE)

    def look(text: str) -> Found:
        found = tuple(dict.fromkeys(match.group().lower() for match in pattern.finditer(text)))
        return min(1.0, len(found) / needed), found[:5]

    return look


def _length(text: str) -> Found:
    tokens = count_tokens(text)
    return min(1.0, tokens / 800), (f"{tokens} tokens",)


CODE = re.compile(
    r"```|\bdef \w+\(|\bclass \w+|\bimport \w+|=>|\{\s*\n|;\s*\n|\bselect\b.{1,80}\bfrom\b"
    r"|\b(?:function|refactor|unit tests?|stack trace|traceback|exception|compile|endpoint|regex|sql|api|code|bug)\b",
    re.IGNORECASE,
)


def _code(text: str) -> Found:
    found = tuple(dict.fromkeys(" ".join(match.group().split()).lower() for match in CODE.finditer(text)))
    return min(1.0, len(found) / 3), found[:5]


STEP = re.compile(
    r"^\s*(?:\d+[.)]|[-*])\s|\b(?:then|after that|afterwards|first|second|third|finally|next|step by step|at last)\b",
    re.IGNORECASE | re.MULTILINE,
)


def _steps(text: str) -> Found:
    found = tuple(match.group().strip().lower() for match in STEP.finditer(text))
    return min(1.0, len(found) / 4), tuple(dict.fromkeys(found))[:5]


def _questions(text: str) -> Found:
    count = text.count("?")
    return min(1.0, max(0, count - 1) / 3), (f"{count} questions",) if count > 1 else ()


PARTS: tuple[tuple[str, float, Callable[[str], Found]], ...] = (
    (
        "reasoning",
        0.35,
        _words(
            3,
            r"why\b",
            "prove",
            r"proof\b",
            "deriv",
            "explain",
            "analy[sz]",
            "compar",
            "evaluat",
            r"trade-?offs?\b",
            "design",
            "plan",
            "optimi[sz]",
            "justif",
            "reason",
            "diagnos",
            "root cause",
            "architect",
            "strateg",
        ),
    ),
    ("length", 0.30, _length),
    ("code", 0.25, _code),
    ("steps", 0.20, _steps),
    (
        "domain",
        0.20,
        _words(
            2,
            "contract",
            "liabilit",
            "statut",
            "regulat",
            "complian",
            "clinical",
            "patient",
            "dosage",
            "symptom",
            "theorem",
            "integral",
            "matrix",
            "probabilit",
            "statistic",
            "portfolio",
            "derivativ",
            "tax",
            "encrypt",
            "vulnerab",
            "threat",
            "kubernetes",
            "distributed",
            "concurren",
            "latency",
            "protein",
            "quantum",
        ),
    ),
    (
        "precision",
        0.15,
        _words(
            3,
            r"exact",
            r"must\b",
            "at least",
            "at most",
            r"only\b",
            r"json\b",
            r"schema\b",
            r"table\b",
            r"cite",
            "accura",
        ),
    ),
    (
        "creativity",
        0.12,
        _words(
            2, "story", "poem", "essay", r"novel\b", "lyric", "screenplay", "brainstorm", "imagin", "creativ", "slogan"
        ),
    ),
    (
        "context",
        0.10,
        _words(
            2,
            r"above\b",
            r"earlier\b",
            r"previous",
            "attach",
            "the following",
            r"below\b",
            "as discussed",
            "this document",
        ),
    ),
    ("questions", 0.08, _questions),
)
"""Name, weight, and what looks for it. English words; length, code, lists and questions are of any language."""


def prompt_of(request: CompletionRequest) -> str:
    """Return the last message of the user: what came before was answered already."""
    said = [message.text for message in request.messages if message.role == "user"]
    return said[-1] if said else ""


def explain(prompt: str | CompletionRequest) -> Explanation:
    """Return the score of a prompt, and what it is made of.

    Args:
        prompt: A text, or a request, of which the last message of the user counts.
    """
    text = prompt_of(prompt) if isinstance(prompt, CompletionRequest) else prompt
    parts = tuple(Part(name, weight, *look(text)) for name, weight, look in PARTS)
    score = min(1.0, round(sum(part.points for part in parts), 6))
    return Explanation(score, Tier.of(score), parts)
