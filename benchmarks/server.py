"""What `llmtest serve` answers per second, beside aimock and a bare ASGI application, measured in one run.

Run `python benchmarks/server.py [--short]`. Three servers run as processes of their own and take turns:

- `llmtest serve`, whose script answers one text for ever;
- aimock, the npm package `@copilotkit/aimock`, with the same text; the folder that holds its `node_modules` is named by
  `LLMTEST_NODE_MODULES`, else it is `tests/node`; without it, or without Node, its column is left out;
- the floor: an ASGI application on the same uvicorn that reads the request and sends bytes that were ready before.

The load comes from a process of its own, over connections that are kept alive: from `wrk` where it is installed, else
from a raw asyncio client (`--client` picks one). Its requests differ in their prompt, as those of an application do;
one row asks the same again and again, which whoever remembers requests answers faster. The processor's time of the
server per answer stands beside the rate: on a shared machine it is the steadier figure. Every figure is the median of
its rounds.

Bar (design section 4): a small chat completion at least twice as often per second as aimock.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from itertools import count, repeat
from pathlib import Path
from statistics import median
from typing import Any

LEAST_RATIO = 2.0
TEXT = "Hello there, how are you?"
PIECES = ["Hello there, how are", " you?"]
"""How aimock cuts the text; ours is told to do the same."""
NUMBER = "0000000"
QUESTION = {"model": "gpt-4o", "messages": [{"role": "user", "content": f"hi {NUMBER}"}]}
PLAIN = json.dumps(QUESTION)
STREAMED = json.dumps({**QUESTION, "stream": True})
LOADS = {"same": (PLAIN, 16), "new": (PLAIN, 16), "stream": (STREAMED, 100)}
"""Name of a load: its body, and over how many connections; but for `same`, every request has a number of its own."""
PATH = "/v1/chat/completions"
HOST = "127.0.0.1"
NODE_FOLDER = Path(os.environ.get("LLMTEST_NODE_MODULES") or Path(__file__).parents[1] / "tests" / "node")


@dataclass
class Contender:
    """A server in a process of its own."""

    name: str
    command: list[str]
    port: int
    process: subprocess.Popen[bytes] | None = None
    figures: dict[str, list[float]] = field(default_factory=dict)

    def start(self) -> None:
        """Start it, and come back when it accepts connections."""
        self.process = subprocess.Popen(self.command, stdout=subprocess.DEVNULL)
        until = time.monotonic() + 30
        while time.monotonic() < until and self.process.poll() is None:
            try:
                socket.create_connection((HOST, self.port), timeout=1).close()
            except OSError:
                time.sleep(0.05)
            else:
                return
        raise SystemExit(f"{self.name} does not answer on port {self.port}: {' '.join(self.command)}")

    def stop(self) -> None:
        """Stop it."""
        if self.process is not None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(5)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()

    def processor_seconds(self) -> float:
        """Return the processor's time it has taken; nan where the system does not say."""
        assert self.process is not None
        try:
            stat = Path(f"/proc/{self.process.pid}/stat").read_text(encoding="ascii")
        except OSError:
            return float("nan")
        user, system = stat.rpartition(")")[2].split()[11:13]
        return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")

    def note(self, figure: str, value: float) -> None:
        """Keep what one round gave."""
        self.figures.setdefault(figure, []).append(value)


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


def contenders(folder: Path) -> list[Contender]:
    """Return the servers that this machine can run."""
    reply = {"replies": {"text": TEXT, "chunks": PIECES}, "times": "forever"}
    script = folder / "script.json"
    script.write_text(json.dumps({"openai": [reply]}), encoding="utf-8")
    fixtures = folder / "fixtures.json"
    fixtures.write_text(
        json.dumps({"fixtures": [{"match": {"userMessage": "hi"}, "response": {"content": TEXT}}]}), encoding="utf-8"
    )
    ours, floor = free_port(), free_port()
    serve = [sys.executable, "-m", "llmtest", "serve", "--port", str(ours), "--script", str(script)]
    found = [
        Contender("llmtest", serve, ours),
        Contender("floor", [sys.executable, __file__, "--floor", str(floor)], floor),
    ]
    node, aimock = shutil.which("node"), NODE_FOLDER / "node_modules" / ".bin" / "llmock"
    if node is not None and aimock.exists():
        port = free_port()
        command = [node, str(aimock), "-p", str(port), "-f", str(fixtures), "--log-level", "silent"]
        found.append(Contender("aimock", command, port))
    return found


def why_no_aimock() -> str:
    """Say what is missing."""
    if shutil.which("node") is None:
        return "aimock: not measured; Node is not installed"
    return (
        f"aimock: not measured; it is not below {NODE_FOLDER}; run `npm install` in tests/node, or set "
        "LLMTEST_NODE_MODULES to the folder that holds a node_modules with @copilotkit/aimock"
    )


def run_floor(port: int) -> None:
    """Serve bytes that were ready before."""
    import uvicorn

    message = {"role": "assistant", "content": TEXT}
    answer = {"id": "chatcmpl-1", "object": "chat.completion", "choices": [{"index": 0, "message": message}]}
    body = json.dumps(answer | {"system_fingerprint": "fp" * 200}).encode()
    events = [
        b"data: " + json.dumps({"choices": [{"delta": {"content": piece}}]}).encode() + b"\n\n" for piece in "abcd"
    ]
    plain = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    event_stream = [(b"content-type", b"text/event-stream")]

    async def application(_scope: Any, receive: Any, send: Any) -> None:
        pieces = []
        more = True
        while more:
            received = await receive()
            pieces.append(received.get("body", b""))
            more = received.get("more_body", False)
        if b'"stream"' not in b"".join(pieces):
            await send({"type": "http.response.start", "status": 200, "headers": plain})
            await send({"type": "http.response.body", "body": body})
            return
        await send({"type": "http.response.start", "status": 200, "headers": event_stream})
        for event in events:
            await send({"type": "http.response.body", "body": event, "more_body": True})
        await send({"type": "http.response.body", "body": b"data: [DONE]\n\n"})

    uvicorn.run(application, host=HOST, port=port, log_config=None, access_log=False, lifespan="off")


class Asker(asyncio.Protocol):
    """One connection that asks again as soon as it has its answer."""

    def __init__(self, requests: Iterator[bytes], tally: dict[str, int]) -> None:
        self.requests = requests
        self.tally = tally
        self.buffer = b""
        self.transport: Any = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Ask for the first time."""
        self.transport = transport
        self.transport.write(next(self.requests))

    def data_received(self, data: bytes) -> None:
        """Count an answer that is complete, and ask again."""
        self.buffer = self.buffer + data if self.buffer else data
        if not is_whole(self.buffer):
            return
        self.tally["answers" if self.buffer.startswith(b"HTTP/1.1 200") else "errors"] += 1
        self.buffer = b""
        self.transport.write(next(self.requests))

    def connection_lost(self, error: Exception | None) -> None:  # noqa: ARG002 - a name of asyncio.Protocol
        """Count a connection that the server gave up."""
        if not self.tally["over"]:
            self.tally["errors"] += 1


def is_whole(answer: bytes) -> bool:
    """Tell whether all of an answer has come."""
    if answer.endswith(b"0\r\n\r\n"):
        return True
    head, found, body = answer.partition(b"\r\n\r\n")
    if not found:
        return False
    lower = head.lower()
    at = lower.find(b"content-length:")
    return at >= 0 and len(body) >= int(lower[at + 15 :].partition(b"\r\n")[0])


def requests_to(port: int, load: str) -> Iterator[bytes]:
    """Yield requests as they go out."""
    body = LOADS[load][0]
    head = f"POST {PATH} HTTP/1.1\r\nhost: {HOST}:{port}\r\nauthorization: Bearer key\r\n"
    request = f"{head}content-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n{body}".encode()
    if load == "same":
        return repeat(request)
    before, _, after = request.partition(NUMBER.encode())
    return (b"%b%07d%b" % (before, number, after) for number in count())


async def ask_for(seconds: float, port: int, load: str) -> dict[str, float]:
    """Ask over many connections for a while."""
    loop = asyncio.get_running_loop()
    tally = {"answers": 0, "errors": 0, "over": 0}
    requests = requests_to(port, load)
    start = time.perf_counter()
    opened = [await loop.create_connection(lambda: Asker(requests, tally), HOST, port) for _ in range(LOADS[load][1])]
    await asyncio.sleep(seconds)
    taken = time.perf_counter() - start
    tally["over"] = 1
    for transport, _ in opened:
        transport.abort()
    return {"answers": tally["answers"], "errors": tally["errors"], "seconds": taken}


def run_client(arguments: list[str]) -> None:
    """Be the load: port, seconds, and its name."""
    port, seconds, load = arguments
    try:
        import uvloop
    except ImportError:
        factory: Callable[[], asyncio.AbstractEventLoop] = asyncio.new_event_loop
    else:
        factory = uvloop.new_event_loop
    with asyncio.Runner(loop_factory=factory) as runner:
        print(json.dumps(runner.run(ask_for(float(seconds), int(port), load))))


def load_by_asyncio(port: int, seconds: float, load: str) -> tuple[float, int]:
    """Return answers per second, and errors, as our own client counts them."""
    command = [sys.executable, __file__, "--load", str(port), str(seconds), load]
    told = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    return told["answers"] / told["seconds"], told["errors"]


WRK = """
wrk.method = "POST"
wrk.headers["content-type"] = "application/json"
wrk.headers["authorization"] = "Bearer key"
wrk.body = [==[BODY]==]
local number = 0
function numbered()
  number = number + 1
  return wrk.format(nil, nil, nil, string.format([==[PATTERN]==], number))
end
request = REQUEST
function done(summary, latency, requests)
  local errors = summary.errors
  local bad = errors.connect + errors.read + errors.write + errors.status + errors.timeout
  io.write(string.format("TOLD %d %d %d\\n", summary.requests, summary.duration, bad))
end
"""


def load_by_wrk(port: int, seconds: float, load: str) -> tuple[float, int]:
    """Return answers per second, and errors, as wrk counts them."""
    body, connections = LOADS[load]
    text = WRK.replace("BODY", body).replace("PATTERN", body.replace(NUMBER, "%07d"))
    text = text.replace("REQUEST", "request" if load == "same" else "numbered")
    with tempfile.NamedTemporaryFile("w", suffix=".lua") as script:
        script.write(text)
        script.flush()
        options = ["-t", "1", "-c", str(connections), "-d", f"{max(1, round(seconds))}s", "-s", script.name]
        command = ["wrk", *options, f"http://{HOST}:{port}{PATH}"]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise SystemExit(f"wrk failed: {done.stdout}{done.stderr}")
    answers, microseconds, errors = (int(part) for part in done.stdout.rpartition("TOLD")[2].split())
    return answers / (microseconds / 1e6), errors


def first_chunk_seconds(port: int, times: int) -> float:
    """Return the median time from the request for a stream to its first event, over one connection."""
    requests = requests_to(port, "stream")
    taken = []
    with socket.create_connection((HOST, port)) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for _ in range(times):
            request = next(requests)
            start = time.perf_counter()
            connection.sendall(request)
            received = connection.recv(65536)
            while b"data:" not in received:
                received += connection.recv(65536)
            taken.append(time.perf_counter() - start)
            while not is_whole(received):
                received += connection.recv(65536)
    return median(taken)


def measure(found: list[Contender], load: Callable[..., tuple[float, int]], rounds: int, seconds: float) -> None:
    """Let the servers take turns."""
    for contender in found:
        for name in LOADS:
            load(contender.port, seconds, name)
        first_chunk_seconds(contender.port, 20)
    for _ in range(rounds):
        for contender in found:
            for name in LOADS:
                before = contender.processor_seconds()
                rate, errors = load(contender.port, seconds, name)
                after = contender.processor_seconds()
                contender.note(f"{name}_rate", rate)
                contender.note("errors", errors)
                contender.note(f"{name}_cpu", (after - before) / (rate * seconds) * 1e6)
            contender.note("first", first_chunk_seconds(contender.port, 100))


def ratio(ours: Contender, other: Contender, figure: str) -> float:
    """Return the median of the ratios, round by round."""
    return median(a / b for a, b in zip(ours.figures[figure], other.figures[figure], strict=True))


def report(found: list[Contender]) -> None:
    """Print the table, and the ratios."""
    processor = "  server's processor time, µs each"
    rows = [
        ("chat completions/s, 16 connections", "new_rate", 1.0),
        (processor, "new_cpu", 1.0),
        ("the same one again and again/s", "same_rate", 1.0),
        (processor, "same_cpu", 1.0),
        ("streams/s, 100 at once", "stream_rate", 1.0),
        (processor, "stream_cpu", 1.0),
        ("time to the first chunk, µs", "first", 1e6),
    ]
    print(f"{'':<38}" + "".join(f"{contender.name:>12}" for contender in found))
    for label, figure, scale in rows:
        print(f"{label:<38}" + "".join(f"{median(contender.figures[figure]) * scale:>12,.0f}" for contender in found))
    failed = ", ".join(f"{contender.name} {sum(contender.figures['errors']):.0f}" for contender in found)
    print(f"answers that failed: {failed}\n")
    ours = found[0]
    ratios = (("completions/s", "new_rate"), ("the same/s", "same_rate"), ("streams/s", "stream_rate"))
    for other in found[1:]:
        told = ", ".join(f"{label} {ratio(ours, other, figure):.2f}" for label, figure in ratios)
        times = f"first chunk {ratio(ours, other, 'first'):.2f}, processor {ratio(ours, other, 'new_cpu'):.2f}"
        print(f"llmtest / {other.name}: {told}; {times}")
    peer = next((contender for contender in found if contender.name == "aimock"), None)
    if peer is None:
        print(why_no_aimock())
        return
    reached = ratio(ours, peer, "new_rate")
    verdict = "ok" if reached >= LEAST_RATIO else "MISSED"
    print(f"a small chat completion: {reached:.2f} times as often as aimock (bar {LEAST_RATIO:g}): {verdict}")


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--short", action="store_true", help="measure less")
    parser.add_argument("--client", choices=["wrk", "asyncio"], help="what asks; wrk where it is installed")
    parser.add_argument("--floor", help=argparse.SUPPRESS)
    parser.add_argument("--load", nargs=3, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.floor is not None:
        run_floor(int(options.floor))
        return
    if options.load is not None:
        run_client(options.load)
        return
    has_wrk = shutil.which("wrk") is not None
    client = options.client or ("wrk" if has_wrk else "asyncio")
    with tempfile.TemporaryDirectory() as folder, ExitStack() as running:
        found = contenders(Path(folder))
        for contender in found:
            running.callback(contender.stop)
            contender.start()
        rounds, seconds = (2, 1.0) if options.short else (5, 3.0)
        measure(found, load_by_wrk if client == "wrk" else load_by_asyncio, rounds, seconds)
        print(f"load by {client}, {rounds} rounds of {seconds:g} s")
        report(found)


if __name__ == "__main__":
    main()
