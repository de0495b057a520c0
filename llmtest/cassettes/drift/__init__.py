"""What has changed since a session was recorded, path by path, and how much it matters.

| file | what it is |
|---|---|
| `_drift` | one change, its kind, and how grave that is |
| `_answers` | two answers compared: JSON by its paths, streams by the shape of their events |
| `_sessions` | two cassettes, interaction by interaction |
| `_judging` | what fails of it, and what is only told |
"""

from llmtest.cassettes.drift._answers import compare_answers
from llmtest.cassettes.drift._drift import GRAVITY, Drift, DriftKind
from llmtest.cassettes.drift._judging import failure_of, notice_of
from llmtest.cassettes.drift._sessions import SessionDrift, as_shown, compare_sessions

__all__ = [
    "GRAVITY",
    "Drift",
    "DriftKind",
    "SessionDrift",
    "as_shown",
    "compare_answers",
    "compare_sessions",
    "failure_of",
    "notice_of",
]
