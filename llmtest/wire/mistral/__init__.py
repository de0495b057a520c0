"""Mistral AI, whose Chat Completions are nearly OpenAI"s; its errors are of several shapes."""

from llmtest.wire.mistral._dialect import MISTRAL

__all__ = ["DIALECTS", "MISTRAL"]

DIALECTS = (MISTRAL,)
