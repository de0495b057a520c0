"""DeepSeek, whose API is OpenAI-compatible: what its cache knew is told in usage, thoughts in a field of their own."""

from llmtest.wire.deepseek._dialect import DEEPSEEK

__all__ = ["DEEPSEEK", "DIALECTS"]

DIALECTS = (DEEPSEEK,)
