"""What Ollama says otherwise where it speaks like OpenAI (`openai/openai.go`): short usage, its fingerprint, ids."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from llmtest.types import CompletionResponse, ThinkingPart, Usage
from llmtest.wire._records import ResponseMeta, WireCall
from llmtest.wire.ollama._errors import CompatibleErrors
from llmtest.wire.openai import COMPATIBLE
from llmtest.wire.openai._own_fields import chat_with, choices_with, with_fields

__all__ = ["SPOKEN"]

_ROLE = b'"delta":{"role":"assistant","content":'


def _own_fields(response: CompletionResponse, call: WireCall, meta: ResponseMeta) -> CompletionResponse:
    """Return an answer with what only Ollama tells."""
    del call
    usage = response.usage
    fields: dict[str, Any] = {"created": meta.created_s, "system_fingerprint": "fp_ollama"}
    if usage.source != "unknown":
        # It counts nothing apart, and so tells nothing of it.
        response = replace(response, usage=Usage(usage.input_tokens, usage.output_tokens))
        fields["usage"] = {
            "prompt_tokens": usage.input_tokens,
            "completion_tokens": usage.output_tokens,
            "total_tokens": usage.input_tokens + usage.output_tokens,
        }
    if any(isinstance(part, ThinkingPart) for part in response.parts):
        response = choices_with(response, reasoning="reasoning")
    return with_fields(response, fields)


def _edit(event: bytes) -> bytes:
    """Say with every piece who speaks."""
    return event.replace(b'"delta":{"content":', _ROLE, 1)


SPOKEN = COMPATIBLE.derived(
    endpoints=tuple(
        chat_with(_own_fields, _edit) if each.operation == "chat" else each for each in COMPATIBLE.endpoints
    ),
    errors=CompatibleErrors(),
    response_id=lambda number: f"chatcmpl-{number % 999}",
    title="OpenAI-compatible",
)
"""OpenAI's API as Ollama speaks it."""
