"""Asks every source, side by side where there is an event loop, and scores what they answer."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from inspect import isawaitable
from typing import Any, Literal

from llmtest.clock import active_clock
from llmtest.errors import ConfigurationError
from llmtest.events import ContextSourceFailed, publish
from llmtest.resilience.assembly._assembled import LeftOut
from llmtest.resilience.assembly._relevance import likeness, relevance
from llmtest.resilience.assembly._selection import Candidate
from llmtest.resilience.assembly._source import ContextItem, ContextNeed, ContextSource
from llmtest.resilience.cache._embedder import Embedder
from llmtest.resilience.cache._similarity import cosine, normal
from llmtest.resilience.cache._text_marks import marks_of
from llmtest.types import EmbeddingRequest

__all__ = ["Failing", "Gathered", "Gathering"]

Failing = Literal["skip", "raise"]
EMBEDDER = "embedder"
"""Name of what makes vectors, among the sources that may fail."""


@dataclass(slots=True)
class Gathered:
    """What the sources have answered.

    Args:
        call_id: Number of the call, for the trace.
        candidates: Items that are relevant, in the order of the sources.
        left_out: Those that are not.
        failed: Sources that were skipped, with their errors.
        vectors: Vectors of texts, where an embedder made them.
    """

    call_id: int
    candidates: list[Candidate] = field(default_factory=list)
    left_out: list[LeftOut] = field(default_factory=list)
    failed: dict[str, Exception] = field(default_factory=dict)
    vectors: dict[str, Sequence[float]] = field(default_factory=dict)

    def score(self, query: str, text: str) -> float:
        """Return how much a text has to do with the question: 0 to 1."""
        if query in self.vectors and text in self.vectors:
            return min(1.0, max(0.0, cosine(self.vectors[query], self.vectors[text])))
        return relevance(query, text)

    def alike(self, one: str, other: str) -> float:
        """Return how alike two texts are: 0 to 1."""
        if one in self.vectors and other in self.vectors:
            same = marks_of(one) == marks_of(other)
            return max(0.0, cosine(self.vectors[one], self.vectors[other])) if same else 0.0
        return likeness(one, other)


class Gathering:
    """Gathers for one request.

    Args:
        sources: Who is asked.
        need: For what.
        embedder: What makes vectors; None: words are compared.
        failing: What becomes of a source that fails.
        is_async: Whether there is an event loop.
    """

    def __init__(
        self,
        sources: Sequence[ContextSource],
        need: ContextNeed,
        embedder: Embedder | None,
        failing: Failing,
        *,
        is_async: bool,
    ) -> None:
        self._sources = [source for source in sources if source.is_asked(need.requirements)]
        self._need = need
        self._embedder = embedder
        self._failing = failing
        self._is_async = is_async

    async def gather(self, call_id: int = 0) -> Gathered:
        """Return what the sources know.

        Args:
            call_id: Number of the call, for the trace.

        Raises:
            ConfigurationError: A source is asynchronous in blocking code, or answers with something else than items.
            Exception: A source has failed, and failures are raised.
        """
        gathered = Gathered(call_id)
        answers = await self._side_by_side([self._ask(source) for source in self._sources])
        items: list[tuple[ContextSource, ContextItem]] = []
        for source, answer in zip(self._sources, answers, strict=True):
            if isinstance(answer, Exception):
                self._failed(source.name, answer, gathered)
            else:
                items += [(source, item) for item in answer]
        if self._embedder is not None and items:
            await self._embed(self._embedder, [item.text for _, item in items], gathered)
        for source in self._sources:
            own = [self._candidate(item, source, gathered) for each, item in items if each is source]
            gathered.candidates += self._relevant(source, own, gathered)
        return gathered

    async def _side_by_side(self, asked: Sequence[Coroutine[Any, Any, Any]]) -> Sequence[Any]:
        has_tasks = self._is_async and asyncio._get_running_loop() is not None  # noqa: SLF001 - the public name raises
        if has_tasks:
            return await asyncio.gather(*asked)
        return [await each for each in asked]

    async def _ask(self, source: ContextSource) -> list[ContextItem] | Exception:
        try:
            answer = await self._called(source.name, lambda: source.gather(self._need))
            return [_as_item(each, source.name) for each in _listed(answer, source.name)]
        except ConfigurationError:
            raise
        except Exception as error:  # noqa: BLE001 - whatever a source raises is told, or raised again
            return error

    async def _called(self, name: str, call: Callable[[], Any | Awaitable[Any]]) -> Any:
        answer = call()
        if not isawaitable(answer):
            return answer
        if self._is_async:
            return await answer
        close = getattr(answer, "close", None)
        if close is not None:
            close()
        raise ConfigurationError(
            f"the context source `{name}` is asynchronous, and this is blocking code.\n"
            "To fix: await assembler.assemble_async(request), or let the source answer without `await`"
        )

    async def _embed(self, embedder: Embedder, texts: Sequence[str], gathered: Gathered) -> None:
        wanted = tuple(dict.fromkeys((self._need.query, *texts)))
        request = EmbeddingRequest(wanted)
        try:
            answer = await (embedder.embed_async(request) if self._is_async else _done(embedder.embed(request)))
            vectors = dict(zip(wanted, map(normal, answer.vectors), strict=True))
        except Exception as error:  # noqa: BLE001 - whatever it raises is told, or raised again
            self._failed(EMBEDDER, error, gathered)
            return
        gathered.vectors = {text: each for text, each in vectors.items() if each is not None}

    def _failed(self, name: str, error: Exception, gathered: Gathered) -> None:
        if self._failing == "raise":
            error.add_note(f"raised by the context source `{name}`")
            raise error
        gathered.failed[name] = error
        publish(ContextSourceFailed(active_clock().now_ns(), gathered.call_id, name, error))

    def _candidate(self, item: ContextItem, source: ContextSource, gathered: Gathered) -> Candidate:
        known = item.relevance
        score = gathered.score(self._need.query, item.text) if known is None else known
        search = self._need.requirements.memory_search
        is_in_focus = search is not None and not set(item.tags).isdisjoint(search.focus_areas)
        return Candidate(replace(item, relevance=score, source=source.name), source.priority, is_in_focus)

    def _relevant(self, source: ContextSource, own: list[Candidate], gathered: Gathered) -> list[Candidate]:
        """Return what of one source is relevant; of memories only so many that are so relevant."""
        search = self._need.requirements.memory_search
        if source.asked_by != "memory_search" or search is None:
            return own
        required = [each for each in own if each.item.required]
        rest = sorted((each for each in own if not each.item.required), key=lambda each: each.rank)
        below = [each for each in rest if (each.item.relevance or 0.0) < search.min_similarity]
        gathered.left_out += [LeftOut(each.item, "irrelevant") for each in below]
        rest = [each for each in rest if (each.item.relevance or 0.0) >= search.min_similarity]
        room = max(0, search.max_results - len(required))
        gathered.left_out += [LeftOut(each.item, "surplus") for each in rest[room:]]
        return [*required, *rest[:room]]


async def _done(answer: Any) -> Any:
    return answer


def _listed(answer: object, source: str) -> Iterable[object]:
    if isinstance(answer, str | Mapping) or not isinstance(answer, Iterable):
        raise _no_items(answer, source)
    return answer


def _as_item(value: object, source: str) -> ContextItem:
    if isinstance(value, ContextItem):
        return value
    if isinstance(value, str):
        return ContextItem(text=value)
    raise _no_items(value, source)


def _no_items(value: object, source: str) -> ConfigurationError:
    return ConfigurationError(
        f"the context source `{source}` answers with a list of `ContextItem`, or of texts, got {value!r:.80}.\n\n"
        f'To fix: ContextSource("{source}", lambda need: ["What is known"])'
    )
