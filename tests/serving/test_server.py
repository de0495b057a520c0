"""`Server` itself: where it listens, how it starts and stops, on either event loop, and what it says when misused."""

import asyncio
import json
import socket
import subprocess
import sys
import threading

import httpx2
import openai
import pytest

from llmtest import Simulation, faults
from llmtest.clock import SystemClock
from llmtest.errors import ConfigurationError, SimulationStateError
from llmtest.events import Trace
from llmtest.serving import Application, Reception, Server
from llmtest.simulation import World
from llmtest.testing._plugin_server import ServedSimulation
from tests.serving.served_asgi import ask
from tests.serving.served_calls import STREAMED, WHOLE, openai_sync, openai_sync_stream


@pytest.fixture
def world():
    """Return a world in which OpenAI and Anthropic echo."""
    found = World(SystemClock(), Trace(), strict=False)
    found.provider("openai").echoes()
    found.provider("anthropic").echoes()
    return found


def test_a_world_is_served_while_the_context_is_open(world):
    """The port answers inside the context and is free after it."""
    with Server(world) as server:
        assert openai_sync(server.base_url) == "Capital of France?"
        port = int(server.base_url.rpartition(":")[2])
    with socket.create_server(("127.0.0.1", port)):
        pass


def test_a_simulation_in_real_time_is_served_as_well():
    """Whatever has a world can be served."""
    with Simulation(time="real") as sim, Server(sim) as server:
        sim.openai.replies("Paris")
        assert openai_sync(server.base_url) == "Paris"
        server.settle()
        sim.assert_sequence("openai:200")


def test_a_world_in_virtual_time_cannot_be_served():
    """Clients of another process live in real time, so that a virtual clock is refused with the way out."""
    with Simulation() as sim, pytest.raises(ConfigurationError) as caught:
        Server(sim)
    assert str(caught.value) == (
        "a server lives in real time, and this world's clock is virtual: its clients would wait for ever.\n\n"
        'To fix: Simulation(time="real"), or the fixture `llm_server`'
    )


def test_a_server_over_ip_version_6(world):
    """An address of version 6 stands in brackets in the URL."""
    with Server(world, "::1") as server:
        assert server.base_url.startswith("http://[::1]:")
        assert server.is_loopback
        assert openai_sync(server.base_url) == "Capital of France?"


def test_a_server_is_started_once(world):
    """A server that has been started cannot be started again."""
    with Server(world) as server, pytest.raises(SimulationStateError, match="this server was started before"):
        server.start()
    with pytest.raises(SimulationStateError, match="this server was started before"):
        server.start()


def test_a_server_that_never_started_gives_its_port_back(world):
    """Stopping is harmless where nothing runs, and frees the port."""
    server = Server(world)
    assert (server.connections, server.tasks) == (0, 0)
    server.settle()
    server.stop()
    server.stop()
    with socket.create_server(("127.0.0.1", int(server.base_url.rpartition(":")[2]))):
        pass


def test_stopping_leaves_no_thread_and_breaks_what_is_open(world):
    """A stop with a stream open breaks it at once, and the thread is gone."""
    world.provider("openai").fails(faults.StreamStalled(after_chunks=1))
    before = threading.active_count()
    server = Server(world, grace=0).start()
    body = {"model": "gpt-4o", "stream": True, "messages": [{"role": "user", "content": "Hi there"}]}
    with (
        httpx2.Client(base_url=server.base_url) as client,
        client.stream("POST", "/v1/chat/completions", json=body) as answer,
    ):
        chunks = answer.iter_raw()
        next(chunks)
        server.stop()
        with pytest.raises(httpx2.ReadError):
            list(chunks)
    assert threading.active_count() == before
    assert world.provider("openai").requests[0].outcome == "stalled"


def test_an_answer_under_way_may_end_before_the_server_stops(world):
    """Within the grace a stop waits for answers that are being given."""
    world.provider("openai").latency(0.1)
    server = Server(world, grace=5).start()
    said = []
    asking = threading.Thread(target=lambda: said.append(openai_sync(server.base_url)))
    asking.start()
    while not server.tasks:
        server.settle()
    server.stop()
    asking.join()
    assert said == ["Capital of France?"]


@pytest.mark.parametrize("ask", [WHOLE["openai-sync"][1], *(row[1] for row in STREAMED.values())])
def test_it_runs_on_asyncio_s_own_loop(monkeypatch, world, ask):
    """Without uvloop the server is the same."""
    monkeypatch.setitem(sys.modules, "uvloop", None)
    with Server(world) as server:
        assert ask(server.base_url) == "Capital of France?"
        assert "uvloop" not in type(server._loop).__module__


def test_connections_break_on_asyncio_s_own_loop(monkeypatch, world):
    """Without uvloop connections are reset and dropped just the same."""
    monkeypatch.setitem(sys.modules, "uvloop", None)
    world.provider("openai").fails(faults.ConnectionReset()).fails(faults.StreamDropped(after_chunks=1))
    with Server(world) as server:
        for ask, cause in ((openai_sync, httpx2.ReadError), (openai_sync_stream, httpx2.RemoteProtocolError)):
            with pytest.raises(openai.APIConnectionError) as caught:
                ask(server.base_url)
            assert isinstance(caught.value.__cause__, cause)


class BrokenTime:
    """A distribution whose own code fails."""

    def draw(self, seed, *key):
        """Fail."""
        raise ZeroDivisionError("nobody divides by zero")


def test_code_of_the_user_s_that_fails_is_a_500_that_says_so(world, caplog):
    """Whatever fails while a request is decided about, the client gets an answer and the log the traceback."""
    world.provider("openai").latency(BrokenTime())
    with Server(world) as server, pytest.raises(openai.InternalServerError) as caught:
        openai_sync(server.base_url)
    assert caught.value.body["message"] == "llmtest failed: ZeroDivisionError: nobody divides by zero"
    assert "POST /v1/chat/completions could not be answered" in caplog.text


def test_a_function_of_the_test_s_that_fails_is_a_harness_error(world):
    """A reply function that raises is recorded, and told on the wire."""
    world.provider("openai").replies(lambda request: request.nothing)
    with Server(world) as server, pytest.raises(openai.InternalServerError) as caught:
        openai_sync(server.base_url)
    assert caught.value.body["message"].startswith("SimulationStateError: `openai`: the test's own reply function ")
    assert len(world.harness_errors) == 1


def test_a_served_simulation_has_its_port_while_it_runs():
    """`base_url` of a served simulation that does not run is an error that says so; a second one is refused."""
    served = ServedSimulation()
    with pytest.raises(SimulationStateError, match="`llm_server` is not running, so it has no port"):
        _ = served.base_url
    with served:
        assert served.costs.known_usd == 0
        with pytest.raises(SimulationStateError, match="`second` cannot start inside `llm_server`"):
            ServedSimulation(name="second").start()


def test_a_missing_step_is_told_in_terms_of_the_server(llm_server):
    """The text of a missing step shows the fixture that the test has."""
    with pytest.raises(openai.InternalServerError) as caught:
        openai_sync(llm_server.base_url)
    assert 'llm_server.openai.replies("...")' in caught.value.body["message"]
    llm_server.world.harness_errors.clear()


def ask_elsewhere(fault, stream=True):
    """Ask a world that fails over an ASGI server that shows no connection, and return what it sees."""
    world = World(SystemClock(), Trace(), strict=False)
    world.provider("openai").fails(fault)
    body = json.dumps({"model": "gpt-4o", "stream": stream, "messages": [{"role": "user", "content": "Hi"}]}).encode()
    return world, lambda: ask("POST", "/v1/chat/completions", body, world=world)


def test_another_server_may_carry_the_application():
    """Under an ASGI server that shows no connection streams work, and what must break is left to the server."""
    world, asked = ask_elsewhere(faults.StreamStalled(after_chunks=1, seconds=0.01))
    assert b"[DONE]" in asked().body
    assert world.provider("openai").requests[0].outcome == "200"
    world, asked = ask_elsewhere(faults.ConnectionReset())
    with pytest.raises(ConnectionAbortedError, match="reset"):
        asked()
    assert world.provider("openai").requests[0].outcome == "reset"


def test_only_http_is_served():
    """A websocket is refused."""
    application = Application(Reception(World(SystemClock(), Trace())))
    with pytest.raises(ConnectionAbortedError, match="llmtest serves HTTP, not websocket"):
        asyncio.run(application({"type": "websocket"}, None, None))


def test_without_the_extra_the_server_says_what_to_install():
    """Whichever of its packages is missing, nobody meets a bare import error."""
    code = (
        "import sys\n"
        "sys.modules.update(dict.fromkeys(['httptools', 'starlette', 'uvicorn']))\n"
        "sys.argv[1:] = ['serve', '--port', '0']\n"
        "from llmtest.cli import main\n"
        "main()"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert result.returncode == 2
    assert result.stderr == (
        "ConfigurationError: the server needs `httptools`, which is not installed.\n\n"
        "To fix: pip install -e '.[server]', in a checkout of llmtest\n"
    )
