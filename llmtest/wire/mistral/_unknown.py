"""Fields that Mistral does not know: it refuses every one of them, in a request and in its messages.

The fields are those of its SDK (`mistralai` 3.7); the shape of the refusal is of reports from 2024 and 2025
(github.com/editor-code-assistant/eca/issues/231, github.com/charmbracelet/crush/issues/1590).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from llmtest.errors import InvalidRequestError
from llmtest.wire._json import dumps
from llmtest.wire._records import WireFormatError

__all__ = ["refuse_unknown"]

_KNOWN = frozenset(
    {"model", "messages", "temperature", "top_p", "top_k", "max_tokens", "min_tokens", "stream", "stop", "random_seed"}
    | {"metadata", "response_format", "tools", "tool_choice", "parallel_tool_calls", "presence_penalty", "n"}
    | {"frequency_penalty", "repetition_penalty", "logprobs", "top_logprobs", "prompt_logprobs", "prediction"}
    | {"top_prompt_logprobs", "reasoning_effort", "prompt_mode", "guardrails", "prompt_cache_key", "service_tier"}
    # Whether this one is refused nobody has told; OpenAI's clients are often told to send it.
    | {"safe_prompt", "stream_options"}
)
_OF_ROLE: Mapping[str, frozenset[str]] = {
    "system": frozenset({"role", "content"}),
    "user": frozenset({"role", "content"}),
    "assistant": frozenset({"role", "content", "tool_calls", "prefix"}),
    "tool": frozenset({"role", "content", "tool_call_id", "name"}),
}
_TEXT = "Extra inputs are not permitted"


def refuse_unknown(body: Mapping[str, Any]) -> None:
    """Refuse what Mistral does not know.

    Args:
        body: A request whose messages are objects with roles.

    Raises:
        WireFormatError: There is such a field; all of them are told.
    """
    found = [(["body", name], value) for name, value in body.items() if name not in _KNOWN]
    for index, message in enumerate(body["messages"]):
        role = message["role"]
        known = _OF_ROLE.get(role)
        if known is not None:
            places = ((["body", "messages", index, role, name], name) for name in message if name not in known)
            found += [(place, message[name]) for place, name in places]
    if not found:
        return
    detail = [{"type": "extra_forbidden", "loc": loc, "msg": _TEXT, "input": value} for loc, value in found]
    said = {
        "object": "error",
        "message": {"detail": detail},
        "type": "invalid_request_error",
        "param": None,
        "code": None,
    }
    raise WireFormatError(InvalidRequestError(_TEXT, status=422, code="invalid_request_error", body=dumps(said)))
