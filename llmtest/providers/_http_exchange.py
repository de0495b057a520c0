"""Requests of a provider on their way: where they go, what signs them, how long they may take, what failures mean."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from dataclasses import replace
from datetime import timedelta
from functools import cached_property
from typing import Any, Unpack

from llmtest.clock import TimeLimits, active_clock
from llmtest.costs import ModelFacts, context_window
from llmtest.errors import ConfigurationError, ModelNotFoundError, NotSupportedError, ProviderError
from llmtest.providers._conversation import conversation
from llmtest.providers._defaults import DEFAULT_TIMEOUTS, Defaults, refuse_unknown
from llmtest.providers._failures import translate
from llmtest.providers._gathered import Pieces
from llmtest.providers._http_clients import AsyncDoor, BlockingDoor, Door
from llmtest.providers._tokens import SHORTEST, TokenSource, label_of
from llmtest.types import NO_TIMEOUTS, Capabilities, CompletionRequest, Timeouts, refuse_what_is_no_request
from llmtest.wire import Dialect, Endpoint, RateLimits, WireRequest

__all__ = ["HttpExchange"]


class HttpExchange(ModelFacts):
    """A provider as far as it sends requests and reads answers; the classes that derive from it say what is asked.

    Args:
        name: What errors, traces and prices call it.
        dialect: The API it speaks.
        base_url: Where it is reached; None takes the dialect's own address.
        api_key: The key, or a `TokenSource` for one that passes away; None sends none.
        model: Model to ask for where a request names none.
        http_client: A client of `httpx` or `httpx2` to send with, blocking or asynchronous; the other kind is made
            where it is needed.
        timeouts: Limits where a call brings none.
        headers: Further headers of every request.
        credential: Label of the key in attempts and metrics; a short hash of the key by default, never the key.
        idempotency_header: Header in which the provider, or a gateway before it, looks for the name of a request, to
            answer a repeated one once; usually `Idempotency-Key`. None (the default, as in the official SDKs) sends
            none. Every retry of a call carries the same name, and no other call does.
        api: Which of its ways to complete a conversation is used, by the name of the operation; None: the first.
        defaults: `max_tokens` and `temperature` where a request does not say; `context_window` of its model, by default
            the published one; `price` of its model, in the arguments of `Prices.add`; `chunk_size` and
            `buffer_timeout_ms` of streams: see `Defaults`.

    Raises:
        ConfigurationError: It has no address, or no such API.
    """

    def __init__(
        self,
        *,
        name: str,
        dialect: Dialect,
        base_url: str | None,
        api_key: str | TokenSource | None,
        model: str | None,
        http_client: Any = None,
        timeouts: Timeouts = DEFAULT_TIMEOUTS,
        headers: Mapping[str, str] | None = None,
        credential: str | None = None,
        idempotency_header: str | None = None,
        api: str | None = None,
        **defaults: Unpack[Defaults],
    ) -> None:
        refuse_unknown(type(self), defaults)
        self._tokens = api_key if isinstance(api_key, TokenSource) else None
        key = None if api_key is None or isinstance(api_key, TokenSource) else api_key.strip()
        self.name = name
        self.model = model
        self._key = key
        self.credential = credential or (
            label_of(name, key) if self._tokens is None else f"{name}:{self._tokens.label}"
        )
        self._dialect = dialect
        self._chat = conversation(dialect, api)
        self.base_url = (base_url or dialect.base_url or "").rstrip("/")
        if not self.base_url:
            raise ConfigurationError(
                f"`{name}` was not told where it is: the dialect `{dialect.name}` has no address of its own.\n"
                "To fix: pass `base_url`"
            )
        self._timeouts = timeouts
        self._max_tokens, self._temperature = defaults.get("max_tokens"), defaults.get("temperature")
        self._has_defaults = self._max_tokens is not None or self._temperature is not None
        size = defaults.get("chunk_size")
        self._pieces_of = None if size is None else Pieces(size, defaults.get("buffer_timeout_ms"))
        self._window, self.price = defaults.get("context_window"), defaults.get("price")
        self.idempotency_header = idempotency_header
        self._batches = dialect.batches
        self._models: tuple[str, ...] = ()
        self._answered: tuple[Mapping[str, str], int] | None = None
        self._told: tuple[RateLimits, int] | None = None
        signed = dialect.auth(key) if self._tokens is None else ()
        self._headers = (*signed, *(headers or {}).items())
        is_async = hasattr(http_client, "aclose")
        self._blocking = BlockingDoor(None if is_async else http_client)
        self._async = AsyncDoor(http_client if is_async else None)

    def __repr__(self) -> str:
        return f"{type(self).__name__}(name={self.name!r}, model={self.model!r}, base_url={self.base_url!r})"

    @cached_property
    def capabilities(self) -> Capabilities:
        """Everything, and the context window of the model: the one that was given, else the published one."""
        known = context_window(self.name, self.model) if self._window is None else self._window
        return Capabilities(context_window=known)

    @property
    def rate_limits(self) -> tuple[RateLimits, int] | None:
        """The limits that the provider told of with its last answer, and when, in nanoseconds of the clock."""
        if self._answered is not None:
            (headers, at_ns), self._answered = self._answered, None
            read = self._dialect.read_limits
            clock = active_clock()
            now = clock.now() - timedelta(microseconds=(clock.now_ns() - at_ns) // 1000)
            limits = None if read is None else read(headers, now)
            self._told = self._told if limits is None else (limits, at_ns)
        return self._told

    def available(self) -> bool:
        """Whether it may be asked at all, without asking: it has a key, or needs none."""
        return bool(self._key) or self._tokens is not None or not self._dialect.needs_key

    def close(self) -> None:
        """Close the connections of blocking code; a client that was passed in stays open. It may be asked again."""
        self._blocking.close_client()

    async def aclose(self) -> None:
        """Close the connections of the running event loop; a client that was passed in stays open."""
        await self._async.close_client()

    def _giving(self, gives: str) -> Endpoint | None:
        """Return the endpoint that a client of ours can ask for something; None where the API has none."""
        found = (each for each in self._reachable if each.gives == gives)
        endpoint = next((each for each in found if each.has("encode_call", "decode_answer")), None)
        return None if endpoint is None else self._asked_for(endpoint.operation)

    @cached_property
    def _reachable(self) -> tuple[Endpoint, ...]:
        """The endpoints of the part of the API that the base URL names, and those beside it."""
        mounts = self._dialect.mounts
        named = next((mounts[prefix] for prefix in mounts if self.base_url.endswith(prefix)), self._dialect.spoken)
        return named.endpoints if named is self._dialect else (*named.endpoints, *self._dialect.endpoints)

    def _asked_for(self, operation: str) -> Endpoint:
        endpoint = next((each for each in self._reachable if each.operation == operation), None)
        if endpoint is None:
            raise NotSupportedError(f"`{self.name}` has no endpoint for {operation}", provider=self.name)
        return endpoint

    def _placed(self, wire: WireRequest, endpoint: Endpoint) -> WireRequest:
        """Return a request with its whole address where it is beside the part of the API that the base URL names."""
        for prefix in self._dialect.mounts if endpoint in self._dialect.endpoints else ():
            if self.base_url.endswith(prefix):
                return replace(wire, path=self.base_url.removesuffix(prefix) + wire.path)
        return wire

    def _limits(self, timeouts: Timeouts, *, streaming: bool) -> TimeLimits:
        kept = self._timeouts if timeouts == NO_TIMEOUTS else timeouts
        return TimeLimits(kept, active_clock(), streaming=streaming)

    async def _fetch(self, wire: WireRequest, limits: TimeLimits, door: Door) -> tuple[Mapping[str, str], bytes]:
        """Send a request and read its whole answer."""
        response = await self._send(wire, limits, door)
        try:
            return response.headers, await self._read(response, limits, door)
        finally:
            await door.close(response)

    async def _send(self, wire: WireRequest, limits: TimeLimits, door: Door) -> Any:
        """Send a request, with a token where the key is one; return the response if it is a success."""
        if self._tokens is None:
            return await self._send_once(wire, limits, door)

        async def send(token: str) -> Any:
            signed = replace(wire, headers=(*wire.headers, *self._dialect.auth(token)))
            return await self._send_once(signed, limits, door)

        return await self._tokens.spend(send, limits, door)

    async def _send_once(self, wire: WireRequest, limits: TimeLimits, door: Door) -> Any:
        """Send a request; return the response if it is a success.

        Raises:
            ProviderError: It is none, or none came.
        """
        client = door.client()
        wire = await self._signed(wire)
        connect, head = limits.connecting().seconds, limits.head().seconds
        request = client.build_request(
            wire.method,
            wire.path if "://" in wire.path else self.base_url + wire.path,
            headers=list(wire.headers),
            content=wire.body or None,
            timeout=(connect, head, head, connect),
        )
        try:
            async with door.limit(limits.head().seconds if connect is None else None):
                response = await door.send(client, request)
        except Exception as error:
            failure = translate(error, limits, reading=False)
            if failure is None:
                raise
            raise failure from error
        if self._dialect.read_limits is not None:
            self._answered = (response.headers, active_clock().now_ns())
        kept = request.extensions.get("timeout")
        if isinstance(kept, dict):
            # A client takes it once for the whole body, so the limit of the first piece cannot be in it: it would cut
            # later silences too. On an event loop we keep that limit; blocking code notices it when the piece comes.
            kept["read"] = limits.silence().seconds
        if 200 <= response.status_code < 300:
            return response
        try:
            body = await self._read(response, limits, door)
        except ProviderError as error:
            error.accepted = False  # It was a refusal, whatever became of its text.
            raise
        finally:
            await door.close(response)
        raise self._chat.decode_error(response.status_code, response.headers, body, now=active_clock().now())

    async def _read(self, response: Any, limits: TimeLimits, door: Door) -> bytes:
        pieces = []
        async with aclosing(self._pieces(response, limits, door)) as source:
            async for piece in source:
                pieces.append(piece)
                if (phase := limits.overdue()) is not None:
                    late = limits.error(phase)
                    late.body = b"".join(pieces)
                    raise late
        return b"".join(pieces)

    async def _pieces(self, response: Any, limits: TimeLimits, door: Door) -> AsyncGenerator[bytes, None]:
        """Read the body, each piece within its limit."""
        source = door.pieces(response)
        while True:
            try:
                async with door.limit(limits.piece().seconds):
                    piece = await anext(source)
            except StopAsyncIteration:
                return
            except Exception as error:
                failure = translate(error, limits, reading=True)
                if failure is None:
                    raise
                raise failure from error
            yield piece

    async def _signed(self, wire: WireRequest) -> WireRequest:
        """Return what is sent with the headers of this provider, the key among them."""
        return replace(wire, headers=(*wire.headers, *self._headers))

    def _addressed(self, request: CompletionRequest) -> CompletionRequest:
        """Return the request with the model it goes to."""
        if request.__class__ is not CompletionRequest:
            refuse_what_is_no_request(request, "provider.complete")
        if self._has_defaults:
            limit = self._max_tokens if request.max_tokens is None else request.max_tokens
            warmth = self._temperature if request.temperature is None else request.temperature
            request = replace(request, max_tokens=limit, temperature=warmth)
        if request.model is not None:
            return request
        if self.model is None:
            raise ConfigurationError(
                f"`{self.name}` was not told which model to ask for.\n"
                "To fix: give the provider a `model`, or the request one"
            )
        return request.with_model(self.model)

    def _named(self, error: ProviderError, model: str | None) -> ProviderError:
        error.provider = self.name
        if isinstance(error, ModelNotFoundError):
            error.available_models = self._models
        error.model = error.model or model
        for secret in (self._key, *(() if self._tokens is None else self._tokens.secrets)):
            if secret and len(secret) >= SHORTEST and secret in error.message:
                error.message = error.message.replace(secret, "***")  # Some servers repeat what they refuse.
                error.args = (error.message,)
        return error
