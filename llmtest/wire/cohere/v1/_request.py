"""What is asked in the first version, between JSON and types.

A call of a tool has no id there: the calls of a conversation are numbered, `call_1` first.
https://docs.cohere.com/v1/reference/chat
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from llmtest.errors import NotSupportedError
from llmtest.types import ChatMessage, CompletionRequest, ResponseFormat, ToolCall, ToolDefinition
from llmtest.wire._json import dumps_text
from llmtest.wire.cohere._request import NAME
from llmtest.wire.openai._checks import refuse

__all__ = ["SPOKEN", "decode_calls", "decode_request", "encode_request", "refuse_unsayable"]

_NAMES = {
    "max_tokens": "max_tokens",
    "temperature": "temperature",
    "p": "top_p",
    "k": "top_k",
    "seed": "seed",
    "stop_sequences": "stop_sequences",
}
"""Our names for what it calls so."""
_ROLES = {"USER": "user", "CHATBOT": "assistant", "SYSTEM": "system"}
SPOKEN = {ours: theirs for theirs, ours in _ROLES.items()}
"""What it calls who speaks."""
_TYPES = {"str": "string", "int": "integer", "float": "number", "bool": "boolean", "list": "array", "dict": "object"}
"""JSON's names for Python's types, by which parameters are described."""
_READ = frozenset({*_NAMES, "message", "model", "preamble", "chat_history", "tools", "tool_results", "stream"})


def refuse_unsayable(request: CompletionRequest) -> None:
    """Refuse what the first version has no word for, or none that would come back the same.

    Raises:
        NotSupportedError: The request asks for such a thing.
    """
    form, refused = request.response_format, ""
    if request.n is not None and request.n > 1:
        refused = "one answer is given at a time; `n` is not there"
    elif request.max_tokens == 0:
        refused = "an answer has at least one token; `max_tokens=0` is not there"
    elif request.tools or any(each.tool_calls or each.role == "tool" for each in request.messages):
        refused = "calls of tools have no ids in its first version; ask its second one"
    elif request.messages[-1].role != "user":
        refused = "the last message is the user's"
    elif not all(isinstance(each.content, str) for each in request.messages):
        refused = "a message is a text in its first version"
    elif request.logprobs or request.top_logprobs is not None:
        refused = "there are no log probabilities in its first version"
    elif request.reasoning_effort is not None:
        refused = "nobody thinks in its first version"
    elif form is not None and form.type == "json_schema" and form.name is not None:
        refused = "a schema has no name"
    if refused:
        raise NotSupportedError(f"{NAME}: {refused}", model=request.model)


def encode_request(request: CompletionRequest, *, stream: bool) -> dict[str, Any]:
    """Write the body of a request.

    Raises:
        NotSupportedError: Something of it cannot be said here.
    """
    refuse_unsayable(request)
    *before, last = request.messages
    body: dict[str, Any] = {"message": last.text, "model": request.model, "stream": stream}
    if before and before[0].role == "system":
        body["preamble"] = before.pop(0).text
    if before:
        body["chat_history"] = [{"role": SPOKEN[each.role], "message": each.text} for each in before]
    for theirs, ours in _NAMES.items():
        value = getattr(request, ours)
        if value is not None and value != ():
            body[theirs] = list(value) if isinstance(value, tuple) else value
    form = request.response_format
    if form is not None and form.type != "text":
        schema = {} if form.schema is None else {"schema": form.schema}
        body["response_format"] = {"type": "json_object", **schema}
    return {**body, **request.extra_for(NAME)}


def decode_request(body: Mapping[str, Any]) -> CompletionRequest:
    """Read the body of a request.

    Raises:
        WireFormatError: Cohere would refuse it.
    """
    said, results = body.get("message"), body.get("tool_results")
    if not isinstance(said, str) or not (said or results):
        raise refuse("invalid request: message must be at least 1 token long or tool results must be specified.")
    reader = _History()
    preamble = body.get("preamble")
    messages = [ChatMessage("system", preamble)] if isinstance(preamble, str) and preamble else []
    messages += reader.read(body.get("chat_history"))
    if said:
        messages.append(ChatMessage("user", said))
    messages += reader.results(results)
    extra = {name: value for name, value in body.items() if name not in _READ}
    found = {ours: body[theirs] for theirs, ours in _NAMES.items() if body.get(theirs) is not None}
    if "stop_sequences" in found:
        found["stop_sequences"] = tuple(found["stop_sequences"])
    _check(found)
    form = _form(extra.get("response_format"))
    if form is not None:
        del extra["response_format"]
    return CompletionRequest(
        messages=tuple(messages),
        model=body.get("model"),
        stream=body.get("stream") is True,
        tools=_tools(body.get("tools")),
        response_format=form,
        extra={NAME: extra} if extra else {},
        **found,
    )


def _check(found: Mapping[str, Any]) -> None:
    ranges = {"temperature": (0.0, 2.0), "top_p": (0.0, 1.0), "top_k": (0, 500), "max_tokens": (1, 1 << 31)}
    for name, (least, most) in ranges.items():
        value = found.get(name)
        if value is not None and not (type(value) in {int, float} and least <= value <= most):
            theirs = next(each for each, ours in _NAMES.items() if ours == name)
            raise refuse(f"invalid request: {theirs} must be between {least} and {most} inclusive")


def _form(raw: object) -> ResponseFormat | None:
    if not isinstance(raw, dict) or raw.get("type") != "json_object":
        return None
    schema = raw.get("schema")
    return ResponseFormat.json_schema(schema) if isinstance(schema, dict) else ResponseFormat("json_object")


def _tools(raw: object) -> tuple[ToolDefinition, ...]:
    found = []
    for tool in raw if isinstance(raw, list) else ():
        if not isinstance(tool, dict) or not isinstance(tool.get("name"), str):
            raise refuse("invalid request: all elements in tools must have a name.")
        given = tool.get("parameter_definitions")
        given = given if isinstance(given, dict) else {}
        schema: dict[str, Any] = {"type": "object", "properties": {each: _schema(told) for each, told in given.items()}}
        required = [each for each, told in given.items() if isinstance(told, dict) and told.get("required") is True]
        if required:
            schema["required"] = required
        found.append(ToolDefinition(tool["name"], tool.get("description"), schema))
    return tuple(found)


def _schema(told: Any) -> dict[str, Any]:
    """Return a parameter as JSON Schema: it is described by a type of Python's, such as `str` or `List[int]`."""
    told = told if isinstance(told, dict) else {}
    word = str(told.get("type", "str")).lower()
    outer, _, inner = word.partition("[")
    found: dict[str, Any] = {"type": _TYPES.get(outer, "string")}
    if found["type"] == "array" and inner:
        found["items"] = {"type": _TYPES.get(inner.rstrip("]"), "string")}
    if isinstance(told.get("description"), str):
        found["description"] = told["description"]
    return found


def decode_calls(raw: object, first: int = 1) -> tuple[ToolCall, ...]:
    """Read calls of tools, numbered from `first` on."""
    calls = [each for each in raw if isinstance(each, dict)] if isinstance(raw, list) else []
    return tuple(
        ToolCall(f"call_{number}", str(call.get("name")), dumps_text(call.get("parameters") or {}))
        for number, call in enumerate(calls, first)
    )


class _History:
    """Reads what was said, and finds which call each result belongs to."""

    def __init__(self) -> None:
        self._calls: list[ToolCall] = []

    def read(self, raw: object) -> list[ChatMessage]:
        """Read the messages before the current one.

        Raises:
            WireFormatError: A role is none.
        """
        found: list[ChatMessage] = []
        for each in raw if isinstance(raw, list) else ():
            role = str(each.get("role")).upper() if isinstance(each, dict) else ""
            if role == "TOOL":
                found += self.results(each.get("tool_results"))
            elif role in _ROLES:
                calls = decode_calls(each.get("tool_calls"), len(self._calls) + 1)
                self._calls += calls
                said = each.get("message")
                text = None if calls and not said else str(said or "")
                found.append(ChatMessage(_ROLES[role], text, tool_calls=calls))  # type: ignore[arg-type]  # it is a role
            else:
                raise refuse(
                    "invalid request: role of each message of chat_history must be User, Chatbot, System or Tool."
                )
        return found

    def results(self, raw: object) -> list[ChatMessage]:
        """Read results of tools; each says which call it belongs to by name and parameters."""
        found = []
        for result in raw if isinstance(raw, list) else ():
            given = result.get("call") if isinstance(result, dict) else None
            given = given if isinstance(given, dict) else {}
            asked = (str(given.get("name")), dumps_text(given.get("parameters") or {}))
            identity = next((call.id for call in reversed(self._calls) if (call.name, call.arguments) == asked), None)
            if identity is None:
                identity = f"call_{len(self._calls) + 1}"
                self._calls.append(ToolCall(identity, *asked))
            outputs: Sequence[Any] = result.get("outputs") or ()
            found.append(ChatMessage("tool", dumps_text(list(outputs)), tool_call_id=identity, name=asked[0]))
        return found
