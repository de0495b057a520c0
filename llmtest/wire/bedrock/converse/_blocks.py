"""Blocks of content, between JSON and parts.

https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_ContentBlock.html
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from llmtest.errors import NotSupportedError
from llmtest.types import (
    CacheTtl,
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

__all__ = ["NAME", "cache_point", "decode_blocks", "encode_blocks", "encode_call"]

NAME = "bedrock"
_IMAGES = {"png": "image/png", "jpeg": "image/jpeg", "gif": "image/gif", "webp": "image/webp"}
_OFFICE = "application/vnd.openxmlformats-officedocument"
_FILES = {
    "pdf": "application/pdf",
    "csv": "text/csv",
    "doc": "application/msword",
    "docx": f"{_OFFICE}.wordprocessingml.document",
    "xls": "application/vnd.ms-excel",
    "xlsx": f"{_OFFICE}.spreadsheetml.sheet",
    "html": "text/html",
    "txt": "text/plain",
    "md": "text/markdown",
}
_MARKS = (TextPart, ImagePart, FilePart)
"""Parts behind which a cache may be told to end."""


def cache_point(ttl: CacheTtl) -> dict[str, Any]:
    """Write the mark that ends what is to be cached."""
    return {"cachePoint": {"type": "default", **({"ttl": ttl} if ttl == "1h" else {})}}


def encode_blocks(parts: Iterable[ContentPart]) -> list[dict[str, Any]]:
    """Write the content of a message.

    Raises:
        NotSupportedError: A part has no word here.
    """
    found: list[dict[str, Any]] = []
    for part in parts:
        block = _encode_block(part)
        if block is not None:
            found.append(block)
        ttl = getattr(part, "cache_ttl", None)
        if ttl is not None:
            found.append(cache_point(ttl))
    return found


def _encode_block(part: ContentPart) -> dict[str, Any] | None:
    match part:
        case TextPart() | RefusalPart():
            return {"text": part.text}
        case ThinkingPart():
            return {"reasoningContent": _encode_thought(part)}
        case ToolCall():
            return encode_call(part)
        case ImagePart():
            return {"image": _encode_image(part)}
        case FilePart():
            return {"document": _encode_file(part)}
        case OpaquePart():
            return dict(part.data) if part.dialect in {None, NAME} else None
    raise NotSupportedError(f"{NAME}: a conversation here has no {type(part).__name__}")


def _encode_thought(part: ThinkingPart) -> dict[str, Any]:
    if part.redacted:
        return {"redactedContent": part.signature or ""}
    signature = {} if part.signature is None else {"signature": part.signature}
    return {"reasoningText": {"text": part.text, **signature}}


def encode_call(call: ToolCall) -> dict[str, Any]:
    """Write a call of a tool; arguments that are no object stay a text, as no real model sends them."""
    try:
        given = loads(call.arguments or "{}")
    except ValueError:
        given = call.arguments
    arguments = given if isinstance(given, dict) else call.arguments
    server = {"type": "server_tool_use"} if call.server else {}
    return {"toolUse": {"toolUseId": call.id, "name": call.name, "input": arguments, **server}}


def _encode_image(part: ImagePart) -> dict[str, Any]:
    word = next((word for word, kind in _IMAGES.items() if kind == (part.media_type or "image/png")), None)
    if part.data is None or word is None:
        raise NotSupportedError(f"{NAME}: an image is sent as data, and is a png, jpeg, gif or webp; got {part!r:.60}")
    return {"format": word, "source": {"bytes": part.data}}


def _encode_file(part: FilePart) -> dict[str, Any]:
    word = next((word for word, kind in _FILES.items() if kind == part.media_type), None)
    if part.text is not None:
        return {"format": word or "txt", "name": part.name or "document", "source": {"text": part.text}}
    if part.data is None:
        raise NotSupportedError(f"{NAME}: a document is sent as data or text, not by its address")
    return {"format": word or "pdf", "name": part.name or "document", "source": {"bytes": part.data}}


def decode_blocks(blocks: Sequence[Any]) -> tuple[ContentPart, ...]:
    """Read the content of a message; a mark that ends a cache belongs to the part before it."""
    found: list[ContentPart] = []
    for block in blocks:
        point = block.get("cachePoint") if isinstance(block, dict) else None
        if isinstance(point, dict) and found and isinstance(found[-1], _MARKS):
            found[-1] = _marked(found[-1], "1h" if point.get("ttl") == "1h" else "5m")
            continue
        found.append(_decode_block(block if isinstance(block, dict) else {}))
    return tuple(found)


def _marked(part: TextPart | ImagePart | FilePart, ttl: CacheTtl) -> ContentPart:
    if isinstance(part, TextPart):
        return TextPart(part.text, cache_ttl=ttl)
    if isinstance(part, ImagePart):
        return ImagePart(data=part.data, media_type=part.media_type, cache_ttl=ttl)
    return FilePart(part.data, part.media_type, part.name, text=part.text, cache_ttl=ttl)


def _decode_block(block: Mapping[str, Any]) -> ContentPart:
    if isinstance(block.get("text"), str):
        return TextPart(block["text"])
    thought = block.get("reasoningContent")
    if isinstance(thought, dict):
        text = thought.get("reasoningText")
        if isinstance(text, dict):
            return ThinkingPart(str(text.get("text") or ""), signature=text.get("signature"))
        return ThinkingPart("", signature=thought.get("redactedContent"), redacted=True)
    call = block.get("toolUse")
    if isinstance(call, dict):
        given = call.get("input")
        arguments = given if isinstance(given, str) else dumps_text({} if given is None else given)
        is_server = call.get("type") == "server_tool_use"
        return ToolCall(str(call.get("toolUseId")), str(call.get("name")), arguments, server=is_server)
    return _decode_media(block) or OpaquePart(dict(block), NAME)


def _decode_media(block: Mapping[str, Any]) -> ContentPart | None:
    image, document = block.get("image"), block.get("document")
    if isinstance(image, dict):
        data = _source(image, {"format", "source"}).get("bytes")
        kind = _IMAGES.get(str(image.get("format")))
        return ImagePart(data=data, media_type=kind) if isinstance(data, str) and kind else None
    if isinstance(document, dict):
        source = _source(document, {"format", "name", "source"})
        kind = _FILES.get(str(document.get("format")))
        if isinstance(source.get("text"), str):
            return FilePart(media_type=kind, name=document.get("name"), text=source["text"])
        if isinstance(source.get("bytes"), str):
            return FilePart(source["bytes"], kind, document.get("name"))
    return None


def _source(media: Mapping[str, Any], known: set[str]) -> Mapping[str, Any]:
    """Return where a medium comes from; nothing where it says more than a part can."""
    source = media.get("source")
    return source if isinstance(source, dict) and media.keys() <= known else {}
