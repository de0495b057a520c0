"""Ollama: its own API, and OpenAI's at its OpenAI-compatible address.

| file | what it is |
|---|---|
| `_dialect` | the records |
| `_chat`, `_embeddings`, `_models` | the endpoints of its own API |
| `native/` | the request, the answer and the stream of a conversation there |
| `_compatible` | what it says otherwise where it speaks like OpenAI |
| `_checks`, `_errors` | what is refused, and in which words |
"""

from llmtest.wire.ollama._dialect import NATIVE, OLLAMA

__all__ = ["DIALECTS", "NATIVE", "OLLAMA"]

DIALECTS = (OLLAMA,)
