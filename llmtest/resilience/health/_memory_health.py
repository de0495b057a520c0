"""Who is ill, kept in this process, and the reference for any other store."""

from __future__ import annotations

from functools import partial

from llmtest.clock import Turn
from llmtest.resilience.health._health_store import HealthReading, HealthRules, Told

__all__ = ["MemoryHealth", "MemoryHealthStore"]


class MemoryHealth:
    """The health of one provider; safe to share between threads and tasks.

    Args:
        rules: What it is decided by.
    """

    __slots__ = ("_reading", "_rules", "_turn")

    def __init__(self, rules: HealthRules) -> None:
        self._rules = rules
        self._turn = Turn()
        self._reading = HealthReading()

    def claim(self, now_ns: int) -> tuple[bool, HealthReading]:
        """Return whether a probe is due, which is then the caller's, and what is known."""
        with self._turn:
            told_ns = self._reading.told_ns
            is_due = told_ns is not None and abs(now_ns - told_ns) >= self._rules.interval_ns
            if told_ns is None or is_due:
                self._reading = self._reading._replace(told_ns=now_ns)
            return is_due, self._reading

    def record(self, told: Told, now_ns: int) -> tuple[bool, HealthReading]:
        """Note what was told; return whether that changed the state, and what is known now."""
        with self._turn as is_free:
            if is_free:
                return self._record(told, now_ns)
            # The collector has closed a stream in the middle of another operation.
            self._turn.later(partial(self._record, told, now_ns))
            return False, self._reading

    def _record(self, told: Told, now_ns: int) -> tuple[bool, HealthReading]:
        before, rules = self._reading, self._rules
        after = before._replace(told_ns=now_ns)
        if told == "failure":
            after = after._replace(failures=before.failures + 1, successes=0)
        elif told == "success":
            after = after._replace(failures=0, successes=before.successes + 1)
        changes = after.successes >= rules.successes if before.is_ill else after.failures >= rules.failures
        if changes:
            after = after._replace(is_ill=not before.is_ill, since_ns=now_ns)
        self._reading = after
        return changes, after

    def read(self) -> HealthReading:
        """Return what is known."""
        return self._reading


class MemoryHealthStore:
    """The health of providers by name, in this process; chains that are given the same store share it."""

    is_shared = False

    def __init__(self) -> None:
        self._known: dict[str, MemoryHealth] = {}
        self._turn = Turn()

    def health(self, name: str, rules: HealthRules) -> MemoryHealth:
        """Return the health of a name; the rules are those of whoever asked for it first."""
        with self._turn:
            return self._known.setdefault(name, MemoryHealth(rules))
