"""xAI, whose API is OpenAI-compatible: errors are a code and a text, and thoughts are counted beside the answer."""

from llmtest.wire.xai._dialect import XAI

__all__ = ["DIALECTS", "XAI"]

DIALECTS = (XAI,)
