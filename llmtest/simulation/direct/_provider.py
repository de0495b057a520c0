"""A simulated provider as a provider of our own layer, without HTTP: the path of a million calls.

Whole answers are handed over as they were decided. Whatever is wrong in some way (an error, a failing connection, a
broken body or stream) takes the long way: it is rendered in the provider's dialect and read back by the same codec that
reads the real provider, so that the error is the one the HTTP path would give, by construction.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Callable, Coroutine, Iterator
from dataclasses import replace
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from llmtest.clock import AsyncWaiter, BlockingWaiter, Waiter, iterate_blocking, run_blocking
from llmtest.costs import ModelFacts, estimate_request_tokens
from llmtest.errors import (
    ConfigurationError,
    ProviderError,
    ProviderTimeoutError,
    SimulationStateError,
    StreamInterruptedError,
)
from llmtest.simulation._engine import Engine
from llmtest.simulation._receive import plan_of
from llmtest.simulation.direct._limited_wait import LimitedWait
from llmtest.simulation.direct._plan_reader import end_word, read_body, read_stream
from llmtest.simulation.plan._answer import Answer
from llmtest.simulation.script._reply import pieces_of
from llmtest.types import (
    NO_TIMEOUTS,
    AudioPart,
    Capabilities,
    CompletionRequest,
    CompletionResponse,
    FilePart,
    ImagePart,
    OpaquePart,
    RefusalPart,
    StreamEvent,
    StreamEventKind,
    TextPart,
    Timeouts,
    TokenCountRequest,
    TokenCountResult,
    ToolCall,
    refuse_what_is_no_request,
)
from llmtest.wire import Endpoint, RateLimits, WireCall

if TYPE_CHECKING:
    from llmtest.simulation.plan._plan import Plan

__all__ = ["DirectProvider"]

NS = 1_000_000_000


class DirectProvider(ModelFacts):
    """A simulated provider, reached directly; made by `handle.as_provider()`. It is a `Provider`.

    Args:
        engine: The simulated provider.
        endpoint: What is asked of it; its errors are in the words of that dialect.
        model: Model to ask for where a request names none.
        tokens_per_event: How much of a stream comes in one event, in tokens; 1 or more.

    Raises:
        ConfigurationError: `tokens_per_event` is below 1.
    """

    def __init__(self, engine: Engine, endpoint: Endpoint, model: str | None, tokens_per_event: int) -> None:
        if tokens_per_event < 1:
            raise ConfigurationError(
                f"as_provider: tokens_per_event must be 1 or more, got {tokens_per_event}.\n\n"
                "To fix: tokens_per_event=1, which delivers every token by itself"
            )
        self.name = engine.name
        self.model = model
        self._engine = engine
        self._endpoint = endpoint
        self._refuse = endpoint.refuse_unsayable
        self._step = tokens_per_event
        self._blocking = BlockingWaiter(engine.world.clock)
        self._async = AsyncWaiter(engine.world.clock)
        self._known_limits: tuple[Timeouts | None, int | None] = (None, None)

    @property
    def capabilities(self) -> Capabilities:
        """Everything; the context window as far as the handle was given one."""
        return _able_within(self._engine.window)

    @property
    def rate_limits(self) -> tuple[RateLimits, int] | None:
        """The limits that the handle was given, as headers would tell of them now; None where it has none."""
        quota, now_ns = self._engine.quota, self._engine.world.clock.now_ns()
        return None if quota is None else (quota.state(now_ns), now_ns)

    def available(self) -> bool:
        """Yes: it needs no key."""
        return True

    def latency_ms(self) -> float:
        """Return milliseconds until a call of it begins to be answered, as the latency of the handle says; 0: at once.

        Where that is a distribution, it is one draw of it, the same for each simulation with the same seed.
        """
        latency = self._engine.latency
        return 0.0 if latency is None else latency.draw_ns(0, self._engine.world.seed, self.name, "expected")[0] / 1e6

    def count_tokens(self, request: CompletionRequest | TokenCountRequest | str) -> TokenCountResult:
        """Return how many tokens a prompt has, exactly as the simulated provider bills it."""
        if isinstance(request, str):
            request = CompletionRequest.ask(request)
        asked = request.as_completion() if isinstance(request, TokenCountRequest) else request
        return TokenCountResult(estimate_request_tokens(asked), "exact", asked.model or self.model)

    def complete(self, request: CompletionRequest, timeouts: Timeouts = NO_TIMEOUTS) -> CompletionResponse:
        """Answer a request, blocking.

        Raises:
            ProviderError: What the simulated provider was told to fail with.
        """
        return run_blocking(self._complete(request, timeouts, self._blocking))

    def complete_async(
        self, request: CompletionRequest, timeouts: Timeouts = NO_TIMEOUTS
    ) -> Coroutine[Any, Any, CompletionResponse]:
        """Answer a request on the event loop.

        Raises:
            ProviderError: What the simulated provider was told to fail with.
        """
        return self._complete(request, timeouts, self._async)

    def stream(self, request: CompletionRequest, timeouts: Timeouts = NO_TIMEOUTS) -> Iterator[StreamEvent]:
        """Answer a request piece by piece, blocking.

        Raises:
            ProviderError: What the simulated provider was told to fail with.
        """
        return iterate_blocking(self._stream(request, timeouts, self._blocking))

    def stream_async(self, request: CompletionRequest, timeouts: Timeouts = NO_TIMEOUTS) -> AsyncIterator[StreamEvent]:
        """Answer a request piece by piece on the event loop.

        Raises:
            ProviderError: What the simulated provider was told to fail with.
        """
        return self._stream(request, timeouts, self._async)

    async def _complete(self, request: CompletionRequest, timeouts: Timeouts, waiter: Waiter) -> CompletionResponse:
        if request.__class__ is not CompletionRequest:
            refuse_what_is_no_request(request, "provider.complete")
        engine = self._engine
        model = request.model or self.model
        if self._refuse is not None:
            self._must_be_sayable(self._refuse, request)
        answer = engine.decide(WireCall(self._endpoint, request, model))
        response = answer.response
        if response is None or not answer.is_plain:
            return await self._read_whole(answer, request, timeouts, waiter)
        ns = answer.head_ns + answer.slow_ns + answer.body_ns
        if ns:
            ended = "abandoned"
            try:
                shortest = self._shortest_ns(timeouts)
                if shortest is None or ns < shortest:
                    await waiter.sleep_ns(ns)
                else:
                    await self._limited(answer, timeouts, waiter).until_head(ns)
                ended = ""
            except ProviderError as error:
                ended = end_word(error)
                raise
            finally:
                if ended:
                    engine.finish(answer, ended)
        engine.finish(answer, "200")
        return response

    def _shortest_ns(self, timeouts: Timeouts) -> int | None:
        """Return the shortest of a caller's limits, if any: a wait that ends before it needs no closer look."""
        known, shortest = self._known_limits
        if known is not timeouts:  # a chain gives the same ones to each call
            limits = [each for each in (timeouts.first_token, timeouts.read, timeouts.total) if each is not None]
            shortest = round(min(limits) * NS) if limits else None
            self._known_limits = (timeouts, shortest)
        return shortest

    def _must_be_sayable(self, refuse: Callable[[CompletionRequest], None], request: CompletionRequest) -> None:
        """Refuse before any request what the API has no word for, as over HTTP."""
        try:
            refuse(request)
        except ProviderError as error:
            error.provider, error.model = self.name, request.model or self.model
            raise

    def _limited(self, answer: Answer, timeouts: Timeouts, waiter: Waiter) -> LimitedWait:
        return LimitedWait(self._engine, answer, timeouts, waiter)

    def _plan(self, answer: Answer, request: CompletionRequest) -> Plan:
        call = WireCall(self._endpoint, request, answer.model, answer.stream, include_usage=True)
        return plan_of(self._engine, answer, call)

    async def _read_whole(
        self, answer: Answer, request: CompletionRequest, timeouts: Timeouts, waiter: Waiter
    ) -> CompletionResponse:
        plan = self._plan(answer, request)
        ended = "abandoned"
        try:
            response = await read_body(plan, self._endpoint, self._limited(answer, timeouts, waiter))
            ended = plan.outcome
        except ProviderError as error:
            ended = end_word(error, plan.outcome)
            self._name(error, answer)
            raise
        except SimulationStateError as missing:
            self._engine.world.record_harness_error(missing)
            raise
        finally:
            plan.on_end(ended)
        return replace(response, provider=self.name)

    def _name(self, error: ProviderError, answer: Answer) -> None:
        error.provider = self.name
        error.model = answer.model
        if isinstance(error.__cause__, ProviderError):
            self._name(error.__cause__, answer)

    async def _stream(
        self, request: CompletionRequest, timeouts: Timeouts, waiter: Waiter
    ) -> AsyncGenerator[StreamEvent, None]:
        refuse_what_is_no_request(request, "provider.stream")
        if self._refuse is not None:
            self._must_be_sayable(self._refuse, request)
        answer = self._engine.decide(WireCall(self._endpoint, request, request.model or self.model, True))
        wait = self._limited(answer, timeouts, waiter)
        plan = None if answer.is_plain and answer.raw is None else self._plan(answer, request)
        events = _tell(answer, wait, self._step) if plan is None else read_stream(plan, self._endpoint, wait)
        outcome = "200" if plan is None else plan.outcome
        told: list[StreamEvent] = []
        answer.told = told
        ended = "abandoned"
        try:
            async for event in events:
                told.append(event)
                if event.response is None:
                    yield event
                    continue
                ended = outcome  # Whoever has the end of an answer has all of it.
                if plan is not None:
                    yield replace(event, response=replace(event.response, provider=self.name))
                else:
                    yield event
            ended = outcome
        except ProviderError as error:
            ended = end_word(error, outcome)
            if ended == "timeout" and told:
                ended = "stalled"
            self._name(error, answer)
            raise
        except SimulationStateError as missing:
            self._engine.world.record_harness_error(missing)
            raise
        finally:
            await events.aclose()
            if plan is None:
                self._engine.finish(answer, ended)
            else:
                plan.on_end(ended)


@lru_cache(maxsize=64)
def _able_within(window: int | None) -> Capabilities:
    return Capabilities(context_window=window)


def _pieces(answer: Answer, step: int) -> list[tuple[StreamEvent, int]]:
    """Return the events of an answer, each with the number of tokens in it; the first carries one alone."""
    assert answer.response is not None
    found: list[tuple[StreamEvent, int]] = []
    kinds: dict[type, StreamEventKind] = {TextPart: "text", RefusalPart: "refusal"}
    for index, part in enumerate(answer.response.parts):
        if isinstance(part, ToolCall):
            found.append((StreamEvent("tool_call", index=index, id=part.id, name=part.name), 1))
            kind: StreamEventKind = "tool_arguments"
            text = part.arguments
        elif isinstance(part, OpaquePart | ImagePart | FilePart | AudioPart):
            continue
        else:
            kind = kinds.get(type(part), "thinking")
            text = part.text
        exact = answer.chunks if kind == "text" else None
        pieces = list(exact) if exact is not None else pieces_of(text)
        start = 0
        while start < len(pieces):
            size = 1 if exact is not None or not found else step
            group = pieces[start : start + size]
            found.append((StreamEvent(kind, "".join(group), index), len(group)))
            start += size
    return found


async def _tell(answer: Answer, wait: LimitedWait, step: int) -> AsyncGenerator[StreamEvent, None]:
    """Hand an answer over piece by piece, each at its time."""
    response = answer.response
    assert response is not None
    if answer.head_ns:
        await wait.until_head(answer.head_ns)
    yield StreamEvent("start", id=response.id, model=response.model)
    pieces = _pieces(answer, step)
    total = sum(size for _, size in pieces)
    spent = seen = 0
    said: list[str] = []
    if answer.slow_ns:
        await wait.until_piece(answer.slow_ns)
    wait.limits.has_begun = True
    for event, size in pieces:
        due = answer.body_ns * (seen + size - 1) // total
        if due > spent:
            await _until_next_piece(wait, due - spent, said)
            spent = due
        seen += size
        if event.kind == "text":
            said.append(event.text)
        yield event
    if answer.body_ns > spent:
        await _until_next_piece(wait, answer.body_ns - spent, said)
    yield StreamEvent("finish", finish_reason=response.finish_reason)
    yield StreamEvent("usage", usage=response.usage)
    yield StreamEvent("end", response=response)


async def _until_next_piece(wait: LimitedWait, ns: int, said: list[str]) -> None:
    """Wait inside a stream, where a limit that is passed is a stall that leaves the caller with half an answer."""
    try:
        await wait.until_piece(ns)
    except ProviderTimeoutError as late:
        error = StreamInterruptedError(str(late), status=200)
        error.kind = "stalled"
        error.partial_text = "".join(said)
        error.visible = True
        raise error from late
