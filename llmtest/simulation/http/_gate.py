"""The world as a gate: its providers answer, allowed hosts pass, everything else is an error of the test."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from fnmatch import fnmatchcase
from typing import Any

from llmtest.clock import SystemClock, active_clock
from llmtest.errors import HarnessError, NetworkBlockedError
from llmtest.events import LiveRequestPassed
from llmtest.interception import ANSWERED_LIBRARIES, Onward, is_pattern, opened, witnessed_by
from llmtest.simulation._world import World
from llmtest.simulation.http._blocked_text import blocked_text, ways_in_a_world, ways_without_a_world
from llmtest.simulation.http._replayed import WorldWitness
from llmtest.simulation.http._transport import carrier_class

__all__ = ["block_network", "intercept"]


def intercept(world: World) -> AbstractContextManager[None]:
    """Answer every HTTP request to the world's providers, whichever library sends it, and stop every other connection.

    Loopback passes unless it is registered, allowed hosts pass, and so does everything that never leaves the process.
    A connection that may not leave raises `NetworkBlockedError`, which the world records. What a cassette in use plays
    is in the world's trace and account as well.
    """
    return _answering(world)


@contextmanager
def _answering(world: World) -> Iterator[None]:
    with witnessed_by(WorldWitness(world)), opened(_WorldGate(world)):
        yield


def block_network(
    allowed_hosts: Iterable[str] = (), on_block: Callable[[HarnessError], object] | None = None
) -> AbstractContextManager[None]:
    """Stop every connection that leaves the machine, without any simulation.

    Args:
        allowed_hosts: Hosts that pass; `*` stands for any text.
        on_block: Called with each error, so that it can be raised again where it was swallowed.
    """
    return _blocking(tuple(allowed_hosts), on_block)


@contextmanager
def _blocking(allowed_hosts: tuple[str, ...], on_block: Callable[[HarnessError], object] | None) -> Iterator[None]:
    with opened(_ShutGate(allowed_hosts, on_block)):
        yield


_OF_ANOTHER_LIBRARY = f"this connection is of another library; answered in process are requests of {ANSWERED_LIBRARIES}"


def _says_so(transport: str | None) -> tuple[str | None, tuple[str, ...]]:
    """Return the fact and the way out that a transport of unknown make adds."""
    if transport is None:
        return None, ()
    fact = f"transport: {transport}, which holds no network transport of httpx or httpx2"
    return fact, ("if that transport never leaves the process, say so on its class: `__llmtest_passthrough__ = True`",)


class _WorldGate:
    """Decides for a simulated world."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._carriers: dict[tuple[Any, ...], Any] = {}

    def concerns_caller(self) -> bool:
        clock = self._world.clock
        return isinstance(clock, SystemClock) or active_clock() is clock

    def governs(self) -> bool:
        return True

    def carrier(self, library: Any, scheme: str, host: str, port: int, path: str, onward: Onward) -> Any:  # noqa: ARG002 - nothing goes on
        provider = self._world.route(scheme, host, port, path)
        if provider is None:
            return None
        key = (library, provider, scheme, host, port)
        carrier = self._carriers.get(key)
        if carrier is None:
            carrier = self._carriers[key] = carrier_class(library)(self._world, provider, scheme, host, port)
        return carrier

    def is_allowed(self, host: str) -> bool:
        return self._world.is_allowed(host)

    def allowed_names(self) -> Iterable[str]:
        return self._world.allowed_names()

    def passed(self, method: str, host: str) -> None:
        call = self._world.current_call()
        event = LiveRequestPassed(self._world.clock.now_ns(), 0 if call is None else call.id, host, method)
        self._world.trace.append(event)

    def kept(self, library: str, host: str, method: str | None = None, path: str | None = None) -> None:
        self._world.note_telemetry(library, host, method, path)

    def answers(self, host: str) -> bool:
        return self._world.provider_at(host) is not None

    def blocked(self, what: str, host: str, *, transport: str | None = None, by_socket: bool = False) -> HarnessError:
        fact, way = _says_so(transport)
        provider = self._world.provider_at(host) if by_socket else None
        if provider is not None:
            fact = f"`{provider}` is simulated, but {_OF_ANOTHER_LIBRARY}"
        ways = ways_in_a_world(host, answerable=not by_socket, provider=provider, what=what)
        text = blocked_text(what, host, "", *ways, *way, fact=fact)
        return self._world.record_harness_error(NetworkBlockedError(text))


class _ShutGate:
    """Decides where no world does: nothing leaves."""

    def __init__(self, allowed_hosts: tuple[str, ...], on_block: Callable[[HarnessError], object] | None) -> None:
        self._allowed = tuple(host.lower() for host in allowed_hosts)
        self._on_block = on_block

    def concerns_caller(self) -> bool:
        return True

    def governs(self) -> bool:
        return True

    def carrier(self, library: Any, scheme: str, host: str, port: int, path: str, onward: Onward) -> Any:  # noqa: ARG002 - nobody answers
        return None

    def is_allowed(self, host: str) -> bool:
        return any(fnmatchcase(host.lower(), pattern) for pattern in self._allowed)

    def allowed_names(self) -> Iterable[str]:
        return [name for name in self._allowed if not is_pattern(name)]

    def passed(self, method: str, host: str) -> None:
        """Nothing is kept without a world."""

    def kept(self, library: str, host: str, method: str | None = None, path: str | None = None) -> None:
        """As little as of what passes."""

    def answers(self, host: str) -> bool:  # noqa: ARG002 - nobody answers
        return False

    def blocked(self, what: str, host: str, *, transport: str | None = None, by_socket: bool = False) -> HarnessError:
        fact, way = _says_so(transport)
        ways = ways_without_a_world(host, answerable=not by_socket)
        text = blocked_text(what, host, " (llmtest_block_network = true)", *ways, *way, fact=fact)
        error = NetworkBlockedError(text)
        if self._on_block is not None:
            self._on_block(error)
        return error
