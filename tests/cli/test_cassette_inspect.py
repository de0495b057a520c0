"""`llmtest cassette inspect`: what it prints, what it cannot read, and how it exits."""

import json
import os
from datetime import UTC, datetime
from pathlib import Path

import pytest

from llmtest.cassettes import Interaction, RecordedRequest, RecordedResponse
from llmtest.cli._app import run
from llmtest.clock import VirtualClock, virtual_time
from tests.cli.cassette_samples import CHAT, JSON, SECRET, VCRPY, asked, ours, streamed

RECORDINGS = Path(__file__).parents[2].parent / "shared" / "recordings"

TABLE = """\
a.yaml
2 interactions, 2.3 KB, recorded 2026-01-01 to 2026-02-01 (90 days ago)

 #   request                                                   answer
 ───────────────────────────────────────────────────────────────────────────────────────────────────────────────────────
 1   openai chat gpt-4o                                        200  14 tokens in, 3 out
     POST api.openai.com/v1/chat/completions                   Paris.
     Capital of France?
     2026-01-01T00:00:00Z

 2   openai chat gpt-4o                                        200
     POST api.openai.com/v1/chat/completions                   stream: 4 events in 2 chunks
     Count.                                                    first after 0.12 s, last after 0.48 s
     2026-02-01T12:30:00Z                                      One, two.

"""


@pytest.fixture
def inspect(tmp_path, monkeypatch, capsys):
    """Return a function that runs the command in the test's folder, on the first of April 2026."""
    monkeypatch.chdir(tmp_path)

    def command(*arguments):
        with virtual_time(VirtualClock(datetime(2026, 4, 1, tzinfo=UTC))), pytest.raises(SystemExit) as ended:
            run(["cassette", "inspect", *map(str, arguments)])
        printed = capsys.readouterr()
        return ended.value.code or 0, "\n".join(line.rstrip() for line in printed.out.split("\n")), printed.err

    return command


def test_a_cassette_is_a_table_of_questions_and_answers(inspect, tmp_path):
    """A person sees who was asked what, when, and how the answer came."""
    (tmp_path / "a.yaml").write_text(ours(asked(), streamed("One, ", "two.")))
    assert inspect("a.yaml") == (0, TABLE, "")


def test_json_is_one_object_for_each_cassette(inspect, tmp_path):
    """`--json` prints what the table shows and more, one cassette a line; vcrpy's files do not say when."""
    (tmp_path / "a.yaml").write_text(ours(streamed("One, ", "two.")))
    (tmp_path / "v.yaml").write_text(VCRPY)
    status, out, err = inspect("--json", ".")
    assert (status, err) == (0, "")
    first, second = (json.loads(line) for line in out.splitlines())
    assert first == {
        "path": "a.yaml",
        "size": (tmp_path / "a.yaml").stat().st_size,
        "count": 1,
        "interactions": [
            {
                "number": 1,
                "dialect": "openai",
                "operation": "chat",
                "method": "POST",
                "url": "api.openai.com/v1/chat/completions",
                "status": 200,
                "recorded_at": "2026-02-01T12:30:00Z",
                "model": "gpt-4o",
                "stream": {"events": 4, "chunks": 2, "first_s": 0.12, "total_s": 0.48, "complete": True},
                "prompt": "Count.",
                "answer": "One, two.",
                "head_s": None,
                "input_tokens": None,
                "output_tokens": None,
                "error": "",
            }
        ],
        "oldest": "2026-02-01T12:30:00Z",
        "newest": "2026-02-01T12:30:00Z",
        "dated": None,
    }
    assert (second["oldest"], second["newest"], second["dated"]) == (None, None, "2025-12-30T18:44:02Z")
    assert second["interactions"][0]["answer"] == "Hi."


def test_bodies_that_are_no_text_are_called_so(inspect, tmp_path):
    """A picture is not printed; what a library that is missing would decompress is not either."""
    binary = RecordedResponse(200, "OK", {"content-type": ["image/png"]}, b"\x89PNG\xff\x00")
    packed = RecordedResponse(200, "OK", JSON | {"content-encoding": ["squash"]}, b"\xff\xfe\x00")
    request = RecordedRequest("GET", "https://example.com/picture")
    (tmp_path / "a.yaml").write_text(ours(Interaction(request, binary), Interaction(request, packed)))
    status, out, err = inspect("--json", "a.yaml")
    shown = [each["answer"] for each in json.loads(out)["interactions"]]
    assert (status, err) == (0, "")
    assert shown == ["[6 bytes that are no text]", "[3 bytes that are no text, compressed: squash]"]


def test_credentials_are_not_shown(inspect, tmp_path, monkeypatch):
    """What somebody else's recorder kept is redacted before it is cut and printed."""
    monkeypatch.setenv("MY_API_KEY", "correct horse battery")
    uri = CHAT.replace("https://", f"https://user:{SECRET}@")
    (tmp_path / "a.yaml").write_text(ours(asked(f"Is {SECRET} a key?", "It is correct horse battery.", uri=uri)))
    status, out, _ = inspect("a.yaml")
    assert status == 0
    assert SECRET not in out
    assert "horse" not in out
    assert "Is <redacted openai key> a key?" in out
    assert "It is <MY_API_KEY>." in out


BROKEN = {
    "empty.yaml": (b"", "empty.yaml: the cassette is empty. Delete it, and record it again."),
    "conflict.yaml": (
        ours(asked()).replace("  request:\n", "<<<<<<< HEAD\n  request:\n=======\n").encode(),
        "conflict.yaml:3: a merge conflict was left in the cassette. Resolve it, or re-record.",
    ),
    "cut.yaml": (
        ours(asked())[:905].encode(),
        "cut.yaml:35: the cassette is cut short: its last line has no end. Restore it, or re-record.",
    ),
    "cut_json.json": (
        b'{"version": 1,\n "interactions": [{"request":',
        "cut_json.json:2: the cassette is not valid JSON: Expecting value. Restore it, or re-record.",
    ),
    "foreign.yaml": (
        b"services: {web: {image: nginx}}\n",
        (
            "foreign.yaml: this is no cassette: a cassette is a mapping with a list `interactions`, "
            "`http_interactions` (Ruby's VCR, betamax) or `fixtures` (aimock). Name another file; what other tools "
            "have recorded has to be recorded again."
        ),
    ),
    "latin.yaml": (
        b"interactions:\n- request: {method: GET, uri: 'http://h/caf\xe9'}\n",
        "latin.yaml:2: the cassette is not UTF-8 text. Restore it, or re-record.",
    ),
    "torn.yaml": (
        VCRPY.replace("    uri:", "    url:").encode(),
        "torn.yaml: interaction 1 cannot be read: `uri` is missing. Re-record it.",
    ),
    "tabs.yaml": (
        b"interactions:\n- request:\n\tmethod: GET\n",
        (
            "tabs.yaml:3: the cassette is not valid YAML: found character that cannot start any token. Restore it, or "
            "re-record."
        ),
    ),
    "no_such.yaml": (None, "no_such.yaml: no such file or folder."),
    "god.yaml": (None, "god.yaml: no such file or folder. Did you mean `good.yaml`?"),
    "no_folder/a.yaml": (None, "no_folder/a.yaml: no such file or folder, and no folder no_folder either."),
}


@pytest.mark.parametrize("name", BROKEN)
def test_what_cannot_be_read_is_one_clear_error_and_the_others_are_shown(inspect, tmp_path, name):
    """Each error says where, what and how to mend it, on standard error, and stops nothing."""
    content, message = BROKEN[name]
    if content is not None:
        (tmp_path / name).write_bytes(content)
    (tmp_path / "good.yaml").write_text(ours(asked()))
    status, out, err = inspect(name, "good.yaml")
    assert (status, err) == (2, f"CassetteFileError: {message}\n")
    assert "Capital of France?" in out


def test_other_files_of_a_folder_are_passed_over_and_counted(inspect, tmp_path):
    """Only what says that it is a cassette can be a broken one; hidden folders are not entered."""
    tapes = tmp_path / "tapes"
    (tapes / "deep").mkdir(parents=True)
    (tapes / ".hidden").mkdir()
    (tapes / "deep" / "a.yml").write_text(ours(asked()))
    (tapes / ".hidden" / "b.yaml").write_text(ours(asked()))
    (tapes / "compose.yaml").write_text("services: {}\n")
    (tapes / "package.json").write_text('{"name": "x"}')
    (tapes / "template.yaml").write_text("{{ if x }}\n- a\n{{ end }}\n")
    (tapes / "notes.txt").write_text("interactions:")
    (tapes / "latin.yaml").write_bytes(b"caf\xe9")
    status, out, err = inspect("tapes", "tapes/deep/a.yml")
    assert (status, err) == (0, "")
    assert out.count("Capital of France?") == 1
    assert out.endswith("4 other files were passed over.\n")


def test_a_folder_without_a_cassette_is_an_error(inspect, tmp_path):
    """A misspelt folder must not look like one without faults."""
    (tmp_path / "tapes").mkdir()
    (tmp_path / "tapes" / "a.yaml").write_text("a: 1\n")
    status, out, err = inspect("tapes")
    assert status == 2
    assert err == (
        "CassetteFileError: tapes: there is no cassette in this folder; 1 other file was passed over. Name a folder or "
        "a file that has one.\n"
    )
    assert out == "1 other file was passed over.\n"


@pytest.fixture
def without_rights(tmp_path):
    """Be nobody for the duration, where the tests are run by somebody who may do everything."""
    tmp_path.chmod(0o755)
    if os.name != "posix":
        pytest.skip("needs the permissions of a POSIX file system")
    if os.geteuid() == 0:
        os.seteuid(65534)
        yield
        os.seteuid(0)
    else:
        yield


def test_a_folder_that_may_not_be_read_is_one_clear_error(inspect, tmp_path, request):
    """So is a file; what may be read is shown all the same."""
    (tmp_path / "good.yaml").write_text(ours(asked()))
    (tmp_path / "closed.yaml").write_text(ours(asked()))
    (tmp_path / "tapes").mkdir()
    inspect("good.yaml")  # loads what nobody may not
    for name in ("closed.yaml", "tapes"):
        (tmp_path / name).chmod(0)
    request.getfixturevalue("without_rights")
    status, out, err = inspect("tapes", "closed.yaml", "good.yaml")
    assert status == 2
    fix = "Give this user the right to read it, or name another path."
    assert err.splitlines() == [
        f"CassetteFileError: tapes: permission denied. {fix}",
        f"CassetteFileError: closed.yaml: permission denied. {fix}",
    ]
    assert "Capital of France?" in out


@pytest.mark.skipif(not RECORDINGS.is_dir(), reason="../shared/recordings is not beside the checkout")
@pytest.mark.slow
def test_every_shared_recording_can_be_inspected(inspect):
    """263 cassettes of two projects, 770 interactions; one model spent all its tokens on thinking, and said nothing."""
    status, out, err = inspect("--json", RECORDINGS)
    assert (status, err) == (0, "")
    cassettes = [json.loads(line) for line in out.splitlines()]
    rows = [row for cassette in cassettes for row in cassette["interactions"]]
    assert (len(cassettes), len(rows)) == (263, 770)
    assert [row["error"] for row in rows if row["error"]] == []
    spoken = [row for row in rows if row["operation"] in {"chat", "messages"}]
    assert [row for row in spoken if row["model"] is None] == []
    # One session asked with an empty text.
    assert [row["dialect"] for row in spoken if row["prompt"] is None] == ["gemini"]
    assert [row["output_tokens"] for row in spoken if row["answer"] is None] == [50]
