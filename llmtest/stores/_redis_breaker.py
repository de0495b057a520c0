"""Circuits in Redis: what one process learns of a provider, all know."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, cast

from llmtest.clock import active_clock
from llmtest.resilience import (
    CircuitAdmission,
    CircuitBreakerConfig,
    CircuitChange,
    CircuitReading,
    CircuitRefusal,
)
from llmtest.stores._breaker_scripts import ADMIT, COMMAND, COOL_DOWN, READ, RECORD
from llmtest.stores._outages import OnDown, check_on_down, tell_failure
from llmtest.stores._redis_server import RedisServer, server_of
from llmtest.types._closing import Closing

__all__ = ["RedisBreakerStore"]

SECOND_US = 1_000_000
DAY_MS = 86_400_000
LONGEST = 1e9
"""The longest time in seconds that a script is told."""
NEVER = 1 << 62
UNKNOWN = -1
"""Generation of an admission that was given while the server could not be asked."""
CLOSED = CircuitReading("closed", 0, 0)
NOTHING: tuple[CircuitChange, ...] = ()


class RedisBreakerStore(Closing):
    """Circuits in Redis, each for all processes and machines whose chains have a slot of its name.

    A call is let through in one round trip, and its end is told in another; each is one script, so that of a thousand
    callers at the end of an outage as many probe as may. Blocking calls and calls on an event loop have connections of
    their own; the ends of streams, cancelled calls and cooldowns are told by blocking commands. The rules are those of
    whoever asks: give every process the same. Times are told by the callers' wall clocks, to the microsecond, so one
    that is a second fast sees an outage end a second early. A probe of a process that was killed lapses after
    `probe_timeout`.

    Args:
        url: The server, as for `RedisCacheStore`.
        namespace: Begins the name of every key.
        timeout: Seconds to wait for a connection and for an answer, above 0. The wait is real, also in virtual time.
        on_down: What happens while the server cannot be asked: `open` lets every call pass, as if no circuit were
            open; `closed` refuses every call with a `CircuitOpenError` whose `cause` is `unknown`. The trace has a
            `StoreFailed` for each time it was asked in vain.

    Raises:
        ConfigurationError: The URL is none of Redis, a value is out of range, or `redis` is not installed.

    Example:
        >>> from llmtest import FallbackChain, OpenAIProvider, RedisBreakerStore
        >>> store = RedisBreakerStore("redis://localhost:6379/0", namespace="travel-app")
        >>> chain = FallbackChain([OpenAIProvider("sk-...")], breaker_store=store)
    """

    def __init__(
        self, url: str | RedisServer, *, namespace: str = "llmtest", timeout: float = 1.0, on_down: OnDown = "open"
    ) -> None:
        check_on_down(on_down)
        self._server = server_of(url, namespace, timeout, rests=True)
        self._namespace = namespace
        self._on_down = on_down

    def circuit(self, name: str, config: CircuitBreakerConfig) -> RedisCircuit:
        """Return the circuit of a name; nothing is asked for it yet."""
        return RedisCircuit(self._server, f"{{{self._namespace}:breaker}}:{name}", config, self._on_down)

    def close(self) -> None:
        """Close the connections of threads; the next call opens them again. Those of a loop end with it."""
        self._server.close()


class RedisCircuit:
    """One circuit in Redis, seen from this process.

    Args:
        server: The server.
        key: Where it is.
        config: Its rules.
        on_down: What happens while the server cannot be asked.
    """

    is_shared = True

    def __init__(self, server: RedisServer, key: str, config: CircuitBreakerConfig, on_down: OnDown) -> None:
        self._server = server
        self._keys = (key,)
        self._rules = rules_of(config)
        slow = config.slow_call_duration
        self._slow_ns = NEVER if slow is None else round(slow * 1000 * SECOND_US)
        self._is_closed_when_down = on_down == "closed"
        self._known = CLOSED

    def admit(self, now_ns: int, forced: bool) -> CircuitAdmission | CircuitRefusal:
        """Decide whether a call is let through."""
        try:
            given = self._server.run(ADMIT, self._keys, (self._rules, now_ns // 1000, int(forced)))
        except self._server.failures as error:
            return self._unknown(error, now_ns)
        return self._given(given, now_ns)

    async def admit_async(self, now_ns: int, forced: bool) -> CircuitAdmission | CircuitRefusal:
        """Do as `admit`, on the event loop."""
        try:
            given = await self._server.run_async(ADMIT, self._keys, (self._rules, now_ns // 1000, int(forced)))
        except self._server.failures as error:
            return self._unknown(error, now_ns)
        return self._given(given, now_ns)

    def _given(self, given: Sequence[Any], now_ns: int) -> CircuitAdmission | CircuitRefusal:
        (generation, *_), changes = given[0], self._learn(given[0])
        if given[1] == b"admitted":
            return CircuitAdmission(generation, now_ns, given[2] > 0, given[2], changes)
        wait_ns = None if given[3] == b"" else int(given[3]) * 1000
        return CircuitRefusal(cast("Any", given[2].decode()), wait_ns, changes)

    def _unknown(self, error: Exception, now_ns: int) -> CircuitAdmission | CircuitRefusal:
        refuses = self._is_closed_when_down
        tell_failure("breaker", "admit", error, refuses=refuses)
        return CircuitRefusal("unknown", 0) if refuses else CircuitAdmission(UNKNOWN, now_ns, False)

    def record(
        self, admission: CircuitAdmission, now_ns: int, verdict: str, took_ns: int | None = None
    ) -> tuple[CircuitChange, ...]:
        """Note how an admitted call ended."""
        told = self._told(admission, now_ns, verdict, took_ns)
        if told is None:
            return NOTHING
        try:
            return self._learn(self._server.run(RECORD, self._keys, told))
        except self._server.failures as error:
            tell_failure("breaker", "record", error)
            return NOTHING

    async def record_async(
        self, admission: CircuitAdmission, now_ns: int, verdict: str, took_ns: int | None = None
    ) -> tuple[CircuitChange, ...]:
        """Do as `record`, on the event loop."""
        told = self._told(admission, now_ns, verdict, took_ns)
        if told is None:
            return NOTHING
        try:
            return self._learn(await self._server.run_async(RECORD, self._keys, told))
        except self._server.failures as error:
            tell_failure("breaker", "record", error)
            return NOTHING

    def _told(
        self, admission: CircuitAdmission, now_ns: int, verdict: str, took_ns: int | None
    ) -> tuple[str | int, ...] | None:
        """Return what the script is told of the end of a call; None where it would change nothing."""
        if admission.generation == UNKNOWN or (verdict == "nothing" and not admission.is_probe):
            return None
        is_slow = took_ns is not None and took_ns >= self._slow_ns
        return (self._rules, now_ns // 1000, admission.generation, admission.number, verdict, int(is_slow))

    def cool_down(self, until_ns: int) -> bool:
        """Refuse calls until then without a change of state; return False where it cools down for longer already."""
        told = (self._rules, active_clock().time_ns() // 1000, until_ns // 1000)
        try:
            given = self._server.run(COOL_DOWN, self._keys, told)
        except self._server.failures as error:
            tell_failure("breaker", "cool_down", error)
            return False
        self._learn(given[0])
        return bool(given[1])

    def command(self, command: str, now_ns: int) -> tuple[CircuitChange, ...]:
        """Do what an operator says.

        Raises:
            Exception: The server cannot be asked; an operator has to know that nothing was done.
        """
        return self._learn(self._server.run(COMMAND, self._keys, (self._rules, now_ns // 1000, command)))

    def read(self) -> CircuitReading:
        """Return how it looks now; while the server cannot be asked, how it looked last."""
        try:
            self._learn(self._server.run(READ, self._keys, (self._rules, 0)))
        except self._server.failures as error:
            tell_failure("breaker", "read", error)
        return self._known

    def last_known(self) -> CircuitReading:
        """Return how it looked when it was asked last, without a round trip."""
        return self._known

    def _learn(self, seen: Sequence[Any]) -> tuple[CircuitChange, ...]:
        """Keep how the circuit looks; return what has changed."""
        _, state, failures, available, changes = seen
        at_us = int(available)
        self._known = CircuitReading(state.decode(), failures, NEVER if at_us < 0 else at_us * 1000)
        return tuple([_change(each) for each in changes]) if changes else NOTHING


def _change(told: Sequence[Any]) -> CircuitChange:
    before, after, cause, count, calls, open_for, slow = told
    return CircuitChange(
        before.decode(),
        after.decode(),
        cause.decode(),
        None if count == b"" else int(count),
        None if calls == b"" else int(calls),
        None if open_for == b"" else float(open_for),
        bool(slow),
    )


def rules_of(config: CircuitBreakerConfig) -> str:
    """Return the rules of a circuit as its scripts read them."""

    def microseconds(seconds: float) -> int:
        return round(min(seconds, LONGEST) * SECOND_US)

    span = config.window_seconds or 0.0
    longest = config.recovery_timeout
    if config.recovery_multiplier > 1:
        longest = max(longest, config.max_recovery_timeout)
    probe_timeout = config.recovery_timeout if config.probe_timeout is None else config.probe_timeout
    rules = {
        "threshold": config.failure_threshold,
        "recovery": min(config.recovery_timeout, LONGEST),
        "multiplier": config.recovery_multiplier,
        "max_recovery": min(config.max_recovery_timeout, LONGEST),
        "longest": microseconds(longest),
        "max_cooldown": microseconds(config.max_cooldown),
        "probes": config.half_open_max_calls,
        "successes": config.half_open_successes,
        "success_rate": config.half_open_success_rate,
        "probe_timeout": microseconds(probe_timeout),
        "restoration": microseconds(config.restoration),
        "share": config.restoration_share,
        "window": config.window_calls,
        "slice": None if config.window_seconds is None else max(1, microseconds(span / 10)),
        "minimum": config.minimum_calls,
        "failure_rate": config.failure_rate,
        "slow_rate": config.slow_call_rate,
        "z_score": config.failure_z_score,
        "lasting_ms": DAY_MS + microseconds(span) // 1000,
    }
    return json.dumps({name: value for name, value in rules.items() if value is not None})
