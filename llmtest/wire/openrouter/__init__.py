"""OpenRouter, whose API is OpenAI-compatible."""

from llmtest.wire.openrouter._dialect import OPENROUTER

__all__ = ["DIALECTS", "OPENROUTER"]

DIALECTS = (OPENROUTER,)
