"""Azure OpenAI, through its OpenAI-compatible address."""

from llmtest.wire.azure._dialect import AZURE

__all__ = ["AZURE", "DIALECTS"]

DIALECTS = (AZURE,)
