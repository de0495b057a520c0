"""The cache around the calls of a chain: outermost, so that a hit costs no budget, no permit and no probe."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from typing import TYPE_CHECKING, Any, cast

from llmtest.resilience.cache._cache_hit import as_result
from llmtest.resilience.cache._cache_key import KeyMaker
from llmtest.resilience.cache._cache_lookup import Lookup
from llmtest.resilience.cache._chain_identity import first_asked, identity_of, models_of
from llmtest.resilience.fallback._listed_order import ListedOrder
from llmtest.resilience.pipeline._open_stream import OpenStream
from llmtest.resilience.pipeline._sync_async import BLOCKING
from llmtest.types import CompletionResponse, StreamEvent

if TYPE_CHECKING:
    from llmtest.resilience.cache._cached_answer import CachedAnswer
    from llmtest.resilience.cache._flights import Seat
    from llmtest.resilience.cache._response_cache import ResponseCache
    from llmtest.resilience.pipeline._layers import AskCall, Result, Selection
    from llmtest.resilience.pipeline._running_call import RunningCall
    from llmtest.resilience.pipeline._running_slot import RunningSlot

__all__ = ["CacheLayer", "with_cache"]


class CacheLayer:
    """Answers a call from the cache, or keeps what answers it.

    Args:
        cache: The cache.
        places: Every place of the chain.
        has_an_order: Whether the first place is asked first, so that an answer of another one is a fallback's.
    """

    def __init__(self, cache: ResponseCache, places: Sequence[RunningSlot], *, has_an_order: bool) -> None:
        config = cache.config
        self._cache = cache
        self._keys = KeyMaker(f"{config.fingerprint} {identity_of(places)}", config.exclude_fields, config.tenant)
        self._first = first_asked(places) if has_an_order else None
        self._own_models = models_of(places)

    def around(self, further: AskCall) -> AskCall:
        """Put the cache around what answers calls."""
        return _Cached(self._cache, self._keys, self._first, self._own_models, further).ask


def with_cache(
    cache: ResponseCache | None, places: Sequence[RunningSlot], selection: Selection, ask: AskCall
) -> AskCall:
    """Return what answers the calls of a chain, behind its cache where it has one."""
    if cache is None:
        return ask
    return CacheLayer(cache, places, has_an_order=isinstance(selection, ListedOrder)).around(ask)


class _Cached:
    """What answers calls, behind the cache.

    Args:
        cache: The cache.
        keys: Which requests are equal.
        first: Who is asked first; None where that is not known.
        own_models: Models that are asked for where a request names none.
        further: What answers calls.
    """

    __slots__ = ("_cache", "_first", "_further", "_keys", "_models", "_own_models", "_streams")

    def __init__(
        self,
        cache: ResponseCache,
        keys: KeyMaker,
        first: str | None,
        own_models: frozenset[str],
        further: AskCall,
    ) -> None:
        self._cache = cache
        self._keys = keys
        self._first = first
        self._further = further
        self._streams = cache.config.cache_streaming
        self._models = None if cache.config.models is None else frozenset(cache.config.models)
        self._own_models = own_models

    def _is_meant(self, call: RunningCall) -> bool:
        if call.streaming and not self._streams:
            return False
        if self._models is None:
            return True
        asked = call.request.model
        return asked in self._models if asked is not None else not self._models.isdisjoint(self._own_models)

    async def ask(self, call: RunningCall) -> Result:
        """Answer a call."""
        key = self._keys.key(call.request) if self._is_meant(call) else None
        if key is None:
            return await self._further(call)
        cache = self._cache
        lookup = Lookup(cache, call, key, self._first)
        landings = cache.flights.landings
        found = await lookup.find()
        if found is None and cache.config.is_semantic:
            found = await lookup.nearest(self._keys.space(call.request))
        if found is None and cache.config.single_flight:
            return await self._among_others(lookup, landings)
        if found is not None:
            return await self._hit(lookup, found)
        return await self._miss(lookup, None)

    async def _hit(self, lookup: Lookup, answer: CachedAnswer, *, joined: bool = False) -> Result:
        counts = self._cache.counts
        counts.hits += 1
        if joined:
            counts.joined += 1
        elif lookup.similarity is not None:
            counts.semantic_hits += 1
        self._cache.note_lookup()
        age_ns = 0 if joined else lookup.now_ns - answer.stored_ns
        return await as_result(lookup.call, answer, age_ns, lookup.similarity)

    async def _among_others(self, lookup: Lookup, landings: int) -> Result:
        """Ask for all equal calls under way, or wait for the one that does."""
        flights, call = self._cache.flights, lookup.call
        seat = flights.take_seat((lookup.key, call.streaming), is_blocking=call.parts is BLOCKING)
        try:
            if seat.role == "waits":
                await self._wait(seat, call)
            elif seat.role == "leads" and flights.landings != landings:
                # Somebody was answered between the look into the store and the seat.
                found = await lookup.find()
                if found is not None:
                    flights.landed(seat, found)
                    return await self._hit(lookup, found, joined=True)
        except BaseException as error:
            flights.left(seat, has_failed=isinstance(error, Exception))
            raise
        if seat.answer is not None:
            return await self._hit(lookup, seat.answer, joined=True)
        return await self._miss(lookup, seat)

    async def _wait(self, seat: Seat, call: RunningCall) -> None:
        signal = seat.signal
        assert signal is not None, "whoever waits has something to wait for"
        limit_ns = round(min(self._cache.config.max_wait, 1e9) * 1e9)
        if call.deadline_ns is not None:
            limit_ns = min(limit_ns, max(0, call.deadline_ns - call.clock.now_ns()))
        if call.parts is BLOCKING:
            signal.wait_blocking(limit_ns)
        else:
            await signal.wait_async(limit_ns)
        if seat.role == "waits":
            self._cache.flights.left(seat, has_failed=False)
        if seat.answer is None and not call.has_room(0):
            raise call.too_late(0.0, None)

    async def _miss(self, lookup: Lookup, seat: Seat | None) -> Result:
        """Let the chain answer, and keep what it says."""
        cache, call = self._cache, lookup.call
        cache.counts.misses += 1
        cache.note_lookup()
        try:
            result = await self._further(call)
            if isinstance(result, OpenStream):
                return await self._recorded(result, lookup, seat)
            answer = await lookup.keep(result, None)
        except BaseException as error:
            if seat is not None:
                cache.flights.left(seat, has_failed=isinstance(error, Exception))
            raise
        if seat is not None:
            cache.flights.landed(seat, answer)
        return result

    async def _recorded(self, stream: OpenStream, lookup: Lookup, seat: Seat | None) -> OpenStream:
        """Have a stream kept when it has ended as it should."""
        flights = self._cache.flights

        def ended(_: OpenStream, end: CompletionResponse | BaseException) -> None:
            if seat is not None:
                flights.left(seat, has_failed=isinstance(end, Exception))

        stream.at_end(ended)
        recording = _Recording(stream, lookup, seat)
        if stream.told and stream.told[-1].kind == "end":
            await recording.keep(stream.told[-1])
        else:
            stream.source = cast("AsyncGenerator[StreamEvent, None]", recording)
        return stream


class _Recording:
    """The rest of a stream, whose last piece is handed over when the answer has been kept.

    Args:
        stream: The stream.
        lookup: Under which key it is kept.
        seat: Who else waits for it.
    """

    __slots__ = ("_lookup", "_seat", "_source", "_stream")

    def __init__(self, stream: OpenStream, lookup: Lookup, seat: Seat | None) -> None:
        self._stream = stream
        self._source = stream.source
        self._lookup = lookup
        self._seat = seat

    def __aiter__(self) -> _Recording:
        return self

    async def __anext__(self) -> StreamEvent:
        event = await self._source.__anext__()
        if event.kind == "end":
            await self.keep(event)
        return event

    async def keep(self, last: StreamEvent) -> None:
        """Keep the answer, and hand it to those who wait for it."""
        answer = await self._lookup.keep(self._stream, last.response)
        if self._seat is not None:
            self._lookup.cache.flights.landed(self._seat, answer)

    def aclose(self) -> Any:
        """Give up the rest."""
        return self._source.aclose()
