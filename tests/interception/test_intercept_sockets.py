"""Raw sockets in a simulation: what may connect, whatever the address is written as and however it was found."""

import socket

import pytest

from llmtest import Simulation
from llmtest.errors import NetworkBlockedError

ADDRESS = "192.0.2.7"
"""Of the range that documentation uses; a datagram socket connects to it without sending anything."""


@pytest.fixture
def resolver(monkeypatch):
    """A name service of the machine's own, as it was before any simulation."""
    asked = []

    def getaddrinfo(host, port, *args, **options):
        asked.append(host)
        return [(socket.AF_INET, socket.SOCK_DGRAM, 0, "", (ADDRESS, port))]

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    return asked


def datagram():
    """Return a socket that connects without a network."""
    return socket.socket(socket.AF_INET, socket.SOCK_DGRAM)


def test_an_allowed_host_may_be_looked_up_and_reached(resolver):
    """The addresses of an allowed name are allowed too, for as long as the simulation runs."""
    with Simulation() as sim, datagram() as first:
        sim.allow("metrics.example.org")
        ((_, _, _, _, address),) = socket.getaddrinfo("metrics.example.org", 4318)
        first.connect(address)
    assert resolver == ["metrics.example.org"]
    with pytest.raises(NetworkBlockedError, match=ADDRESS), Simulation() as sim, datagram() as second:
        second.connect((ADDRESS, 4318))


def test_a_name_that_is_not_allowed_is_not_even_looked_up(resolver):
    """Looking up a name would tell the network of it."""
    with pytest.raises(NetworkBlockedError, match=r"tracker\.example\.org"), Simulation():
        socket.getaddrinfo(b"tracker.example.org", 443)
    assert resolver == []


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "::1", None])
def test_this_machine_may_be_looked_up(resolver, host):
    """Loopback, and the wildcard address of a server, go to the machine's own name service."""
    with Simulation():
        socket.getaddrinfo(host, 80)
    assert resolver == [host]


@pytest.mark.parametrize(
    "reach",
    [
        pytest.param(lambda sock: sock.connect((ADDRESS, 53)), id="connect"),
        pytest.param(lambda sock: sock.connect((ADDRESS.encode(), 53)), id="bytes"),
        pytest.param(lambda sock: sock.connect_ex((ADDRESS, 53)), id="connect-ex"),
        pytest.param(lambda sock: sock.sendto(b"x", (ADDRESS, 53)), id="sendto"),
        pytest.param(lambda sock: sock.sendto(b"x", 0, (ADDRESS, 53)), id="sendto-with-flags"),
    ],
)
def test_every_way_out_is_watched(reach):
    """However a socket reaches out, the refusal names the address and the port, and is told again at the end."""
    simulation = Simulation()
    simulation.start()
    with datagram() as sock, pytest.raises(NetworkBlockedError) as caught:
        reach(sock)
    simulation.stop()
    assert str(caught.value).startswith(f"blocked a live request to {ADDRESS}.\n\n  a connection to port 53")
    assert simulation.findings() == [caught.value]


def test_sockets_of_this_machine_are_left_alone(tmp_path):
    """Unix sockets, and calls that are wrong in themselves, are the socket's own business."""
    with Simulation(), socket.socket(socket.AF_UNIX) as server, socket.socket(socket.AF_UNIX) as client:
        server.bind(str(tmp_path / "s"))
        server.listen(1)
        client.connect(str(tmp_path / "s"))
        with datagram() as sock, pytest.raises(TypeError):
            sock.connect()
