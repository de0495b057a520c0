"""The router of Hugging Face, which hands OpenAI-compatible requests to providers of inference."""

from llmtest.wire.huggingface._dialect import HUGGINGFACE

__all__ = ["DIALECTS", "HUGGINGFACE"]

DIALECTS = (HUGGINGFACE,)
