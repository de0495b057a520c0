"""Everything that a chain shares, in one Redis."""

from __future__ import annotations

from urllib.parse import urlsplit

from llmtest.errors import ConfigurationError
from llmtest.resilience import SharedState
from llmtest.stores._outages import OnDown
from llmtest.stores._redis_breaker import RedisBreakerStore
from llmtest.stores._redis_cache import RedisCacheStore
from llmtest.stores._redis_health import RedisHealthStore
from llmtest.stores._redis_keys import RedisKeyStore
from llmtest.stores._redis_limiter import RedisLimiterStore
from llmtest.stores._redis_server import Script, server_of
from llmtest.types._closing import Closing

__all__ = ["RedisState"]

NEEDED = Script("return cmsgpack.unpack(cmsgpack.pack('ok'))")


class RedisState(SharedState, Closing):
    """What chains remember, in Redis: for every process and machine that names the same server and namespace.

    Circuits, limits, refused keys, health and answers are five stores over the same connections; each can be had
    alone, for one policy (`RedisBreakerStore`, `RedisLimiterStore`, `RedisKeyStore`, `RedisHealthStore`,
    `RedisCacheStore`). Nothing is asked of the server before the first call.

    Args:
        url: The server: `redis://user:password@host:6379/0`, `rediss://` for TLS, or `unix://`. Any Redis from 4.0 on,
            or what speaks like it.
        namespace: Begins the name of every key. Systems that are to know nothing of each other take different ones.
        timeout: Seconds to wait for a connection and for an answer, above 0. The wait is real, also in virtual time.
        on_down: What circuits and limits say while the server cannot be asked: `open` lets every call pass, `closed`
            refuses it. Without the other three a call always goes on.
        lease: Seconds after which a request counts as ended for `concurrency`, above 0, because its process may have
            been killed.

    Raises:
        ConfigurationError: The URL is none of Redis, a value is out of range, or `redis` is not installed.

    Example:
        >>> from llmtest import FallbackChain, OpenAIProvider, RedisState
        >>> shared = RedisState("redis://localhost:6379/0", namespace="travel-app")
        >>> chain = FallbackChain([OpenAIProvider("sk-...")], shared=shared)
    """

    def __init__(
        self,
        url: str,
        *,
        namespace: str = "llmtest",
        timeout: float = 1.0,
        on_down: OnDown = "open",
        lease: float = 600.0,
    ) -> None:
        self._server = server = server_of(url, namespace, timeout, rests=True)
        parts = urlsplit(url)
        self._address = f"{parts.hostname or 'localhost'}:{parts.port or 6379}" if parts.netloc else parts.path
        super().__init__(
            breakers=RedisBreakerStore(server, namespace=namespace, on_down=on_down),
            limits=RedisLimiterStore(server, namespace=namespace, on_down=on_down, lease=lease),
            refused_keys=RedisKeyStore(server, namespace=namespace),
            answers=RedisCacheStore(server, namespace=namespace),
            health=RedisHealthStore(server, namespace=namespace),
        )

    def __repr__(self) -> str:
        return f"RedisState({self._address})"

    def check(self) -> None:
        """Ask the server whether it is there and can do what is needed, as an application does when it starts.

        Raises:
            ConfigurationError: It cannot be reached, refuses the password, or is too old; with what to do.
        """
        try:
            self._server.run(NEEDED, (), ())
        except self._server.failures as error:
            name = type(error).__name__
            if name in {"AuthenticationError", "NoPermissionError"} or "NOAUTH" in str(error):
                raise ConfigurationError(
                    f"Redis at {self._address} takes neither this name nor this password, or lets it run no scripts.\n"
                    "To fix: put both into the URL, as in redis://name:password@host:6379/0"
                ) from None
            if isinstance(error, OSError) or name in {"ConnectionError", "TimeoutError", "BusyLoadingError"}:
                raise ConfigurationError(
                    f"no Redis answers at {self._address}: {name}.\n"
                    "To fix: start it (redis-server --port 6379), or write the address of one that runs"
                ) from None
            raise ConfigurationError(
                f"the server at {self._address} cannot run what shared state needs: {name}: {error}.\n"
                "To fix: take Redis 4.0 or later, or what speaks like it, with scripts (EVALSHA) and cmsgpack"
            ) from None

    def close(self) -> None:
        """Close the connections of threads; the next call opens them again. Those of a loop end with it."""
        self._server.close()

    async def aclose(self) -> None:
        """Close the connections of threads and of the running loop; the next call opens them again."""
        await self._server.aclose()
