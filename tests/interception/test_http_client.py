"""`http.client` and `urllib.request`: answered, failed, limited and refused like a client of httpx2."""

import http.client
import json
import re
import socket
import urllib.error
import urllib.request

import pytest

from llmtest import Raw, Reply, Simulation, faults
from llmtest.errors import NetworkBlockedError, UnscriptedRequestError

HOST = "api.openai.com"
PATH = "/v1/chat/completions"
QUESTION = {"model": "gpt-4o", "messages": [{"role": "user", "content": "hi"}]}
STREAM = {**QUESTION, "stream": True}
JSON = {"content-type": "application/json"}


def post(body=QUESTION, limit=None):
    """Post a question by `urllib.request`."""
    request = urllib.request.Request(f"https://{HOST}{PATH}", json.dumps(body).encode(), JSON)
    return urllib.request.urlopen(request, timeout=limit) if limit else urllib.request.urlopen(request)


def text_of(answer):
    """Return what the assistant says."""
    return json.load(answer)["choices"][0]["message"]["content"]


def test_urllib_is_answered(llm_sim):
    """Status, headers and body are read as from the network, in virtual time."""
    llm_sim.openai.replies(Reply("Paris", latency=2.5))
    with post(limit=10) as answer:
        assert (answer.status, answer.reason, answer.headers["content-type"]) == (200, "OK", "application/json")
        assert text_of(answer) == "Paris"
    assert llm_sim.clock.elapsed() == 2.5
    assert llm_sim.openai.requests[0].headers["user-agent"].startswith("Python-urllib/")


def test_one_connection_is_used_again_and_again(llm_sim):
    """A connection of `http.client` carries request after request, whatever it was used for before."""
    llm_sim.openai.replies("one", "two")
    connection = http.client.HTTPSConnection(HOST)
    for expected in ("one", "two"):
        connection.request("POST", PATH, json.dumps(QUESTION), JSON)
        assert text_of(connection.getresponse()) == expected
    assert connection.sock is None
    connection.close()


def test_a_request_written_by_hand_is_answered(llm_sim):
    """Line by line, header by header, piece by piece."""
    llm_sim.openai.replies("Paris")
    body = json.dumps(QUESTION).encode()
    connection = http.client.HTTPSConnection(HOST)
    connection.putrequest("POST", PATH)
    connection.putheader("content-type", "application/json")
    connection.putheader("content-length", str(len(body)))
    connection.endheaders()
    connection.send(body[:10])
    connection.send(body[10:])
    assert text_of(connection.getresponse()) == "Paris"


@pytest.mark.parametrize("kind", [http.client.HTTPSConnection, http.client.HTTPConnection])
def test_a_connection_may_be_opened_before_its_request(llm_sim, kind):
    """Nothing connects to a provider, and the request is answered."""
    llm_sim.openai.replies("Paris")
    connection = kind(HOST)
    connection.connect()
    connection.request("POST", PATH, json.dumps(QUESTION), JSON)
    assert text_of(connection.getresponse()) == "Paris"


@pytest.mark.parametrize("first", [True, False], ids=["connected-first", "by-its-request"])
def test_a_server_of_this_machine_is_reached_beside_a_provider(llm_sim, first):
    """What is registered on a port of this machine is no reason to keep its other ports from anybody."""
    llm_sim.provider("mine", base_url="http://127.0.0.1:9/v1")
    listener = socket.create_server(("127.0.0.1", 0))
    connection = http.client.HTTPConnection("127.0.0.1", listener.getsockname()[1])
    if first:
        connection.connect()
    connection.request("GET", "/v1/models")
    server, _ = listener.accept()
    with server:
        assert server.recv(100).startswith(b"GET /v1/models HTTP/1.1")
    connection.close()
    listener.close()


def test_an_allowed_provider_is_connected_to(llm_sim, monkeypatch):
    """A test that lets a provider's host pass wants the network, which fails here in its own words."""
    llm_sim.allow(HOST)
    connection = http.client.HTTPConnection(HOST)
    monkeypatch.setattr(connection, "_create_connection", refuse)
    with pytest.raises(ConnectionRefusedError, match="the network itself"):
        connection.request("GET", "/v1/models")


def refuse(*_, **__):
    """Stand for the network."""
    raise ConnectionRefusedError(111, "the network itself")


def test_a_body_of_unknown_length_arrives_whole(llm_sim):
    """The chunks in which it goes are of the connection alone."""
    llm_sim.openai.replies("Paris")
    connection = http.client.HTTPSConnection(HOST)
    body = json.dumps(QUESTION).encode()
    connection.request("POST", PATH, iter([body[:10], body[10:]]), JSON, encode_chunked=True)
    assert text_of(connection.getresponse()) == "Paris"
    assert llm_sim.openai.requests[0].body == body


def test_a_stream_comes_piece_by_piece(llm_sim):
    """Each piece is there at its virtual time."""
    llm_sim.openai.latency(ttft=1.0, tokens_per_second=2)
    llm_sim.openai.replies("one two three four")
    times = [llm_sim.clock.elapsed() for line in post(STREAM) if b'"content":"' in line]
    assert times == sorted(times)
    assert len(set(times)) > 3
    llm_sim.assert_sequence("openai:200")


@pytest.mark.parametrize(
    ("fault", "error", "text", "seconds", "outcome"),
    [
        (
            faults.ConnectionRefused(),
            urllib.error.URLError,
            "<urlopen error [Errno 111] Connection refused>",
            0,
            "refused",
        ),
        (faults.ConnectionReset(), ConnectionResetError, "[Errno 104] Connection reset by peer", 0, "reset"),
        (
            faults.ConnectionClosed(),
            http.client.RemoteDisconnected,
            "Remote end closed connection without response",
            0,
            "reset",
        ),
        (faults.Timeout(), TimeoutError, "The read operation timed out", 7, "timeout"),
        (faults.Timeout(phase="connect"), urllib.error.URLError, "<urlopen error timed out>", 7, "timeout"),
    ],
    ids=["refused", "reset", "closed", "read-timeout", "connect-timeout"],
)
def test_a_connection_fails_as_urllib_tells_it(llm_sim, fault, error, text, seconds, outcome):
    """The class, the text and the moment are those of the real library."""
    llm_sim.openai.fails(fault)
    with pytest.raises(error) as caught:
        post(limit=7)
    assert (type(caught.value), str(caught.value)) == (error, text)
    assert llm_sim.clock.elapsed() == seconds
    llm_sim.assert_sequence(f"openai:{outcome}")


def test_the_limit_of_all_sockets_is_kept(llm_sim, monkeypatch):
    """`socket.setdefaulttimeout` holds where a connection has no limit of its own."""
    monkeypatch.setattr(socket, "getdefaulttimeout", lambda: 5.0)
    llm_sim.openai.fails(faults.Timeout())
    with pytest.raises(TimeoutError):
        post()
    assert llm_sim.clock.elapsed() == 5.0


def test_a_stream_that_is_dropped_is_read_in_part(llm_sim):
    """What came is in the error, as ever."""
    llm_sim.openai.fails(faults.StreamDropped(2))
    with post(STREAM) as answer, pytest.raises(http.client.IncompleteRead) as caught:
        answer.read()
    assert caught.value.partial.startswith(b"data: {")
    llm_sim.assert_sequence("openai:dropped")


def test_a_stream_that_stalls_ends_at_the_limit(llm_sim):
    """The limit is one for each read."""
    llm_sim.openai.fails(faults.StreamStalled(2))
    with post(STREAM, limit=7) as answer, pytest.raises(TimeoutError):
        answer.read()
    assert llm_sim.clock.elapsed() == 7.0
    llm_sim.assert_sequence("openai:stalled")


def test_a_refusal_is_an_http_error(llm_sim):
    """Status, headers and body of the refusal are there."""
    llm_sim.openai.fails(faults.RateLimited(retry_after=30))
    with pytest.raises(urllib.error.HTTPError) as caught:
        post()
    with caught.value as refused:
        assert (refused.code, refused.headers["retry-after"]) == (429, "30")
        assert json.load(refused)["error"]["code"] == "rate_limit_exceeded"


def test_a_redirect_is_followed(llm_sim):
    """The library follows it itself."""
    llm_sim.openai.on("GET", "/v1/old").replies(Raw(302, {"location": "/v1/new"}, b""))
    llm_sim.openai.on("GET", "/v1/new").replies(Raw(200, {"content-type": "text/plain"}, b"here"))
    with urllib.request.urlopen(f"https://{HOST}/v1/old") as answer:
        assert (answer.read(), answer.url) == (b"here", f"https://{HOST}/v1/new")


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_proxy_is_never_reached_for_a_simulated_provider(llm_sim, scheme):
    """Who answers is told by the URL, through a tunnel as well."""
    llm_sim.provider("mine", base_url=f"{scheme}://llm.example.org/v1").replies("Paris")
    proxies = urllib.request.ProxyHandler({"http": "http://127.0.0.1:9", "https": "http://127.0.0.1:9"})
    url = f"{scheme}://llm.example.org{PATH}"
    request = urllib.request.Request(url, json.dumps(QUESTION).encode(), JSON)
    with urllib.request.build_opener(proxies).open(request) as answer:
        assert text_of(answer) == "Paris"


def test_an_unknown_host_is_refused_by_its_request():
    """The text names the request, and a simulated provider can be the way out."""
    with pytest.raises(NetworkBlockedError) as caught, Simulation():
        urllib.request.urlopen("https://example.com/x?y=1")
    text = re.sub(r"from \S+ in `[^`]+`", "from HERE", str(caught.value))
    assert text.startswith(
        "blocked a live request to example.com.\n\n  GET /x   from HERE\n\nTo fix, one of:\n  1. let a"
    )


def test_an_unscripted_request_is_an_error_of_the_test():
    """Nothing of the library swallows it."""
    with pytest.raises(UnscriptedRequestError, match=r"test_http_client\.py:\d+ in `post`"), Simulation():
        post()


def test_a_callable_reply_may_send_requests_itself(llm_sim):
    """What a script sends is decided about like everything else."""

    def answer(_request):
        return urllib.request.urlopen(f"https://{HOST}/v1/inner").read().decode()

    llm_sim.openai.on("GET", "/v1/inner").replies(Raw(200, {"content-type": "text/plain"}, b"from within"))
    llm_sim.openai.replies(answer)
    with post() as response:
        assert text_of(response) == "from within"


def test_a_connection_gets_its_socket_back():
    """A connection that was open before the simulation is open after it."""
    listener = socket.create_server(("127.0.0.1", 0))
    connection = http.client.HTTPConnection("127.0.0.1", listener.getsockname()[1])
    connection.connect()
    real = connection.sock
    with Simulation() as sim:
        sim.provider("mine", base_url=f"http://127.0.0.1:{connection.port}/v1").replies("Paris")
        connection.request("POST", PATH, json.dumps(QUESTION), JSON)
        assert connection.sock is not real
        assert text_of(connection.getresponse()) == "Paris"
        assert connection.sock is real
        connection.putrequest("GET", "/v1/models")
    assert connection.sock is real
    connection.close()
    listener.close()


def test_everything_is_put_back():
    """After the simulation the class has the very methods that it had before."""
    names = ("putrequest", "getresponse", "connect")
    before = [vars(http.client.HTTPConnection)[name] for name in names]
    with Simulation():
        assert [vars(http.client.HTTPConnection)[name] for name in names] != before
    assert [vars(http.client.HTTPConnection)[name] for name in names] == before
