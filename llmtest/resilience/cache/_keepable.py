"""Which answers may be kept: whole ones, that the model finished by itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

from llmtest.types import CompletionResponse, FinishReason, RefusalPart, TextPart, ToolCall

if TYPE_CHECKING:
    from llmtest.resilience.cache._cache_config import ResponseCacheConfig

__all__ = ["is_keepable"]


def is_keepable(response: CompletionResponse, config: ResponseCacheConfig) -> bool:
    """Tell whether an answer may be given again.

    An answer without content, and one whose end nobody knows (no reason, or one that means nothing to us), never may;
    of several answers each one has to.
    """
    reason = response.finish_reason
    if reason is FinishReason.LENGTH:
        is_whole = config.cache_truncated
    elif reason in (FinishReason.CONTENT_FILTER, FinishReason.REFUSAL):
        is_whole = config.cache_refusals
    elif reason is FinishReason.TOOL_USE:
        is_whole = config.cache_tool_calls
    else:
        is_whole = reason is FinishReason.STOP
    if not is_whole:
        return False
    has_content = False
    for part in response.parts:
        if isinstance(part, RefusalPart) and not config.cache_refusals:
            return False
        if isinstance(part, ToolCall) and not part.server and not config.cache_tool_calls:
            return False
        has_content = has_content or not isinstance(part, TextPart) or bool(part.text.strip())
    return has_content and all(is_keepable(other, config) for other in response.alternatives)
