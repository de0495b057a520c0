"""What OpenAI checks in a request for a response, with OpenAI's own complaints."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from llmtest.wire.openai._checks import (
    check_count,
    check_decimal,
    check_kind,
    refuse,
    wrong_type,
)
from llmtest.wire.openai._strict_schema import check_schema

__all__ = ["check", "check_calls", "check_strictly"]

LEAST_TOKENS = 16
_KNOWN = frozenset(
    {"access_programs", "background", "background_options", "context_management", "conversation", "image", "include"}
    | {"input", "instructions", "max_output_tokens", "max_tool_calls", "metadata", "model", "moderation"}
    | {"parallel_tool_calls", "previous_response_id", "prompt", "prompt_cache_key", "prompt_cache_options"}
    | {"prompt_cache_retention", "reasoning", "safety_identifier", "service_tier", "store", "stream", "stream_options"}
    | {"temperature", "text", "tool_choice", "tools", "top_logprobs", "top_p", "truncation", "user"}
)
_ROLES = frozenset({"user", "assistant", "system", "developer"})
_STARTS = ("input", "previous_response_id", "prompt", "conversation")


def check(body: Mapping[str, Any]) -> None:
    """Check the types of a request's fields.

    Raises:
        WireFormatError: OpenAI would refuse it.
    """
    model = body.get("model")
    if model is None and not body.get("prompt"):
        raise refuse("Missing required parameter: 'model'.", "model", "missing_required_parameter")
    if model is not None and not isinstance(model, str):
        raise wrong_type("model", "a string", model)
    value = body.get("input")
    if all(body.get(name) is None for name in _STARTS):
        raise refuse(
            "One of \"input\" or \"previous_response_id\" or 'prompt' or 'conversation_id' must be provided.",
            "input",
            "missing_required_parameter",
        )
    if value is not None and not isinstance(value, str | list):
        raise wrong_type("input", "one of a string or array of objects", value)
    for index, item in enumerate(value if isinstance(value, list) else ()):
        _check_item(item, index)
    for name, field in body.items():
        if field is not None and name in _FIELDS:
            _FIELDS[name](name, field)


def check_strictly(body: Mapping[str, Any]) -> None:
    """Check what only OpenAI itself refuses.

    Raises:
        WireFormatError: OpenAI would refuse it.
    """
    unknown = sorted(body.keys() - _KNOWN)
    if unknown:
        raise refuse(f"Unknown parameter: '{unknown[0]}'.", unknown[0], "unknown_parameter")
    most = body.get("max_output_tokens")
    if most is not None and most < LEAST_TOKENS:
        raise refuse(
            f"Invalid 'max_output_tokens': integer below minimum value. Expected a value >= {LEAST_TOKENS}, but got "
            f"{most} instead.",
            "max_output_tokens",
            "integer_below_min_value",
        )
    if body.get("previous_response_id") is not None and body.get("conversation") is not None:
        raise refuse(
            "Mutually exclusive parameters: 'previous_response_id' and 'conversation'. Ensure you are only providing "
            "one of: 'previous_response_id' or 'conversation'.",
            None,
            "mutually_exclusive_parameters",
        )
    for index, tool in enumerate(body.get("tools") or ()):
        if isinstance(tool, dict) and tool.get("type") == "function" and tool.get("strict") is True:
            of, param = f"function '{tool.get('name')}'", f"tools[{index}].parameters"
            check_schema(tool.get("parameters"), of, param, "invalid_function_parameters")
    form = (body.get("text") or {}).get("format")
    if isinstance(form, dict) and form.get("type") == "json_schema" and form.get("strict") is True:
        of = f"response_format '{form.get('name')}'"
        check_schema(form.get("schema"), of, "text.format.schema", "invalid_json_schema")
    for index, item in enumerate(body["input"] if isinstance(body.get("input"), list) else ()):
        identity = item.get("id") if _is(item, "function_call") else None
        if isinstance(identity, str) and not identity.startswith("fc"):
            param = f"input[{index}].id"
            message = f"Invalid '{param}': '{identity}'. Expected an ID that begins with 'fc'."
            raise refuse(message, param, "invalid_value")


def check_calls(items: Sequence[Any]) -> None:
    """Check that every call of a function has its output, and every output its call.

    Raises:
        WireFormatError: One of them is missing.
    """
    called = [item.get("call_id") for item in items if _is(item, "function_call")]
    answered = [item.get("call_id") for item in items if _is(item, "function_call_output")]
    for call_id in answered:
        if call_id not in called:
            raise refuse(f"No tool call found for function call output with call_id {call_id}.", "input")
    for call_id in called:
        if call_id not in answered:
            raise refuse(f"No tool output found for function call {call_id}.", "input")


def _is(item: object, kind: str) -> bool:
    return isinstance(item, dict) and item.get("type") == kind


def _check_item(item: object, index: int) -> None:
    at = f"input[{index}]"
    if not isinstance(item, dict):
        raise wrong_type(at, "an object", item)
    kind = item.get("type")
    if kind is not None and not isinstance(kind, str):
        raise wrong_type(f"{at}.type", "a string", kind)
    if kind == "function_call":
        for name in ("call_id", "name", "arguments"):
            _check_text(item, name, at)
    elif kind == "function_call_output":
        _check_text(item, "call_id", at)
        output = item.get("output")
        if not isinstance(output, str | list):
            raise wrong_type(f"{at}.output", "one of a string or array of objects", output)
    elif kind in (None, "message"):
        _check_message(item, at)


def _check_message(item: Mapping[str, Any], at: str) -> None:
    _check_text(item, "role", at)
    if item["role"] not in _ROLES:
        supported = "'assistant', 'system', 'developer', and 'user'"
        raise refuse(
            f"Invalid value: '{item['role']}'. Supported values are: {supported}.", f"{at}.role", "invalid_value"
        )
    content = item.get("content")
    if content is None:
        raise refuse(f"Missing required parameter: '{at}.content'.", f"{at}.content", "missing_required_parameter")
    if not isinstance(content, str | list):
        raise wrong_type(f"{at}.content", "one of a string or array of objects", content)
    for position, part in enumerate(content if isinstance(content, list) else ()):
        if not isinstance(part, dict):
            raise wrong_type(f"{at}.content[{position}]", "an object", part)


def _check_tools(name: str, value: object) -> None:
    if not isinstance(value, list):
        raise wrong_type(name, "an array of objects", value)
    for index, tool in enumerate(value):
        at = f"{name}[{index}]"
        if not isinstance(tool, dict):
            raise wrong_type(at, "an object", tool)
        _check_text(tool, "type", at)
        if tool["type"] != "function":
            continue
        _check_text(tool, "name", at)
        description = tool.get("description")
        if description is not None and not isinstance(description, str):
            raise wrong_type(f"{at}.description", "a string", description)


def _check_text(holder: Mapping[str, Any], name: str, at: str) -> None:
    value = holder.get(name)
    if value is None:
        raise refuse(f"Missing required parameter: '{at}.{name}'.", f"{at}.{name}", "missing_required_parameter")
    if not isinstance(value, str):
        raise wrong_type(f"{at}.{name}", "a string", value)


_TEXT = partial(check_kind, kind=str, expected="a string")
_BOOLEAN = partial(check_kind, kind=bool, expected="a boolean")
_OBJECT = partial(check_kind, kind=dict, expected="an object")

_FIELDS: Mapping[str, Callable[[str, object], None]] = {
    "instructions": _TEXT,
    "temperature": partial(check_decimal, least=0, most=2),
    "top_p": partial(check_decimal, least=0, most=1),
    "max_output_tokens": check_count,
    "max_tool_calls": check_count,
    "top_logprobs": partial(check_count, least=0, most=20),
    "stream": _BOOLEAN,
    "store": _BOOLEAN,
    "background": _BOOLEAN,
    "parallel_tool_calls": _BOOLEAN,
    "tools": _check_tools,
    "include": partial(check_kind, kind=list, expected="an array of strings"),
    "tool_choice": partial(check_kind, kind=(str, dict), expected="one of a string or object"),
    "conversation": partial(check_kind, kind=(str, dict), expected="one of a string or object"),
    "text": _OBJECT,
    "reasoning": _OBJECT,
    "stream_options": _OBJECT,
    "metadata": _OBJECT,
    "previous_response_id": _TEXT,
    "service_tier": _TEXT,
    "truncation": _TEXT,
    "user": _TEXT,
}
"""What is checked of each field that may be left out."""
