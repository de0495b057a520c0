"""Tinfoil, whose models run in enclaves behind an OpenAI-compatible API."""

from llmtest.wire.tinfoil._dialect import TINFOIL

__all__ = ["DIALECTS", "TINFOIL"]

DIALECTS = (TINFOIL,)
