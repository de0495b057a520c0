"""What Ollama checks in a request before any model sees it, with its own complaints.

The texts are those of its server (`server/routes.go`, `api/types.go`) and of Go's JSON decoder.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from llmtest.errors import InvalidRequestError, ModelNotFoundError
from llmtest.wire._json import dumps_text, loads
from llmtest.wire._records import WireFormatError

__all__ = ["asked", "check_chat", "check_prompt", "named", "no_model", "refuse"]

_INTEGERS = frozenset(
    {"num_keep", "seed", "num_predict", "top_k", "repeat_last_n", "num_ctx", "num_batch", "num_gpu", "main_gpu"}
    | {"num_thread", "draft_num_predict"}
)
_FLOATS = frozenset(
    {"top_p", "min_p", "typical_p", "temperature", "repeat_penalty", "presence_penalty", "frequency_penalty"}
)
_ROLES = ("system", "user", "assistant", "tool")
MOST_LOGPROBS = 20


def refuse(message: str, status: int = 400) -> WireFormatError:
    """Make Ollama's refusal of a request."""
    return WireFormatError(InvalidRequestError(message, status=status))


def no_model(name: str) -> WireFormatError:
    """Make the refusal of a model that is not there."""
    return WireFormatError(ModelNotFoundError(f"model '{name}' not found", status=404, model=name))


def asked(body: bytes) -> dict[str, Any]:
    """Read the body of a request.

    Raises:
        WireFormatError: It is no JSON object.
    """
    if not body.strip():
        raise refuse("missing request body")
    try:
        parsed = loads(body)
    except ValueError as error:
        start = body.decode(errors="replace").lstrip()[:1]
        raise refuse(f"invalid character '{start}' looking for beginning of object key string") from error
    if not isinstance(parsed, dict):
        raise refuse(_unfit(parsed, "", "object"))
    return parsed


def named(body: Mapping[str, Any]) -> str:
    """Return the model that a body names.

    Raises:
        WireFormatError: It names none.
    """
    model = body.get("model") or body.get("name")
    if not model:
        raise refuse("model is required")
    if not isinstance(model, str):
        raise refuse(_unfit(model, "model", "string"))
    return model


def check_chat(body: Mapping[str, Any]) -> None:
    """Check the body of `/api/chat`.

    Raises:
        WireFormatError: Ollama would refuse it.
    """
    messages = body.get("messages") or []
    if not isinstance(messages, list):
        raise refuse(_unfit(messages, "messages", "[]api.Message"))
    for message in messages:
        if not isinstance(message, dict):
            raise refuse(_unfit(message, "messages", "api.Message"))
        _check_message(message)
    tools = body.get("tools") or []
    if not isinstance(tools, list) or not all(isinstance(tool, dict) for tool in tools):
        raise refuse(_unfit(tools, "tools", "api.Tools"))
    _check_shared(body)


def _check_message(message: Mapping[str, Any]) -> None:
    for name in ("role", "content", "thinking", "tool_name", "tool_call_id"):
        if message.get(name) is not None and not isinstance(message[name], str):
            raise refuse(_unfit(message[name], f"messages.{name}", "string"))
    if message.get("role") not in _ROLES:
        raise refuse(f'invalid role "{message.get("role") or ""}", expected one of {list(_ROLES)}')
    _check_images(message.get("images"), "messages.images")
    calls = message.get("tool_calls") or []
    if not isinstance(calls, list) or not all(isinstance(call, dict) for call in calls):
        raise refuse(_unfit(calls, "messages.tool_calls", "[]api.ToolCall"))
    for call in calls:
        function = call.get("function")
        if not isinstance(function, dict) or not isinstance(function.get("arguments") or {}, dict):
            raise refuse(_unfit(function, "messages.tool_calls.function", "api.ToolCallFunction"))


def check_prompt(body: Mapping[str, Any]) -> None:
    """Check the body of `/api/generate`.

    Raises:
        WireFormatError: Ollama would refuse it.
    """
    for name in ("prompt", "suffix", "system", "template"):
        if body.get(name) is not None and not isinstance(body[name], str):
            raise refuse(_unfit(body[name], name, "string"))
    _check_images(body.get("images"), "images")
    if body.get("raw") and (body.get("template") or body.get("system") or body.get("context")):
        raise refuse("raw mode does not support template, system, or context")
    _check_shared(body)


def _check_images(images: object, at: str) -> None:
    given = images or []
    if not isinstance(given, list) or not all(isinstance(each, str) for each in given):
        raise refuse(_unfit(images, at, "[]api.ImageData"))


def _check_shared(body: Mapping[str, Any]) -> None:
    for name in ("stream", "logprobs"):
        if body.get(name) is not None and not isinstance(body[name], bool):
            raise refuse(_unfit(body[name], name, "bool"))
    top = body.get("top_logprobs")
    if top is not None and (isinstance(top, bool) or not isinstance(top, int)):
        raise refuse(_unfit(top, "top_logprobs", "int"))
    if not 0 <= (top or 0) <= MOST_LOGPROBS:
        raise refuse("top_logprobs must be between 0 and 20")
    think = body.get("think")
    if isinstance(think, str) and think not in ("high", "medium", "low", "max"):
        raise refuse(f'invalid think value: "{think}" (must be "high", "medium", "low", "max", true, or false)')
    if not isinstance(think, bool | str | None):
        raise refuse('think must be a boolean or string ("high", "medium", "low", "max", true, or false)')
    form = body.get("format")
    if not (form is None or form in ("", "json") or isinstance(form, dict)):
        raise refuse(f'invalid format: {dumps_text(dumps_text(form))}; expected "json" or a valid JSON Schema object')
    _check_options(body.get("options"))


def _check_options(options: object) -> None:
    if options is None:
        return
    if not isinstance(options, dict):
        raise refuse(_unfit(options, "options", "map[string]interface {}"))
    for name, value in options.items():
        if value is None:
            continue
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        if name in _INTEGERS and not is_number:
            raise refuse(f'option "{name}" must be of type integer')
        if name in _FLOATS and not is_number:
            raise refuse(f'option "{name}" must be of type float32')
        if name == "stop" and not (isinstance(value, list) and all(isinstance(each, str) for each in value)):
            raise refuse('option "stop" must be of type array')


def _unfit(value: object, field: str, kind: str) -> str:
    names = ((bool, "bool"), (str, "string"), (int | float, "number"), (list, "array"), (dict, "object"))
    found = next((name for each, name in names if isinstance(value, each)), "null")
    return f"json: cannot unmarshal {found} into Go struct field {field} of type {kind}"
