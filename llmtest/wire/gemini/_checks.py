"""What Gemini checks in a request before any model sees it, with Google's own complaints."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from llmtest.errors import InvalidRequestError
from llmtest.wire._json import loads
from llmtest.wire._records import WireFormatError

__all__ = ["asked", "camel", "check_contents", "check_request", "refuse"]

_FIELDS = frozenset(
    {"contents", "systemInstruction", "tools", "toolConfig", "generationConfig", "safetySettings", "cachedContent"}
    | {"labels", "model", "serviceTier", "store"}
)
_CONFIG = frozenset(
    {"temperature", "topP", "topK", "maxOutputTokens", "stopSequences", "candidateCount", "seed", "responseMimeType"}
    | {"responseSchema", "responseJsonSchema", "responseLogprobs", "logprobs", "presencePenalty", "frequencyPenalty"}
    | {
        "thinkingConfig",
        "responseModalities",
        "speechConfig",
        "imageConfig",
        "mediaResolution",
        "enableAffectiveDialog",
    }
    | {"enableEnhancedCivicAnswers", "routingConfig", "modelSelectionConfig", "audioTimestamp", "responseFormat"}
)
_PART = frozenset(
    {"text", "thought", "thoughtSignature", "inlineData", "fileData", "functionCall", "functionResponse"}
    | {"executableCode", "codeExecutionResult", "videoMetadata", "mediaResolution", "partMetadata", "toolCall"}
    | {"toolResponse"}
)
_UNDERSCORE = re.compile(r"_([a-z])")
_NUMBERS: dict[str, tuple[int | None, int | None]] = {
    "temperature": (0, 2),
    "topP": (0, 1),
    "topK": (0, None),
    "maxOutputTokens": (1, None),
    "candidateCount": (1, 8),
    "logprobs": (0, 20),
    "seed": (None, None),
}
_WHOLE = frozenset({"maxOutputTokens", "candidateCount", "logprobs", "seed"})


def refuse(message: str) -> WireFormatError:
    """Make Google's refusal of a request."""
    return WireFormatError(InvalidRequestError(message, status=400, code="INVALID_ARGUMENT"))


def asked(body: bytes) -> dict[str, Any]:
    """Read the body of a request, whose fields may be written with underscores as well.

    Raises:
        WireFormatError: It is no JSON object.
    """
    try:
        parsed = loads(body)
    except ValueError as error:
        raise refuse(f"Invalid JSON payload received. {error}.") from error
    if not isinstance(parsed, dict):
        raise refuse('Invalid JSON payload received. Unknown name "": Root element must be a message.')
    found = camel(parsed)
    if isinstance(found.get("generationConfig"), dict):
        found["generationConfig"] = camel(found["generationConfig"])
    for content in found["contents"] if isinstance(found.get("contents"), list) else ():
        if isinstance(content, dict) and isinstance(content.get("parts"), list):
            content["parts"] = [camel(part) if isinstance(part, dict) else part for part in content["parts"]]
    if isinstance(found.get("tools"), list):
        found["tools"] = [_camel_tool(tool) if isinstance(tool, dict) else tool for tool in found["tools"]]
    return found


def _camel_tool(tool: Mapping[str, Any]) -> dict[str, Any]:
    found = camel(tool)
    declared = found.get("functionDeclarations")
    if isinstance(declared, list):
        found["functionDeclarations"] = [camel(each) if isinstance(each, dict) else each for each in declared]
    return found


def camel(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Return fields under the names that they have without underscores."""
    return {_UNDERSCORE.sub(lambda found: found[1].upper(), name): value for name, value in fields.items()}


def check_request(body: Mapping[str, Any]) -> None:
    """Check the body of `generateContent`.

    Raises:
        WireFormatError: Gemini would refuse it.
    """
    _check_names(body, _FIELDS, "")
    check_contents(body.get("contents"), "GenerateContentRequest")
    _check_instruction(body.get("systemInstruction"))
    for name in ("tools", "safetySettings"):
        if body.get(name) is not None and not _are_objects(body[name]):
            raise _invalid(name, body[name])
    for tool in body.get("tools") or ():
        _check_tool(tool)
    for name in ("toolConfig", "labels", "generationConfig"):
        if body.get(name) is not None and not isinstance(body[name], dict):
            raise _invalid(name, body[name])
    _check_config(body.get("generationConfig") or {})


def _check_names(fields: Mapping[str, Any], known: frozenset[str], at: str) -> None:
    unknown = next((name for name in fields if name not in known), None)
    if unknown is not None:
        where = f" at '{at}'" if at else ""
        raise refuse(f'Invalid JSON payload received. Unknown name "{unknown}"{where}: Cannot find field.')


def _invalid(at: str, value: object) -> WireFormatError:
    return refuse(f"Invalid value at '{_snake(at)}', {_shown(value)}")


def _shown(value: object) -> str:
    return f'"{value}"' if isinstance(value, str) else str(value).lower() if isinstance(value, bool) else str(value)


def _snake(name: str) -> str:
    return re.sub(r"([A-Z])", lambda found: "_" + found[1].lower(), name)


def _are_objects(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(each, dict) for each in value)


def check_contents(contents: object, of: str) -> None:
    """Check a conversation.

    Raises:
        WireFormatError: Gemini would refuse it.
    """
    if contents is None or contents == []:
        raise refuse(f"* {of}.contents: contents is not specified\n")
    if not isinstance(contents, list) or not _are_objects(contents):
        raise _invalid("contents", contents)
    called = 0
    for place, content in enumerate(contents):
        role = content.get("role")
        if role is not None and role not in ("user", "model", "function"):
            raise refuse("Please use a valid role: user, model.")
        parts = content.get("parts")
        if parts is None or parts == []:
            raise refuse(f"* {of}.contents[{place}].parts: contents.parts must not be empty.\n")
        if not _are_objects(parts):
            raise _invalid(f"contents[{place}].parts", parts)
        for number, part in enumerate(parts):
            _check_part(part, f"contents[{place}].parts[{number}]", f"{of}.contents[{place}].parts[{number}]")
        answered = sum("functionResponse" in part for part in parts)
        if answered and answered != called:
            raise refuse(
                "Please ensure that the number of function response parts is equal to the number of function call "
                "parts of the function call turn."
            )
        called = sum("functionCall" in part for part in parts)


def _check_part(part: Mapping[str, Any], at: str, path: str) -> None:
    _check_names(part, _PART, at)
    data = [name for name in part if name not in ("thought", "thoughtSignature", "videoMetadata", "partMetadata")]
    if not data:
        raise refuse(f"* {path}.data: required oneof field 'data' must have one initialized field\n")
    if "text" in part and not isinstance(part["text"], str):
        raise _invalid(f"{at}.text", part["text"])
    for name in ("inlineData", "fileData", "functionCall", "functionResponse"):
        value = part.get(name)
        if name not in part:
            continue
        if not isinstance(value, dict):
            raise _invalid(f"{at}.{name}", value)
        if name.startswith("function") and (not isinstance(value.get("name"), str) or not value["name"]):
            raise refuse(f"* {path}.{_snake(name)}.name: Name cannot be empty.\n")
        inner = value.get("args" if name == "functionCall" else "response")
        if name.startswith("function") and inner is not None and not isinstance(inner, dict):
            raise _invalid(f"{at}.{name}.{'args' if name == 'functionCall' else 'response'}", inner)


def _check_instruction(value: object) -> None:
    if value is None:
        return
    parts = value.get("parts") if isinstance(value, dict) else None
    if not _are_objects(parts) or not all(isinstance(part.get("text"), str) for part in parts or ()):
        raise _invalid("systemInstruction", value)


def _check_tool(tool: Mapping[str, Any]) -> None:
    declared = tool.get("functionDeclarations")
    if declared is None:
        return
    if not _are_objects(declared):
        raise _invalid("tools[0].functionDeclarations", declared)
    for number, each in enumerate(declared):
        if not isinstance(each.get("name"), str) or not each["name"]:
            raise refuse(
                f"* GenerateContentRequest.tools[0].function_declarations[{number}].name: Invalid function name. Must "
                "start with a letter or an underscore.\n"
            )


def _check_config(config: Mapping[str, Any]) -> None:
    _check_names(config, _CONFIG, "generation_config")
    for name, value in _given(config, _NUMBERS):
        kind = (int,) if name in _WHOLE else (int, float)
        if isinstance(value, bool) or not isinstance(value, kind):
            raise _invalid(f"generationConfig.{name}", value)
        least, most = _NUMBERS[name]
        if (least is not None and value < least) or (most is not None and value > most):
            limits = f"[{least}, {most}]" if most is not None else f"at least {least}"
            raise refuse(
                f"* GenerateContentRequest.generation_config.{_snake(name)}: {_snake(name)} must be in the range "
                f"{limits}.\n"
            )
    stop = config.get("stopSequences")
    if stop is not None and not (isinstance(stop, list) and all(isinstance(word, str) for word in stop)):
        raise _invalid("generationConfig.stopSequences", stop)
    for name in ("responseSchema", "responseJsonSchema", "thinkingConfig"):
        if config.get(name) is not None and not isinstance(config[name], dict):
            raise _invalid(f"generationConfig.{name}", config[name])
    if config.get("responseLogprobs") is not None and not isinstance(config["responseLogprobs"], bool):
        raise _invalid("generationConfig.responseLogprobs", config["responseLogprobs"])


def _given(config: Mapping[str, Any], names: Iterable[str]) -> Iterable[tuple[str, Any]]:
    return ((name, config[name]) for name in names if config.get(name) is not None)
