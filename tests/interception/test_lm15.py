"""lm15, which writes HTTP to sockets of its own, and which DSPy brings: answered in process."""

import asyncio
import json
import socket
import threading

import pytest

from llmtest import Simulation, faults
from llmtest.cassettes import use_cassette
from llmtest.errors import NetworkBlockedError

transports = pytest.importorskip("lm15.transports")
OPENAI = "https://api.openai.com/v1/chat/completions"


def request(url=OPENAI, **fields):
    """Make a request as lm15 has it."""
    body = {"model": "gpt-4o", "messages": [{"role": "user", "content": "Hi"}], **fields}
    return transports.TransportRequest("POST", url, [("content-type", "application/json")], json.dumps(body).encode())


def blocking(sent):
    """Send without a loop; returns status and body."""
    with transports.StdlibTransport(read_timeout=30.0) as transport, transport.stream(sent) as answer:
        return answer.status, answer.read()


def awaited(sent):
    """Send in a loop; returns status and body."""

    async def main():
        async with transports.StdlibAsyncTransport(read_timeout=30.0) as transport, transport.stream(sent) as answer:
            return answer.status, await answer.read()

    return asyncio.run(main())


both = pytest.mark.parametrize("send", [blocking, awaited])


@both
def test_p13_it_is_answered_in_process(llm_sim, send):
    """A request reaches the simulated provider, and its answer the caller."""
    llm_sim.openai.replies("It is Paris.")
    status, body = send(request())
    assert status == 200
    assert json.loads(body)["choices"][0]["message"]["content"] == "It is Paris."
    assert llm_sim.openai.requests[0].model == "gpt-4o"


@both
def test_it_reads_a_stream(llm_sim, send):
    """The events of a stream arrive, up to the last."""
    llm_sim.openai.replies("It is Paris.")
    _, body = send(request(stream=True))
    assert body.endswith(b"data: [DONE]\n\n")


@both
@pytest.mark.parametrize(
    ("fault", "error", "seconds"),
    [
        (faults.ConnectionRefused(), "ConnectError", 0.0),
        (faults.Timeout(phase="connect"), "ConnectTimeout", 10.0),
        (faults.Timeout(), "ReadTimeout", 30.0),
        (faults.ConnectionReset(), "ReadError", 0.0),
        (faults.ConnectionClosed(), "ReadError", 0.0),
    ],
    ids=repr,
)
def test_a_connection_fails_as_lm15_tells_it(llm_sim, send, fault, error, seconds):
    """Each failure is the library's own error, after the seconds of its own limits."""
    llm_sim.openai.fails(fault)
    with pytest.raises(transports.TransportError) as caught:
        send(request())
    assert type(caught.value).__name__ == error
    assert llm_sim.clock.elapsed() == seconds


@both
@pytest.mark.parametrize(
    ("fault", "error"),
    [(faults.StreamDropped(2), transports.ProtocolError), (faults.StreamStalled(2), transports.ReadTimeout)],
    ids=repr,
)
def test_a_stream_breaks_as_lm15_tells_it(llm_sim, send, fault, error):
    """A stream that ends early, or falls silent, is an error of the library too."""
    llm_sim.openai.fails(fault)
    with pytest.raises(error):
        send(request(stream=True))


@both
def test_another_host_is_refused(send):
    """A request that nobody answers here does not leave."""
    with pytest.raises(NetworkBlockedError, match=r"example\.com"), Simulation():
        send(request("https://api.example.com/v1/x"))


@pytest.fixture
def server():
    """A server on this machine that answers as a provider would."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve():
            connection, _ = listener.accept()
            with connection:
                seen = b""
                while not seen.endswith(b"}"):
                    seen += connection.recv(65536)
                connection.sendall(
                    b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
                    b"9\r\ndata: a\n\n\r\n9\r\ndata: b\n\n\r\n0\r\n\r\n"
                )

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/v1/x"
        thread.join(10)


@both
def test_it_is_recorded_and_played(send, server, tmp_path):
    """What the network answers reaches the caller and the cassette, which answers the second time."""
    cassette = tmp_path / "lm15.yaml"
    with use_cassette(cassette, "once"):
        live = send(request(server))
    assert live == (200, b"data: a\n\ndata: b\n\n")
    with use_cassette(cassette):
        assert send(request(server)) == live
