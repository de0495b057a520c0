"""Tinfoil, whose models run in enclaves behind an OpenAI-compatible API."""

from __future__ import annotations

from llmtest.wire._dialect import Variables
from llmtest.wire.openai._relatives import relative

__all__ = ["TINFOIL"]

TINFOIL = relative(
    "tinfoil",
    title="Tinfoil",
    base_url="https://inference.tinfoil.sh/v1",
    hosts=("https://inference.tinfoil.sh",),
    roots=("/v1",),
    variables=Variables(keys=("TINFOIL_API_KEY",), base_urls=("TINFOIL_BASE_URL",), model="TINFOIL_MODEL"),
)
"""Recorded nowhere; everything is as OpenAI has it."""
