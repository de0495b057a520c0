"""What a server lets nobody do: read prompts from a web page, hold connections, or keep its clients waiting."""

import json
import socket
import threading

import httpx2
import pytest

from llmtest.serving import Server, _connection, served_world
from llmtest.serving import _script as script_file

CHAT = {"model": "gpt-4o", "messages": [{"role": "user", "content": "Hi"}]}


@pytest.fixture
def server():
    """Return a server of its own."""
    world, set_up = served_world()
    with Server(world, on_reset=set_up) as running:
        yield running


@pytest.mark.parametrize("host", ["evil.test", "evil.test:4010", "127.0.0.1.evil.test", "evil.example.com."])
@pytest.mark.parametrize(("method", "endpoint"), [("GET", "requests"), ("GET", "trace"), ("POST", "reset")])
def test_t48_a_web_page_that_leads_here_is_refused(server, host, method, endpoint):
    """DNS rebinding: a page's own name points at this machine, and `Host` tells it."""
    with httpx2.Client(base_url=server.base_url) as client:
        client.post("/v1/chat/completions", json=CHAT)
        answer = client.request(method, f"/_llmtest/{endpoint}", headers={"host": host})
    assert answer.status_code == 403
    assert answer.json()["error"] == {
        "type": "ControlPlaneError",
        "message": (
            f"`Host: {host}` is a name of the internet, which any web page can let lead here. "
            "To fix: ask by address, as in http://127.0.0.1, or by a name without dots."
        ),
    }


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1", "127.0.0.1:4010", "localhost:4010", "[::1]:4010", "10.0.0.5", "llmtest:4010", "host.docker.internal"],
)
def test_t48_this_machine_by_any_of_its_names_is_answered(server, host):
    """Addresses, and names that only a local network knows, as services of a compose file have them."""
    answer = httpx2.get(f"{server.base_url}/_llmtest/requests", headers={"host": host})
    assert answer.status_code == 200


@pytest.mark.parametrize("start", [b"POST /v1/chat/completions HTTP/1.1\r\nhost: a\r\n", b"\r\nGET / HTTP/1.1\r\nx: "])
def test_t48_a_head_that_never_ends_is_given_up(server, monkeypatch, start):
    """Two hundred half-sent heads are held for a bounded time, and others are answered meanwhile."""
    monkeypatch.setattr(_connection, "HEAD_S", 0.2)
    clients = [socket.create_connection(("127.0.0.1", int(server.base_url.rpartition(":")[2]))) for _ in range(200)]
    for client in clients:
        client.sendall(start)
    assert httpx2.post(f"{server.base_url}/v1/chat/completions", json=CHAT).status_code == 200
    for client in clients:
        client.settimeout(20)
        answer = client.recv(1000)
        assert answer.startswith(b"HTTP/1.1 408 Request Timeout\r\n")
        assert client.recv(1000) == b""
        client.close()


def test_t48_a_head_in_two_parts_is_answered(server, monkeypatch):
    """What comes in time is not cut off later: the time is the head's, not the connection's."""
    monkeypatch.setattr(_connection, "HEAD_S", 0.1)
    with socket.create_connection(("127.0.0.1", int(server.base_url.rpartition(":")[2]))) as client:
        for _ in range(2):
            client.sendall(b"GET /v1/models HTT")
            client.sendall(b"P/1.1\r\nhost: a\r\n\r\n")
            client.settimeout(20)
            assert client.recv(100_000).startswith(b"HTTP/1.1 200 OK\r\n")
        client.settimeout(0.2)
        with pytest.raises(TimeoutError):
            client.recv(1)


def test_t48_a_script_has_so_many_steps_at_most(server):
    """A script of more steps is refused before they are checked, with the ways to say the same in fewer."""
    body = json.dumps({"openai": [{"replies": "a"}] * 6_000, "anthropic": {"steps": [{"replies": "b"}] * 4_001}})
    answer = httpx2.post(f"{server.base_url}/_llmtest/script", content=body, timeout=30)
    assert answer.status_code == 400
    assert answer.json()["error"]["message"] == (
        "a script may have 10,000 steps.\n"
        "To fix: `times: 1000` repeats a step, `times: forever` for as long as requests come; or post the script in "
        "parts, each when the one before it was played."
    )


def test_t48_clients_are_answered_while_a_script_is_read(server, monkeypatch):
    """Reading a long script takes a thread of its own, not the server's."""
    reading, go = threading.Event(), threading.Event()
    real = script_file._document_of

    def slowly(text):
        reading.set()
        go.wait(20)
        return real(text)

    monkeypatch.setattr(script_file, "_document_of", slowly)
    posted = []
    body = {"openai": [{"replies": "Paris"}]}
    thread = threading.Thread(
        target=lambda: posted.append(httpx2.post(f"{server.base_url}/_llmtest/script", json=body, timeout=30))
    )
    thread.start()
    assert reading.wait(20)
    assert httpx2.post(f"{server.base_url}/v1/chat/completions", json=CHAT, timeout=20).status_code == 200
    go.set()
    thread.join()
    assert posted[0].json() == {"status": "ok", "steps": {"openai": 1}}
    answer = httpx2.post(f"{server.base_url}/v1/chat/completions", json=CHAT)
    assert answer.json()["choices"][0]["message"]["content"] == "Paris"
