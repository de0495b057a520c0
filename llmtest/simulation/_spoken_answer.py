"""What an answer says once it is decided: the response, cut as the request asks, what it bills, and when it comes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache, partial
from typing import TYPE_CHECKING, Any

from llmtest.simulation._fault_effects import lay_on
from llmtest.simulation._prompt_cache import as_asked
from llmtest.simulation.plan._fragmentation import Cutter
from llmtest.simulation.plan._options import PLAIN, Options, fitted, options_of
from llmtest.types import UNKNOWN_USAGE, CompletionRequest, CompletionResponse, FinishReason, Usage
from llmtest.wire import with_logprobs

if TYPE_CHECKING:
    from llmtest.simulation._engine import Engine
    from llmtest.simulation.plan._answer import Answer
    from llmtest.simulation.script._reply import Prepared
    from llmtest.wire import WireCall

__all__ = ["say"]

NO_EXTRA: dict[str, dict[str, Any]] = {}


def say(
    engine: Engine,
    prepared: Prepared,
    call: WireCall,
    answer: Answer,
    key: tuple[object, ...],
    *,
    is_direct: bool,
    others: tuple[Prepared, ...] = (),
) -> None:
    """Fill in the response, what it bills and when it comes.

    Args:
        engine: The provider.
        prepared: What is said.
        call: The request.
        answer: What is filled in.
        key: Names the request for the dice.
        is_direct: Whether it came without HTTP.
        others: What is said in the further answers of a request that wants several; default: the same in each.
    """
    if prepared.fault is not None:
        lay_on(prepared.fault, answer, engine)
    unread = call.unread
    is_bare = unread is not None and unread.is_bare
    options = PLAIN if is_bare else options_of(_completion(call), answer.model, engine.spoken.settings)
    most = answer.max_tokens
    if options is PLAIN and call.choices == 1:
        if most is not None and prepared.output_tokens > most:
            prepared = fitted(prepared, most, ())
        usage = prepared.usage
        if usage is None:
            usage = _usage_of(answer.prompt_tokens, prepared.output_tokens, prepared.reasoning_tokens)
        said = None if is_direct else prepared.said
        if said is None or not _says_the_same(said, usage, answer.model, engine.name):
            said = _response(engine, prepared, usage, answer, is_direct=is_direct)
            if not (is_direct or prepared.needs_ids):
                prepared.said = said
    else:
        prepared = fitted(prepared, most, options.stop)
        said = _said_in_kind(engine, prepared, call, options, answer, others, is_direct=is_direct)
        usage = said.usage
    answer.response = said
    if prepared.is_odd or answer.stream:
        _deliver(engine, prepared, answer)
    latency = engine.latency if prepared.latency is None else prepared.latency
    if latency is not None:
        if not key:
            key = ("reply", answer.number)
        answer.head_ns, answer.body_ns = latency.draw_ns(
            usage.output_tokens, engine.world.seed, "latency", engine.name, *key
        )
    quota = engine.quota
    if quota is not None and not call.is_batched:
        admitted = answer.max_tokens or 0
        if usage.output_tokens > admitted:
            with engine.world.lock:
                quota.settle(usage.output_tokens - admitted)


def _deliver(engine: Engine, prepared: Prepared, answer: Answer) -> None:
    """Note how an answer travels: its headers, its pieces, and what is odd about them."""
    answer.chunks = prepared.chunks
    answer.headers = prepared.headers
    if prepared.edits or prepared.events is not None:
        answer.edits += prepared.edits
        answer.events = prepared.events
        answer.is_flawed = True
    if answer.stream:
        if answer.record is not None:
            answer.record.response = answer.response  # known from now on: who reads a stream may leave it open
        mode = prepared.fragmentation or engine.fragmentation or engine.world.fragmentation
        if mode != "events":
            answer.cutter = Cutter(mode, engine.world.seed, engine.name, answer.number)


def _completion(call: WireCall) -> CompletionRequest:
    request = call.request
    assert isinstance(request, CompletionRequest)
    return request


@lru_cache(maxsize=1024)
def _usage_of(prompt: int, output: int, reasoning: int) -> Usage:
    return Usage(prompt, output, 0, 0, reasoning)


def _says_the_same(said: CompletionResponse, usage: Usage, model: str | None, provider: str) -> bool:
    return said.usage is usage and said.model == model and said.provider == provider


def _said_in_kind(
    engine: Engine,
    prepared: Prepared,
    call: WireCall,
    options: Options,
    answer: Answer,
    others: tuple[Prepared, ...],
    *,
    is_direct: bool,
) -> CompletionResponse:
    """Return the response to a request that asks for more than most: several answers, thought, a tier, a cache."""
    # Scripted answers are the same in each: a test says what comes back, not what a model might vary.
    further = others or (prepared,) * (max(call.choices, options.choices) - 1)
    spoken = (prepared, *(fitted(other, answer.max_tokens, options.stop) for other in further))
    ends = call.endpoint.dialect.settings.get("named_tool_ends") if options.names_tool else None
    if ends is not None:
        spoken = tuple(_ended(each, ends) for each in spoken)
    usage = _count(spoken, options, answer) if prepared.usage is None else prepared.usage
    if options.marks:
        usage = _cached(engine, usage, prepared, _completion(call), answer, is_direct=is_direct)
    answer.metadata = options.metadata
    tier = options.tier
    if tier is not None and engine.world.prices.has_tier(engine.name, tier):
        answer.service_tier = tier
    first, *more = (
        _response(engine, each, UNKNOWN_USAGE if place else usage, answer, is_direct=is_direct, place=place)
        for place, each in enumerate(spoken)
    )
    said = replace(first, alternatives=tuple(more)) if more else first
    if is_direct and options.likeliest is not None and engine.spoken.settings.get("tells_logprobs"):
        # Over HTTP the codec makes them up, as all that only one API tells.
        return with_logprobs(said, options.likeliest)
    return said


def _ended(prepared: Prepared, reason: FinishReason) -> Prepared:
    """Return an answer that calls the tool which the request named, and ends for the reason that its API then tells."""
    if prepared.says_why or prepared.finish_reason is not FinishReason.TOOL_USE:
        return prepared
    return replace(prepared, finish_reason=reason)


def _count(spoken: tuple[Prepared, ...], options: Options, answer: Answer) -> Usage:
    """Return what is billed for answers: what is sent, and what was thought before it."""
    output = sum(each.output_tokens for each in spoken)
    reasoning = sum(each.reasoning_tokens for each in spoken)
    thought = options.thought * len(spoken)
    if thought and answer.max_tokens is not None:
        # Made-up thoughts take the room that the answers leave: they cut nothing that a test has written.
        thought = max(min(thought, answer.max_tokens * len(spoken) - output), 0)
    return _usage_of(answer.prompt_tokens, output + thought, reasoning + thought)


def _cached(
    engine: Engine, usage: Usage, prepared: Prepared, request: CompletionRequest, answer: Answer, *, is_direct: bool
) -> Usage:
    """Count what the provider's cache has of a marked prompt; one that caches by itself reads no marks."""
    world = engine.world
    if prepared.usage is not None:
        return as_asked(usage, request)
    rates = world.prices.rates(engine.name, answer.model) if is_direct else None
    if is_direct and (rates is None or rates.cache_write is None):
        return usage
    with world.lock:
        return engine.prompt_cache.count(usage, request, answer.model, answer.start_ns)


def _response(
    engine: Engine, prepared: Prepared, usage: Usage, answer: Answer, *, is_direct: bool, place: int = 0
) -> CompletionResponse:
    number = answer.exchange
    parts = prepared.parts
    if prepared.needs_ids:
        make_id, base = engine.spoken.tool_call_id, engine.world.number(number) << 16
        parts = prepared.with_ids(partial(_numbered, make_id, base + (place << 8)))
    # Where an API tells which text ended an answer, the field has the name of the reason.
    told = reason = None
    if prepared.stop_sequence is not None:
        told = engine.spoken.settings.get("stop_field")
        reason = engine.spoken.settings.get("stop_word", told)
    return CompletionResponse(
        parts=parts,
        finish_reason=prepared.finish_reason,
        raw_finish_reason=reason,
        usage=usage,
        model=answer.model,
        id=f"sim-{number}" if is_direct else None,
        provider=engine.name,
        extra=NO_EXTRA if told is None else {engine.spoken.own_fields: {told: prepared.stop_sequence}},
        service_tier=answer.service_tier,
    )


def _numbered(make_id: Callable[[int], str], base: int, index: int) -> str:
    return make_id(base + index)
