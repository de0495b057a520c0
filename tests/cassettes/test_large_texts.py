"""A large text that several bodies have in common is in the file once, and nobody who reads the file notices."""

import base64
import json
import random

import httpx
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from vcr.serialize import deserialize
from vcr.serializers import yamlserializer

from llmtest import use_cassette
from llmtest.cassettes import Document, Interaction, RecordedRequest, RecordedResponse, Redactor, write_document
from llmtest.cassettes._saving import save_cassette
from llmtest.cli._app import run as run_command
from tests.cli.cassette_samples import CHAT, JSON, SECRET, answer

PICTURE = "data:image/png;base64," + base64.b64encode(random.Random(1).randbytes(60_000)).decode()


def seen(prompt, *pictures, style=(",", ":"), uri=CHAT, said="Paris."):
    """Make an interaction that shows pictures."""
    parts = [{"type": "text", "text": prompt}]
    parts += [{"type": "image_url", "image_url": {"url": picture}} for picture in pictures]
    body = {"model": "gpt-4o", "messages": [{"role": "user", "content": parts}]}
    request = RecordedRequest("POST", uri, dict(JSON), json.dumps(body, separators=style).encode())
    return Interaction(request, RecordedResponse(200, "OK", dict(JSON), answer(said)), "2026-01-01T00:00:00Z")


def whole(body, answered=b"", kind="audio/mpeg"):
    """Make an interaction of a body that is no JSON."""
    headers = {"content-type": [kind]}
    return Interaction(RecordedRequest("POST", CHAT, headers, body), RecordedResponse(200, "OK", headers, answered))


def read_again(text):
    """Return bodies and answers as they are read."""
    document = Document(text, "a.yaml")
    found = [document[at] for at in range(len(document))]
    return [(each.request.body, each.response.body) for each in found]


def bodies(interactions):
    """Return bodies and answers as they are."""
    return [(each.request.body, each.response.body) for each in interactions]


def test_a_picture_in_three_requests_is_in_the_file_once(tmp_path):
    """However the JSON was written; each is a line of the body that refers to one at the end, and all are played."""
    three = [seen("One?", PICTURE), seen("Two?", PICTURE, style=(", ", ": ")), seen("Three?", PICTURE, PICTURE)]
    text = write_document(three)
    assert text.count(PICTURE) == 1
    assert len(text) < len(PICTURE) * 1.1
    line = next(line for line in text.splitlines() if "llmtest:large:" in line)
    assert line.strip().startswith('"url": "llmtest:large:')
    name = line.rpartition(":")[2].rstrip('"')
    assert f"large:\n  {name}: |-\n    {PICTURE}\nversion: 1\n" in text
    assert read_again(text) == bodies(three)
    path = tmp_path / "a.yaml"
    path.write_text(text)
    with use_cassette(path) as cassette:
        for each in reversed(three):
            httpx.post(CHAT, content=each.request.body, headers={"content-type": "application/json"})
    assert cassette.played == 3


def test_a_body_that_is_there_again_is_in_the_file_once():
    """Sound and text, of requests and of answers, in YAML's own words, so that vcrpy reads the same bytes."""
    sound, words = random.Random(2).randbytes(20_000), b"a line of words\n" * 2_000
    four = [whole(sound, words), whole(words, sound), whole(sound, words), whole(words, sound)]
    text = write_document(four)
    assert text.count("a line of words") == 4_000, "once as a request and once as an answer"
    assert text.count("!!binary") == 2
    assert text.count("    body: *large-") == 2
    assert read_again(text) == bodies(four)
    requests, responses = deserialize(text, yamlserializer)
    assert [request.body for request in requests] == [each.request.body for each in four]
    assert [response["body"]["string"] for response in responses] == [each.response.body for each in four]


def test_vcrpy_plays_answers_as_they_were():
    """What is shortened is only ever a part of a request, which vcrpy does not compare by itself."""
    both = [seen("One?", PICTURE, said="x" * 20_000), seen("Two?", PICTURE, said="x" * 20_000)]
    _, responses = deserialize(write_document(both), yamlserializer)
    assert [json.loads(response["body"]["string"]) for response in responses] == [
        json.loads(each.response.body) for each in both
    ]


def test_what_is_small_or_single_is_written_as_it_was():
    """No reference, no anchor, nothing at the end."""
    for some in ([seen("One?", PICTURE)], [seen("One?", PICTURE[:9_000]), seen("Two?", PICTURE[:9_000])]):
        text = write_document(some)
        assert text.endswith("}\nversion: 1\n")
        assert "large" not in text
        assert read_again(text) == bodies(some)


TEXTS = st.sampled_from(
    [PICTURE[:17_000], 'a "quoted" \\ text\n\t' * 1_200, "Größe 東京 \U0001f600 \u2028" * 1_500, "short"]
)


@settings(max_examples=25)
@given(st.lists(st.tuples(TEXTS, TEXTS, st.booleans()), min_size=1, max_size=4))
def test_whatever_is_repeated_comes_back_byte_for_byte(some):
    """Quotes, line ends, letters of every script; beside texts that are not repeated."""
    found = [seen(one, two, style=(",", ":") if tight else (", ", ": ")) for one, two, tight in some]
    assert read_again(write_document(found)) == bodies(found)


def test_older_files_and_files_that_were_laid_out_anew_are_played():
    """The same in full, and after another writer of YAML has been over the file."""
    both = [seen("One?", PICTURE), seen("Two?", PICTURE)]
    text = write_document(both)
    full = write_document(both[:1]).removesuffix("version: 1\n") + write_document(both[1:]).partition("\n")[2]
    assert full.count(PICTURE) == 2
    assert read_again(full) == bodies(both)
    assert read_again(yaml.safe_dump(yaml.safe_load(text))) == bodies(both)


def test_a_text_that_only_looks_like_a_reference_is_left():
    """Of a file without large texts, and of one with others."""
    quoted = seen("llmtest:large:" + "0" * 32)
    for some in ([quoted], [quoted, seen("One?", PICTURE), seen("Two?", PICTURE)]):
        assert read_again(write_document(some)) == bodies(some)


def test_what_is_recorded_later_joins_the_large_text(tmp_path):
    """Saved again with one more, the file is hardly larger."""
    path = tmp_path / "a.yaml"
    first = [seen("One?", PICTURE), seen("Two?", PICTURE)]
    save_cassette(path, first, Redactor({}))
    size = path.stat().st_size
    document = Document(path.read_text(), str(path))
    save_cassette(path, [document[0], document[1], seen("Three?", PICTURE)], Redactor({}))
    assert path.stat().st_size < size + 2_000
    assert path.read_text().count(PICTURE) == 1


def test_a_credential_in_a_large_text_is_replaced_before_it_is_shared(tmp_path):
    """Redaction comes first, and the whole text of the file is looked through once more."""
    path = tmp_path / "a.yaml"
    prompt = f"{'word ' * 4_000} {SECRET} {'word ' * 10}"
    save_cassette(path, [seen(prompt, "1"), seen(prompt, "2")], Redactor({}))
    text = path.read_text()
    assert SECRET not in text
    assert text.count("word word word word") < 2_000
    assert text.count("llmtest:large:") == 2


@pytest.fixture
def shared(tmp_path, monkeypatch):
    """Two cassettes whose pictures are written once."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.yaml").write_text(write_document([seen("One?", PICTURE), seen("Two?", PICTURE)]))
    (tmp_path / "b.yaml").write_text(write_document([seen("One?", PICTURE), seen("2?", PICTURE)]))
    return tmp_path


def command(*arguments):
    """Run a command about cassettes; returns its exit code."""
    try:
        run_command(["cassette", *arguments])
    except SystemExit as ended:
        return ended.code or 0
    return 0


def test_commands_read_large_texts(shared, capsys):
    """They convert, compare, judge and scrub what is meant, and what they write in our form has it once."""
    assert command("verify", "a.yaml", "--ignore", "models") == 0
    (shared / "same.yaml").write_text((shared / "a.yaml").read_text())
    assert command("diff", "a.yaml", "same.yaml") == 0
    assert command("diff", "a.yaml", "b.yaml") == 1
    assert PICTURE[:200] not in capsys.readouterr().out
    for form, to in (("vcrpy", "v.yaml"), ("json", "j.json"), ("parsed_body", "p.yaml")):
        assert command("convert", "a.yaml", "--form", form, "--to", to) == 0
        assert (shared / to).read_text().count(PICTURE) == 2
        assert read_again((shared / to).read_text()) == read_again((shared / "a.yaml").read_text())
    assert command("convert", "v.yaml", "--form", "llmtest", "--to", "w.yaml") == 0
    assert (shared / "w.yaml").read_text().count(PICTURE) == 1
    assert command("scrub", "a.yaml", "--pattern", "One") == 0
    scrubbed = (shared / "a.yaml").read_text()
    assert scrubbed.count(PICTURE) == 1
    assert "One?" not in scrubbed
    assert command("verify", "a.yaml", "--ignore", "models") == 0


def test_a_credential_in_a_shared_text_is_found(shared, capsys):
    """By the interactions that refer to it, and nothing of it is printed."""
    path = shared / "a.yaml"
    path.write_text(path.read_text().replace(PICTURE[:40], PICTURE[:40] + f" {SECRET} "))
    assert command("verify", "a.yaml", "--ignore", "models", "--ignore", "broken") == 1
    found = capsys.readouterr().out
    assert found.count("of interaction ") == 2
    assert SECRET not in found
