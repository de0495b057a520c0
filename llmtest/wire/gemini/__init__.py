"""Google's Gemini, through its OpenAI-compatible address."""

from llmtest.wire.gemini._dialect import GEMINI

__all__ = ["DIALECTS", "GEMINI"]

DIALECTS = (GEMINI,)
