"""Google's Gemini: `generateContent`, token counts, embeddings and models.

| file | what it is |
|---|---|
| `_dialect` | the record |
| `_generate`, `_services` | its endpoints |
| `generate/` | the request, the answer and the stream of a conversation |
| `_checks`, `_errors`, `_vocabulary` | what is refused, and in which words |
"""

from llmtest.wire.gemini._dialect import GEMINI

__all__ = ["DIALECTS", "GEMINI"]

DIALECTS = (GEMINI,)
