"""What Ollama's messages are made of, between JSON and types: text, thoughts, images, tool calls, tools."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from llmtest.errors import NotSupportedError
from llmtest.types import (
    ContentPart,
    ImagePart,
    OpaquePart,
    RefusalPart,
    Role,
    TextPart,
    ThinkingPart,
    ToolCall,
    ToolDefinition,
)
from llmtest.wire._foreign import can_say
from llmtest.wire._json import dumps_text, loads

__all__ = [
    "DIALECT",
    "OWN_ID",
    "decode_call",
    "decode_image",
    "decode_tools",
    "encode_call",
    "encode_tool",
    "said",
]

DIALECT = "ollama"
OWN_ID = "ollama_call_"
"""How ids begin that calls get which came without any, as older servers send them; Ollama is not told of them."""
_KINDS = {"iVBOR": "image/png", "/9j/": "image/jpeg", "R0lGOD": "image/gif", "UklGR": "image/webp"}
"""How pictures of each kind begin in base64: Ollama's have no type beside them."""


def decode_image(data: str) -> ImagePart:
    """Read a picture, whose type its first bytes tell."""
    kind = next((kind for start, kind in _KINDS.items() if data.startswith(start)), None)
    return ImagePart(data=data, media_type=kind)


def said(parts: Sequence[ContentPart], role: Role) -> dict[str, Any]:
    """Write the parts of a message: one text, the thoughts, and the pictures.

    Raises:
        NotSupportedError: A part has no word here.
    """
    texts: list[str] = []
    thoughts: list[str] = []
    images: list[str] = []
    for part in parts:
        if isinstance(part, TextPart | RefusalPart):
            texts.append(part.text)
        elif isinstance(part, ThinkingPart):
            thoughts.append(part.text)
        elif isinstance(part, ImagePart) and part.data is not None:
            images.append(part.data)
        elif not isinstance(part, ToolCall) and not (isinstance(part, OpaquePart) and not can_say(part, DIALECT, role)):
            raise NotSupportedError(f"{DIALECT}: no word for {_named(part)}; a message is text and images in base64")
    found: dict[str, Any] = {"content": "".join(texts)}
    if any(thoughts):
        found["thinking"] = "".join(thoughts)
    if images:
        found["images"] = images
    return found


def _named(part: ContentPart) -> str:
    if isinstance(part, ImagePart):
        return "an image at a URL"
    return f"a part `{type(part).__name__}`"


def encode_call(call: ToolCall, place: int) -> dict[str, Any]:
    """Write a call of a tool; arguments that are no JSON object become none, for Ollama knows only objects."""
    try:
        arguments = loads(call.arguments or "{}")
    except ValueError:
        arguments = {}
    found: dict[str, Any] = {} if call.id.startswith(OWN_ID) or not call.id else {"id": call.id}
    given = arguments if isinstance(arguments, dict) else {}
    return {**found, "function": {"index": place, "name": call.name, "arguments": given}}


def decode_call(raw: Mapping[str, Any], number: int) -> ToolCall:
    """Read a call of a tool.

    Args:
        raw: The call.
        number: Its place in the answer or conversation, from which a call without an id gets one.
    """
    function = raw.get("function")
    function = function if isinstance(function, dict) else {}
    identity = raw.get("id")
    arguments = function.get("arguments")
    return ToolCall(
        identity if isinstance(identity, str) and identity else f"{OWN_ID}{number}",
        str(function.get("name") or ""),
        arguments if isinstance(arguments, str) else dumps_text({} if arguments is None else arguments),
    )


def encode_tool(tool: ToolDefinition) -> dict[str, Any]:
    """Write a tool."""
    function: dict[str, Any] = {"name": tool.name}
    if tool.description is not None:
        function["description"] = tool.description
    return {"type": "function", "function": {**function, "parameters": tool.parameters, **tool.extra_for(DIALECT)}}


def decode_tools(raw: object) -> tuple[ToolDefinition, ...]:
    """Read the tools of a request."""
    found = [each.get("function") for each in raw if isinstance(each, dict)] if isinstance(raw, list) else []
    return tuple(_decode_tools(each for each in found if isinstance(each, dict)))


def _decode_tools(functions: Iterable[Mapping[str, Any]]) -> Iterable[ToolDefinition]:
    for function in functions:
        extra = {name: value for name, value in function.items() if name not in ("name", "description", "parameters")}
        schema, description = function.get("parameters"), function.get("description")
        yield ToolDefinition(
            str(function.get("name") or ""),
            description if isinstance(description, str) else None,
            schema if isinstance(schema, dict) else {"type": "object", "properties": {}},
            {DIALECT: extra} if extra else {},
        )
