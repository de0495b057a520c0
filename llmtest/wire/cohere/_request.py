"""What is asked of Cohere: nearly what OpenAI is asked, with other names for some of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from llmtest.errors import NotSupportedError
from llmtest.types import CompletionRequest
from llmtest.wire.openai._bodies import NAME as SPOKEN
from llmtest.wire.openai.chat import _request

__all__ = ["NAME", "decode_request", "encode_request", "refuse_unsayable"]

NAME = "cohere"
"""Under which name `extra` keeps what only this dialect knows."""
_NAMES = {"top_p": "p", "top_k": "k", "stop": "stop_sequences", "max_completion_tokens": "max_tokens"}
"""What Cohere calls something, by OpenAI's name."""
_CHOICES = {"required": "REQUIRED", "none": "NONE"}


def refuse_unsayable(request: CompletionRequest) -> None:
    """Refuse what Cohere has no word for and what would change the answer.

    Raises:
        NotSupportedError: The request asks for such a thing.
    """
    if request.n is not None and request.n > 1:
        raise NotSupportedError("cohere: one answer is given at a time; `n` is not there")
    if request.max_tokens == 0:
        raise NotSupportedError("cohere: an answer has at least one token; `max_tokens=0` is Anthropic's")


def encode_request(request: CompletionRequest, *, stream: bool) -> dict[str, Any]:
    """Write the body of a request."""
    refuse_unsayable(request)
    kept = request.extra_for(NAME)
    body = _request.encode_body(replace(request, extra={SPOKEN: kept} if kept else {}, n=None), stream=stream)
    body.pop("stream_options", None)
    found = {_NAMES.get(name, name): value for name, value in body.items()}
    choice = found.pop("tool_choice", None)
    if isinstance(choice, str) and choice in _CHOICES:
        found["tool_choice"] = _CHOICES[choice]
    elif isinstance(choice, dict):
        # Cohere names no tool: the one that is wanted is the only one it hears of.
        name = choice.get("function", {}).get("name")
        found["tools"] = [tool for tool in found["tools"] if tool["function"]["name"] == name]
        found["tool_choice"] = "REQUIRED"
    form = found.get("response_format")
    if isinstance(form, dict) and form.get("type") == "json_schema":
        found["response_format"] = {"type": "json_object", "json_schema": form["json_schema"]["schema"]}
    found.setdefault("stream", stream)
    return found


def decode_request(body: Mapping[str, Any]) -> CompletionRequest:
    """Read the body of a request.

    Raises:
        WireFormatError: The provider would refuse it.
    """
    names = {theirs: ours for ours, theirs in _NAMES.items() if ours != "max_completion_tokens"}
    spoken = {names.get(name, name): value for name, value in body.items()}
    choice = spoken.get("tool_choice")
    if isinstance(choice, str):
        spoken["tool_choice"] = choice.lower()
    form = spoken.get("response_format")
    if isinstance(form, dict) and isinstance(form.get("json_schema"), dict):
        spoken["response_format"] = {"type": "json_schema", "json_schema": {"schema": form["json_schema"]}}
    request, unread = _request.decode_call(spoken)
    if request is None:
        assert unread is not None, "a request is read, or can be"
        request = unread.read()
    kept = {name: value for name, value in request.extra_for(SPOKEN).items() if name != "response_format"}
    return replace(request, extra={NAME: kept} if kept else {})
