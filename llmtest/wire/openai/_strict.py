"""What only OpenAI itself refuses: servers that speak like it take fields they do not know, and ask for no order."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from llmtest.wire.openai._checks import refuse
from llmtest.wire.openai._strict_options import check_options
from llmtest.wire.openai._strict_schema import check_schema

_KNOWN = frozenset(
    {"messages", "model", "audio", "frequency_penalty", "function_call", "functions", "logit_bias", "logprobs"}
    | {"max_completion_tokens", "max_tokens", "metadata", "modalities", "moderation", "n", "parallel_tool_calls"}
    | {"prediction", "presence_penalty", "prompt_cache_key", "prompt_cache_options", "prompt_cache_retention"}
    | {"reasoning_effort", "response_format", "safety_identifier", "seed", "service_tier", "stop", "store", "stream"}
    | {"stream_options", "temperature", "tool_choice", "tools", "top_logprobs", "top_p", "user", "verbosity"}
    | {"web_search_options"}
)
_HARMLESS = frozenset({"messages", "model", "stream", "stream_options", "user"})
"""Fields of which nothing more is asked than what `check` has asked already."""


def check_strictly(body: Mapping[str, Any], *, is_plain: bool, further: frozenset[str] = frozenset()) -> None:
    """Check what OpenAI checks beyond the types of the fields.

    Args:
        body: A request that `check` let through.
        is_plain: Whether its messages are nothing but roles and texts.
        further: Fields that are known beside OpenAI's.

    Raises:
        WireFormatError: OpenAI would refuse it.
    """
    if body.keys() <= _HARMLESS:
        if not is_plain:
            _check_order(body["messages"])
        return
    unknown = () if body.keys() <= _KNOWN else sorted(body.keys() - _KNOWN - further)
    if unknown:
        noun = "argument" if len(unknown) == 1 else "arguments"
        raise refuse(f"Unrecognized request {noun} supplied: {', '.join(unknown)}")
    check_options(body)
    if body.get("metadata") and body.get("store") is not True:
        raise refuse("The 'metadata' parameter is only allowed when 'store' is enabled.", "metadata")
    form = body.get("response_format")
    if form is not None and form.get("type") == "json_object" and not _say_json(body["messages"]):
        raise refuse(
            "'messages' must contain the word 'json' in some form, to use 'response_format' of type 'json_object'.",
            "messages",
        )
    schema = form.get("json_schema") if form is not None else None
    if isinstance(schema, dict) and schema.get("strict") is True:
        of = f"response_format '{schema.get('name')}'"
        check_schema(schema.get("schema"), of, "response_format", None)
    for index, tool in enumerate(body.get("tools") or ()):
        function = tool.get("function")
        if isinstance(function, dict) and function.get("strict") is True:
            of, param = f"function '{function.get('name')}'", f"tools[{index}].function.parameters"
            check_schema(function.get("parameters"), of, param, "invalid_function_parameters")
    if "tool_choice" in body or "parallel_tool_calls" in body:
        _check_choice(body)
    if not is_plain:
        _check_order(body["messages"])


def _check_choice(body: Mapping[str, Any]) -> None:
    """Check that a choice has tools to choose from."""
    tools = body.get("tools") or ()
    for field in ("tool_choice", "parallel_tool_calls"):
        if body.get(field) is not None and not tools:
            raise refuse(f"Invalid value for '{field}': '{field}' is only allowed when 'tools' are specified.", field)
    choice = body.get("tool_choice")
    named = choice.get("function") if isinstance(choice, dict) and choice.get("type") == "function" else None
    name = named.get("name") if isinstance(named, dict) else None
    functions = [tool.get("function") for tool in tools]
    if name is not None and name not in [each.get("name") for each in functions if isinstance(each, dict)]:
        raise refuse(
            f"Invalid value for 'tool_choice': no function named '{name}' was specified in the 'tools' parameter.",
            "tool_choice",
        )


def _say_json(messages: Iterable[Mapping[str, Any]]) -> bool:
    return any("json" in text.lower() for message in messages for text in _texts(message.get("content")))


def _texts(content: object) -> Iterable[str]:
    if isinstance(content, str):
        return (content,)
    parts = content if isinstance(content, list) else ()
    return (part["text"] for part in parts if isinstance(part.get("text"), str))


def _check_order(messages: Sequence[Mapping[str, Any]]) -> None:
    """Check that every call of a tool has its result right after it, and every result its call."""
    called: set[str] = set()
    waiting: list[str] = []
    for index, message in enumerate(messages):
        if message["role"] != "tool":
            _check_answered(waiting, index)
            called = {
                call["id"] for call in message.get("tool_calls") or () if isinstance(call, dict) and _has_id(call)
            }
            waiting = sorted(called)
            continue
        answered = message["tool_call_id"]
        if not called:
            raise refuse(
                "Invalid parameter: messages with role 'tool' must be a response to a preceeding message with "
                "'tool_calls'.",
                f"messages.[{index}].role",
            )
        if answered not in called:
            raise refuse(
                f"Invalid parameter: 'tool_call_id' of '{answered}' not found in 'tool_calls' of previous message.",
                f"messages.[{index}].tool_call_id",
            )
        if answered in waiting:
            waiting.remove(answered)
    _check_answered(waiting, len(messages))


def _has_id(call: Mapping[str, Any]) -> bool:
    return isinstance(call.get("id"), str)


def _check_answered(waiting: Sequence[str], index: int) -> None:
    if waiting:
        raise refuse(
            "An assistant message with 'tool_calls' must be followed by tool messages responding to each "
            f"'tool_call_id'. The following tool_call_ids did not have response messages: {', '.join(waiting)}",
            f"messages.[{index}].role",
        )
