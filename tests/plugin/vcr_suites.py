"""Small suites as people write them for pytest-recording, and the files that they play."""

import json
from pathlib import Path

import yaml

URL = "https://api.example.com/v1/ask"
JSON = {"content-type": ["application/json"]}


def exchange(sent=None, answer=None, *, url=URL, status=200, headers=None):
    """Return one recorded exchange as vcrpy writes it."""
    return {
        "request": {"method": "POST", "uri": url, "body": json.dumps(sent or {"a": 1}), "headers": JSON},
        "response": {
            "status": {"code": status, "message": "OK"},
            "headers": {**JSON, **(headers or {})},
            "body": {"string": json.dumps(answer or {"ok": True})},
        },
    }


def write(path: Path, *exchanges):
    """Write a cassette."""
    path.parent.mkdir(parents=True, exist_ok=True)
    data = {"version": 1, "interactions": list(exchanges)}
    path.write_text(json.dumps(data) if path.suffix == ".json" else yaml.safe_dump(data))


ASK = """
import httpx, httpx2, pytest

URL = "https://api.example.com/v1/ask"

def ask(body=None, url=URL, library=httpx2, **options):
    return library.post(url, json=body or {"a": 1}, **options).json()
"""

MARKER = (
    ASK
    + """
import socket
from vcr.errors import CannotOverwriteExistingCassetteException
from vcr.record_mode import RecordMode

@pytest.mark.vcr
@pytest.mark.parametrize("library", [httpx, httpx2], ids=["httpx", "httpx2"])
def test_another_body(library):
    assert ask({"a": 2}, library=library) == {"ok": True}

@pytest.mark.vcr(match_on=["method", "uri", "body"])
def test_the_body_is_compared_where_it_is_asked_for():
    assert ask({"a": 1}) == {"ok": True}
    with pytest.raises(CannotOverwriteExistingCassetteException):
        ask({"a": 2})

@pytest.mark.vcr("first.yaml", "second.yaml")
def test_several_files():
    assert [ask(url=f"{URL}/{name}")["from"] for name in ("own", "first", "second")] == ["own", "first", "second"]

@pytest.mark.vcr("third.yaml")
class TestClass:
    @pytest.mark.vcr("first.yaml")
    @pytest.mark.parametrize("name", ["a/b"])
    def test_markers_add_up(self, name, vcr):
        assert [ask(url=f"{URL}/{each}")["from"] for each in ("first", "third")] == ["first", "third"]
        assert vcr._path.endswith("TestClass.test_markers_add_up[a-b].yaml")

@pytest.mark.vcr
@pytest.mark.default_cassette("shared.yaml")
def test_another_name():
    assert ask()["from"] == "shared"

@pytest.mark.vcr(allow_playback_repeats=True)
@pytest.mark.default_cassette("shared.yaml")
def test_repeats(vcr):
    assert ask() == ask() == ask()
    assert vcr.play_count == 3

@pytest.mark.vcr
@pytest.mark.default_cassette("shared.yaml")
def test_the_object(vcr):
    assert (len(vcr), vcr.play_count, vcr.all_played, vcr.dirty, vcr.rewound) == (1, 0, False, False, True)
    assert vcr.record_mode == RecordMode.NONE
    assert (vcr.requests[0].uri, vcr.responses[0]["status"]["code"]) == (URL, 200)
    ask()
    assert vcr.all_played and vcr.play_count == 1

def test_without_a_marker(vcr, vcr_markers, vcr_config, record_mode, disable_recording):
    assert vcr is None and vcr_markers == [] and vcr_config == {}
    assert record_mode == "none" and disable_recording is False

def connect(host):
    with socket.socket() as connection:
        connection.connect((host, 1))

@pytest.mark.vcr(ignore_hosts=["1.2.3.4"], before_record_request=lambda request: request)
@pytest.mark.default_cassette("shared.yaml")
@pytest.mark.block_network
def test_what_is_not_played_is_blocked():
    assert ask()["from"] == "shared"
    with pytest.raises(RuntimeError, match="^Network is disabled for host '1.2.3.4'$"):
        connect("1.2.3.4")

@pytest.mark.block_network(allowed_hosts=["127.0.0.*"])
def test_hosts_that_are_allowed():
    with pytest.raises(ConnectionRefusedError):
        connect("127.0.0.1")
    with pytest.raises(RuntimeError, match="Network is disabled"):
        connect("1.2.3.4")
"""
)

CONFIG = (
    ASK
    + """
import gzip

@pytest.fixture(scope="module")
def vcr_config():
    return {
        "filter_headers": [("authorization", "HIDDEN")],
        "filter_query_parameters": ["key"],
        "filter_post_data_parameters": ["secret"],
        "match_on": ["method", "uri", "agent"],
        "before_record_response": counted,
        "decode_compressed_response": True,
        "serializer": "plain",
    }

def counted(response):
    response["headers"]["x-counted"] = ["1"]
    return response

@pytest.fixture(scope="module")
def vcr_cassette_dir(request):
    return str(request.node.path.parent / "elsewhere")

@pytest.fixture
def default_cassette_name(request):
    return "one_for_all"

@pytest.mark.vcr
def test_config(vcr):
    answer = httpx2.post(URL + "?key=sk-1", json={"a": 5, "secret": "x"}, headers={"authorization": "Bearer sk-1"})
    assert answer.json() == {"ok": True}
    assert answer.headers["x-counted"] == "1"
    assert vcr._path.endswith("elsewhere/one_for_all.plain")

@pytest.mark.vcr(match_on=["method", "path"], serializer="json")
@pytest.mark.parametrize("way", ["closest"])
def test_a_marker_goes_before_the_fixture(way, vcr):
    assert ask(url="https://other.example.com/v1/ask")["from"] == "json"
    assert vcr._path.endswith("elsewhere/one_for_all.json")
"""
)

CONFTEST = """
import json, pathlib

asked = []

def agent(one, other):
    asked.append(one.headers.get("user-agent"))
    return True

class Plain:
    @staticmethod
    def serialize(data):
        return "# plain\\n" + json.dumps(data)

    @staticmethod
    def deserialize(text):
        return json.loads(text.removeprefix("# plain\\n"))

def pytest_recording_configure(config, vcr):
    assert config.getoption("--record-mode") in (None, "none", "once", "rewrite", "new_episodes")
    vcr.register_matcher("agent", agent)
    vcr.register_serializer("plain", Plain)
"""

PERSISTER = """
from vcr.persisters.filesystem import FilesystemPersister

class Persister(FilesystemPersister):
    @classmethod
    def load_cassette(cls, path, serializer):
        requests, responses = super().load_cassette(str(path) + ".kept", serializer)
        return requests, responses

    @staticmethod
    def save_cassette(path, data, serializer):
        FilesystemPersister.save_cassette(str(path) + ".kept", data, serializer)

def pytest_recording_configure(config, vcr):
    vcr.register_persister(Persister)
"""

CLIENTS = """
import asyncio, http.client, json, os, urllib.request
import aiohttp, botocore.config, botocore.session, httpx, httpx2, pytest, requests, urllib3

BASE = os.environ["LIVE_URL"]
BODY = {"model": "m", "messages": [{"role": "user", "content": "Hi"}]}
TEXT = json.dumps(BODY)

def by_httpx():
    return httpx.post(f"{BASE}/ask", json=BODY).json()

def by_httpx2():
    return httpx2.post(f"{BASE}/ask", json=BODY).json()

def by_httpx2_async():
    async def ask():
        async with httpx2.AsyncClient() as client:
            return (await client.post(f"{BASE}/ask", json=BODY)).json()
    return asyncio.run(ask())

def by_requests():
    return requests.post(f"{BASE}/ask", json=BODY).json()

def by_urllib3():
    return json.loads(urllib3.PoolManager().request("POST", f"{BASE}/ask", body=TEXT).data)

def by_http_client():
    connection = http.client.HTTPConnection(BASE.split("/")[2])
    connection.request("POST", "/v1/ask", TEXT)
    answer = connection.getresponse().read()
    connection.close()
    return json.loads(answer)

def by_urllib():
    return json.loads(urllib.request.urlopen(urllib.request.Request(f"{BASE}/ask", TEXT.encode())).read())

def by_aiohttp():
    async def ask():
        async with aiohttp.ClientSession() as session:
            async with session.post(f"{BASE}/ask", json=BODY) as answer:
                return await answer.json()
    return asyncio.run(ask())

def by_botocore():
    options = botocore.config.Config(retries={"max_attempts": 1})
    client = botocore.session.Session().create_client(
        "bedrock-runtime", "us-east-1", endpoint_url=BASE, config=options,
        aws_access_key_id="x", aws_secret_access_key="y",
    )
    return json.loads(client.invoke_model(modelId="m", body=TEXT)["body"].read())

@pytest.mark.vcr
@pytest.mark.parametrize("ask", [each for name, each in globals().items() if name.startswith("by_")])
def test_client(ask, vcr):
    assert ask()["choices"][0]["message"]["content"] == "answer to Hi"
    assert len(vcr) == 1
"""

FROZEN = """
import datetime, freezegun, pytest, time

NEW_YEAR = datetime.datetime(2024, 1, 1)

@pytest.fixture
def frozen():
    with freezegun.freeze_time("2024-01-01"):
        yield

@pytest.mark.vcr
@freezegun.freeze_time("2024-01-01")
def test_decorated():
    assert datetime.datetime.now() == NEW_YEAR

@pytest.mark.vcr
def test_fixture(frozen):
    time.sleep(0.001)
    assert datetime.datetime.now() == NEW_YEAR

@freezegun.freeze_time("2024-01-01")
class TestClass:
    @pytest.mark.vcr
    def test_class(self):
        assert datetime.datetime.now() == NEW_YEAR
"""
