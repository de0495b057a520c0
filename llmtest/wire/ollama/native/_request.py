"""Ollama's requests, between JSON and types: a conversation, or a prompt alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from llmtest.errors import NotSupportedError
from llmtest.types import ChatMessage, CompletionRequest, ImagePart, TextPart
from llmtest.wire.ollama.native._messages import decode_messages, encode_messages
from llmtest.wire.ollama.native._options import OWN_OPTIONS, decode_options, encode_options
from llmtest.wire.ollama.native._parts import DIALECT, decode_image, decode_tools, encode_tool, said

__all__ = ["decode_chat", "decode_prompt", "encode_chat", "encode_prompt", "refuse_no_prompt"]

_MODELLED = frozenset(
    {"messages", "tools", "format", "options", "think", "logprobs", "top_logprobs", "prompt", "system", "images"}
)
_MISSING = object()


def encode_chat(request: CompletionRequest, *, stream: bool) -> dict[str, Any]:
    """Write the body of `/api/chat`.

    Raises:
        NotSupportedError: Something of it cannot be said here.
    """
    return _with_extra(_plain_chat(request), request, stream=stream)


def encode_prompt(request: CompletionRequest, *, stream: bool) -> dict[str, Any]:
    """Write the body of `/api/generate`.

    Raises:
        NotSupportedError: Something of it cannot be said here.
    """
    return _with_extra(_plain_prompt(request), request, stream=stream)


def decode_chat(body: Mapping[str, Any], *, stream: bool) -> CompletionRequest:
    """Read the body of `/api/chat`, which has been checked."""
    return _completed(body, _read(body), stream=stream)


def decode_prompt(body: Mapping[str, Any], *, stream: bool) -> CompletionRequest:
    """Read the body of `/api/generate`, which has been checked."""
    return _completed(body, _read(body), stream=stream)


def refuse_no_prompt(request: CompletionRequest) -> None:
    """Refuse what a prompt cannot say: several turns, tools.

    Raises:
        NotSupportedError: It is more than a system prompt and one message of the user.
    """
    roles = [message.role for message in request.messages]
    if roles not in (["user"], ["system", "user"]) or request.tools:
        raise NotSupportedError(
            f"{DIALECT}: /api/generate takes one prompt, with a system prompt before it if need be; conversations and "
            "tools are /api/chat's",
            model=request.model,
        )


def _plain_chat(request: CompletionRequest) -> dict[str, Any]:
    body: dict[str, Any] = {"model": request.model, "messages": encode_messages(request.messages)}
    if request.tools:
        body["tools"] = [encode_tool(tool) for tool in request.tools]
    return {**body, **encode_options(request)}


def _plain_prompt(request: CompletionRequest) -> dict[str, Any]:
    refuse_no_prompt(request)
    *system, user = request.messages
    content = user.content
    parts = said((TextPart(content),) if isinstance(content, str) else content or (), "user")
    body: dict[str, Any] = {"model": request.model, "prompt": parts["content"]}
    if "images" in parts:
        body["images"] = parts["images"]
    if system:
        body["system"] = system[0].text
    return {**body, **encode_options(request)}


def _with_extra(plain: dict[str, Any], request: CompletionRequest, *, stream: bool) -> dict[str, Any]:
    """Return a body with what only Ollama knows; a modelled field that says the same in more words is written so."""
    extra = request.extra_for(DIALECT)
    body = {**plain, **{name: value for name, value in extra.items() if name not in _MODELLED}, "stream": stream}
    told = {name: value for name, value in extra.items() if name in _MODELLED}
    if told:
        whole = {**body, **told}
        if _read(whole) == _read(body):
            return whole
        options = told.get("options")
        if isinstance(options, dict):
            own = {name: value for name, value in options.items() if name not in OWN_OPTIONS}
            body["options"] = {**own, **body.get("options", {})}
    return body


def _read(body: Mapping[str, Any]) -> dict[str, Any]:
    """Read what the types can say of a body, as arguments of a request."""
    messages = decode_messages(body["messages"]) if "messages" in body else _prompt_of(body)
    return {"messages": messages, "tools": decode_tools(body.get("tools")), **decode_options(body)}


def _prompt_of(body: Mapping[str, Any]) -> tuple[ChatMessage, ...]:
    images = [decode_image(image) for image in body.get("images") or ()]
    prompt = str(body.get("prompt") or "")
    parts: tuple[TextPart | ImagePart, ...] = (TextPart(prompt), *images)
    user = ChatMessage.user(parts if images else prompt)
    return (ChatMessage.system(body["system"]), user) if body.get("system") else (user,)


def _completed(body: Mapping[str, Any], read: Mapping[str, Any], *, stream: bool) -> CompletionRequest:
    """Make the request, and keep beside it whatever it would write otherwise."""
    request = CompletionRequest(model=body["model"], stream=stream, **read)
    plain = _plain_chat(request) if "messages" in body else _plain_prompt(request)
    extra = {name: value for name, value in body.items() if name != "stream" and plain.get(name, _MISSING) != value}
    return replace(request, extra={DIALECT: extra}) if extra else request
