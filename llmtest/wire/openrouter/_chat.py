"""OpenRouter's chat completions: OpenAI's, with who answered, what it cost, thoughts in detail, and further models."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from llmtest.types import CompletionResponse, ThinkingPart
from llmtest.wire._endpoint import Endpoint
from llmtest.wire._json import dumps
from llmtest.wire._records import ResponseMeta, WireCall
from llmtest.wire._store import Store
from llmtest.wire.openai._bodies import asked
from llmtest.wire.openai._chat import CHAT as OPENAI_CHAT
from llmtest.wire.openai._checks import refuse
from llmtest.wire.openai._own_fields import chat_with, choices_with, with_fields
from llmtest.wire.openai.chat._response import raw_finish_of
from llmtest.wire.openrouter._errors import vendor_of

__all__ = ["CHAT", "GENERATIONS", "SPENT"]

GENERATIONS = "generations"
"""The table of what was answered, by id."""
SPENT = "spent"
"""The table of what each key has spent."""
COMMENT = b": OPENROUTER PROCESSING\n\n"
"""What goes between events, and before the first one, while nothing else does."""
_ROLE = b'"delta":{"role":"assistant","content":'
_LAST = b'"choices":[{"index":0,"delta":{"role":"assistant","content":""},"finish_reason":null,'
_LAST += b'"native_finish_reason":null,"logprobs":null}],"usage":{'
_READ = (b'"models"', b'"reasoning"', b'"usage"')
"""Fields of OpenRouter's own that are looked for before the body is read as OpenAI's."""


def _decode_call(
    endpoint: Endpoint, headers: Mapping[str, str], body: bytes, parameters: Mapping[str, str]
) -> WireCall:
    models: list[str] = []
    tells_usage = False
    if any(field in body for field in _READ):
        parsed = asked(body)
        models = _models_in(parsed)
        if models and not parsed.get("model"):
            parsed["model"] = models[0]
        reasoning = parsed.get("reasoning")
        effort = reasoning.get("effort") if isinstance(reasoning, dict) else None
        if isinstance(effort, str):
            parsed.setdefault("reasoning_effort", effort)
        usage = parsed.get("usage")
        tells_usage = isinstance(usage, dict) and usage.get("include") is True
        body = dumps(parsed)
    call = OPENAI_CHAT.decode_call(endpoint, headers, body, parameters)
    call.include_usage = call.include_usage or tells_usage
    others = [model for model in dict.fromkeys(models) if model != call.model]
    if others:
        call.shaping = {**call.shaping, "models": others}
    return call


def _models_in(parsed: Mapping[str, Any]) -> list[str]:
    models = parsed.get("models")
    if models is None:
        return []
    if not isinstance(models, list) or not all(isinstance(each, str) and each for each in models):
        raise refuse("models: Expected array of strings", "models")
    return models


def _own_fields(response: CompletionResponse, call: WireCall, meta: ResponseMeta) -> CompletionResponse:
    """Return an answer with what only OpenRouter tells."""
    del call
    fields: dict[str, Any] = {"created": meta.created_s, "provider": vendor_of(response.model or meta.model)}
    if response.usage.source != "unknown":
        fields["usage"] = _usage(response)
    response = choices_with(response, reasoning="reasoning", choice=_native_reason, message=_details)
    return with_fields(response, fields)


def _usage(response: CompletionResponse) -> dict[str, Any]:
    usage = response.usage
    found: dict[str, Any] = {
        "prompt_tokens": usage.input_tokens,
        "completion_tokens": usage.output_tokens,
        "total_tokens": usage.total_tokens,
    }
    prompt = {"cached_tokens": usage.cache_read_tokens, "audio_tokens": usage.input_audio_tokens}
    if usage.cache_write_tokens:
        prompt["cache_write_tokens"] = usage.cache_write_tokens
    if usage.cost_usd is not None:
        cost = float(usage.cost_usd)
        found.update(cost=cost, is_byok=False, cost_details={"upstream_inference_cost": cost})
    completion = {"reasoning_tokens": usage.reasoning_tokens, "audio_tokens": usage.output_audio_tokens}
    return {**found, "prompt_tokens_details": prompt, "completion_tokens_details": completion}


def _native_reason(response: CompletionResponse) -> Mapping[str, Any]:
    return {"native_finish_reason": _reason(response)}


def _reason(response: CompletionResponse) -> str | None:
    return response.raw_finish_reason or raw_finish_of(response)


def _details(response: CompletionResponse) -> Mapping[str, Any]:
    thoughts = [part for part in response.parts if isinstance(part, ThinkingPart)]
    details = [
        {"type": "reasoning.text", "text": part.text, "signature": part.signature, "format": "unknown", "index": place}
        for place, part in enumerate(thoughts)
    ]
    return {"reasoning_details": details} if details else {}


def _edit(event: bytes) -> bytes:
    """Say with every piece who speaks, and with the usage a choice that says nothing."""
    event = event.replace(b',"usage":null', b"", 1)
    if b'"choices":[],"usage":{' in event:
        return event.replace(b'"choices":[],"usage":{', _LAST, 1)
    return event.replace(b'"delta":{"content":', _ROLE, 1)


def _keep(response: CompletionResponse, call: WireCall, meta: ResponseMeta, store: Store) -> None:
    """Keep what `/generation` tells of an answer, and what its key has spent."""
    usage, cost = response.usage, float(response.usage.cost_usd or 0)
    identity = str(response.id or meta.id)
    model = response.model or meta.model
    spent = store.table(SPENT)
    spent[call.api_key or ""] = spent.get(call.api_key or "", 0.0) + cost
    store.table(GENERATIONS)[identity] = {
        "id": identity,
        "upstream_id": None,
        "total_cost": cost,
        "usage": cost,
        "cache_discount": None,
        "upstream_inference_cost": cost,
        "created_at": datetime.fromtimestamp(meta.created_s, UTC).isoformat(),
        "model": model,
        "app_id": None,
        "streamed": call.stream,
        "cancelled": False,
        "provider_name": vendor_of(model),
        "latency": meta.processing_ms or 0,
        "moderation_latency": None,
        "generation_time": meta.processing_ms or 0,
        "finish_reason": _reason(response),
        "native_finish_reason": _reason(response),
        "tokens_prompt": usage.input_tokens,
        "tokens_completion": usage.output_tokens,
        "native_tokens_prompt": usage.input_tokens,
        "native_tokens_completion": usage.output_tokens,
        "native_tokens_reasoning": usage.reasoning_tokens,
        "native_tokens_cached": usage.cache_read_tokens,
        "num_media_prompt": None,
        "num_media_completion": None,
        "num_search_results": None,
        "origin": "",
        "is_byok": False,
    }


CHAT = chat_with(_own_fields, _edit, decode_call=_decode_call, keep_alive=COMMENT, keep=_keep)
"""`POST /api/v1/chat/completions`."""
