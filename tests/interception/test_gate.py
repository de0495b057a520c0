"""What is answered, what passes and what is refused, whatever transport a client holds."""

import asyncio
import re
import socket
import threading

import httpx
import httpx2
import pytest

from llmtest import Simulation
from llmtest.errors import NetworkBlockedError

LIBRARIES = pytest.mark.parametrize("library", [httpx, httpx2], ids=["httpx", "httpx2"])
URL = "https://api.openai.com/v1/chat/completions"
BODY = {"model": "gpt-4o", "messages": [{"role": "user", "content": "Hi"}]}


@pytest.fixture
def sim():
    """A simulation whose recorded errors the test looks at itself."""
    simulation = Simulation(strict=False)
    simulation.start()
    yield simulation
    simulation.stop()


def logging_transport(library, inner):
    """Make a user's transport around a network transport; it keeps what it saw."""

    class Logging(library.BaseTransport):
        def __init__(self):
            self.inner = inner
            self.seen = []

        def handle_request(self, request):
            response = self.inner.handle_request(request)
            self.seen.append((request.url.host, response.status_code))
            return response

    return Logging()


def canned_transport(library, status=418, **attributes):
    """Make a user's transport that answers by itself and holds no other."""

    class Canned(library.BaseTransport, library.AsyncBaseTransport):
        def handle_request(self, request):
            return library.Response(status, request=request)

        async def handle_async_request(self, request):
            return library.Response(status, request=request)

    for name, value in attributes.items():
        setattr(Canned, name, value)
    return Canned()


@LIBRARIES
def test_a_transport_around_the_network_runs_in_full(sim, library):
    """A user's logging or retrying transport sees every request and every simulated answer."""
    sim.openai.replies("Paris")
    transport = logging_transport(library, library.HTTPTransport())
    with library.Client(transport=transport) as client:
        assert client.post(URL, json=BODY).status_code == 200
    assert transport.seen == [("api.openai.com", 200)]


@LIBRARIES
def test_a_transport_of_another_make_is_replaced_for_a_provider(sim, library):
    """A transport that holds no network transport (as one on aiohttp) does not get a provider's request."""
    sim.openai.replies("Paris", times=2)
    with library.Client(transport=canned_transport(library)) as client:
        assert client.post(URL, json=BODY).status_code == 200

    async def ask():
        async with library.AsyncClient(transport=canned_transport(library)) as client:
            return (await client.post(URL, json=BODY)).status_code

    assert asyncio.run(ask()) == 200


@LIBRARIES
def test_a_transport_of_another_make_to_an_unknown_host_is_one_clear_error(sim, library):
    """Nobody can tell whether it leaves the process, so the text says how to say it."""
    with library.Client(transport=canned_transport(library)) as client, pytest.raises(NetworkBlockedError) as caught:
        client.get("https://example.com/x")
    text = re.sub(r"from \S+ in `\w+`", "from app.py:1 in `ask`", str(caught.value))
    assert text == (
        "blocked a live request to example.com.\n\n"
        "  a request to /x   from app.py:1 in `ask`\n"
        f"  transport: {__name__}.canned_transport.<locals>.Canned, which holds no network transport of httpx or httpx2"
        "\n\nTo fix, one of:\n"
        '  1. let a simulated provider answer it: llm_sim.provider("name", base_url="https://example.com")\n'
        '  2. let it pass in this test: llm_sim.allow("example.com")\n'
        '  3. let it pass everywhere: llmtest_allowed_hosts = ["example.com"] in pyproject.toml, '
        "llmtest_allowed_hosts = example.com in pytest.ini\n"
        "  4. if that transport never leaves the process, say so on its class: `__llmtest_passthrough__ = True`"
    )


@LIBRARIES
@pytest.mark.parametrize("host", ["example.com", "api.openai.com"])
def test_a_transport_that_says_so_is_never_touched(sim, library, host):
    """With `__llmtest_passthrough__` a transport answers even for a provider's host."""
    with library.Client(transport=canned_transport(library, __llmtest_passthrough__=True)) as client:
        assert client.get(f"https://{host}/v1/models").status_code == 418
    assert sim.trace.render() == "(no events)"


@LIBRARIES
def test_in_process_transports_are_never_touched(sim, library):
    """Mock, WSGI and ASGI transports answer whatever the host is called."""

    def wsgi(_, start_response):
        start_response("418 teapot", [])
        return [b""]

    async def asgi(_scope, _receive, send):
        await send({"type": "http.response.start", "status": 418, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    async def ask():
        async with library.AsyncClient(transport=library.ASGITransport(app=asgi)) as client:
            return (await client.get("https://api.openai.com/v1/models")).status_code

    for transport in (library.MockTransport(lambda _: library.Response(418)), library.WSGITransport(app=wsgi)):
        with library.Client(transport=transport) as client:
            assert client.get("https://api.openai.com/v1/models").status_code == 418
    assert asyncio.run(ask()) == 418
    assert sim.trace.render() == "(no events)"


@LIBRARIES
def test_an_allowed_host_passes_to_whatever_handles_it(sim, library):
    """What is allowed reaches the client's own transport, and the trace says so."""
    sim.allow("example.com")
    with library.Client(transport=canned_transport(library)) as client:
        assert client.get("https://example.com/x").status_code == 418
    assert sim.trace.render().splitlines()[1].split() == ["0.000", "-", "live", "example.com"]


def test_a_datagram_is_a_connection_too(sim):
    """UDP to another machine is refused like TCP; a Unix socket is nobody else's."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender, pytest.raises(NetworkBlockedError) as caught:
        sender.sendto(b"x", ("192.0.2.1", 53))
    assert str(caught.value).splitlines()[0] == "blocked a live request to 192.0.2.1."
    assert "a connection to port 53" in str(caught.value)
    one, other = socket.socketpair()
    one.sendall(b"x")
    assert other.recv(1) == b"x"
    one.close()
    other.close()


def test_a_thread_outside_the_simulation_is_not_held_to_it(sim):
    """An exporter's thread that was there before may look up hosts; only the test's own threads may not."""
    found = []
    go, done = threading.Event(), threading.Event()
    sim.stop()

    def export():
        go.wait()
        try:
            socket.getaddrinfo("host.invalid", 443)
        except OSError as error:
            found.append(type(error))
        done.set()

    thread = threading.Thread(target=export)
    thread.start()
    sim.start()
    go.set()
    done.wait()
    thread.join()
    assert found == [socket.gaierror]
    assert sim.findings() == []


def test_everything_is_put_back(sim):
    """After the simulation the classes have the very methods they had before."""
    sim.stop()
    before = [httpx.HTTPTransport.handle_request, httpx2.AsyncClient._transport_for_url, socket.getaddrinfo]
    before.append(socket.socket.connect)
    with Simulation():
        assert httpx.HTTPTransport.handle_request is not before[0]
    after = [httpx.HTTPTransport.handle_request, httpx2.AsyncClient._transport_for_url, socket.getaddrinfo]
    after.append(socket.socket.connect)
    assert after == before
    assert "connect" not in vars(socket.socket)
