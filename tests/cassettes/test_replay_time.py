"""What is only played waits for nothing, in a simulation and outside."""

import asyncio
import datetime as dt
import time

import httpx2
import openai
import pytest
import trio
import uvloop

from llmtest import Simulation, use_cassette
from llmtest.clock._real import REAL
from llmtest.errors import SimulationStateError

QUESTION = [{"role": "user", "content": "Capital of France?"}]
CASSETTE = """\
version: 1
interactions:
- request:
    method: POST
    uri: https://api.openai.com/v1/chat/completions
    body: '{"messages":[{"role":"user","content":"Capital of France?"}],"model":"gpt-4o"}'
    headers: {content-type: [application/json]}
  response:
    status: {code: 429, message: Too Many Requests}
    headers: {content-type: [application/json], retry-after: ['8']}
    body: {string: '{"error": {"message": "slow down"}}'}
- request:
    method: POST
    uri: https://api.openai.com/v1/chat/completions
    body: '{"messages":[{"role":"user","content":"Capital of France?"}],"model":"gpt-4o"}'
    headers: {content-type: [application/json]}
  response:
    status: {code: 200, message: OK}
    headers: {content-type: [application/json]}
    body: {string: '{"id": "1", "object": "chat.completion", "created": 1, "model": "gpt-4o", "choices": [{"index": 0,
      "finish_reason": "stop", "message": {"role": "assistant", "content": "Paris"}}]}'}
"""


@pytest.fixture
def path(tmp_path):
    """Return a recorded session in which the provider asked for a wait of 8 seconds; playing it must take none."""
    path = tmp_path / "limited.yaml"
    path.write_text(CASSETTE)
    started = REAL.monotonic()
    yield path
    assert REAL.monotonic() - started < 6


def ask():
    """Ask through OpenAI's own client."""
    with openai.OpenAI(api_key="k") as client:
        return client.chat.completions.create(model="gpt-4o", messages=QUESTION).choices[0].message.content


async def ask_async():
    """Ask through its asynchronous half."""
    async with openai.AsyncOpenAI(api_key="k") as client:
        answer = await client.chat.completions.create(model="gpt-4o", messages=QUESTION)
    return answer.choices[0].message.content


@pytest.mark.parametrize(
    "run",
    [
        pytest.param(ask, id="sync"),
        pytest.param(lambda: asyncio.run(ask_async()), id="asyncio"),
        pytest.param(lambda: uvloop.run(ask_async()), id="uvloop"),
        pytest.param(lambda: trio.run(ask_async), id="trio"),
    ],
)
def test_t17_a_recorded_wait_takes_no_time_outside_a_simulation(path, run):
    """The client waits as long as it was told, by a clock that the cassette moves, and keeps today's date."""
    today = dt.datetime.now(dt.UTC)
    with use_cassette(path) as cassette:
        before = time.monotonic()
        assert run() == "Paris"
        assert time.monotonic() - before == 8.0
        assert today <= dt.datetime.now(dt.UTC) <= today + dt.timedelta(minutes=5)
    assert cassette.played == 2
    assert time.monotonic is REAL.monotonic


def test_t17_a_recorded_wait_is_virtual_inside_a_simulation(path):
    """The simulation's own clock moves, as it does for everything else."""
    with Simulation() as sim, use_cassette(path):
        assert ask() == "Paris"
        assert sim.clock.elapsed() == 8.0


def test_t17_a_simulation_belongs_around_a_cassette(path):
    """The other order is refused by name."""
    with use_cassette(path), pytest.raises(SimulationStateError, match="while `use_cassette` is running"):
        Simulation().start()


@pytest.mark.parametrize(
    "run",
    [
        pytest.param(lambda body: asyncio.run(body()), id="asyncio"),
        pytest.param(lambda body: uvloop.run(body()), id="uvloop"),
        pytest.param(trio.run, id="trio"),
    ],
)
def test_t17_a_loop_that_runs_already_is_left_alone(path, run):
    """Its other tasks may have cassettes of their own: nothing is replaced, and nothing hangs."""

    async def body():
        with use_cassette(path):
            return time.monotonic is REAL.monotonic

    assert run(body)


@pytest.mark.parametrize("run", [pytest.param(asyncio.run, id="asyncio"), pytest.param(uvloop.run, id="uvloop")])
@pytest.mark.parametrize("blocks", [False, True], ids=["async-client", "sync-client"])
def test_t17_a_recorded_wait_takes_no_time_on_a_loop_that_runs_already(path, run, blocks):
    """The client inside the `with` does not wait, neither on the loop nor in its way; timeouts are as they were."""
    ticks = []

    async def tick():
        while True:
            ticks.append(REAL.monotonic())
            await asyncio.sleep(0.001)

    async def body():
        other = asyncio.create_task(tick())
        await asyncio.sleep(0)
        with use_cassette(path) as cassette:
            async with asyncio.timeout(5):
                assert (ask() if blocks else await ask_async()) == "Paris"
        assert cassette.played == 2
        assert time.sleep is REAL.sleep
        other.cancel()

    run(body())
    assert len(ticks) < 1000  # the other task goes on by the machine's clock


@pytest.mark.parametrize("blocks", [False, True], ids=["async-client", "sync-client"])
def test_t17_a_recorded_wait_takes_no_time_on_a_run_of_trio(path, blocks):
    """The client inside the `with` does not wait; timeouts and other tasks are as they were."""
    late = []

    async def wait_for_a_while():
        await trio.sleep(0.05)
        late.append(trio.current_time())

    async def body():
        async with trio.open_nursery() as nursery:
            started = trio.current_time()
            nursery.start_soon(wait_for_a_while)
            await trio.lowlevel.checkpoint()
            with use_cassette(path) as cassette, trio.fail_after(5):
                assert (ask() if blocks else await ask_async()) == "Paris"
                await trio.sleep_until(trio.current_time() + 60)
                with trio.move_on_after(0.01) as scope:
                    await trio.sleep_forever()
            assert scope.cancelled_caught
        assert cassette.played == 2
        assert late[0] - started >= 0.05

    sleep_until = trio.sleep_until
    trio.run(body)
    assert trio.sleep_until is sleep_until
    assert time.sleep is REAL.sleep


def test_t17_cassettes_of_two_tasks_may_end_in_any_order(path):
    """The sleeps of one context are those of that context alone, and both are what they were in the end."""

    async def play(seconds):
        with use_cassette(path):
            await asyncio.sleep(seconds)
            return await ask_async()

    async def main():
        answers = await asyncio.gather(play(60), play(30))
        assert "call_later" not in vars(asyncio.get_running_loop())
        return answers

    assert asyncio.run(main()) == ["Paris", "Paris"]
    assert time.sleep is REAL.sleep


def test_t17_a_recording_takes_its_time(tmp_path):
    """What calls a live service lives by the machine's clock."""
    with use_cassette(tmp_path / "new.yaml", "once"):
        assert time.monotonic is REAL.monotonic
        with pytest.raises(httpx2.ConnectError):
            httpx2.get("http://127.0.0.1:9")
