"""What Anthropic refuses beyond wrong types: unknown fields, and calls and results that do not belong together."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from llmtest.wire._headers import header
from llmtest.wire.anthropic._checks import refuse

_KNOWN = frozenset(
    {"max_tokens", "messages", "model", "cache_control", "container", "diagnostics", "inference_geo", "metadata"}
    | {"output_config", "service_tier", "speed", "stop_sequences", "stream", "system", "thinking", "tool_choice"}
    | {"tools", "user_profile_id", "workspace_id", "temperature", "top_p", "top_k"}
)
_BETA = _KNOWN | frozenset(
    {"billing_policy", "compaction", "context_management", "fallback_credit_token", "fallbacks", "mcp_servers"}
    | {"output_format", "thread"}
)
"""With a header `anthropic-beta`, whatever it names."""
_BETA_NAME = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*-20\d\d-?\d\d-?\d\d")
LEAST_BUDGET = 1024
CONSULT = (
    "Please consult our documentation at "
    "https://docs.claude.com/en/docs/build-with-claude/extended-thinking#max-tokens-and-context-window-size"
)
_EMPTY = "text content blocks must be non-empty"
_MESSAGE = frozenset({"role", "content"})
_BLOCKS: Mapping[str, frozenset[str]] = {
    "text": frozenset({"type", "text", "cache_control", "citations"}),
    "thinking": frozenset({"type", "thinking", "signature"}),
    "redacted_thinking": frozenset({"type", "data"}),
    "tool_use": frozenset({"type", "id", "name", "input", "cache_control", "caller"}),
    "tool_result": frozenset({"type", "tool_use_id", "content", "is_error", "cache_control"}),
}
"""Fields of the commonest blocks."""


def check_strictly(body: Mapping[str, Any], headers: Mapping[str, str], *, is_plain: bool) -> None:
    """Check what Anthropic checks beyond the types of the fields.

    Args:
        body: A request that `check` let through.
        headers: What came with it; `anthropic-beta` allows more fields.
        is_plain: Whether its messages are nothing but roles and texts.

    Raises:
        WireFormatError: Anthropic would refuse it.
    """
    betas = headers.get("anthropic-beta")
    if betas is not None:
        check_betas(betas)
    if not body.keys() <= _KNOWN:
        known = _KNOWN if betas is None else _BETA
        unknown = next((name for name in body if name not in known), None)
        if unknown is not None:
            raise _extra(unknown)
    if "tool_choice" in body or "thinking" in body:
        _check_options(body, headers)
    if body.get("service_tier") not in (None, "auto", "standard_only"):
        raise refuse("service_tier: Input should be 'auto' or 'standard_only'")
    _check_said(body)
    if is_plain:
        return
    for index, message in enumerate(body["messages"]):
        if not message.keys() <= _MESSAGE:
            raise _extra(f"messages.{index}.{next(name for name in message if name not in _MESSAGE)}")
        for position, block in enumerate(_blocks(message)):
            _check_block(f"messages.{index}.content.{position}", block)
    thread = body.get("thread")
    _check_calls(body["messages"], goes_on=isinstance(thread, dict) and thread.get("type") == "continue")


def wrong_betas(betas: str) -> list[str]:
    """Return what in a header is no name of a beta."""
    return [name for name in map(str.strip, betas.split(",")) if name and not _BETA_NAME.fullmatch(name)]


def check_betas(betas: str) -> None:
    """Check the names of betas: words and a date. Which there are changes by the week, and is not looked at.

    Raises:
        WireFormatError: One of them is no name of a beta.
    """
    wrong = wrong_betas(betas)
    if wrong:
        listed = ", ".join(f"`{name}`" for name in wrong)
        raise refuse(
            f"Unexpected value(s) {listed} for the `anthropic-beta` header. Please consult our documentation at "
            "docs.claude.com or try again without the header."
        )


def _check_options(body: Mapping[str, Any], headers: Mapping[str, str]) -> None:
    """Check that a choice has tools to choose from, and that thoughts leave room for an answer."""
    choice = body.get("tool_choice")
    if isinstance(choice, dict) and not body.get("tools"):
        raise refuse(f"tool_choice.{choice.get('type')} may only be specified while providing tools")
    thinking = body.get("thinking")
    budget = thinking.get("budget_tokens") if isinstance(thinking, dict) else None
    if type(budget) is not int:
        return
    if budget < LEAST_BUDGET:
        raise refuse(f"thinking.enabled.budget_tokens: Input should be greater than or equal to {LEAST_BUDGET}")
    # Thoughts between calls of tools (beta) may add up to more than one answer.
    if budget >= body.get("max_tokens", budget + 1) and "interleaved" not in (header(headers, "anthropic-beta") or ""):
        raise refuse("`max_tokens` must be greater than `thinking.budget_tokens`. " + CONSULT)


def _check_said(body: Mapping[str, Any]) -> None:
    """Check that everybody says something; only the beginning of the answer may be empty."""
    system = body.get("system")
    if isinstance(system, list) and any(block["text"] == "" for block in system):
        raise refuse(f"system: {_EMPTY}")
    messages = body["messages"]
    for index, message in enumerate(messages):
        content = message["content"]
        if not content:
            if index == len(messages) - 1 and message["role"] == "assistant":
                return
            who = "user messages" if message["role"] == "user" else "all messages"
            but = "" if who == "user messages" else " except for the optional final assistant message"
            raise refuse(f"messages.{index}: {who} must have non-empty content{but}")
        texts = (content,) if isinstance(content, str) else [_text_of(block) for block in content]
        for text in texts:
            if text == "":
                raise refuse(f"messages: {_EMPTY}")
            if text is not None and text.isspace():
                raise refuse("messages: text content blocks must contain non-whitespace text")


def _text_of(block: Mapping[str, Any]) -> str | None:
    text = block.get("text") if block["type"] == "text" else None
    return text if isinstance(text, str) else None


def _extra(place: str) -> Exception:
    return refuse(f"{place}: Extra inputs are not permitted")


def _blocks(message: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    content = message["content"]
    return content if isinstance(content, list) else ()


def _check_block(at: str, block: Mapping[str, Any]) -> None:
    kind = block["type"]
    known = _BLOCKS.get(kind)
    if known is not None and not block.keys() <= known:
        raise _extra(f"{at}.{kind}.{next(name for name in block if name not in known)}")
    if kind == "thinking":
        if "signature" not in block:
            raise refuse(f"{at}.thinking.signature: Field required")
        if not block["signature"]:
            raise refuse(f"{at}: Invalid `signature` in `thinking` block")


def _check_calls(messages: Sequence[Mapping[str, Any]], *, goes_on: bool) -> None:
    """Check that every call of a tool has its result in the next turn, and every result its call in the turn before.

    A thread that goes on (beta) sends the new turns alone: the calls before the first of them are with the provider.
    """
    called: list[str] = []
    first = messages[0] if goes_on else None
    for index, turn in _turns(messages):
        found = [
            (number, position, block) for number, message in turn for position, block in enumerate(_blocks(message))
        ]
        results = [each for each in found if each[2]["type"] == "tool_result"]
        for number, position, block in results:
            if block.get("tool_use_id") not in called and turn[0][1] is not first:
                raise refuse(
                    f"messages.{number}.content.{position}: unexpected `tool_use_id` found in `tool_result` blocks: "
                    f"{block.get('tool_use_id')}. Each `tool_result` block must have a corresponding `tool_use` block "
                    "in the previous message."
                )
        answered = {block.get("tool_use_id") for _, _, block in results}
        _check_answered([each for each in called if each not in answered], index)
        called = [str(block.get("id")) for _, _, block in found if block["type"] == "tool_use"]
    _check_answered(called, len(messages))


def _turns(messages: Sequence[Mapping[str, Any]]) -> Iterator[tuple[int, list[tuple[int, Mapping[str, Any]]]]]:
    """Yield messages in a row of one role, which Anthropic takes as one turn, each with its number."""
    turn: list[tuple[int, Mapping[str, Any]]] = []
    for number, message in enumerate(messages):
        if turn and turn[-1][1]["role"] != message["role"]:
            yield turn[0][0], turn
            turn = []
        turn.append((number, message))
    yield turn[0][0], turn


def _check_answered(waiting: Sequence[str], index: int) -> None:
    """Refuse calls without results; the message of the calls is the one before `index`."""
    if waiting:
        raise refuse(
            f"messages.{index - 1}: `tool_use` ids were found without `tool_result` blocks immediately after: "
            f"{', '.join(waiting)}. Each `tool_use` block must have a corresponding `tool_result` block in the next "
            "message."
        )
