"""NEAR AI Cloud, whose API is OpenAI-compatible."""

from __future__ import annotations

from llmtest.wire._dialect import Variables
from llmtest.wire.openai._relatives import relative

__all__ = ["NEAR_AI"]

NEAR_AI = relative(
    "near_ai",
    title="NEAR AI",
    base_url="https://cloud-api.near.ai/v1",
    hosts=("https://cloud-api.near.ai", "https://private.near.ai"),
    roots=("/v1",),
    variables=Variables(keys=("NEARAI_API_KEY",), base_urls=("NEARAI_BASE_URL",), model="NEARAI_MODEL"),
)
"""Its variables are those of IronClaw."""
