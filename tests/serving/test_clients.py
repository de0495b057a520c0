"""Clients of every habit: those that vanish, that send in pieces, that ask twice at once, that speak old HTTP."""

import asyncio
import json
import socket

import pytest

from llmtest import faults
from llmtest.events import RequestAnswered, RequestReceived
from tests.serving.served_calls import openai_sync

CHAT = {"model": "gpt-4o", "messages": [{"role": "user", "content": "Hi"}]}


def request_bytes(body=CHAT, *headers, method="POST", path="/v1/chat/completions", version="1.1"):
    """Return a request as it stands on the wire."""
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    lines = [f"{method} {path} HTTP/{version}", "Host: localhost", f"Content-Length: {len(data)}", *headers, "", ""]
    return "\r\n".join(lines).encode() + data


@pytest.fixture
def line(llm_server):
    """Return a raw connection to a server that echoes."""
    llm_server.openai.echoes()
    host, port = llm_server.base_url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=5) as connection:
        yield connection


def read_answer(line):
    """Read one answer of known length."""
    data = b""
    while b"\r\n\r\n" not in data:
        data += line.recv(65536)
    head, _, body = data.partition(b"\r\n\r\n")
    headers = dict(each.lower().split(": ", 1) for each in head.decode().split("\r\n")[1:])
    while len(body) < int(headers["content-length"]):
        body += line.recv(65536)
    return int(head.split()[1]), headers, body


def text_of(body):
    """Return what an answer says."""
    return json.loads(body)["choices"][0]["message"]["content"]


def asking(text):
    """Return the body that asks for an echo."""
    return {**CHAT, "messages": [{"role": "user", "content": text}]}


def nothing_is_left(llm_server):
    """Tell whether no request is being answered and no connection is open, once the server has looked."""
    for _ in range(50):
        llm_server.server.settle()
        if not llm_server.server.tasks and not llm_server.server.connections:
            return True
    return False


@pytest.mark.slow
def test_two_hundred_streams_whose_clients_vanish(llm_server):
    """Of 200 streams whose clients close or break off in the middle, no task, no connection and no request is left."""
    llm_server.openai.generates(words=400).latency(ttft=0, tokens_per_second=100)
    host, port = llm_server.base_url.removeprefix("http://").split(":")

    async def vanish(number):
        reader, writer = await asyncio.open_connection(host, int(port))
        writer.write(request_bytes({**CHAT, "stream": True}))
        received = await reader.readuntil(b"\n\n")
        assert received.startswith(b"HTTP/1.1 200")
        if number % 2:
            writer.transport.abort()
        else:
            writer.close()
            await writer.wait_closed()

    async def crowd():
        await asyncio.gather(*(vanish(number) for number in range(200)))

    asyncio.run(crowd())
    assert nothing_is_left(llm_server)
    assert len(llm_server.trace.of(RequestReceived)) == 200
    assert [event.outcome for event in llm_server.trace.of(RequestAnswered)] == ["abandoned"] * 200
    assert {record.outcome for record in llm_server.openai.requests} == {"abandoned"}


def test_a_client_that_vanishes_while_it_sends(llm_server, line):
    """A request that is never completed is no request, and leaves nothing behind."""
    line.sendall(request_bytes()[:-3])
    llm_server.server.settle()
    line.close()
    assert nothing_is_left(llm_server)
    assert llm_server.openai.requests == ()


def test_a_client_that_does_not_wait_for_a_slow_answer(llm_server, line):
    """An answer that is waited for no longer is given up at once."""
    llm_server.openai.latency(60)
    line.sendall(request_bytes())
    llm_server.server.settle()
    assert llm_server.server.tasks == 1
    line.close()
    assert nothing_is_left(llm_server)
    llm_server.assert_sequence("openai:abandoned")


@pytest.mark.parametrize("cut", [1, 20, 60, -20, -1], ids=str)
def test_a_request_in_two_pieces(llm_server, line, cut):
    """Wherever a request is cut in two, it is answered once it is whole."""
    data = request_bytes(asking("in two pieces"))
    line.sendall(data[:cut])
    llm_server.server.settle()
    line.sendall(data[cut:])
    status, _, body = read_answer(line)
    assert (status, text_of(body)) == (200, "in two pieces")
    assert len(llm_server.openai.requests) == 1


def test_a_request_byte_by_byte(llm_server, line):
    """A request that comes byte by byte is the same request."""
    for byte in request_bytes(asking("drop by drop")):
        line.sendall(bytes([byte]))
        llm_server.server.settle()
    assert text_of(read_answer(line)[2]) == "drop by drop"


def test_two_requests_at_once(llm_server, line):
    """Requests that are sent without waiting are answered in order."""
    line.sendall(request_bytes(asking("first")) + request_bytes(asking("second")))
    answers = b""
    while answers.count(b"chat.completion") < 2:
        answers += line.recv(65536)
    assert answers.index(b"first") < answers.index(b"second")
    line.sendall(request_bytes(asking("third")))
    assert text_of(read_answer(line)[2]) == "third"


def test_the_next_request_waits_for_a_slow_answer(llm_server, line):
    """A request that comes while another is being answered is answered after it."""
    llm_server.openai.fails(faults.SlowFirstToken(0.05))
    line.sendall(request_bytes(asking("slow")))
    llm_server.server.settle()
    line.sendall(request_bytes(asking("fast")))
    answers = b""
    while answers.count(b'"chat.completion"') < 2:
        answers += line.recv(65536)
    assert answers.index(b"slow") < answers.index(b"fast")


def test_a_body_in_chunks(llm_server, line):
    """A body of untold length, in chunks, is read like any other."""
    data = json.dumps(asking("in chunks")).encode()
    head = b"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
    chunks = b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in (data[:10], data[10:]))
    line.sendall(head + chunks + b"0\r\n\r\n")
    assert text_of(read_answer(line)[2]) == "in chunks"
    line.sendall(request_bytes(asking("whole")))
    assert text_of(read_answer(line)[2]) == "whole"


def test_a_client_that_asks_before_it_sends(line):
    """`Expect: 100-continue` is answered before the body is sent, as curl waits for it."""
    data = request_bytes(asking("may I"), "Expect: 100-continue")
    head, _, body = data.partition(b"\r\n\r\n")
    line.sendall(head + b"\r\n\r\n")
    assert line.recv(65536) == b"HTTP/1.1 100 Continue\r\n\r\n"
    line.sendall(body)
    assert text_of(read_answer(line)[2]) == "may I"


@pytest.mark.parametrize(
    "data",
    [
        request_bytes(CHAT, "Connection: close"),
        request_bytes(CHAT, version="1.0"),
    ],
    ids=["connection-close", "http-1.0"],
)
def test_a_client_that_wants_the_connection_closed(line, data):
    """Whoever asks for it gets the connection closed after the answer."""
    line.sendall(data)
    assert read_answer(line)[0] == 200
    assert line.recv(65536) == b""


def test_bytes_that_are_no_http(llm_server, line):
    """Bytes that are no HTTP at all are refused, and the server goes on."""
    line.sendall(b"\x16\x03\x01\x02\x00\x01\x00 this is no request\r\n\r\n")
    assert line.recv(65536).startswith(b"HTTP/1.1 400 Bad Request\r\n")
    assert openai_sync(llm_server.base_url) == "Capital of France?"


def test_lines_that_end_without_a_return_are_no_http(line):
    """A head whose lines end in a bare line feed is refused at once, and not waited for until the client gives up."""
    line.sendall(b"GET /v1/models HTTP/1.1\nHost: x\n\n")
    assert line.recv(65536).startswith(b"HTTP/1.1 400 Bad Request\r\n")


def test_a_stream_comes_in_real_time(llm_server):
    """Pieces of a stream arrive one by one, as fast as the latency model says and no faster."""
    llm_server.openai.replies("one two three four five").latency(ttft=0.02, tokens_per_second=50)
    host, port = llm_server.base_url.removeprefix("http://").split(":")
    reads = []
    with socket.create_connection((host, int(port)), timeout=5) as line:
        before = llm_server.clock.elapsed()
        line.sendall(request_bytes({**CHAT, "stream": True}))
        data = b""
        while b"[DONE]" not in data:
            data += line.recv(65536)
            reads.append(llm_server.clock.elapsed() - before)
    # A busy machine may keep the reader waiting, so that pieces come together; they never come early, nor all at once.
    assert reads[0] >= 0.02
    assert reads[-1] >= 0.08
    assert len(reads) >= 2


def chunks_of(data):
    """Return the chunks of a chunked body, its end included."""
    found = []
    while data:
        size, _, rest = data.partition(b"\r\n")
        found.append(rest[: int(size, 16)])
        assert rest[int(size, 16) :].startswith(b"\r\n")
        data = rest[int(size, 16) + 2 :]
    return found


def read_stream(line):
    """Read one chunked answer, and return its head and its chunks."""
    data = b""
    while not data.endswith(b"\r\n0\r\n\r\n"):
        data += line.recv(65536)
    head, _, body = data.partition(b"\r\n\r\n")
    return head, chunks_of(body)


@pytest.mark.parametrize("words", [3, 3000], ids=["in-one-go", "as-the-client-takes-it"])
def test_every_event_of_a_stream_is_a_chunk_of_its_own(llm_server, line, words):
    """However much goes out at once, events stay apart, as a provider sends them; the connection goes on."""
    for _ in range(2):
        line.sendall(request_bytes({**asking("word " * words), "stream": True}))
        head, chunks = read_stream(line)
        assert b"\r\ntransfer-encoding: chunked" in head
        assert b"content-length" not in head
        assert chunks[-2:] == [b"data: [DONE]\n\n", b""]
        assert all(chunk.startswith(b"data: ") and chunk.count(b"\n\n") == 1 for chunk in chunks[:-1])
        assert len(chunks) > words
    llm_server.assert_sequence("openai:200", "openai:200")


def test_a_long_stream_that_nobody_reads_is_abandoned(llm_server, line):
    """A stream of megabytes is not written into the void: what its client did not take was not delivered."""
    llm_server.openai.replies("word " * 100_000)
    line.sendall(request_bytes({**CHAT, "stream": True}))
    assert line.recv(1000).startswith(b"HTTP/1.1 200 OK\r\n")
    line.close()
    assert nothing_is_left(llm_server)
    llm_server.assert_sequence("openai:abandoned")


def test_the_head_of_a_stream_does_not_wait_for_its_first_piece(llm_server, line):
    """A stream whose first token is slow has opened long before."""
    llm_server.openai.fails(faults.SlowFirstToken(30))
    line.sendall(request_bytes({**CHAT, "stream": True}))
    assert line.recv(65536).startswith(b"HTTP/1.1 200 OK\r\n")


def test_a_head_that_comes_again_is_not_mistaken_for_another(llm_server, line):
    """Requests that differ in key, path or body alone are told apart on one connection."""
    llm_server.openai.when(api_key="a").replies("for a", times=2)
    llm_server.openai.when(api_key="b").replies("for b")
    said = []
    for key, text in (("a", "x"), ("b", "x"), ("a", "y"), ("c", "x"), ("c", "z")):
        line.sendall(request_bytes(asking(text), f"Authorization: Bearer {key}"))
        said.append(text_of(read_answer(line)[2]))
    assert said == ["for a", "for b", "for a", "x", "z"]


OFFER = ("Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAEAAEAAAAIAAAAA")


def test_an_offer_of_another_protocol_is_passed_over(llm_server, line):
    """Clients that offer HTTP/2 with every request get their answers over HTTP/1.1, whole or streamed."""
    llm_server.openai.latency(0.001)
    for _ in range(2):
        line.sendall(request_bytes(asking("slowly"), *OFFER))
        assert text_of(read_answer(line)[2]) == "slowly"
    line.sendall(request_bytes({**asking("as a stream"), "stream": True}, *OFFER))
    data = b""
    while b"[DONE]" not in data:
        data += line.recv(65536)
    assert data.startswith(b"HTTP/1.1 200 OK\r\n")


def test_a_large_body_takes_the_long_way(llm_server, line):
    """A body of megabytes is read in full, and the connection goes on."""
    text = "word " * 400_000
    line.sendall(request_bytes(asking(text)))
    assert text_of(read_answer(line)[2]) == text
    line.sendall(request_bytes(asking("small")))
    assert text_of(read_answer(line)[2]) == "small"


def test_a_header_that_comes_twice_is_one(llm_server, line):
    """Values of a repeated header are joined, on the short way and on the long one."""
    llm_server.openai.latency(0)
    line.sendall(request_bytes(asking("a"), "X-Part: one", "X-Part: two"))
    read_answer(line)
    line.sendall(request_bytes(asking("b"), "X-Part: one", "X-Part: two", "Connection: close"))
    read_answer(line)
    assert [record.headers["x-part"] for record in llm_server.openai.requests] == ["one, two", "one, two"]


@pytest.mark.parametrize("length", ["-1", "many", "1e3"])
def test_a_length_that_is_no_number(line, length):
    """A length that nobody can read is refused by HTTP itself."""
    line.sendall(f"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nContent-Length: {length}\r\n\r\n".encode())
    assert line.recv(65536).startswith(b"HTTP/1.1 400 Bad Request\r\n")


def test_many_heads_are_not_kept_for_ever(llm_server, line):
    """Heads that never come again are forgotten, and the answers stay right."""
    for number in range(600):
        line.sendall(request_bytes(asking(str(number)), f"X-Number: {number}"))
        assert text_of(read_answer(line)[2]) == str(number)


def test_a_head_in_another_shape(line):
    """A percent sign in a path is decoded, and a query is no part of it."""
    line.sendall(b"GET /v1/models/gpt%2D4o?limit=1 HTTP/1.1\r\nHost: x\r\n\r\n")
    assert json.loads(read_answer(line)[2])["id"] == "gpt-4o"
    line.sendall(b"GET /v1/models?a=b HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    assert line.recv(65536).startswith(b"HTTP/1.1 200 ")


def test_a_client_that_vanishes_with_a_request_in_line(llm_server, line):
    """A request that waits behind a stalled answer does not keep that answer alive when the client leaves."""
    llm_server.openai.fails(faults.StreamStalled(after_chunks=1))
    line.sendall(request_bytes({**CHAT, "stream": True}))
    assert line.recv(65536).startswith(b"HTTP/1.1 200 OK\r\n")
    line.sendall(request_bytes(asking("next")))
    llm_server.server.settle()
    line.close()
    assert nothing_is_left(llm_server)
    llm_server.assert_sequence("openai:stalled")
