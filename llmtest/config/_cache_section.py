"""The schema of the cache in a chain file, and the cache that it means."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import BeforeValidator, WithJsonSchema, model_validator

from llmtest.config._fields import Flag, Positive, Seconds, Share, Text
from llmtest.config._validation import Section, one_of
from llmtest.errors import ConfigurationError
from llmtest.resilience import ResponseCache, ResponseCacheConfig, SqliteCacheStore, as_embedder

if TYPE_CHECKING:
    from llmtest.resilience import CacheStore, SharedState
    from llmtest.types import Provider

__all__ = ["WORDS", "CacheSection"]

BACKENDS = ("memory", "sqlite", "disk")
WORDS = "words"
"""The embedder that needs no network."""
NAMES = {"ttl_seconds": "ttl", "cache_backend": "backend"}
"""What other systems call by another name."""
PLACE = {"enabled", "backend", "path", "embedder"}
"""Keys that are no settings of the cache itself."""


def _backend(value: Any) -> str:
    if value not in BACKENDS:
        raise ValueError(one_of("backend", value, list(BACKENDS)))
    return str(value)


def _embedder(value: Any) -> Any:
    if value != WORDS and not isinstance(value, dict):
        raise ValueError(f"`{value}` is neither `{WORDS}` nor a slot, such as `{{provider: ..., model: ...}}`")
    return value


Backend = Annotated[
    Literal["memory", "sqlite", "disk"], BeforeValidator(_backend), WithJsonSchema({"enum": list(BACKENDS)})
]
WhoEmbeds = Annotated[
    Any,
    BeforeValidator(_embedder),
    WithJsonSchema({"anyOf": [{"const": WORDS}, {"x-section": "SlotSection"}]}),
]


class CacheSection(Section):
    """Keep answers, so that an equal request need not be asked again."""

    enabled: Flag = True
    """Whether there is a cache."""
    ttl: Seconds | None = None
    """Time for which an answer is used, from when it was kept; 1h by default."""
    ttl_seconds: Seconds | None = None
    """The same by another name."""
    max_entries: Positive | None = None
    """Most answers that are kept; 1000 by default."""
    eviction_share: Share | None = None
    """Share of them that goes at once when there is no room; one answer by default."""
    exclude_fields: list[Text] | None = None
    """Fields of a request that make no difference."""
    cache_streaming: Flag | None = None
    """Whether streams are kept and replayed; true by default."""
    cache_tool_calls: Flag | None = None
    """Whether an answer that calls tools is kept; false by default."""
    cache_refusals: Flag | None = None
    """Whether a refusal is kept; false by default."""
    cache_truncated: Flag | None = None
    """Whether an answer that was cut off is kept; false by default."""
    fallback_ttl: Seconds | None = None
    """Longest time for an answer that another provider than the first gave; 60s by default, 0 does not keep it."""
    models: list[Text] | None = None
    """Models whose answers are kept; all by default."""
    tenant: Text | None = None
    """The label in a request's metadata that says whose it is; nobody gets an answer of somebody else's."""
    single_flight: Flag | None = None
    """Whether a call waits for an equal one that is under way, and takes its answer; true by default."""
    max_wait: Seconds | None = None
    """Longest time it waits before it asks by itself; 60s by default."""
    similarity_threshold: Share | None = None
    """How alike the last texts of two requests must be, where all else is equal; by default only equal ones are."""
    embedder: WhoEmbeds | None = None
    """What makes vectors of texts: `words`, which needs no network, by default; or a slot with a model that embeds."""
    version: Text | None = None
    """A name of your own; another one begins anew."""
    backend: Backend | None = None
    """Where answers are kept: in `memory`, or in a file of SQLite (`sqlite`, also called `disk`); by default where the
    chain keeps what is `shared`, else in memory."""
    cache_backend: Backend | None = None
    """The same by another name."""
    path: Text | None = None
    """The file, relative to the chain file."""

    @model_validator(mode="after")
    def _is_possible(self) -> CacheSection:
        for name, ours in NAMES.items():
            if getattr(self, name) is not None and getattr(self, ours) is not None:
                raise ValueError(f"takes `{ours}` or `{name}`, not both")
        kept = self.backend or self.cache_backend or "memory"
        if kept == "memory" and self.path is not None:
            raise ValueError("`path` belongs to `backend: sqlite`; in `memory` there is no file")
        if kept != "memory" and self.path is None:
            raise ValueError(f"`backend: {kept}` needs the `path` of its file, such as `path: answers.db`")
        try:
            self._config(None, None)
        except ConfigurationError as error:
            raise ValueError(str(error)) from None
        return self

    def cache(
        self, folder: Path | None, embedder: Provider | None, model: str | None, shared: SharedState | None = None
    ) -> ResponseCache | None:
        """Return the cache; None where it is off.

        Args:
            folder: Where a relative path begins; None: the working directory.
            embedder: What makes vectors; None: words.
            model: The model that it embeds with.
            shared: What the chain shares, where answers are kept if the section does not say.
        """
        if not self.enabled:
            return None
        store: CacheStore | None = None
        if self.path is not None:
            store = SqliteCacheStore((folder or Path()) / self.path)
        elif shared is not None and self.backend is None and self.cache_backend is None:
            store = shared.answers
        return ResponseCache(self._config(embedder, model), store=store)

    def _config(self, embedder: Provider | None, model: str | None) -> ResponseCacheConfig:
        given = {NAMES.get(key, key): value for key, value in self if value is not None and key not in PLACE}
        given.pop("backend", None)
        if self.embedder is not None:
            given.setdefault("similarity_threshold", 0.95)
        who = None if embedder is None else as_embedder(embedder)
        return ResponseCacheConfig(**given, embedder=who, embedding_model=model)
