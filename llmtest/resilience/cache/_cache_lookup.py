"""One call's look into the cache: what is found for it, and what is kept of its answer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from llmtest.events import AttemptEnded, CacheFailed, publish
from llmtest.resilience.cache._cached_answer import NEVER_NS, CachedAnswer, own_copy, own_event
from llmtest.resilience.cache._keepable import is_keepable
from llmtest.resilience.cache._similarity import normal
from llmtest.resilience.pipeline._open_stream import OpenStream
from llmtest.resilience.pipeline._sync_async import BLOCKING
from llmtest.types import Attempt, CompletionResponse, EmbeddingRequest

if TYPE_CHECKING:
    from llmtest.resilience.cache._cache_key import Space
    from llmtest.resilience.cache._response_cache import ResponseCache
    from llmtest.resilience.pipeline._running_call import RunningCall

__all__ = ["EMBEDDING", "Lookup"]

NS = 1_000_000_000
EMBEDDING = "embedding"
"""The purpose of a request that makes a vector."""


class Lookup:
    """What a call has to do with the cache. Whatever fails in there, the call goes on without it.

    Args:
        cache: The cache.
        call: The call.
        key: What its request has in common with those that get the same answer.
        first: Who is asked first; None where that is not known.
    """

    __slots__ = ("_first", "_space", "_vector", "cache", "call", "key", "now_ns", "similarity")

    def __init__(self, cache: ResponseCache, call: RunningCall, key: str, first: str | None) -> None:
        self.cache = cache
        self.call = call
        self.key = key
        self.now_ns = 0
        """When it was looked for, by the time of the store."""
        self.similarity: float | None = None
        self._first = first
        self._space: str | None = None
        self._vector: tuple[float, ...] | None = None

    def _time(self) -> int:
        clock = self.call.clock
        return clock.time_ns() if self.cache.store.is_shared else clock.now_ns()

    def _operation(self, name: str) -> tuple[Any, bool]:
        """Return an operation of the store, and whether it has to be awaited."""
        if self.call.parts is not BLOCKING:
            awaited = getattr(self.cache.store, f"{name}_async", None)
            if awaited is not None:
                return awaited, True
        return getattr(self.cache.store, name), False

    def _failed(self, operation: str, error: Exception) -> None:
        self.cache.counts.failures += 1
        publish(CacheFailed(self.call.clock.now_ns(), self.call.id, operation, error))

    async def find(self) -> CachedAnswer | None:
        """Return the answer that was given to an equal request."""
        self.now_ns = self._time()
        operation, is_awaited = self._operation("find")
        try:
            found = operation(self.key, self.now_ns, self.call.streaming)
            if is_awaited:
                found = await found
        except Exception as error:  # noqa: BLE001 - a cache that is broken answers nothing, and breaks nothing
            self._failed("find", error)
            return None
        if type(found) is CachedAnswer:
            return found
        if found == "expired":
            self.cache.counts.expired += 1
        return None

    async def nearest(self, space: Space | None) -> CachedAnswer | None:
        """Return the answer that was given to the most alike request."""
        config = self.cache.config
        if space is None or config.similarity_threshold is None:
            return None
        self._vector = await self._embedded(space[1])
        if self._vector is None:
            return None
        self._space = space[0]
        operation, is_awaited = self._operation("nearest")
        try:
            found = operation(self._space, self._vector, config.similarity_threshold, self.now_ns, self.call.streaming)
            if is_awaited:
                found = await found
        except Exception as error:  # noqa: BLE001 - as above
            self._failed("nearest", error)
            return None
        if found is None:
            return None
        self.similarity = found.similarity
        answer: CachedAnswer = found.answer
        return answer

    async def _embedded(self, text: str) -> tuple[float, ...] | None:
        config, call = self.cache.config, self.call
        embedder = config.embedder
        assert embedder is not None, "a cache for alike requests has an embedder"
        request = EmbeddingRequest((text,), config.embedding_model)
        start_ns = call.clock.now_ns()
        try:
            if call.parts is BLOCKING:
                response = embedder.embed(request)
            else:
                response = await embedder.embed_async(request)
            vector = normal(response.vectors[0])
        except Exception as error:  # noqa: BLE001 - as above
            self._failed("embed", error)
            return None
        if response.usage.total_tokens:
            self._charge(embedder.name, config.embedding_model or response.model, start_ns, response.usage)
        return vector

    def _charge(self, name: str, model: str | None, start_ns: int, usage: Any) -> None:
        """Record what a vector cost."""
        call = self.call
        cost = call.prices.cost(name, model, usage)
        end_ns = call.clock.now_ns()
        attempt = Attempt(name, model, start_ns, end_ns, "200", usage, True, cost, purpose=EMBEDDING)
        call.attempts.append(attempt)
        publish(AttemptEnded(end_ns, call.id, attempt))

    async def keep(
        self, result: CompletionResponse | OpenStream, last: CompletionResponse | None
    ) -> CachedAnswer | None:
        """Keep an answer, if it may be; return it as it is kept, which others may have as well.

        Args:
            result: The answer, or the stream that has come to its end.
            last: The whole answer of a stream.
        """
        response = result if isinstance(result, CompletionResponse) else last
        assert response is not None, "an `end` event carries the response"
        provider, model = _given_by(self.call, result, response)
        ttl_ns = self._ttl_ns(provider, model)
        if not ttl_ns or not is_keepable(response, self.cache.config):
            self.cache.counts.rejected += 1
            return None
        now_ns = self._time()
        request = self.call.request
        label = self.cache.config.tenant
        answer = CachedAnswer(
            key=self.key,
            response=own_copy(response),
            provider=provider,
            model=model,
            stored_ns=now_ns,
            ttl_ns=ttl_ns,
            events=None if isinstance(result, CompletionResponse) else _pieces(result),
            tenant=None if label is None else request.metadata.get(label),
            labels=dict(request.metadata),
            space=self._space,
            vector=self._vector,
        )
        operation, is_awaited = self._operation("put")
        try:
            gone = operation(answer, self.cache.room, now_ns)
            if is_awaited:
                gone = await gone
        except Exception as error:  # noqa: BLE001 - as above
            self._failed("put", error)
            return answer
        counts = self.cache.counts
        counts.stores += 1
        counts.evictions += gone[0]
        counts.expired += gone[1]
        return answer

    def _ttl_ns(self, provider: str, model: str | None) -> int:
        config, call = self.cache.config, self.call
        asked = [attempt for attempt in call.attempts if attempt.purpose != EMBEDDING]
        others = any((attempt.provider, attempt.model) != (provider, model) for attempt in asked)
        is_fallback = call.has_moved or others or self._first not in (None, provider)
        seconds = min(config.ttl, config.fallback_ttl) if is_fallback else config.ttl
        return min(round(min(seconds, NEVER_NS / NS) * NS), NEVER_NS)


def _given_by(
    call: RunningCall, result: CompletionResponse | OpenStream, response: CompletionResponse
) -> tuple[str, str | None]:
    """Return who gave an answer, and the model that was asked for."""
    attempts: Sequence[Attempt] = response.attempts or call.attempts
    model = attempts[-1].model if attempts else response.model
    if isinstance(result, OpenStream) and result.attempt is not None and not result.attempt.place.is_chain:
        # It is recorded with its last piece, which is yet to be handed over.
        return result.attempt.place.name, result.attempt.model
    return response.provider or "", model


def _pieces(stream: OpenStream) -> tuple[Any, ...]:
    return tuple([own_event(event) for event in stream.told if event.kind != "end"])
