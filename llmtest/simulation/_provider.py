"""One simulated provider as the transports see it: requests come in, plans go out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from llmtest.simulation._engine import Engine
from llmtest.simulation._handle import ProviderHandle
from llmtest.simulation._receive import note_unread, note_unserved, receive, refuse, respond
from llmtest.wire import Match

if TYPE_CHECKING:
    from llmtest.errors import HarnessError, ProviderError
    from llmtest.simulation._world import World
    from llmtest.simulation.plan._plan import Exchange, Plan
    from llmtest.simulation.script._script import UnusedStep
    from llmtest.wire import Dialect, Endpoint, WireCall

__all__ = ["SimulatedProvider"]


class SimulatedProvider:
    """What stands behind a handle.

    Args:
        world: Where it lives.
        name: Its name.
        dialect: The API it speaks.

    Attributes:
        engine: Its decisions.
        handle: What a test writes its script with.
    """

    def __init__(self, world: World, name: str, dialect: Dialect) -> None:
        self.world = world
        self.name = name
        self.dialect = dialect
        self.engine = Engine(world, name, dialect)
        self.handle = ProviderHandle(self)

    def receive(self, exchange: Exchange) -> Plan:
        """Decide what to do with a request in the wire format of this provider.

        Raises:
            HarnessError: The script has no answer, or nobody speaks the format; recorded already.
        """
        return receive(self, exchange)

    def respond(self, exchange: Exchange, call: WireCall) -> Plan:
        """Decide what to do with a request that has been read already.

        Raises:
            HarnessError: The script has no answer; recorded already.
        """
        return respond(self.engine, exchange, call)

    def refuse(self, exchange: Exchange, error: ProviderError, endpoint: Endpoint) -> Plan:
        """Turn a request down with an error of the provider; no step is played."""
        return refuse(self.engine, endpoint, exchange, error)

    def note_unserved(self, match: Match, exchange: Exchange) -> HarnessError:
        """Note a request that nobody here answers, and return the error of the test that it is."""
        return note_unserved(self, match, exchange)

    def note_unread(self, endpoint: Endpoint, exchange: Exchange, broken: Exception) -> HarnessError:
        """Note a request at which its dialect failed, and return the error of the test that it is."""
        return note_unread(self, endpoint, exchange, broken)

    def match_below(self, method: str, path: str) -> Match:
        """Find what is asked for by a path that continues a base URL."""
        return self.own_match(method, path) or self.dialect.match(method, path, below=True)

    def own_match(self, method: str, path: str) -> Match | None:
        """Find an endpoint that only the script knows."""
        for (verb, _), endpoint in self.engine.own.items():
            found = endpoint.end.fullmatch(path) if verb == method else None
            if found is not None:
                return Match(endpoint.dialect, endpoint, found.groupdict())
        return None

    def unused_steps(self) -> list[UnusedStep]:
        """Return the steps that had to be played and were not."""
        return self.engine.script.unused(self.name)

    def reset(self) -> None:
        """Forget script, faults, quotas, latency and requests. Rule handles made before are dead."""
        self.engine.reset()
