"""The circuit breaker: stop asking a provider that keeps failing, and find out carefully when it is well again.

Each admitted call holds an `Admission`, stamped with the generation of the circuit. Every change of state begins a new
generation, so that a slow call that was admitted before the change can neither close a circuit nor keep it open. A
probe's permit comes back on every exit (success, failure, an error that proves nothing, cancellation), and one that is
lost all the same lapses after `probe_timeout`.
"""

from __future__ import annotations

from dataclasses import InitVar, dataclass
from functools import partial
from typing import Literal, Self

from llmtest.clock import Turn, active_clock
from llmtest.errors import CircuitOpenError, ConfigurationError
from llmtest.events import BreakerCause, BreakerChanged, current_call, publish
from llmtest.resilience._classification import outcome_of

__all__ = ["Admission", "CircuitBreaker", "CircuitBreakerConfig", "CircuitState"]

CircuitState = Literal["closed", "open", "half_open"]
Change = tuple[CircuitState, CircuitState, BreakerCause, int | None, str | None, str | None, float | None]
"""From which state, to which state, and why: the fields of a `BreakerChanged`."""
NS = 1_000_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class CircuitBreakerConfig:
    """When a circuit opens, and how it closes again.

    Consecutive failures count, one for each call (however often it was retried). A success resets the count; errors
    that prove nothing about the provider (a wrong request, a refused key, a cancelled call) leave it as it is. A 429
    does not count, unless `count_rate_limits` says so: the circuit cools down until the provider's `Retry-After`,
    without changing its state.

    Args:
        failure_threshold: Consecutive failures that open the circuit; 1 or more.
        recovery_timeout: Seconds it stays open before a probe is let through.
        half_open_max_calls: Probes that may be under way at a time; 1 or more.
        half_open_successes: Probes that must succeed to close it; 1 or more.
        probe_timeout: Seconds after which a probe that never ended no longer blocks others; None takes
            `recovery_timeout`.
        recovery_multiplier: Growth of `recovery_timeout` each time a probe fails; 1.0 or more. Closing resets it.
        max_recovery_timeout: Most seconds it stays open, where `recovery_multiplier` lets that grow.
        max_cooldown: Most seconds that a `Retry-After` keeps the provider from being asked; 0 ignores it.
        quota_cooldown: Seconds for which a provider without credit is not asked.
        count_rate_limits: Whether a 429 counts as a failure, beside the cooldown.
        cooldown_secs: Another name for `recovery_timeout`; it wins where both are given.

    Example:
        >>> CircuitBreakerConfig.mofa().failure_threshold
        3
    """

    failure_threshold: int = 5
    recovery_timeout: float = 30.0
    half_open_max_calls: int = 1
    half_open_successes: int = 1
    probe_timeout: float | None = None
    recovery_multiplier: float = 1.0
    max_recovery_timeout: float = 300.0
    max_cooldown: float = 3600.0
    quota_cooldown: float = 300.0
    count_rate_limits: bool = False
    cooldown_secs: InitVar[float | None] = None

    def __post_init__(self, cooldown_secs: float | None) -> None:
        if cooldown_secs is not None:
            object.__setattr__(self, "recovery_timeout", float(cooldown_secs))
        for name in ("failure_threshold", "half_open_max_calls", "half_open_successes"):
            if getattr(self, name) < 1:
                raise ConfigurationError(f"{name} must be 1 or more, got {getattr(self, name)}")
        for name in ("recovery_timeout", "max_cooldown", "quota_cooldown", "max_recovery_timeout"):
            if not getattr(self, name) >= 0:
                raise ConfigurationError(f"{name} must be 0 or more seconds, got {getattr(self, name)}")
        if self.probe_timeout is not None and not self.probe_timeout > 0:
            raise ConfigurationError(f"probe_timeout must be more than 0 seconds, got {self.probe_timeout}")
        if not self.recovery_multiplier >= 1.0:
            raise ConfigurationError(f"recovery_multiplier must be 1.0 or more, got {self.recovery_multiplier}")

    @classmethod
    def mofa(cls) -> Self:
        """Return MoFA's numbers: 3 failures, 30 s, one probe, one success."""
        return cls(failure_threshold=3, recovery_timeout=30.0)

    @classmethod
    def ironclaw(cls) -> Self:
        """Return IronClaw's numbers: 5 failures, 30 s, three probes at a time, two successes."""
        return cls(failure_threshold=5, recovery_timeout=30.0, half_open_max_calls=3, half_open_successes=2)


class Admission:
    """The right to make one call; ended by `CircuitBreaker.success`, `failure` or `release`."""

    __slots__ = ("at_ns", "generation", "is_probe")

    def __init__(self, generation: int, at_ns: int, is_probe: bool) -> None:
        self.generation = generation
        self.at_ns = at_ns
        self.is_probe = is_probe


class CircuitBreaker:
    """The circuit of one provider; safe to share between threads and tasks.

    No lock is held while a call is under way.

    Args:
        name: Whose circuit it is.
        config: When it opens and closes.
    """

    def __init__(self, name: str, config: CircuitBreakerConfig | None = None) -> None:
        self.name = name
        self.config = CircuitBreakerConfig() if config is None else config
        self._turn = Turn()
        self._state: CircuitState = "closed"
        self._generation = 0
        self._failures = 0
        self._successes = 0
        self._probes: list[Admission] = []
        self._open_until_ns = 0
        self._cool_until_ns = 0
        self._reopened = 0
        self._last_error: BaseException | None = None

    @property
    def state(self) -> CircuitState:
        """`closed`, `open` or `half_open`. An open circuit becomes half open when the first probe asks."""
        return self._state

    @property
    def failures(self) -> int:
        """Consecutive failures counted so far."""
        return self._failures

    @property
    def available_at_ns(self) -> int:
        """When the next call may be admitted, in nanoseconds of the clock; in the past where it may be now."""
        return max(self._open_until_ns if self._state == "open" else 0, self._cool_until_ns)

    def admit(self, now_ns: int, *, forced: bool = False) -> Admission:
        """Let a call through.

        Args:
            now_ns: The time.
            forced: Admit it as a probe even where the circuit is open, because every other one is as well.

        Raises:
            CircuitOpenError: The circuit is open, cooling down, or its probes are still under way.
        """
        if self._state == "closed" and now_ns >= self._cool_until_ns:
            return Admission(self._generation, now_ns, is_probe=False)
        with self._turn:
            if now_ns < self._cool_until_ns and not forced:
                raise self._refusal(self._cool_until_ns - now_ns)
            if self._state == "closed":
                return Admission(self._generation, now_ns, is_probe=False)
            change = None
            if self._state == "open":
                if now_ns < self._open_until_ns and not forced:
                    raise self._refusal(self._open_until_ns - now_ns)
                change = self._change("half_open", "all_open" if forced else "recovery_timeout")
            admission = self._admit_probe(now_ns)
        self._tell(change, now_ns, admission)
        return admission

    def _admit_probe(self, now_ns: int) -> Admission:
        config = self.config
        limit = config.recovery_timeout if config.probe_timeout is None else config.probe_timeout
        lapsed_ns = now_ns - round(limit * NS)
        self._probes = [probe for probe in self._probes if probe.at_ns > lapsed_ns]
        if len(self._probes) >= config.half_open_max_calls:
            raise self._refusal(self._probes[0].at_ns - lapsed_ns)
        admission = Admission(self._generation, now_ns, is_probe=True)
        self._probes.append(admission)
        return admission

    def success(self, admission: Admission, now_ns: int) -> None:
        """Say that an admitted call succeeded."""
        if admission.generation != self._generation:
            return
        if not admission.is_probe:
            if self._failures:
                self._failures = 0
            return
        with self._turn as is_free:
            if not is_free:
                self._turn.later(lambda: self._tell(self._probe_succeeded(admission), now_ns))
                return
            change = self._probe_succeeded(admission)
        self._tell(change, now_ns)

    def _probe_succeeded(self, admission: Admission) -> Change | None:
        if admission.generation != self._generation:
            return None
        self._return_permit(admission)
        self._successes += 1
        needed = self.config.half_open_successes
        if self._successes < needed:
            return None
        change = self._change("closed", "probes_succeeded", needed)
        self._reopened = 0
        self._last_error = None
        return change

    def failure(self, admission: Admission, now_ns: int, error: BaseException) -> None:
        """Say that an admitted call failed in a way that counts."""
        with self._turn:
            if admission.generation != self._generation:
                return
            self._last_error = error
            if admission.is_probe:
                self._reopened += 1
                cause: BreakerCause = "probe_failed"
                count = None
            else:
                self._failures += 1
                if self._failures < self.config.failure_threshold:
                    return
                cause, count = "failures", self._failures
            config = self.config
            wait = config.recovery_timeout
            if config.recovery_multiplier > 1.0:
                growth = config.recovery_multiplier ** min(self._reopened, 64)
                wait = max(wait, min(wait * growth, config.max_recovery_timeout))
            self._open_until_ns = now_ns + round(wait * NS)
            change = self._change("open", cause, count, error, wait)
        self._tell(change, now_ns)

    def release(self, admission: Admission) -> None:
        """Say that an admitted call ended without telling anything about the provider; harmless when repeated."""
        if admission.is_probe:
            with self._turn as is_free:
                if is_free:
                    self._return_permit(admission)
                else:
                    self._turn.later(partial(self._return_permit, admission))

    def cool_down(self, seconds: float, now_ns: int, error: BaseException) -> None:
        """Refuse calls for a while without counting a failure; a cooldown that lasts longer already stays."""
        with self._turn:
            until_ns = now_ns + round(min(seconds, self.config.max_cooldown) * NS)
            if until_ns > self._cool_until_ns:
                self._cool_until_ns = until_ns
                self._last_error = error

    def _return_permit(self, admission: Admission) -> None:
        if admission in self._probes:
            self._probes.remove(admission)

    def _change(
        self,
        state: CircuitState,
        cause: BreakerCause,
        count: int | None = None,
        error: BaseException | None = None,
        open_for: float | None = None,
    ) -> Change:
        before, self._state = self._state, state
        self._generation += 1
        self._failures = 0
        self._successes = 0
        self._probes = []
        outcome, error_class = (None, None) if error is None else (outcome_of(error), type(error).__name__)
        return before, state, cause, count, outcome, error_class, open_for

    def _tell(self, change: Change | None, now_ns: int, admission: Admission | None = None) -> None:
        if change is None:
            return
        call = current_call.get()
        try:
            publish(BreakerChanged(now_ns, 0 if call is None else call.id, self.name, *change))
        except BaseException:
            if admission is not None:
                self.release(admission)
            raise

    def _refusal(self, wait_ns: int) -> CircuitOpenError:
        return CircuitOpenError(self.name, retry_after=max(0, wait_ns) / NS, last_error=self._last_error)

    def reset(self) -> None:
        """Close the circuit and forget every failure, as an operator does who knows better."""
        with self._turn:
            self._cool_until_ns = 0
            self._reopened = 0
            self._last_error = None
            change = self._change("closed", "reset") if self._state != "closed" else None
            self._failures = 0
        self._tell(change, active_clock().now_ns())
