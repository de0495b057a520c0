"""How many tokens a prompt can have at most, by whatever vocabulary of bytes: what budgets set aside.

A vocabulary of bytes never has more tokens than bytes, so Chinese, Arabic and emoji count each of their bytes. Of
lower-case letters and spaces three bytes count as two tokens, which text made of random letters does not exceed in any
public vocabulary (it has up to 0.67 a letter, English up to 0.35). Digits, capitals and punctuation count one each:
some vocabularies split numbers into digits. The figures are in the explanation of money, and the script that measured
them is `benchmarks/token_estimates.py`.
"""

from __future__ import annotations

from collections.abc import Callable
from json import dumps
from typing import TYPE_CHECKING

from llmtest.costs._tokenizers import Tokenizer
from llmtest.costs._tokens import MESSAGE_TOKENS, tool_text
from llmtest.types import FilePart, ImagePart, OpaquePart, RefusalPart, TextPart, ThinkingPart, ToolCall

if TYPE_CHECKING:
    from llmtest.types import ChatMessage, CompletionRequest, ContentPart

__all__ = ["most_request_tokens", "most_tokens"]

EASY = b"abcdefghijklmnopqrstuvwxyz "
"""Bytes that come several to a token in every vocabulary."""

TEMPLATE_TOKENS = 35
"""What is written around a conversation and billed with it: a beginning of the answer, and the words that the templates
of open models put before it (Llama 3's have most of those in the recordings, 35)."""
TOOLS_TOKENS = 530
"""The words with which Anthropic explains to its models that there are tools, of the model that needs most of them."""
TOOL_TOKENS = 16
"""Words around a tool or a call, in the form in which models are told of it."""
IMAGE_TOKENS = 1_600
"""The largest picture as Anthropic counts it; OpenAI's largest has 1,445 with GPT-4o."""
FILE_TOKENS = 3_000
"""A page of a document, as a picture and as text."""
BYTES_A_PAGE = 5_000
"""Letters of base64 for each page of a document, of text alone."""
MOST_PAGES = 600
"""Pages of a document that a provider takes at most."""
SOUND_BYTES = 32
"""Letters of base64 for each token of sound: 32 tokens a second, of the lowest quality that is in use."""


def most_tokens(text: str) -> int:
    """Return how many tokens a text can have at most.

    Args:
        text: The text.

    Example:
        >>> most_tokens("Capital of France?"), most_tokens("法国的首都?")
        (13, 16)
    """
    data = text.encode("utf-8", "surrogatepass")
    size = len(data)
    return size - (size - len(data.translate(None, EASY))) // 3


def most_request_tokens(request: CompletionRequest, tokenizer: Tokenizer | None = None) -> int:
    """Return how many tokens the prompt of a request can have at most.

    Args:
        request: The request.
        tokenizer: What counts texts: its `most(text)` if it has that, else its `count(text)`, which then has to be
            the count of the model that is asked; None: `most_tokens`.
    """
    count = most_tokens if tokenizer is None else getattr(tokenizer, "most", tokenizer.count)
    total = TEMPLATE_TOKENS
    for message in request.messages:
        content = message.content
        if content.__class__ is str and not message.tool_calls:
            total += MESSAGE_TOKENS + count(content)
        else:
            total += _message_tokens(message, count)
    if request.tools:
        total += TOOLS_TOKENS + sum(TOOL_TOKENS + count(tool_text(tool)) for tool in request.tools)
    form = request.response_format
    if form is not None and form.schema is not None:
        total += TOOLS_TOKENS + TOOL_TOKENS + count(dumps(form.schema, default=str))
    return total


def _message_tokens(message: ChatMessage, count: Callable[[str], int]) -> int:
    content = message.content
    total = MESSAGE_TOKENS + sum(_call_tokens(call, count) for call in message.tool_calls)
    if isinstance(content, str):
        return total + count(content)
    return total + sum(_part_tokens(part, count) for part in content or ())


def _call_tokens(call: ToolCall, count: Callable[[str], int]) -> int:
    return TOOL_TOKENS + count(call.name) + count(call.arguments)


def _part_tokens(part: ContentPart, count: Callable[[str], int]) -> int:
    if isinstance(part, TextPart | ThinkingPart | RefusalPart):
        return count(part.text)
    if isinstance(part, ToolCall):
        return _call_tokens(part, count)
    if isinstance(part, FilePart):
        return _file_tokens(part, count)
    if isinstance(part, OpaquePart):
        return max(IMAGE_TOKENS, count(str(part.data)))
    if isinstance(part, ImagePart):
        return IMAGE_TOKENS
    return max(FILE_TOKENS, len(part.data or "") // SOUND_BYTES)


def _file_tokens(part: FilePart, count: Callable[[str], int]) -> int:
    if part.text is not None:
        return count(part.text)
    return FILE_TOKENS * min(1 + len(part.data or "") // BYTES_A_PAGE, MOST_PAGES)
