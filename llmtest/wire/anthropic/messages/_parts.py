"""Anthropic's content blocks, of prompts and of answers, between JSON and types."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from llmtest.errors import NotSupportedError
from llmtest.types import (
    AudioPart,
    CacheTtl,
    Citation,
    ContentPart,
    FilePart,
    ImagePart,
    OpaquePart,
    RefusalPart,
    TextPart,
    ThinkingPart,
    ToolCall,
)
from llmtest.wire._json import dumps_text, loads
from llmtest.wire.anthropic.messages._citations import decode_citation, encode_citation

DIALECT = "anthropic"
_CACHED: Mapping[CacheTtl, Mapping[str, Any]] = {
    "5m": {"type": "ephemeral"},
    "1h": {"type": "ephemeral", "ttl": "1h"},
}


def tool_input(arguments: str) -> Any:
    """Return a tool call's input: an object, or the text itself where the model wrote no object."""
    try:
        value = loads(arguments or "{}")
    except ValueError:
        return arguments
    return value if isinstance(value, dict) else arguments


def cache_control(ttl: CacheTtl | None) -> dict[str, Any]:
    """Write how long a prompt is to be cached up to here, as fields of the block that ends it."""
    return {} if ttl is None else {"cache_control": dict(_CACHED[ttl])}


def cache_ttl(block: Mapping[str, Any]) -> CacheTtl | None:
    """Read how long a prompt is to be cached up to this block."""
    found = block.get("cache_control")
    if not isinstance(found, dict):
        return None
    return "1h" if found.get("ttl") == "1h" else "5m"


def encode_part(part: ContentPart, *, answer: bool = False) -> Mapping[str, Any]:
    """Write one content block; a refusal's words are text on this wire.

    Args:
        part: What it says.
        answer: Whether it is part of an answer, in which a citation says more than in a prompt.

    Raises:
        NotSupportedError: Anthropic has no block for it.
    """
    if isinstance(part, TextPart):
        return _encode_text(part, answer=answer)
    if isinstance(part, OpaquePart):
        return part.data
    if answer and isinstance(part, ThinkingPart) and part.signature is None:
        part = replace(part, signature=signature_of(part.text))
    return _WRITERS[type(part)](part)


def signature_of(thinking: str) -> str:
    """Make the proof that Anthropic gives with every thought; the same thought has the same one."""
    proof = hashlib.blake2b(thinking.encode(errors="replace"), digest_size=63, person=b"llmtest").digest()
    return "Es" + base64.b64encode(proof).decode() + "GAE="


def _encode_text(part: TextPart, *, answer: bool) -> Mapping[str, Any]:
    block: dict[str, Any] = {"type": "text", "text": part.text}
    if part.citations:
        found = [encode_citation(citation, answer=answer) for citation in part.citations]
        block["citations"] = [citation for citation in found if citation is not None]
    if part.cache_ttl is not None:
        block.update(cache_control(part.cache_ttl))
    return block


def _encode_thinking(part: ThinkingPart) -> Mapping[str, Any]:
    if part.redacted:
        return {"type": "redacted_thinking", "data": part.signature or ""}
    return {"type": "thinking", "thinking": part.text, "signature": part.signature or ""}


def _encode_call(part: ToolCall) -> Mapping[str, Any]:
    kind = "server_tool_use" if part.server else "tool_use"
    return {"type": kind, "id": part.id, "name": part.name, "input": tool_input(part.arguments)}


def _encode_image(part: ImagePart) -> Mapping[str, Any]:
    if part.file_id is not None:
        source: dict[str, Any] = {"type": "file", "file_id": part.file_id}
    elif part.data is None:
        source = {"type": "url", "url": part.url}
    else:
        source = {"type": "base64", "media_type": part.media_type or "image/png", "data": part.data}
    return {"type": "image", "source": source, **cache_control(part.cache_ttl)}


def _encode_file(part: FilePart) -> Mapping[str, Any]:
    if part.file_id is not None:
        source: dict[str, Any] = {"type": "file", "file_id": part.file_id}
    elif part.text is not None:
        source = {"type": "text", "media_type": "text/plain", "data": part.text}
    elif part.data is None:
        source = {"type": "url", "url": part.url}
    else:
        source = {"type": "base64", "media_type": part.media_type or "application/pdf", "data": part.data}
    title = {} if part.name is None else {"title": part.name}
    return {"type": "document", "source": source, **title, **cache_control(part.cache_ttl)}


def _refuse_audio(part: AudioPart) -> Mapping[str, Any]:
    raise NotSupportedError(f"anthropic: there is no block for sound ({part.media_type or 'audio'}) in a message")


_WRITERS: Mapping[type, Callable[[Any], Mapping[str, Any]]] = {
    RefusalPart: lambda part: {"type": "text", "text": part.text},
    ThinkingPart: _encode_thinking,
    ToolCall: _encode_call,
    ImagePart: _encode_image,
    FilePart: _encode_file,
    AudioPart: _refuse_audio,
}


def decode_part(block: object) -> ContentPart:
    """Read one content block; an unknown kind, and one with a field of a wrong type, stays opaque."""
    if not isinstance(block, dict):
        return OpaquePart({"type": "unknown", "value": block}, DIALECT)
    read = _READERS.get(str(block.get("type")))
    return (None if read is None else read(block)) or OpaquePart(block, DIALECT)


def _decode_text(block: Mapping[str, Any]) -> ContentPart | None:
    if not isinstance(block.get("text"), str):
        return None
    if len(block) == 2:
        return TextPart(block["text"])
    raw = block.get("citations")
    citations: tuple[Citation, ...] = ()
    if isinstance(raw, list):
        citations = tuple(found for found in map(decode_citation, raw) if found is not None)
    return TextPart(block["text"], citations, cache_ttl=cache_ttl(block))


def _decode_thinking(block: Mapping[str, Any]) -> ContentPart | None:
    if not isinstance(block.get("thinking"), str):
        return None
    return ThinkingPart(block["thinking"], block.get("signature") or None)


def _decode_call(block: Mapping[str, Any]) -> ContentPart | None:
    value = block.get("input")
    text = value if isinstance(value, str) else dumps_text({} if value is None else value)
    server = block["type"] == "server_tool_use"
    return ToolCall(block.get("id") or "", block.get("name") or "", text, server=server)


def _decode_image(block: Mapping[str, Any]) -> ContentPart | None:
    source = block.get("source")
    source = source if isinstance(source, dict) else {}
    ttl = cache_ttl(block)
    if source.get("type") == "url":
        return ImagePart(url=source.get("url"), cache_ttl=ttl)
    if source.get("type") == "base64":
        return ImagePart(data=source.get("data"), media_type=source.get("media_type"), cache_ttl=ttl)
    return ImagePart(file_id=source.get("file_id"), cache_ttl=ttl) if source.get("type") == "file" else None


def _decode_file(block: Mapping[str, Any]) -> ContentPart | None:
    source = block.get("source")
    source = source if isinstance(source, dict) else {}
    name, ttl, kind = block.get("title"), cache_ttl(block), source.get("type")
    if kind == "base64":
        return FilePart(source.get("data"), source.get("media_type"), name, cache_ttl=ttl)
    if kind == "text":
        return FilePart(None, None, name, text=source.get("data"), cache_ttl=ttl)
    if kind == "url":
        return FilePart(None, None, name, url=source.get("url"), cache_ttl=ttl)
    return FilePart(None, None, name, file_id=source.get("file_id"), cache_ttl=ttl) if kind == "file" else None


_READERS: Mapping[str, Callable[[Mapping[str, Any]], ContentPart | None]] = {
    "text": _decode_text,
    "thinking": _decode_thinking,
    "redacted_thinking": lambda block: ThinkingPart("", block.get("data"), redacted=True),
    "tool_use": _decode_call,
    "server_tool_use": _decode_call,
    "image": _decode_image,
    "document": _decode_file,
}
