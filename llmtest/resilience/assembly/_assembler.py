"""A request with its context: gathered, scored, chosen, and written for whoever is asked."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from difflib import get_close_matches
from typing import TYPE_CHECKING, get_args

from llmtest.clock import active_clock, run_blocking
from llmtest.errors import ConfigurationError
from llmtest.events import ContextAssembled, publish
from llmtest.resilience.assembly._assembled import AssembledContext, ContextMetadata
from llmtest.resilience.assembly._block import Block, without_context
from llmtest.resilience.assembly._gathering import Failing, Gathered, Gathering
from llmtest.resilience.assembly._requirements import ContextRequirements
from llmtest.resilience.assembly._selection import Chosen, Selection
from llmtest.resilience.assembly._source import ContextNeed, ContextSource
from llmtest.resilience.assembly._turns import Turns, turns_of
from llmtest.resilience.cache._embedder import Embedder, as_embedder
from llmtest.types import is_whole

if TYPE_CHECKING:
    from llmtest.types import ChatMessage, CompletionRequest

__all__ = ["Assembly", "ContextAssembler"]

USUAL_BUDGET = 8192
"""Tokens of a prompt where neither a requirement nor a window says."""
VARIABLE = re.compile(r"\{\{\s*([\w.-]+)\s*\}\}")
USER_REQUEST = "user_request"
NS_PER_MS = 1_000_000


@dataclass(frozen=True, slots=True)
class Assembly:
    """What is assembled; as the arguments of `ContextAssembler.assemble`.

    Args:
        request: The request.
        provider: Who will be asked.
        window: Tokens of the model's window.
        variables: What stands in the template.
        call_id: Number of the call, for the trace; 0 where there is none.
    """

    request: CompletionRequest
    provider: str | None
    window: int | None
    variables: Mapping[str, str] | None = None
    call_id: int = 0


class ContextAssembler:
    """Puts context into requests: Caxton's pipeline of relevance, selection, redundancy and formatting.

    1. Every source that the requirements ask is asked; side by side on an event loop of asyncio, else in order.
    2. Each item gets a relevance, 0 to 1: its source's own, or by `embedder`, or the share of the question's words that
       it has (`relevance`). Memories are held to `min_similarity` and `max_results`.
    3. What is required goes along: system prompts, the current turn, tools, items that say so. Then as much as fits, in
       this order: the latest five turns; items by the priority of their source (data of tools, memories, capabilities),
       the most relevant first; older turns, up to `conversation_depth`. The order of the conversation stays.
    4. An item that says what is there already is left out, and so is what does not fit.
    5. The rest is written as a system message behind the others, or into the description of the tool.

    A request that was assembled before is assembled anew: its old context is replaced.

    Args:
        requirements: What is needed; None: ten turns, and every source that is always asked.
        sources: Where context comes from, in the order in which it is written.
        max_context_tokens: Most tokens of a prompt at providers of which the requirements say nothing; 1 or more. None:
            what the window has room for where it is known, else 8192.
        redundancy_threshold: From which likeness on two items say the same; above 0, at most 1.
        embedder: What makes vectors of texts, such as a provider of embeddings; None compares words.
        on_source_failure: `skip`: a source that fails is left out, and told of in the trace and in `failed`; `raise`:
            its error is raised.

    Raises:
        ConfigurationError: A value is out of its range, or two sources have one name.

    Example:
        >>> from llmtest import CompletionRequest
        >>> assembler = ContextAssembler(sources=[ContextSource("notes", lambda need: ["Users prefer charts."])])
        >>> print(assembler.assemble(CompletionRequest.ask("How do we show sales?")).request.messages[0].text)
        [Context]
        notes:
        - Users prefer charts.
    """

    def __init__(
        self,
        requirements: ContextRequirements | None = None,
        *,
        sources: Sequence[ContextSource] = (),
        max_context_tokens: int | None = None,
        redundancy_threshold: float = 0.9,
        embedder: Embedder | None = None,
        on_source_failure: Failing = "skip",
    ) -> None:
        self.requirements = ContextRequirements() if requirements is None else requirements
        if not isinstance(self.requirements, ContextRequirements):
            raise _wrong("requirements", "a `ContextRequirements`", requirements, "ContextRequirements()")
        self.sources = tuple(sources)
        self._refuse_wrong_sources()
        if max_context_tokens is not None and not is_whole(max_context_tokens, 1):
            raise _wrong("max_context_tokens", "a whole number of 1 or more", max_context_tokens, "8000")
        threshold = redundancy_threshold
        if threshold is True or not isinstance(threshold, int | float) or not 0 < threshold <= 1:  # type: ignore[redundant-expr]  # whatever was given
            raise _wrong("redundancy_threshold", "a number above 0 and at most 1", threshold, "0.9")
        if on_source_failure not in get_args(Failing):
            raise _wrong("on_source_failure", "`skip` or `raise`", on_source_failure, '"skip"')
        self.max_context_tokens = max_context_tokens
        self.redundancy_threshold = threshold
        self.embedder = None if embedder is None else as_embedder(embedder)
        self.on_source_failure = on_source_failure

    def _refuse_wrong_sources(self) -> None:
        names: set[str] = set()
        for source in self.sources:
            if not isinstance(source, ContextSource):
                example = '[ContextSource("notes", lambda need: ["Users prefer charts."])]'
                raise _wrong("sources", "a list of `ContextSource`", source, example)
            if source.name in names:
                raise ConfigurationError(
                    f"ContextAssembler: two sources are called `{source.name}`.\nTo fix: give each a name of its own"
                )
            names.add(source.name)

    def assemble(
        self,
        request: CompletionRequest,
        *,
        provider: str | None = None,
        variables: Mapping[str, str] | None = None,
        window: int | None = None,
    ) -> AssembledContext:
        """Return a request with its context, in blocking code.

        Args:
            request: The request.
            provider: Who will be asked, by the name in `provider_optimization`; None: nobody in particular.
            variables: What stands in `query_template`, besides `user_request` and the request's `metadata`.
            window: Tokens of the model's window, prompt and answer together, where it is known.

        Raises:
            ContextLengthExceededError: What is required does not fit alone; so a chain asks a provider with more room.
            ConfigurationError: A variable of the template is not given, or a source is asynchronous or answers with
                something else than items.
            Exception: A source has failed, where failures are raised.
        """
        return run_blocking(self.assemble_in(Assembly(request, provider, window, variables), is_async=False))

    async def assemble_async(
        self,
        request: CompletionRequest,
        *,
        provider: str | None = None,
        variables: Mapping[str, str] | None = None,
        window: int | None = None,
    ) -> AssembledContext:
        """Return a request with its context, on the event loop; see `assemble`."""
        return await self.assemble_in(Assembly(request, provider, window, variables), is_async=True)

    async def assemble_in(self, assembly: Assembly, *, is_async: bool) -> AssembledContext:
        """Do it in one of both worlds; see `assemble`."""
        clock = active_clock()
        began = clock.now_ns()
        request, provider = without_context(assembly.request), assembly.provider
        turns = turns_of(request.messages)
        query = self._query(turns.asked, {**request.metadata, **(assembly.variables or {})})
        need = ContextNeed(request=request, query=query, requirements=self.requirements, provider=provider)
        gathering = Gathering(self.sources, need, self.embedder, self.on_source_failure, is_async=is_async)
        gathered = await gathering.gather(assembly.call_id)
        limit = self._limit(request, provider, assembly.window)
        block = self._block(request, provider)
        selection = Selection(turns, block, limit, self.redundancy_threshold, gathered.alike, provider)
        chosen = selection.choose(gathered.candidates, self.requirements.conversation_depth, gathered.left_out)
        ended = clock.now_ns()
        context = self._assembled(need, turns, block, gathered, chosen, limit, (ended - began) / NS_PER_MS)
        kept, left = _counts([item.source for item in chosen.items]), _counts([out.cause for out in chosen.left_out])
        counts = chosen.tokens, limit, kept, left, chosen.turns_left_out
        publish(ContextAssembled(ended, assembly.call_id, provider, *counts))
        return context

    def _query(self, asked: str, variables: Mapping[str, str]) -> str:
        """Return what is looked for: the template, filled in."""
        search = self.requirements.memory_search
        if search is None:
            return asked
        known = {USER_REQUEST: asked, **variables}

        def value(found: re.Match[str]) -> str:
            name = found[1]
            if name not in known:
                meant = get_close_matches(name, known, 1)
                hint = f" Did you mean `{meant[0]}`?" if meant else ""
                raise ConfigurationError(
                    f"`query_template` has the variable `{name}`, which is not given.{hint}\n\n"
                    f'To fix: assembler.assemble(request, variables={{"{name}": "..."}})'
                )
            return str(known[name])

        return VARIABLE.sub(value, search.query_template)

    def _limit(self, request: CompletionRequest, provider: str | None, window: int | None) -> int:
        """Return the most tokens of the prompt."""
        said = self.requirements.format_for(provider).max_context_tokens or self.max_context_tokens
        room = None if window is None else max(1, window - (request.max_tokens or 0))
        if said is None:
            return USUAL_BUDGET if room is None else room
        return said if room is None else min(said, room)

    def _block(self, request: CompletionRequest, provider: str | None) -> Block:
        names = [source.name for source in self.sources]
        tool_data = frozenset(source.name for source in self.sources if source.asked_by == "tool_data")
        return Block(request, self.requirements, self.requirements.format_for(provider), names, tool_data)

    def _assembled(
        self,
        need: ContextNeed,
        turns: Turns,
        block: Block,
        gathered: Gathered,
        chosen: Chosen,
        limit: int,
        took_ms: float,
    ) -> AssembledContext:
        messages = list(turns.at(chosen.places))
        message = block.message(chosen.items)
        if message is not None:
            messages.insert(_behind_the_first_prompts(messages), message)
        used = {item.source for item in chosen.items}
        sources = [source.name for source in self.sources if source.name in used]
        if len(chosen.places) > len(turns.required):
            sources.insert(0, "conversation")
        had = {item.title for item in (each.item for each in gathered.candidates)}
        return AssembledContext(
            request=replace(need.request, messages=tuple(messages), tools=block.tools(chosen.items)),
            query=need.query,
            items=tuple(chosen.items),
            left_out=tuple(chosen.left_out),
            turns_left_out=chosen.turns_left_out,
            missing=tuple(name for name in self.requirements.tool_data if name not in had),
            failed=gathered.failed,
            metadata=ContextMetadata(
                preparation_time_ms=took_ms,
                total_context_tokens=chosen.tokens,
                token_utilization_rate=chosen.tokens / limit,
                context_sources_used=tuple(sources),
                max_context_tokens=limit,
            ),
        )


def _behind_the_first_prompts(messages: Sequence[ChatMessage]) -> int:
    return next((place for place, message in enumerate(messages) if message.role != "system"), len(messages))


def _counts(names: Sequence[str]) -> tuple[tuple[str, int], ...]:
    return tuple((name, names.count(name)) for name in sorted(set(names)))


def _wrong(name: str, what: str, value: object, example: str) -> ConfigurationError:
    return ConfigurationError(
        f"ContextAssembler: {name} is {what}, got {value!r:.80}.\n\nTo fix: ContextAssembler({name}={example})"
    )
