"""Endpoints that nobody models and a script answers: `on("POST", "/v1/images/generations")`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from llmtest.wire import Dialect, Endpoint, ResponseMeta, WireCall

__all__ = ["own_endpoint"]


def _decode_call(
    endpoint: Endpoint, headers: Mapping[str, str], body: bytes, parameters: Mapping[str, str]
) -> WireCall:
    """Take any request; the model is where most APIs have it."""
    model = parameters.get("model")
    try:
        parsed = json.loads(body) if body else None
    except (ValueError, RecursionError):
        parsed = None
    if isinstance(parsed, dict) and isinstance(parsed.get("model"), str):
        model = parsed["model"]
    return WireCall(endpoint, model=model, api_key=endpoint.dialect.read_key(headers))


def _encode_answer(data: Any, call: WireCall, meta: ResponseMeta) -> bytes:
    del call, meta
    return json.dumps(data, ensure_ascii=False, separators=(",", ":")).encode()


def own_endpoint(dialect: Dialect, method: str, path: str) -> Endpoint:
    """Make the endpoint of a method and a path; its errors are in the words of the dialect."""
    return Endpoint(
        f"{method} {path}",
        method,
        path,
        decode_call=_decode_call,
        encode_answer=_encode_answer,
        needs_script=True,
    ).of(dialect)
