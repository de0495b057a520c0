"""The state of circuits in this process: what a `BreakerStore` does, in memory, and the reference for any other.

Each admitted call holds a `CircuitAdmission`, stamped with the generation of the circuit. Every change of state begins
a new generation, so that a slow call that was admitted before the change can neither close a circuit nor keep it open.
A probe's permit comes back on every exit (success, failure, an error that proves nothing, cancellation), and one that
is lost all the same lapses after `probe_timeout`.
"""

from __future__ import annotations

import threading
from functools import partial
from math import ceil

from llmtest.clock import Turn
from llmtest.events import BreakerCause, BreakerState
from llmtest.resilience.breaker._breaker_config import CircuitBreakerConfig
from llmtest.resilience.breaker._breaker_store import (
    NEVER,
    CircuitAdmission,
    CircuitChange,
    CircuitReading,
    CircuitRefusal,
    Command,
    Verdict,
)
from llmtest.resilience.breaker._windows import CallWindow, window_of

__all__ = ["MemoryBreakerStore", "MemoryCircuit"]

NS = 1_000_000_000
NOTHING: tuple[CircuitChange, ...] = ()


class MemoryCircuit:
    """The state of one circuit; safe to share between threads and tasks.

    Args:
        config: Its rules.
    """

    __slots__ = (
        "_config",
        "_cool_until_ns",
        "_failures",
        "_generation",
        "_late",
        "_open_until_ns",
        "_probe_failures",
        "_probes",
        "_reopened",
        "_restored_at_ns",
        "_share_left",
        "_slow_ns",
        "_started",
        "_state",
        "_successes",
        "_turn",
        "_watch_until_ns",
        "_window",
    )

    def __init__(self, config: CircuitBreakerConfig) -> None:
        self._config = config
        self._window = window_of(config)
        slow = config.slow_call_duration
        self._slow_ns = NEVER if slow is None else round(slow * NS)
        self._turn = Turn()
        self._state: BreakerState = "closed"
        self._generation = 0
        self._failures = 0
        self._successes = 0
        self._probe_failures = 0
        self._probes: list[CircuitAdmission] = []
        self._started = 0
        """Probes of this generation so far."""
        self._open_until_ns = 0
        self._cool_until_ns = 0
        self._restored_at_ns = 0
        self._watch_until_ns = 0
        """Until when a closed circuit has to look at each call: it cools down, or is being restored."""
        self._share_left = 0.0
        """What is saved up for the next call of a circuit that is being restored; at 1 it is let through."""
        self._reopened = 0
        self._late: list[CircuitChange] = []
        """Changes by what came up in the middle of an operation, for whoever was interrupted to tell."""

    def admit(self, now_ns: int, forced: bool) -> CircuitAdmission | CircuitRefusal:
        """Decide whether a call is let through."""
        if self._state == "closed" and now_ns >= self._watch_until_ns:
            return CircuitAdmission(self._generation, now_ns, False)
        with self._turn:
            given = self._admit(now_ns, forced)
        if self._late:
            changes = (*given.changes, *self._take_late())
            if isinstance(given, CircuitRefusal):
                return given._replace(changes=changes)
            given.changes = changes
        return given

    def _admit(self, now_ns: int, forced: bool) -> CircuitAdmission | CircuitRefusal:
        if self._state == "isolated":
            return CircuitRefusal("isolated", None)
        if now_ns < self._cool_until_ns and not forced:
            return CircuitRefusal("cooling", self._cool_until_ns - now_ns)
        if self._state == "closed":
            if now_ns < self._restored_at_ns and not forced and not self._is_of_share(now_ns):
                return CircuitRefusal("restoring", 0)
            return CircuitAdmission(self._generation, now_ns, False)
        changes = NOTHING
        if self._state == "open":
            if now_ns < self._open_until_ns and not forced:
                return CircuitRefusal("open", self._open_until_ns - now_ns)
            changes = (self._change("half_open", "all_open" if forced else "recovery_timeout"),)
        return self._admit_probe(now_ns, changes)

    def _admit_probe(self, now_ns: int, changes: tuple[CircuitChange, ...]) -> CircuitAdmission | CircuitRefusal:
        config = self._config
        limit = config.recovery_timeout if config.probe_timeout is None else config.probe_timeout
        lapsed_ns = now_ns - round(limit * NS)
        self._probes = [probe for probe in self._probes if probe.at_ns > lapsed_ns]
        if len(self._probes) >= config.half_open_max_calls:
            return CircuitRefusal("probing", self._probes[0].at_ns - lapsed_ns)
        self._started += 1
        admission = CircuitAdmission(self._generation, now_ns, True, self._started, changes)
        self._probes.append(admission)
        return admission

    def _is_of_share(self, now_ns: int) -> bool:
        """Tell whether a call is let through while traffic rises: by count, so that it is the same in every run."""
        config = self._config
        done = 1 - (self._restored_at_ns - now_ns) / (config.restoration * NS)
        self._share_left += config.restoration_share + (1 - config.restoration_share) * done
        if self._share_left < 1 - 1e-9:
            return False
        self._share_left -= 1
        return True

    def record(
        self, admission: CircuitAdmission, now_ns: int, verdict: Verdict, took_ns: int | None = None
    ) -> tuple[CircuitChange, ...]:
        """Note how an admitted call ended."""
        if not admission.is_probe:
            if verdict == "nothing":
                return NOTHING
            if verdict == "success" and self._window is None:
                if self._failures and admission.generation == self._generation:
                    self._failures = 0
                return NOTHING
        with self._turn as is_free:
            if not is_free:
                self._turn.later(partial(self._record_late, admission, now_ns, verdict, took_ns))
                return NOTHING
            changes = self._record(admission, now_ns, verdict, took_ns)
        return (*changes, *self._take_late()) if self._late else changes

    def _record_late(self, admission: CircuitAdmission, now_ns: int, verdict: Verdict, took_ns: int | None) -> None:
        self._late += self._record(admission, now_ns, verdict, took_ns)

    def _take_late(self) -> tuple[CircuitChange, ...]:
        late, self._late = self._late, []
        return tuple(late)

    def _record(
        self, admission: CircuitAdmission, now_ns: int, verdict: Verdict, took_ns: int | None
    ) -> tuple[CircuitChange, ...]:
        if admission.generation != self._generation:
            return NOTHING
        failed, slow = verdict == "failure", took_ns is not None and took_ns >= self._slow_ns
        if admission.is_probe:
            if admission in self._probes:
                self._probes.remove(admission)
            if verdict == "nothing":
                return NOTHING
            return self._probe_failed(now_ns, False) if failed else self._probe_succeeded(now_ns, slow)
        if self._window is not None:
            self._window.add(now_ns, failed, slow)
            return self._judge_window(now_ns, failed) if failed or slow else NOTHING
        self._failures += 1
        if self._config.failure_threshold is None or self._failures < self._config.failure_threshold:
            return NOTHING
        return (self._open(now_ns, "failures", self._failures),)

    def _probe_succeeded(self, now_ns: int, slow: bool) -> tuple[CircuitChange, ...]:
        if slow:
            return self._probe_failed(now_ns, True)
        config = self._config
        needed = config.half_open_successes
        if config.half_open_success_rate is not None:
            needed = ceil(config.half_open_success_rate * config.half_open_max_calls)
        self._successes += 1
        if self._successes < needed:
            return NOTHING
        change = self._close(now_ns, "probes_succeeded", needed)
        self._reopened = 0
        return (change,)

    def _probe_failed(self, now_ns: int, slow: bool) -> tuple[CircuitChange, ...]:
        config = self._config
        if config.half_open_success_rate is not None:
            self._probe_failures += 1
            sample = config.half_open_max_calls
            if self._probe_failures <= sample - ceil(config.half_open_success_rate * sample):
                return NOTHING
        self._reopened += 1
        return (self._open(now_ns, "probe_failed", slow=slow),)

    def _judge_window(self, now_ns: int, failed: bool) -> tuple[CircuitChange, ...]:
        config, window = self._config, self._window
        assert window is not None, "only a circuit with a window is judged by it"
        calls = window.calls
        if config.minimum_calls is None or calls < config.minimum_calls:
            return NOTHING
        if config.failure_rate is not None and window.failures / calls >= config.failure_rate:
            return (self._open(now_ns, "failure_rate", window.failures, calls, slow=not failed),)
        if config.slow_call_rate is not None and window.slow / calls >= config.slow_call_rate:
            return (self._open(now_ns, "slow_calls", window.slow, calls, slow=not failed),)
        if (
            config.failure_z_score is not None
            and isinstance(window, CallWindow)
            and window.z_score() >= config.failure_z_score
        ):
            change = self._open(now_ns, "anomaly", window.recent_failures, config.minimum_calls, slow=not failed)
            return (change,)
        return NOTHING

    def _open(
        self,
        now_ns: int,
        cause: BreakerCause,
        count: int | None = None,
        calls: int | None = None,
        *,
        slow: bool = False,
    ) -> CircuitChange:
        config = self._config
        wait = config.recovery_timeout
        if config.recovery_multiplier > 1.0:
            growth = config.recovery_multiplier ** min(self._reopened, 64)
            wait = max(wait, min(wait * growth, config.max_recovery_timeout))
        self._open_until_ns = now_ns + round(wait * NS)
        return self._change("open", cause, count, calls, wait, slow)

    def _close(self, now_ns: int, cause: BreakerCause, count: int | None = None) -> CircuitChange:
        """Close it, and begin to let a rising share of calls through."""
        config = self._config
        if config.restoration > 0:
            self._restored_at_ns = now_ns + round(config.restoration * NS)
            self._share_left = 1 - config.restoration_share
            self._watch_until_ns = max(self._cool_until_ns, self._restored_at_ns)
        return self._change("closed", cause, count)

    def _change(
        self,
        state: BreakerState,
        cause: BreakerCause,
        count: int | None = None,
        calls: int | None = None,
        open_for: float | None = None,
        slow: bool = False,
    ) -> CircuitChange:
        before, self._state = self._state, state
        self._generation += 1
        self._failures = self._successes = self._probe_failures = self._started = 0
        self._probes = []
        if self._window is not None:
            self._window.clear()
        return CircuitChange(before, state, cause, count, calls, open_for, slow)

    def cool_down(self, until_ns: int) -> bool:
        """Refuse calls until then without a change of state; return False where it cools down for longer already."""
        with self._turn:
            if until_ns <= self._cool_until_ns:
                return False
            self._cool_until_ns = until_ns
            self._watch_until_ns = max(until_ns, self._restored_at_ns)
            return True

    def command(self, command: Command, now_ns: int) -> tuple[CircuitChange, ...]:
        """Do what an operator says."""
        with self._turn:
            change = None
            if command == "isolate":
                if self._state != "isolated":
                    change = self._change("isolated", "isolated")
            elif command == "release":
                if self._state == "isolated":
                    self._reopened = 0
                    change = self._close(now_ns, "released")
            else:
                self._cool_until_ns = self._restored_at_ns = self._watch_until_ns = 0
                self._reopened = 0
                if self._state != "closed":
                    change = self._change("closed", "reset")
                self._failures = 0
                if self._window is not None:
                    self._window.clear()
        changes = NOTHING if change is None else (change,)
        return (*changes, *self._take_late()) if self._late else changes

    def read(self) -> CircuitReading:
        """Return how it looks now."""
        state = self._state
        until_ns = NEVER if state == "isolated" else self._open_until_ns if state == "open" else 0
        failures = self._failures if self._window is None else self._window.failures
        return CircuitReading(state, failures, max(until_ns, self._cool_until_ns))


class MemoryBreakerStore:
    """Circuits in this process, each for all chains that use the store: what one learns of a provider, all know.

    A circuit has the rules of the chain that asked for it first.

    Example:
        >>> from llmtest import FallbackChain, OpenAIProvider
        >>> store = MemoryBreakerStore()
        >>> answers, titles = (FallbackChain([OpenAIProvider("k")], breaker_store=store) for _ in range(2))
        >>> answers.breaker("openai").isolate()
        >>> titles.breaker("openai").state
        'isolated'
    """

    def __init__(self) -> None:
        self._circuits: dict[str, MemoryCircuit] = {}
        self._lock = threading.Lock()

    def circuit(self, name: str, config: CircuitBreakerConfig) -> MemoryCircuit:
        """Return the circuit of a name."""
        with self._lock:
            found = self._circuits.get(name)
            if found is None:
                found = self._circuits[name] = MemoryCircuit(config)
            return found
