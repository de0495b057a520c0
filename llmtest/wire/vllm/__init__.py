"""vLLM, through its OpenAI-compatible address."""

from llmtest.wire.vllm._dialect import VLLM

__all__ = ["DIALECTS", "VLLM"]

DIALECTS = (VLLM,)
