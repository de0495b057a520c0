"""What a suite of 500 tests with cassettes costs beside pytest-recording, unchanged: each test is marked `vcr`.

Run `python benchmarks/vcr_suite.py [--short]`; it needs pytest-recording. The bar: not slower than that plugin.

Each test plays one recorded chat through the OpenAI SDK; in the second suite a recorded 429 goes before it, with a
`Retry-After` of one second. Both sides take turns, processor time of the whole run is counted, the best round counts.
"""

import json
import os
import resource
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import yaml

URL = "https://api.openai.com/v1/chat/completions"
BAR = 1.0
TEST = """
import openai
import pytest

client = openai.OpenAI(api_key="unused")

@pytest.mark.vcr
@pytest.mark.parametrize("number", range({count}))
def test_chat(number):
    messages = [{{"role": "user", "content": "word " * 220}}]
    assert client.chat.completions.create(model="gpt-4o", messages=messages).choices[0].message.content
"""
WAYS = {
    "pytest-recording": ("-p", "no:llmtest"),
    "llmtest in its place": ("-p", "no:recording", "-o", "llmtest_vcr_marker=true"),
}


def exchange(status: int, headers: dict[str, list[str]]) -> dict[str, Any]:
    """Return one recorded exchange, as vcrpy writes it."""
    question = {"model": "gpt-4o", "messages": [{"role": "user", "content": "word " * 220}]}
    message = {"role": "assistant", "content": "word " * 220}
    answer = {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1,
        "model": "gpt-4o",
        "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
    }
    return {
        "request": {"method": "POST", "uri": URL, "body": json.dumps(question), "headers": {}},
        "response": {
            "status": {"code": status, "message": ""},
            "headers": {"content-type": ["application/json"], **headers},
            "body": {"string": json.dumps(answer)},
        },
    }


def write_suite(folder: Path, count: int, *, retried: bool) -> None:
    """Write the tests and a cassette for each."""
    cassettes = folder / "cassettes" / "test_chats"
    cassettes.mkdir(parents=True)
    refused = [exchange(429, {"retry-after": ["1"]})] if retried else []
    text = yaml.safe_dump({"version": 1, "interactions": [*refused, exchange(200, {})]})
    for number in range(count):
        (cassettes / f"test_chat[{number}].yaml").write_text(text)
    (folder / "test_chats.py").write_text(TEST.format(count=count))
    (folder / "pytest.ini").write_text("[pytest]\n")


def run(folder: Path, arguments: tuple[str, ...]) -> float:
    """Run the suite; returns seconds of processor time."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *arguments, "."]
    done = subprocess.run(
        command, cwd=folder, env={**os.environ, "CI": "true"}, capture_output=True, text=True, check=False
    )
    if done.returncode:
        sys.exit(done.stdout + done.stderr)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def measure(name: str, count: int, rounds: int, *, retried: bool) -> None:
    """Print what one suite costs each way."""
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        write_suite(folder, count, retried=retried)
        found: dict[str, float] = {}
        for _ in range(rounds):
            for way, arguments in WAYS.items():
                found[way] = min(found.get(way, float("inf")), run(folder, arguments))
    theirs, ours = found.values()
    for way, seconds in found.items():
        print(f"{name:<34} {way:<22} {seconds:>7.2f} s  {seconds / count * 1000:>6.1f} ms a test")
    verdict = "held" if ours <= theirs * BAR else "missed"
    print(f"{name:<34} {ours / theirs:.2f} times pytest-recording; bar {BAR}: {verdict}\n")


def main() -> None:
    """Measure both suites."""
    short = "--short" in sys.argv[1:]
    count, rounds = (50, 1) if short else (500, 3)
    measure(f"{count} tests", count, rounds, retried=False)
    if not short:  # every test waits a second with pytest-recording
        measure("50 tests that are told to wait", 50, 1, retried=True)


if __name__ == "__main__":
    main()
