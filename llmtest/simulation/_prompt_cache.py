"""What a provider keeps of prompts that are marked for its cache, and for how long: five minutes, or an hour."""

from __future__ import annotations

from dataclasses import replace

from llmtest.costs import cache_blocks
from llmtest.types import CompletionRequest, Usage

__all__ = ["PromptCache", "as_asked"]

LEAST_TOKENS = 1024
"""A shorter prompt is not kept, whatever its marks say. Some models want more; this is the least that any does."""

NANOSECONDS = {"5m": 300 * 10**9, "1h": 3600 * 10**9}
MOST_KEPT = 4096


class PromptCache:
    """Beginnings of prompts, by what they say. What is read again is kept for as long again."""

    def __init__(self) -> None:
        self._kept: dict[tuple[str | None, bytes], int] = {}

    def count(self, usage: Usage, request: CompletionRequest, model: str | None, now_ns: int) -> Usage:
        """Return a usage with what of the prompt was read from the cache, and what was written to it.

        Args:
            usage: Tokens, without those of a cache.
            request: The request, with its marks.
            model: The model; each has a cache of its own.
            now_ns: The time, in nanoseconds.
        """
        blocks = cache_blocks(request)
        last = max((place for place, (_, _, ttl) in enumerate(blocks) if ttl is not None), default=-1)
        read = written = hour = 0
        for tokens, digest, _ in blocks[: last + 1]:
            if self._kept.get((model, digest), -1) >= now_ns:
                read = tokens
        told = read
        for tokens, digest, ttl in blocks[: last + 1]:
            if ttl is None or tokens < LEAST_TOKENS:
                continue
            self._keep((model, digest), now_ns + NANOSECONDS[ttl])
            if tokens > told:
                written += tokens - told
                hour += tokens - told if ttl == "1h" else 0
                told = tokens
        return replace(usage, cache_read_tokens=read, cache_write_tokens=written, cache_write_1h_tokens=hour)

    def _keep(self, key: tuple[str | None, bytes], until_ns: int) -> None:
        kept = self._kept
        kept[key] = max(until_ns, kept.pop(key, 0))
        if len(kept) > MOST_KEPT:
            del kept[next(iter(kept))]


def as_asked(usage: Usage, request: CompletionRequest) -> Usage:
    """Return a usage that a test says, with the writes that the request wants kept for an hour counted as such.

    A usage that tells the kinds of writes itself stays as it is, and so does one whose request wants both kinds.
    """
    if not usage.cache_write_tokens or usage.cache_write_1h_tokens:
        return usage
    wanted = {ttl for _, _, ttl in cache_blocks(request) if ttl is not None}
    return replace(usage, cache_write_1h_tokens=usage.cache_write_tokens) if wanted == {"1h"} else usage
