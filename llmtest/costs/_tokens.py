"""How many tokens a text has: an estimate that is the same on every machine, and other counts on request.

Simulations use the estimate everywhere, so that installing a tokenizer changes no result. Exact counts need the extra
`[tokens]` and are only made when asked for, by an argument or by `use_tokenizer`.
"""

from __future__ import annotations

import json
from dataclasses import replace
from hashlib import blake2b
from typing import TYPE_CHECKING

from llmtest.costs._tokenizers import Tokenizer, active, find_tokenizer, quick_tokenizer
from llmtest.types import (
    ChatMessage,
    FilePart,
    ImagePart,
    OpaquePart,
    RefusalPart,
    TextPart,
    ThinkingPart,
    ToolCall,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from llmtest.types import CacheTtl, CompletionRequest, ContentPart, ToolDefinition

__all__ = ["cache_blocks", "count_tokens", "estimate_prompt_tokens", "estimate_request_tokens"]

ROLE_TOKENS = 1
FRAMING_TOKENS = 3
MESSAGE_TOKENS = ROLE_TOKENS + FRAMING_TOKENS
IMAGE_TOKENS = 85
AUDIO_TOKENS = 200
FILE_TOKENS = 3000
VIDEO_TOKENS = 300


def count_tokens(
    text: str, model: str | None = None, *, exact: bool = False, tokenizer: str | Tokenizer | None = None
) -> int:
    """Count the tokens of a text.

    The default is an estimate, one token for every four characters, rounded up. It reads nothing but the text's
    length: it costs nothing, is the same on every machine, and is what simulated providers bill. It is no upper
    bound: Chinese, code and base64 have more tokens than a quarter of their characters; `most_tokens` is one.
    `use_tokenizer` puts another counter in its place.

    Args:
        text: The text.
        model: Model whose vocabulary counts; only used by exact counts. Default: `o200k_base`, that of OpenAI's
            models since GPT-4o. A name of an encoding (`cl100k_base`, `llama3`, `qwen3`) is accepted too.
        exact: Whether to count with the model's own vocabulary, which needs the extra `[tokens]`.
        tokenizer: What counts, as for `use_tokenizer`; default: what is in use, which is the estimate if nothing else.

    Raises:
        ConfigurationError: An exact count was asked for, and the extra is not installed or the model's vocabulary is
            not public; or there is no such tokenizer.

    Example:
        >>> count_tokens("Capital of France?")
        5
    """
    if exact:
        return quick_tokenizer(model or "o200k_base").count(text)
    count = active.count
    if tokenizer is not None:
        found = find_tokenizer(tokenizer)
        count = None if found is None else found.count
    return (len(text) + 3) >> 2 if count is None else count(text)


def estimate_request_tokens(request: CompletionRequest) -> int:
    """Estimate the prompt tokens of a request.

    Each message counts its text plus 1 for the role and 3 for the framing; an image counts 85, audio 200, video 300;
    a tool call counts its name and arguments, a tool definition its name, description and schema as compact JSON.
    What a dialect may leave out or write with other spaces is not counted, so that client and provider agree.

    Args:
        request: The request.

    Example:
        >>> from llmtest.types import CompletionRequest
        >>> estimate_request_tokens(CompletionRequest.ask("Capital of France?"))
        9
    """
    total = 0
    is_plain = active.count is None
    for message in request.messages:
        content = message.content
        if is_plain and content.__class__ is str and not message.tool_calls:
            total += MESSAGE_TOKENS + ((len(content) + 3) >> 2)
        else:
            total += _message_tokens(message)
    for tool in request.tools:
        total += _tool_tokens(tool)
    return total


def estimate_prompt_tokens(texts: Sequence[str]) -> int:
    """Estimate the prompt tokens of a request whose messages are nothing but texts, as `estimate_request_tokens` does.

    Args:
        texts: The text of each message.
    """
    total = MESSAGE_TOKENS * len(texts)
    if active.count is not None:
        return total + sum(map(count_tokens, texts))
    for text in texts:
        total += (len(text) + 3) >> 2
    return total


def cache_blocks(request: CompletionRequest) -> list[tuple[int, bytes, CacheTtl | None]]:
    """Return the beginnings of a prompt that a provider's cache can keep: tools first, then message by message.

    Each is told by the tokens up to its end, a digest of all that is said up to there, and for how long a mark at its
    end asks to keep it; None: there is no mark. Anthropic's mark of a whole request stands at the end of the prompt.

    Args:
        request: The request.
    """
    found: list[tuple[int, bytes, CacheTtl | None]] = []
    said = blake2b(digest_size=16)
    total = 0
    for tool in request.tools:
        total += _tool_tokens(tool)
        said.update(repr((tool.name, tool.description, tool.parameters)).encode())
        found.append((total, said.digest(), tool.cache_ttl))
    for message in request.messages:
        content = message.content
        said.update(f"{message.role}:".encode())
        parts: Sequence[ContentPart] = content if isinstance(content, tuple) else (TextPart(content or ""),)
        for place, part in enumerate(parts):
            total += _part_tokens(part) + (0 if place else MESSAGE_TOKENS)
            said.update(repr(_unmarked(part)).encode())
            found.append((total, said.digest(), getattr(part, "cache_ttl", None)))
        for call in message.tool_calls:
            total += _call_tokens(call)
            said.update(repr((call.id, call.name, call.arguments)).encode())
            found.append((total, said.digest(), None))
    for fields in request.extra.values():
        control = fields.get("cache_control")
        if isinstance(control, dict) and found:
            tokens, digest, _ = found[-1]
            found[-1] = (tokens, digest, "1h" if control.get("ttl") == "1h" else "5m")
    return found


def _unmarked(part: ContentPart) -> ContentPart:
    return replace(part, cache_ttl=None) if getattr(part, "cache_ttl", None) else part  # type: ignore[arg-type]  # whatever has a mark can be without it


def _message_tokens(message: ChatMessage) -> int:
    total = MESSAGE_TOKENS
    content = message.content
    if isinstance(content, str):
        total += count_tokens(content)
    elif content is not None:
        total += sum(map(_part_tokens, content))
    for call in message.tool_calls:
        total += _call_tokens(call)
    return total


def _call_tokens(call: ToolCall) -> int:
    return FRAMING_TOKENS + count_tokens(call.name) + count_tokens(_arguments(call.arguments))


def _arguments(text: str) -> str:
    """Return arguments as compact JSON, as a dialect that carries them as an object has them; other text as it is."""
    try:
        return _compact(json.loads(text or "{}"))
    except ValueError:
        return text


def _part_tokens(part: ContentPart) -> int:
    if isinstance(part, TextPart | ThinkingPart | RefusalPart):
        return count_tokens(part.text)
    if isinstance(part, ToolCall):
        return _call_tokens(part)
    if isinstance(part, FilePart):
        said = part.data if part.text is None else part.text
        return FILE_TOKENS if said is None else count_tokens(said)
    if isinstance(part, OpaquePart):
        return _opaque_tokens(part)
    return IMAGE_TOKENS if isinstance(part, ImagePart) else AUDIO_TOKENS


def _opaque_tokens(part: OpaquePart) -> int:
    kind = str(part.data.get("type", ""))
    if "image" in kind:
        return IMAGE_TOKENS
    if "audio" in kind:
        return AUDIO_TOKENS
    if "video" in kind:
        return VIDEO_TOKENS
    return count_tokens(_compact(part.data))


def _tool_tokens(tool: ToolDefinition) -> int:
    return FRAMING_TOKENS + count_tokens(tool_text(tool))


def tool_text(tool: ToolDefinition) -> str:
    """Return what is counted of a tool: its name, its description, and its schema as compact JSON."""
    return f"{tool.name}{tool.description or ''}{_compact(tool.parameters)}"


def _compact(data: object) -> str:
    return json.dumps(data, separators=(",", ":"), default=str)
