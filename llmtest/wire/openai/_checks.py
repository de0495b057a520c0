"""What OpenAI checks in a request before any model sees it, with OpenAI's own complaints."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from llmtest.errors import InvalidRequestError
from llmtest.wire._records import WireFormatError

ROLES = frozenset({"system", "user", "assistant", "tool"})
MOST_CHOICES = 128
MOST_INPUTS = 2048
MOST_TOKENS = 300_000
MOST_DIMENSIONS = {"text-embedding-3-large": 3072, "text-embedding-3-small": 1536}
MOST_VALUES = MOST_INPUTS * 3072
MOST_DIMENSIONS_OF_OTHERS = 16_384
"""A size that no model of today has; vectors of any size would let one request take all memory."""
RENAMED_ROLES = {"developer": "system", "function": "tool"}
"""Roles that are another name, newer or older, of one of ours."""


def refuse(message: str, param: str | None = None, code: str | None = None) -> WireFormatError:
    """Make OpenAI's refusal of a request."""
    error = InvalidRequestError(message, status=400, code=code or "invalid_request_error")
    error.param = param
    return WireFormatError(error)


def _kind(value: object) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "a boolean"
    names = ((str, "a string"), (int, "an integer"), (float, "a decimal"), (list, "an array"), (dict, "an object"))
    return next(name for kind, name in names if isinstance(value, kind))


def wrong_type(param: str, expected: str, value: object) -> WireFormatError:
    """Make OpenAI's refusal of a field of a wrong type."""
    return refuse(
        f"Invalid type for '{param}': expected {expected}, but got {_kind(value)} instead.", param, "invalid_type"
    )


def check(body: Mapping[str, Any]) -> list[str] | None:
    """Check the body of a chat completion request.

    Returns:
        The texts of its messages; None where any of them has more than a usual role and a text.

    Raises:
        WireFormatError: OpenAI would refuse it.
    """
    model = body.get("model")
    if model is None or model == "":
        raise refuse("you must provide a model parameter")
    if not isinstance(model, str):
        raise wrong_type("model", "a string", model)
    messages = body.get("messages")
    if messages is None:
        raise refuse("Missing required parameter: 'messages'.", "messages", "missing_required_parameter")
    if not isinstance(messages, list):
        raise wrong_type("messages", "an array of objects", messages)
    if not messages:
        raise refuse(
            "Invalid 'messages': empty array. Expected an array with minimum length 1, but got an empty array instead.",
            "messages",
            "empty_array",
        )
    texts: list[str] = []
    for index, message in enumerate(messages):
        if _is_plain(message):
            texts.append(message["content"])
        else:
            _check_message(message, index)
    if len(body) == 2:
        return texts if len(texts) == len(messages) else None  # model and messages, and nothing else to look at
    for name, value in body.items():
        if value is not None and name in _FIELDS:
            _FIELDS[name](name, value)
    if body.get("stream_options") is not None and body.get("stream") is not True:
        raise refuse("The 'stream_options' parameter is only allowed when 'stream' is enabled.", "stream_options")
    return texts if len(texts) == len(messages) else None


def check_embedding(body: Mapping[str, Any]) -> None:
    """Check the body of an embedding request.

    Raises:
        WireFormatError: OpenAI would refuse it.
    """
    model = body.get("model")
    if not isinstance(model, str) or not model:
        raise refuse("you must provide a model parameter")
    value = body.get("input")
    if value is None:
        raise refuse("Missing required parameter: 'input'.", "input", "missing_required_parameter")
    if not isinstance(value, str) and not _are_inputs(value):
        raise refuse(
            "'$.input' is invalid. Please check the API reference: https://platform.openai.com/docs/api-reference."
        )
    encoding = body.get("encoding_format")
    if encoding not in (None, "float", "base64"):
        raise refuse(
            f"Invalid value: '{encoding}'. Supported values are: 'float' and 'base64'.",
            "encoding_format",
            "invalid_value",
        )
    size = body.get("dimensions")
    if size is None:
        return
    check_count("dimensions", size)
    most = MOST_DIMENSIONS.get(model, MOST_DIMENSIONS_OF_OTHERS)
    if isinstance(value, list) and isinstance(value[0], str | list):
        most = min(most, MOST_VALUES // len(value))
    if size > most:
        raise refuse(f"Invalid value for 'dimensions' = {size}. Must be less than or equal to {most}.", "dimensions")


def _are_inputs(value: object) -> bool:
    """Whether a list holds texts, tokens, or lists of tokens, and not too many."""
    if not isinstance(value, list) or not value:
        return False
    if all(type(token) is int for token in value):
        return len(value) <= MOST_TOKENS
    return len(value) <= MOST_INPUTS and all(
        isinstance(item, str) or (isinstance(item, list) and item and all(type(token) is int for token in item))
        for item in value
    )


def _is_plain(message: Any) -> bool:
    """Whether a message has nothing but a usual role and a text, as most have."""
    return (
        type(message) is dict
        and len(message) == 2
        and type(message.get("content")) is str
        and message.get("role") in ("system", "user", "assistant")
    )


def _check_message(message: object, index: int) -> None:
    at = f"messages[{index}]"
    if not isinstance(message, dict):
        raise wrong_type(at, "an object", message)
    role = message.get("role")
    if role is None:
        raise refuse(f"Missing required parameter: '{at}.role'.", f"{at}.role", "missing_required_parameter")
    if not isinstance(role, str):
        raise wrong_type(f"{at}.role", "a string", role)
    if role not in ROLES and role not in RENAMED_ROLES:
        supported = "'system', 'assistant', 'user', 'function', 'tool', and 'developer'"
        raise refuse(f"Invalid value: '{role}'. Supported values are: {supported}.", f"{at}.role", "invalid_value")
    content = message.get("content")
    if content is None and role not in ("assistant", "function"):
        raise refuse(f"Missing required parameter: '{at}.content'.", f"{at}.content", "missing_required_parameter")
    if content is not None and not isinstance(content, str | list):
        raise refuse(
            f"Invalid type for '{at}.content': expected one of a string or array of objects, "
            f"but got {_kind(content)} instead.",
            f"{at}.content",
            "invalid_type",
        )
    for position, part in enumerate(content if isinstance(content, list) else ()):
        if not isinstance(part, dict):
            raise wrong_type(f"{at}.content[{position}]", "an object", part)
    _check_calls(f"{at}.tool_calls", message.get("tool_calls"))
    if role == "tool" and not isinstance(message.get("tool_call_id"), str):
        raise refuse(
            f"Missing required parameter: '{at}.tool_call_id'.", f"{at}.tool_call_id", "missing_required_parameter"
        )


def _check_calls(at: str, calls: object) -> None:
    if calls is None:
        return
    if not isinstance(calls, list):
        raise wrong_type(at, "an array of objects", calls)
    for position, call in enumerate(calls):
        if isinstance(call, dict):
            _check_texts(f"{at}[{position}].function", call.get("function"), ("name",))


def check_decimal(name: str, value: object, least: int, most: int) -> None:
    """Check that a field is a number between two others."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise wrong_type(name, "a decimal", value)
    if value < least:
        raise refuse(
            f"Invalid '{name}': decimal below minimum value. Expected a value >= {least}, but got {value} instead.",
            name,
            "decimal_below_min_value",
        )
    if value > most:
        raise refuse(
            f"Invalid '{name}': decimal above maximum value. Expected a value <= {most}, but got {value} instead.",
            name,
            "decimal_above_max_value",
        )


def _check_whole(name: str, value: object) -> None:
    if type(value) is not int:
        raise wrong_type(name, "an integer", value)


def check_count(name: str, value: Any, least: int = 1, most: int | None = None) -> None:
    """Check that a field is a whole number, not too small and not too large."""
    _check_whole(name, value)
    if value < least:
        raise refuse(
            f"Invalid '{name}': integer below minimum value. Expected a value >= {least}, but got {value} instead.",
            name,
            "integer_below_min_value",
        )
    if most is not None and value > most:
        raise refuse(
            f"Invalid '{name}': integer above maximum value. Expected a value <= {most}, but got {value} instead.",
            name,
            "integer_above_max_value",
        )


def _check_stop(name: str, value: object) -> None:
    if not isinstance(value, str) and not (isinstance(value, list) and all(isinstance(text, str) for text in value)):
        raise wrong_type(name, "one of a string or array of strings", value)


def check_kind(name: str, value: object, kind: type | tuple[type, ...], expected: str) -> None:
    """Check the type of a field."""
    if not isinstance(value, kind):
        raise wrong_type(name, expected, value)


def _check_tools(name: str, value: object) -> None:
    if not isinstance(value, list):
        raise wrong_type(name, "an array of objects", value)
    for index, tool in enumerate(value):
        if not isinstance(tool, dict):
            raise wrong_type(f"{name}[{index}]", "an object", tool)
        _check_texts(f"{name}[{index}].function", tool.get("function"), ("name", "description"))


def _check_texts(at: str, holder: object, names: tuple[str, ...]) -> None:
    if not isinstance(holder, dict):
        return
    for name in names:
        value = holder.get(name)
        if value is not None and not isinstance(value, str):
            raise wrong_type(f"{at}.{name}", "a string", value)


_TEXT = partial(check_kind, kind=str, expected="a string")
_BOOLEAN = partial(check_kind, kind=bool, expected="a boolean")
_OBJECT = partial(check_kind, kind=dict, expected="an object")
_PENALTY = partial(check_decimal, least=-2, most=2)

_FIELDS: Mapping[str, Callable[[str, object], None]] = {
    "temperature": partial(check_decimal, least=0, most=2),
    "top_p": partial(check_decimal, least=0, most=1),
    "frequency_penalty": _PENALTY,
    "presence_penalty": _PENALTY,
    "max_tokens": check_count,
    "max_completion_tokens": check_count,
    "n": partial(check_count, most=MOST_CHOICES),
    "stop": _check_stop,
    "stream": _BOOLEAN,
    "seed": _check_whole,
    "tools": _check_tools,
    "tool_choice": partial(check_kind, kind=(str, dict), expected="one of a string or object"),
    "parallel_tool_calls": _BOOLEAN,
    "functions": partial(check_kind, kind=list, expected="an array of objects"),
    "function_call": partial(check_kind, kind=(str, dict), expected="one of a string or object"),
    "response_format": _OBJECT,
    "stream_options": _OBJECT,
    "logprobs": _BOOLEAN,
    "top_logprobs": partial(check_count, least=0, most=20),
    "logit_bias": _OBJECT,
    "metadata": _OBJECT,
    "modalities": partial(check_kind, kind=list, expected="an array of strings"),
    "reasoning_effort": _TEXT,
    "service_tier": _TEXT,
    "store": _BOOLEAN,
    "user": _TEXT,
}
"""What is checked of each field that may be left out."""
