"""A recording proxy saves while it records, and is not put before itself."""

import logging
import os
import signal
import socket
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import httpx2
import openai
import pytest

from llmtest import Simulation, use_cassette
from llmtest.cassettes import Document
from llmtest.cli._serve import serve
from llmtest.cli._serve_sessions import RecordedFromNow
from llmtest.errors import CassetteFileError, ConfigurationError
from llmtest.serving import Server, served_world
from tests.simulation.recorded_sessions import asked


def answers_in(path):
    """Return how many answers a file has, which is whole whenever it is there."""
    if not path.exists():
        return 0
    return len(Document(path.read_text(), str(path)))


def await_answers(path, number):
    """Return when a file has so many answers."""
    while answers_in(path) < number:
        os.sched_yield()


@pytest.mark.slow
def test_what_was_answered_is_in_the_file_when_the_recording_is_killed(tmp_path):
    """`kill -9` in the middle of a stream: the answers before it are there, whole, and play."""
    path = tmp_path / "session.yaml"
    world, _ = served_world(seed=1)
    world.provider("openai").replies("Paris", "Rome", "never to its end")
    with Server(world, grace=0) as there:
        command = [sys.executable, "-m", "llmtest", "serve", "--port", "0", "--record", str(path), "--to"]
        with subprocess.Popen([*command, there.base_url], stdout=subprocess.PIPE, text=True) as process:
            try:
                url = process.stdout.readline().split()[-1]
                with openai.OpenAI(api_key="sk-x", base_url=f"{url}/v1", max_retries=0) as client:
                    for prompt in ("France?", "Italy?"):
                        client.chat.completions.create(**asked(prompt))
                    world.provider("openai").latency(ttft=0, tokens_per_second=0.001)
                    stream = client.chat.completions.create(**asked("Spain?", stream=True))
                    next(iter(stream))
                    await_answers(path, 2)
                    process.send_signal(signal.SIGKILL)
                    with pytest.raises(openai.APIConnectionError):
                        list(stream)
            finally:
                process.kill()
        assert answers_in(path) == 2
        with Simulation(), use_cassette(path), openai.OpenAI(api_key="x", base_url=f"{there.base_url}/v1") as client:
            said = [client.chat.completions.create(**asked(prompt)).choices[0] for prompt in ("France?", "Italy?")]
    assert [choice.message.content for choice in said] == ["Paris", "Rome"]


@pytest.fixture
def recording(tmp_path):
    """A recording before a server that generates: its session, the server to ask, and the file."""
    path = tmp_path / "session.yaml"
    world, _ = served_world(seed=1)
    mine, _ = served_world()
    with Server(world) as there:
        session = RecordedFromNow(mine, path, there.base_url, keep_failures=False)
        with Server(mine, forward=session.proxy) as server:
            yield session, server, path


def post(server, prompt):
    """Ask once."""
    return httpx2.post(f"{server.base_url}/v1/chat/completions", json=asked(prompt)).status_code


def test_saving_often_keeps_each_answer_once(recording):
    """Equal and other requests, many at once; the last save has what those before it had."""
    session, server, path = recording
    with ThreadPoolExecutor(4) as pool:
        assert set(pool.map(post, [server] * 6, ["a", "b", "a"] * 2)) == {200}
    await_answers(path, 6)
    assert post(server, "c") == 200
    await_answers(path, 7)
    assert session.save().startswith("recorded 7 answers")
    assert answers_in(path) == 7


def test_what_cannot_be_saved_is_told_once_and_raised_at_the_end(recording, caplog, monkeypatch):
    """A full disk does not stop the answers."""
    session, server, path = recording
    said = []

    def full(cassette):
        said.append(cassette.name)
        raise CassetteFileError("the disk is full")

    monkeypatch.setattr("llmtest.cassettes.Cassette.save", full)
    with caplog.at_level(logging.WARNING, "llmtest.serving"):
        for number in (1, 2):
            assert post(server, str(number)) == 200
            while len(said) < number:
                server.settle()
        server.stop()
    assert [record.getMessage() for record in caplog.records] == [f"{path}: not saved so far: the disk is full"]
    with pytest.raises(CassetteFileError, match="the disk is full"):
        session.save()


@pytest.mark.parametrize(
    ("host", "named"),
    [
        ("127.0.0.1", ["127.0.0.1", "localhost", "0.0.0.0"]),
        ("0.0.0.0", ["127.0.0.1", "127.0.0.2", "0.0.0.0", "localhost"]),
    ],
)
def test_an_address_of_the_server_itself_is_refused(host, named, tmp_path):
    """Under each name that leads to it, with and without a path; another port, and another machine, are not."""
    world, _ = served_world()
    server = Server(world, host)
    port = server.base_url.rpartition(":")[2]
    try:
        for name in named:
            for path in ("", "/v1"):
                to = f"http://{name}:{port}{path}"
                session = RecordedFromNow(world, tmp_path / "a.yaml", to, keep_failures=False)
                with pytest.raises(ConfigurationError) as refused:
                    session.proxy.refuse_itself(server)
                assert str(refused.value).startswith(f"--to: `{to}` is this server itself")
                assert "To fix: the address of the real API, as in --to https://" in str(refused.value)
        for to in ("http://127.0.0.1:9", "https://127.0.0.1", f"http://192.0.2.1:{port}", f"http://no.invalid:{port}"):
            RecordedFromNow(world, tmp_path / "a.yaml", to, keep_failures=False).proxy.refuse_itself(server)
    finally:
        server.stop()


def test_the_command_refuses_to_record_itself(tmp_path):
    """Nothing is served, and no file is made."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = str(probe.getsockname()[1])
    with pytest.raises(ConfigurationError, match=f"^--to: `http://localhost:{port}/v1` is this server itself"):
        serve(port=int(port), record=tmp_path / "a.yaml", to=f"http://localhost:{port}/v1")
    assert list(tmp_path.iterdir()) == []
