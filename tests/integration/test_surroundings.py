"""The places an application calls a model from: web frameworks, thread pools, import time, beside real services."""

import asyncio
import socket
import socketserver
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from importlib import import_module

import httpx
import httpx2
import openai
import pytest
import respx
from fastapi import FastAPI
from fastapi.testclient import TestClient

from llmtest import faults
from tests.integration.sdk_calls import MESSAGES, OPENAI_MODEL, anthropic_sync, openai_sync

MESSAGE = {"model": OPENAI_MODEL, "messages": MESSAGES}


def limited(llm_sim, answer="Paris"):
    """Script the story of every test here: one rate limit of 30 s, then an answer."""
    llm_sim.openai.fails(faults.RateLimited(retry_after=30)).replies(answer)


def test_two_sdks_and_a_plain_client_are_served_together(llm_sim):
    """Both SDKs live on httpx2 and the application's own client on httpx; one world answers all three."""
    llm_sim.openai.replies("by openai", "by httpx", "by httpx2")
    llm_sim.anthropic.replies("by anthropic")
    assert openai_sync() == "by openai"
    assert anthropic_sync() == "by anthropic"
    for library in (httpx, httpx2):
        with library.Client() as client:
            answer = client.post("https://api.openai.com/v1/chat/completions", json=MESSAGE)
        assert answer.json()["choices"][0]["message"]["content"] == f"by {library.__name__}"
    llm_sim.assert_sequence("openai:200", "anthropic:200", "openai:200", "openai:200")


def make_app():
    """Return an application with one route in a thread and one on the loop, each asking the model."""
    app = FastAPI()

    @app.get("/sync")
    def sync_route():
        client = openai.OpenAI()
        answer = client.chat.completions.create(model=OPENAI_MODEL, messages=MESSAGES)
        return {"answer": answer.choices[0].message.content, "waited": time.monotonic()}

    @app.get("/async")
    async def async_route():
        client = openai.AsyncOpenAI()
        answer = await client.chat.completions.create(model=OPENAI_MODEL, messages=MESSAGES)
        return {"answer": answer.choices[0].message.content, "waited": time.monotonic()}

    return app


@pytest.mark.parametrize("route", ["/sync", "/async"])
def test_a_fastapi_app_under_test_client(llm_sim, route):
    """TestClient's loop lives in another thread, and the route's work in a third; both keep virtual time."""
    limited(llm_sim)
    with TestClient(make_app()) as client:
        answer = client.get(route)
    assert answer.json()["answer"] == "Paris"
    llm_sim.assert_sequence("openai:429", "openai:200")
    assert llm_sim.clock.elapsed() == 30.0


@pytest.mark.parametrize("library", [httpx, httpx2], ids=lambda library: library.__name__)
@pytest.mark.parametrize("route", ["/sync", "/async"])
def test_an_asgi_app_behind_an_async_client(llm_sim, library, route):
    """The in-process transport is left alone; only what the application sends to the model is simulated."""
    limited(llm_sim)

    async def ask():
        transport = library.ASGITransport(app=make_app())
        async with library.AsyncClient(transport=transport, base_url="http://testserver") as client:
            return await client.get(route)

    assert asyncio.run(ask()).json()["answer"] == "Paris"
    llm_sim.assert_sequence("openai:429", "openai:200")
    assert llm_sim.clock.elapsed() == 30.0


def test_a_pool_of_threads_waits_once(llm_sim):
    """Eight threads that are each told to wait 30 s wait them at the same time."""
    llm_sim.openai.fails(faults.RateLimited(retry_after=30), times=8).replies("Paris", times=8)
    with ThreadPoolExecutor(8) as pool:
        answers = [future.result() for future in [pool.submit(openai_sync) for _ in range(8)]]
    assert answers == ["Paris"] * 8
    assert llm_sim.clock.elapsed() == 30.0


def test_a_sync_client_in_a_worker_thread_of_the_loop(llm_sim):
    """`asyncio.to_thread` around the blocking SDK runs in virtual time, beside a task that sleeps on the loop."""
    limited(llm_sim)

    async def main():
        answer, _ = await asyncio.gather(asyncio.to_thread(openai_sync), asyncio.sleep(10))
        return answer

    assert asyncio.run(main()) == "Paris"
    assert llm_sim.clock.elapsed() == 30.0


IMPORTED_APP = """
import openai
from pydantic_settings import BaseSettings

class Settings(BaseSettings):
    openai_api_key: str
    timeout: float = 20.0

settings = Settings()
client = openai.OpenAI(api_key=settings.openai_api_key, timeout=settings.timeout)

def ask():
    answer = client.chat.completions.create(model="gpt-4o", messages=[{"role": "user", "content": "Hi"}])
    return answer.choices[0].message.content
"""


def test_a_client_made_at_import_is_intercepted(run_tests, monkeypatch):
    """With `llmtest_dummy_keys` a module that builds its settings and its client at import needs no key."""
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    result = run_tests(
        """
        import app  # before any simulation

        def test_it(llm_sim):
            llm_sim.openai.replies("Hello")
            assert app.ask() == "Hello"
            assert app.settings.openai_api_key == "llmtest-dummy-key"
        """,
        ini="llmtest_dummy_keys = true",
        subprocess=True,
        app=IMPORTED_APP,
    )
    result.assert_outcomes(passed=1)


def test_a_thread_that_was_there_before_keeps_real_time(run_tests):
    """A polling thread like a debugger's, started before the simulation, neither sees virtual time nor moves it."""
    result = run_tests(
        """
        import threading, time
        import openai
        from llmtest import faults

        seen, stop = [], threading.Event()

        def poll():
            while not stop.is_set():
                seen.append(time.monotonic())
                time.sleep(0.001)

        thread = threading.Thread(target=poll, daemon=True)
        thread.start()

        def test_it(llm_sim):
            llm_sim.openai.fails(faults.RateLimited(retry_after=50), times=2).replies("Paris")
            client = openai.OpenAI()
            client.chat.completions.create(model="gpt-4o", messages=[{"role": "user", "content": "Hi"}])
            waited = llm_sim.clock.elapsed()
            stop.set()
            thread.join()
            assert waited == 100.0
            assert all(after - before < 40 for before, after in zip(seen, seen[1:]))
        """
    )
    result.assert_outcomes(passed=1)


def test_respx_serves_an_allowed_host(llm_sim):
    """A host that is allowed goes to whatever handles it: here respx, beside a simulated provider."""
    llm_sim.allow("weather.example.com")
    llm_sim.openai.replies("Take an umbrella")
    with respx.mock(assert_all_called=True) as router:
        router.get("https://weather.example.com/today").respond(json={"rain": True})
        with httpx.Client() as client:
            assert client.get("https://weather.example.com/today").json() == {"rain": True}
        assert openai_sync() == "Take an umbrella"


class Echo(socketserver.BaseRequestHandler):
    """Answers one line a little later, so that time could jump meanwhile."""

    def handle(self):
        """Echo one line."""
        self.request.sendall(self.request.recv(100).upper())


@pytest.fixture
def echo_server():
    """Start a small TCP server on loopback, in a thread of its own."""
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Echo) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        thread.start()
        yield server.server_address
        server.shutdown()
        thread.join()


def test_a_tcp_server_on_loopback_beside_the_simulation(echo_server, llm_sim):
    """A real exchange over loopback works in the test whose waits for the model are virtual."""
    limited(llm_sim)
    with socket.create_connection(echo_server, timeout=30) as connection:
        connection.sendall(b"hello")
        assert connection.recv(100) == b"HELLO"
    assert openai_sync() == "Paris"
    assert llm_sim.clock.elapsed() == 30.0


@pytest.mark.slow
def test_a_server_that_only_polls_does_not_hold_up_time(llm_sim):
    """A server's thread wakes every half second to look for work; without any, virtual time goes on."""
    limited(llm_sim)
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Echo) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        assert openai_sync() == "Paris"
        assert llm_sim.clock.elapsed() == 30.0
        server.shutdown()
        thread.join()


def test_a_tcp_server_awaited_on_the_loop(echo_server, llm_sim):
    """A coroutine that awaits a real loopback socket gets its answer before its virtual limit strikes."""
    limited(llm_sim)

    async def exchange():
        reader, writer = await asyncio.open_connection(*echo_server)
        writer.write(b"hello")
        answer = await reader.read(100)
        writer.close()
        await writer.wait_closed()
        return answer

    async def main():
        async with asyncio.timeout(300):
            return await asyncio.gather(exchange(), ask_async())

    assert asyncio.run(main()) == [b"HELLO", "Paris"]
    assert "real_io" in llm_sim.trace.render()


async def ask_async():
    """Ask openai on the running loop."""
    client = openai.AsyncOpenAI()
    answer = await client.chat.completions.create(model=OPENAI_MODEL, messages=MESSAGES)
    return answer.choices[0].message.content


def test_a_real_redis_beside_the_simulation(redis_url, llm_sim):
    """An application that keeps its answers in Redis talks to it in earnest, while its model is simulated."""
    redis = import_module("redis")
    limited(llm_sim)
    with redis.Redis.from_url(redis_url) as cache:
        cache.set("answer", openai_sync())
        assert cache.get("answer") == b"Paris"
    assert llm_sim.clock.elapsed() == 30.0


def test_a_real_redis_on_the_loop(redis_url, llm_sim):
    """The same with Redis's asynchronous client on the virtual loop."""
    redis = import_module("redis.asyncio")
    limited(llm_sim)

    async def main():
        async with redis.Redis.from_url(redis_url) as cache:
            answer, _ = await asyncio.gather(ask_async(), cache.set("question", "capital"))
            await cache.set("answer", answer)
            return await cache.get("answer"), await cache.get("question")

    assert asyncio.run(main()) == (b"Paris", b"capital")
    llm_sim.assert_waited(at_least=30.0)
