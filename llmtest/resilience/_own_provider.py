"""A provider class of your own: with `name` and `complete` alone it is accepted everywhere, and this supplies the rest.

What it has itself is used; what it lacks is made of what it has: a stream of one piece of a whole answer, the blocking
way of the asynchronous one and the other way round.
"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

from llmtest.costs import ModelFacts, estimate_request_tokens
from llmtest.errors import ConfigurationError
from llmtest.types import (
    NO_TIMEOUTS,
    Capabilities,
    CompletionRequest,
    CompletionResponse,
    Provider,
    StreamEvent,
    TextPart,
    Timeouts,
    TokenCountRequest,
    TokenCountResult,
)

__all__ = ["MEMBERS", "OwnProvider", "as_provider"]

MEMBERS = ("name", "model", "capabilities", "complete", "complete_async", "stream", "stream_async")
"""What a provider has."""
PROMPT = ("prompt", "text", "question")
"""Names of an argument that takes the prompt as text, and not a request."""


def as_provider(given: Any) -> Provider:
    """Return a provider as the rest of this package asks it.

    Args:
        given: A provider, or an object with `name` and `complete` (or `complete_async`) at least.

    Raises:
        ConfigurationError: It has neither.
    """
    # `isinstance` overlooks what a wrapper hands on by `__getattr__`, from Python 3.12 on.
    if all(hasattr(given, name) for name in MEMBERS):
        return given  # type: ignore[no-any-return]  # it has what a provider has
    name = getattr(given, "name", None)
    ways = [way for way in ("complete", "complete_async") if callable(getattr(given, way, None))]
    if not isinstance(name, str) or not name or not ways or isinstance(given, type):
        raise ConfigurationError(
            f"{given!r} is no provider: a provider has `name`, a text, and `complete(request)` at least.\n"
            "It may have `model`, `capabilities`, `complete_async`, `stream` and `stream_async` too; what it lacks is "
            "made of what it has"
        )
    return OwnProvider(given)


class OwnProvider:
    """What makes a whole provider of an object that has the least of one.

    `complete` takes a `CompletionRequest`, or the prompt as text where its argument is named `prompt` or is a `str` by
    its annotation; then `complete_with_system(system, prompt)` is asked where there is a system prompt and the object
    has it. It returns a `CompletionResponse` or a text. It may be a coroutine function. `timeouts` is handed over where
    it has an argument of that name.

    Args:
        given: The object.
    """

    def __init__(self, given: Any) -> None:
        self.own = self._given = given
        self.name: str = given.name
        self.model: str | None = getattr(given, "model", None)
        self._complete = _Method(given, "complete", "complete_async")
        self._complete_async = _Method(given, "complete_async", "complete")
        self._with_system = _Method(given, "complete_with_system") if hasattr(given, "complete_with_system") else None

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") or name in {"own", "_given"}:
            raise AttributeError(name)
        if hasattr(self._given, name) or name not in SUPPLIED:
            return getattr(self._given, name)
        return getattr(_Supplied(self), name)

    def __repr__(self) -> str:
        return repr(self._given)

    @property
    def capabilities(self) -> Capabilities:
        """What the object says that it can do; everything where it does not say."""
        return getattr(self._given, "capabilities", None) or Capabilities()

    def complete(self, request: CompletionRequest, timeouts: Timeouts = NO_TIMEOUTS) -> CompletionResponse:
        """Answer a request, blocking."""
        found = self._asked(self._complete, request, timeouts)
        return self._read(asyncio.run(_awaited(found)) if inspect.isawaitable(found) else found)

    async def complete_async(self, request: CompletionRequest, timeouts: Timeouts = NO_TIMEOUTS) -> CompletionResponse:
        """Answer a request on the event loop; a blocking `complete` runs in a thread beside it."""
        method = self._complete_async
        if method.is_async:
            return self._read(await self._asked(method, request, timeouts))
        found = await asyncio.to_thread(self._asked, method, request, timeouts)
        return self._read(await found if inspect.isawaitable(found) else found)

    def stream(self, request: CompletionRequest, timeouts: Timeouts = NO_TIMEOUTS) -> Iterator[StreamEvent]:
        """Answer a request piece by piece: as the object does it, else the whole answer in one piece."""
        own = getattr(self._given, "stream", None)
        if own is None or inspect.isasyncgenfunction(own):
            yield from _in_one_piece(self.complete(request, timeouts))
            return
        reader = _Pieces(self)
        for piece in self._asked(_Method(self._given, "stream"), request, timeouts):
            yield reader.read(piece)
        yield from reader.close()

    async def stream_async(
        self, request: CompletionRequest, timeouts: Timeouts = NO_TIMEOUTS
    ) -> AsyncIterator[StreamEvent]:
        """Answer a request piece by piece on the event loop; a blocking `stream` runs in a thread beside it."""
        name = "stream_async" if hasattr(self._given, "stream_async") else "stream"
        own = getattr(self._given, name, None)
        if own is None:
            for event in _in_one_piece(await self.complete_async(request, timeouts)):
                yield event
            return
        reader = _Pieces(self)
        pieces = self._asked(_Method(self._given, name), request, timeouts)
        if hasattr(pieces, "__aiter__"):
            async for piece in pieces:
                yield reader.read(piece)
        else:
            waiting = iter(pieces)
            while (piece := await asyncio.to_thread(next, waiting, None)) is not None:
                yield reader.read(piece)
        for event in reader.close():
            yield event

    def _asked(self, method: _Method, request: CompletionRequest, timeouts: Timeouts) -> Any:
        if not method.takes_text:
            return method(request, timeouts)
        systems = [message.text for message in request.messages if message.role == "system"]
        prompt = "\n\n".join(message.text for message in request.messages if message.role != "system")
        if systems and self._with_system is not None:
            return self._with_system.function("\n\n".join(systems), prompt)
        return method("\n\n".join([*systems, prompt]), timeouts)

    def _read(self, answer: Any) -> CompletionResponse:
        if isinstance(answer, CompletionResponse):
            return answer
        if isinstance(answer, str):
            return CompletionResponse(parts=(TextPart(answer),), model=self.model, provider=self.name)
        raise ConfigurationError(
            f"`{self.name}` answered with {type(answer).__name__}, where its `complete` is to return a text or a "
            "CompletionResponse"
        )


class _Supplied(ModelFacts):
    """What the object lacks beside conversations: made of what is known of its model, and estimated.

    Args:
        provider: The whole provider.
    """

    def __init__(self, provider: OwnProvider) -> None:
        self._provider = provider
        self.name, self.model = provider.name, provider.model
        self.price = getattr(provider.own, "price", None)

    @property
    def capabilities(self) -> Capabilities:
        """What the object says that it can do."""
        return self._provider.capabilities

    def available(self) -> bool:
        """Yes, where the object does not say otherwise."""
        return True

    def count_tokens(self, request: CompletionRequest | TokenCountRequest | str) -> TokenCountResult:
        """Estimate the tokens of a prompt."""
        if isinstance(request, str):
            request = CompletionRequest.ask(request)
        asked = request.as_completion() if isinstance(request, TokenCountRequest) else request
        return TokenCountResult(estimate_request_tokens(asked), "estimated", asked.model or self.model)

    def list_models(self) -> list[str]:
        """Return no models: nobody can ask."""
        return []


SUPPLIED = frozenset(name for name in dir(_Supplied) if not name.startswith("_"))
"""What is supplied where the object has it not, beside what a provider has."""


class _Method:
    """One method of the object, and how it wants to be asked.

    Args:
        given: The object.
        names: Its name, or another one that stands in for it.
    """

    def __init__(self, given: Any, *names: str) -> None:
        self.function: Callable[..., Any] = next(
            found for name in names if callable(found := getattr(given, name, None))
        )
        self.is_async = inspect.iscoroutinefunction(self.function)
        arguments = list(inspect.signature(self.function).parameters.values())
        first = arguments[0] if arguments else None
        self.takes_text = first is not None and (first.name in PROMPT or first.annotation in (str, "str"))
        named = next((each for each in arguments[1:] if each.name == "timeouts"), None)
        self._has_timeouts = named is not None
        self._by_name = named is not None and named.kind is named.KEYWORD_ONLY

    def __call__(self, asked: CompletionRequest | str, timeouts: Timeouts) -> Any:
        if not self._has_timeouts:
            return self.function(asked)
        return self.function(asked, timeouts=timeouts) if self._by_name else self.function(asked, timeouts)


class _Pieces:
    """Reads what a stream of the object gives: events, or texts, which are the answer piece by piece."""

    def __init__(self, provider: OwnProvider) -> None:
        self._provider = provider
        self._texts: list[str] = []

    def read(self, piece: Any) -> StreamEvent:
        if isinstance(piece, StreamEvent):
            return piece
        if not isinstance(piece, str):
            raise ConfigurationError(
                f"`{self._provider.name}` streamed {type(piece).__name__}, where its `stream` is to give texts or "
                "StreamEvents"
            )
        self._texts.append(piece)
        return StreamEvent("text", text=piece)

    def close(self) -> Iterator[StreamEvent]:
        """Yield the end of a stream of texts; events bring their own, or were cut off."""
        if self._texts:
            text = TextPart("".join(self._texts))
            answer = CompletionResponse(parts=(text,), model=self._provider.model, provider=self._provider.name)
            yield StreamEvent("end", response=answer)


async def _awaited(found: Any) -> Any:
    return await found


def _in_one_piece(response: CompletionResponse) -> Iterator[StreamEvent]:
    yield StreamEvent("start", id=response.id, model=response.model)
    if response.content:
        yield StreamEvent("text", text=response.content)
    for index, call in enumerate(response.tool_calls, start=1):
        yield StreamEvent("tool_call", index=index, id=call.id, name=call.name)
        yield StreamEvent("tool_arguments", index=index, text=call.arguments)
    yield StreamEvent("usage", usage=response.usage)
    yield StreamEvent("finish", finish_reason=response.finish_reason)
    yield StreamEvent("end", response=response)
