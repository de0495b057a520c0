"""A budget for code that talks HTTP itself: a transport that refuses before it sends, and settles from the answer."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator
from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING, Any, Literal, Self

from llmtest.costs import Estimate, estimate_request_tokens, most_tokens, partial_usage
from llmtest.errors import BudgetExceededError, ConfigurationError, LLMTestError, QuotaExceededError, UnknownPriceError
from llmtest.types import CompletionRequest, Usage
from llmtest.wire import Dialect, ResponseMeta, dialect, owner_of

if TYPE_CHECKING:
    from llmtest.costs import Budget, Reservation
    from llmtest.wire import Endpoint, WireCall

__all__ = ["guarded_transport", "refusal_of", "reserve"]

UNSENT = ("ConnectError", "ConnectTimeout", "PoolTimeout", "UnsupportedProtocol", "ProxyError")
"""Errors of a client after which nothing has reached the provider."""


def guarded_transport(
    budget: Budget,
    transport: Any = None,
    *,
    provider: str | None = None,
    refusal: Literal["answer", "error"] = "answer",
    is_async: bool | None = None,
    library: str = "httpx",
) -> Any:
    """Return a transport for an `httpx` or `httpx2` client that holds each request to a budget.

    Conversations and embeddings of known APIs are held to it; whatever else the client asks for passes. A refusal is an
    answer in the words of the API (no quota left), which no SDK tries again, or `BudgetExceededError` itself. What an
    answer does not say is charged as it was reserved; a stream that is left, what had come of it.

    Args:
        budget: The budget.
        transport: What sends; default: the library's own `HTTPTransport()`.
        provider: Who is asked, at an address that is not known to be anybody's, such as a gateway; its API is spoken.
        refusal: What a refused request gets: `answer` (the default), or `error`, which SDKs take for a lost connection.
        is_async: Whether it is for an `AsyncClient`; default: what `transport` is, else False.
        library: `httpx` (the default) or `httpx2`, where no transport is given.

    Raises:
        ConfigurationError: There is no such provider, or the transport is none.
    """
    if refusal not in {"answer", "error"}:
        raise ConfigurationError(f'`refusal` must be "answer" or "error", got {refusal!r}')
    if transport is not None and not any(hasattr(transport, f"handle_{word}request") for word in ("", "async_")):
        raise ConfigurationError(
            f"a guard sends by a transport, and {transport!r} is none.\nTo fix: budget.guard(httpx.HTTPTransport())"
        )
    is_async = (transport is not None and not hasattr(transport, "handle_request")) if is_async is None else is_async
    if transport is None:
        loaded = import_module(library)
        transport = loaded.AsyncHTTPTransport() if is_async else loaded.HTTPTransport()
    spoken = None if provider is None else dialect(provider)
    return (_AsyncGuard if is_async else _Guard)(budget, transport, spoken, refusal)


class _Permit:
    """One request under way: what was set aside for it, and how its answer is read."""

    def __init__(self, reservation: Reservation, call: WireCall | None, library: Any) -> None:
        self._reservation = reservation
        self._call = call
        self.library = library

    def watch(self, response: Any, kind: int) -> Any:
        """Return an answer that is charged for once it has been read, or left."""
        try:
            content = response.content
        except self.library.ResponseNotRead:
            response.stream = _stream_classes(self.library)[kind](response.stream, response, self)
        else:  # It has come as a whole.
            self.settle(response, [content], whole=True, packed=False)
        return response

    def fail(self, error: BaseException) -> None:
        """Give everything back where nothing was sent; charge the prompt where an answer was waited for."""
        if type(error).__name__ in UNSENT:
            self._reservation.release()
        elif self._reservation.is_open:
            self._reservation.settle(self._partial([]))

    def settle(self, response: Any, pieces: list[bytes], *, whole: bool, packed: bool = True) -> None:
        """Charge what an answer says that it used."""
        if not self._reservation.is_open:
            return
        if response.status_code >= 400:
            self._reservation.release()
            return
        try:
            usage, model, tier = self._read(response, b"".join(pieces), whole=whole, packed=packed)
        except (LLMTestError, ValueError, KeyError, TypeError, AttributeError, self.library.DecodingError):
            usage, model, tier = None, None, None
        self._reservation.settle(usage, model=model, service_tier=tier)

    def _read(
        self, response: Any, raw: bytes, *, whole: bool, packed: bool
    ) -> tuple[Usage | None, str | None, str | None]:
        if self._call is None:
            return None, None, None
        headers = dict(response.headers)
        body = self.library.Response(200, headers=headers, content=raw).content if packed else raw
        if not self._call.stream:
            answer = self._call.endpoint.decode_answer(body, headers) if whole else None
            if answer is None:
                return self._partial([]), None, None
            return answer.usage, answer.model, getattr(answer, "service_tier", None)
        decoder = self._call.endpoint.stream_decoder(headers)
        events = list(decoder.feed(body))
        if decoder.done:
            events += decoder.close()
        last = events[-1].response if events else None
        if last is None:
            return self._partial(events), None, None
        return last.usage, last.model, getattr(last, "service_tier", None)

    def _partial(self, events: list[Any]) -> Usage | None:
        request = None if self._call is None else self._call.request
        if not isinstance(request, CompletionRequest):
            return None
        return partial_usage(estimate_request_tokens(request), events, most=request.max_tokens)


class _Shared:
    """What a guard of either kind does."""

    def __init__(self, budget: Budget, transport: Any, spoken: Dialect | None, refusal: str) -> None:
        self._budget = budget
        self._transport = transport
        self._spoken = spoken
        self._refusal = refusal

    def _admit(self, request: Any, body: bytes) -> _Permit | Any | None:
        """Set aside what a request may cost; return the permit, an answer that refuses it, or None to let it pass."""
        api = self._spoken or owner_of(str(request.url))
        if api is None:
            return None
        found = api.match(request.method, request.url.path, anywhere=True)
        if found.endpoint is None or found.endpoint.gives not in {"completion", "embeddings"}:
            return None
        library = import_module(type(request).__module__.partition(".")[0])
        try:
            call: WireCall | None = found.endpoint.read(dict(request.headers), body, found.parameters)
            asked = None if call is None else call.request
        except LLMTestError:
            call = asked = None  # The provider decides about it; until then it is held to its size.
        try:
            reservation = reserve(self._budget, api.name, None if call is None else call.model, asked, body)
        except (BudgetExceededError, UnknownPriceError) as error:
            if self._refusal == "error":
                raise
            status, headers, text = refusal_of(error, found.endpoint, api.name)
            return library.Response(status, headers=headers, content=text, request=request)
        return _Permit(reservation, call, library)


def reserve(budget: Budget, provider: str, model: str | None, asked: object, body: bytes) -> Reservation:
    """Set aside the most that a request may need.

    Args:
        budget: The budget.
        provider: Who is going to be asked.
        model: The model that it names.
        asked: What it asks for; of anything but a `CompletionRequest` only the size is known.
        body: How it is sent.

    Raises:
        BudgetExceededError: It could pass a limit.
        UnknownPriceError: Money is limited, and the price of the model is unknown.
    """
    if isinstance(asked, CompletionRequest):
        return budget.reserve(asked, provider=provider, model=model)
    text = body.decode("utf-8", "replace")
    try:
        fields = json.loads(text)
    except ValueError:
        fields = {}
    named = model or (str(fields.get("model")) if isinstance(fields, dict) and "model" in fields else None)
    tokens = most_tokens(text)
    return budget.reserve(Estimate(tokens, budget.prices.upper_bound(provider, named, tokens, 0), provider, named))


def refusal_of(error: LLMTestError, endpoint: Endpoint, provider: str) -> tuple[int, list[tuple[str, str]], bytes]:
    """Return status, headers and body of a refusal in the words of an API: no quota is left, and not to be tried again.

    Args:
        error: Why it is refused.
        endpoint: What was asked.
        provider: Who would have been asked.
    """
    refused = QuotaExceededError(str(error).partition("\n")[0], provider=provider)
    status, headers, text = endpoint.encode_error(refused, ResponseMeta(request_id="req_refused"))
    return status, [*headers, ("x-should-retry", "false")], text


@cache
def _stream_classes(library: Any) -> tuple[type, type]:
    """Return the classes of guarded streams, which have to be the library's own."""

    class Guarded(library.SyncByteStream):  # type: ignore[misc]  # known when it runs
        def __init__(self, inner: Any, response: Any, permit: _Permit) -> None:
            self._inner, self._response, self._permit = inner, response, permit
            self._pieces: list[bytes] = []
            self._whole = False

        def __iter__(self) -> Iterator[bytes]:
            for piece in self._inner:
                self._pieces.append(piece)
                yield piece
            self._whole = True

        def close(self) -> None:
            try:
                self._inner.close()
            finally:
                self._permit.settle(self._response, self._pieces, whole=self._whole)

    class AsyncGuarded(library.AsyncByteStream):  # type: ignore[misc]  # known when it runs
        def __init__(self, inner: Any, response: Any, permit: _Permit) -> None:
            self._inner, self._response, self._permit = inner, response, permit
            self._pieces: list[bytes] = []
            self._whole = False

        async def __aiter__(self) -> AsyncIterator[bytes]:
            async for piece in self._inner:
                self._pieces.append(piece)
                yield piece
            self._whole = True

        async def aclose(self) -> None:
            try:
                await self._inner.aclose()
            finally:
                self._permit.settle(self._response, self._pieces, whole=self._whole)

    return Guarded, AsyncGuarded


class _Guard(_Shared):
    """The guard of a client that blocks."""

    def handle_request(self, request: Any) -> Any:
        permit = self._admit(request, request.read())
        if not isinstance(permit, _Permit):
            return self._transport.handle_request(request) if permit is None else permit
        try:
            response = self._transport.handle_request(request)
        except BaseException as error:
            permit.fail(error)
            raise
        return permit.watch(response, 0)

    def __enter__(self) -> Self:
        self._transport.__enter__()
        return self

    def __exit__(self, *error: object) -> None:
        self._transport.__exit__(*error)

    def close(self) -> None:
        self._transport.close()


class _AsyncGuard(_Shared):
    """The guard of a client that awaits."""

    async def handle_async_request(self, request: Any) -> Any:
        permit = self._admit(request, await request.aread())
        if not isinstance(permit, _Permit):
            return await self._transport.handle_async_request(request) if permit is None else permit
        try:
            response = await self._transport.handle_async_request(request)
        except BaseException as error:
            permit.fail(error)
            raise
        return permit.watch(response, 1)

    async def __aenter__(self) -> Self:
        await self._transport.__aenter__()
        return self

    async def __aexit__(self, *error: object) -> None:
        await self._transport.__aexit__(*error)

    async def aclose(self) -> None:
        await self._transport.aclose()
