"""A recording proxy before an API: a second server of ours stands for the real one."""

import gzip
import json

import httpx2
import openai
import pytest

from llmtest import Simulation, faults, use_cassette
from llmtest.cli._serve_sessions import RecordedFromNow, refuse_mixture, speed_of
from llmtest.errors import CassetteFileError, ConfigurationError
from llmtest.serving import Server, served_world
from llmtest.serving._recording_proxy import target_of
from tests.simulation.recorded_sessions import asked

KEY = "sk-proj-0123456789abcdefghijklmnopqrstuvwxyz"


@pytest.fixture
def real():
    """The world of the API that stands for the real one, and its server."""
    world, _ = served_world(seed=1)
    with Server(world) as server:
        yield world, server


@pytest.fixture
def proxy(real, tmp_path):
    """A recording before it: the session and its server."""
    world, _ = served_world()
    session = RecordedFromNow(world, tmp_path / "made/session.yaml", real[1].base_url, keep_failures=False)
    with Server(world, forward=session.proxy) as server:
        yield session, server, tmp_path / "made/session.yaml"


def sdk(server, **options):
    """Return OpenAI's SDK before a server."""
    return openai.OpenAI(api_key=KEY, base_url=f"{server.base_url}/v1", max_retries=0, **options)


def test_what_passes_is_recorded_and_plays_without_the_api(real, proxy):
    """An answer and a stream reach the client as they are, and replay from the file, without a key in it."""
    world, there = real
    world.provider("openai").replies("Paris", "one two three")
    session, server, path = proxy
    with sdk(server) as client:
        live = client.chat.completions.create(**asked("Capital of France?")).choices[0].message.content
        stream = client.chat.completions.create(**asked("count", stream=True))
        heard = [chunk.choices[0].delta.content for chunk in stream if chunk.choices]
    assert (live, "".join(filter(None, heard))) == ("Paris", "one two three")
    assert [record.headers["authorization"] for record in world.provider("openai").requests] == [f"Bearer {KEY}"] * 2
    server.settle()
    assert session.save().startswith("recorded 2 answers in ")
    assert KEY not in path.read_text()
    with Simulation(), use_cassette(path) as cassette, sdk(there) as client:
        again = client.chat.completions.create(**asked("Capital of France?")).choices[0].message.content
        pieces = [
            piece.choices[0].delta.content for piece in client.chat.completions.create(**asked("count", stream=True))
        ]
    assert (again, pieces, cassette.played) == (live, heard, 2)


def test_a_stream_goes_through_piece_by_piece_with_its_times(real, proxy):
    """The first piece is there while the last has not been said; the file has when each came."""
    world, _ = real
    world.provider("openai").latency(ttft=0.0, tokens_per_second=50).replies("one two three four five six")
    session, server, path = proxy
    with (
        httpx2.Client(base_url=server.base_url) as http,
        http.stream("POST", "/v1/chat/completions", json=asked("count", stream=True)) as answer,
    ):
        times = [world.clock.now_ns() for _ in answer.iter_raw()]
    assert (times[-1] - times[0]) / 1e9 > 0.04
    server.settle()
    session.save()
    assert "chunks: [[" in path.read_text()


def test_the_control_plane_tells_what_was_recorded_and_what_it_costs(real, proxy):
    """Requests that went through are seen and counted, at who is at that address."""
    _, server, _ = proxy
    with httpx2.Client(base_url=server.base_url) as http:
        http.post("/v1/chat/completions", json=asked("Hi"))
        assert http.get("/_llmtest/costs").json()["calls"] == 1
        (seen,) = http.get("/_llmtest/requests").json()["requests"]
    assert (seen["outcome"], seen["model"], seen["path"]) == ("200", "gpt-4o", "/v1/chat/completions")
    assert len(real[0].provider("openai").requests) == 1


def test_refusals_pass_and_are_kept_only_where_that_is_asked(real, tmp_path):
    """A 429 met while recording is no part of the session; with `--keep-failures` it is."""
    world, there = real
    world.provider("openai").fails(faults.RateLimited(retry_after=3), times=2)
    for keeps, name in ((False, "without.yaml"), (True, "with.yaml")):
        mine, _ = served_world()
        session = RecordedFromNow(mine, tmp_path / name, there.base_url, keep_failures=keeps)
        with Server(mine, forward=session.proxy) as server, sdk(server) as client:
            with pytest.raises(openai.RateLimitError) as refused:
                client.chat.completions.create(**asked("Hi"))
            assert refused.value.response.headers["retry-after"] == "3"
        assert session.save().startswith("recorded 1 answer" if keeps else "recorded nothing")
        assert (tmp_path / name).exists() is keeps


def test_a_stream_that_breaks_breaks_here_too_and_is_recorded_so(real, proxy):
    """The client hears what came, then its connection breaks; the replay ends the same way."""
    world, _ = real
    world.provider("openai").fails(faults.StreamDropped(after_chunks=2))
    session, server, path = proxy
    with httpx2.Client(base_url=server.base_url) as http, pytest.raises(httpx2.RemoteProtocolError):
        http.post("/v1/chat/completions", json=asked("count", stream=True))
    server.settle()
    session.save()
    assert "RemoteProtocolError" in path.read_text()


def test_a_client_that_leaves_takes_its_request_along(real, proxy):
    """The real API is left too, though it would be silent for ever; what was heard is recorded as unfinished."""
    world, there = real
    world.provider("openai").fails(faults.StreamStalled(after_chunks=1))
    session, server, path = proxy
    with httpx2.stream("POST", f"{server.base_url}/v1/chat/completions", json=asked("c", stream=True)) as answer:
        next(answer.iter_raw())
    while server.tasks or there.tasks:
        server.settle()
        there.settle()
    session.save()
    assert "complete: false" in path.read_text()
    assert [record.outcome for record in world.provider("openai").requests] == ["stalled"]


def test_an_api_that_is_not_there_is_a_502_and_not_recorded(tmp_path):
    """The SDK is told who could not be reached, and need not ask again."""
    world, _ = served_world()
    session = RecordedFromNow(world, tmp_path / "session.yaml", "http://127.0.0.1:9", keep_failures=True)
    told = pytest.raises(openai.InternalServerError, match=r"127\.0\.0\.1:9 could not be reached: ConnectError")
    with Server(world, forward=session.proxy) as server, sdk(server) as client, told:
        client.chat.completions.create(**asked("Hi"))
    assert session.save() == f"recorded nothing; {tmp_path / 'session.yaml'} is as it was"


def test_what_the_file_has_of_other_requests_stays(real, tmp_path):
    """Recording again replaces the answers to the same requests, and keeps the others."""
    world, there = real
    path = tmp_path / "session.yaml"
    world.provider("openai").replies("old a", "old b", "new a")
    for words in ("ab", "a"):
        mine, _ = served_world()
        session = RecordedFromNow(mine, path, there.base_url, keep_failures=False)
        with Server(mine, forward=session.proxy) as server, sdk(server) as client:
            for word in words:
                client.chat.completions.create(**asked(word))
        session.save()
    text = path.read_text()
    assert ("old a" in text, "old b" in text, "new a" in text) == (False, True, True)


def test_a_compressed_answer_passes_as_it_is_and_is_kept_readable(tmp_path):
    """The client gets the bytes of the API, which it can read; the cassette has the text."""
    real_world, _ = served_world()

    class Real:
        async def __call__(self, exchange, send, line):
            body = gzip.compress(json.dumps({"said": "Grüße"}).encode(), mtime=0)
            headers = [(b"content-type", b"application/json"), (b"content-encoding", b"gzip")]
            await send({"type": "http.response.start", "status": 200, "headers": headers})
            await send({"type": "http.response.body", "body": body, "more_body": False})

        async def aclose(self):
            """Hold nothing."""

    mine, _ = served_world()
    with Server(real_world, forward=Real()) as there:
        session = RecordedFromNow(mine, tmp_path / "session.yaml", f"{there.base_url}/v2", keep_failures=False)
        with Server(mine, forward=session.proxy) as server:
            assert httpx2.get(f"{server.base_url}/now").json() == {"said": "Grüße"}
    session.save()
    text = (tmp_path / "session.yaml").read_text()
    assert "Grüße" in text
    assert f"{there.base_url}/v2/now" in text


def test_a_recording_that_could_not_be_kept_is_refused_before_it_begins(tmp_path):
    """A directory, a folder that is a file, a file of another tool, an address that is none."""
    world, _ = served_world()
    (tmp_path / "file").write_text("x")
    fixtures = tmp_path / "fixtures.json"
    fixtures.write_text(json.dumps({"fixtures": [{"match": {"userMessage": "Hi"}, "response": {"content": "Hello"}}]}))
    api = "https://api.example.com"
    for path, told in (
        (tmp_path, "is a directory"),
        (tmp_path / "file/session.yaml", "cannot be written"),
        (tmp_path / "file", "no cassette|not valid"),
        (fixtures, "aimock has recorded this file"),
    ):
        with pytest.raises(CassetteFileError, match=told):
            RecordedFromNow(world, path, api, keep_failures=False)
    for url in ("api.example.com", "ftp://a", "https://", "https://a?b=1", "https://u:p@a"):
        with pytest.raises(ConfigurationError, match="--to: "):
            target_of(url)


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"playing": {"--speed": "2"}}, "--speed is about a recorded session"),
        ({"recorded": {"--record": "x.yaml", "--to": None}}, "--record needs --to"),
        ({"recorded": {"--record": None, "--to": "https://a"}}, "--to needs --record"),
        ({"recording": {"--keep-failures": True}}, "--keep-failures is about a recording"),
        ({"simulated": {"--seed": 0}, "recorded": {"--record": "x", "--to": "y"}}, "--seed and --record do not go"),
        ({"played": {"--cassette": ["x"]}, "recorded": {"--record": "x", "--to": "y"}}, "--cassette and --record do"),
    ],
)
def test_options_that_mean_nothing_together_are_refused(given, told):
    """Each refusal names the options, and what to write."""
    names = ("simulated", "played", "playing", "recorded", "recording")
    with pytest.raises(ConfigurationError, match=told):
        refuse_mixture(**{name: given.get(name, {}) for name in names})


def test_a_speed_is_a_number_or_max():
    """Nothing, a negative one and words are refused with one that works."""
    assert (speed_of(None), speed_of("max"), speed_of("2.5")) == (1.0, None, 2.5)
    for text in ("0", "-1", "inf", "nan", "fast"):
        with pytest.raises(ConfigurationError, match="--speed 10"):
            speed_of(text)
