"""`ServedSimulation`, the object behind the fixture `llm_server`: a simulated world on a port, in real time."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from llmtest import events
from llmtest.costs import CostLedger, Prices
from llmtest.errors import SimulationStateError
from llmtest.simulation import DUMMY_KEY
from llmtest.testing._simulation import Simulation
from llmtest.wire import dialects

if TYPE_CHECKING:
    from llmtest.serving import Server
    from llmtest.simulation import Fragmentation
    from llmtest.simulation.script._recording import Recording

__all__ = ["ServedSimulation"]


class ServedSimulation(Simulation):
    """A simulated world that is reached over a socket as well: by another process, in another language.

    Handles, assertions and strictness are those of `Simulation`; time is real. What needs a script and has none gets a
    500 in the provider's dialect, marked as not worth a retry, and fails the test at its end. Requests of this process
    to the providers' own addresses are answered too, and everything else that would leave the machine is refused.

    Args:
        seed: Decides every random choice in the world; any integer.
        strict: Whether steps that were never played fail the simulation at its end.
        prices: Prices to charge by; the published ones by default.
        fragmentation: How streamed answers are cut into network pieces: `events`, `whole`, `random`, or a number of
            bytes.
        name: What errors call it.
    """

    def __init__(
        self,
        seed: int = 0,
        strict: bool = True,
        *,
        prices: Prices | None = None,
        fragmentation: Fragmentation = "events",
        name: str = "llm_server",
    ) -> None:
        self._server: Server | None = None
        super().__init__(seed, strict, time="real", prices=prices, fragmentation=fragmentation, name=name)
        self.world.fixture = "llm_server"
        self.world.open_recording = _open_recording
        self._marked: list[events.LogicalCall] = []

    @property
    def trace(self) -> events.Trace:
        """The events, up to what clients have done so far."""
        if self._server is not None:
            self._server.settle()
        return self._trace

    @trace.setter
    def trace(self, trace: events.Trace) -> None:
        self._trace = trace

    @property
    def costs(self) -> CostLedger:
        """What was spent, up to what clients have done so far."""
        if self._server is not None:
            self._server.settle()
        return super().costs

    @property
    def server(self) -> Server:
        """The server.

        Raises:
            SimulationStateError: It does not run.
        """
        if self._server is None:
            raise SimulationStateError(
                f"`{self.name}` is not running, so it has no port.\nTo fix: start it, or use the fixture `llm_server`."
            )
        return self._server

    @property
    def base_url(self) -> str:
        """Where it is reached, as `http://127.0.0.1:4010`; OpenAI's clients want `/v1` behind it."""
        return self.server.base_url

    @property
    def environment(self) -> Mapping[str, str]:
        """Variables that send the official SDKs of any language here: give them to a process that a test starts."""
        url = self.base_url
        found: dict[str, str] = {}
        for dialect in dialects().values():
            variables = dialect.variables
            if variables.served:
                found |= {name: text.format(url=url) for name, text in variables.served.items()}
                found |= dict.fromkeys(variables.stand_ins, DUMMY_KEY)
        return found

    def note_mark(self, call: events.LogicalCall, *, begins: bool) -> None:
        """Let requests that come over the socket belong to a marked call, as long as it is the only one.

        Where several overlap, nobody can tell whose they are, and they stay unmarked.
        """
        with self.world.lock:
            if begins:
                self._marked.append(call)
            else:
                self._marked.remove(call)
            self.server.call = self._marked[0] if len(self._marked) == 1 else None

    def start(self) -> None:
        """Begin to answer requests, on a free port.

        Raises:
            ConfigurationError: The extra `[server]` is not installed.
            SimulationStateError: Another simulation is running.
        """
        from llmtest.serving import Server

        server = Server(self.world, grace=0, on_reset=self._follow_reset)
        try:
            super().start()
            self._server = server.start()
        except BaseException:
            server.stop()
            super().stop()
            raise

    def stop(self) -> None:
        """Stop answering: every connection that is open is broken."""
        server, self._server = self._server, None
        if server is not None:
            server.stop()
        super().stop()

    def _follow_reset(self) -> None:
        """Look at the trace that a reset over the control plane has begun."""
        self.trace = self.world.trace


def _open_recording(*facts: Any) -> Recording:
    """Open a recorded session for a port, where nobody asks for the host that was recorded."""
    from llmtest.serving._played_session import open_served

    return open_served(*facts)
