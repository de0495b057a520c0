"""What others recorded with vcrpy replays byte for byte, through both libraries, and the official SDKs read it."""

import json
import warnings
from functools import cache
from pathlib import Path

import anthropic
import httpx
import httpx2
import openai
import pytest
import yaml

from llmtest import use_cassette
from tests.wire.wire_recordings import RECORDINGS, body_of, interactions, needs_recordings

FILES = sorted(RECORDINGS.rglob("*.yaml"))
LIBRARIES = pytest.mark.parametrize("library", [httpx, httpx2], ids=lambda library: library.__name__)


@cache
def recorded(file):
    """Return the interactions of a file, read by PyYAML alone."""
    return yaml.load(file.read_text(), yaml.CSafeLoader)["interactions"]


@pytest.fixture(scope="module")
def clients():
    """One client of each library for all tests: making one costs more than asking it."""
    with httpx.Client() as old, httpx2.Client() as new:
        yield {httpx: old, httpx2: new}


@needs_recordings
def test_all_the_recordings_are_there():
    """The tests below are made from what is there; this one notices when it is less."""
    assert len(FILES) == 263
    assert sum(len(recorded(file)) for file in FILES) == 770
    assert len(interactions()) == 205


@needs_recordings
@LIBRARIES
@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(RECORDINGS)))
def test_every_recorded_interaction_replays_byte_for_byte(file, library, clients):
    """Sent in recorded order, each request gets its own answer: the same status and the same bytes."""
    client = clients[library]
    with use_cassette(file) as cassette:
        for one in recorded(file):
            request, response = one["request"], one["response"]
            with client.stream(request["method"], request["uri"], content=body_of(request)) as answer:
                assert answer.status_code == response["status"]["code"]
                assert b"".join(answer.iter_raw()) == body_of(response)
    assert cassette.unplayed == []


@needs_recordings
@pytest.mark.parametrize("one", interactions() if RECORDINGS.is_dir() else (), ids=str)
def test_every_chat_is_read_by_its_sdk(one, clients):
    """OpenAI's and Anthropic's SDKs read what is replayed: answers, streams to their end, and errors."""
    file = RECORDINGS / one.file
    uri = recorded(file)[one.number]["request"]["uri"].partition("?")[0].partition("#")[0]
    ask = _ask_anthropic if one.dialect == "anthropic" else _ask_openai
    client = clients[httpx2]
    with use_cassette(file) as cassette, warnings.catch_warnings():
        for earlier in recorded(file)[: one.number]:  # equal requests get their answers in turn
            client.request(earlier["request"]["method"], earlier["request"]["uri"], content=body_of(earlier["request"]))
        warnings.simplefilter("ignore")  # the SDKs warn that the models of then are old
        status = ask(client, uri, dict(one.request))
    assert status == one.status
    assert cassette.played == one.number + 1


def _ask_openai(http, uri, body):
    """Send a recorded body with OpenAI's SDK and read the answer whole; returns its status."""
    base_url = uri.removesuffix("/chat/completions")
    client = openai.OpenAI(base_url=base_url, api_key="k", max_retries=0, http_client=http)
    rest = {name: value for name, value in body.items() if name not in {"model", "messages", "stream"}}
    given = {name: body[name] for name in ("model", "messages") if name in body}
    stream = bool(body.get("stream"))
    try:
        answer = client.chat.completions.create(
            **{"model": openai.omit, **given}, stream=stream if "stream" in body else openai.omit, extra_body=rest
        )
        chunks = list(answer) if stream else [answer]
    except openai.APIStatusError as error:
        return error.status_code
    assert any(chunk.choices for chunk in chunks)
    return 200


def _ask_anthropic(http, uri, body):
    """Send a recorded body with Anthropic's SDK and read the answer whole; returns its status."""
    base_url = uri.removesuffix("/v1/messages")
    client = anthropic.Anthropic(base_url=base_url, api_key="k", max_retries=0, http_client=http)
    rest = {name: value for name, value in body.items() if name not in {"model", "messages", "max_tokens", "stream"}}
    stream = bool(body.get("stream"))
    try:
        answer = client.messages.create(
            model=body["model"],
            messages=body["messages"],
            max_tokens=body["max_tokens"],
            stream=stream if "stream" in body else anthropic.omit,
            extra_body=rest,
        )
        events = list(answer) if stream else [answer]
    except anthropic.APIStatusError as error:
        return error.status_code
    assert events[-1].type == ("message_stop" if stream else "message")
    return 200


def test_a_json_cassette_of_vcrpy_replays(tmp_path):
    """Files of vcrpy's JSON serializer are read as they are."""
    path = Path(tmp_path / "a.json")
    interaction = {
        "request": {"method": "GET", "uri": "https://api.openai.com/v1/models", "body": None, "headers": {}},
        "response": {"status": {"code": 200, "message": "OK"}, "headers": {}, "body": {"string": '{"data": []}'}},
    }
    path.write_text(json.dumps({"version": 1, "interactions": [interaction]}))
    with use_cassette(path):
        assert httpx2.get("https://api.openai.com/v1/models").json() == {"data": []}
