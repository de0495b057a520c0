"""What Anthropic checks in a request before any model sees it, with Anthropic's own complaints."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from llmtest.errors import InvalidRequestError
from llmtest.wire._codec import WireFormatError


def refuse(message: str) -> WireFormatError:
    """Make Anthropic's refusal of a request."""
    return WireFormatError(InvalidRequestError(message, status=400, code="invalid_request_error"))


def check(body: Mapping[str, Any], *, limit_required: bool) -> None:
    """Check the body of a message request; `max_tokens` must be there if `limit_required`.

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
    limit = body.get("max_tokens")
    if limit is None and limit_required:
        raise refuse("max_tokens: Field required")
    if limit is not None and (isinstance(limit, bool) or not isinstance(limit, int)):
        raise refuse("max_tokens: Input should be a valid integer")
    if limit is not None and limit < 1:
        raise refuse("max_tokens: must be greater than or equal to 1")
    messages = body.get("messages")
    if messages is None:
        raise refuse("messages: Field required")
    if not isinstance(messages, list):
        raise refuse("messages: Input should be a valid list")
    if not messages:
        raise refuse("messages: at least one message is required")
    for index, message in enumerate(messages):
        _check_message(message, index)
    _check_rest(body)


def _check_message(message: object, index: int) -> None:
    at = f"messages.{index}"
    if not isinstance(message, dict):
        raise refuse(f"{at}: Input should be a valid dictionary or object to extract fields from")
    role = message.get("role")
    if role is None:
        raise refuse(f"{at}.role: Field required")
    if role == "system":
        raise refuse(
            'messages: Unexpected role "system". The Messages API accepts a top-level `system` parameter, '
            'not "system" as an input message role.'
        )
    if role not in ("user", "assistant"):
        raise refuse(f"{at}.role: Input should be 'user' or 'assistant'")
    content = message.get("content")
    if content is None:
        raise refuse(f"{at}.content: Field required")
    if not isinstance(content, str | list):
        raise refuse(f"{at}.content: Input should be a valid list")
    for position, block in enumerate(content if isinstance(content, list) else ()):
        if not isinstance(block, dict):
            raise refuse(
                f"{at}.content.{position}: Input should be a valid dictionary or object to extract fields from"
            )
        if not isinstance(block.get("type"), str):
            raise refuse(f"{at}.content.{position}.type: Field required")


def _check_rest(body: Mapping[str, Any]) -> None:
    system = body.get("system")
    blocks = system if isinstance(system, list) else None
    if not (system is None or isinstance(system, str) or (blocks is not None and _all_objects(blocks))):
        raise refuse("system: Input should be a valid list")
    for name in ("temperature", "top_p"):
        value = body.get(name)
        if value is None:
            continue
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise refuse(f"{name}: Input should be a valid number")
        if not 0 <= value <= 1:
            raise refuse(f"{name}: range: 0..1")
    stream = body.get("stream")
    if stream is not None and not isinstance(stream, bool):
        raise refuse("stream: Input should be a valid boolean")
    stops = body.get("stop_sequences")
    if stops is not None and (not isinstance(stops, list) or not all(isinstance(text, str) for text in stops)):
        raise refuse("stop_sequences: Input should be a valid list")
    tools = body.get("tools")
    if tools is not None and (not isinstance(tools, list) or not _all_objects(tools)):
        raise refuse("tools: Input should be a valid list")
    choice = body.get("tool_choice")
    if choice is not None and not isinstance(choice, dict):
        raise refuse("tool_choice: Input should be a valid dictionary or object to extract fields from")


def _all_objects(values: list[Any]) -> bool:
    return all(isinstance(value, dict) for value in values)
