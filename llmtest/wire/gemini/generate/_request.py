"""Gemini's request, between JSON and types."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from llmtest.types import CompletionRequest
from llmtest.wire.gemini.generate._contents import decode_contents, encode_contents
from llmtest.wire.gemini.generate._options import decode_options, encode_options, read_tools, write_tools
from llmtest.wire.gemini.generate._parts import DIALECT

__all__ = ["decode_body", "encode_body"]

_MODELLED = frozenset({"contents", "systemInstruction", "tools", "toolConfig", "model"})


def encode_body(request: CompletionRequest) -> dict[str, Any]:
    """Write the body of a request; the model is in its path.

    Raises:
        NotSupportedError: Something of it cannot be said here.
    """
    extra = dict(request.extra_for(DIALECT))
    body: dict[str, Any] = {}
    raw: dict[str, Any] = {}
    for name in ("systemInstruction", "contents"):
        if name in extra:
            raw[name] = extra.pop(name)
    if raw and decode_contents(raw.get("contents") or (), raw.get("systemInstruction")) == request.messages:
        body.update(raw)
    else:
        instruction, contents = encode_contents(request.messages)
        body["contents"] = contents
        if instruction is not None:
            body["systemInstruction"] = instruction
    write_tools(request, extra, body)
    encode_options(request, extra, body)
    if request.metadata and "labels" not in extra:
        body["labels"] = dict(request.metadata)
    body.update(extra)
    return body


def decode_body(body: Mapping[str, Any], model: str | None, *, stream: bool) -> CompletionRequest:
    """Read a body that has been checked."""
    messages = decode_contents(body["contents"], body.get("systemInstruction"))
    extra = {name: value for name, value in body.items() if name not in _MODELLED and value is not None}
    if not messages or encode_contents(messages) != (body.get("systemInstruction"), body["contents"]):
        extra.update((name, body[name]) for name in ("systemInstruction", "contents") if body.get(name) is not None)
    tools, choice = read_tools(body, extra)
    options = decode_options(body, extra)
    labels = extra.pop("labels", None)
    if isinstance(labels, dict):
        options["metadata"] = labels
    return CompletionRequest(
        messages=messages,
        model=model,
        tools=tools,
        tool_choice=choice,
        stream=stream,
        extra={DIALECT: extra} if extra else {},
        **options,
    )
