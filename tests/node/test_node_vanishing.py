"""Clients that vanish: streams that are left, processes that are killed, a server that is told to stop under them."""

import contextlib
import signal
import sys
import time
from pathlib import Path

import pytest

from tests.node.node_process import LONGEST_S, Node, Served, require

require("openai", "@anthropic-ai/sdk")
pytestmark = pytest.mark.slow

STREAMS = 200
ENDLESS = {"fails": {"stream_stalled": {"after_chunks": 1}}, "times": "forever"}
"""A first piece, and then silence: only the end of a client or of the server ends it."""
SLOW = {"replies": {"text": "one two three four five " * 20}, "times": "forever"}
SLOWLY = {"ttft": "1ms", "tokens_per_second": 20}

CUT_OFF = {"stalled", "abandoned"}
"""How an answer ends whose client has left: in the silence, or before it."""

needs_proc = pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="open files are counted in /proc")


def settled(read, wanted):
    """Read again and again until it is as wanted, and return what was read last."""
    until = time.monotonic() + LONGEST_S
    while (found := read()) != wanted and time.monotonic() < until:
        time.sleep(0.02)
    return found


def connections(served):
    """Return how many sockets the server has open."""
    sockets = 0
    for entry in Path(f"/proc/{served.process.pid}/fd").iterdir():
        # A file that is closed meanwhile counts for nothing.
        with contextlib.suppress(FileNotFoundError):
            sockets += str(entry.readlink()).startswith("socket:")
    return sockets


@pytest.fixture
def own():
    """A server of one's own, in which nobody else has connections."""
    served = Served()
    yield served
    served.process.kill()
    served.process.wait()


@needs_proc
@pytest.mark.parametrize("steps", [[ENDLESS], {"latency": SLOWLY, "steps": [SLOW]}], ids=["silent", "slow"])
def test_streams_that_are_left_leave_nothing_behind(own, steps):
    """200 streams begin, their readers break off after one chunk: every connection closes, every answer ends."""
    before = connections(own)
    own.script(openai=steps, anthropic=steps)
    node = Node(own.url)
    assert node.value("vanish", count=STREAMS) == STREAMS
    for provider in ("openai", "anthropic"):
        outcomes = own.settled_outcomes(provider)
        assert (len(outcomes), set(outcomes) - CUT_OFF) == (STREAMS // 2, set())
    assert node.stop() == 0
    assert settled(lambda: connections(own), before) == before
    assert own.stop() == 0


@needs_proc
def test_a_client_that_is_killed_leaves_nothing_behind(own):
    """Node is killed with 200 streams open; the server goes on as if nothing had been."""
    before = connections(own)
    own.script(openai=[ENDLESS], anthropic=[ENDLESS])
    node = Node(own.url)
    node.send("open", count=STREAMS)
    opened = lambda: len(own.outcomes("openai")) + len(own.outcomes("anthropic"))  # noqa: E731 - read twice
    assert settled(opened, STREAMS) == STREAMS
    assert node.lines.next().startswith('{"value":')
    node.process.send_signal(signal.SIGKILL)
    assert node.process.wait(LONGEST_S) == -signal.SIGKILL
    node.process.stdin.close()
    assert settled(lambda: connections(own), before) == before
    assert set(own.settled_outcomes("openai") + own.settled_outcomes("anthropic")) <= CUT_OFF
    assert own.stop() == 0


def test_a_server_that_is_told_to_stop_stops_within_two_seconds(own):
    """Open streams do not hold it up; their readers learn that the connection broke."""
    own.script(openai=[ENDLESS], anthropic=[ENDLESS])
    node = Node(own.url)
    node.send("chatStream", client={"maxRetries": 0})
    assert settled(lambda: own.outcomes("openai"), [None]) == [None]
    started = time.monotonic()
    assert own.stop() == 0
    assert time.monotonic() - started < 2.0
    error = node.answer()["error"]
    assert (error["classes"][0], error["message"]) == ("TypeError", "terminated")
    assert node.call("chat", client={"maxRetries": 0})["error"]["causes"] == ["fetch failed", "ECONNREFUSED"]
    assert node.stop() == 0


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such signals")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=lambda number: number.name)
def test_either_signal_stops_an_idle_server_in_order(own, number):
    """Connections that are kept alive do not hold it up."""
    node = Node(own.url)
    node.value("chat")
    started = time.monotonic()
    own.process.send_signal(number)
    assert own.process.wait(LONGEST_S) == 0
    assert time.monotonic() - started < 2.0
    assert node.stop() == 0
