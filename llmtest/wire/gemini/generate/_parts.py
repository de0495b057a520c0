"""Gemini's parts, between JSON and types."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from llmtest.errors import NotSupportedError
from llmtest.types import (
    AudioPart,
    ContentPart,
    FilePart,
    ImagePart,
    OpaquePart,
    Role,
    TextPart,
    ThinkingPart,
    ToolCall,
)
from llmtest.wire._foreign import can_say
from llmtest.wire._json import dumps_text

__all__ = ["DIALECT", "OWN_ID", "decode_part", "encode_call", "encode_part", "encode_parts", "result_of", "text_of"]

DIALECT = "gemini"
OWN_ID = "gemini_call_"
"""How ids begin that calls get which came without any; Gemini is not told of them."""
_RESULT, _ERROR = "result", "error"


def encode_parts(parts: Sequence[ContentPart], role: Role) -> Iterable[Mapping[str, Any]]:
    """Write the parts of a message of a prompt.

    Raises:
        NotSupportedError: A part has no word here.
    """
    for part in parts:
        if isinstance(part, OpaquePart) and not can_say(part, DIALECT, role):
            continue
        if isinstance(part, ThinkingPart) and part.signature is None:
            continue  # Somebody else's thoughts, or thoughts that Gemini does not want back.
        yield encode_part(part)


def encode_part(part: ContentPart) -> dict[str, Any]:
    """Write one part.

    Raises:
        NotSupportedError: It has no word here.
    """
    if isinstance(part, ThinkingPart):
        return {"text": part.text, "thought": True, **_signed(part.signature)}
    if isinstance(part, ToolCall):
        return encode_call(part)
    if isinstance(part, OpaquePart):
        return dict(part.data)
    if isinstance(part, ImagePart | AudioPart) or (isinstance(part, FilePart) and part.text is None):
        return _encode_media(part)
    return {"text": part.text}


def _encode_media(part: ImagePart | AudioPart | FilePart) -> dict[str, Any]:
    if isinstance(part, AudioPart):
        return _media(part.data, part.media_type or "audio/wav", None)
    usual = "image/png" if isinstance(part, ImagePart) else "application/pdf"
    return _media(part.data, part.media_type or usual, part.url or part.file_id)


def _media(data: str | None, kind: str, uri: str | None) -> dict[str, Any]:
    if data is not None:
        return {"inlineData": {"mimeType": kind, "data": data}}
    if uri is None:
        raise NotSupportedError("gemini: a part is its data, or where it is")
    return {"fileData": {"mimeType": kind, "fileUri": uri}}


def _signed(signature: str | None) -> dict[str, Any]:
    return {} if signature is None else {"thoughtSignature": signature}


def encode_call(call: ToolCall) -> dict[str, Any]:
    """Write a call of a function; arguments that are no JSON object become none, for Gemini knows only objects."""
    try:
        args = json.loads(call.arguments or "{}")
    except ValueError:
        args = {}
    found: dict[str, Any] = {} if call.id.startswith(OWN_ID) or not call.id else {"id": call.id}
    found.update(name=call.name, args=args if isinstance(args, dict) else {})
    return {"functionCall": found, **_signed(call.signature)}


def decode_part(part: object, place: int = 0) -> ContentPart:
    """Read one part; an unknown kind stays opaque.

    Args:
        part: The part.
        place: Its place in the answer or conversation, from which a call without an id gets one.
    """
    if not isinstance(part, dict):
        return OpaquePart({"type": "unknown", "value": part}, DIALECT)
    signature = part.get("thoughtSignature")
    signature = signature if isinstance(signature, str) else None
    if isinstance(part.get("text"), str):
        # A text with a signature says more than its type can; what is over is kept beside it.
        return ThinkingPart(part["text"], signature) if part.get("thought") is True else TextPart(part["text"])
    return _decode_call(part, signature, place) or _decode_media(part) or OpaquePart(part, DIALECT)


def _decode_call(part: Mapping[str, Any], signature: str | None, place: int) -> ToolCall | None:
    call = part.get("functionCall")
    if not isinstance(call, dict) or not isinstance(call.get("name"), str):
        return None
    identity = call["id"] if isinstance(call.get("id"), str) and call["id"] else f"{OWN_ID}{place}"
    args = call.get("args")
    return ToolCall(identity, call["name"], dumps_text(args if isinstance(args, dict) else {}), signature=signature)


def _decode_media(part: Mapping[str, Any]) -> ContentPart | None:
    held = part.get("inlineData") or part.get("fileData")
    if not isinstance(held, dict) or not isinstance(held.get("mimeType"), str):
        return None
    kind, data, uri = held["mimeType"], held.get("data"), held.get("fileUri")
    if not isinstance(data if "inlineData" in part else uri, str):
        return None
    if kind.startswith("image/"):
        return ImagePart(uri, data, kind)
    if kind.startswith("audio/") and data is not None:
        return AudioPart(data, kind)
    return FilePart(data, kind, url=uri)


def result_of(text: str, *, is_error: bool) -> dict[str, Any]:
    """Write what a function returned, which is an object for Gemini."""
    if is_error:
        return {_ERROR: text}
    try:
        found = json.loads(text)
    except ValueError:
        found = None
    # An object that has only the name of our own wrapping would be unwrapped when it is read.
    is_own = isinstance(found, dict) and not (found.keys() == {_RESULT} or found.keys() == {_ERROR})
    return found if is_own and dumps_text(found) == text else {_RESULT: text}


def text_of(response: object) -> tuple[str, bool]:
    """Read what a function returned: the text, and whether it failed."""
    if isinstance(response, dict) and len(response) == 1:
        for name in (_RESULT, _ERROR):
            if isinstance(response.get(name), str):
                return response[name], name == _ERROR
    return dumps_text(response), False
