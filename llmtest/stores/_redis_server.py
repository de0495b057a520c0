"""A Redis server, and the scripts that decide there: one round trip each, as a whole or not at all."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from functools import cached_property
from hashlib import sha1
from typing import TYPE_CHECKING, Any

from llmtest.clock import SystemClock, is_virtual_loop
from llmtest.errors import ConfigurationError

if TYPE_CHECKING:
    import redis
    import redis.asyncio

__all__ = ["RedisServer", "Script", "server_of"]


NS = 1_000_000_000
RESTS = 5
"""How many waits long a server rests that has let one pass without an answer."""


class Script:
    """A script that Redis runs as a whole, known there by its digest.

    Args:
        text: In Lua.
    """

    __slots__ = ("digest", "text")

    def __init__(self, text: str) -> None:
        self.text = text
        self.digest = sha1(text.encode(), usedforsecurity=False).hexdigest()


class RedisServer:
    """A server by its URL. Threads share one pool of connections; each event loop has its own, closed as it ends.

    Args:
        url: `redis://`, `rediss://` or `unix://`.
        timeout: Seconds to wait for a connection and for an answer, above 0. The wait is real, also in virtual time.
        rests: Whether, after a wait in vain, it is not asked for as long as five such waits: each caller would wait.

    Raises:
        ConfigurationError: The URL is none of Redis, the timeout is not positive, or `redis` is not installed.
    """

    def __init__(self, url: str, timeout: float, *, rests: bool = False) -> None:
        if not timeout > 0:
            raise ConfigurationError(f"timeout must be above 0 seconds, got {timeout}")
        try:
            import redis
        except ImportError as error:
            raise ConfigurationError(
                "state in Redis needs the package `redis`, which is not installed.\n\n"
                "To fix: pip install -e '.[redis]', in a checkout of llmtest"
            ) from error
        self._library = redis
        self.failures: tuple[type[Exception], ...] = (redis.exceptions.RedisError, OSError)
        """What is raised where the server cannot be asked, or cannot do what it is asked."""
        self._url = url
        self._timeout = timeout
        self._rest_ns = round(timeout * RESTS * NS) if rests else 0
        self._rests_until_ns = 0
        self._time = SystemClock()
        self._loops: dict[asyncio.AbstractEventLoop, AsyncGenerator[redis.asyncio.Redis, None]] = {}
        self._clients: dict[asyncio.AbstractEventLoop, redis.asyncio.Redis] = {}
        try:
            _ = self.client
        except ValueError as error:  # its text has the schemes, and nothing of the URL, where a password may be
            raise ConfigurationError(
                f"the URL of Redis cannot be read: {error}.\nTo fix: write it like redis://localhost:6379/0"
            ) from error

    @cached_property
    def client(self) -> redis.Redis:
        """The client of threads; it opens a connection with the first command."""
        from redis.backoff import NoBackoff
        from redis.retry import Retry

        return self._library.Redis.from_url(
            self._url,
            socket_timeout=self._timeout,
            socket_connect_timeout=self._timeout,
            # For a connection that the server closed while nobody used it; nobody waits twice.
            retry=Retry(NoBackoff(), 1, (self._library.ConnectionError,)),
        )

    async def _client_of_loop(self) -> redis.asyncio.Redis:
        loop = asyncio.get_running_loop()
        client = self._clients.get(loop)
        if client is None:
            for ended in [other for other in self._loops if other.is_closed()]:
                self._loops.pop(ended, None)
                self._clients.pop(ended, None)
            life = self._life(loop)
            client = await anext(life)
            self._loops[loop] = life
        return client

    async def _life(self, loop: asyncio.AbstractEventLoop) -> AsyncGenerator[redis.asyncio.Redis, None]:
        """Give the client of a loop; a loop closes its generators before it ends, and with this one the client."""
        from redis.asyncio import Redis
        from redis.asyncio.retry import Retry
        from redis.backoff import NoBackoff

        client: Redis = Redis.from_url(
            self._url,
            socket_timeout=self._timeout,
            socket_connect_timeout=self._timeout,
            retry=Retry(NoBackoff(), 1, (self._library.ConnectionError,)),
        )
        self._clients[loop] = client
        try:
            yield client
        finally:
            self._clients.pop(loop, None)
            self._loops.pop(loop, None)
            await client.aclose()

    def run(self, script: Script, keys: Sequence[str], arguments: Sequence[str | bytes | int]) -> Any:
        """Run a script and return what it returns; a server that does not know it yet is told."""
        client: Any = self.client
        self._refuse_while_it_rests()
        try:
            return client.evalsha(script.digest, len(keys), *keys, *arguments)
        except self._library.exceptions.NoScriptError:
            return client.eval(script.text, len(keys), *keys, *arguments)
        except self._library.TimeoutError:
            self._rest()
            raise

    def _refuse_while_it_rests(self) -> None:
        if self._rests_until_ns and self._time.now_ns() < self._rests_until_ns:
            raise self._library.TimeoutError("was waited for in vain a moment ago, and is not asked yet")

    def _rest(self) -> None:
        if self._rest_ns:
            self._rests_until_ns = self._time.now_ns() + self._rest_ns

    async def run_async(self, script: Script, keys: Sequence[str], arguments: Sequence[str | bytes | int]) -> Any:
        """Do as `run`, on the event loop.

        A loop of virtual time is blocked meanwhile: its time would go on while it waits for a real answer.
        """
        if is_virtual_loop(asyncio.get_running_loop()):
            return self.run(script, keys, arguments)
        client: Any = await self._client_of_loop()
        self._refuse_while_it_rests()
        try:
            return await client.evalsha(script.digest, len(keys), *keys, *arguments)
        except self._library.exceptions.NoScriptError:
            return await client.eval(script.text, len(keys), *keys, *arguments)
        except self._library.TimeoutError:
            self._rest()
            raise

    def close(self) -> None:
        """Close the connections of threads."""
        self.client.close()

    async def aclose(self) -> None:
        """Close the connections of threads, and those of the running loop."""
        self.close()
        life = self._loops.get(asyncio.get_running_loop())
        if life is not None:
            await life.aclose()


def server_of(given: str | RedisServer, namespace: str, timeout: float, *, rests: bool = False) -> RedisServer:
    """Return the server that a store was given, by its URL or as it is.

    Args:
        given: The URL, or a server that several stores share.
        namespace: What the names of its keys will begin with.
        timeout: Seconds to wait for a connection and for an answer, above 0.
        rests: Whether it is not asked for a while after a wait in vain.

    Raises:
        ConfigurationError: The URL is none of Redis, a value is out of range, or `redis` is not installed.
    """
    if not namespace or set(namespace) & set("{}"):
        raise ConfigurationError(f"namespace must be a name without braces, got {namespace!r}")
    return given if isinstance(given, RedisServer) else RedisServer(given, timeout, rests=rests)
