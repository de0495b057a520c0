"""Sessions of aiohttp, requests, urllib3 and `http.client`, recorded from a server of this machine and replayed."""

import asyncio
import http.client
import socket
import threading
import urllib.error
import urllib.request

import aiohttp
import pytest
import requests
import urllib3

from llmtest.cassettes import use_cassette
from llmtest.errors import CassetteMismatchError

CHUNKED = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
WHOLE = b"HTTP/1.1 200 Fine\r\ncontent-type: text/plain\r\ncontent-length: 5\r\n\r\nParis"


class Canned:
    """A server that answers each request, one after the other, and remembers what it was sent."""

    def __init__(self):
        self.seen = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self):
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            with connection:
                self._answer(connection)

    def _answer(self, connection):
        while head := connection.recv(65536):
            while b"\r\n\r\n" not in head or (head.startswith(b"POST") and not head.endswith((b"body", b"0\r\n\r\n"))):
                head += connection.recv(65536)
            self.seen.append(head)
            if b" /stream" in head:
                connection.sendall(CHUNKED + b"7\r\ndata: a\r\n")
                connection.sendall(b"9\r\n\n\ndata: b\r\n0\r\n\r\n")
            elif b" /broken" in head:
                connection.sendall(CHUNKED + b"7\r\ndata: a\r\n7\r\nda")
                return
            else:
                connection.sendall(WHOLE)

    def close(self):
        self._listener.close()


@pytest.fixture
def server():
    """A server on this machine."""
    server = Canned()
    yield server
    server.close()


def by_requests(method, url, body):
    """Send a request, and return the status and the body."""
    answer = requests.request(method, url, data=body)
    return answer.status_code, answer.content


def by_urllib3(method, url, body):
    """The same by urllib3, which would ask again by itself."""
    with urllib3.PoolManager() as pool:
        answer = pool.request(method, url, body=body, retries=False)
        return answer.status, answer.data


def by_urllib(method, url, body):
    """The same by the standard library."""
    with urllib.request.urlopen(urllib.request.Request(url, body, method=method)) as answer:
        return answer.status, answer.read()


def by_aiohttp(method, url, body):
    """The same by aiohttp."""

    async def main():
        async with aiohttp.ClientSession() as session, session.request(method, url, data=body) as answer:
            return answer.status, await answer.read()

    return asyncio.run(main())


every_library = pytest.mark.parametrize("send", [by_requests, by_urllib3, by_urllib, by_aiohttp])


@every_library
def test_k06_a_session_is_recorded_and_replayed(server, tmp_path, send):
    """What the network said is said again, without a network, and by whichever library asks."""
    path = tmp_path / "session.yaml"
    calls = [
        ("GET", f"{server.url}/whole", None),
        ("POST", f"{server.url}/post", b"body"),
        ("GET", f"{server.url}/stream", None),
    ]
    with use_cassette(path, "once") as cassette:
        live = [send(*call) for call in calls]
    assert live == [(200, b"Paris"), (200, b"Paris"), (200, b"data: a\n\ndata: b")]
    assert (len(server.seen), len(cassette.recorded)) == (3, 3)
    assert b"body" in server.seen[1]
    for other in (send, by_requests, by_aiohttp):
        with use_cassette(path) as cassette:
            assert [other(*call) for call in calls] == live
        assert cassette.played == 3
    assert len(server.seen) == 3


@every_library
def test_k06_what_nothing_recorded_answers_is_refused(server, tmp_path, send):
    """No library reaches the network around a cassette."""
    path = tmp_path / "session.yaml"
    with use_cassette(path, "once"):
        send("GET", f"{server.url}/whole", None)
    with pytest.raises(CassetteMismatchError), use_cassette(path):
        send("GET", f"{server.url}/other", None)
    assert len(server.seen) == 1


@pytest.mark.parametrize(
    ("send", "error"),
    [
        (by_requests, requests.exceptions.ChunkedEncodingError),
        (by_urllib3, urllib3.exceptions.ProtocolError),
        (by_urllib, http.client.IncompleteRead),
        (by_aiohttp, aiohttp.ClientPayloadError),
    ],
)
def test_k06_a_break_is_recorded_and_replayed_as_the_library_tells_it(server, tmp_path, send, error):
    """A connection that broke inside a body breaks there again."""
    path = tmp_path / "session.yaml"
    with use_cassette(path, "once"), pytest.raises(error):
        send("GET", f"{server.url}/broken", None)
    with use_cassette(path), pytest.raises(error):
        send("GET", f"{server.url}/broken", None)
    assert len(server.seen) == 1


@pytest.mark.parametrize(
    ("send", "error"),
    [
        (by_requests, requests.ConnectionError),
        (by_urllib, urllib.error.URLError),
        (by_aiohttp, aiohttp.ClientConnectorError),
    ],
)
def test_a_server_that_is_not_there_is_told_as_ever(tmp_path, send, error):
    """While recording, the network fails in the library's own words."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}/whole"
    with use_cassette(tmp_path / "session.yaml", "once"), pytest.raises(error):
        send("GET", url, None)


def test_a_session_keeps_its_connection_while_it_records(server, tmp_path):
    """Recording opens no more connections than the code would have."""
    with requests.Session() as session, use_cassette(tmp_path / "session.yaml", "once"):
        for _ in range(3):
            assert session.get(f"{server.url}/whole").text == "Paris"
    assert len(server.seen) == 3
