"""Clients in other languages, by what they send: there is no SDK to run, so the bytes are theirs."""

import json
import socket
import urllib.error

import pytest

from tests.node.node_process import LONGEST_S, Served

pytestmark = pytest.mark.slow

BODY = json.dumps({"model": "gpt-4o", "messages": [{"role": "user", "content": "Capital of France?"}]}).encode()


@pytest.fixture(scope="module")
def server():
    """A server for the clients of this file."""
    served = Served()
    yield served
    assert served.stop() == 0


def exchange(server, *lines, body=BODY, path="/v1/chat/completions"):
    """Send a request with these header lines, and return status line, head and body of the answer."""
    head = [f"POST {path} HTTP/1.1", f"Host: {server.url}", f"Content-Length: {len(body)}", *lines, "", ""]
    port = int(server.url.rpartition(":")[2])
    with socket.create_connection(("127.0.0.1", port), timeout=LONGEST_S) as connection:
        connection.sendall("\r\n".join(head).encode() + body)
        with connection.makefile("rb") as answer:
            status = answer.readline().decode()
            headers = {}
            while line := answer.readline().strip():
                name, _, value = line.decode().partition(": ")
                headers[name.lower()] = value
            return status.strip(), headers, answer.read(int(headers.get("content-length", 0)))


def test_an_offer_of_http_2_is_passed_over(server):
    """Java's HttpClient offers an upgrade on every plain connection, and goes on with HTTP/1.1 when nobody takes it."""
    status, _, body = exchange(
        server,
        "Connection: Upgrade, HTTP2-Settings",
        "Upgrade: h2c",
        "HTTP2-Settings: AAEAAEAAAAIAAAAAAAMAAAAAAAQBAAAAAAUAAEAABgAGAAA",
        "Content-Type: application/json",
    )
    assert status == "HTTP/1.1 200 OK"
    assert json.loads(body)["object"] == "chat.completion"


def test_the_connection_goes_on_after_an_offer(server):
    """The next request over the same connection has its answer too."""
    port = int(server.url.rpartition(":")[2])
    offer = b"GET /v1/models HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n"
    with socket.create_connection(("127.0.0.1", port), timeout=LONGEST_S) as connection:
        for _ in range(2):
            connection.sendall(offer)
            assert connection.recv(65536).startswith(b"HTTP/1.1 200 OK")


def test_an_offer_may_come_while_an_answer_is_under_way(server):
    """The next request is on its way before the last answer has been told to its end: both have theirs."""
    server.script(openai=[{"replies": {"text": "late", "latency": "200ms"}}, {"replies": "Paris"}])
    lines = ("Host: x", "Connection: Upgrade", "Upgrade: h2c", f"Content-Length: {len(BODY)}", "", "")
    request = "\r\n".join(("POST /v1/chat/completions HTTP/1.1", *lines)).encode() + BODY
    port = int(server.url.rpartition(":")[2])
    with socket.create_connection(("127.0.0.1", port), timeout=LONGEST_S) as connection:
        connection.sendall(request)
        server.ask("GET", "health")  # By now the first request has been read.
        connection.sendall(request)
        received = b""
        while received.count(b"system_fingerprint") < 2:
            piece = connection.recv(65536)
            assert piece, received
            received += piece
    assert received.count(b"HTTP/1.1 200 OK") == 2
    assert received.index(b'"late"') < received.index(b'"Paris"')


@pytest.mark.parametrize("name", ["Content-Length", "transfer-encoding"])
def test_a_script_does_not_say_how_a_body_travels(server, name):
    """An answer with a length of somebody's choice would leave clients waiting, or reading the next one."""
    with pytest.raises(urllib.error.HTTPError) as caught:
        server.script(openai=[{"replies": {"text": "Paris", "headers": {name: "3"}}}])
    with caught.value as answer:
        told = json.loads(answer.read())["error"]["message"]
    assert answer.code == 400
    assert f"the header `{name}` says how the body travels" in told
