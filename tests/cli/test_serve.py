"""`llmtest serve`: its first line, its files, how it stops, and what it says where it cannot start."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from contextlib import contextmanager

import pytest

CHAT = {"model": "gpt-4o", "messages": [{"role": "user", "content": "Hi"}]}


def command(*arguments):
    """Return the command line."""
    return [sys.executable, "-m", "llmtest", "serve", "--port", "0", *arguments]


@contextmanager
def serving(*arguments, cwd=None):
    """Run the command until the context closes; the URL is what its first line says."""
    process = subprocess.Popen(command(*arguments), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=cwd)
    try:
        line = process.stdout.readline()
        assert line.startswith("llmtest serving on http://"), line + process.stderr.read()
        yield process, line.removeprefix("llmtest serving on ").strip()
    finally:
        if process.poll() is None:
            process.terminate()
        process.communicate(timeout=10)


def post(url, path, body=None):
    """Send one request and return status and parsed body."""
    data = None if body is None else json.dumps(body).encode()
    try:
        with urllib.request.urlopen(urllib.request.Request(url + path, data), timeout=10) as answer:
            return answer.status, json.loads(answer.read())
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.loads(error.read())


@pytest.mark.slow
def test_it_serves_at_once_and_the_same_every_time():
    """Without any file every provider answers; the same seed gives the same text."""
    texts = []
    for seed in ("1", "1", "2"):
        with serving("--seed", seed) as (_, url):
            assert url.startswith("http://127.0.0.1:")
            status, answer = post(url, "/v1/chat/completions", CHAT)
            assert status == 200
            texts.append(answer["choices"][0]["message"]["content"])
    assert texts[0] == texts[1] != texts[2]


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["SIGINT", "SIGTERM"])
def test_it_stops_within_two_seconds_with_streams_open(number, tmp_path):
    """A signal ends it with status 0 and nothing on standard error, even while somebody reads a stream."""
    (tmp_path / "script.yaml").write_text("openai: [{fails: {stream_stalled: {after_chunks: 1}}}]")
    with serving("--script", "script.yaml", cwd=tmp_path) as (process, url):
        host, port = url.removeprefix("http://").split(":")
        body = json.dumps({**CHAT, "stream": True}).encode()
        with socket.create_connection((host, int(port)), timeout=5) as line:
            head = f"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n\r\n"
            line.sendall(head.encode() + body)
            assert line.recv(100).startswith(b"HTTP/1.1 200")
            begun = time.monotonic()
            process.send_signal(number)
            out, err = process.communicate(timeout=5)
        assert time.monotonic() - begun < 2
    assert (process.returncode, out, err) == (0, "", "")


@pytest.mark.slow
def test_a_script_and_a_scenario_at_once(tmp_path):
    """A scenario brings faults, quotas and its seed; a script brings the answers."""
    (tmp_path / "script.json").write_text(json.dumps({"openai": [{"replies": "Paris", "times": "forever"}]}))
    (tmp_path / "scenario.yaml").write_text(
        """
version: 1
name: noise
seed: 7
providers: {openai: {model: gpt-4o}, mine: {dialect: anthropic, limits: {rpm: 1}}}
target: app:ask
load: {rate: 1/s, duration: 1s}
faults:
  - {name: first, where: {provider: openai}, when: {calls: {last: 1}}, what: {server_error: {status: 503}}}
  - {name: later, at: 1h, where: {provider: openai}, what: overloaded}
"""
    )
    arguments = ("--script", "script.json", "--scenario", "scenario.yaml")
    with serving(*arguments, cwd=tmp_path) as (_, url):
        assert post(url, "/_llmtest/health")[1]["seed"] == 7
        for _ in range(2):
            assert post(url, "/v1/chat/completions", CHAT)[0] == 503
            status, answer = post(url, "/v1/chat/completions", CHAT)
            assert (status, answer["choices"][0]["message"]["content"]) == (200, "Paris")
            asked = [post(url, "/mine/v1/messages", {**CHAT, "max_tokens": 5})[0] for _ in range(2)]
            assert asked == [200, 429]
            assert post(url, "/_llmtest/reset", {})[0] == 200


@pytest.mark.slow
def test_a_session_is_recorded_until_ctrl_c_and_served_from_its_file(tmp_path):
    """SIGINT saves what went through and says what it cost; another server answers from the file alone."""
    with serving() as (_, real), serving("--record", "session.yaml", "--to", real, cwd=tmp_path) as (process, url):
        status, live = post(url, "/v1/chat/completions", CHAT)
        assert status == 200
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=10)
    assert (process.returncode, out, err) == (0, "recorded 1 answer in session.yaml: $0 and 1 of unknown price\n", "")
    with serving("--cassette", "session.yaml", "--speed", "max", "--repeat", cwd=tmp_path) as (_, url):
        assert [post(url, "/v1/chat/completions", CHAT) for _ in range(2)] == [(200, live)] * 2
        assert post(url, "/v1/chat/completions", {**CHAT, "model": "gpt-4"})[0] == 500


def failing(*arguments, cwd=None, environment=None):
    """Run the command where it cannot start."""
    done = subprocess.run(
        [sys.executable, "-m", "llmtest", "serve", *arguments],
        capture_output=True,
        text=True,
        cwd=cwd,
        env=environment,
        timeout=30,
        check=False,
    )
    assert (done.returncode, done.stdout) == (2, "")
    return done.stderr


@pytest.mark.slow
def test_a_busy_port_is_one_readable_block():
    """A port that is taken is said so, without a traceback."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert failing("--port", str(port)) == (
            f"ConfigurationError: port {port} of 127.0.0.1 is taken: another program listens there.\n\n"
            "To fix: stop that program, or take another port; --port 0 picks a free one\n"
        )


@pytest.mark.slow
def test_what_cannot_be_listened_on():
    """A port that does not exist and a host that is none of this machine's are one block each."""
    assert failing("--port", "70000").startswith("ConfigurationError: port 70000 does not exist.\n\nTo fix: ")
    assert failing("--host", "192.0.2.1").startswith("ConfigurationError: cannot listen on 192.0.2.1, port 4010: ")
    assert failing("--host", "no such host").startswith("ConfigurationError: `no such host` is no address of this ")


@pytest.mark.slow
def test_a_wrong_script_is_named_with_its_line(tmp_path):
    """A script with a mistake stops the command before it listens."""
    (tmp_path / "script.yaml").write_text("openai:\n  - fails: rate_limit\n")
    assert failing("--script", "script.yaml", cwd=tmp_path).startswith(
        "ScenarioError: script.yaml:2: `openai[0].fails`: unknown fault `rate_limit`. Did you mean `rate_limited`?"
    )
    assert failing("--script", "scrip.yaml", cwd=tmp_path) == (
        "ScenarioError: scrip.yaml: no such file. Did you mean `script.yaml`?\n"
    )


@pytest.mark.slow
def test_a_missing_extra_is_named(tmp_path):
    """Without the extra, the command says how to install it, which no index has."""
    (tmp_path / "sitecustomize.py").write_text("import sys; sys.modules['uvicorn'] = None")
    stderr = failing(environment={**os.environ, "PYTHONPATH": str(tmp_path)})
    assert stderr == (
        "ConfigurationError: the server needs `uvicorn`, which is not installed.\n\n"
        "To fix: pip install -e '.[server]', in a checkout of llmtest\n"
    )


@pytest.mark.slow
def test_other_machines_are_let_in_knowingly():
    """An address that other machines reach is taken, with a warning."""
    with serving("--host", "0.0.0.0") as (process, url):
        assert url.startswith("http://0.0.0.0:")
        process.terminate()
        _, err = process.communicate(timeout=10)
    assert err.startswith(f"warning: {url} can be reached from other machines; ")


@pytest.mark.slow
def test_streams_are_cut_as_the_option_says():
    """Each piece is a chunk of its own on the wire; a mode that does not exist is one line, and exit status 2."""
    body = json.dumps({**CHAT, "stream": True}).encode()
    with serving("--fragmentation", "16") as (_, url):
        host, _, port = url.removeprefix("http://").partition(":")
        with socket.create_connection((host, int(port)), timeout=10) as line:
            head = f"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ncontent-length: {len(body)}\r\n"
            line.sendall(head.encode() + b"connection: close\r\n\r\n" + body)
            received = b"".join(iter(lambda: line.recv(65536), b""))
    chunks = received.partition(b"\r\n\r\n")[2].split(b"\r\n")[:-4:2]
    assert set(chunks[:-1]) == {b"10"}
    stderr = failing("--fragmentation", "randm")
    assert "Did you mean `random`?" in stderr
    assert "Traceback" not in stderr


@pytest.mark.slow
@pytest.mark.parametrize("verbose", [False, True], ids=["quiet", "verbose"])
def test_e03_the_log_tells_of_what_nobody_serves(verbose):
    """A path that nobody serves is on the log and in the list of requests; --verbose tells of every request."""
    with serving(*(["--verbose"] if verbose else [])) as (process, url):
        assert post(url, "/v1/chat/completions", CHAT)[0] == 200
        assert post(url, "/v1/assistants", CHAT)[0] == 404
        with urllib.request.urlopen(f"{url}/_llmtest/requests", timeout=10) as answer:
            listed = [(each["operation"], each["path"]) for each in json.loads(answer.read())["requests"]]
        process.terminate()
        told = process.communicate(timeout=10)[1].splitlines()
    assert listed == [("chat", "/v1/chat/completions"), ("unserved", "/v1/assistants")]
    assert "POST /v1/assistants is served by nobody: 404" in told
    assert ("POST /v1/chat/completions: 200" in told) == verbose
