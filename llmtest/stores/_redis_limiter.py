"""Limits in Redis: what is sent with a key, counted over all processes."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, cast

from llmtest.errors import ConfigurationError
from llmtest.resilience import Admission, Asking, Ended
from llmtest.stores._limiter_scripts import ACQUIRE, COUNTS, NAMES, RELEASE
from llmtest.stores._outages import OnDown, check_on_down, tell_failure
from llmtest.stores._redis_server import RedisServer, server_of
from llmtest.types._closing import Closing

__all__ = ["RedisLimiterStore"]

POLL_NS = 25_000_000
"""How often the foremost of each process looks for a slot that another process has given back."""
LONGEST_POLL_NS = 2_000_000_000
"""How often everybody looks; one that was not seen for ten seconds has lost its place."""
LONGEST_US = 10**15


class RedisLimiterStore(Closing):
    """What was sent with each key, for all processes and machines together: no minute has more than is allowed.

    A request is let go, queued or refused in one round trip, and its end is told in another; each is one script.
    Who waits in the queue asks again: at the time that was foretold, when its own process knows that its turn has
    come, and else every 2 s. No process can wake another one, so the foremost of each looks for a free slot every
    25 ms. The queue is first come, first served, over all processes; whoever was not seen there for 10 s has left
    it. On an event loop a request asks by a connection of the loop, and its end is told by a blocking command.
    Times are told by the callers' wall clocks, to the microsecond; clocks that differ by more than a minute do not
    see what the other one counted.

    Args:
        url: The server, as for `RedisCacheStore`.
        namespace: Begins the name of every key.
        timeout: Seconds to wait for a connection and for an answer, above 0. The wait is real, also in virtual time.
        on_down: What happens while the server cannot be asked: `open` lets every request pass, uncounted; `closed`
            refuses it with a `ThrottledError` whose `cause` is `store_down`. The trace has a `StoreFailed` for each
            time it was asked in vain.
        lease: Seconds after which a request counts as ended for `concurrency`, above 0, because its process may have
            been killed. Longer than any request takes.

    Raises:
        ConfigurationError: The URL is none of Redis, a value is out of range, or `redis` is not installed.

    Example:
        >>> from llmtest import RateLimitConfig, RateLimiter, RedisLimiterStore
        >>> store = RedisLimiterStore("redis://localhost:6379/0", namespace="travel-app")
        >>> limiter = RateLimiter(RateLimitConfig(rpm=500), store=store)
    """

    is_shared = True

    def __init__(
        self,
        url: str | RedisServer,
        *,
        namespace: str = "llmtest",
        timeout: float = 1.0,
        on_down: OnDown = "open",
        lease: float = 600.0,
    ) -> None:
        check_on_down(on_down)
        if not lease > 0:
            raise ConfigurationError(f"lease must be above 0 seconds, got {lease}")
        self._server = server_of(url, namespace, timeout, rests=True)
        self._namespace = namespace
        self._is_closed_when_down = on_down == "closed"
        self._lease_us = min(round(min(lease, 1e9) * 1_000_000), LONGEST_US)
        self._waiting: dict[str, dict[str, Asking]] = {}
        """Requests of this process that wait, by key and number, in the order in which they came."""

    def acquire(self, asking: Asking, now_ns: int) -> Admission:
        """Let a request go, let it wait in the queue of its key, or refuse it."""
        try:
            given = self._server.run(ACQUIRE, self._keys(asking.key), self._asked(asking, now_ns))
        except self._server.failures as error:
            return self._unknown(error)
        return self._given(asking, given, now_ns)

    async def acquire_async(self, asking: Asking, now_ns: int) -> Admission:
        """Do as `acquire`, on the event loop."""
        try:
            given = await self._server.run_async(ACQUIRE, self._keys(asking.key), self._asked(asking, now_ns))
        except self._server.failures as error:
            return self._unknown(error)
        return self._given(asking, given, now_ns)

    def _keys(self, key: str) -> list[str]:
        return [f"{{{self._namespace}:limits:{key}}}:{name}" for name in NAMES]

    def _asked(self, asking: Asking, now_ns: int) -> tuple[str | int, ...]:
        config = asking.config
        latest = "" if asking.latest_ns is None else asking.latest_ns // 1000
        limits = (config.rpm, config.tpm, config.concurrency, config.max_queue)
        told = ("" if limit is None else limit for limit in limits)
        return (now_ns // 1000, asking.id, *told, asking.prompt, asking.tokens, latest, self._lease_us)

    def _given(self, asking: Asking, given: Sequence[Any], now_ns: int) -> Admission:
        is_granted, limit, refusal, ready, look, number, first = given
        asking.id = number.decode()
        ready_ns = None if ready == b"" else int(ready) * 1000
        if is_granted or refusal:
            self._leave(asking, first)
            if is_granted:
                return Admission(True, cast("Any", limit.decode()))
            cause = asking.latest_cause if refusal == b"late" else refusal.decode()
            return Admission(False, cast("Any", limit.decode()), cast("Any", cause), ready_ns)
        waiting = self._waiting.setdefault(asking.key, {})
        waiting[asking.id] = asking
        foremost = waiting.get(first.decode(), asking)
        if foremost is not asking:
            foremost.wake()
        polls = ready_ns is None and next(iter(waiting), None) == asking.id
        poll_ns = now_ns + (POLL_NS if polls else LONGEST_POLL_NS)
        if ready_ns is not None:
            poll_ns = min(poll_ns, ready_ns)
        look_ns = None if look == b"" else int(look) * 1000
        return Admission(False, cast("Any", limit.decode()), None, ready_ns, look_ns, poll_ns)

    def _leave(self, asking: Asking, first: bytes) -> None:
        """Let a request be none that waits, and have whoever may go now, or is foremost here now, look again."""
        waiting = self._waiting.get(asking.key)
        if waiting is None:
            return
        waiting.pop(asking.id, None)
        following = waiting.get(first.decode()) or waiting.get(next(iter(waiting.copy()), ""))
        if following is not None:
            following.wake()

    def _unknown(self, error: Exception) -> Admission:
        refuses = self._is_closed_when_down
        tell_failure("limiter", "acquire", error, refuses=refuses)
        return Admission(False, "queue", "store_down") if refuses else Admission(True)

    def release(self, asking: Asking, ended: Ended, now_ns: int) -> None:
        """Take back what a request was granted, or its place in the queue."""
        if not asking.id:
            return  # It was let pass while the server could not be asked.
        told = [[kind, limit, left, reset_ns // 1000] for kind, (limit, left, reset_ns) in ended.told.items()]
        arguments = (
            now_ns // 1000,
            asking.id,
            int(ended.is_sent),
            "" if ended.tokens is None else ended.tokens,
            json.dumps(told),
            ended.told_ns // 1000,
            "" if ended.pause_ns is None else ended.pause_ns // 1000,
        )
        try:
            first = self._server.run(RELEASE, self._keys(asking.key), arguments)
        except self._server.failures as error:
            tell_failure("limiter", "release", error)
            first = b""
        self._leave(asking, first)

    def running(self, key: str) -> int:
        """Return how many requests of a key are under way, of all processes, as the last decision left it."""
        return self._counts(key)[0]

    def waiting(self, key: str) -> int:
        """Return how many wait in the queue of a key, of all processes, as the last decision left it."""
        return self._counts(key)[1]

    def _counts(self, key: str) -> tuple[int, int]:
        running, waiting = self._server.run(COUNTS, self._keys(key), ())
        return running, waiting

    def close(self) -> None:
        """Close the connections of threads; the next call opens them again. Those of a loop end with it."""
        self._server.close()
