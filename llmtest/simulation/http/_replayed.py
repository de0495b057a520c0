"""What cassettes play beside a simulated world, in its trace and in its account like every other answer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from llmtest.clock import SystemClock, active_clock
from llmtest.simulation._engine import size_of
from llmtest.simulation._own_endpoint import own_endpoint
from llmtest.simulation._recorded_answer import read_recorded
from llmtest.simulation.plan._billing import events_in
from llmtest.simulation.plan._plan import Exchange
from llmtest.simulation.script._recording import Recorded
from llmtest.wire import WireCall, WireFormatError, dialects

if TYPE_CHECKING:
    from llmtest.interception import Replay
    from llmtest.interception._replays import Ended
    from llmtest.simulation._provider import SimulatedProvider
    from llmtest.simulation._world import World
    from llmtest.wire import Endpoint

__all__ = ["WorldWitness"]

PORTS = {"https": 443, "http": 80}


class WorldWitness:
    """Notes what is replayed while a world is simulated, at the provider that was recorded.

    The provider's script, its quotas and its faults have no part in it: its answer was given by the cassette.
    """

    def __init__(self, world: World) -> None:
        self._world = world

    def begins(self, replay: Replay) -> Ended | None:
        """Note that a request was sent; None where that is nothing to this world: nobody knows an API there."""
        world = self._world
        if not world.counts_replays or not (isinstance(world.clock, SystemClock) or active_clock() is world.clock):
            return None
        exchange = _exchange_of(replay)
        provider = self._provider(replay, exchange)
        if provider is None:
            return None
        engine, endpoint, parameters = provider.engine, *self._endpoint(provider, replay, exchange)
        if endpoint.reads_query:
            parameters = endpoint.with_query(parameters, exchange.query)
        try:
            call = endpoint.read(exchange.headers, exchange.body, parameters)
        except WireFormatError:  # somebody recorded how a provider refuses it
            call = WireCall(endpoint, model=parameters.get("model"), api_key=None)
        answer = engine.open(call, exchange)
        size_of(call, answer)
        answer.stream = answer.stream and replay.status < 400
        recorded = Recorded(replay.status, None, replay.answer, lines=tuple(replay.answer_headers))
        read_recorded(engine, recorded, endpoint, answer)

        def end(outcome: str, heard: Sequence[bytes]) -> None:
            if outcome != str(replay.status):
                answer.is_flawed = True
                answer.told = events_in(heard, endpoint) if answer.stream else None
            engine.finish(answer, outcome)

        return end

    def _provider(self, replay: Replay, exchange: Exchange) -> SimulatedProvider | None:
        """Return who was recorded: whoever is at the address here, else whom the recording knows there."""
        world = self._world
        found = world.route(exchange.scheme, exchange.host, exchange.port, exchange.path)
        if found is not None or replay.dialect is None:
            return found
        known = next((each for each in world.providers if each.name == replay.owner), None)
        if known is not None:
            return known
        dialect = dialects()[replay.dialect]
        # Who speaks as others do, at an address of its own, is what a provider of any other name is.
        return world.simulated(replay.owner, None if dialect.is_default else dialect.name)

    def _endpoint(
        self, provider: SimulatedProvider, replay: Replay, exchange: Exchange
    ) -> tuple[Endpoint, Mapping[str, str]]:
        """Return what was asked for, and what its path says."""
        match = self._world.match(provider, exchange.method, exchange.host, exchange.port, exchange.path)
        if match.endpoint is None:
            match = provider.dialect.match(exchange.method, exchange.path, anywhere=True)
        if match.endpoint is None and replay.dialect is not None:
            match = dialects()[replay.dialect].match(exchange.method, exchange.path, anywhere=True)
        endpoint = match.endpoint or own_endpoint(provider.engine.spoken, exchange.method, exchange.path)
        return endpoint, match.parameters


def _exchange_of(replay: Replay) -> Exchange:
    url = urlsplit(replay.url)
    host, port = (url.hostname or "").lower(), url.port or PORTS.get(url.scheme, 80)
    return Exchange(replay.method, url.scheme, host, port, url.path, url.query, dict(replay.headers), replay.body)
