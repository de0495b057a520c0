"""vLLM, through its OpenAI-compatible address."""

from __future__ import annotations

import re

from llmtest.wire._dialect import Dialect, Variables
from llmtest.wire._vocabulary import Vocabulary
from llmtest.wire.openai import COMPATIBLE

__all__ = ["VLLM"]

VLLM = Dialect(
    "vllm",
    title="vLLM",
    base_url="http://localhost:8000/v1",
    mounts={"/v1": COMPATIBLE},
    variables=Variables(keys=("VLLM_API_KEY",), base_urls=("VLLM_BASE_URL",), model="VLLM_MODEL"),
    needs_key=False,
    vocabulary=Vocabulary(too_long=(re.compile(r"longer than the model's context length"),)),
)
"""A server of your own, so that it is nowhere from the start."""
