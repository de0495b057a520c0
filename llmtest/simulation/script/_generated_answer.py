"""Answers that nobody wrote, as a request wants them: words, JSON that fits its schema, a call of its tool."""

from __future__ import annotations

import json
from typing import Any

from llmtest.clock import draw_bits
from llmtest.errors import ConfigurationError
from llmtest.simulation.script._generated_json import any_object, value_of
from llmtest.simulation.script._generated_text import last_user_text
from llmtest.simulation.script._generated_words import Words
from llmtest.simulation.script._reply import Reply
from llmtest.types import CompletionRequest, ToolCall, ToolDefinition

__all__ = ["Generated", "echo"]

MOST_BRACES = 50
"""How many places of a prompt are looked at for a schema."""

NO_NAME = frozenset({None, "auto", "none", "required"})
"""What `tool_choice` may be beside the name of a tool."""


def echo(request: CompletionRequest) -> str:
    """Answer with the prompt."""
    return last_user_text(request)


class Generated:
    """Answers a prompt with what it asks for, seeded: the same prompt gets the same answer.

    A request that requires a tool, or names one, gets a call of it, with arguments by the tool's schema. One that wants
    JSON gets an object, and one that gives a schema gets what is valid against it. Every other gets words. Where the
    provider shows its thoughts and was asked to think, thoughts come first.

    Args:
        seed: Seed of the answers.
        words: How many words a text has; 1 or more.

    Raises:
        ConfigurationError: `words` is below 1.
    """

    def __init__(self, seed: int, words: int) -> None:
        if words < 1:
            raise ConfigurationError(f"generates: words must be 1 or more, got {words}.\n\nTo fix: generates(words=40)")
        self._seed = seed
        self._count = words

    def __call__(self, request: CompletionRequest) -> str | Reply:
        """Answer a request."""
        return self.choice(request, 0)

    def choice(self, request: CompletionRequest, number: int) -> str | Reply:
        """Answer a request that wants several answers.

        Args:
            request: The request.
            number: Which of its answers, from 0; each is another one.

        Raises:
            SchemaError: Its schema has no value that could be found.
        """
        which = (number,) if number else ()
        words = Words(draw_bits(self._seed, last_user_text(request), len(request.messages), *which))
        tool = _wanted_tool(request, words)
        thinking = self._text(words) if _shows_thoughts(request) else None
        if tool is not None:
            arguments = _dump(value_of(tool.parameters, words))
            return Reply(tool_calls=(ToolCall("", tool.name, arguments),), thinking=thinking)
        form = request.response_format
        if form is None or form.type == "text":
            text = self._text(words)
        else:
            schema = _told_schema(request) if form.schema is None else form.schema
            text = _dump(any_object(words) if schema is None else value_of(schema, words))
        return text if thinking is None else Reply(text, thinking=thinking)

    def _text(self, words: Words) -> str:
        found = words.words(self._count)
        found[0] = found[0].capitalize()
        return " ".join(found) + "."


def _wanted_tool(request: CompletionRequest, words: Words) -> ToolDefinition | None:
    """Return the tool that must be called; None where nothing must."""
    wanted = request.tool_choice
    if wanted in NO_NAME:
        return words.dice.choice(request.tools) if wanted == "required" and request.tools else None
    assert wanted is not None
    return next((tool for tool in request.tools if tool.name == wanted), ToolDefinition(wanted))


def _shows_thoughts(request: CompletionRequest) -> bool:
    """Tell whether a request asks, in whatever API's words, for thoughts that are shown."""
    for fields in request.extra.values():
        thinking = fields.get("thinking")
        if isinstance(thinking, dict) and thinking.get("type") in {"enabled", "adaptive"}:
            return True
    return False


def _told_schema(request: CompletionRequest) -> dict[str, Any] | None:
    """Return the schema of an object that the words of a prompt hold, as libraries write it for any JSON; else None."""
    decoder = json.JSONDecoder()
    for message in request.messages:
        text = message.text if message.role in {"system", "user"} else ""
        place = text.find("{")
        for _ in range(MOST_BRACES):
            if place < 0:
                break
            try:
                found, end = decoder.raw_decode(text, place)
            except ValueError:
                found, end = None, place + 1
            if isinstance(found, dict) and isinstance(found.get("properties"), dict):
                return found
            place = text.find("{", end)
    return None


def _dump(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
