"""The same bodies on every clock a program may live by: asyncio, uvloop, trio, threads; official SDKs inside."""

import asyncio
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import anthropic
import anyio
import anyio.to_thread
import openai
import pytest
import trio
import uvloop

from llmtest import faults
from llmtest.clock._real import REAL

QUESTION = [{"role": "user", "content": "Capital of France?"}]


def in_a_thread(body):
    """Run an asynchronous body on a loop of its own in another thread."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(lambda: asyncio.run(body())).result()


def kept_loop(body, _kept=[]):  # noqa: B006 - kept between tests on purpose
    """Run a body on a loop that outlives the test, as the `run_sync` of a library does."""
    if not _kept:
        _kept.append(asyncio.new_event_loop())
    return _kept[0].run_until_complete(body())


RUNNERS = {
    "asyncio": lambda body: asyncio.run(body()),
    "uvloop": lambda body: uvloop.run(body()),
    "kept-loop": kept_loop,
    "trio": trio.run,
    "anyio-asyncio": lambda body: anyio.run(body, backend="asyncio"),
    "anyio-uvloop": lambda body: anyio.run(body, backend="asyncio", backend_options={"use_uvloop": True}),
    "anyio-trio": lambda body: anyio.run(body, backend="trio"),
    "thread": in_a_thread,
}


@pytest.fixture(scope="module", autouse=True)
def _closed():
    yield
    for loop in kept_loop.__defaults__[0]:
        loop.run_until_complete(asyncio.sleep(0))
        loop.run_until_complete(loop.shutdown_asyncgens())
        loop.close()


@pytest.fixture(params=RUNNERS)
def run(request, llm_sim):
    """Return a function that runs an asynchronous body, which must not take real time."""
    started = REAL.monotonic()
    yield RUNNERS[request.param]
    assert REAL.monotonic() - started < 10


async def ask_openai(**options):
    """Ask through OpenAI's own client."""
    async with openai.AsyncOpenAI(**options) as client:
        answer = await client.chat.completions.create(model="gpt-4o", messages=QUESTION)
    return answer.choices[0].message.content


async def ask_anthropic():
    """Ask through Anthropic's own client."""
    async with anthropic.AsyncAnthropic() as client:
        answer = await client.messages.create(model="claude-opus-5", max_tokens=100, messages=QUESTION)
    return answer.content[0].text


@pytest.mark.parametrize(("provider", "ask"), [("openai", ask_openai), ("anthropic", ask_anthropic)])
def test_t12_t13_a_rate_limit_is_waited_for(llm_sim, run, provider, ask):
    """The SDK's own wait is virtual, seen, and held to be well behaved, whatever loop it sleeps on."""
    llm_sim.provider(provider).fails(faults.RateLimited(retry_after=4)).replies("Paris")
    assert run(ask) == "Paris"
    llm_sim.assert_sequence(f"{provider}:429", f"{provider}:200")
    llm_sim.assert_waited(at_least=4, at_most=4)
    assert llm_sim.clock.elapsed() == 4.0
    llm_sim.assert_resilient()


def test_t12_t13_a_client_s_timeout_passes(llm_sim, run):
    """A provider that never answers is left after the client's limit."""
    llm_sim.openai.fails(faults.Timeout(), times=None)

    async def body():
        with pytest.raises(openai.APITimeoutError):
            await ask_openai(timeout=20, max_retries=0)

    run(body)
    assert llm_sim.clock.elapsed() == 20.0


def test_t12_t13_a_limit_around_a_call_passes(llm_sim, run):
    """A limit of anyio ends a call that would never end."""
    llm_sim.openai.fails(faults.Timeout(), times=None)

    async def body():
        with anyio.move_on_after(7) as scope:
            await ask_openai(timeout=None)
        return scope.cancelled_caught

    assert run(body)
    assert llm_sim.clock.elapsed() == 7.0


def test_t12_t13_slow_answers_and_sleeps_overlap(llm_sim, run):
    """The latency of a provider, sleeps of tasks and of worker threads are waits for the same clock."""
    llm_sim.openai.latency(2.5).echoes()

    async def body():
        async with anyio.create_task_group() as group:
            group.start_soon(ask_openai)
            group.start_soon(anyio.sleep, 6)
            group.start_soon(anyio.to_thread.run_sync, time.sleep, 4)
        return time.monotonic()

    before = time.monotonic()
    assert run(body) - before == llm_sim.clock.elapsed() == 6.0


@pytest.mark.filterwarnings("ignore:Async generator 'openai:ResourceWarning")  # the SDK leaves it to trio's collector
def test_t12_t13_a_stream_keeps_its_pace(llm_sim, run):
    """Pieces of a streamed answer come when the latency model says, on every loop."""
    llm_sim.openai.latency(1.5).replies("Paris is the capital of France")

    async def body():
        async with openai.AsyncOpenAI() as client:
            stream = await client.chat.completions.create(model="gpt-4o", messages=QUESTION, stream=True)
            return "".join([chunk.choices[0].delta.content or "" async for chunk in stream if chunk.choices])

    assert run(body) == "Paris is the capital of France"
    assert llm_sim.clock.elapsed() == 1.5


def test_threads_of_synchronous_clients_share_the_clock(llm_sim):
    """Two threads that wait for their providers wait at the same time."""
    llm_sim.openai.fails(faults.RateLimited(retry_after=4)).replies("Paris")
    llm_sim.anthropic.fails(faults.RateLimited(retry_after=9)).replies("Paris")

    def ask_both():
        with openai.OpenAI() as client:
            client.chat.completions.create(model="gpt-4o", messages=QUESTION)

    thread = threading.Thread(target=ask_both)
    thread.start()
    with anthropic.Anthropic() as client:
        client.messages.create(model="claude-opus-5", max_tokens=100, messages=QUESTION)
    thread.join()
    assert llm_sim.clock.elapsed() == 9.0
