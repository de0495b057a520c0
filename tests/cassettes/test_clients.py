"""Recording and replaying real clients: the official SDKs, httpx and httpx2, sync and async, tasks and threads."""

import asyncio
import contextlib
import json
import re
import socket
import threading
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context

import anthropic
import httpx
import httpx2
import openai
import pytest
import vcr

from llmtest import Simulation, use_cassette
from llmtest.cassettes import Interaction, RecordedRequest, RecordedResponse, write_document
from llmtest.errors import CassetteMismatchError, HarnessError, NetworkBlockedError
from tests.cassettes.live_provider import DONE, chat, chunk, gzipped, live_provider

LIBRARIES = pytest.mark.parametrize("library", [httpx, httpx2], ids=lambda library: library.__name__)
STREAM = {"content-type": "text/event-stream"}


def event(name, **fields):
    """Return one event of a streamed message."""
    return f"event: {name}\ndata: {json.dumps({'type': name, **fields})}\n\n".encode()


ANTHROPIC_STREAM = [
    event(
        "message_start",
        message={
            "id": "msg_1",
            "type": "message",
            "role": "assistant",
            "model": "claude-opus-5",
            "content": [],
            "stop_reason": None,
            "stop_sequence": None,
            "usage": {"input_tokens": 3, "output_tokens": 1},
        },
    ),
    event("content_block_start", index=0, content_block={"type": "text", "text": ""}),
    event("content_block_delta", index=0, delta={"type": "text_delta", "text": "Paris"}),
    event("content_block_stop", index=0),
    event("message_delta", delta={"stop_reason": "end_turn", "stop_sequence": None}, usage={"output_tokens": 2}),
    event("message_stop"),
]


@pytest.fixture
def live():
    """A provider on loopback."""
    with live_provider() as provider:
        yield provider


# Clients here are made with `verify=False`: reading the certificates of the world takes longer than a test, and nobody
# shows one on loopback.


def question(text):
    """Return the messages that ask one question."""
    return [{"role": "user", "content": text}]


def post(library, url, text="hi", **options):
    """Ask with a plain client, and return the raw bytes of each piece."""
    body = {"model": "gpt-4o", "messages": question(text), **options}
    with library.Client(verify=False) as client, client.stream("POST", f"{url}/chat/completions", json=body) as answer:
        return list(answer.iter_raw())


async def post_async(library, url, text="hi", **options):
    """Ask with a plain asynchronous client, and return the raw bytes of each piece."""
    body = {"model": "gpt-4o", "messages": question(text), **options}
    async with (
        library.AsyncClient(verify=False) as client,
        client.stream("POST", f"{url}/chat/completions", json=body) as answer,
    ):
        return [piece async for piece in answer.aiter_raw()]


def slowly(live, *pieces):
    """Let the provider send each piece only when the client says that it has the one before."""
    arrived = [threading.Event() for _ in pieces]

    def send():
        for position, piece in enumerate(pieces):
            if position:
                assert arrived[position - 1].wait(10), "the client never got the piece before"
            yield piece

    live.respond = lambda body: (200, STREAM, send())
    return arrived


@LIBRARIES
@pytest.mark.parametrize("blocking", [True, False], ids=["sync", "async"])
def test_a_stream_passes_through_while_it_is_recorded(live, tmp_path, library, blocking):
    """Each piece reaches the client before the provider sends the next; replay has the same pieces."""
    pieces = [chunk("a"), chunk("b"), chunk(finish="stop") + DONE]
    arrived = slowly(live, *pieces)
    got = []

    def ask():
        with (
            library.Client(verify=False) as client,
            client.stream("POST", live.base_url, json={"messages": question("x")}) as answer,
        ):
            for event, piece in zip(arrived, answer.iter_raw(), strict=True):
                got.append(piece)
                event.set()

    async def ask_async():
        async with (
            library.AsyncClient(verify=False) as client,
            client.stream("POST", live.base_url, json={"messages": question("x")}) as answer,
        ):
            events = iter(arrived)
            async for piece in answer.aiter_raw():
                got.append(piece)
                next(events).set()

    def run():
        got.clear()
        if blocking:
            ask()
        else:
            asyncio.run(ask_async())

    with use_cassette(tmp_path / "a.yaml", "once") as cassette:
        run()
    assert got == pieces
    assert [length for _, length in cassette.recorded[0].response.chunks] == [len(piece) for piece in pieces]
    with use_cassette(tmp_path / "a.yaml"):
        run()
    assert got == pieces
    assert len(live.bodies) == 1


def test_the_official_sdks_record_and_replay(live, tmp_path):
    """OpenAI and Anthropic, sync and async, answers and streams: what is replayed is what was recorded."""

    def respond(body):
        if "max_tokens" in body:
            return 200, STREAM, ANTHROPIC_STREAM
        return (200, STREAM, [chunk("Pa"), chunk("ris"), DONE]) if body.get("stream") else (200, {}, chat("Paris"))

    live.respond = respond
    root = live.base_url.removesuffix("/v1")
    options = {"model": "gpt-4o", "messages": question("Capital?")}

    def ask():
        client = openai.OpenAI(base_url=live.base_url, api_key="k")
        whole = client.chat.completions.create(**options).choices[0].message.content
        pieces = [each.choices[0].delta.content for each in client.chat.completions.create(**options, stream=True)]
        with anthropic.Anthropic(base_url=root, api_key="k").messages.stream(
            model="claude-opus-5", max_tokens=9, messages=question("Capital?")
        ) as stream:
            return whole, pieces, stream.get_final_text()

    async def ask_async():
        async with (
            openai.AsyncOpenAI(base_url=live.base_url, api_key="k") as client,
            anthropic.AsyncAnthropic(base_url=root, api_key="k") as other,
        ):
            whole = (await client.chat.completions.create(**options)).choices[0].message.content
            stream = await client.chat.completions.create(**options, stream=True)
            pieces = [each.choices[0].delta.content async for each in stream]
            async with other.messages.stream(
                model="claude-opus-5", max_tokens=9, messages=question("Capital?")
            ) as last:
                return whole, pieces, await last.get_final_text()

    for mode in ("once", "none"):
        with use_cassette(tmp_path / "a.yaml", mode) as cassette:
            assert ask() == ("Paris", ["Pa", "ris"], "Paris")
            assert asyncio.run(ask_async()) == ("Paris", ["Pa", "ris"], "Paris")
    assert cassette.played == 6
    assert len(live.bodies) == 6
    assert cassette.unplayed == []


@LIBRARIES
def test_unmodified_vcrpy_replays_our_file(live, tmp_path, library):
    """The file is vcrpy's format: its own replay returns the same JSON and the same bytes of the stream."""
    live.respond = lambda body: (
        (200, STREAM, [chunk("a"), DONE]) if body.get("stream") else (200, *gzipped(chat("Paris")))
    )
    path = tmp_path / "a.yaml"
    with use_cassette(path, "once"):
        whole = library.post(live.base_url, verify=False, json={"messages": question("x")}).json()
        stream = post(library, live.base_url, stream=True)
    with vcr.use_cassette(str(path), record_mode="none"):
        assert library.post(live.base_url, verify=False, json={"messages": question("x")}).json() == whole
        assert b"".join(post(library, live.base_url, stream=True)) == b"".join(stream)


@LIBRARIES
@pytest.mark.parametrize("streamed", [True, False], ids=["stream", "whole"])
def test_a_compressed_answer_is_kept_as_text(live, tmp_path, library, streamed):
    """What the client decodes on the way is decoded in the file, and replayed as the same text without compression."""
    text = b"".join([chunk("a"), chunk("b"), DONE]) if streamed else chat("Paris")
    headers, packed = gzipped(text)
    kind = STREAM if streamed else {}
    live.respond = lambda body: (200, {**headers, **kind}, [packed[:40], packed[40:]] if streamed else packed)
    for mode in ("once", "none"):
        with use_cassette(tmp_path / "a.yaml", mode):
            answer = library.post(live.base_url, verify=False, json={"messages": question("x")})
            assert answer.content == text
    assert "content-encoding" not in answer.headers
    assert "!!binary" not in (tmp_path / "a.yaml").read_text()


@LIBRARIES
def test_fifty_concurrent_calls_with_equal_urls_are_answered_right(live, tmp_path, library):
    """Answers are told apart by the body, in whatever order calls are made."""

    async def ask(order):
        async with library.AsyncClient(verify=False, limits=library.Limits(max_connections=20)) as client:

            async def one(number):
                body = {"messages": question(str(number))}
                return number, (await client.post(live.base_url, json=body)).json()["choices"][0]["message"]["content"]

            return await asyncio.gather(*map(one, order))

    for mode, order in (("once", range(50)), ("none", reversed(range(50)))):
        with use_cassette(tmp_path / "a.yaml", mode):
            for number, text in asyncio.run(ask(order)):
                assert text == f"answer to {number}"
    assert len(live.bodies) == 50


@LIBRARIES
def test_sixteen_threads_record_all_their_calls(live, tmp_path, library):
    """Plain threads, which carry no context, belong to the only cassette there is; no call escapes it."""
    client = library.Client(verify=False)

    def ask(number):
        return client.post(live.base_url, json={"messages": question(str(number))}).json()

    with use_cassette(tmp_path / "a.yaml", "once") as cassette, ThreadPoolExecutor(16) as pool:
        recorded = list(pool.map(ask, range(64)))
    assert (cassette.live, len(cassette.recorded)) == (64, 64)
    with use_cassette(tmp_path / "a.yaml"), ThreadPoolExecutor(16) as pool:
        assert list(pool.map(ask, range(64))) == recorded
    client.close()
    assert len(live.bodies) == 64


@LIBRARIES
def test_two_tasks_use_two_cassettes(live, tmp_path, library):
    """Each task records into its own file, however their calls interleave."""

    async def session(name):
        with use_cassette(tmp_path / f"{name}.yaml", "once") as cassette:
            for number in range(5):
                await post_async(library, live.base_url, f"{name} {number}")
                await asyncio.to_thread(post, library, live.base_url, f"{name} {number} in a thread")
        return [request.json()["messages"][0]["content"] for request in cassette.requests]

    async def both():
        return await asyncio.gather(session("a"), session("b"))

    first, second = asyncio.run(both())
    assert (len(first), len(second)) == (10, 10)
    assert all(said.startswith("a ") for said in first)
    assert all(said.startswith("b ") for said in second)


def test_a_thread_between_two_cassettes_is_told_to_carry_its_context(live, tmp_path):
    """A plain thread cannot tell which of two tasks started it: that is an error of the test, not a guess."""
    caught = []

    def ask():
        try:
            post(httpx2, live.base_url)
        except CassetteMismatchError as error:
            caught.append(error)

    async def first():
        with use_cassette(tmp_path / "a.yaml", "once"):
            await ready.wait()

    async def second():
        with use_cassette(tmp_path / "b.yaml", "once"):
            thread = threading.Thread(target=ask, name="worker")
            thread.start()
            thread.join()
            carried = threading.Thread(target=copy_context().run, args=(post, httpx2, live.base_url, "carried"))
            carried.start()
            carried.join()
            ready.set()

    async def both():
        return await asyncio.gather(first(), second(), return_exceptions=True)

    ready = asyncio.Event()
    for ending in asyncio.run(both()):
        assert ending is caught[0], "raised again at the end, because the thread swallowed it"
    assert str(caught[0]).splitlines()[0] == (
        f"a request of thread `worker` cannot tell which cassette it belongs to: {tmp_path / 'a.yaml'} and "
        f"{tmp_path / 'b.yaml'} are in use side by side."
    )
    assert live.said() == ["carried"]


def test_a_cassette_inside_another_takes_over(live, tmp_path):
    """Nested cassettes: the inner one records, for plain threads too; afterwards the outer one goes on."""
    with use_cassette(tmp_path / "outer.yaml", "once") as outer:
        post(httpx2, live.base_url, "one")
        with use_cassette(tmp_path / "inner.yaml", "once") as inner, ThreadPoolExecutor(1) as pool:
            post(httpx2, live.base_url, "two")
            pool.submit(post, httpx2, live.base_url, "three").result()
        post(httpx2, live.base_url, "four")
    assert (outer.live, inner.live) == (2, 2)


@pytest.mark.parametrize("sdk", ["openai", "anthropic"])
def test_a_miss_costs_no_retry(tmp_path, sdk):
    """Both SDKs retry failed connections; a miss goes through them on the first request."""
    (tmp_path / "a.yaml").write_text("version: 1\ninteractions: []\n")
    clients = {
        "openai": lambda: openai.OpenAI(api_key="k").chat.completions.create(model="m", messages=question("x")),
        "anthropic": lambda: anthropic.Anthropic(api_key="k").messages.create(
            model="claude-opus-5", max_tokens=9, messages=question("x")
        ),
    }
    with pytest.raises(CassetteMismatchError), use_cassette(tmp_path / "a.yaml") as cassette:
        clients[sdk]()
    assert len(cassette.requests) == 1


def test_a_swallowed_miss_is_raised_at_the_end(tmp_path):
    """An application that catches everything does not hide that its request has no recording."""

    def ask():
        with use_cassette(tmp_path / "a.yaml"), contextlib.suppress(BaseException):
            post(httpx2, "https://api.openai.com/v1")

    with pytest.raises(CassetteMismatchError, match="there is no cassette"):
        ask()


@LIBRARIES
@pytest.mark.parametrize("blocking", [True, False], ids=["sync", "async"])
def test_a_stream_that_was_given_up_replays_as_far_as_it_was_heard(live, tmp_path, library, blocking):
    """What an abandoned stream sent is kept; reading on where nothing was recorded is an error, not a short answer."""
    arrived = slowly(live, chunk("a"), chunk("b"), DONE)

    async def first_piece():
        async with (
            library.AsyncClient(verify=False) as client,
            client.stream("POST", live.base_url, json={"messages": question("x")}) as answer,
        ):
            return await anext(answer.aiter_raw())

    def first():
        with (
            library.Client(verify=False) as client,
            client.stream("POST", live.base_url, json={"messages": question("x")}) as answer,
        ):
            return next(answer.iter_raw())

    def run():
        return first() if blocking else asyncio.run(first_piece())

    with use_cassette(tmp_path / "a.yaml", "once") as cassette:
        assert run() == chunk("a")
    arrived[0].set()
    assert cassette.recorded[0].response.complete is False
    with use_cassette(tmp_path / "a.yaml"):
        assert run() == chunk("a")
    with pytest.raises(CassetteMismatchError) as caught, use_cassette(tmp_path / "a.yaml"):
        library.post(live.base_url, verify=False, json={"messages": question("x")})
    assert str(caught.value) == (
        f"{tmp_path / 'a.yaml'}: the recorded answer ends in the middle, because the client gave up on it when it was "
        f"recorded; now it reads on.\n\n  POST {live.base_url}   (interaction 1)\n\n"
        f'To fix: record it again: use_cassette("{tmp_path / "a.yaml"}", "rewrite")'
    )


@LIBRARIES
@pytest.mark.parametrize("blocking", [True, False], ids=["sync", "async"])
def test_a_connection_that_broke_breaks_again_in_the_same_place(live, tmp_path, library, blocking):
    """A stream that was cut while it was recorded replays its pieces and the same exception of the same library."""
    live.respond = lambda body: (200, STREAM, [chunk("a"), None])
    seen = []

    def ask():
        with (
            library.Client(verify=False) as client,
            client.stream("POST", live.base_url, json={"messages": question("x")}) as answer,
        ):
            seen.extend(answer.iter_raw())

    async def ask_async():
        async with (
            library.AsyncClient(verify=False) as client,
            client.stream("POST", live.base_url, json={"messages": question("x")}) as answer,
        ):
            async for piece in answer.aiter_raw():
                seen.append(piece)  # noqa: PERF401 - what came before the break counts

    texts = []
    for mode in ("once", "none"):
        with use_cassette(tmp_path / "a.yaml", mode), pytest.raises(library.RemoteProtocolError) as caught:
            ask() if blocking else asyncio.run(ask_async())
        texts.append(str(caught.value))
    assert seen == [chunk("a"), chunk("a")]
    assert (
        texts[0]
        == texts[1]
        == ("peer closed connection without sending complete message body (incomplete chunked read)")
    )


def test_a_refusal_is_kept_whole_where_that_is_asked(live, tmp_path):
    """The SDK closes a 429 without reading it; the recording has its body all the same, and the retry after it."""
    answers = [(429, {"retry-after": "0.01"}, b'{"error": {"message": "slow down"}}')]
    live.respond = lambda body: answers.pop() if answers else (200, {}, chat("Paris"))
    with use_cassette(tmp_path / "a.yaml", "once", keep_failures=True) as cassette:
        openai.OpenAI(base_url=live.base_url, api_key="k").chat.completions.create(model="m", messages=question("x"))
    refused, answered = (interaction.response for interaction in cassette.recorded)
    assert (refused.status, refused.body, refused.complete) == (429, b'{"error": {"message": "slow down"}}', True)
    assert answered.status == 200


@pytest.mark.parametrize("blocking", [True, False], ids=["sync", "async"])
def test_recorded_answers_take_their_time_where_time_is_virtual(live, tmp_path, blocking):
    """In a simulation head and pieces come when they came; elsewhere they come at once."""
    live.respond = lambda body: (200, STREAM, [chunk("a"), chunk("b"), DONE])
    path = tmp_path / "a.yaml"
    with use_cassette(path, "once"):
        recorded = post(httpx2, live.base_url)
    times = ", ".join(f"[{1000 * number}, {len(piece)}]" for number, piece in enumerate(recorded, 1))
    text = re.sub(r"head_ms: \d+, ", "", path.read_text())
    path.write_text(re.sub(r"chunks: \[.*\]\]", f"head_ms: 500, chunks: [{times}]", text))
    with Simulation() as sim, use_cassette(path):
        found = post(httpx2, live.base_url) if blocking else asyncio.run(post_async(httpx2, live.base_url))
        assert found == recorded
        assert sim.clock.elapsed() == 0.5 + len(recorded)


def test_a_host_that_is_let_past_is_neither_played_nor_recorded(live, tmp_path):
    """Requests to allowed hosts go where they were going."""
    with use_cassette(tmp_path / "a.yaml", allowed_hosts=["127.0.0.*"]) as cassette:
        assert post(httpx2, live.base_url)
    assert cassette.requests == []
    assert not (tmp_path / "a.yaml").exists()


def test_connections_of_other_libraries_are_refused(tmp_path):
    """What would be neither recorded nor replayed does not leave."""
    text = "Requests of httpx, httpx2, aiohttp, requests, urllib3, http.client and lm15 are recorded and replayed"
    with pytest.raises(NetworkBlockedError, match=text), use_cassette(tmp_path / "a.yaml", "once"):
        socket.create_connection(("example.org", 443), timeout=1)


def test_nothing_is_written_where_the_code_raised(live, tmp_path):
    """Half a session is no session."""

    def fail():
        with use_cassette(tmp_path / "a.yaml", "once"):
            post(httpx2, live.base_url)
            raise ValueError

    with pytest.raises(ValueError, match=r"^$"):
        fail()
    assert list(tmp_path.iterdir()) == []


def test_new_episodes_plays_what_it_has_and_records_the_rest(live, tmp_path):
    """Only the request that nothing answers goes to the provider, and joins the file."""
    for texts in (["one"], ["one", "two"], ["two", "one"]):
        with use_cassette(tmp_path / "a.yaml", "new_episodes"):
            for text in texts:
                post(httpx2, live.base_url, text)
    assert live.said() == ["one", "two"]


def test_two_sessions_that_share_a_file_lose_nothing(live, tmp_path):
    """Whoever saves last adds to what the other has saved; a link to the file stays a link."""
    (tmp_path / "real").mkdir()
    path = tmp_path / "a.yaml"
    path.symlink_to(tmp_path / "real/a.yaml")

    def session(number):
        with use_cassette(path, "new_episodes"):
            together.wait()
            asyncio.run(post_async(httpx2, live.base_url, f"question {number}"))
            together.wait()

    together = threading.Barrier(8)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(session, range(8)))
    with use_cassette(path) as cassette:
        for number in range(8):
            post(httpx2, live.base_url, f"question {number}")
    assert len(cassette) == 8
    assert path.is_symlink()


def test_identical_requests_are_recorded_in_the_order_in_which_they_were_sent(live, tmp_path):
    """The answer to the first of two equal requests may come last; it is still the first that replay gives."""
    gate = threading.Event()
    answers = iter([(gate, "first"), (None, "second")])

    def respond(body):
        held, text = next(answers)
        if held:
            held.wait(10)
        return 200, {}, chat(text)

    live.respond = respond
    with use_cassette(tmp_path / "a.yaml", "once") as cassette, ThreadPoolExecutor(2) as pool:
        first = pool.submit(post, httpx2, live.base_url)
        while not live.bodies:
            pass
        second = pool.submit(post, httpx2, live.base_url)
        second.result()
        gate.set()
        first.result()
    assert [b"first" in each.response.body for each in cassette.recorded] == [True, False]


def test_an_answer_nobody_let_go_of_is_kept_as_far_as_it_was_heard(live, tmp_path):
    """A stream that is still open when the session ends is recorded, and marked as cut short."""
    slowly(live, chunk("a"), DONE)[0].set()
    with use_cassette(tmp_path / "a.yaml", "once") as cassette:
        client = httpx2.Client()
        request = client.build_request("POST", live.base_url, json={"messages": question("x")})
        answer = client.send(request, stream=True)
        pieces = answer.iter_raw()
        next(pieces)
    assert [each.response.complete for each in cassette.recorded] == [False]
    client.close()
    answer.close()


def test_a_harness_error_is_no_exception_of_the_application():
    """A miss is not an `Exception`, so that no `except Exception` can make it a green test."""
    assert issubclass(CassetteMismatchError, HarnessError)
    assert not issubclass(CassetteMismatchError, Exception)


def test_a_session_from_another_port_says_how_to_compare_without_it(live, tmp_path):
    """A server on a free port has another address in every run: the error names the cure, and the cure works."""
    path = tmp_path / "a.yaml"
    with use_cassette(path, "once"):
        recorded = post(httpx2, live.base_url)
    with pytest.raises(CassetteMismatchError) as caught, use_cassette(path):
        post(httpx2, "http://127.0.0.1:1/v1")
    assert str(caught.value).splitlines()[-1] == (
        '  2. compare without the host: @pytest.mark.llm_cassette(match_on=["method", "path", "body"])'
    )
    with use_cassette(path, match_on=["method", "path", "body"]):
        assert post(httpx2, "http://127.0.0.1:1/v1") == recorded


@LIBRARIES
def test_a_header_beyond_ascii_is_replayed(tmp_path, library):
    """A server may say anything in a header; the client reads it again as it did."""
    request = RecordedRequest("GET", "https://a.example/")
    answer = RecordedResponse(200, "OK", {"x-place": ["Zürich"]}, b"ok")
    (tmp_path / "a.yaml").write_text(write_document([Interaction(request, answer)]))
    with use_cassette(tmp_path / "a.yaml"), library.Client() as client:
        assert client.get("https://a.example/").headers["x-place"] == "Zürich"


def test_a_cassette_without_interactions_is_not_called_missing(tmp_path):
    """The file is there; what is missing is what it should say."""
    (tmp_path / "a.yaml").write_text("interactions: []\nversion: 1\n")
    with pytest.raises(CassetteMismatchError) as caught, use_cassette(tmp_path / "a.yaml"):
        httpx2.get("https://a.example/")
    assert str(caught.value) == (
        f"in the cassette {tmp_path}/a.yaml there is nothing to answer this request.\n\n  GET https://a.example/\n\n"
        "To fix: record it, which calls the provider and may cost money: "
        f'use_cassette("{tmp_path}/a.yaml", "new_episodes")'
    )


def test_the_closest_is_found_wherever_it_stands(tmp_path):
    """A long session ends with what the next request is likely to be close to."""
    asked = [{"messages": question(f"number {number}"), "seed": number} for number in range(300)]
    requests = [RecordedRequest("POST", "https://a.example/", {}, json.dumps(body).encode()) for body in asked]
    recorded = [Interaction(request, RecordedResponse(200, "OK", {}, b"{}")) for request in requests]
    (tmp_path / "a.yaml").write_text(write_document(recorded))
    body = {"messages": question("number 289"), "seed": 1000}
    with (
        pytest.raises(CassetteMismatchError, match=r"number 290, differs in `body\.seed`\."),
        use_cassette(tmp_path / "a.yaml"),
    ):
        httpx2.post("https://a.example/", json=body)
