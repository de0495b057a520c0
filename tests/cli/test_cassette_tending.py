"""`llmtest cassette scrub`, `convert` and `diff`: what they print, what they write, how they exit."""

import json

import pytest
import yaml
from vcr.serialize import deserialize
from vcr.serializers import yamlserializer

from llmtest.cassettes import CassetteFileError, Document, Redactor
from llmtest.cassettes._saving import replace_file
from llmtest.cli._app import run
from llmtest.errors import ConfigurationError
from tests.cassettes.foreign_files import AIMOCK, AIOHTTP, GO_VCR, PARSED_BODY, RUBY_VCR
from tests.cli.cassette_samples import SECRET, VCRPY, answer, asked, ours, streamed


@pytest.fixture
def cassette(tmp_path, monkeypatch, capsys):
    """Return a function that runs one of the commands in the test's folder."""
    monkeypatch.chdir(tmp_path)

    def command(*arguments):
        try:
            run(["cassette", *map(str, arguments)])
            code = 0
        except SystemExit as ended:
            code = ended.code or 0
        printed = capsys.readouterr()
        return code, printed.out.splitlines(), printed.err

    return command


def leaky():
    """Write a cassette of ours that holds a key."""
    one = asked(f"Is {SECRET} a key of cust-4711?")
    one.request.headers["authorization"] = [f"Bearer {SECRET}"]
    return ours(one, asked("Clean."))


LEAKY_VCRPY = (
    VCRPY.replace("REDACTED", SECRET)
    .replace("Hello", f"Hello {SECRET}")
    .replace("version: 1", "metadata: {a: b}\nversion: 1")
)


def test_scrub_takes_credentials_out_in_place(cassette, tmp_path):
    """What is left is clean, and the rest of the file is what it was."""
    path = tmp_path / "a.yaml"
    path.write_text(leaky())
    assert cassette("scrub", "a.yaml") == (
        0,
        [
            "a.yaml: `request.headers.authorization` of interaction 1 (by the name of the header)",
            "a.yaml: `request.body.messages[0].content` of interaction 1 (openai key)",
            "2 credentials scrubbed in 1 of 1 cassette.",
            "Revoke what was ever shared: the history of a repository keeps what a file no longer has.",
        ],
        "",
    )
    assert SECRET not in path.read_text()
    assert cassette("verify", "a.yaml")[0] == 0
    assert Document(path.read_bytes(), "a.yaml")[1] == Document(leaky(), "a.yaml")[1]


def test_scrub_leaves_a_clean_file_alone(cassette, tmp_path):
    """Placeholders count as clean; not a byte is touched."""
    (tmp_path / "a.yaml").write_text(VCRPY)
    assert cassette("scrub", "a.yaml")[1] == ["0 credentials scrubbed in 0 of 1 cassette."]
    assert (tmp_path / "a.yaml").read_text() == VCRPY


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("v.yaml", LEAKY_VCRPY),
        ("v.json", json.dumps(yaml.safe_load(LEAKY_VCRPY))),
        ("p.yaml", PARSED_BODY.replace("Capital of France?", f"Is {SECRET} a key?")),
    ],
)
def test_scrub_keeps_the_form_of_a_file(cassette, tmp_path, name, text):
    """What vcrpy wrote stays vcrpy's, metadata of others included; parsed bodies stay parsed."""
    path = tmp_path / name
    path.write_text(text)
    assert cassette("scrub", name)[0] == 0
    after = path.read_text()
    loaded, before = yaml.safe_load(after), yaml.safe_load(text)
    assert SECRET not in after
    assert loaded.get("metadata") == before.get("metadata")
    assert ("parsed_body" in after) == ("parsed_body" in text)
    assert [len(loaded["interactions"]), cassette("verify", "--severity", "high", name)[0]] == [1, 0]


def test_scrub_tells_what_it_would_do(cassette, tmp_path):
    """And writes nothing; the exit code is that of findings."""
    (tmp_path / "a.yaml").write_text(leaky())
    status, lines, _ = cassette("scrub", "--dry-run", "a.yaml")
    assert (status, lines[-1]) == (1, "2 credentials to be scrubbed in 1 of 1 cassette.")
    assert (tmp_path / "a.yaml").read_text() == leaky()


def test_scrub_knows_patterns_of_the_project(cassette, tmp_path):
    """Of its settings file and of the command line; a named group names the placeholder, a kept text stays."""
    path = tmp_path / "a.yaml"
    path.write_text(leaky())
    (tmp_path / "pytest.ini").write_text("[pytest]\nllmtest_cassette_scrub =\n    (?P<customer>cust-\\d+)\n")
    assert cassette("scrub", "--keep", SECRET, "--pattern", r"Cle(an)", "a.yaml")[0] == 0
    contents = [
        json.loads(each.request.body)["messages"][0]["content"]
        for each in (Document(path.read_bytes(), "a")[at] for at in (0, 1))
    ]
    assert contents == [f"Is {SECRET} a key of <redacted customer>?", "Cle<redacted by own pattern>."]


def test_a_pattern_that_is_none_is_refused():
    """One that matches everything, too."""
    with pytest.raises(ConfigurationError, match=r"`\(` is no regular expression: missing \)"):
        Redactor({}, patterns=["("])
    with pytest.raises(ConfigurationError, match=r"the pattern `x\*` matches the empty text"):
        Redactor({}, patterns=["x*"])


def test_scrub_sends_files_of_other_tools_to_convert(cassette, tmp_path):
    """Their form is not written here; the advice works."""
    (tmp_path / "go.yaml").write_text(GO_VCR.replace("Capital", SECRET))
    status, _, err = cassette("scrub", "go.yaml")
    assert (status, "To fix: llmtest cassette convert go.yaml, and scrub what it writes." in err) == (2, True)
    assert cassette("convert", "go.yaml")[0] == 0
    assert cassette("scrub", "go.yaml")[1] == ["0 credentials scrubbed in 0 of 1 cassette."]


def test_convert_writes_any_file_in_ours(cassette, tmp_path):
    """Of each tool, beside it; another file that is there is not replaced unasked."""
    files = {
        "go.yaml": GO_VCR,
        "parsed.yaml": PARSED_BODY,
        "aio.yaml": AIOHTTP,
        "rb.yml": RUBY_VCR.replace("BODY", "e30="),
    }
    for name, text in (files | {"fixtures.json": json.dumps(AIMOCK)}).items():
        (tmp_path / name).write_text(text)
    assert cassette("convert", "--form", "llmtest", ".") == (
        0,
        [
            "aio.yaml -> aio.yaml: 1 interaction",
            "fixtures.json -> fixtures.yaml: 9 interactions",
            "go.yaml -> go.yaml: 1 interaction",
            "parsed.yaml -> parsed.yaml: 1 interaction",
            "rb.yml -> rb.yaml: 1 interaction",
        ],
        "",
    )
    for name in ("aio.yaml", "fixtures.yaml", "rb.yaml"):
        text = (tmp_path / name).read_text()
        assert text.startswith("interactions:\n- llmtest: {key: ")
        assert len(deserialize(text, yamlserializer)[0]) == len(Document(text, name))
    status, _, err = cassette("convert", "--form", "llmtest", "fixtures.json")
    assert (status, err) == (
        2,
        (
            "CassetteFileError: fixtures.yaml: there is such a file. Name another one with --to, or pass --force to "
            "replace it.\n"
        ),
    )
    assert cassette("convert", "--force", "--form", "llmtest", "fixtures.json")[0] == 0


def test_convert_writes_vcrpys_plain_form(cassette, tmp_path):
    """Without a line of ours, and read the same."""
    (tmp_path / "a.yaml").write_text(ours(asked(), streamed("One", "two")))
    assert cassette("convert", "--form", "vcrpy", "--to", "plain.yaml", "a.yaml")[0] == 0
    text = (tmp_path / "plain.yaml").read_text()
    assert "llmtest" not in text
    assert Document(text, "plain.yaml")[0].response.body == answer("Paris.")


def test_convert_explains_a_form_that_does_not_fit(cassette, tmp_path):
    """A name, or a word."""
    (tmp_path / "a.yaml").write_text(ours(asked()))
    assert "Did you mean `vcrpy`?" in cassette("convert", "--form", "vcrp", "a.yaml")[2]
    assert "is not written as `vcrpy`" in cassette("convert", "--form", "vcrpy", "--to", "a.json", "a.yaml")[2]


def test_diff_tells_what_became_of_each_interaction(cassette, tmp_path):
    """By path and by how much it matters; what a model merely says differently is counted."""
    later = asked("Capital of France?", "It is Paris.")
    body = json.loads(later.response.body)
    body["choices"][0]["finish_reason"] = {"reason": "stop"}
    body["service_tier"] = "default"
    del body["object"]
    later.response.body = json.dumps(body).encode()
    (tmp_path / "a.yaml").write_text(ours(asked(), asked("Gone."), asked("Moved.")))
    (tmp_path / "b.yaml").write_text(ours(later, asked("Moved on."), asked("New."), asked("Newer.")))
    assert cassette("diff", "a.yaml", "b.yaml") == (
        1,
        [
            "  1 -> 1: POST https://api.openai.com/v1/chat/completions",
            '      breaking: response.body.object: field removed, recorded "chat.completion"',
            (
                "      breaking: response.body.choices[*].finish_reason: type changed, "
                'recorded "stop", now {"reason": "stop"}'
            ),
            '      notable: response.body.service_tier: field added, now "default"',
            "  2 -> 2: POST https://api.openai.com/v1/chat/completions",
            '      notable: request.body.messages[0].content: value changed, recorded "Gone.", now "Moved on."',
            "  3 -> 3: POST https://api.openai.com/v1/chat/completions",
            '      notable: request.body.messages[0].content: value changed, recorded "Moved.", now "New."',
            "+ 4: POST https://api.openai.com/v1/chat/completions",
            "6 differences; 1 text said differently (--usual shows them).",
        ],
        "",
    )


def test_diff_of_equal_sessions_is_clean(cassette, tmp_path):
    """New ids, times and counts are no difference, and neither is another cutting of a stream."""
    again = streamed("One, tw", "o.", chunks=())
    again.response.body = again.response.body.replace(b'"c1"', b'"c2"')
    (tmp_path / "a.yaml").write_text(ours(streamed("One, ", "two.")))
    (tmp_path / "b.yaml").write_text(ours(again))
    assert cassette("diff", "a.yaml", "b.yaml") == (0, ["no differences."], "")
    status, lines, _ = cassette("diff", "--json", "a.yaml", "b.yaml")
    assert (status, lines) == (0, [])


def test_diff_needs_two_cassettes(cassette, tmp_path):
    """One that is not there is one error."""
    (tmp_path / "a.yaml").write_text(ours(asked()))
    assert cassette("diff", "a.yaml", "b.yaml")[0] == 2
    assert cassette("diff", "a.yaml", "a.yaml")[2] == (
        "CassetteFileError: a.yaml, a.yaml: two cassettes are compared, and this is one.\n"
    )


def test_a_file_that_cannot_be_replaced_stays(tmp_path):
    """Nothing is left of the attempt."""
    (tmp_path / "a.yaml").mkdir()
    with pytest.raises(CassetteFileError, match="cannot be written"):
        replace_file(tmp_path / "a.yaml", "x")
    assert [each.name for each in tmp_path.iterdir()] == ["a.yaml"]
