"""What replay costs beside vcrpy: loading a cassette and its first answer, and each answer with body matching.

Run `python benchmarks/cassettes.py [--short]`. The bars: a cassette of 1,000 interactions is loaded and answers first
at least 20 times faster than with vcrpy on libyaml; an answer with body matching costs the same in a cassette of 10,
100 and 1,000 interactions, at most 1.5 times what vcrpy's default matchers, which ignore the body, cost at 10.

Both sides take turns, so that a busy machine slows both, and processor time is counted. Answers are timed ten at a
time, always the same ten chats; a round is worth the median of its tens, and the best round counts.

The bodies are recorded OpenAI chats where the reference data lies beside the checkout (`../shared/recordings`), else a
synthetic chat of their median size; a number in the question makes each request different from every other.
"""

import gc
import json
import logging
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from itertools import chain
from pathlib import Path
from statistics import median
from typing import Any

import httpx2
import vcr
import yaml
from vcr.serialize import serialize
from vcr.serializers import yamlserializer

from llmtest import use_cassette
from llmtest.cassettes import Document, Interaction, RecordedRequest, RecordedResponse, write_document

URL = "https://api.openai.com/v1/chat/completions"
RECORDINGS = Path(__file__).parents[2] / "shared" / "recordings"
SIZES = (10, 100, 1000)
TEN = 10
USES = 5
"""How often a cassette of ten is used in one round: a single ten would be a matter of luck."""
BAR_LOAD = 20.0
BAR_REPLAY = 1.5
VCR_BODY_MAX = 60
"""Answers measured with vcrpy's body matcher: it is quadratic, and all of a thousand would take minutes."""

Body = dict[str, Any]


def chats() -> list[tuple[Body, bytes]]:
    """Return requests and answers of real chats, or one synthetic pair."""
    found = []
    for file in sorted(RECORDINGS.rglob("*openai*/**/*.yaml")) if RECORDINGS.is_dir() else ():
        document = Document(file.read_text(), str(file))
        for position in range(len(document)):
            one = document[position]
            headers = {name.lower() for name in one.response.headers}
            if one.request.uri == URL and one.response.status == 200 and "content-encoding" not in headers:
                found.append((json.loads(one.request.body), one.response.body))
    if found:
        return found
    answer = {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1,
        "model": "gpt-4o",
        "choices": [{"index": 0, "message": {"role": "assistant", "content": "word " * 220}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 220, "completion_tokens": 220, "total_tokens": 440},
    }
    question = {"model": "gpt-4o", "messages": [{"role": "user", "content": "word " * 220}]}
    return [(question, json.dumps(answer, indent=2).encode())]


def requests_of(pairs: list[tuple[Body, bytes]], count: int) -> Iterator[tuple[bytes, bytes]]:
    """Yield bodies of requests, each different, and of their answers; one more than asked for, to begin with."""
    for number in range(count + 1):
        body, answer = pairs[number % min(TEN, len(pairs))]
        messages = [*body["messages"], {"role": "user", "content": f"question {number}"}]
        yield json.dumps({**body, "messages": messages}).encode(), answer


def write(folder: Path, pairs: list[tuple[Body, bytes]], count: int) -> tuple[Path, Path, list[bytes]]:
    """Write one session twice: as we do, and as vcrpy does; returns both files and the bodies to ask with."""
    interactions = [
        Interaction(
            RecordedRequest("POST", URL, {"content-type": ["application/json"]}, asked),
            RecordedResponse(200, "OK", {"content-type": ["application/json"]}, answer),
        )
        for asked, answer in requests_of(pairs, count)
    ]
    ours, theirs = folder / f"ours-{count}.yaml", folder / f"vcrpy-{count}.yaml"
    ours.write_text(write_document(interactions))
    requests = [vcr.request.Request("POST", URL, each.request.body, each.request.headers) for each in interactions]
    responses = [
        {
            "status": {"code": 200, "message": "OK"},
            "headers": each.response.headers,
            "body": {"string": each.response.body},
        }
        for each in interactions
    ]
    theirs.write_text(serialize({"requests": requests, "responses": responses}, yamlserializer))
    return ours, theirs, [each.request.body for each in interactions]


def ask(client: httpx2.Client, bodies: list[bytes]) -> None:
    """Ask each question once."""
    headers = {"content-type": "application/json"}
    for body in bodies:
        client.post(URL, content=body, headers=headers)


def asking(client: httpx2.Client, bodies: list[bytes]) -> list[float]:
    """Ask each question once; returns microseconds of processor time per question, one figure for each ten."""
    tens = [bodies[at : at + TEN] for at in range(0, len(bodies), TEN)]
    return [timed(partial(ask, client, ten)) / len(ten) * 1e3 for ten in tens]


def timed(work: Callable[[], object]) -> float:
    """Return milliseconds of processor time: nothing here waits, and a machine with other work does not disturb it."""
    start = time.process_time()
    work()
    return (time.process_time() - start) * 1e3


def load_with_ours(path: Path, client: httpx2.Client, body: bytes) -> float:
    """Load a cassette and ask it once; returns milliseconds."""
    gc.collect()

    def work() -> None:
        with use_cassette(path):
            ask(client, [body])

    return timed(work)


def load_with_vcrpy(path: Path, client: httpx2.Client, body: bytes) -> float:
    """Load a cassette and ask it once; returns milliseconds."""
    gc.collect()

    def work() -> None:
        with vcr.use_cassette(str(path), record_mode="none"):
            ask(client, [body])

    return timed(work)


def replay_with_ours(path: Path, client: httpx2.Client, bodies: list[bytes]) -> list[float]:
    """Return microseconds per answer, with body matching."""
    gc.collect()
    with use_cassette(path):
        ask(client, bodies[:1])
        return asking(client, bodies[1:])


def replay_with_vcrpy(path: Path, client: httpx2.Client, bodies: list[bytes], *, body: bool) -> list[float]:
    """Return microseconds per answer, with vcrpy's default matchers or with the body as well."""
    gc.collect()
    match_on = ["method", "scheme", "host", "port", "path", "query", *(["body"] if body else [])]
    with vcr.use_cassette(str(path), record_mode="none", match_on=match_on):
        ask(client, bodies[:1])
        return asking(client, bodies[1:])


def main() -> None:
    """Print the table."""
    short = "--short" in sys.argv
    logging.getLogger("vcr").setLevel(logging.ERROR)
    pairs = chats()
    libyaml = "libyaml" if hasattr(yaml, "CSafeLoader") else "pure Python, which is unfair to it"
    print(f"cassettes of {min(TEN, len(pairs))} different chats; vcrpy {vcr.__version__} on {libyaml}")
    client = httpx2.Client()
    mock = httpx2.Client(transport=httpx2.MockTransport(lambda _: httpx2.Response(200, content=pairs[0][1])))
    with tempfile.TemporaryDirectory() as name:
        sessions = {count: write(Path(name), pairs, count) for count in SIZES}
        _show_loads(*sessions[1000], client, rounds=5 if short else 10)
        _show_answers(sessions, client, mock, short=short)
    client.close()
    mock.close()


def _show_loads(ours: Path, theirs: Path, bodies: list[bytes], client: httpx2.Client, *, rounds: int) -> None:
    mine, peer = [], []
    for _ in range(rounds):
        mine += [load_with_ours(ours, client, bodies[0]) for _ in range(5)]
        peer.append(load_with_vcrpy(theirs, client, bodies[0]))
    times = min(peer) / min(mine)
    print(f"\n{'load 1,000 interactions, first answer':<42} {'ms':>9}")
    print(f"{'  vcrpy':<42} {min(peer):>9.1f}")
    verdict = f"{times:.1f} x faster   bar {BAR_LOAD:g} x  {_judged(times >= BAR_LOAD)}"
    print(f"{'  llmtest':<42} {min(mine):>9.1f}   {verdict}")


def _show_answers(
    sessions: dict[int, tuple[Path, Path, list[bytes]]], client: httpx2.Client, mock: httpx2.Client, *, short: bool
) -> None:
    found: dict[str, list[float]] = {}
    peer = "vcrpy, 10, default matchers (no body)"
    for _ in range(6 if short else 15):
        bodies = sessions[10][2]
        tens = [replay_with_vcrpy(sessions[10][1], client, bodies, body=False) for _ in range(USES)]
        found.setdefault(peer, []).append(median(chain.from_iterable(tens)))
        tens = [replay_with_ours(sessions[10][0], client, bodies) for _ in range(USES)]
        found.setdefault("llmtest, 10", []).append(median(chain.from_iterable(tens)))
        for count in SIZES[1:]:
            ours, _, bodies = sessions[count]
            found.setdefault(f"llmtest, {count}", []).append(median(replay_with_ours(ours, client, bodies)))
        found.setdefault("bare MockTransport", []).append(median(asking(mock, bodies[:200])))
    for count in () if short else SIZES:
        _, theirs, bodies = sessions[count]
        matched = replay_with_vcrpy(theirs, client, bodies[: VCR_BODY_MAX + 1], body=True)
        found[f"vcrpy, {count}, body matching"] = [median(matched)]
    best = min(found[peer])
    print(f"\n{'one answer':<42} {'µs':>9}   of vcrpy's best")
    for row, figures in found.items():
        ratio = min(figures) / best
        bar = f"   bar {BAR_REPLAY:g}  {_judged(ratio <= BAR_REPLAY)}" if row.startswith("llmtest") else ""
        print(f"{'  ' + row:<42} {min(figures):>9.1f}   {ratio:.2f}{bar}")


def _judged(holds: bool) -> str:
    return "ok" if holds else "MISSED"


if __name__ == "__main__":
    main()
