"""Raw sockets in a simulation: what may connect, whatever the address is written as and however it was found."""

import re
import socket
import sys
import threading
from types import ModuleType

import pytest

from llmtest import Simulation
from llmtest.errors import ConfigurationError, NetworkBlockedError

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


def blocked(host):
    """Return the text of a refused look-up, without the line of this file that it names."""
    with pytest.raises(NetworkBlockedError) as caught, Simulation():
        socket.getaddrinfo(host, 443)
    return re.sub(r"from \S+ in `\w+`", "from HERE", str(caught.value))


def test_a_socket_to_a_simulated_provider_names_the_server(resolver):
    """No handle can answer a bare connection, so the text leads to the fixture that can."""
    assert blocked("api.openai.com") == (
        "blocked a live request to api.openai.com.\n\n"
        "  looking up its address   from HERE\n"
        "  `openai` is simulated, but this connection is of another library; answered in process are requests of "
        "httpx, httpx2, aiohttp, requests, urllib3, http.client and lm15\n\n"
        "To fix, one of:\n"
        "  1. put the provider behind a loopback port: the fixture `llm_server`, and `llm_server.base_url`\n"
        '  2. let it pass in this test: llm_sim.allow("api.openai.com")\n'
        '  3. let it pass everywhere: llmtest_allowed_hosts = ["api.openai.com"] in pyproject.toml, '
        "llmtest_allowed_hosts = api.openai.com in pytest.ini"
    )


@pytest.mark.parametrize(
    ("library", "host", "way"),
    [
        (
            "tiktoken",
            "openaipublic.blob.core.windows.net",
            "tiktoken fetches a vocabulary here: fetch it once, into a directory that TIKTOKEN_CACHE_DIR names",
        ),
        (
            "litellm",
            "raw.githubusercontent.com",
            (
                "litellm fetches a table here: set LITELLM_LOCAL_MODEL_COST_MAP=True and "
                "LITELLM_LOCAL_ANTHROPIC_BETA_HEADERS=True, and it reads its own copies"
            ),
        ),
    ],
)
def test_a_library_that_fetches_files_is_told_how_not_to(resolver, monkeypatch, library, host, way):
    """Where it is known who fetches what, and how it is kept from it, that comes first."""
    monkeypatch.setitem(sys.modules, library, ModuleType(library))
    assert f"To fix, one of:\n  1. {way}\n  2. let it pass in this test: " in blocked(host)


def test_a_host_that_nobody_is_known_to_fetch_from_can_only_be_let_past(resolver, monkeypatch):
    """A simulated provider would not help a library whose requests are not read."""
    monkeypatch.delitem(sys.modules, "tiktoken", raising=False)
    assert 'To fix, one of:\n  1. let it pass in this test: llm_sim.allow("' in blocked(
        "openaipublic.blob.core.windows.net"
    )


def test_no_older_thread_reaches_a_simulated_provider(resolver):
    """A thread from before the test may send its telemetry, but its call to a provider never leaves."""
    begun, refused = threading.Event(), []

    def work():
        begun.wait(10)
        socket.getaddrinfo("telemetry.example.org", 443)
        try:
            socket.getaddrinfo("api.openai.com", 443)
        except NetworkBlockedError as error:
            refused.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    simulation = Simulation()
    simulation.start()
    begun.set()
    thread.join(10)
    simulation.stop()
    assert resolver == ["telemetry.example.org"]
    assert simulation.findings() == refused
    assert len(refused) == 1


@pytest.mark.parametrize(
    ("wrong", "right"),
    [
        ("https://example.com/v1", "example.com"),
        ("example.com:443", "example.com"),
        ('["example.com"]', "example.com"),
        ("example.com, example.net", "example.com"),
        ("", "example.org"),
    ],
)
def test_what_is_no_host_cannot_be_allowed(wrong, right):
    """A URL, or the list of another kind of file, would never match anything."""
    with Simulation() as sim, pytest.raises(ConfigurationError) as caught:
        sim.allow(wrong)
    assert str(caught.value) == (
        f"`{wrong}` is no host: a host is allowed by its bare name, on every port.\n\n"
        f'To fix: llm_sim.allow("{right}"), or a line of its own in pytest.ini\'s llmtest_allowed_hosts'
    )


@pytest.mark.parametrize(
    ("pattern", "host"),
    [("*.example.org", "a.example.org"), ("*", "a.b"), ("api-*.example.org", "api-7.example.org"), ("[::2]", "::2")],
)
def test_a_star_in_an_allowed_host_stands_for_any_text(resolver, pattern, host):
    """Patterns mean the same in a test, in a cassette and in the settings."""
    with Simulation() as sim:
        sim.allow(pattern)
        socket.getaddrinfo(host, 443)
    assert resolver == [host]


def test_sockets_of_this_machine_are_left_alone(tmp_path):
    """Unix sockets, and calls that are wrong in themselves, are the socket's own business."""
    with Simulation(), socket.socket(socket.AF_UNIX) as server, socket.socket(socket.AF_UNIX) as client:
        server.bind(str(tmp_path / "s"))
        server.listen(1)
        client.connect(str(tmp_path / "s"))
        with datagram() as sock, pytest.raises(TypeError):
            sock.connect()
