"""Google's Gemini, through its OpenAI-compatible address."""

from __future__ import annotations

from llmtest.wire._dialect import Dialect, Variables
from llmtest.wire.openai import COMPATIBLE

__all__ = ["GEMINI"]

GEMINI = Dialect(
    "gemini",
    title="Gemini",
    hosts=("https://generativelanguage.googleapis.com",),
    mounts={"/v1beta/openai": COMPATIBLE, "/openai": COMPATIBLE},
    variables=Variables(keys=("GEMINI_API_KEY", "GOOGLE_API_KEY"), base_urls=("GOOGLE_GEMINI_BASE_URL",)),
)
"""Its native API is not simulated."""
