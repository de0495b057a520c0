"""What Gemini may be asked for beside its conversation: tools, and the fields of `generationConfig`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from llmtest.errors import NotSupportedError
from llmtest.types import ChatMessage, CompletionRequest, ResponseFormat, ToolDefinition
from llmtest.wire.gemini._checks import camel
from llmtest.wire.gemini.generate._parts import DIALECT

__all__ = ["decode_options", "encode_options", "read_tools", "refuse_unsayable", "write_tools"]

_JSON = "application/json"
_ANY = (ChatMessage.user("any"),)
"""A conversation, where only the options beside it are of interest."""
_PLAIN = {
    "temperature": "temperature",
    "top_p": "topP",
    "top_k": "topK",
    "max_tokens": "maxOutputTokens",
    "n": "candidateCount",
    "seed": "seed",
    "logprobs": "responseLogprobs",
    "top_logprobs": "logprobs",
}
"""Options that mean the same under Gemini's names."""
BUDGETS = {"none": 0, "minimal": 512, "low": 1024, "medium": 8192, "high": 24_576, "xhigh": 24_576, "max": 32_768}
"""Tokens of thought that each effort stands for, as Google's own OpenAI-compatible API counts them."""


def refuse_unsayable(request: CompletionRequest) -> None:
    """Refuse what Gemini has no word for and what would change the answer.

    Raises:
        NotSupportedError: The request asks for such a thing.
    """
    if request.max_tokens == 0:
        raise NotSupportedError("gemini: an answer has tokens; `max_tokens=0` is Anthropic's", model=request.model)
    if request.reasoning_effort is not None and request.reasoning_effort not in BUDGETS:
        words = ", ".join(BUDGETS)
        raise NotSupportedError(
            f"gemini: no effort `{request.reasoning_effort}`; there is {words}", model=request.model
        )


def encode_options(request: CompletionRequest, extra: dict[str, Any], body: dict[str, Any]) -> None:
    """Write the options into a body; what of `extra` says the same in more words is written.

    Raises:
        NotSupportedError: Gemini has no word for one of them.
    """
    refuse_unsayable(request)
    config: dict[str, Any] = {}
    for name, own in _PLAIN.items():
        value = getattr(request, name)
        if value is not None:
            config[own] = value
    if request.stop_sequences:
        config["stopSequences"] = list(request.stop_sequences)
    form = request.response_format
    if form is not None and form.type != "text":
        config["responseMimeType"] = _JSON
        if form.type == "json_schema":
            config["responseJsonSchema"] = form.schema
    if request.reasoning_effort is not None:
        config["thinkingConfig"] = {"thinkingBudget": BUDGETS[request.reasoning_effort]}
    raw = extra.pop("generationConfig", None)
    if isinstance(raw, dict):
        read = {name for name in raw if name in _READ}
        same = decode_config({name: raw[name] for name in read}) == _asked(request)
        config = {**raw} if same else {**{name: value for name, value in raw.items() if name not in _READ}, **config}
    if config or raw == {}:
        body["generationConfig"] = config


_READ = frozenset(_PLAIN.values()) | {
    "stopSequences",
    "responseMimeType",
    "responseSchema",
    "responseJsonSchema",
    "thinkingConfig",
}


def _asked(request: CompletionRequest) -> dict[str, Any]:
    """Return what a request asks for, in the form of `decode_config`."""
    found = {name: getattr(request, name) for name in _PLAIN if getattr(request, name) is not None}
    if request.stop_sequences:
        found["stop_sequences"] = request.stop_sequences
    if request.response_format is not None:
        found["response_format"] = request.response_format
    if request.reasoning_effort is not None:
        found["reasoning_effort"] = request.reasoning_effort
    return found


def decode_config(config: Mapping[str, Any]) -> dict[str, Any]:
    """Read `generationConfig`, as arguments of a request."""
    found = {name: config[own] for name, own in _PLAIN.items() if config.get(own) is not None}
    if isinstance(found.get("top_k"), float):
        found["top_k"] = int(found["top_k"])
    if config.get("stopSequences"):
        found["stop_sequences"] = tuple(config["stopSequences"])
    if config.get("responseMimeType") == _JSON:
        schema = config.get("responseJsonSchema") or config.get("responseSchema")
        form = ResponseFormat.json_schema(schema) if isinstance(schema, dict) else ResponseFormat("json_object")
        found["response_format"] = form
    effort = _effort_of(config.get("thinkingConfig"))
    if effort is not None:
        found["reasoning_effort"] = effort
    return found


def _effort_of(thinking: object) -> str | None:
    """Return the effort that is nearest to what is asked: a level, a budget of tokens, or -1 for what it takes."""
    if not isinstance(thinking, dict):
        return None
    thinking = camel(thinking)
    level, budget = thinking.get("thinkingLevel"), thinking.get("thinkingBudget")
    if isinstance(level, str):
        return level.lower() if level.lower() in BUDGETS else None
    if not isinstance(budget, int) or isinstance(budget, bool):
        return None
    if budget < 0:
        return "medium"
    return next((word for word, tokens in BUDGETS.items() if tokens >= budget), "max")


def decode_options(body: Mapping[str, Any], extra: dict[str, Any]) -> dict[str, Any]:
    """Read the options of a body that has been checked; what is read in full is taken out of `extra`."""
    config = body.get("generationConfig")
    if not isinstance(config, dict):
        return {}
    found = decode_config(config)
    again: dict[str, Any] = {}
    try:
        encode_options(CompletionRequest(_ANY, **found), {}, again)
    except NotSupportedError:
        return found  # What Gemini takes may be more than another request of ours can say.
    if again.get("generationConfig") == config:
        del extra["generationConfig"]
    return found


def write_tools(request: CompletionRequest, extra: dict[str, Any], body: dict[str, Any]) -> None:
    """Write tools and choice into a body; what of `extra` says the same in more words is written."""
    raw = extra.pop("tools", None)
    if isinstance(raw, list) and decode_tools(raw) == request.tools:
        body["tools"] = raw
    elif request.tools:
        body["tools"] = [{"functionDeclarations": [_declaration(tool) for tool in request.tools]}]
    raw = extra.pop("toolConfig", None)
    if raw is not None and decode_choice(raw) == request.tool_choice:
        body["toolConfig"] = raw
    elif request.tool_choice is not None:
        body["toolConfig"] = {"functionCallingConfig": _encode_choice(request.tool_choice)}


def _declaration(tool: ToolDefinition) -> dict[str, Any]:
    found: dict[str, Any] = {"name": tool.name}
    if tool.description is not None:
        found["description"] = tool.description
    return {**found, "parametersJsonSchema": tool.parameters, **tool.extra_for(DIALECT)}


def decode_tools(raw: Sequence[Any]) -> tuple[ToolDefinition, ...]:
    """Read the tools that are functions."""
    declared = [tool.get("functionDeclarations") for tool in raw if isinstance(tool, dict)]
    each_one = [each for listed in declared if isinstance(listed, list) for each in listed]
    return tuple(
        _decode_tool(each) for each in each_one if isinstance(each, dict) and isinstance(each.get("name"), str)
    )


def _decode_tool(declared: Mapping[str, Any]) -> ToolDefinition:
    known = {"name", "description", "parameters", "parametersJsonSchema"}
    extra = {name: value for name, value in declared.items() if name not in known}
    schema = declared.get("parametersJsonSchema") or declared.get("parameters")
    if not isinstance(schema, dict):
        schema = {"type": "object", "properties": {}}
    description = declared.get("description")
    return ToolDefinition(
        declared["name"],
        description if isinstance(description, str) else None,
        schema,
        {DIALECT: extra} if extra else {},
    )


_MODES = {"auto": "AUTO", "required": "ANY", "none": "NONE"}


def _encode_choice(choice: str) -> dict[str, Any]:
    if choice in _MODES:
        return {"mode": _MODES[choice]}
    return {"mode": "ANY", "allowedFunctionNames": [choice]}


def decode_choice(raw: object) -> str | None:
    """Read `toolConfig`; a form without a word of ours is None and stays in `extra`."""
    config = camel(raw).get("functionCallingConfig") if isinstance(raw, dict) else None
    if not isinstance(config, dict):
        return None
    config = camel(config)
    names = config.get("allowedFunctionNames")
    if isinstance(names, list) and len(names) == 1 and isinstance(names[0], str) and config.get("mode") == "ANY":
        return names[0]
    if isinstance(names, list) and names and config.get("mode") == "ANY":
        return "required"
    return next((word for word, mode in _MODES.items() if config.get("mode") == mode and not names), None)


def read_tools(body: Mapping[str, Any], extra: dict[str, Any]) -> tuple[tuple[ToolDefinition, ...], str | None]:
    """Read tools and choice; what says more than they can stays in `extra`."""
    raw = body.get("tools")
    tools = decode_tools(raw) if isinstance(raw, list) else ()
    if raw and [{"functionDeclarations": [_declaration(tool) for tool in tools]}] != raw:
        extra["tools"] = raw
    raw = body.get("toolConfig")
    choice = None if raw is None else decode_choice(raw)
    if raw is not None and (choice is None or {"functionCallingConfig": _encode_choice(choice)} != raw):
        extra["toolConfig"] = raw
    return tools, choice
