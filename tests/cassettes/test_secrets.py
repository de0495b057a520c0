"""No credential reaches the disk, wherever it was; and what reaches the disk is whole, whoever is killed."""

import os
import subprocess
import sys
from pathlib import Path
from urllib.parse import unquote, unquote_plus

import pytest
from hypothesis import HealthCheck, given, settings

from llmtest.cassettes import (
    Cassette,
    CassetteFileError,
    Document,
    Interaction,
    RecordedRequest,
    RecordedResponse,
    Redactor,
)
from tests.cassettes.planting import CHAT, ENVIRONMENT, PLACES, plantings

REDACTOR = Redactor(ENVIRONMENT)
KEY = "my-own-proxy-key-123"


def saved(path, interaction, redactor=REDACTOR):
    """Record one exchange and save it; return the text of the file."""
    cassette = Cassette(path, "rewrite", redactor=redactor, keep_failures=True)
    cassette.record(interaction)
    assert cassette.save()
    return path.read_text(encoding="utf-8")


def said(interaction):
    """Return everything that an exchange says, as texts, and what they say to who decodes them."""
    request, response = interaction.request, interaction.response
    headers = [value for part in (request, response) for values in part.headers.values() for value in values]
    bodies = [part.body.decode() for part in (request, response)]
    texts = [request.method, request.uri, response.reason, response.error, *headers, *bodies]
    once = [unquote_plus(text) for text in texts]
    return [*texts, *once, *map(unquote, once)]


@pytest.mark.slow
@pytest.mark.parametrize("place", PLACES)
def test_no_credential_reaches_the_disk(tmp_path, place):
    """By name, by shape, by value of the environment, however it is escaped; and the pieces still add up."""

    @given(plantings((place,)))
    @settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow])
    def check(planting):
        interaction, secret, _ = planting
        text = saved(tmp_path / "a.yaml", interaction)
        kept = Document(text, "a.yaml")[0]
        for forbidden in secret.forbidden:
            assert forbidden not in text
            assert not [part for part in said(kept) if forbidden in part]
        assert sum(length for _, length in kept.response.chunks) == (
            len(kept.response.body) if interaction.response.chunks else 0
        )
        assert b"".join(data for _, data in kept.response.pieces()) == kept.response.body
        replay = Cassette(tmp_path / "a.yaml", redactor=REDACTOR)
        assert replay.answer(interaction.request) is not None

    check()


# A credential that a stream brings in two events stands in no text; it is found in what the events say together, and
# replaced where it begins.


def stream(line, *pieces):
    """Make an exchange with a streamed answer, one line for each piece of text."""
    body = "".join(line.replace("TEXT", piece) for piece in pieces).encode()
    headers = {"content-type": ["text/event-stream"]}
    return Interaction(RecordedRequest("POST", CHAT), RecordedResponse(200, "OK", headers, body))


STREAMS = {
    "choices[0].delta.content": 'data: {"choices":[{"index":0,"delta":{"content":"TEXT"}}]}\n\n',
    "delta.partial_json": 'event: x\ndata: {"index":1,"delta":{"type":"input_json_delta","partial_json":"TEXT"}}\n\n',
    "delta": 'data: {"type":"response.output_text.delta","delta":"TEXT"}\n\n',
    "message.content": '{"message":{"role":"assistant","content":"TEXT"}}\n',
}


@pytest.mark.parametrize("field", STREAMS)
def test_a_value_of_the_environment_in_pieces_is_replaced(tmp_path, field):
    """Whoever's stream it is, the value stands in no file, and what was said around it does."""
    text = saved(tmp_path / "a.yaml", stream(STREAMS[field], "It is ", KEY[:8], KEY[8:], "."))
    assert KEY[:8] not in text
    assert KEY[8:] not in text
    assert "It is " in text
    assert "<OPENAI_API_KEY>" in text


class Forgetful(Redactor):
    """Redacts nothing, and still knows a credential when it sees one."""

    def header(self, name, value):
        return value

    def url(self, url):
        return url

    def text(self, text):
        return text

    def spans(self, text):
        return []

    def find(self, text):
        return REDACTOR.find(text)


PLANTED = {
    "request.uri": {"uri": f"{CHAT}?note={KEY}"},
    "request.headers.x-note": {"sent": {"x-note": [KEY]}},
    "request.body.messages[1].content": {"body": b'{"messages":[{"content":"a"},{"content":"my-own-proxy-key-123"}]}'},
    "request.body": {"body": b"note=my-own-proxy-key-123"},
    "response.headers.X-Note": {"came": {"X-Note": ["a", KEY]}},
    "response.body.choices[0].text": {"answer": b'{"choices":[{"text":"my-own-proxy-key-123"}]}'},
    "response.body, event 2, text": {"answer": b'data: {}\n\ndata: {"text":"my-own-proxy-key-123"}\n\n'},
}


@pytest.mark.parametrize("place", PLANTED)
def test_the_last_scan_refuses_what_redaction_missed_and_names_the_place(tmp_path, place):
    """The error says where the credential is and whose, never what; nothing is written."""
    planted = PLANTED[place]
    interaction = Interaction(
        RecordedRequest("POST", planted.get("uri", CHAT), planted.get("sent", {}), planted.get("body", b"")),
        RecordedResponse(200, "OK", planted.get("came", {}), planted.get("answer", b"")),
    )
    path = tmp_path / "a.yaml"
    with pytest.raises(CassetteFileError) as caught:
        saved(path, interaction, Forgetful(ENVIRONMENT))
    assert str(caught.value) == (
        f"{path}: not saved: `{place}` of interaction 1 would hold a credential (OPENAI_API_KEY)."
    )
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("side", ["request", "response"])
def test_the_last_scan_knows_headers_by_name(tmp_path, side):
    """A redactor that knows further headers is asked once more before the file is written."""

    class Careless(Redactor):
        def header(self, name, value):
            self.asked = getattr(self, "asked", 0) + 1
            return value if self.asked == 1 else "<redacted>"

    interaction = Interaction(RecordedRequest("POST", CHAT), RecordedResponse(200))
    getattr(interaction, side).headers["x-tenant"] = ["acme"]
    path = tmp_path / "a.yaml"
    with pytest.raises(CassetteFileError) as caught:
        saved(path, interaction, Careless({}))
    assert str(caught.value) == (
        f"{path}: not saved: `{side}.headers.x-tenant` of interaction 1 would hold a credential (by its name)."
    )


@pytest.mark.parametrize(
    "text",
    [
        "a basic introduction to basic arithmetic",
        "Bearer authentication, bearer instruments",
        "Authorization: Bearer YOUR_API_KEY",
        "task-management-system-design",
        "desk-research-and-more-of-it",
        "the flask-sqlalchemy-extension",
    ],
)
def test_prose_is_not_mistaken_for_a_credential(text):
    """A recorded answer that speaks of such things is replayed as it was."""
    assert REDACTOR.text(text) == text


def test_a_save_sweeps_up_after_processes_that_are_no_more(tmp_path):
    """What a living process writes stays, and so does whatever only looks alike."""
    ended = subprocess.run([sys.executable, "-c", "import os; print(os.getpid())"], capture_output=True, check=True)
    dead = tmp_path / f".a.yaml.{int(ended.stdout)}-1.tmp"
    others = [f".a.yaml.{os.getppid()}-1.tmp", ".a.yaml.notes-1.tmp", f".b.yaml.{int(ended.stdout)}-1.tmp"]
    for name in (dead.name, *others):
        (tmp_path / name).touch()
    saved(tmp_path / "a.yaml", stream(STREAMS["delta"], "x"))
    assert {path.name for path in tmp_path.iterdir()} == {"a.yaml", *others}


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="needs fork and SIGKILL")
def test_killing_the_process_while_it_saves_leaves_the_old_file_or_the_new_one(tmp_path):
    """200 processes die while they save; no file is ever torn, and the next save sweeps up after them."""
    script = Path(__file__).with_name("killed_saves.py")
    done = subprocess.run(
        [sys.executable, str(script), str(tmp_path)], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.stderr == ""
    facts = dict(line.split("=") for line in done.stdout.split())
    assert (facts["kills"], facts["torn"], facts["left"]) == ("200", "0", "0")
    assert int(facts["litter"]) > 20, "hardly a process died in the middle of a save, so this test has shown nothing"
    assert [path.name for path in tmp_path.iterdir()] == ["a.yaml"]


def test_the_text_of_the_file_is_scanned_as_a_whole(tmp_path):
    """What no single place holds is found in the text that would be written, and named by its line."""
    interaction = Interaction(RecordedRequest("POST", CHAT), RecordedResponse(200))
    path = tmp_path / "a.yaml"
    with pytest.raises(CassetteFileError) as caught:
        saved(path, interaction, Redactor({"TENANT_API_KEY": "interactions:"}))
    assert str(caught.value) == f"{path}: not saved: line 1 would hold a credential (TENANT_API_KEY)."
    assert not path.exists()
