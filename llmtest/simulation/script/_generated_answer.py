"""Answers that nobody wrote, as a request wants them: words, JSON that fits its schema, a call of its tool."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from llmtest.clock import draw_bits
from llmtest.errors import ConfigurationError
from llmtest.simulation.script._generated_json import any_object, value_of
from llmtest.simulation.script._generated_text import last_user_text
from llmtest.simulation.script._generated_words import Words
from llmtest.simulation.script._reply import Reply
from llmtest.simulation.script._told_schema import FENCE, asks_in_words, told_schema, wants_fence
from llmtest.types import CompletionRequest, ToolCall, ToolDefinition

__all__ = ["Generated", "echo"]

NO_NAME = frozenset({None, "auto", "none", "required"})
"""What `tool_choice` may be beside the name of a tool."""


def echo(request: CompletionRequest) -> str:
    """Answer with the prompt."""
    return last_user_text(request)


class Generated:
    """Answers a prompt with what it asks for, seeded: the same prompt gets the same answer.

    A request that requires a tool, names one, or offers its tools by `auto` before any of them has answered, gets a
    call, with arguments by the tool's schema. One that wants JSON gets an object, and one that gives a schema, in a
    field or in the words of its prompt, gets what is valid against it. Every other gets words. Where the provider
    shows its thoughts and was asked to think, thoughts come first.

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
            schema = asks_in_words(request)
            text = self._text(words) if schema is None else _dump(value_of(schema, words))
            if schema is not None and wants_fence(request):
                text = f"{FENCE}\n{text}\n```"
        else:
            wanted = told_schema(request) if form.schema is None else form.schema
            text = _dump(any_object(words)) if wanted is None else _said(value_of(wanted, words), wanted)
        return text if thinking is None else Reply(text, thinking=thinking)

    def _text(self, words: Words) -> str:
        found = words.words(self._count)
        found[0] = found[0].capitalize()
        return " ".join(found) + "."


def _wanted_tool(request: CompletionRequest, words: Words) -> ToolDefinition | None:
    """Return the tool that is called; None where none is."""
    wanted = request.tool_choice
    if wanted in NO_NAME:
        # Whoever offers tools in so many words, and not merely has them, sees one called; then its result is answered.
        offered = wanted == "auto" and request.messages[-1].role == "user"
        tools = _allowed(request) if wanted == "required" or offered else ()
        return words.dice.choice(tools) if tools else None
    assert wanted is not None
    return next((tool for tool in request.tools if tool.name == wanted), ToolDefinition(wanted))


def _allowed(request: CompletionRequest) -> tuple[ToolDefinition, ...]:
    """Return the tools that may be called: all of them, or those that a request names in whatever API's words."""
    names: set[object] = set()
    for fields in request.extra.values():
        names.update(_named(fields.get("tool_choice")), _named(fields.get("toolConfig")))
    return tuple(tool for tool in request.tools if tool.name in names) if names else request.tools


def _named(choice: object) -> list[object]:
    """Return the names of tools in a choice among several."""
    if not isinstance(choice, dict):
        return []
    told: dict[str, Any] = choice
    for within in ("allowed_tools", "functionCallingConfig", "function_calling_config"):
        if isinstance(told.get(within), dict):
            told = told[within]
    listed = [told.get(name) for name in ("tools", "allowedFunctionNames", "allowed_function_names")]
    names = [each for tools in listed if isinstance(tools, list) for each in tools]
    return [(each.get("function") or each).get("name") if isinstance(each, dict) else each for each in names]


def _shows_thoughts(request: CompletionRequest) -> bool:
    """Tell whether a request asks, in whatever API's words, for thoughts that are shown."""
    for fields in request.extra.values():
        thinking = fields.get("thinking")
        if isinstance(thinking, dict) and thinking.get("type") in {"enabled", "adaptive"}:
            return True
    return False


def _said(value: object, schema: Mapping[str, Any]) -> str:
    """Return how a value is said: as JSON, or as it is where its schema wants a plain text."""
    is_plain = isinstance(value, str) and schema.get("contentMediaType") == "text/plain"
    return str(value) if is_plain else _dump(value)


def _dump(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
