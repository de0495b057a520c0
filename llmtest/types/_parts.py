"""The parts that messages and answers are made of: text, images, thinking, refusals, tool calls."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from llmtest.errors import InvalidResponseError

__all__ = [
    "ContentPart",
    "ImagePart",
    "OpaquePart",
    "RefusalPart",
    "ResponsePart",
    "TextPart",
    "ThinkingPart",
    "ToolCall",
]


@dataclass(frozen=True, slots=True)
class TextPart:
    """Text of a message or an answer."""

    text: str


@dataclass(frozen=True, slots=True)
class ImagePart:
    """An image in a prompt: a `url`, or base64 `data` with its `media_type`."""

    url: str | None = None
    data: str | None = None
    media_type: str | None = None
    detail: str | None = None


@dataclass(frozen=True, slots=True)
class ThinkingPart:
    """What the model thought before it answered.

    `signature` is the provider's proof that the text is its own; a `redacted` part carries only opaque data there.
    """

    text: str
    signature: str | None = None
    redacted: bool = False


@dataclass(frozen=True, slots=True)
class RefusalPart:
    """The model's own refusal to answer, which OpenAI keeps apart from the text."""

    text: str


@dataclass(frozen=True, slots=True)
class OpaquePart:
    """A content block this package does not model, kept verbatim in its dialect's JSON."""

    data: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class ToolCall:
    """One call of a tool that the model asks for.

    Args:
        id: The provider's id of this call; the tool's result refers to it.
        name: Name of the tool.
        arguments: The arguments as JSON text, exactly as the model wrote them, malformed ones included.
    """

    id: str
    name: str
    arguments: str = "{}"

    def parsed_arguments(self) -> dict[str, Any]:
        """Return the arguments as a mapping.

        Raises:
            InvalidResponseError: The model wrote something that is not a JSON object.
        """
        try:
            parsed = json.loads(self.arguments or "{}")
        except ValueError as error:
            raise InvalidResponseError(f"tool `{self.name}`: arguments are not JSON: {error}") from error
        if not isinstance(parsed, dict):
            raise InvalidResponseError(f"tool `{self.name}`: arguments are not a JSON object: {self.arguments[:80]}")
        return parsed


ContentPart = TextPart | ImagePart | ThinkingPart | RefusalPart | OpaquePart


ResponsePart = TextPart | ThinkingPart | RefusalPart | ToolCall | OpaquePart
