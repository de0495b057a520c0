"""OpenAI: everything this package knows about its API, and about the APIs that are compatible with it.

| file | what it is |
|---|---|
| `_dialect` | the records: OpenAI itself, and everybody who speaks like it |
| `_chat`, `_embeddings`, `_models` | the endpoints |
| `chat/` | what Chat Completions say: request, answer, stream |
| `_checks`, `_bodies` | what is refused before any model sees it, and how bodies are read |
| `_relatives` | records of providers that speak like it, with what they do otherwise |
| `_errors`, `_vocabulary`, `_limits` | errors, the words they are known by, and rate limits |
"""

from llmtest.wire.openai._dialect import COMPATIBLE, OPENAI

__all__ = ["COMPATIBLE", "DIALECTS", "OPENAI"]

DIALECTS = (OPENAI, COMPATIBLE)
