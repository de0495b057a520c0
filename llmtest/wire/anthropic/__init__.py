"""Anthropic: everything this package knows about its API.

| file | what it is |
|---|---|
| `_dialect` | the record |
| `_chat`, `_models` | the endpoints |
| `messages/` | what Messages say: request, answer, stream |
| `_checks`, `_bodies` | what is refused before any model sees it, and how bodies are read |
| `_errors`, `_vocabulary`, `_limits` | errors, the words they are known by, and rate limits |
"""

from llmtest.wire.anthropic._dialect import ANTHROPIC

__all__ = ["ANTHROPIC", "DIALECTS"]

DIALECTS = (ANTHROPIC,)
