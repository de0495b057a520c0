"""Fields that Groq does not know: it refuses the first of them, in a request and in its messages, and names a near one.

The fields are those of its SDK (`groq` 1.7); the words are of reports from 2024 to 2026
(github.com/fanenr/chatbot/issues/21, github.com/tashfeenahmed/freellmapi/issues/1070). How near a name has to be
fits all of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from llmtest.errors import InvalidRequestError
from llmtest.wire._json import dumps
from llmtest.wire._records import WireFormatError

__all__ = ["refuse_unknown"]

_KNOWN = frozenset(
    {"messages", "model", "citation_options", "compound_custom", "disable_tool_validation", "documents", "n", "user"}
    | {"exclude_domains", "include_domains", "include_reasoning", "frequency_penalty", "presence_penalty", "seed"}
    | {"function_call", "functions", "logit_bias", "logprobs", "top_logprobs", "max_completion_tokens", "max_tokens"}
    | {"metadata", "parallel_tool_calls", "reasoning_effort", "reasoning_format", "response_format", "store", "stop"}
    | {"search_settings", "service_tier", "stream", "stream_options", "temperature", "tool_choice", "tools", "top_p"}
)
_OF_ROLE: Mapping[str, frozenset[str]] = {
    "system": frozenset({"role", "content", "name"}),
    "user": frozenset({"role", "content", "name"}),
    "assistant": frozenset({"role", "content", "name", "function_call", "tool_calls", "reasoning"}),
    "tool": frozenset({"role", "content", "name", "tool_call_id"}),
}
_NEAR = 5
"""Letters that have to be changed at most."""


def refuse_unknown(body: Mapping[str, Any]) -> None:
    """Refuse what Groq does not know.

    Args:
        body: A request whose messages are objects with roles.

    Raises:
        WireFormatError: There is such a field; the first one is told.
    """
    unknown = next((name for name in body if name not in _KNOWN), None)
    if unknown is not None:
        raise _refusal(_unsupported(unknown, _KNOWN))
    for index, message in enumerate(body["messages"]):
        role = message["role"]
        known = _OF_ROLE.get(role)
        unknown = None if known is None else next((name for name in message if name not in known), None)
        if known is not None and unknown is not None:
            at = f"'messages.{index}' : "
            why = f"[({at}{_unsupported(unknown, known)})]"
            raise _refusal(f"{at}for 'role:{role}' the following must be satisfied{why}")


def _refusal(message: str) -> WireFormatError:
    said = {"error": {"message": message, "type": "invalid_request_error"}}
    return WireFormatError(InvalidRequestError(message, status=400, code="invalid_request_error", body=dumps(said)))


def _unsupported(name: str, known: frozenset[str]) -> str:
    far, near = min((_distance(name, other), other) for other in known)
    return f"property '{name}' is unsupported" + (f", did you mean '{near}'?" if far <= _NEAR else "")


def _distance(one: str, other: str) -> int:
    """Return how many letters have to be changed to make one name of another."""
    above = list(range(len(other) + 1))
    for row, letter in enumerate(one, 1):
        line = [row]
        for place, wanted in enumerate(other, 1):
            line.append(min(above[place] + 1, line[-1] + 1, above[place - 1] + (letter != wanted)))
        above = line
    return above[-1]
