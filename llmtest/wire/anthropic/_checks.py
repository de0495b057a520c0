"""What Anthropic checks in a request before any model sees it, with Anthropic's own complaints."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from llmtest.errors import InvalidRequestError
from llmtest.wire._records import WireFormatError

_OLD_MODEL = re.compile(
    r"(?:anthropic[/.])?claude-(?:instant|v?[1-3](?!\d)|(?:opus|sonnet|haiku)-[1-3](?!\d)|"
    r"(?:opus|sonnet|haiku)-4(?!-(?:[89]|\d\d)(?!\d)))"
)
"""Models before Claude Opus 4.8, the first to take instructions of the system in the middle of a conversation."""


def refuse(message: str) -> WireFormatError:
    """Make Anthropic's refusal of a request."""
    return WireFormatError(InvalidRequestError(message, status=400, code="invalid_request_error"))


def check(body: Mapping[str, Any], *, limit_required: bool) -> list[str] | None:
    """Check the body of a message request.

    Args:
        body: The request, parsed.
        limit_required: Whether `max_tokens` must be there.

    Returns:
        The texts of its messages; None where any of them has more than a role and a text.

    Raises:
        WireFormatError: Anthropic would refuse it.
    """
    model = body.get("model")
    if model is None:
        raise refuse("model: Field required")
    if not isinstance(model, str):
        raise refuse("model: Input should be a valid string")
    if not model:
        raise refuse("model: String should have at least 1 character")
    if limit_required or body.get("max_tokens") is not None:
        _check_limit(body.get("max_tokens"))
    messages = body.get("messages")
    if messages is None:
        raise refuse("messages: Field required")
    if not isinstance(messages, list):
        raise refuse("messages: Input should be a valid list")
    if not messages:
        raise refuse("messages: at least one message is required")
    texts: list[str] = []
    for index, message in enumerate(messages):
        if _is_plain(message):
            texts.append(message["content"])
        else:
            _check_message(message, index, model)
    for name, value in body.items():
        if value is not None and name in _FIELDS:
            _FIELDS[name](name, value)
    return texts if len(texts) == len(messages) else None


def _check_limit(value: Any) -> None:
    if value is None:
        raise refuse("max_tokens: Field required")
    if type(value) is not int:
        raise refuse("max_tokens: Input should be a valid integer")
    if value < 0:  # 0 reads the prompt into the cache and answers nothing.
        raise refuse("max_tokens: must be greater than or equal to 0")


def _is_plain(message: Any) -> bool:
    """Whether a message has nothing but a role and a text, as most have."""
    return (
        type(message) is dict
        and len(message) == 2
        and type(message.get("content")) is str
        and message.get("role") in ("user", "assistant")
    )


def _check_message(message: object, index: int, model: str) -> None:
    at = f"messages.{index}"
    if not isinstance(message, dict):
        raise refuse(f"{at}: Input should be a valid dictionary or object to extract fields from")
    role = message.get("role")
    if role is None:
        raise refuse(f"{at}.role: Field required")
    if role == "system" and (index == 0 or _OLD_MODEL.match(model)):
        raise refuse(
            'messages: Unexpected role "system". The Messages API accepts a top-level `system` parameter, '
            'not "system" as an input message role.'
        )
    if role not in ("user", "assistant", "system"):
        raise refuse(f"{at}.role: Input should be 'user' or 'assistant'")
    content = message.get("content")
    if content is None:
        raise refuse(f"{at}.content: Field required")
    if not isinstance(content, str | list):
        raise refuse(f"{at}.content: Input should be a valid list")
    if isinstance(content, list):
        _check_blocks(f"{at}.content", content)


def _check_blocks(at: str, blocks: Sequence[object]) -> None:
    for position, block in enumerate(blocks):
        if not isinstance(block, dict):
            raise refuse(f"{at}.{position}: Input should be a valid dictionary or object to extract fields from")
        if not isinstance(block.get("type"), str):
            raise refuse(f"{at}.{position}.type: Field required")
        if block["type"] == "tool_use":
            _check_texts(f"{at}.{position}.tool_use", block, ("id", "name"))
        if block["type"] == "tool_result":
            content = block.get("content")
            if isinstance(content, list):
                _check_blocks(f"{at}.{position}.tool_result.content", content)
            elif not isinstance(content, str | None):
                raise refuse(f"{at}.{position}.tool_result.content: Input should be a valid list")


def _check_system(name: str, value: object) -> None:
    if isinstance(value, str):
        return
    if not isinstance(value, list) or not _are_objects(value):
        raise refuse(f"{name}: Input should be a valid list")
    for position, block in enumerate(value):
        if not isinstance(block.get("text"), str):
            problem = "Field required" if block.get("text") is None else "Input should be a valid string"
            raise refuse(f"{name}.{position}.text: {problem}")


def _check_share(name: str, value: object) -> None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise refuse(f"{name}: Input should be a valid number")
    if not 0 <= value <= 1:
        raise refuse(f"{name}: range: 0..1")


def _check_stream(name: str, value: object) -> None:
    if not isinstance(value, bool):
        raise refuse(f"{name}: Input should be a valid boolean")


def _check_stops(name: str, value: object) -> None:
    if not isinstance(value, list) or not all(isinstance(text, str) for text in value):
        raise refuse(f"{name}: Input should be a valid list")


def _check_tools(name: str, value: object) -> None:
    if not isinstance(value, list) or not _are_objects(value):
        raise refuse(f"{name}: Input should be a valid list")
    for position, tool in enumerate(value):
        _check_texts(f"{name}.{position}.custom", tool, ("name", "description"))


def _check_texts(at: str, holder: Mapping[str, object], names: tuple[str, ...]) -> None:
    for name in names:
        if not isinstance(holder.get(name), str | None):
            raise refuse(f"{at}.{name}: Input should be a valid string")


def _check_whole(name: str, value: object) -> None:
    if type(value) is not int:
        raise refuse(f"{name}: Input should be a valid integer")
    if value < 0:
        raise refuse(f"{name}: Input should be greater than or equal to 0")


def _check_text(name: str, value: object) -> None:
    if not isinstance(value, str):
        raise refuse(f"{name}: Input should be a valid string")


def _check_object(name: str, value: object) -> None:
    if not isinstance(value, dict):
        raise refuse(f"{name}: Input should be a valid dictionary or object to extract fields from")


def _are_objects(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(each, dict) for each in value)


_FIELDS: Mapping[str, Callable[[str, object], None]] = {
    "system": _check_system,
    "temperature": _check_share,
    "top_p": _check_share,
    "stream": _check_stream,
    "stop_sequences": _check_stops,
    "tools": _check_tools,
    "tool_choice": _check_object,
    "top_k": _check_whole,
    "metadata": _check_object,
    "thinking": _check_object,
    "service_tier": _check_text,
}
"""What is checked of each field that may be left out."""
