"""aiohttp: answered, failed, limited, traced, redirected and refused like a client of httpx2."""

import asyncio
import json
import re

import aiohttp
import pytest

from llmtest import Raw, Reply, Simulation, faults
from llmtest.errors import NetworkBlockedError, UnscriptedRequestError, VirtualTimeStalledError
from llmtest.events import TelemetryKept

URL = "https://api.openai.com/v1/chat/completions"
QUESTION = {"model": "gpt-4o", "messages": [{"role": "user", "content": "hi"}]}
STREAM = {**QUESTION, "stream": True}


async def post(body=QUESTION, url=URL, **limits):
    """Post a question by a session of its own; returns the status and the body."""
    timeout = aiohttp.ClientTimeout(**limits)
    async with aiohttp.ClientSession(timeout=timeout) as session, session.post(url, json=body) as answer:
        return answer.status, await answer.read()


def text_of(body):
    """Return what the assistant says."""
    return json.loads(body)["choices"][0]["message"]["content"]


def test_a_session_is_answered(llm_sim):
    """Status, headers and JSON are read as from the network, in virtual time."""
    llm_sim.openai.replies(Reply("Paris", latency=2.5))

    async def main():
        async with aiohttp.ClientSession() as session, session.post(URL, json=QUESTION) as answer:
            assert (answer.status, answer.reason, answer.content_type) == (200, "OK", "application/json")
            return await answer.json()

    assert asyncio.run(main())["choices"][0]["message"]["content"] == "Paris"
    assert llm_sim.clock.elapsed() == 2.5
    assert llm_sim.openai.requests[0].headers["user-agent"].startswith("Python/")
    assert json.loads(llm_sim.openai.requests[0].body) == QUESTION


def test_a_stream_comes_piece_by_piece(llm_sim):
    """Each piece is there at its virtual time, and none sooner."""
    llm_sim.openai.latency(ttft=1.0, tokens_per_second=2)
    llm_sim.openai.replies("one two three four")
    times = []

    async def main():
        async with aiohttp.ClientSession() as session, session.post(URL, json=STREAM) as answer:
            times.extend([llm_sim.clock.elapsed() async for line in answer.content if b'"content":"' in line])

    asyncio.run(main())
    assert times == sorted(times)
    assert len(set(times)) > 3
    llm_sim.assert_sequence("openai:200")


def test_a_stream_that_is_closed_early_is_abandoned(llm_sim):
    """The provider learns that its client went away."""
    llm_sim.openai.replies("one two three four five six")

    async def main():
        async with aiohttp.ClientSession() as session, session.post(URL, json=STREAM) as answer:
            await answer.content.readline()

    asyncio.run(main())
    assert llm_sim.openai.requests[0].outcome == "abandoned"


def test_a_long_answer_waits_for_its_reader(llm_sim):
    """Flow control: a stream of megabytes comes whole through a small buffer."""
    pieces = [b"x" * 100_000] * 20
    llm_sim.openai.on("GET", "/v1/long").replies(
        Raw(200, {"content-type": "application/octet-stream"}, b"".join(pieces))
    )
    llm_sim.openai.replies(Reply(chunks=["word " * 5_000] * 20))

    async def main():
        async with aiohttp.ClientSession(read_bufsize=1024) as session:
            async with session.get("https://api.openai.com/v1/long") as answer:
                whole = await answer.read()
            async with session.post(URL, json=STREAM) as answer:
                total = 0
                async for piece in answer.content.iter_chunked(500):
                    total += piece.count(b"word")
                return len(whole), total

    assert asyncio.run(main()) == (2_000_000, 100_000)


@pytest.mark.parametrize(
    ("fault", "error", "text", "seconds", "outcome"),
    [
        (
            faults.ConnectionRefused(),
            aiohttp.ClientConnectorError,
            "Cannot connect to host api.openai.com:443 ssl:default [Connection refused]",
            0.0,
            "refused",
        ),
        (faults.ConnectionReset(), aiohttp.ClientOSError, "[Errno 104] Connection reset by peer", 0.0, "reset"),
        (faults.ConnectionClosed(), aiohttp.ServerDisconnectedError, "Server disconnected", 0.0, "reset"),
        (faults.Timeout(), aiohttp.SocketTimeoutError, "Timeout on reading data from socket", 7.0, "timeout"),
        (
            faults.Timeout(phase="connect"),
            aiohttp.ConnectionTimeoutError,
            f"Connection timeout to host {URL}",
            3.0,
            "timeout",
        ),
    ],
    ids=["refused", "reset", "closed", "read-timeout", "connect-timeout"],
)
def test_a_connection_fails_as_aiohttp_tells_it(llm_sim, fault, error, text, seconds, outcome):
    """The class, the text and the moment are those of the real library."""
    llm_sim.openai.fails(fault)
    with pytest.raises(error) as caught:
        asyncio.run(post(sock_connect=3, sock_read=7))
    assert (type(caught.value), str(caught.value)) == (error, text)
    assert llm_sim.clock.elapsed() == seconds
    llm_sim.assert_sequence(f"openai:{outcome}")


@pytest.mark.parametrize("limits", [{"total": 7}, {"total": 7, "sock_read": 60}, {"total": 0.5}], ids=str)
def test_a_limit_for_the_whole_request_is_aiohttps_own(llm_sim, limits):
    """`total` ends a request that nobody answers, and the provider knows that it was a limit."""
    llm_sim.openai.fails(faults.Timeout())
    with pytest.raises(TimeoutError) as caught:
        asyncio.run(post(**limits))
    assert type(caught.value) is TimeoutError
    assert llm_sim.clock.elapsed() == limits["total"]
    llm_sim.assert_sequence("openai:timeout")


def test_aiohttps_default_limit_is_five_minutes(llm_sim):
    """Which nobody waits for."""
    llm_sim.openai.fails(faults.Timeout())

    async def main():
        async with aiohttp.ClientSession() as session:
            await session.post(URL, json=QUESTION)

    with pytest.raises(TimeoutError):
        asyncio.run(main())
    assert llm_sim.clock.elapsed() == 300.0


def test_a_call_that_would_hang_is_an_error_of_the_test():
    """Without any limit the test fails at once and says what is waited for."""
    simulation = Simulation()
    simulation.openai.fails(faults.Timeout())
    with pytest.raises(VirtualTimeStalledError), simulation:
        asyncio.run(post(total=None))


@pytest.mark.parametrize(
    ("fault", "error", "seconds", "outcome"),
    [
        (faults.StreamDropped(2), aiohttp.ClientPayloadError, 0.0, "dropped"),
        (faults.StreamStalled(2), aiohttp.SocketTimeoutError, 7.0, "stalled"),
    ],
    ids=["dropped", "stalled"],
)
def test_a_stream_breaks_as_aiohttp_tells_it(llm_sim, fault, error, seconds, outcome):
    """What came before the break was read."""
    llm_sim.openai.fails(fault)
    lines = []

    async def main():
        async with aiohttp.ClientSession() as session:
            limits = aiohttp.ClientTimeout(sock_read=7)
            async with session.post(URL, json=STREAM, timeout=limits) as answer:
                async for line in answer.content:
                    lines.append(line)  # noqa: PERF401 - what came before the break counts

    with pytest.raises(error):
        asyncio.run(main())
    assert sum(b'"content":"' in line for line in lines) == 3
    assert llm_sim.clock.elapsed() == seconds
    llm_sim.assert_sequence(f"openai:{outcome}")


@pytest.mark.parametrize(
    ("fault", "outcome"),
    [
        (faults.StreamTruncated(2), "truncated"),
        (faults.StreamError(2), "error"),
        (faults.StreamMalformed(2), "malformed"),
    ],
    ids=["truncated", "error", "malformed"],
)
def test_a_stream_may_end_without_an_error_of_the_connection(llm_sim, fault, outcome):
    """What is wrong with its content is for its reader to see."""
    llm_sim.openai.fails(fault)
    status, body = asyncio.run(post(STREAM))
    assert (status, b"[DONE]" in body) == (200, False)
    llm_sim.assert_sequence(f"openai:{outcome}")


@pytest.mark.parametrize(
    ("fault", "status"),
    [
        (faults.RateLimited(retry_after=30), 429),
        (faults.AuthenticationFailed(), 401),
        (faults.ServerError(503), 503),
        (faults.MalformedBody(), 200),
        (faults.EmptyResponse(), 200),
    ],
    ids=lambda each: getattr(each, "id", None) or str(each),
)
def test_a_refusal_is_an_answer(llm_sim, fault, status):
    """Refusals and broken bodies arrive with their status."""
    llm_sim.openai.fails(fault)
    assert asyncio.run(post())[0] == status


def test_raise_for_status_and_traces_run(llm_sim):
    """Everything that a session does around a request is done."""
    llm_sim.openai.fails(faults.ServerError(503)).replies("Paris")
    seen = []
    config = aiohttp.TraceConfig()
    for name in ("on_request_start", "on_connection_create_start", "on_connection_create_end", "on_request_chunk_sent"):
        getattr(config, name).append(note_as(name, seen))
    for name in ("on_response_chunk_received", "on_request_end", "on_request_exception"):
        getattr(config, name).append(note_as(name, seen))

    async def main():
        async with aiohttp.ClientSession(trace_configs=[config], raise_for_status=True) as session:
            with pytest.raises(aiohttp.ClientResponseError, match="503"):
                await session.post(URL, json=QUESTION)
            first, seen[:] = list(seen), []
            async with session.post(URL, json=QUESTION) as answer:
                await answer.read()
            return first

    first = asyncio.run(main())
    opening = ["on_request_start", "on_connection_create_start", "on_connection_create_end"]
    assert first == [*opening, "on_request_chunk_sent", "on_request_exception"]
    assert seen == [*opening, "on_request_chunk_sent", "on_request_end", "on_response_chunk_received"]


class Unconnected(aiohttp.TCPConnector):
    """A connector with a way of its own to the network."""

    async def _create_connection(self, *_):
        raise aiohttp.ClientConnectionError("the network itself")


def note_as(name, seen):
    """Return a listener that notes that it was called."""

    async def listener(*_):
        seen.append(name)

    return listener


def test_the_limit_of_a_connector_is_kept(llm_sim):
    """With one connection, requests wait for each other."""
    llm_sim.openai.replies(Reply("Paris", latency=2), times=3)

    async def main(limit):
        async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=limit)) as session:

            async def ask():
                async with session.post(URL, json=QUESTION) as answer:
                    await answer.read()

            await asyncio.gather(ask(), ask(), ask())

    asyncio.run(main(1))
    assert llm_sim.clock.elapsed() == 6.0
    llm_sim.openai.replies(Reply("Paris", latency=2), times=3)
    asyncio.run(main(3))
    assert llm_sim.clock.elapsed() == 8.0


def test_a_connector_of_the_users_own_is_intercepted(llm_sim):
    """Whatever class of connector opens the connections, none is opened."""
    llm_sim.openai.replies("Paris")

    async def main():
        async with (
            aiohttp.ClientSession(connector=Unconnected()) as session,
            session.post(URL, json=QUESTION) as answer,
        ):
            return text_of(await answer.read())

    assert asyncio.run(main()) == "Paris"


def test_a_redirect_is_followed(llm_sim):
    """The session follows it itself."""
    llm_sim.openai.on("GET", "/v1/old").replies(Raw(307, {"location": "/v1/new"}, b""))
    llm_sim.openai.on("GET", "/v1/new").replies(Raw(200, {"content-type": "text/plain"}, b"here"))

    async def main():
        async with aiohttp.ClientSession() as session, session.get("https://api.openai.com/v1/old") as answer:
            return await answer.text(), str(answer.url)

    assert asyncio.run(main()) == ("here", "https://api.openai.com/v1/new")


@pytest.mark.parametrize("how", ["generator", "form", "expect100", "compressed"])
def test_a_body_in_pieces_arrives_whole(llm_sim, how):
    """However the body is sent, the provider sees all of it."""
    llm_sim.openai.on("POST", "/v1/notes").replies(Raw(201, {}, b""))

    async def pieces():
        for piece in (b"one", b"two"):
            await asyncio.sleep(1)
            yield piece

    async def main():
        form = aiohttp.FormData()
        form.add_field("file", b"onetwo", filename="a.txt")
        data = {"generator": pieces(), "form": form}.get(how, b"onetwo")
        options = {"expect100": True} if how == "expect100" else {"compress": True} if how == "compressed" else {}
        url = "https://api.openai.com/v1/notes"
        async with aiohttp.ClientSession() as session, session.post(url, data=data, **options) as answer:
            return answer.status

    assert asyncio.run(main()) == 201
    (request,) = llm_sim.openai.requests
    assert how == "compressed" or b"onetwo" in request.body
    assert how != "compressed" or request.headers["content-encoding"] == "deflate"
    assert llm_sim.clock.elapsed() == (2.0 if how == "generator" else 0.0)


def test_a_body_that_fails_is_the_callers_error(llm_sim):
    """A request that was never sent whole reaches nobody, and nothing hangs."""

    async def pieces():
        yield b"one"
        raise ValueError("no more")

    async def main():
        async with aiohttp.ClientSession() as session:
            await session.post(URL, data=pieces())

    with pytest.raises(aiohttp.ClientConnectionError):
        asyncio.run(main())
    llm_sim.assert_attempts("openai", 0)


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_proxy_is_never_reached_for_a_simulated_provider(llm_sim, scheme):
    """Who answers is told by the URL, tunnel or not."""
    llm_sim.provider("mine", base_url=f"{scheme}://llm.example.org/v1").replies("Paris")

    async def main():
        async with aiohttp.ClientSession() as session:
            url = f"{scheme}://llm.example.org/v1/chat/completions"
            async with session.post(url, json=QUESTION, proxy="http://127.0.0.1:9") as answer:
                return text_of(await answer.read())

    assert asyncio.run(main()) == "Paris"


def test_an_unknown_host_is_refused_in_the_same_words():
    """A request says more than a bare connection does, and can be answered."""
    with pytest.raises(NetworkBlockedError) as caught, Simulation():
        asyncio.run(post(url="https://example.com/x?y=1"))
    text = re.sub(r"from \S+ in `[^`]+`", "from HERE", str(caught.value))
    assert text == (
        "blocked a live request to example.com.\n\n"
        "  POST /x   from HERE\n\n"
        "To fix, one of:\n"
        '  1. let a simulated provider answer it: llm_sim.provider("name", base_url="https://example.com")\n'
        '  2. let it pass in this test: llm_sim.allow("example.com")\n'
        '  3. let it pass everywhere: llmtest_allowed_hosts = ["example.com"] in pyproject.toml, '
        "llmtest_allowed_hosts = example.com in pytest.ini"
    )


def test_an_unscripted_request_names_the_line_that_made_it():
    """It is decided about in the task that asked."""
    with pytest.raises(UnscriptedRequestError, match=r"test_aiohttp\.py:\d+ in `post`"), Simulation():
        asyncio.run(post())


def test_an_allowed_host_passes(llm_sim):
    """What is allowed reaches the connector's own way, and the trace says so once."""
    llm_sim.allow("models.example.org")

    async def main():
        async with aiohttp.ClientSession(connector=Unconnected()) as session:
            await session.post("http://models.example.org/x")

    with pytest.raises(aiohttp.ClientConnectionError, match="the network itself"):
        asyncio.run(main())
    (live,) = [line.split() for line in llm_sim.trace.render().splitlines()[1:]]
    assert live == ["0.000", "-", "live", "models.example.org", "POST"]


def test_a_report_of_a_library_is_answered_and_noted():
    """An exporter on aiohttp hears that its report has arrived."""
    with Simulation() as sim:
        assert asyncio.run(post({}, "https://us.i.posthog.com/batch/")) == (200, b"{}")
        (event,) = sim.trace
    assert event == TelemetryKept(0, 0, "posthog", "us.i.posthog.com", "POST", "/batch/")


def test_a_cancelled_request_is_abandoned(llm_sim):
    """Whoever gives up by itself is no time limit of the library."""
    llm_sim.openai.replies(Reply("Paris", latency=60))
    with pytest.raises(TimeoutError):
        asyncio.run(asyncio.wait_for(post(), 5))
    assert llm_sim.clock.elapsed() == 5.0
    assert llm_sim.openai.requests[0].outcome == "abandoned"


def test_everything_is_put_back():
    """After the simulation the classes have the very methods they had before, and no connection is kept."""
    places = [
        (aiohttp.BaseConnector, "connect"),
        (aiohttp.BaseConnector, "_get"),
        (aiohttp.TCPConnector, "_create_connection"),
        (aiohttp.ClientResponse, "start"),
    ]
    before = [vars(owner)[name] for owner, name in places]

    async def main():
        async with aiohttp.ClientSession() as session:
            async with session.post(URL, json=QUESTION) as answer:
                await answer.read()
            await asyncio.sleep(0)
            return dict(session.connector._conns), set(session.connector._acquired)

    with Simulation() as sim:
        sim.openai.replies("Paris")
        assert asyncio.run(main()) == ({}, set())
        during = [vars(owner)[name] for owner, name in places]
    assert [one is other for one, other in zip(during, before, strict=True)] == [False] * 4
    assert [vars(owner)[name] for owner, name in places] == before
