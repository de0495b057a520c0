"""What calls would have read from a provider's cache of prompts, and written to it, if they had used one."""

from __future__ import annotations

from typing import Literal, Protocol

from llmtest.config import parse_share
from llmtest.costs import cache_blocks
from llmtest.errors import ConfigurationError
from llmtest.reporting._billed_call import BilledCall
from llmtest.types import Usage

__all__ = ["Caching", "SupposedCache", "cached_in_words", "caching_of", "prompt_cache"]

PROMPTS: Literal["prompts"] = "prompts"
Caching = float | Literal["prompts"]
"""A share of each prompt, or what the prompts themselves have in common."""

SHORTEST_CACHED = 1024
"""Prompt tokens below which nothing is kept: OpenAI's guide to prompt caching, and Anthropic's for most models."""
KEPT_NS = 300_000_000_000
"""How long a prompt is kept that nobody asks for again: five minutes, Anthropic's default and OpenAI's least."""


class SupposedCache(Protocol):
    """A cache that was not there."""

    def used(self, call: BilledCall) -> Usage:
        """Return the tokens of a call with those that it would have read and written."""
        ...

    def check(self) -> None:
        """Find, after all calls, that there was something to go by.

        Raises:
            ConfigurationError: There was not.
        """
        ...


def caching_of(text: str | float) -> Caching:
    """Return what is supposed of caching: `prompts`, or a share such as `80%`.

    Raises:
        ConfigurationError: It is neither.
    """
    if text == PROMPTS:
        return PROMPTS
    try:
        return parse_share(text)
    except ValueError as error:
        raise ConfigurationError(
            f"`--caching`: {error}, or `prompts` where files tell what was asked.\nTo fix: --caching 80%"
        ) from None


def cached_in_words(caching: Caching) -> str:
    """Return what is supposed, in words."""
    if isinstance(caching, str):
        return "with what prompts have in common in a cache"
    return f"with {caching * 100:g}% of each prompt in a cache"


def prompt_cache(caching: Caching) -> SupposedCache:
    """Return the cache that is supposed."""
    return _CommonPrompts() if isinstance(caching, str) else _CommonShare(caching)


class _CommonShare:
    """A share of each prompt is the same in all calls of a model.

    The first call writes that share, those after it read it, and the first after five minutes without any writes it
    again. Prompts below 1,024 tokens are not kept.
    """

    def __init__(self, share: float) -> None:
        self._share = share
        self._latest: dict[tuple[str, str | None], int] = {}

    def used(self, call: BilledCall) -> Usage:
        usage = call.usage
        if usage.source == "unknown":
            return usage
        shared = int(usage.input_tokens * self._share) if usage.input_tokens >= SHORTEST_CACHED else 0
        if not shared:
            return _with(usage, 0, 0)
        at_ns, key = call.time_ns or call.at_ns, (call.provider, call.model)
        latest = self._latest.get(key)
        self._latest[key] = at_ns
        is_kept = latest is not None and at_ns - latest <= KEPT_NS
        return _with(usage, shared, 0) if is_kept else _with(usage, 0, shared)

    def check(self) -> None:
        pass


class _CommonPrompts:
    """What a prompt has in common with an earlier one of the last five minutes is read, and the rest of it written.

    What of a prompt is the same is measured in estimated tokens, message by message from its beginning, and taken as
    that share of the tokens that the provider counted. Calls of which nobody tells what was asked stay as they are.
    """

    def __init__(self) -> None:
        self._kept: dict[tuple[str, str | None, bytes], int] = {}
        self._reads_any = False

    def used(self, call: BilledCall) -> Usage:
        usage = call.usage
        if call.request is None or usage.source == "unknown":
            return usage
        self._reads_any = True
        blocks = cache_blocks(call.request)
        if usage.input_tokens < SHORTEST_CACHED or not blocks:
            return _with(usage, 0, 0)
        at_ns = call.time_ns or call.at_ns
        same = 0
        for tokens, digest, _ in blocks:
            key = (call.provider, call.model, digest)
            latest = self._kept.get(key)
            if latest is not None and at_ns - latest <= KEPT_NS:
                same = tokens
            self._kept[key] = at_ns
        read = usage.input_tokens * same // blocks[-1][0]
        read = read if read >= SHORTEST_CACHED else 0
        return _with(usage, read, usage.input_tokens - read)

    def check(self) -> None:
        if not self._reads_any:
            raise ConfigurationError(
                "`--caching prompts` goes by what was asked, which cassettes tell, and no other file does.\n"
                "To fix: --caching 80%"
            )


def _with(usage: Usage, read: int, write: int) -> Usage:
    """Return tokens of which so many are read and written; `replace` would take three times as long."""
    return Usage(
        usage.input_tokens,
        usage.output_tokens,
        read,
        write,
        usage.reasoning_tokens,
        usage.source,
        0,
        usage.input_audio_tokens,
        usage.output_audio_tokens,
        usage.server_tools,
        None,
        usage.input_image_tokens,
        usage.output_image_tokens,
    )
