"""vLLM's chat completions: OpenAI's, with fields of its own and forms that guide what is generated."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from llmtest.types import CompletionRequest, CompletionResponse, ResponseFormat, Usage
from llmtest.wire._endpoint import Endpoint
from llmtest.wire._json import loads
from llmtest.wire._records import ResponseMeta, WireCall
from llmtest.wire.openai._chat import CHAT as OPENAI_CHAT
from llmtest.wire.openai._own_fields import chat_with, choices_with, with_fields

__all__ = ["CHAT"]

_GUIDES = (b'"guided_', b'"structured_outputs"')
_PLAIN = {"type": "string", "contentMediaType": "text/plain"}
"""A schema of what is said as it is, and not as JSON."""


def _own_fields(response: CompletionResponse, call: WireCall, meta: ResponseMeta) -> CompletionResponse:
    """Return an answer with what only vLLM tells."""
    del call
    usage = response.usage
    fields: dict[str, Any] = {"created": meta.created_s, "prompt_logprobs": None}
    if usage.source != "unknown":
        # It counts nothing apart, and so tells nothing of it.
        response = replace(response, usage=Usage(usage.input_tokens, usage.output_tokens))
        fields["usage"] = {
            "prompt_tokens": usage.input_tokens,
            "total_tokens": usage.input_tokens + usage.output_tokens,
            "completion_tokens": usage.output_tokens,
            "prompt_tokens_details": None,
        }
    response = choices_with(response, reasoning="reasoning", choice=_stop_reason)
    return with_fields(response, fields)


def _stop_reason(response: CompletionResponse) -> Mapping[str, Any]:
    del response
    return {"stop_reason": None}


def _decode_call(
    endpoint: Endpoint, headers: Mapping[str, str], body: bytes, parameters: Mapping[str, str]
) -> WireCall:
    call = OPENAI_CHAT.decode_call(endpoint, headers, body, parameters)
    request = call.request if any(guide in body for guide in _GUIDES) else None
    if not isinstance(request, CompletionRequest) or request.response_format is not None:
        return call
    schema = _guide(request.extra_for("openai"))
    if schema is None:
        return call
    return call.with_request(replace(request, response_format=ResponseFormat.json_schema(schema)))


def _guide(fields: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """Return the schema that what is generated is guided by, in either of the words for it."""
    structured = fields.get("structured_outputs")
    structured = structured if isinstance(structured, dict) else {}
    choices = fields.get("guided_choice") or structured.get("choice")
    if isinstance(choices, list) and choices and all(isinstance(each, str) for each in choices):
        return {**_PLAIN, "enum": choices}
    pattern = fields.get("guided_regex") or structured.get("regex")
    if isinstance(pattern, str):
        return {**_PLAIN, "pattern": f"^(?:{pattern})$"}
    found = fields.get("guided_json") or structured.get("json")
    if isinstance(found, str):
        try:
            found = loads(found)
        except ValueError:
            return None
    return found if isinstance(found, dict) else None


CHAT = chat_with(_own_fields, decode_call=_decode_call)
"""`POST /v1/chat/completions`."""
