"""Keys that pass away: tokens of a session, and OAuth2 client credentials; kept, and fetched anew on a 401."""

from __future__ import annotations

import asyncio
import inspect
import json
import threading
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from hashlib import blake2b
from typing import Any
from weakref import WeakKeyDictionary

from llmtest.clock import TimeLimits, active_clock
from llmtest.errors import (
    AuthenticationError,
    ConfigurationError,
    LLMTestError,
    SessionExpiredError,
    SessionRenewalFailedError,
)
from llmtest.providers._failures import translate
from llmtest.providers._http_clients import AsyncDoor, Door
from llmtest.wire._headers import parse_retry_after

__all__ = ["SHORTEST", "ClientCredentials", "SessionToken", "TokenSource", "label_of"]

SHORTEST = 6
"""Characters of a key at least: a shorter one, such as those of tests, is found in every second word."""
NS = 1_000_000_000
SPARE = 30.0
"""Seconds before its end at which a token is no longer used: a request that is under way then would be refused."""
PASSING = frozenset({408, 429})
"""What a server of tokens says, beside its own failures, that passes by itself."""
FORM = (("content-type", "application/x-www-form-urlencoded"), ("accept", "application/json"))


class TokenSource(ABC):
    """Where the token of a request comes from; it stands wherever a provider takes an `api_key`.

    A token is fetched by the first request and kept for the next ones, also by requests at the same time. When the
    provider answers 401, it is fetched anew, and the request is sent once more.
    """

    def __init__(self) -> None:
        self._token: str | None = None
        self._ends_ns: int | None = None
        self._lock = threading.Lock()
        self._locks: WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Lock] = WeakKeyDictionary()

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {'with' if self._token else 'without'} a token>"

    @property
    @abstractmethod
    def label(self) -> str:
        """Who asks, which is no secret: what attempts and metrics show."""

    @abstractmethod
    async def _fetch(self, door: Door) -> tuple[str, float | None]:
        """Return a new token, and how many seconds it lives; None where nobody knows."""

    @property
    def secrets(self) -> tuple[str, ...]:
        """What no message may show."""
        return () if self._token is None else (self._token,)

    async def token(self, door: Door) -> str:
        """Return the token, fetched where there is none that is good."""
        if self._token is None or self._is_over():
            async with self._alone(door):
                if self._token is None or self._is_over():
                    found, seconds = await self._fetch(door)
                    now_ns = active_clock().now_ns()
                    self._ends_ns = None if seconds is None else now_ns + round(max(0.0, seconds - SPARE) * NS)
                    self._token = found
        assert self._token is not None
        return self._token

    async def spend(self, send: Callable[[str], Awaitable[Any]], limits: TimeLimits, door: Door) -> Any:
        """Send something with the token, and once more with a new one if the token is refused.

        Raises:
            ProviderError: It was refused twice, or there is no token.
        """
        token = await self._within(limits, door)
        try:
            return await send(token)
        except AuthenticationError as refused:
            if refused.status != 401:
                raise
            self.forget(token)
        token = await self._within(limits, door)
        try:
            return await send(token)
        except AuthenticationError as refused:
            ended = self._ended(refused)
            if ended is refused:
                raise
            raise ended from refused

    def _ended(self, refused: AuthenticationError) -> AuthenticationError:
        """Return what it means that a token was refused which had just been fetched."""
        return refused

    async def _within(self, limits: TimeLimits, door: Door) -> str:
        try:
            return await self.token(door)
        except Exception as error:
            failure = translate(error, limits, reading=False)
            if failure is None:
                raise
            raise failure from error

    def forget(self, token: str) -> None:
        """Give a token up that was refused; one that was fetched meanwhile stays."""
        if self._token == token:
            self._token = None

    def _is_over(self) -> bool:
        return self._ends_ns is not None and active_clock().now_ns() >= self._ends_ns

    @asynccontextmanager
    async def _alone(self, door: Door) -> AsyncIterator[None]:
        if not isinstance(door, AsyncDoor):
            with self._lock:
                yield
            return
        async with self._locks.setdefault(asyncio.get_running_loop(), asyncio.Lock()):
            yield


class SessionToken(TokenSource):
    """The token of a session, which a function of yours opens or renews.

    Args:
        renew: Returns a new token; it may be a coroutine function where the provider is asked on an event loop.
        token: The token of a session that is open already.
        lifetime: Seconds that a token lives; None: until the provider refuses it.
        label: What attempts and metrics call it.

    A call ends with `SessionRenewalFailedError` where the function raises or returns no token, which is worth another
    try, and with `SessionExpiredError` where the provider refuses the renewed token too.

    Example:
        >>> from llmtest import OpenAICompatibleProvider
        >>> token = SessionToken(lambda: "sess_1")
        >>> provider = OpenAICompatibleProvider("near", base_url="https://private.near.ai/v1", api_key=token)
    """

    def __init__(
        self,
        renew: Callable[[], str | Awaitable[str]],
        *,
        token: str | None = None,
        lifetime: float | None = None,
        label: str = "session",
    ) -> None:
        super().__init__()
        self._renew, self._lifetime, self._label = renew, lifetime, label
        self._token = token

    @property
    def label(self) -> str:
        """What it was given as."""
        return self._label

    async def _fetch(self, door: Door) -> tuple[str, float | None]:
        try:
            found: Any = self._renew()
        except Exception as error:
            raise self._not_renewed(error) from error
        if inspect.isawaitable(found):
            if not isinstance(door, AsyncDoor):
                if inspect.iscoroutine(found):
                    found.close()
                raise ConfigurationError(
                    "the session is renewed by a coroutine function, and blocking code asks.\n"
                    "To fix: ask on an event loop, or renew it by a function that blocks"
                )
            try:
                found = await found
            except Exception as error:
                raise self._not_renewed(error) from error
        if not isinstance(found, str) or not found:
            raise SessionRenewalFailedError(
                f"the session `{self._label}` was renewed without a token: {type(found).__name__} instead of text"
            )
        return found, self._lifetime

    def _not_renewed(self, error: Exception) -> Exception:
        if isinstance(error, LLMTestError):
            return error
        return SessionRenewalFailedError(
            f"the session `{self._label}` could not be renewed: {type(error).__name__}: {error}"
        )

    def _ended(self, refused: AuthenticationError) -> AuthenticationError:
        if isinstance(refused, SessionExpiredError):
            return refused
        ended = SessionExpiredError(f"the session `{self._label}` has ended, its new token is refused: {refused}")
        ended.__dict__.update({**refused.__dict__, "message": ended.message})
        return ended


class ClientCredentials(TokenSource):
    """OAuth2 client credentials (RFC 6749, section 4.4): an id and a secret get a token that lives for a while.

    Args:
        token_url: Where tokens are given out.
        client_id: The id.
        client_secret: The secret.
        scope: What is asked for; None: whatever the server gives.
        audience: Whom the token is for, where the server wants to know.
    """

    def __init__(
        self,
        token_url: str,
        client_id: str,
        client_secret: str,
        *,
        scope: str | None = None,
        audience: str | None = None,
    ) -> None:
        super().__init__()
        self._url = token_url
        given = {"client_id": client_id, "client_secret": client_secret, "scope": scope, "audience": audience}
        form = {"grant_type": "client_credentials", **given}
        self._form = {key: value for key, value in form.items() if value is not None}

    @property
    def label(self) -> str:
        """The id."""
        return self._form["client_id"]

    @property
    def secrets(self) -> tuple[str, ...]:
        """The secret and the token."""
        return (self._form["client_secret"], *super().secrets)

    async def _fetch(self, door: Door) -> tuple[str, float | None]:
        from urllib.parse import urlencode

        client = door.client()
        request = client.build_request("POST", self._url, headers=list(FORM), content=urlencode(self._form).encode())
        response = await door.send(client, request)
        try:
            body = b"".join([piece async for piece in door.pieces(response)])
        finally:
            await door.close(response)
        said = _object(body)
        token = said.get("access_token")
        if response.status_code // 100 != 2 or not isinstance(token, str) or not token:
            status = response.status_code
            why = said.get("error_description") or said.get("error") or f"status {status}"
            text = f"no token from {self._url}: {why}"
            if status in PASSING or status >= 500:
                wait = parse_retry_after(response.headers, active_clock().now())
                raise SessionRenewalFailedError(text, retry_after=wait, body=body)
            raise AuthenticationError(text, status=status, body=body)
        seconds = said.get("expires_in")
        return token, float(seconds) if isinstance(seconds, int | float | str) and str(seconds).isdigit() else None


def _object(body: bytes) -> dict[str, Any]:
    try:
        found = json.loads(body)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def label_of(name: str, api_key: str | None) -> str:
    """Return what attempts and metrics call a key, of which it tells nothing: a short hash."""
    if not api_key:
        return f"{name}:none"
    return f"{name}:{blake2b(api_key.encode(), digest_size=3).hexdigest()}"
