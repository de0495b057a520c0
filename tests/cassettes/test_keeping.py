"""What is kept is redacted, ordered and whole."""

import gzip
import json
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmtest.cassettes import CassetteFileError, write_document
from llmtest.cassettes._cassette import Cassette
from llmtest.cassettes._interactions import Interaction, RecordedRequest, RecordedResponse
from llmtest.cassettes._redaction import Redactor
from llmtest.cassettes._saving import redact_interaction
from llmtest.errors import CassetteMismatchError, ConfigurationError

URL = "https://api.openai.com/v1/chat/completions"
REDACTOR = Redactor({"OPENAI_API_KEY": "my-own-proxy-key-123"})
SECRETS = ["sk-ant-api03-abcdefghijklmnop", "AKIAIOSFODNN7EXAMPLE", "my-own-proxy-key-123", "hf_abcdefghijklmnopqrstuv"]


def ask(sent_body, **response):
    """Make an interaction that sends `sent_body` and gets `response`."""
    sent = RecordedRequest("POST", URL, {"authorization": ["Bearer sk-x"]}, json.dumps(sent_body).encode())
    return Interaction(sent, RecordedResponse(**{"status": 200, "body": b"{}", **response}))


def cassette(path, mode="none", **options):
    """Open a cassette with the tests' redactor."""
    return Cassette(path, mode, redactor=REDACTOR, rerun="tests/test_a.py::test_b", **options)


@given(
    st.lists(st.binary(max_size=12) | st.sampled_from([f" {secret} ".encode() for secret in SECRETS]), max_size=8),
    st.lists(st.integers(0, 60), max_size=6),
)
def test_the_pieces_of_a_redacted_stream_still_add_up(parts, cuts):
    """Wherever secrets stand and chunks were cut, the sizes fit the new text and keep their order."""
    body = b"".join(parts)
    edges = sorted({0, len(body), *(cut for cut in cuts if cut < len(body))})
    chunks = tuple((at, end - start) for at, (start, end) in enumerate(pairwise(edges)))
    kept = redact_interaction(ask({}, body=body, chunks=chunks), REDACTOR).response
    assert not [secret for secret in SECRETS if f" {secret} ".encode() in kept.body]
    assert b"".join(data for _, data in kept.pieces()) == kept.body
    assert sum(length for _, length in kept.chunks) == (len(kept.body) if chunks else 0)


@given(st.sampled_from(SECRETS), st.sampled_from(["uri", "request header", "response header", "request", "response"]))
def test_no_secret_reaches_the_disk(tmp_path_factory, secret, place):
    """Planted anywhere, in either direction, a credential is not in the file."""
    path = tmp_path_factory.mktemp("tape") / "a.yaml"
    interaction = ask({"text": f"a {secret} b"} if place == "request" else {})
    if place == "uri":
        interaction.request.uri += f"?note={secret}"
    elif place == "request header":
        interaction.request.headers["x-note"] = [secret]
    elif place == "response header":
        interaction.response.headers["x-note"] = [secret]
    elif place == "response":
        interaction.response.body = json.dumps({"text": secret}).encode()
    tape = cassette(path, "once")
    tape.record(interaction)
    assert tape.save()
    text = path.read_text()
    assert secret not in text
    assert "sk-x" not in text
    assert cassette(path).answer(interaction.request) is not None


def test_identical_requests_are_answered_in_recorded_order(tmp_path):
    """429 then 200 comes back as 429 then 200, and a third call is told that both have been played."""
    path = tmp_path / "a.yaml"
    tape = cassette(path, "once", keep_failures=True)
    tape.record(ask({"a": 1}, status=429))
    tape.record(ask({"a": 1}, status=200))
    tape.save()
    replay = cassette(path)
    request = ask({"a": 1}).request
    assert [replay.answer(request).response.status for _ in range(2)] == [429, 200]
    with pytest.raises(CassetteMismatchError) as caught:
        replay.answer(request)
    assert str(caught.value) == (
        f"{path} answers this request 2 times, and that many answers have been played.\n\n"
        f"  POST {URL}\n\n"
        "The code under test made one call more than when the session was recorded.\n"
        "To fix: if that is on purpose, record it again: pytest --llmtest-record=rewrite tests/test_a.py::test_b"
    )


def test_a_miss_names_the_closest_interaction_and_the_fields(tmp_path):
    """What differs is said by JSON path, with the two ways out."""
    path = tmp_path / "a.yaml"
    tape = cassette(path, "once")
    tape.record(ask({"model": "a", "temperature": 0.0, "messages": [1]}))
    tape.record(ask({"model": "b", "temperature": 0.5, "messages": [2]}))
    tape.save()
    with pytest.raises(CassetteMismatchError) as caught:
        cassette(path).answer(ask({"model": "a", "temperature": 1.0, "messages": [1]}).request)
    assert str(caught.value) == (
        f"no interaction in {path} matches this request; the closest, number 1, differs in `body.temperature`.\n\n"
        f"  POST {URL}\n"
        "  body.temperature: recorded 0.0, sent 1.0\n"
        "  (compared: method, host, path, body without `user`, `metadata`, `safety_identifier`, `prompt_cache_key`)\n\n"
        "To fix, one of:\n"
        "  1. record it again: pytest --llmtest-record=rewrite tests/test_a.py::test_b\n"
        '  2. ignore the field: @pytest.mark.llm_cassette(match_on={"body": {"ignore": ["temperature"]}})'
    )


def test_no_file_says_how_to_record(tmp_path):
    """The default mode never records by accident, and says what would."""
    with pytest.raises(CassetteMismatchError) as caught:
        cassette(tmp_path / "a.yaml").answer(ask({}).request)
    assert str(caught.value) == (
        f"there is no cassette {tmp_path / 'a.yaml'} to answer this request.\n\n"
        f"  POST {URL}\n\n"
        "To fix: record it, which calls the provider and may cost money: "
        "pytest --llmtest-record=once tests/test_a.py::test_b"
    )


@pytest.mark.parametrize(
    ("mode", "exists", "answers"),
    [
        ("none", True, "plays"),
        ("once", True, "plays"),
        ("once", False, "records"),
        ("new_episodes", True, "plays"),
        ("new_episodes", False, "records"),
        ("all", True, "records"),
        ("rewrite", True, "records"),
    ],
)
def test_each_mode_plays_or_records(tmp_path, mode, exists, answers):
    """The words of vcrpy keep their meaning."""
    path = tmp_path / "a.yaml"
    if exists:
        first = cassette(path, "once")
        first.record(ask({}))
        first.save()
    answered = cassette(path, mode).answer(ask({}).request)
    assert ("records" if answered is None else "plays") == answers


def test_a_cassette_makes_the_folders_it_lies_in(tmp_path):
    """A first recording needs no folder prepared, however deep it is to lie."""
    path = tmp_path / "cassettes" / "test_module" / "test_name.yaml"
    tape = cassette(path, "once")
    tape.record(ask({}))
    assert tape.save()
    assert cassette(path).answer(ask({}).request) is not None


def test_all_replaces_what_it_records_and_rewrite_replaces_everything(tmp_path):
    """`all` keeps the interactions it did not meet; `rewrite` keeps nothing."""
    path = tmp_path / "a.yaml"
    first = cassette(path, "once")
    first.record(ask({"a": 1}, body=b"old"))
    first.record(ask({"b": 1}, body=b"old"))
    first.save()
    for mode, bodies in (("all", [b"old", b"new"]), ("rewrite", [b"new"])):
        tape = cassette(path, mode)
        assert tape.answer(ask({"a": 1}).request) is None
        tape.record(ask({"a": 1}, body=b"new"))
        tape.save()
        replay = cassette(path, "new_episodes")
        found = [replay.answer(ask(body).request) for body in ({"b": 1}, {"a": 1})]
        assert [item.response.body for item in found if item is not None] == bodies


@pytest.mark.parametrize("status", [429, 500, 529])
def test_failures_are_not_recorded_unless_asked(tmp_path, status):
    """A rate limit met while recording is no part of the session."""
    tape = cassette(tmp_path / "a.yaml", "once")
    tape.record(ask({}, status=status))
    assert not tape.save()
    tape = cassette(tmp_path / "a.yaml", "once", keep_failures=True)
    tape.record(ask({}, status=status))
    assert tape.save()


def test_edited_text_is_found_by_what_it_says(tmp_path):
    """Whoever edits a request in the file need not know of keys."""
    path = tmp_path / "a.yaml"
    tape = cassette(path, "once")
    tape.record(ask({"model": "a"}))
    tape.save()
    path.write_text(path.read_text().replace('"model": "a"', '"model": "b"'))
    assert cassette(path).answer(ask({"model": "b"}).request) is not None
    with pytest.raises(CassetteMismatchError):
        cassette(path).answer(ask({"model": "a"}).request)


def test_a_folder_that_cannot_be_written_is_one_clear_error(tmp_path):
    """Where the folder cannot be made, nothing changes and the text says so."""
    (tmp_path / "tapes").write_text("a file, no folder")
    tape = cassette(tmp_path / "tapes" / "a.yaml", "once")
    tape.record(ask({}))
    with pytest.raises(CassetteFileError) as caught:
        tape.save()
    assert str(caught.value) == (
        f"{tmp_path / 'tapes' / 'a.yaml'}: the cassette cannot be written: File exists. Nothing was changed; make the "
        "folder writable, or record where it is."
    )


def test_an_unknown_mode_is_named(tmp_path):
    """A misspelt mode lists the known ones."""
    with pytest.raises(ConfigurationError) as caught:
        cassette(tmp_path / "a.yaml", "always")
    assert (
        str(caught.value)
        == "unknown cassette mode `always`. Known modes: none, once, new_episodes, all, rewrite, verify."
    )


def test_a_compressed_request_is_kept_and_matched_by_what_it_says(tmp_path):
    """The bytes of gzip hold the time, the text can be reviewed and redacted; vcrpy's compressed ones match too."""
    body = b'{"model":"m","note":"my-own-proxy-key-123"}'
    sent = [
        RecordedRequest("POST", URL, {"Content-Encoding": ["gzip"]}, gzip.compress(body, mtime=time)) for time in (1, 2)
    ]
    path = tmp_path / "a.yaml"
    tape = cassette(path, "once")
    tape.record(Interaction(sent[0], RecordedResponse(200)))
    assert tape.save()
    assert '"note": "<OPENAI_API_KEY>"' in path.read_text()
    assert "ncoding" not in path.read_text()
    assert cassette(path).answer(sent[1]) is not None
    path.write_text(write_document([Interaction(sent[0], RecordedResponse(200))]))
    assert Cassette(path, redactor=Redactor({})).answer(sent[1]) is not None


def test_what_others_recorded_unredacted_is_played_and_not_told(tmp_path):
    """A vcrpy file with a key in it answers the request with that key, and a miss does not print it."""
    path = tmp_path / "a.yaml"
    body = {"note": f"use {SECRETS[0]}", "n": 1}
    request = {"method": "POST", "uri": f"{URL}/{SECRETS[1]}", "headers": {}, "body": json.dumps(body)}
    answer = {"status": {"code": 200, "message": "OK"}, "headers": {}, "body": {"string": "{}"}}
    path.write_text(json.dumps({"version": 1, "interactions": [{"request": request, "response": answer}]}))
    sent = RecordedRequest("POST", request["uri"], {}, json.dumps(body, separators=(",", ":")).encode())
    assert cassette(path).answer(sent) is not None
    sent.body = json.dumps({"note": "use nothing", "n": 1}).encode()
    with pytest.raises(CassetteMismatchError) as caught:
        cassette(path).answer(sent)
    assert 'body.note: recorded "use <redacted anthropic key>", sent "use nothing"' in str(caught.value)
    assert not [secret for secret in SECRETS if secret in str(caught.value)]
