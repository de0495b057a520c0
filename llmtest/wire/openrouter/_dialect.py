"""OpenRouter, whose API is OpenAI-compatible."""

from __future__ import annotations

from llmtest.wire._dialect import Dialect, Variables
from llmtest.wire.openai import COMPATIBLE

__all__ = ["OPENROUTER"]

OPENROUTER = Dialect(
    "openrouter",
    title="OpenRouter",
    base_url="https://openrouter.ai/api/v1",
    hosts=("https://openrouter.ai",),
    mounts={"/api/v1": COMPATIBLE, "/v1": COMPATIBLE},
    variables=Variables(keys=("OPENROUTER_API_KEY",), base_urls=("OPENROUTER_BASE_URL",), model="OPENROUTER_MODEL"),
)
"""Models carry their vendor's name: `mistralai/mistral-large`."""
