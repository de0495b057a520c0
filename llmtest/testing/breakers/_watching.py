"""Which reader an object needs, whose circuit it is, and how what is read becomes events of the trace."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from llmtest.clock import Clock
from llmtest.errors import ConfigurationError
from llmtest.events import (
    BreakerChanged,
    BreakerState,
    BreakerWatched,
    RequestAnswered,
    RetryScheduled,
    Trace,
    current_call,
    publish,
)
from llmtest.simulation import World
from llmtest.testing.breakers import _circuitbreaker, _listening, _purgatory, _stamina, _tenacity
from llmtest.testing.breakers._layers import layers_of
from llmtest.testing.breakers._watch import Detach, Watch, cause_of, outcome_of

__all__ = ["WatchedBreakers"]

READERS = {
    "pybreaker": _listening.reader_of("pybreaker"),
    "aiobreaker": _listening.reader_of("aiobreaker"),
    "circuitbreaker": _circuitbreaker.watch_of,
    "purgatory": _purgatory.watch_of,
    "tenacity": _tenacity.watch_of,
    "stamina": _stamina.watch_of,
}
RETRIERS = {"tenacity", "stamina"}
WATCHABLE = """\
  pybreaker       CircuitBreaker
  aiobreaker      CircuitBreaker
  circuitbreaker  CircuitBreaker
  purgatory       SyncCircuitBreakerFactory, AsyncCircuitBreakerFactory, what their get_breaker(...) returns
  tenacity        Retrying, AsyncRetrying
  stamina         RetryingCaller, AsyncRetryingCaller
  and any function that one of them decorates"""


class WatchedBreakers:
    """The breakers and retries of other libraries that a simulation watches.

    Args:
        world: Where their requests go.
        trace: Returns the trace of the moment.
    """

    def __init__(self, world: World, trace: Callable[[], Trace]) -> None:
        self._world = world
        self._trace = trace
        self._watched: dict[int, object] = {}
        self._circuits: dict[str, tuple[tuple[int, str | None], Callable[[], None]]] = {}
        self._detaches: list[Detach] = []

    def watch(self, thing: object, provider: str | None) -> None:
        """Begin to tell of a breaker, or of what is decorated by one; does nothing where it is told of already.

        Raises:
            ConfigurationError: Nobody can read it, it is unknown whose circuit it is, or that one's is told already.
        """
        found: list[tuple[str, Watch]] = []
        for layer in layers_of(thing):
            for library, watch_of in READERS.items():
                watch = watch_of(layer)
                if watch is not None and all(watch.of is not other.of for _, other in found):
                    found.append((library, watch))
        if not found:
            raise ConfigurationError(_unknown(thing))
        for library, watch in found:
            if id(watch.of) in self._watched:
                continue
            self._watched[id(watch.of)] = watch.of
            try:
                self._detaches.append(watch.attach(_Telling(self, library, watch.of, provider)))
            except ConfigurationError:
                del self._watched[id(watch.of)]
                raise

    def announce(self) -> None:
        """Tell again which circuits there are and how they stand: a trace begins anew."""
        for _, tell in self._circuits.values():
            tell()

    def close(self) -> None:
        """Leave every breaker as it was found."""
        for detach in reversed(self._detaches):
            detach()
        self._detaches.clear()
        self._circuits.clear()
        self._watched.clear()

    @property
    def clock(self) -> Clock:
        """The clock of the events."""
        return self._world.clock

    def is_free(self, whose: str) -> bool:
        """Tell whether no circuit is told as this provider's."""
        return whose not in self._circuits

    def claim(self, whose: str, circuit: tuple[int, str | None], announce: Callable[[], None]) -> None:
        """Note that the circuit of a provider is told.

        Raises:
            ConfigurationError: Another breaker is told as that provider's already.
        """
        owner, _ = self._circuits.setdefault(whose, (circuit, announce))
        if owner != circuit:
            raise ConfigurationError(
                f"watch_breaker: the circuit of `{whose}` is told by another breaker already.\n"
                "To fix: say whose circuit each of them is, with the model where each model has its own:\n"
                f'  llm_sim.watch_breaker(breaker, provider="{whose}/the-model")'
            )

    def whose(self, circuit: str | None) -> str | None:
        """Return the provider that a circuit's name names, or the only one that there is; None where neither helps."""
        names = [handle.name for handle in self._world.handles]
        if circuit in names:
            return circuit
        return names[0] if len(names) == 1 else None

    def last_failed(self) -> RequestAnswered | None:
        """Return the last failure of the running call at any provider."""
        call = _call()
        answers = self._trace().of(RequestAnswered)
        return next((each for each in reversed(answers) if each.call == call and each.outcome != "200"), None)


class _Telling:
    """Makes events of what a reader tells."""

    def __init__(self, watched: WatchedBreakers, library: str, of: object, provider: str | None) -> None:
        self._watched = watched
        self._library = library
        self._of = of
        self._provider = provider
        self._names: dict[str | None, str] = {}

    def circuit(self, name: str | None, state: Callable[[], BreakerState]) -> None:
        """Tell of a circuit."""
        whose = self._whose(name)

        def announce() -> None:
            now_ns = self._watched.clock.now_ns()
            publish(BreakerWatched(now_ns, 0, whose, self._library, name, state()))

        self._watched.claim(whose, (id(self._of), name), announce)
        self._names[name] = whose
        announce()

    def changed(
        self,
        name: str | None,
        from_state: BreakerState,
        to_state: BreakerState,
        *,
        count: int | None = None,
        error: BaseException | None = None,
        open_for: float | None = None,
    ) -> None:
        """Tell of a change."""
        publish(
            BreakerChanged(
                self._watched.clock.now_ns(),
                _call(),
                self._names[name],
                from_state,
                to_state,
                cause_of(from_state, to_state, count),
                count,
                None if error is None else outcome_of(error),
                None if error is None else type(error).__name__,
                open_for,
            )
        )

    def retried(self, number: int, delay: float, error: BaseException | None) -> None:
        """Tell of a retry: of the provider that was named, or of the one that has failed."""
        failed = self._watched.last_failed()
        whose = self._provider or (self._watched.whose(None) if failed is None else failed.provider)
        publish(
            RetryScheduled(
                self._watched.clock.now_ns(),
                _call(),
                whose or self._library,
                None if failed is None else failed.model,
                number,
                delay,
                "error" if error is None else outcome_of(error),
                None if error is None else type(error).__name__,
            )
        )

    def _whose(self, name: str | None) -> str:
        if self._provider is not None and not self._names:
            return self._provider
        whose = self._watched.whose(name)
        if name is not None and self._library == "purgatory":
            # A factory makes its circuits while the code under test runs, where nobody hears an error.
            names = [*([] if whose is None else [whose]), name, *(f"{name} {number}" for number in range(2, 100))]
            return next((each for each in names if self._watched.is_free(each)), name)
        if whose is None:
            raise ConfigurationError(
                f"watch_breaker cannot tell whose circuit this {self._library} breaker is"
                f"{'' if name is None else f', which is called `{name}`'}.\n"
                "To fix: name the provider, or `provider/model`:\n"
                '  llm_sim.watch_breaker(breaker, provider="...")'
            )
        return whose


def _call() -> int:
    call = current_call.get()
    return 0 if call is None else call.id


def _unknown(thing: Any) -> str:
    kind = type(thing)
    if kind.__module__.partition(".")[0] == "llmtest":
        return (
            f"watch_breaker: a `{kind.__name__}` of llmtest tells of its circuits by itself.\n"
            "To fix: leave this line out; `assert_breaker` knows their states."
        )
    name = f"function `{thing.__qualname__}`" if hasattr(thing, "__qualname__") else f"`{kind.__qualname__}`"
    return (
        f"watch_breaker cannot read this {name} of `{getattr(thing, '__module__', None) or kind.__module__}`.\n\n"
        f"What can be watched:\n{WATCHABLE}\n\n"
        "To fix: hand over the breaker itself, or mark each call with `llm_sim.call(...)`, so that `assert_breaker` "
        "can infer its states from calls that were made and calls that were not."
    )
