"""NEAR AI Cloud, whose API is OpenAI-compatible."""

from llmtest.wire.near_ai._dialect import NEAR_AI

__all__ = ["DIALECTS", "NEAR_AI"]

DIALECTS = (NEAR_AI,)
