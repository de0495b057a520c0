"""The server: a world behind a loopback port, in a thread of its own or in the caller's."""

from __future__ import annotations

import asyncio
import signal
import threading
from collections.abc import Callable
from email.utils import formatdate
from importlib.util import find_spec
from types import TracebackType
from typing import Any, Self

from llmtest.clock import VirtualClock
from llmtest.errors import ConfigurationError, SimulationStateError
from llmtest.events import LogicalCall
from llmtest.serving._application import Application, Forward
from llmtest.serving._listening import base_url_of, is_address_of, is_loopback_address, listen
from llmtest.serving._receive import Reception
from llmtest.simulation import World

__all__ = ["Server"]

GRACE_S = 0.3
"""How long answers that are under way may go on when the server stops, in seconds."""

KEEP_ALIVE_S = 3600
"""How long a connection may be idle, in seconds: one that is closed under a client's pool looks like a fault."""

SETTLING_TURNS = 20
"""Turns of the loop after which what had happened on its sockets has been handled."""

LAST_S = 0.25
"""How long requests whose connections were broken may take to notice."""


class Server:
    """Serves a world on a port.

    As a context manager it runs in a thread; `run` runs it in the calling thread until a signal comes.

    Args:
        world: A `World`, or anything that has one as `.world`; its clock should be the machine's.
        host: Where to listen; only this machine reaches the default.
        port: 0 to 65535; 0 takes a free one.
        grace: Seconds that answers under way may go on when the server stops, 0 or more.
        on_reset: Called after `POST /_llmtest/reset` has forgotten everything.
        verbose: Whether the log tells of every request.
        forward: Answers what is no request to the control plane, in place of the providers.

    Raises:
        ConfigurationError: The port is taken, the world's time is virtual, or the extra `[server]` is not installed.

    Example:
        >>> with Server(world) as server:  # doctest: +SKIP
        ...     client = openai.OpenAI(base_url=f"{server.base_url}/v1", api_key="any")
    """

    def __init__(
        self,
        world: Any,
        host: str = "127.0.0.1",
        port: int = 0,
        *,
        grace: float = GRACE_S,
        on_reset: Callable[[], None] | None = None,
        verbose: bool = False,
        forward: Forward | None = None,
    ) -> None:
        _require_extra()
        self._world: World = getattr(world, "world", world)
        if isinstance(self._world.clock, VirtualClock):
            raise ConfigurationError(
                "a server lives in real time, and this world's clock is virtual: its clients would wait for ever.\n\n"
                'To fix: Simulation(time="real"), or the fixture `llm_server`'
            )
        self._grace = grace
        self._reception = Reception(self._world, verbose=verbose)
        self._on_reset = on_reset
        self._forward = forward
        self._host = host
        self._listener = listen(host, port)
        self.base_url = base_url_of(self._listener, host)
        """Where it is reached: `http://127.0.0.1:4010`, without a slash at its end."""
        self.is_loopback = is_loopback_address(self._listener)
        """Whether only this machine can reach it."""
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stopping: asyncio.Event | None = None
        self._state: Any = None
        self._failure: BaseException | None = None

    @property
    def world(self) -> World:
        """The world that is served."""
        return self._world

    @property
    def call(self) -> LogicalCall | None:
        """The logical call that requests belong to, where somebody has marked one."""
        return self._reception.call

    @call.setter
    def call(self, call: LogicalCall | None) -> None:
        self._reception.call = call

    def listens_at(self, host: str, port: int) -> bool:
        """Tell whether what is sent to an address comes here.

        Args:
            host: A name or an address.
            port: Its port.
        """
        return is_address_of(self._listener, host, port)

    @property
    def connections(self) -> int:
        """How many connections are open."""
        return 0 if self._state is None else len(self._state.connections)

    @property
    def tasks(self) -> int:
        """How many requests are being answered."""
        return 0 if self._state is None else len(self._state.tasks)

    def start(self) -> Self:
        """Serve in a thread from now on; returns when requests are accepted.

        Raises:
            SimulationStateError: It was started before.
        """
        if self._thread is not None or self._listener.fileno() < 0:
            raise SimulationStateError("this server was started before.\n\nTo fix: make a new one")
        ready = threading.Event()
        self._thread = threading.Thread(target=self._work, args=(ready,), name="llmtest-server", daemon=True)
        self._thread.start()
        ready.wait()
        if self._failure is not None:
            self._thread.join()
            self._thread = None
            raise self._failure
        return self

    def stop(self) -> None:
        """Stop serving; harmless where it does not run."""
        thread, self._thread = self._thread, None
        if thread is None:
            self._listener.close()
            return
        assert self._loop is not None
        assert self._stopping is not None
        if thread.is_alive():
            self._loop.call_soon_threadsafe(self._stopping.set)
        thread.join()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()

    def settle(self) -> None:
        """Return when everything that clients have done so far has been noticed: what they sent, and that they left.

        In the thread that serves, which would wait for itself, this is now.
        """
        if self._thread is not None and self._loop is not None and threading.current_thread() is not self._thread:
            asyncio.run_coroutine_threadsafe(_turns(SETTLING_TURNS), self._loop).result()

    def run(self, on_ready: Callable[[], None]) -> None:
        """Serve in the calling thread until SIGINT or SIGTERM comes.

        Args:
            on_ready: Called when requests are accepted.
        """
        with asyncio.Runner(loop_factory=new_loop) as runner:
            runner.run(self._serve(on_ready, stop_on_signals=True))

    def _work(self, ready: threading.Event) -> None:
        try:
            with asyncio.Runner(loop_factory=new_loop) as runner:
                runner.run(self._serve(ready.set))
        except BaseException as error:  # noqa: BLE001 - raised again in the thread that waits for this one
            self._failure = error
        finally:
            ready.set()

    async def _serve(self, on_ready: Callable[[], None], *, stop_on_signals: bool = False) -> None:
        from uvicorn import Config
        from uvicorn.server import ServerState

        from llmtest.serving._connection import Connection, ForwardingConnection
        from llmtest.serving._request_heads import Heads

        loop = self._loop = asyncio.get_running_loop()
        stopping = self._stopping = asyncio.Event()
        if stop_on_signals:
            _stop_on_signals(loop, stopping)
        application = Application(self._reception, self._control_plane, self._forward)
        connection = Connection if self._forward is None else ForwardingConnection
        config = Config(
            application,
            http=Connection,
            ws="none",
            lifespan="off",
            log_config=None,
            proxy_headers=False,
            timeout_keep_alive=KEEP_ALIVE_S,
        )
        config.load()
        state = self._state = ServerState()
        heads = Heads()

        def connect() -> asyncio.Protocol:
            return connection(self._reception, heads, config, state, {}, loop)

        server = await loop.create_server(connect, sock=self._listener)
        self._keep_date(loop, state)
        on_ready()
        await stopping.wait()
        server.close()
        await self._wind_down(state)
        if self._forward is not None:
            await self._forward.aclose()

    def _control_plane(self) -> Any:
        """Make the control plane, when it is first asked for."""
        from llmtest.serving._control import control_plane

        return control_plane(self._world, self._on_reset, self._host)

    def _keep_date(self, loop: asyncio.AbstractEventLoop, state: Any) -> None:
        date = formatdate(self._world.clock.time_ns() / 1e9, usegmt=True)
        state.default_headers = [(b"date", date.encode())]
        loop.call_later(1.0, self._keep_date, loop, state)

    async def _wind_down(self, state: Any) -> None:
        """Let answers under way end for a while, then break every connection that is left."""
        for connection in tuple(state.connections):
            connection.shutdown()
        if state.tasks and self._grace > 0:
            await asyncio.wait(tuple(state.tasks), timeout=self._grace)
        for connection in tuple(state.connections):
            connection.reset()
        if state.tasks:
            await asyncio.wait(tuple(state.tasks), timeout=LAST_S)
        await _turns(SETTLING_TURNS)


async def _turns(number: int) -> None:
    for _ in range(number):
        await asyncio.sleep(0)


def new_loop() -> asyncio.AbstractEventLoop:
    """Make an event loop: uvloop's, where it is installed."""
    try:
        import uvloop
    except ImportError:
        return asyncio.new_event_loop()
    return uvloop.new_event_loop()


def _stop_on_signals(loop: asyncio.AbstractEventLoop, stopping: asyncio.Event) -> None:
    for number in (signal.SIGINT, signal.SIGTERM):
        try:
            loop.add_signal_handler(number, stopping.set)
        except NotImplementedError:  # pragma: no cover - Windows has no such handlers in its loop
            signal.signal(number, lambda *_: loop.call_soon_threadsafe(stopping.set))


def _require_extra() -> None:
    for name in ("httptools", "starlette", "uvicorn"):
        if find_spec(name) is None:
            raise ConfigurationError(
                f"the server needs `{name}`, which is not installed.\n\n"
                "To fix: pip install -e '.[server]', in a checkout of llmtest"
            )
