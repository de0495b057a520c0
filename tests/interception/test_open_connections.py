"""Bytes on connections that are older than the simulation, or that ask a proxy on this machine to go out."""

import asyncio
import http.client
import socket
import threading
from contextlib import suppress

import pytest
import requests
import uvloop

from llmtest import Simulation
from llmtest.clock import virtual_time
from llmtest.errors import NetworkBlockedError
from llmtest.simulation import block_network

ADDRESS = "192.0.2.7"
"""Of the range that documentation uses."""


class Answering:
    """A small HTTP server on this machine, which keeps what it is sent and answers everything alike."""

    def __init__(self):
        self.seen = []
        self.clients = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection):
        with connection, suppress(ConnectionResetError):
            while data := connection.recv(65536):
                self.seen.append(data)
                connection.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok")

    def connect(self):
        """Return a connection of a client."""
        client = socket.create_connection(("127.0.0.1", self.port))
        self.clients.append(client)
        return client

    def close(self):
        """Take no more connections, and end those of the test."""
        for client in self.clients:
            client.close()
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()


@pytest.fixture
def server():
    """A server from before any simulation."""
    server = Answering()
    yield server
    server.close()


@pytest.fixture
def outside(monkeypatch):
    """A function after which the other end of every connection is one outside this machine."""

    def pretend(address=ADDRESS):
        monkeypatch.setattr(socket.socket, "getpeername", lambda _: (address, 443))

    return pretend


def send_by_http_client(server):
    """Return a function that sends a request on a connection that is open."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port)
    server.clients.append(connection)
    connection.request("GET", "/first")
    connection.getresponse().read()
    return lambda: connection.request("GET", "/second")


def send_by_requests(server):
    """The same for `requests`, and with it urllib3."""
    session = requests.Session()
    server.clients.append(session)
    session.get(f"http://127.0.0.1:{server.port}/first")
    return lambda: session.get(f"http://127.0.0.1:{server.port}/second")


def send_by_socket(method):
    """The same for one of the methods of a socket."""

    def opened(server):
        connection = server.connect()
        connection.sendall(b"GET /first HTTP/1.1\r\n\r\n")
        connection.recv(100)
        data = [b"x"] if method == "sendmsg" else b"x"
        return lambda: getattr(connection, method)(data)

    return opened


@pytest.mark.parametrize(
    "opened",
    [
        pytest.param(send_by_requests, id="requests"),
        pytest.param(send_by_http_client, id="http-client"),
        *[pytest.param(send_by_socket(name), id=name) for name in ("send", "sendall", "sendmsg")],
    ],
)
def test_t32_a_connection_from_before_the_simulation_is_refused_at_its_first_byte(server, outside, opened):
    """A connection that a pool kept open is no way out."""
    send = opened(server)
    before = list(server.seen)
    outside()
    simulation = Simulation()
    simulation.start()
    with pytest.raises(NetworkBlockedError) as caught:
        send()
    simulation.stop()
    assert server.seen == before
    assert str(caught.value).startswith(
        f"blocked a live request to {ADDRESS}.\n\n  a connection to port 443 that was open before   from "
    )
    assert simulation.findings() == [caught.value]


def test_t32_a_connection_to_this_machine_is_kept(server):
    """Loopback is not the network, however old the connection is."""
    send = send_by_requests(server)
    with Simulation():
        assert send().text == "ok"


def test_t32_a_connection_to_an_allowed_host_is_kept(server, outside, monkeypatch):
    """A connection knows an address only: the names that are allowed are looked up to tell whose it is."""
    send = send_by_requests(server)
    looked_up = []

    def getaddrinfo(host, *args, **options):
        looked_up.append(host)
        return [(socket.AF_INET, socket.SOCK_STREAM, 0, "", (ADDRESS, 0))]

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    outside()
    with Simulation() as sim:
        sim.allow("*.example.net")
        sim.allow("db.example.org")
        assert send().text == "ok"
        assert send().text == "ok"
    assert looked_up == ["db.example.org"]


def test_t32_a_thread_from_before_keeps_its_connection(server, outside):
    """The telemetry of an older thread goes on, as its new connections do."""
    send = send_by_http_client(server)
    go, failed = threading.Event(), []

    def work():
        go.wait(10)
        try:
            send()
        except NetworkBlockedError as error:
            failed.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    outside()
    with Simulation():
        go.set()
        thread.join(10)
    assert failed == []


@pytest.mark.parametrize(
    ("line", "host"),
    [
        (b"CONNECT api.openai.com:443 HTTP/1.1", "api.openai.com"),
        (b"GET http://weather.example.org/today HTTP/1.1", "weather.example.org"),
        (b"POST http://user:secret@weather.example.org:8080/ HTTP/1.0", "weather.example.org"),
        (b"CONNECT [2001:db8::1]:443 HTTP/1.1", "2001:db8::1"),
    ],
)
@pytest.mark.parametrize("method", ["send", "sendall", "sendmsg"])
def test_t46_a_proxy_on_this_machine_is_no_way_out(server, line, host, method):
    """What is asked of a proxy on loopback counts, not where the proxy is."""
    request = line + b"\r\n\r\n"
    connection = server.connect()
    with pytest.raises(NetworkBlockedError) as caught, Simulation():
        getattr(connection, method)([request] if method == "sendmsg" else memoryview(request))
    assert str(caught.value).startswith(
        f"blocked a live request to {host}.\n\n  a request through a proxy on this machine   from "
    )
    assert server.seen == []


def test_t46_requests_through_a_proxy_of_the_environment_are_refused(server, monkeypatch):
    """`HTTP_PROXY` sends a library's requests to loopback first."""
    monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{server.port}")
    monkeypatch.delenv("NO_PROXY", raising=False)
    with pytest.raises(NetworkBlockedError, match=r"weather\.example\.org"), Simulation():
        requests.get("http://weather.example.org/today", timeout=5)
    assert server.seen == []


@pytest.mark.parametrize("line", [b"GET /first HTTP/1.1", b"CONNECTED", b"PING", b"GET http://127.0.0.1:80/ HTTP/1.1"])
def test_t46_what_is_no_request_to_go_out_is_let_past(server, line):
    """A request to this machine itself, and bytes of another protocol, are nobody's business."""
    with Simulation():
        connection = server.connect()
        connection.sendall(line + b"\r\n\r\n")
        assert connection.recv(100).endswith(b"ok")


@pytest.mark.parametrize(
    "reach",
    [
        pytest.param(lambda sock: sock.sendmsg([b"x"], [], 0, (ADDRESS, 53)), id="sendmsg"),
        pytest.param(lambda sock: sock.sendto(b"x", getattr(socket, "MSG_FASTOPEN", 0), (ADDRESS, 53)), id="fast-open"),
    ],
)
@pytest.mark.parametrize("kind", [socket.SOCK_DGRAM, socket.SOCK_STREAM])
def test_t46_an_address_given_while_sending_is_checked(reach, kind):
    """Datagrams, and TCP that opens its connection with the first data, name their address there."""
    with pytest.raises(NetworkBlockedError, match=ADDRESS), Simulation(), socket.socket(socket.AF_INET, kind) as sock:
        reach(sock)


def test_a_ban_on_the_network_holds_inside_virtual_time():
    """Virtual time watches sockets through the guard that was there before it, not around it."""
    with block_network(), virtual_time(), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        for reach in (
            lambda: sock.connect((ADDRESS, 53)),
            lambda: sock.sendto(b"x", (ADDRESS, 53)),
            lambda: sock.sendmsg([b"x"], [], 0, (ADDRESS, 53)),
        ):
            with pytest.raises(NetworkBlockedError):
                reach()


@pytest.mark.parametrize(
    "reach",
    [
        pytest.param(lambda loop: loop.create_connection(asyncio.Protocol, ADDRESS, 53), id="connection"),
        pytest.param(
            lambda loop: loop.create_datagram_endpoint(asyncio.DatagramProtocol, remote_addr=(ADDRESS, 53)),
            id="datagrams",
        ),
        pytest.param(lambda loop: loop.getaddrinfo("weather.example.org", 443), id="look-up"),
    ],
)
def test_t46_what_uvloop_opens_itself_is_refused(reach):
    """The connections of uvloop are not Python's sockets, but its loop is asked for them."""
    loop = uvloop.new_event_loop()
    simulation = Simulation(time="real")
    simulation.start()
    with pytest.raises(NetworkBlockedError, match=r"192\.0\.2\.7|weather\.example\.org"):
        loop.run_until_complete(reach(loop))
    simulation.stop()
    loop.close()
    assert len(simulation.findings()) == 1
