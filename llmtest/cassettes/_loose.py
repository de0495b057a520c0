"""Answers to whatever says certain words, in whichever dialect it is asked: what a fixture knows of its request."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from llmtest.cassettes._interactions import Interaction, RecordedRequest, RecordedResponse
from llmtest.cassettes._reading import ANY_TIME, called, flat, spoken_to
from llmtest.types import ChatMessage, CompletionRequest, EmbeddingRequest
from llmtest.wire import Endpoint, ResponseMeta

Loose = Mapping[str, Any]
"""What a request has to say to be answered: `prompt_contains`, `system_contains` (a text or a list of them),
`input_contains`, `model` (dated ones of that name too), `tool_call_id`, `tool_result_contains`, `tool_name`,
`has_tool_result`; `occurrence` is the how-manieth request that says all the rest; `turn` (1 plus the answers in the
conversation) chooses among several that fit."""


class Asked:
    """A request, read once however many answers it is held against.

    Args:
        request: The request, of any dialect.
    """

    def __init__(self, request: RecordedRequest) -> None:
        match = spoken_to(request)
        self.call = None if match is None else called(match, request)
        asked = self.call.request if self.call is not None else None
        self.inputs = list(asked.inputs) if isinstance(asked, EmbeddingRequest) else []
        self.request = asked if isinstance(asked, CompletionRequest) else None
        self.messages: list[ChatMessage] = list(self.request.messages) if self.request is not None else []

        self.turn = 1 + sum(message.role == "assistant" for message in self.messages)

    def says(self, interaction: Interaction) -> bool:
        """Tell whether the request says what an answer is for; `occurrence` and `turn` are the caller's to judge."""
        if self.call is None or interaction.matches is None:
            return False
        match = spoken_to(interaction.request)
        gives = None if match is None or match.endpoint is None else match.endpoint.gives
        fits = interaction.response.status >= 400 or gives == self.call.endpoint.gives
        return fits and all(self._says(name, value) for name, value in interaction.matches.items())

    def _says(self, name: str, value: Any) -> bool:
        if name in {"occurrence", "turn"}:
            return True
        asked = [message.text for message in self.messages if message.role == "user" and message.text]
        told = "\n".join(message.text for message in self.messages if message.role == "system")
        texts = value if isinstance(value, list) else [value]
        result = self.messages[-1] if self.messages and self.messages[-1].role == "tool" else None
        model = (self.call.model if self.call is not None else None) or ""
        tools = self.request.tools if self.request is not None else ()
        said: dict[str, Callable[[], bool]] = {
            "prompt_contains": lambda: bool(asked) and str(value) in asked[-1],
            "system_contains": lambda: all(str(text) in told for text in texts),
            "input_contains": lambda: str(value) in " ".join(each for each in self.inputs if isinstance(each, str)),
            "model": lambda: model == value or re.fullmatch(rf"{re.escape(str(value))}-\d.*", model) is not None,
            "tool_call_id": lambda: result is not None and result.tool_call_id == value,
            "tool_result_contains": lambda: result is not None and str(value) in result.text,
            "tool_name": lambda: any(tool.name == value for tool in tools),
            "has_tool_result": lambda: self._has_tool_result() == bool(value),
        }
        return name in said and said[name]()

    def _has_tool_result(self) -> bool:
        """Tell whether a tool has answered since the user spoke last."""
        users = [at for at, message in enumerate(self.messages) if message.role == "user"]
        return any(message.role == "tool" for message in self.messages[users[-1] + 1 if users else 0 :])


def chosen(asked: Asked, fitting: list[tuple[int, Interaction]]) -> int:
    """Return which of several that fit is played: the one of this turn, else one of any turn, else the first."""
    turns = [(position, (interaction.matches or {}).get("turn")) for position, interaction in fitting]
    for wanted in (asked.turn, None):
        found = [position for position, turn in turns if turn == wanted]
        if found:
            return found[0]
    return turns[0][0]


def answer_in_kind(interaction: Interaction, asked: Asked) -> Interaction:
    """Return an answer in the dialect of the request, as a stream where it asks for one."""
    call = asked.call
    match = spoken_to(interaction.request)
    if call is None or match is None or match.endpoint is None:
        return interaction
    own, response = match.endpoint, interaction.response
    if call.endpoint.label == own.label and not call.stream:
        return interaction
    meta = ResponseMeta(number=interaction.number)
    if response.status >= 400:
        return replace(interaction, response=_error_in(call.endpoint, own, response, meta))
    answer = own.decode_answer(response.body, flat(response.headers))
    streams = call.stream and call.endpoint.streams
    headers: dict[str, list[str]] = {}
    for name, value in call.endpoint.response_headers(meta, stream=streams):
        headers.setdefault(name.lower(), []).append(value)
    events = call.endpoint.encode_stream(answer, call, meta) if streams else []
    body = b"".join(events) if streams else call.endpoint.encode_answer(answer, call, meta)
    chunks = tuple((0, len(event)) for event in events)
    return replace(interaction, response=replace(response, headers=headers, body=body, chunks=chunks))


def _error_in(endpoint: Endpoint, own: Endpoint, response: RecordedResponse, meta: ResponseMeta) -> RecordedResponse:
    error = own.decode_error(response.status, flat(response.headers), response.body, now=ANY_TIME)
    error.body = None  # its words are told in those of the other API
    status, headers, body = endpoint.encode_error(error, meta)
    return replace(response, status=status, headers={name.lower(): [value] for name, value in headers}, body=body)
