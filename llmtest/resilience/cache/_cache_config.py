"""The settings of a cache."""

from __future__ import annotations

import math
from collections.abc import Collection
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Self

from llmtest.errors import ConfigurationError
from llmtest.resilience.cache._cache_key import check_excluded
from llmtest.resilience.cache._embedder import WordEmbedder, as_embedder
from llmtest.types._spelling import settings_tell_near_arguments

if TYPE_CHECKING:
    from llmtest.resilience.cache._embedder import Embedder

__all__ = ["ResponseCacheConfig"]

CAPACITY = {"max_entries", "eviction_share", "single_flight", "max_wait"}
"""Settings that change nothing about which answer a request may get."""


@settings_tell_near_arguments
@dataclass(frozen=True, slots=True, kw_only=True)
class ResponseCacheConfig:
    """Which answers are kept, for whom, and how long.

    An answer is kept for requests that are equal in everything that could change it: model, messages with all their
    parts, tools, schema, every parameter, fields of one API alone (`extra`), and who is asked. What labels a request
    (`metadata`), names it (`idempotency_key`), or sets its price and speed (`service_tier`) is no part of that, nor
    whether it is streamed.

    Errors and empty answers are never kept. Answers of one configuration are not used by another: whoever changes a
    setting here begins anew, also where the store is a file.

    Args:
        ttl: Seconds for which an answer is used, from the moment it was kept; more than 0, infinite keeps it for ever.
        max_entries: Most answers that are kept; 1 or more. The one that was used least recently goes first.
        exclude_fields: Fields of a request that make no difference: an argument of `CompletionRequest` (`seed`), a
            field of an API wherever it is (`user`), or of one API alone (`extra.<dialect>.<field>`).
        eviction_share: Share of `max_entries` that goes at once when there is no room; from 0 (one answer) to below 1.
        cache_streaming: Whether streams are kept and replayed, piece by piece; else they pass by the cache.
        cache_tool_calls: Whether an answer that calls tools is kept.
        cache_refusals: Whether a refusal, or an answer that a content filter cut off, is kept.
        cache_truncated: Whether an answer that was cut off at `max_tokens` is kept.
        fallback_ttl: Most seconds for an answer that another provider than the first gave, so that the first one is
            asked again soon; 0 or more, 0 does not keep it.
        models: Models whose answers are kept, as they are asked for; None: all.
        tenant: The label in `CompletionRequest.metadata` that says whose request it is; nobody gets an answer that
            somebody else asked for. None: all requests are of one tenant.
        single_flight: Whether a call waits for an equal one that is under way, and takes its answer.
        max_wait: Most seconds for which it waits before it asks by itself; more than 0.
        similarity_threshold: How alike the last messages of the user must be, where all else is equal, for one to get
            the other's answer; the cosine of their vectors, above 0 up to 1. None: only equal requests do, unless there
            is an `embedder`, with which it is 0.95.
        embedder: What makes vectors of texts: a provider that embeds, or anything with the methods of `Embedder`; by
            default `WordEmbedder()`, which needs no network.
        embedding_model: The model that a provider embeds with.
        version: A name of your own; another one begins anew.

    Raises:
        ConfigurationError: A value outside its range, or a field that no request has.

    Example:
        >>> ResponseCacheConfig().ttl, ResponseCacheConfig.llmkit().max_entries
        (3600.0, 10000)
    """

    ttl: float = 3600.0
    max_entries: int = 1000
    exclude_fields: Collection[str] = ()
    eviction_share: float = 0.0
    cache_streaming: bool = True
    cache_tool_calls: bool = False
    cache_refusals: bool = False
    cache_truncated: bool = False
    fallback_ttl: float = 60.0
    models: Collection[str] | None = None
    tenant: str | None = None
    single_flight: bool = True
    max_wait: float = 60.0
    similarity_threshold: float | None = None
    embedder: Embedder | None = None
    embedding_model: str | None = None
    version: str = ""

    def __post_init__(self) -> None:
        for name in ("ttl", "max_wait"):
            self._check(name, getattr(self, name) > 0, "more than 0 seconds")
        self._check("max_entries", self.max_entries >= 1 and int(self.max_entries) == self.max_entries, "1 or more")
        self._check("eviction_share", 0 <= self.eviction_share < 1, "a share from 0 to below 1, such as 0.1")
        self._check("fallback_ttl", self.fallback_ttl >= 0, "0 or more seconds")
        threshold = self.similarity_threshold
        self._check("similarity_threshold", threshold is None or 0 < threshold <= 1, "above 0 and up to 1")
        for name in ("exclude_fields", "models"):
            given = getattr(self, name)
            if isinstance(given, str):
                raise ConfigurationError(f"{name} holds several names, got the text {given!r}.\nTo fix: [{given!r}]")
            if given is not None:
                object.__setattr__(self, name, tuple(sorted(set(given))))
        check_excluded(self.exclude_fields)
        if self.embedder is not None:
            object.__setattr__(self, "embedder", as_embedder(self.embedder))
            if threshold is None:
                object.__setattr__(self, "similarity_threshold", 0.95)
        elif threshold is not None:
            object.__setattr__(self, "embedder", WordEmbedder())

    def _check(self, name: str, is_right: bool, legal: str) -> None:
        if not is_right:
            raise ConfigurationError(f"{name} must be {legal}, got {getattr(self, name)}")

    @classmethod
    def ironclaw(cls) -> Self:
        """Return IronClaw's settings: an hour, 1,000 answers, no streams, nothing of a fallback's kept for less."""
        return cls(cache_streaming=False, fallback_ttl=3600.0)

    @classmethod
    def llmkit(cls) -> Self:
        """Return llmkit's settings: an hour, 10,000 answers, of which a tenth goes when there is no room."""
        return cls(max_entries=10_000, eviction_share=0.1)

    @property
    def is_semantic(self) -> bool:
        """Whether a request that is only alike gets an answer."""
        return self.similarity_threshold is not None

    @property
    def surplus(self) -> int:
        """How many answers go at once when there is no room; at least one."""
        return max(1, math.floor(self.max_entries * self.eviction_share))

    @property
    def fingerprint(self) -> str:
        """What it says about which answer a request may get, as a text; another text is another cache."""
        said = {field.name: getattr(self, field.name) for field in fields(self) if field.name not in CAPACITY}
        if self.embedder is not None:
            said["embedder"] = self.embedder.name
        return repr(sorted(said.items()))
