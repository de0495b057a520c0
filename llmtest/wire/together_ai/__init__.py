"""Together AI, whose API is OpenAI-compatible; its words for a prompt that is too long are those of its servers."""

from llmtest.wire.together_ai._dialect import TOGETHER_AI

__all__ = ["DIALECTS", "TOGETHER_AI"]

DIALECTS = (TOGETHER_AI,)
