"""What Converse is asked, between JSON and types.

https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_Converse.html
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from llmtest.errors import NotSupportedError
from llmtest.types import CompletionRequest, ResponseFormat, ToolDefinition
from llmtest.wire._json import dumps_text, loads
from llmtest.wire.bedrock.converse._blocks import NAME, cache_point
from llmtest.wire.bedrock.converse._messages import check_messages, decode_messages, encode_messages, refuse

__all__ = ["decode_request", "encode_request", "refuse_unsayable"]

_INFERENCE = {
    "maxTokens": "max_tokens",
    "temperature": "temperature",
    "topP": "top_p",
    "stopSequences": "stop_sequences",
}
_CHOICES: dict[str, dict[str, Any]] = {"auto": {"auto": {}}, "required": {"any": {}}}
_TIERS = ("default", "priority", "flex")
_READ = frozenset({"messages", "system", "inferenceConfig", "toolConfig", "requestMetadata", "serviceTier"})


def refuse_unsayable(request: CompletionRequest) -> None:
    """Refuse what Converse has no word for and what would change the answer.

    Raises:
        NotSupportedError: The request asks for such a thing.
    """
    form, refused = request.response_format, ""
    if request.n is not None and request.n > 1:
        refused = f"one answer at a time, not n={request.n}"
    elif request.logprobs or request.top_logprobs is not None:
        refused = "there are no log probabilities"
    elif request.seed is not None:
        refused = "there is no seed"
    elif request.tool_choice == "none":
        refused = "a model that may call no tool is asked without tools; `tool_choice='none'` is not possible"
    elif request.parallel_tool_calls is False:
        refused = "the model calls as many tools at once as it likes; `parallel_tool_calls=False` is not possible"
    elif request.max_tokens == 0:
        refused = "an answer has tokens; `max_tokens=0` is not possible"
    elif request.temperature is not None and request.temperature > 1:
        refused = f"temperature is from 0.0 to 1.0, not {request.temperature}"
    elif form is not None and form.type == "json_object":
        refused = "JSON needs a schema: ResponseFormat.json_schema(...)"
    if refused:
        raise NotSupportedError(f"{NAME}: {refused}", model=request.model)


def encode_request(request: CompletionRequest) -> dict[str, Any]:
    """Write the body of a request.

    Raises:
        NotSupportedError: Something of it cannot be said here.
    """
    refuse_unsayable(request)
    system, turns = encode_messages(request.messages)
    body: dict[str, Any] = {"messages": turns}
    if system:
        body["system"] = system
    given = {own: getattr(request, name) for own, name in _INFERENCE.items()}
    given = {own: value for own, value in given.items() if value is not None and value != ()}
    if "stopSequences" in given:
        given["stopSequences"] = list(given["stopSequences"])
    if given:
        body["inferenceConfig"] = given
    if request.tools:
        body["toolConfig"] = _encode_tools(request)
    if request.metadata:
        body["requestMetadata"] = dict(request.metadata)
    if request.service_tier in _TIERS:
        body["serviceTier"] = {"type": request.service_tier}
    output = _encode_output(request.response_format, request.reasoning_effort)
    if output:
        body["outputConfig"] = output
    body.update(request.extra_for(NAME))
    if request.top_k is not None:
        # It is no word of Amazon's: models that have it, have it under this name.
        body["additionalModelRequestFields"] = {**body.get("additionalModelRequestFields", {}), "top_k": request.top_k}
    return body


def _encode_tools(request: CompletionRequest) -> dict[str, Any]:
    tools: list[dict[str, Any]] = []
    for tool in request.tools:
        spec: dict[str, Any] = {"name": tool.name, "inputSchema": {"json": tool.parameters}}
        if tool.description is not None:
            spec["description"] = tool.description
        if tool.strict is not None:
            spec["strict"] = tool.strict
        tools.append({"toolSpec": {**spec, **tool.extra_for(NAME)}})
        if tool.cache_ttl is not None:
            tools.append(cache_point(tool.cache_ttl))
    choice = request.tool_choice
    if choice is None:
        return {"tools": tools}
    return {"tools": tools, "toolChoice": _CHOICES.get(choice, {"tool": {"name": choice}})}


def _encode_output(form: ResponseFormat | None, effort: str | None) -> dict[str, Any]:
    found: dict[str, Any] = {} if effort is None else {"effort": effort}
    if form is not None and form.type == "json_schema":
        schema = {"schema": dumps_text(form.schema), "name": form.name, "description": form.description}
        schema = {name: value for name, value in schema.items() if value is not None}
        found["textFormat"] = {"type": "json_schema", "structure": {"jsonSchema": schema}}
    return found


def decode_request(body: Mapping[str, Any], model: str, *, stream: bool) -> CompletionRequest:
    """Read the body of a request.

    Raises:
        WireFormatError: Amazon would refuse it.
    """
    config = _object(body, "toolConfig")
    check_messages(body.get("messages"), has_tools=bool(config.get("tools")))
    system = body.get("system")
    extra = {name: value for name, value in body.items() if name not in _READ}
    found: dict[str, Any] = {}
    inference = _object(body, "inferenceConfig")
    unknown = next((name for name in inference if name not in _INFERENCE), None)
    if unknown is not None:
        raise refuse(
            f"The model returned the following errors: inferenceConfig.{unknown}: Extra inputs are not permitted"
        )
    found.update((_INFERENCE[own], value) for own, value in inference.items() if value is not None)
    if "stop_sequences" in found:
        found["stop_sequences"] = tuple(found["stop_sequences"])
    _check_numbers(found)
    found["tools"] = _decode_tools(config.get("tools"))
    choice = config.get("toolChoice")
    if isinstance(choice, dict):
        named = choice.get("tool")
        found["tool_choice"] = (
            named.get("name") if isinstance(named, dict) else "required" if "any" in choice else "auto"
        )
    form, effort = _decode_output(extra.get("outputConfig"))
    if "outputConfig" in extra and _encode_output(form, effort) == extra["outputConfig"]:
        del extra["outputConfig"]
    tier = _object(body, "serviceTier").get("type")
    own = extra.get("additionalModelRequestFields")
    if isinstance(own, dict) and type(own.get("top_k")) is int and own["top_k"] >= 0:
        found["top_k"] = own["top_k"]
        rest = {name: value for name, value in own.items() if name != "top_k"}
        extra = {**extra, "additionalModelRequestFields": rest}
        if not rest:
            del extra["additionalModelRequestFields"]
    return CompletionRequest(
        messages=decode_messages(system if isinstance(system, list) else (), body["messages"]),
        model=model,
        stream=stream,
        metadata=_object(body, "requestMetadata"),
        service_tier=tier if isinstance(tier, str) else None,
        response_format=form,
        reasoning_effort=effort,
        extra={NAME: extra} if extra else {},
        **found,
    )


def _object(body: Mapping[str, Any], name: str) -> dict[str, Any]:
    found = body.get(name)
    return found if isinstance(found, dict) else {}


def _check_numbers(found: Mapping[str, Any]) -> None:
    limit = found.get("max_tokens")
    if limit is not None and (type(limit) is not int or limit < 1):
        raise refuse("The value at inferenceConfig.maxTokens must be 1 or more.")
    for own, name in (("temperature", "temperature"), ("topP", "top_p")):
        value = found.get(name)
        if value is not None and not (type(value) in {int, float} and 0 <= value <= 1):
            raise refuse(f"The value at inferenceConfig.{own} must be from 0 to 1.")


def _decode_tools(raw: object) -> tuple[ToolDefinition, ...]:
    found: list[ToolDefinition] = []
    for each in raw if isinstance(raw, list) else ():
        spec = each.get("toolSpec") if isinstance(each, dict) else None
        if not isinstance(spec, dict):
            continue  # A mark of a cache, or a tool that runs at Amazon.
        schema = spec.get("inputSchema")
        schema = schema.get("json") if isinstance(schema, dict) else None
        if not isinstance(spec.get("name"), str) or not isinstance(schema, dict):
            raise refuse("The value at toolConfig.tools must have a name and an inputSchema.")
        extra = {
            name: value for name, value in spec.items() if name not in {"name", "description", "inputSchema", "strict"}
        }
        found.append(
            ToolDefinition(
                spec["name"],
                spec.get("description"),
                schema,
                {NAME: extra} if extra else {},
                strict=spec.get("strict"),
            )
        )
    return tuple(found)


def _decode_output(raw: object) -> tuple[ResponseFormat | None, str | None]:
    config = raw if isinstance(raw, dict) else {}
    effort = config.get("effort")
    structure = _object(_object(config, "textFormat"), "structure")
    told = _object(structure, "jsonSchema")
    try:
        schema = loads(told.get("schema", "null"))
    except (TypeError, ValueError) as error:
        raise refuse(
            "The value at outputConfig.textFormat.structure.jsonSchema.schema is not a JSON Schema."
        ) from error
    form = None
    if isinstance(schema, dict):
        form = ResponseFormat.json_schema(schema, name=told.get("name"), description=told.get("description"))
    return form, effort if isinstance(effort, str) else None
