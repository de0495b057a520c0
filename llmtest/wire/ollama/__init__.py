"""Ollama, through its OpenAI-compatible address."""

from llmtest.wire.ollama._dialect import OLLAMA

__all__ = ["DIALECTS", "OLLAMA"]

DIALECTS = (OLLAMA,)
