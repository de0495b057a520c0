"""vLLM: OpenAI's API below `/v1`, and what its server tells beside it."""

from __future__ import annotations

import re

from llmtest.wire import _ids
from llmtest.wire._dialect import Dialect, Variables
from llmtest.wire._vocabulary import Vocabulary
from llmtest.wire.openai import COMPATIBLE
from llmtest.wire.vllm._chat import CHAT
from llmtest.wire.vllm._errors import VllmErrors
from llmtest.wire.vllm._server import CARDS, SERVER

__all__ = ["VLLM"]

_OWN = {each.operation: each for each in (CHAT, *CARDS)}

SPOKEN = COMPATIBLE.derived(
    endpoints=tuple(_OWN.get(each.operation, each) for each in COMPATIBLE.endpoints),
    errors=VllmErrors(),
    response_id=lambda number: "chatcmpl-" + _ids.hexadecimal(number, 32),
    tool_call_id=lambda number: "chatcmpl-tool-" + _ids.hexadecimal(number, 32),
)
"""OpenAI's API as vLLM speaks it."""

VLLM = Dialect(
    "vllm",
    title="vLLM",
    base_url="http://localhost:8000/v1",
    endpoints=SERVER,
    mounts={"/v1": SPOKEN},
    errors=VllmErrors(),
    variables=Variables(keys=("VLLM_API_KEY",), base_urls=("VLLM_BASE_URL",), model="VLLM_MODEL"),
    needs_key=False,
    vocabulary=Vocabulary(too_long=(re.compile(r"longer than the model's context length"),)),
)
"""A server of your own, so that it is nowhere from the start."""
