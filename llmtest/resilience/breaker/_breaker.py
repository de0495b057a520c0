"""The circuit breaker: stop asking a provider that keeps failing, and find out carefully when it is well again.

What is decided is decided by the circuit's state (`_memory_circuit`, or a store of another kind); here it becomes
errors, events and calls of listeners.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TYPE_CHECKING, cast

from llmtest.clock import active_clock
from llmtest.errors import CircuitOpenError
from llmtest.events import BreakerChanged, BreakerState, current_call, publish
from llmtest.resilience._classification import outcome_of
from llmtest.resilience.breaker._breaker_config import CircuitBreakerConfig
from llmtest.resilience.breaker._breaker_store import (
    NEVER,
    BreakerStore,
    CircuitAdmission,
    CircuitChange,
    CircuitRefusal,
    Command,
    RemoteCircuit,
    StoredCircuit,
    Verdict,
)
from llmtest.resilience.breaker._memory_circuit import MemoryCircuit

if TYPE_CHECKING:
    from llmtest.clock import Clock

__all__ = ["CircuitBreaker", "CircuitState"]

CircuitState = BreakerState
Listener = Callable[[BreakerChanged], object]
NS = 1_000_000_000
logger = logging.getLogger("llmtest.resilience")


class CircuitBreaker:
    """The circuit of one provider; safe to share between threads and tasks.

    No lock is held while a call is under way. Where other processes share its state, its methods are to be told wall
    time (`time_ns`).

    Args:
        name: Whose circuit it is.
        config: When it opens and closes.
        store: Where its state is kept; None keeps it in memory, for this object alone.
    """

    __slots__ = (
        "_admit",
        "_circuit",
        "_last_error",
        "_last_known",
        "_listeners",
        "_record",
        "_remote",
        "config",
        "is_remote",
        "is_shared",
        "is_timed",
        "name",
    )

    def __init__(
        self, name: str, config: CircuitBreakerConfig | None = None, store: BreakerStore | None = None
    ) -> None:
        self.name = name
        self.config = config = CircuitBreakerConfig() if config is None else config
        self._circuit: StoredCircuit = MemoryCircuit(config) if store is None else store.circuit(name, config)
        self._admit = self._circuit.admit
        self._record = self._circuit.record
        self._remote = cast("RemoteCircuit", self._circuit) if hasattr(self._circuit, "admit_async") else None
        self.is_remote = self._remote is not None
        """Whether its state is on a server, which code on an event loop must not wait for blocking."""
        self.is_shared: bool = getattr(self._circuit, "is_shared", False)
        """Whether other processes use it too, so that its times are those of the wall."""
        self._last_known = getattr(self._circuit, "last_known", self._circuit.read)
        self.is_timed = config.slow_call_duration is not None
        """Whether it matters how long a call takes."""
        self._listeners: list[Listener] = [] if config.on_change is None else [config.on_change]
        self._last_error: BaseException | None = None

    @property
    def state(self) -> CircuitState:
        """`closed`, `open`, `half_open` or `isolated`. An open circuit becomes half open when the first probe asks."""
        return self._circuit.read().state

    @property
    def failures(self) -> int:
        """Failures counted so far: in a row, or in the window."""
        return self._circuit.read().failures

    @property
    def available_at_ns(self) -> int:
        """When the next call may be admitted, in nanoseconds of the clock; in the past where it may be now.

        Of a circuit on a server it is what was last heard of it: nobody asks there only to choose.
        """
        at_ns: int = self._last_known().available_at_ns
        if self.is_shared and at_ns != NEVER:
            clock = active_clock()
            at_ns += clock.now_ns() - clock.time_ns()
        return at_ns

    def time_ns(self, clock: Clock) -> int:
        """Return the time that its methods are to be told."""
        return clock.time_ns() if self.is_shared else clock.now_ns()

    def admit(self, now_ns: int, *, forced: bool = False) -> CircuitAdmission:
        """Let a call through.

        Args:
            now_ns: The time.
            forced: Admit it as a probe even where the circuit is open, because every other one is as well.

        Raises:
            CircuitOpenError: The circuit is open, cooling down, isolated, or being restored; or its probes are still
                under way.
        """
        given = self._admit(now_ns, forced)
        if isinstance(given, CircuitAdmission) and not given.changes:
            return given
        return self._given(given, now_ns)

    async def admit_async(self, now_ns: int, *, forced: bool = False) -> CircuitAdmission:
        """Do as `admit`, where the circuit's state is on a server."""
        assert self._remote is not None, "only a circuit on a server is waited for"
        return self._given(await self._remote.admit_async(now_ns, forced), now_ns)

    def _given(self, given: CircuitAdmission | CircuitRefusal, now_ns: int) -> CircuitAdmission:
        if isinstance(given, CircuitRefusal):
            self._tell(given.changes, now_ns)
            raise CircuitOpenError(
                self.name,
                retry_after=None if given.wait_ns is None else max(0, given.wait_ns) / NS,
                last_error=self._last_error,
                cause=given.cause,
            )
        try:
            self._tell(given.changes, now_ns)
        except BaseException:
            self.release(given)
            raise
        return given

    def success(self, admission: CircuitAdmission, now_ns: int, took_ns: int | None = None) -> None:
        """Say that an admitted call succeeded.

        Args:
            admission: What let it through.
            now_ns: The time.
            took_ns: How long it took; None where that does not matter.
        """
        changes = self._record(admission, now_ns, "success", took_ns)
        if changes:
            self._tell(changes, now_ns)

    def failure(
        self, admission: CircuitAdmission, now_ns: int, error: BaseException, took_ns: int | None = None
    ) -> None:
        """Say that an admitted call failed in a way that counts."""
        self._last_error = error
        self._tell(self._record(admission, now_ns, "failure", took_ns), now_ns)

    async def record_async(
        self,
        admission: CircuitAdmission,
        now_ns: int,
        verdict: Verdict,
        took_ns: int | None = None,
        error: BaseException | None = None,
    ) -> None:
        """Do as `success` or `failure`, where the circuit's state is on a server."""
        if error is not None:
            self._last_error = error
        assert self._remote is not None, "only a circuit on a server is waited for"
        self._tell(await self._remote.record_async(admission, now_ns, verdict, took_ns), now_ns)

    def release(self, admission: CircuitAdmission | None = None) -> None:
        """Say that an admitted call ended without telling anything about the provider; harmless when repeated.

        Without an admission: let calls through again, after `isolate`. Where the circuit has a `restoration`, it is a
        rising share of them at first. A circuit that is not isolated stays as it is.
        """
        if admission is None:
            self._command("release")
        elif admission.is_probe:
            changes = self._record(admission, admission.at_ns, "nothing", None)
            if changes:
                self._tell(changes, self.time_ns(active_clock()))

    def isolate(self) -> None:
        """Let nothing through, probes included, until `release` or `reset`; calls under way change nothing."""
        self._command("isolate")

    def reset(self) -> None:
        """Close the circuit and forget every failure, as an operator does who knows better."""
        self._last_error = None
        self._command("reset")

    def cool_down(self, seconds: float, now_ns: int, error: BaseException) -> None:
        """Refuse calls for a while without counting a failure; a cooldown that lasts longer already stays."""
        if self._circuit.cool_down(now_ns + round(min(seconds, self.config.max_cooldown) * NS)):
            self._last_error = error

    def listen(self, listener: Listener) -> Callable[[], None]:
        """Have a function called at each change of state; return what ends that.

        It is called after the change, in the thread of the call that brought it about. What it raises is logged as an
        error of the logger `llmtest.resilience`, and hinders neither the circuit nor that call nor other listeners.

        Example:
            >>> breaker, seen = CircuitBreaker("openai"), []
            >>> end = breaker.listen(lambda change: seen.append(change.to_state))
            >>> breaker.isolate(); breaker.release(); end(); breaker.isolate()
            >>> seen
            ['isolated', 'closed']
        """
        self._listeners.append(listener)

        def end() -> None:
            if listener in self._listeners:
                self._listeners.remove(listener)

        return end

    def _command(self, command: Command) -> None:
        now_ns = self.time_ns(active_clock())
        self._tell(self._circuit.command(command, now_ns), now_ns)

    def _tell(self, changes: tuple[CircuitChange, ...], now_ns: int) -> None:
        """Publish what has changed, and call every listener."""
        if changes and self.is_shared:
            now_ns = active_clock().now_ns()
        for change in changes:
            event = self._event(change, now_ns)
            if change.to_state == "closed":
                self._last_error = None
            try:
                publish(event)
            finally:
                for listener in tuple(self._listeners):
                    try:
                        listener(event)
                    except Exception:
                        logger.exception(
                            "a listener of circuit `%s` failed at %s -> %s",
                            self.name,
                            change.from_state,
                            change.to_state,
                        )

    def _event(self, change: CircuitChange, now_ns: int) -> BreakerChanged:
        call = current_call.get()
        outcome = error_class = None
        if change.slow:
            outcome = "slow"
        elif change.to_state == "open" and self._last_error is not None:
            outcome, error_class = outcome_of(self._last_error), type(self._last_error).__name__
        return BreakerChanged(
            now_ns,
            0 if call is None else call.id,
            self.name,
            change.from_state,
            change.to_state,
            change.cause,
            change.count,
            outcome,
            error_class,
            change.open_for,
            change.calls,
        )
