"""Keys that a provider has refused: not tried with every call, until they change or some time has passed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from llmtest.clock import Turn
from llmtest.errors import AuthenticationError, ConfigurationError, PermissionDeniedError
from llmtest.events import StoreFailed, current_call, publish
from llmtest.resilience.fallback._key_store import KeyRecord, RefusedKeyStore
from llmtest.resilience.pipeline._sync_async import ASYNC

if TYPE_CHECKING:
    from llmtest.clock import Clock
    from llmtest.resilience.pipeline._sync_async import Parts

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
        store: Where other processes learn of it, and tell of theirs; None: these keys are the chain's own.

    Raises:
        ConfigurationError: The interval is negative, or no number.
    """

    __slots__ = ("_chain", "_interval_ns", "_turn", "interval", "known", "store")

    def __init__(self, chain: str, interval: float, store: RefusedKeyStore | None = None) -> None:
        if type(interval) not in {int, float} or not 0 <= interval < float("inf"):
            raise ConfigurationError(
                f"refused_key_interval of chain `{chain}` is a number of seconds, 0 or more, got {interval!r}"
            )
        self.interval = interval
        self._interval_ns = round(interval * NS)
        self._chain = chain
        self.store = store if interval else None
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
        return _not_asked(said, provider, since, left)

    async def find(self, key: Key, provider: str, clock: Clock, parts: Parts) -> KeyRefusal | None:
        """Do as `refusal`, by what every process knows; while the store cannot be asked, by what this chain knows."""
        now_ns = clock.now_ns()
        if self.store is None:
            return self.refusal(key, provider, now_ns)
        at_ns = self._time(clock)
        asked = (self._label(key), min(self._interval_ns, TRIAL_NS), at_ns)
        is_told, record = await self._ask("look", asked, clock, parts)
        if not is_told:
            return self.refusal(key, provider, now_ns)
        with self._turn:
            known = self.known.get(key)
            if record is None:
                if known is not None:
                    known.until_ns = min(known.until_ns, now_ns)
                return None
            shift = now_ns - at_ns
            said = _ELSEWHERE[record.status] if known is None else known.error
            self.known[key] = Refusal(said, record.at_ns + shift, record.until_ns + shift)
        return _not_asked(said, provider, (at_ns - record.at_ns) / NS, (record.until_ns - at_ns) / NS)

    async def tell(self, key: Key, clock: Clock, parts: Parts) -> None:
        """Tell the store what `remember` has kept."""
        known = self.known.get(key)
        if self.store is None or known is None:
            return
        shift = self._time(clock) - clock.now_ns()
        status = 403 if isinstance(known.error, PermissionDeniedError) else 401
        record = KeyRecord(status, known.at_ns + shift, known.until_ns + shift)
        await self._ask("remember", (self._label(key), record), clock, parts)

    async def taken(self, key: Key, clock: Clock, parts: Parts) -> None:
        """Say that a key was taken; the store is told where it was thought to be refused."""
        if key in self.known:
            self.forget(key)
            if self.store is not None:
                await self._ask("forget", (self._label(key),), clock, parts)

    def _label(self, key: Key) -> str:
        return key if isinstance(key, str) else f"{self._chain}#{key + 1}"

    def _time(self, clock: Clock) -> int:
        assert self.store is not None, "only a store has a time of its own"
        return clock.time_ns() if self.store.is_shared else clock.now_ns()

    async def _ask(self, operation: str, arguments: tuple[Any, ...], clock: Clock, parts: Parts) -> tuple[bool, Any]:
        """Ask the store; return whether it could be asked, and what it says."""
        awaited = getattr(self.store, f"{operation}_async", None) if parts is ASYNC else None
        try:
            if awaited is not None:
                return True, await awaited(*arguments)
            return True, getattr(self.store, operation)(*arguments)
        except Exception as error:  # noqa: BLE001 - a memory that is lost refuses nobody
            call = current_call.get()
            call_id = 0 if call is None else call.id
            publish(StoreFailed(clock.now_ns(), call_id, "keys", operation, refuses=False, error=error))
            return False, None

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


def _not_asked(said: KeyRefusal, provider: str, since: float, left: float) -> KeyRefusal:
    """Return the error of a call that does not try a key, since nobody took it a while ago."""
    first = said.message.partition("\n")[0]
    error = type(said)(
        f"`{provider}` was not asked: this key was refused {since:.9g} s ago: {first}.\n"
        f"To fix: give it another key, which is tried at once; this one is tried again in {left:.9g} s",
        provider=provider,
        status=said.status,
    )
    error.retry_after = left
    return error


_ELSEWHERE: dict[int, KeyRefusal] = {
    401: AuthenticationError("so another process was told", status=401),
    403: PermissionDeniedError("so another process was told", status=403),
}
"""What was said to another process, of which no text is kept."""
