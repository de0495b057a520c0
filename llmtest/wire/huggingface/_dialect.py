"""The router of Hugging Face, which hands OpenAI-compatible requests to providers of inference."""

from __future__ import annotations

from llmtest.errors import AuthenticationError, ModelNotFoundError, QuotaExceededError
from llmtest.wire._dialect import Variables
from llmtest.wire._own_words import OwnWords, Said
from llmtest.wire._records import ResponseMeta
from llmtest.wire.openai import COMPATIBLE
from llmtest.wire.openai._relatives import relative

__all__ = ["HUGGINGFACE"]


def _no_model(error: ModelNotFoundError, meta: ResponseMeta) -> dict[str, object]:
    told = f"The requested model '{error.model or meta.model}' does not exist"
    return {"error": {"message": told, "type": "invalid_request_error", "param": "model", "code": "model_not_found"}}


def _no_credit(_: QuotaExceededError, __: ResponseMeta) -> dict[str, str]:
    told = "You have depleted your monthly included credits. Purchase pre-paid credits to continue using Inference "
    return {"error": told + "Providers."}


_SAID = (
    Said(AuthenticationError, 401, lambda _, __: {"error": "Invalid username or password."}),
    Said(QuotaExceededError, 402, _no_credit),
    Said(ModelNotFoundError, 400, _no_model),
)

HUGGINGFACE = relative(
    "huggingface",
    title="Hugging Face",
    base_url="https://router.huggingface.co/v1",
    hosts=("https://router.huggingface.co",),
    roots=("/v1",),
    variables=Variables(keys=("HF_TOKEN",), base_urls=("HF_INFERENCE_ENDPOINT",), model="HF_MODEL"),
    errors=OwnWords(COMPATIBLE.errors, _SAID),
    needs_key=False,
)
"""A model may name who is to run it: `openai/gpt-oss-120b:groq`. Its key gets no dummy, for downloads would use it."""
