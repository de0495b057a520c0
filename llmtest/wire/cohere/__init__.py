"""Cohere's own API, its second version and what of the first is still called.

| file | what it is |
|---|---|
| `_dialect` | the record |
| `_chat`, `_request` | `/v2/chat`: its endpoint, and what is asked in its words |
| `_answer`, `_stream` | what is answered, whole and in events |
| `_services` | embeddings, ranks, models |
| `_first_version`, `v1/` | the first version: chat, embeddings, ranks |
| `_errors` | its errors |
"""

from llmtest.wire.cohere._dialect import COHERE

__all__ = ["COHERE", "DIALECTS"]

DIALECTS = (COHERE,)
