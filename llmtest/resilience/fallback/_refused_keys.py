"""Keys that a provider has refused: not tried with every call, until they change or some time has passed."""

from __future__ import annotations

from dataclasses import dataclass

from llmtest.clock import Turn
from llmtest.errors import AuthenticationError, ConfigurationError, PermissionDeniedError

__all__ = ["DEFAULT_INTERVAL", "KeyRefusal", "RefusedKeys"]

NS = 1_000_000_000
DEFAULT_INTERVAL = 300.0
"""Seconds for which a refused key is not tried again."""
TRIAL_NS = 30 * NS
"""Longest time for which one call tries a key again before another one may: it may never end."""

KeyRefusal = AuthenticationError | PermissionDeniedError
"""What a provider says of a key that it does not take: 401, or 403."""
Key = str | int
"""The label of a key; the number of the slot where it has none."""


@dataclass(slots=True)
class Refusal:
    """What is known of a key.

    Args:
        error: What the provider said of it.
        at_ns: When.
        until_ns: When it is tried again.
    """

    error: KeyRefusal
    at_ns: int
    until_ns: int


class RefusedKeys:
    """The keys of a chain that were refused; safe to share between threads and tasks.

    A key is known by its label. A provider whose key has been changed has another label, so nothing is known of it.

    Args:
        chain: Name of the chain.
        interval: Seconds for which a refused key is not tried again; 0 remembers none.

    Raises:
        ConfigurationError: The interval is negative, or no number.
    """

    __slots__ = ("_interval_ns", "_turn", "interval", "known")

    def __init__(self, chain: str, interval: float) -> None:
        if type(interval) not in {int, float} or not 0 <= interval < float("inf"):
            raise ConfigurationError(
                f"refused_key_interval of chain `{chain}` is a number of seconds, 0 or more, got {interval!r}"
            )
        self.interval = interval
        self._interval_ns = round(interval * NS)
        self.known: dict[Key, Refusal] = {}
        """What is known, by key; one and the same mapping for ever, and empty as long as every key was taken."""
        self._turn = Turn()

    def until_ns(self, key: Key) -> int:
        """Return when a key may be tried again, in nanoseconds of the clock; in the past where it may be now."""
        known = self.known.get(key)
        return 0 if known is None else known.until_ns

    def refusal(self, key: Key, provider: str, now_ns: int) -> KeyRefusal | None:
        """Return the error of a call that may not try a key; None lets it: where the time has passed, one at a time.

        Args:
            key: The key.
            provider: Whose key it is.
            now_ns: The time.
        """
        with self._turn:
            known = self.known.get(key)
            if known is None:
                return None
            if now_ns >= known.until_ns:
                known.until_ns = now_ns + min(self._interval_ns, TRIAL_NS)
                return None
            said, since, left = known.error, (now_ns - known.at_ns) / NS, (known.until_ns - now_ns) / NS
        first = said.message.partition("\n")[0]
        error = type(said)(
            f"`{provider}` was not asked: this key was refused {since:.9g} s ago: {first}.\n"
            f"To fix: give it another key, which is tried at once; this one is tried again in {left:.9g} s",
            provider=provider,
            status=said.status,
        )
        error.retry_after = left
        return error

    def remember(self, key: Key, error: KeyRefusal, now_ns: int) -> bool:
        """Keep that a key was refused; return whether that is kept at all."""
        if not self._interval_ns:
            return False
        with self._turn:
            self.known[key] = Refusal(error, now_ns, now_ns + self._interval_ns)
        return True

    def forget(self, key: Key) -> None:
        """Say that a key was taken."""
        with self._turn:
            self.known.pop(key, None)
