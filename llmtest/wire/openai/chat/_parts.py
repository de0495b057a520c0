"""Chat Completions' content parts and tool calls, between JSON and types."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from typing import Any

from llmtest.errors import NotSupportedError
from llmtest.types import (
    AudioPart,
    ContentPart,
    FilePart,
    ImagePart,
    OpaquePart,
    RefusalPart,
    Role,
    TextPart,
    ThinkingPart,
    ToolCall,
)
from llmtest.wire._foreign import can_say
from llmtest.wire._json import dumps_text
from llmtest.wire.openai._shared_words import parse_data_url

DIALECT = "openai"
_SOUNDS = {"mpeg": "mp3", "x-wav": "wav", "wave": "wav"}
"""Other names of a format of sound."""


def argument_text(arguments: object) -> str:
    """Return a call's arguments as text; some servers send the object itself."""
    return arguments if isinstance(arguments, str) else "" if arguments is None else dumps_text(arguments)


def decode_tool_call(call: object) -> ToolCall | OpaquePart:
    """Read one entry of `tool_calls`; one that is no function call stays opaque."""
    if isinstance(call, dict):
        function = call.get("function")
        if isinstance(function, dict):
            return ToolCall(call.get("id") or "", function.get("name") or "", argument_text(function.get("arguments")))
        return OpaquePart(call, DIALECT)
    return OpaquePart({"type": "unknown", "value": call}, DIALECT)


def is_call(part: ContentPart) -> bool:
    """Whether a part belongs into `tool_calls`; a tool that a provider runs itself has no place here."""
    return (isinstance(part, ToolCall) and not part.server) or (
        isinstance(part, OpaquePart) and part.data.get("type") == "custom"
    )


def encode_tool_call(part: ToolCall | OpaquePart) -> Mapping[str, Any]:
    """Write one entry of `tool_calls`."""
    if isinstance(part, OpaquePart):
        return part.data
    return {"id": part.id, "type": "function", "function": {"name": part.name, "arguments": part.arguments}}


def encode_parts(parts: Sequence[ContentPart], role: Role) -> list[Mapping[str, Any]]:
    """Write the content of a message of a prompt, without thoughts and calls, which have no place in it.

    Raises:
        NotSupportedError: A part cannot be said here.
    """
    return [encode_part(part) for part in parts if _is_said(part, role)]


def _is_said(part: ContentPart, role: Role) -> bool:
    if isinstance(part, ThinkingPart | ToolCall):
        return False
    if isinstance(part, AudioPart) and part.id is not None:
        return False
    return not isinstance(part, OpaquePart) or (can_say(part, DIALECT, role) and not is_call(part))


def encode_part(part: ContentPart) -> Mapping[str, Any]:
    """Write one part of a message's content.

    Raises:
        NotSupportedError: It is a document that only its address tells of.
    """
    if isinstance(part, TextPart):
        return {"type": "text", "text": part.text}
    if isinstance(part, ImagePart):
        image = {"url": image_url(part)} if part.detail is None else {"url": image_url(part), "detail": part.detail}
        return {"type": "image_url", "image_url": image}
    if isinstance(part, FilePart):
        return {"type": "file", "file": _file(part)}
    if isinstance(part, AudioPart):
        kind = (part.media_type or "audio/wav").removeprefix("audio/")
        return {"type": "input_audio", "input_audio": {"data": part.data, "format": _SOUNDS.get(kind, kind)}}
    if isinstance(part, RefusalPart):
        return {"type": "refusal", "refusal": part.text}
    assert isinstance(part, OpaquePart)
    return part.data


def image_url(part: ImagePart) -> str | None:
    """Return where an image is, which may be the image itself.

    Raises:
        NotSupportedError: Only the id of a file tells of it.
    """
    if part.data is not None:
        return f"data:{part.media_type or 'image/png'};base64,{part.data}"
    if part.url is None and part.file_id is not None:
        raise NotSupportedError("openai: an image in Chat Completions is its address or its data, not the id of a file")
    return part.url


def _file(part: FilePart) -> dict[str, Any]:
    name = {} if part.name is None else {"filename": part.name}
    if part.file_id is not None:
        return {"file_id": part.file_id, **name}
    if part.text is not None:
        return {"file_data": "data:text/plain;base64," + base64.b64encode(part.text.encode()).decode(), **name}
    if part.data is None:
        raise NotSupportedError("openai: a file in Chat Completions is its data or its id, not an address")
    return {"file_data": f"data:{part.media_type or 'application/pdf'};base64,{part.data}", **name}


def decode_part(part: object) -> ContentPart:
    """Read one part of a message's content; an unknown kind, and one with a field of a wrong type, stays opaque."""
    if not isinstance(part, dict):
        return OpaquePart({"type": "unknown", "value": part}, DIALECT)
    kind = part.get("type")
    if kind == "text" and isinstance(part.get("text"), str):
        return TextPart(part["text"])
    if kind == "refusal" and isinstance(part.get("refusal"), str):
        return RefusalPart(part["refusal"])
    value = part.get(kind) if isinstance(kind, str) else None
    found = None
    if kind == "image_url":
        found = decode_image(value)
    elif kind == "file":
        found = _decode_file(value)
    elif kind == "input_audio" and isinstance(value, dict) and isinstance(value.get("format"), str):
        found = AudioPart(value.get("data"), f"audio/{value['format']}")
    return found or OpaquePart(part, DIALECT)


def decode_image(image: object) -> ContentPart | None:
    """Read what `image_url` holds; None where it is no image."""
    if not isinstance(image, dict) or not isinstance(image.get("url"), str):
        return None
    inline = parse_data_url(image["url"])
    if inline is not None:
        return ImagePart(data=inline[1], media_type=inline[0], detail=image.get("detail"))
    return ImagePart(url=image["url"], detail=image.get("detail"))


def _decode_file(file: object) -> ContentPart | None:
    if not isinstance(file, dict):
        return None
    if isinstance(file.get("file_id"), str):
        return FilePart(None, None, file.get("filename"), file_id=file["file_id"])
    inline = parse_data_url(file.get("file_data"))
    return None if inline is None else FilePart(inline[1], inline[0], file.get("filename"))
