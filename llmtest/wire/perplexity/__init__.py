"""Perplexity, whose answers cite what was found, and whose streams end without `[DONE]`."""

from llmtest.wire.perplexity._dialect import PERPLEXITY

__all__ = ["DIALECTS", "PERPLEXITY"]

DIALECTS = (PERPLEXITY,)
