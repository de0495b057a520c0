"""The request for a response, between JSON and types."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from llmtest.types import CompletionRequest
from llmtest.wire.openai.responses._input import decode_input, encode_input
from llmtest.wire.openai.responses._items import DIALECT
from llmtest.wire.openai.responses._options import decode_options, encode_options
from llmtest.wire.openai.responses._tools import read_tools, write_tools

__all__ = ["decode_body", "encode_body"]

_MODELLED = frozenset({"input", "instructions", "model", "stream", "tools", "tool_choice"})


def encode_body(request: CompletionRequest, *, stream: bool) -> dict[str, Any]:
    """Write the body of a request.

    Raises:
        NotSupportedError: Something of it cannot be said here.
    """
    extra = dict(request.extra_for(DIALECT))
    body: dict[str, Any] = {}
    raw: dict[str, Any] = {}
    for name in ("instructions", "input"):
        if name in extra:
            raw[name] = extra.pop(name)
    if raw and decode_input(raw.get("input"), raw.get("instructions")) == request.messages:
        body.update(raw)
    else:
        instructions, items = encode_input(request.messages)
        if instructions is not None:
            body["instructions"] = instructions
        body["input"] = items
    if request.model is not None:
        body["model"] = request.model
    write_tools(request, extra, body)
    encode_options(request, extra, body)
    if stream:
        body["stream"] = True
    body.update(extra)
    return body


def decode_body(body: Mapping[str, Any]) -> CompletionRequest:
    """Read a body that has been checked."""
    messages = decode_input(body.get("input"), body.get("instructions"))
    extra = {key: value for key, value in body.items() if key not in _MODELLED and value is not None}
    if _written(messages) != (body.get("instructions"), body.get("input")):
        extra.update((name, body[name]) for name in ("instructions", "input") if body.get(name) is not None)
    tools, choice = read_tools(body, extra)
    options = decode_options(body, extra)
    return CompletionRequest(
        messages=messages or decode_input(""),
        model=body.get("model"),
        tools=tools,
        tool_choice=choice,
        stream=body.get("stream") is True,
        extra={DIALECT: extra} if extra else {},
        **options,
    )


def _written(messages: Any) -> tuple[Any, Any]:
    return encode_input(messages) if messages else (None, None)
