"""An answer as a plain client of either library sees it."""

import asyncio

import httpx
import httpx2
import pytest

from llmtest import Reply, Simulation, faults
from llmtest.errors import VirtualTimeStalledError

URL = "https://api.openai.com/v1/chat/completions"
QUESTION = {"model": "gpt-4o", "messages": [{"role": "user", "content": "hi"}]}
both = pytest.mark.parametrize("library", [httpx, httpx2], ids=lambda library: library.__name__)


@both
def test_an_answer_can_be_read_in_every_way(llm_sim, library):
    """Whole, as decoded pieces and as raw bytes, an answer says the same, and the time it took is known."""
    llm_sim.openai.replies("Paris", times=None)
    whole = library.post(URL, json=QUESTION)
    assert whole.json()["choices"][0]["message"]["content"] == "Paris"
    assert whole.elapsed.total_seconds() == 0.0
    for way in ("iter_bytes", "iter_raw"):
        with library.stream("POST", URL, json=QUESTION) as response:
            assert b"".join(getattr(response, way)()).startswith(b'{"id"')
    llm_sim.assert_sequence(*["openai:200"] * 3)


@both
def test_an_asynchronous_answer_can_be_read_in_every_way(llm_sim, library):
    """The same for the asynchronous clients."""
    llm_sim.openai.replies("Paris", times=None)

    async def read():
        async with library.AsyncClient() as client:
            whole = await client.post(URL, json=QUESTION)
            bodies = []
            for way in ("aiter_bytes", "aiter_raw"):
                async with client.stream("POST", URL, json=QUESTION) as response:
                    bodies.append(b"".join([piece async for piece in getattr(response, way)()]))
            return whole, bodies

    whole, bodies = asyncio.run(read())
    assert whole.json()["choices"][0]["message"]["content"] == "Paris"
    assert all(body.startswith(b'{"id"') for body in bodies)
    llm_sim.assert_sequence(*["openai:200"] * 3)


@both
def test_elapsed_is_virtual(llm_sim, library):
    """The time an answer took is the time of the simulation."""
    llm_sim.openai.replies(Reply("Paris", latency=2.5))
    assert library.post(URL, json=QUESTION, timeout=10).elapsed.total_seconds() == 2.5


@both
@pytest.mark.parametrize("wait", [False, True], ids=["sync", "async"])
@pytest.mark.parametrize(
    ("fault", "name", "text", "seconds"),
    [
        (faults.ConnectionRefused(), "ConnectError", "[Errno 111] Connection refused", 0.0),
        (faults.ConnectionReset(), "ReadError", "[Errno 104] Connection reset by peer", 0.0),
        (faults.Timeout(), "ReadTimeout", "The read operation timed out", 7.0),
        (faults.Timeout(phase="connect"), "ConnectTimeout", "timed out", 3.0),
    ],
    ids=["refused", "reset", "read-timeout", "connect-timeout"],
)
def test_a_failure_is_the_library_s_own(llm_sim, library, wait, fault, name, text, seconds):
    """A failing connection raises the class and text of the client's own library, at the client's own limit."""
    llm_sim.openai.fails(fault)
    limits = library.Timeout(60, connect=3, read=7)

    async def post():
        async with library.AsyncClient(timeout=limits) as client:
            await client.post(URL, json=QUESTION)

    with pytest.raises(getattr(library, name)) as caught:
        asyncio.run(post()) if wait else library.post(URL, json=QUESTION, timeout=limits)
    assert type(caught.value) is getattr(library, name)
    assert str(caught.value) == text
    assert caught.value.request.url.host == "api.openai.com"
    assert llm_sim.clock.elapsed() == seconds


def test_a_streamed_or_multipart_request_body_arrives_whole(llm_sim):
    """A body that is an iterator is read before the provider sees it."""
    llm_sim.openai.replies("Paris")
    body = [b'{"model":"gpt-4o",', b'"messages":[{"role":"user","content":"hi"}]}']
    response = httpx2.post(URL, content=iter(body), headers={"content-type": "application/json"})
    assert response.status_code == 200
    assert llm_sim.openai.requests[0].body == b"".join(body)


@both
def test_a_header_that_is_sent_twice_is_seen_whole(llm_sim, library):
    """Both values of a repeated header reach the provider, as HTTP joins them."""
    llm_sim.openai.replies("Paris")
    library.post(URL, json=QUESTION, headers=[("x-note", "one"), ("x-note", "two")])
    assert llm_sim.openai.requests[0].headers["x-note"] == "one, two"


@both
def test_headers_of_a_reply_reach_the_client(llm_sim, library):
    """Whatever a script puts into its answers is read as if each had come alone."""
    notes = [f"note-{number}" for number in range(70)]
    llm_sim.openai.replies(*(Reply("Paris", headers={note: "here"}) for note in notes))
    for note in notes:
        assert library.post(URL, json=QUESTION).headers[note] == "here"


@both
def test_a_call_that_would_hang_is_an_error_of_the_test(library):
    """Where the provider never answers and the client waits for ever, the test fails at once and says why."""
    simulation = Simulation()
    simulation.openai.fails(faults.Timeout())
    with pytest.raises(VirtualTimeStalledError) as caught, simulation:
        library.post(URL, json=QUESTION, timeout=None)
    assert str(caught.value) == (
        "`openai` never answers, and the client has no read timeout: this call would hang.\n\n"
        "To fix: give the client a timeout."
    )
