"""Groq, whose API is OpenAI-compatible: usage in a field of its own, and its error bodies."""

from llmtest.wire.groq._dialect import GROQ

__all__ = ["DIALECTS", "GROQ"]

DIALECTS = (GROQ,)
