"""`llmtest cassette verify`: its findings, line by line, and how it exits."""

import gzip
import json
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

import pytest
import yaml

from llmtest.cli._app import run
from llmtest.clock import VirtualClock, virtual_time
from tests.cli.cassette_samples import CHAT, JSON, SECRET, SSE, VCRPY, answer, asked, ours, streamed

RECORDINGS = Path(__file__).parents[2].parent / "shared" / "recordings"
AFTER = "To record a session again: pytest --llmtest-record=rewrite TEST."
REDACT = "Record it again with llmtest, which leaves it out; revoke it if the file was ever shared."


@pytest.fixture
def verify(tmp_path, monkeypatch, capsys):
    """Return a function that runs the command in the test's folder, on the first of April 2026."""
    monkeypatch.chdir(tmp_path)

    def command(*arguments):
        with virtual_time(VirtualClock(datetime(2026, 4, 1, tzinfo=UTC))), pytest.raises(SystemExit) as ended:
            run(["cassette", "verify", *map(str, arguments)])
        printed = capsys.readouterr()
        return ended.value.code or 0, printed.out.splitlines(), printed.err

    return command


def test_what_llmtest_writes_is_clean(verify, tmp_path):
    """Answers whole and streamed, and one that the client did not hear to its end on purpose."""
    given_up = streamed("One, ", "two.", done=False, complete=False)
    (tmp_path / "a.yaml").write_text(ours(asked(), streamed("One, ", "two."), given_up))
    assert verify("a.yaml") == (0, ["1 cassette, 3 interactions: no findings."], "")


def test_secrets_are_named_by_field_and_kind_and_never_shown(verify, tmp_path, monkeypatch):
    """By the name of a header, by shape and by the value of the environment; in URLs, headers, bodies and streams."""
    monkeypatch.setenv("MY_API_KEY", "correct-horse-battery")
    bad = asked(f"Is {SECRET} a key?", uri=f"https://me:pass@api.openai.com/v1/chat/completions?key=abc&note={SECRET}")
    bad.request.headers |= {"Authorization": ["Bearer abc"], "X-Api-Key": ["REDACTED"], "x-note": [SECRET]}
    bad.response.headers["set-cookie"] = ["session=1"]
    bad.response.body = answer("It is correct-horse-battery.")
    (tmp_path / "a.yaml").write_text(ours(bad, streamed("One ", f"{SECRET} ", "two")))
    status, lines, err = verify("a.yaml")
    assert (status, err) == (1, "")
    assert lines == [
        f"a.yaml:5: secrets: `request.uri` of interaction 1 holds a credential (user part of the URL). {REDACT}",
        f"a.yaml:5: secrets: `request.uri` of interaction 1 holds a credential (query parameter `key`). {REDACT}",
        f"a.yaml:5: secrets: `request.uri` of interaction 1 holds a credential (openai key). {REDACT}",
        (
            f"a.yaml:8: secrets: `request.headers.Authorization` of interaction 1 holds a credential (by the name of "
            f"the header). {REDACT}"
        ),
        f"a.yaml:10: secrets: `request.headers.x-note` of interaction 1 holds a credential (openai key). {REDACT}",
        (
            f"a.yaml:17: secrets: `request.body.messages[0].content` of interaction 1 holds a credential (openai key). "
            f"{REDACT}"
        ),
        (
            f"a.yaml:25: secrets: `response.headers.set-cookie` of interaction 1 holds a credential (by the name of "
            f"the header). {REDACT}"
        ),
        (
            f"a.yaml:38: secrets: `response.body.choices[0].message.content` of interaction 1 holds a credential "
            f"(value of MY_API_KEY). {REDACT}"
        ),
        (
            f"a.yaml:74: secrets: `response.body, event 2, choices[0].delta.content` of interaction 2 holds a "
            f"credential (openai key). {REDACT}"
        ),
        f"1 cassette, 2 interactions: 9 findings (9 secrets). {AFTER}",
    ]


def test_a_secret_in_pieces_is_found_in_what_the_events_say_together(verify, tmp_path):
    """No event holds the key, the answer does."""
    (tmp_path / "a.yaml").write_text(ours(streamed("It is ", SECRET[:10], SECRET[10:], " or so")))
    assert verify("a.yaml") == (
        1,
        [
            (
                "a.yaml:24: secrets: `response.body, choices[0].delta.content of all events together` of interaction 1 "
                f"holds a credential (openai key). {REDACT}"
            ),
            f"1 cassette, 1 interaction: 1 finding (1 secrets). {AFTER}",
        ],
        "",
    )


def test_a_secret_outside_every_field_is_found_by_its_line(verify, tmp_path):
    """A comment is part of what is shared."""
    (tmp_path / "a.yaml").write_text(f"# recorded with {SECRET}\n" + ours(asked()))
    status, lines, _ = verify("a.yaml")
    assert status == 1
    assert lines[0] == f"a.yaml:1: secrets: the line holds a credential (openai key). {REDACT}"


def vcrpy(*pairs):
    """Write a cassette as vcrpy does: JSON on one line, compressed bodies as base64, streams escaped."""
    interactions = [
        {
            "request": {"method": "POST", "uri": CHAT, "headers": JSON, "body": sent},
            "response": {"status": {"code": 200, "message": "OK"}, "headers": headers, "body": {"string": body}},
        }
        for sent, headers, body in pairs
    ]
    return yaml.dump({"interactions": interactions, "version": 1})


def test_bodies_that_nobody_can_review_are_named(verify, tmp_path):
    """Compressed, on one line, or escaped; the fix is to record them again."""
    long = json.dumps({"model": "gpt-4o", "messages": [{"role": "user", "content": "x" * 200}]})
    packed = gzip.compress(answer("Paris."), mtime=0)
    stream = streamed("One, ", "two.").response.body.decode()
    picture = ("", {"content-type": ["image/png"]}, b"\x89PNG\xff")
    pairs = (("{}", JSON | {"content-encoding": ["gzip"]}, packed), (long, SSE, stream), picture)
    (tmp_path / "v.yaml").write_text(vcrpy(*pairs))
    assert verify("v.yaml", "--ignore", "broken") == (
        1,
        [
            (
                "v.yaml:11: readability: `response.body` of interaction 1 is compressed (gzip). Record it again with "
                "llmtest, which keeps the text."
            ),
            (
                "v.yaml:24: readability: `request.body` of interaction 2 is JSON on one line of 266 characters. Record "
                "it again with llmtest, which writes one field a line."
            ),
            (
                "v.yaml:30: readability: `response.body` of interaction 2 is a stream of 7 lines in one escaped text. "
                "Record it again with llmtest, which writes one event a line."
            ),
            f"1 cassette, 3 interactions: 3 findings (3 readability). {AFTER}",
        ],
        "",
    )
    assert verify("v.yaml", "--ignore", "broken", "--longest-line", "300")[1][1].startswith("v.yaml:30: ")


def test_age_is_judged_where_a_limit_is_given(verify, tmp_path):
    """One finding a file, because whoever records one interaction again records the file."""
    (tmp_path / "a.yaml").write_text(ours(asked(at="2026-03-31T00:00:00Z"), asked(), streamed("a")))
    (tmp_path / "v.yaml").write_text(VCRPY)
    assert verify(".")[0] == 0
    status, lines, err = verify(".", "--max-age", "60d")
    assert (status, err) == (1, "")
    assert lines == [
        (
            "a.yaml:45: age: 1 of 3 interactions is too old: number 2 was recorded 90 days ago, on 2026-01-01; the "
            "limit is 60 days. Record it again."
        ),
        (
            "v.yaml:2: age: 1 of 1 interactions does not say when it was recorded; its answers are dated 2025-12-30; "
            "the limit is 60 days. Record it again with llmtest, which keeps the time."
        ),
        f"2 cassettes, 4 interactions: 2 findings (2 age). {AFTER}",
    ]
    assert verify("a.yaml", "--max-age", "90d")[0] == 0


def test_recorded_failures_are_findings_unless_they_are_there_on_purpose(verify, tmp_path):
    """A 429, a 5xx, a connection that broke."""
    broke = streamed("One", done=False, complete=False, error="ReadError: [Errno 104] Connection reset by peer")
    failed = [asked(status=status, body=b'{"error": {"message": "no"}}') for status in (429, 503, 404)]
    (tmp_path / "a.yaml").write_text(ours(*failed, broke))
    fix = "Record it again, or pass `--ignore failures` if it is there on purpose."
    assert verify("a.yaml") == (
        1,
        [
            f"a.yaml:19: failures: interaction 1 was answered with status 429. {fix}",
            f"a.yaml:46: failures: interaction 2 was answered with status 503. {fix}",
            f"a.yaml:83: failures: the connection broke while interaction 4 was recorded. {fix}",
            f"1 cassette, 4 interactions: 3 findings (3 failures). {AFTER}",
        ],
        "",
    )
    assert verify("a.yaml", "--ignore", "failures") == (0, ["1 cassette, 4 interactions: no findings."], "")


AGAIN = "Record it again."
UNDO = "Undo the edit, or record it again."
BROKEN = {
    "no-json": (
        ours(asked(body=b"<html>")),
        f"a.yaml:23: broken: interaction 1, openai chat: the answer is not JSON. {AGAIN}",
    ),
    "an-error-with-status-200": (
        ours(asked(body=b'{"error":{"message":"no"}}')),
        (
            f"a.yaml:23: broken: interaction 1, openai chat: the answer is an error, and its status says that it is "
            f"none. {AGAIN}"
        ),
    ),
    "a-stream-without-its-end": (
        ours(streamed("One", done=False)),
        f"a.yaml:24: broken: interaction 1, openai chat: the stream ends without its terminator. {AGAIN}",
    ),
    "a-stream-that-cannot-be-read": (
        ours(streamed("One", body=b"data: {\n\ndata: [DONE]\n\n", chunks=())),
        f"a.yaml:24: broken: interaction 1, openai chat: an event of the stream cannot be read. {AGAIN}",
    ),
    "a-stream-that-says-it-failed": (
        ours(streamed("One", body=b'data: {"error": {"message": "no"}}\n\n', chunks=())),
        f"a.yaml:24: broken: interaction 1, openai chat: the stream ends with an error of the provider. {AGAIN}",
    ),
    "other-json-that-is-none": (
        ours(asked(uri="https://example.com/", body=b"{")),
        f"a.yaml:23: broken: interaction 1: the answer says that it is JSON and is not. {AGAIN}",
    ),
    "a-body-that-is-not-compressed": (
        ours(asked(headers=JSON | {"content-encoding": ["gzip"]})),
        (
            "a.yaml:22: broken: interaction 1 says `content-encoding: gzip`, and its body is not compressed, which no "
            f"client can read. {AGAIN}"
        ),
    ),
    "an-edited-request": (
        ours(asked()).replace("Capital of France?", "Capital of Spain?"),
        f"a.yaml:2: broken: `key` of interaction 1 is not that of its request, so replay has to search for it. {UNDO}",
    ),
    "an-edited-stream": (
        ours(streamed("One, ", "two.")).replace("two.", "three."),
        (
            "a.yaml:2: broken: the sizes in `chunks` of interaction 1 do not add up to its body, so the stream is "
            f"replayed in one piece. {UNDO}"
        ),
    ),
    "an-edited-answer-that-is-no-json-any-more": (
        ours(asked()).replace('"content": "Paris."', '"content": "Paris.'),
        (
            "a.yaml:23: broken: `response.body` of interaction 1 does not fit the hint `response_body`, so it cannot "
            f"be restored. {UNDO}"
        ),
    ),
    "an-edited-time": (
        ours(asked(at="yesterday")),
        f"a.yaml:2: broken: `recorded_at` of interaction 1 is no time. {UNDO}",
    ),
}


@pytest.mark.parametrize("name", BROKEN)
def test_what_no_longer_reads_is_named(verify, tmp_path, name):
    """Each finding is one line: where, what, how to mend it."""
    text, line = BROKEN[name]
    (tmp_path / "a.yaml").write_text(text)
    assert verify("a.yaml") == (1, [line, f"1 cassette, 1 interaction: 1 finding (1 broken). {AFTER}"], "")


def test_json_has_every_finding_with_its_field(verify, tmp_path):
    """`--json` prints one object for each cassette, clean ones included."""
    (tmp_path / "a.yaml").write_text(ours(asked(status=500)))
    (tmp_path / "b.yaml").write_text(ours(asked()))
    status, lines, _ = verify("--json", ".")
    assert status == 1
    assert [json.loads(line) for line in lines] == [
        {
            "path": "a.yaml",
            "interactions": 1,
            "findings": [
                {
                    "path": "a.yaml",
                    "line": 19,
                    "interaction": 1,
                    "kind": "failures",
                    "place": "response.status",
                    "what": "interaction 1 was answered with status 500",
                    "fix": "Record it again, or pass `--ignore failures` if it is there on purpose.",
                    "severity": "low",
                }
            ],
            "unreadable": [],
        },
        {"path": "b.yaml", "interactions": 1, "findings": [], "unreadable": []},
    ]


def test_what_cannot_be_read_is_told_and_the_others_are_judged(verify, tmp_path):
    """A broken file, a broken interaction, and a finding: the worst of it is the exit status."""
    (tmp_path / "a.yaml").write_text(ours(asked())[:905])
    torn = yaml.safe_load(VCRPY)
    torn["interactions"].append({"request": {"method": "GET"}})
    (tmp_path / "b.yaml").write_text(yaml.dump(torn))
    (tmp_path / "c.yaml").write_text(ours(asked(status=500)))
    (tmp_path / "d.yaml").write_text("a: 1\n")
    status, lines, err = verify(".", "e.yaml")
    assert status == 2
    assert [line.partition(". ")[0] for line in lines] == [
        "c.yaml:19: failures: interaction 1 was answered with status 500",
        "2 cassettes, 3 interactions: 1 finding (1 failures); 3 could not be read; 1 other file passed over",
    ]
    assert err == (
        "CassetteFileError: a.yaml:35: the cassette is cut short: its last line has no end. Restore it, or re-record.\n"
        "CassetteFileError: b.yaml: interaction 2 cannot be read: `response` is missing. Re-record it.\n"
        "CassetteFileError: e.yaml: no such file or folder. Did you mean `d.yaml`?\n"
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ("--ignore", "secret"),
            (
                "unknown kind `secret`. Did you mean `secrets`? Known kinds: secrets, broken, unknown, failures, "
                "readability, age, models."
            ),
        ),
        (("--max-age", "90"), "`90` is no age; write a number with a unit: `12h`, `90d`."),
        (("--max-age", "12w"), "`12w` is no age; write a number with a unit: `12h`, `90d`."),
    ],
)
def test_a_wrong_option_is_explained(verify, tmp_path, arguments, message):
    """Usage errors exit with 2 and judge nothing."""
    (tmp_path / "a.yaml").write_text(ours(asked()))
    status, lines, err = verify("a.yaml", *arguments)
    assert (status, lines) == (2, [])
    assert message in " ".join(err.split())


@pytest.mark.skipif(not RECORDINGS.is_dir(), reason="../shared/recordings is not beside the checkout")
@pytest.mark.slow
def test_the_shared_recordings_hold_five_secrets_and_are_not_broken(verify):
    """Two passwords of a tool and three signed links, which scrubbing missed; nothing else in 770 real interactions."""
    status, lines, err = verify(RECORDINGS, "--ignore", "readability", "--ignore", "models")  # some have ended since
    assert (status, err) == (1, "")
    kinds = Counter(line.partition("holds a credential (")[2].partition(")")[0] for line in lines[:-1])
    assert kinds == {"password": 2, "signature": 3}
    assert lines[-1].startswith("263 cassettes, 770 interactions: 5 findings (5 secrets).")


def test_the_shipped_cassettes_are_clean(verify):
    """What the project shows of itself passes its own judge."""
    status, lines, err = verify(Path(__file__).parents[2] / "cassettes")
    assert (status, err) == (0, "")
    assert lines[-1].endswith(" interactions: no findings.")


def test_a_finding_is_one_line_whatever_the_file_calls_its_fields(verify, tmp_path):
    """Line breaks and what steers a terminal are not printed."""
    bad = asked()
    bad.request.body = json.dumps({"model": "m", "a\nb\x1b[31m": SECRET}).encode()
    (tmp_path / "a.yaml").write_text(ours(bad))
    status, lines, _ = verify("a.yaml")
    assert status == 1
    assert lines[0] == (
        f"a.yaml:11: secrets: `request.body.a b\N{REPLACEMENT CHARACTER}[31m` of interaction 1 holds a credential "
        f"(openai key). {REDACT}"
    )


def test_t40_what_is_kept_on_purpose_is_no_finding(verify, tmp_path):
    """`--keep` names fields and texts, as the setting does that kept them while the session was recorded."""
    kept = asked()
    kept.request.body = json.dumps({"model": "m", "order_token": "a1b2c3d4", "secret": "order-4711-x"}).encode()
    (tmp_path / "a.yaml").write_text(ours(kept))
    assert verify("a.yaml")[0] == 1
    status, lines, _ = verify("a.yaml", "--keep", "order_token", "--keep", "order-4711-*")
    assert (status, lines) == (0, ["1 cassette, 1 interaction: no findings."])
