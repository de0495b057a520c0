"""The file of a cassette: what we write is read by vcrpy and by us, byte for byte; what is broken is named."""

from pathlib import Path

import pytest
import yaml
from hypothesis import example, given
from hypothesis import strategies as st
from vcr.serialize import deserialize
from vcr.serializers import jsonserializer, yamlserializer

from llmtest.cassettes import CassetteFileError, Document, write_document
from llmtest.cassettes._entry import InteractionError, as_interaction
from llmtest.cassettes._fast_reader import read_as_written
from llmtest.cassettes._interactions import Interaction, RecordedRequest, RecordedResponse

RECORDINGS = Path(__file__).parents[2].parent / "shared" / "recordings"
STREAM = b'data: {"a":1}\n\ndata: [DONE]\n\n'
GOLDEN = """\
interactions:
- llmtest: {key: 9540cca40143ef0bd64b55fe1ed39098, recorded_at: '2026-01-01T00:00:00Z', request_body: compact, chunks: [[12, 15], [40, 14]]}
  request:
    method: POST
    uri: https://api.openai.com/v1/chat/completions
    headers:
      content-type: [application/json]
    body: |-
      {
        "model": "gpt-4o"
      }
  response:
    status: {code: 200, message: OK}
    headers:
      content-type: [text/event-stream]
    body:
      string: |+
        data: {"a":1}

        data: [DONE]

version: 1
"""  # noqa: E501 - the hints stand on one line


def interaction(**response):
    """Make an interaction with the golden request."""
    headers = {"content-type": ["application/json"]}
    request = RecordedRequest("POST", "https://api.openai.com/v1/chat/completions", headers, b'{"model":"gpt-4o"}')
    return Interaction(request, RecordedResponse(**{"status": 200, "reason": "OK", **response}), "2026-01-01T00:00:00Z")


def test_the_file_reads_like_this():
    """One field a line, streams event by event, our hints on one line of their own."""
    stream = interaction(headers={"content-type": ["text/event-stream"]}, body=STREAM, chunks=((12, 15), (40, 14)))
    assert write_document([stream]) == GOLDEN


def test_vcrpy_reads_what_we_write():
    """Unmodified vcrpy loads the file and finds the same answer."""
    requests, responses = deserialize(GOLDEN, yamlserializer)
    assert requests[0].uri == "https://api.openai.com/v1/chat/completions"
    assert responses[0]["body"]["string"] == STREAM


def test_a_stream_comes_back_in_its_pieces():
    """Sizes and times of the chunks are kept; edited text whose sizes no longer fit comes whole."""
    response = Document(GOLDEN, "a.yaml")[0].response
    assert response.pieces() == [(12, STREAM[:15]), (40, STREAM[15:])]
    edited = Document(GOLDEN.replace('{"a":1}', '{"a":12}'), "a.yaml")[0].response
    assert edited.pieces() == [(0, STREAM.replace(b"1", b"12"))]


@given(st.binary(max_size=60) | st.text(max_size=60).map(lambda text: text.encode("utf-8", "surrogatepass")))
def test_any_body_comes_back_byte_for_byte(body):
    """Text, control characters, line ends of every kind and binary data survive the file."""
    document = Document(write_document([interaction(body=body), interaction(body=b"")]), "a.yaml")
    assert [document[0].response.body, document[1].response.body] == [body, b""]


def test_only_the_last_interaction_is_parsed_before_it_is_needed():
    """A broken interaction in the middle of a file is reported when it is reached, with its line."""
    text = write_document([interaction(body=b"a"), interaction(body=b"b")])
    document = Document(text.replace("      string: a", "      string: 'a", 1), "a.yaml")
    with pytest.raises(CassetteFileError, match=r"^a\.yaml:\d+: the cassette is not valid YAML: "):
        document[0]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        pytest.param("", "a.yaml: the cassette is empty. Delete it, and record it again.", id="empty"),
        pytest.param(
            "- a\n- b\n",
            "a.yaml: this is no cassette: a cassette is a mapping with a list `interactions`, `http_interactions` "
            "(Ruby's VCR, betamax) or `fixtures` (aimock). Name another file; what other tools have recorded has to be "
            "recorded again.",
            id="foreign",
        ),
        pytest.param(
            GOLDEN.replace("    method: POST\n", "<<<<<<< HEAD\n    method: POST\n=======\n"),
            "a.yaml:4: a merge conflict was left in the cassette. Resolve it, or re-record.",
            id="merge-conflict",
        ),
        pytest.param(
            GOLDEN[: GOLDEN.index("  response")],
            "a.yaml:12: the cassette is cut short: its last line, `version: 1`, is missing. Restore it, or re-record.",
            id="cut-short",
        ),
        pytest.param(
            GOLDEN[: GOLDEN.index("ONE]")],
            "a.yaml:20: the cassette is cut short: its last line has no end. Restore it, or re-record.",
            id="cut-in-a-line",
        ),
        pytest.param(
            GOLDEN[: GOLDEN.index("    body:\n")],
            "a.yaml:16: the cassette is cut short: its last line, `version: 1`, is missing. Restore it, or re-record.",
            id="cut-before-the-answer",
        ),
        pytest.param(
            GOLDEN.replace('"model": "gpt-4o"', '"model": "gpt-4o'),
            "a.yaml: interaction 1 cannot be read: its body does not fit the hint `request_body`: Invalid control "
            "character at: line 2 column 19 (char 20). Re-record it.",
            id="a-hint-that-no-longer-fits",
        ),
        pytest.param(
            "interactions:\n- request: {method: GET, uri: 'http://h:x/'}\n  response: {}\n",
            "a.yaml: interaction 1 cannot be read: `uri` is no URL: Port could not be cast to integer value as 'x'. "
            "Re-record it.",
            id="no-url",
        ),
        pytest.param(
            "interactions:\n- request: {method: 1, uri: 'http://h/'}\n  response: {}\n",
            "a.yaml: interaction 1 cannot be read: `method` is no text. Re-record it.",
            id="no-method",
        ),
        pytest.param(
            "interactions: [2026-99-99]\n",
            "a.yaml: the cassette is not valid YAML: month must be in 1..12. Restore it, or re-record.",
            id="no-day",
        ),
        pytest.param(
            '{"interactions": [{"request": {"method": "GET"',
            "a.json:1: the cassette is not valid JSON: Expecting ',' delimiter. Restore it, or re-record.",
            id="json-cut-short",
        ),
        pytest.param(
            "interactions:\n- request: {method: GET}\n  response: {}\n",
            "a.yaml: interaction 1 cannot be read: `uri` is missing. Re-record it.",
            id="no-uri",
        ),
        pytest.param(
            "interactions:\n- request: {method: 'GET}\n",
            "a.yaml:3: the cassette is not valid YAML: found unexpected end of stream. Restore it, or re-record.",
            id="not-yaml",
        ),
    ],
)
def test_a_broken_file_is_one_clear_error(text, message):
    """What is wrong, where, and how to mend it."""
    with pytest.raises(CassetteFileError) as caught:
        Document(text, message.partition(":")[0])
    assert str(caught.value) == message


def test_the_files_of_vcrpys_json_serializer_are_read():
    """Pairs of surrogates, which YAML refuses, are the letter they stand for."""
    recorded = {"method": "POST", "uri": "https://h/v1", "headers": {"a": ["b"]}, "body": '{"text": "\U0001f600"}'}
    answer = {"status": {"code": 200, "message": "OK"}, "headers": {}, "body": {"string": "é\U0001f600"}}
    text = jsonserializer.serialize({"version": 1, "interactions": [{"request": recorded, "response": answer}]})
    document = Document(text, "a.json")
    assert [len(document), document[0].request.uri] == [1, "https://h/v1"]
    assert document[0].request.body.decode() == '{"text": "\U0001f600"}'
    assert document[0].response.body.decode() == "é\U0001f600"


def test_a_file_can_be_looked_at_although_one_interaction_says_too_little():
    """Whoever inspects a file is told of a broken interaction when it is reached, and sees the others."""
    text = (
        "interactions:\n- request: {method: GET, uri: 'http://h/'}\n  response: {status: {code: 200}}\n- request: {}\n"
    )
    document = Document(text, "a.yaml", strict=False)
    assert document[0].request.uri == "http://h/"
    with pytest.raises(InteractionError, match=r"^a\.yaml: interaction 2 cannot be read: `response` is missing"):
        document[1]


@pytest.mark.skipif(not RECORDINGS.is_dir(), reason="../shared/recordings is not beside the checkout")
def test_every_recorded_cassette_survives_our_format():
    """263 files of two projects: read as vcrpy wrote them, written by us, read by us and by vcrpy, nothing lost."""
    count = 0
    for path in sorted(RECORDINGS.rglob("*.yaml")):
        before = Document(path.read_text(encoding="utf-8"), str(path))
        text = write_document(before[position] for position in range(len(before)))
        after = Document(text, str(path))
        assert len(after) == len(before)
        for position in range(len(before)):
            assert after[position].request == before[position].request
            assert after[position].response == before[position].response
        assert len(deserialize(text, yamlserializer)[0]) == len(before)
        count += 1
    assert count == 263


@pytest.mark.parametrize(
    ("body", "line"),
    [
        pytest.param('{"a":"\N{PARTY POPPER}"}'.encode(), '          "a": "\N{PARTY POPPER}"', id="emoji"),
        pytest.param(b'{"a": "\\ud83d"}', '          "a": "\\ud83d"', id="half-an-emoji"),
        pytest.param('{"a":"\u2028"}'.encode(), '          "a": "\\u2028"', id="line-separator"),
        pytest.param("data: \N{PARTY POPPER}\n\ndata: b\n\n".encode(), "        data: \N{PARTY POPPER}", id="stream"),
        pytest.param(b"\n \tindented\n  \n\n", "         \tindented", id="white-space"),
    ],
)
def test_text_stays_text(body, line):
    """Whatever letters a body has, it stands in the file line by line, and comes back byte for byte."""
    text = write_document([interaction(body=body)])
    assert line in text.split("\n")
    assert Document(text, "a.yaml")[0].response.body == body
    assert as_interaction(yaml.safe_load(text)["interactions"][0], "a.yaml", 1).response.body == body


def test_a_file_cut_between_two_interactions_is_cut_short():
    """What is left of it is valid, and is not played as if it were all."""
    two = write_document([interaction(body=b"1"), interaction(body=b"2")])
    with pytest.raises(CassetteFileError, match="its last line, `version: 1`, is missing"):
        Document(two[: two.rindex("- llmtest")], "a.yaml")


def test_a_file_with_its_version_first_is_read():
    """Files were laid out like this once."""
    old = "version: 1\n" + GOLDEN.removesuffix("version: 1\n")
    assert Document(old, "a.yaml")[0] == Document(GOLDEN, "a.yaml")[0]


ALIASES = "a: &a [x, x]\n" + "".join(
    f"{name}: &{name} [{', '.join([f'*{before}'] * 9)}]\n"
    for before, name in zip("abcdefghij", "bcdefghijk", strict=True)
)
VCRPY = (
    "interactions:\n- request: {method: GET, uri: 'http://a/', body: '', headers: {}}\n"
    "  response: {status: {code: 200, message: OK}, body: {string: ''}, headers: {}}\nversion: 1\n"
)


@pytest.mark.parametrize(
    ("text", "what"),
    [
        pytest.param(ALIASES + VCRPY.replace("headers: {}", "headers: {x: [*k]}"), "header `x` is no text", id="bomb"),
        pytest.param(ALIASES + VCRPY.replace("OK", "*k"), "`message` is no text", id="bomb-in-the-status"),
        pytest.param(VCRPY.replace("200", ".inf"), "cannot convert float infinity to integer", id="no-number"),
        pytest.param(VCRPY.replace("200", "-5"), "-5 is no status of HTTP", id="no-status"),
        pytest.param(VCRPY.replace("200", "null"), "the status is no number", id="empty-status"),
        pytest.param("interactions: [null]\n", "an interaction is no mapping", id="null"),
        pytest.param("interactions:\n- {request: 1, response: 2}\n", "`request` is no mapping", id="numbers"),
    ],
)
def test_a_value_of_the_wrong_kind_is_named(text, what):
    """Ten lines of aliases are no reason to run out of memory."""
    with pytest.raises(InteractionError) as caught:
        Document(text, "a.yaml")
    assert str(caught.value) == f"a.yaml: interaction 1 cannot be read: {what}. Re-record it."


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("[" * 100_000, id="brackets"),
        pytest.param("interactions: " + "{a: " * 30_000, id="braces"),
        pytest.param("- " * 50_000, id="dashes"),
        pytest.param(GOLDEN.replace("OK", "[" * 60_000), id="inside-of-an-interaction"),
    ],
)
def test_a_file_that_is_nested_without_end_is_an_error(text):
    """The trees of libyaml would take the whole process down."""
    with pytest.raises(CassetteFileError, match=r"nested too deeply|not valid YAML"):
        Document(text, "a.yaml")


WORDS = st.sampled_from(
    ["yes", "null", "1.0", "3.52.0", "8f2-CDG", "1e5", "0x1f", "a: b", "a #b", "", "it's", "a, b", "=", "<<", "~", "OK"]
)
PLAIN = st.sampled_from(
    ["", "a", "  b\n", "\n\n", '{"a":1}', "data: x\n\n", "version: 1", "  response:\n", "\u2028x\n"]
)


@given(st.lists(WORDS, min_size=1, max_size=3), WORDS, st.lists(PLAIN, max_size=4).map("".join))
@example(["application/json", "<redacted>"], "Not Found", '{"a":1}')
def test_the_shortcut_reads_what_yaml_says(values, reason, body):
    """Our own layout is read without YAML, and never differently."""
    text = write_document([interaction(headers={"x-note": values}, reason=reason, body=body.encode())])
    whole = as_interaction(yaml.safe_load(text)["interactions"][0], "a.yaml", 1)
    assert whole.response.headers == {"x-note": values}
    assert whole.response.body == body.encode()
    read = read_as_written(text[text.index("- llmtest") : text.rindex("version: 1")], 1)
    assert read is None or read == whole


@pytest.mark.parametrize(
    ("written", "edited"),
    [
        ("content-type: [application/json]", "content-type: [application/json] # a comment"),
        ("content-type: [application/json]", "content-type: [12]"),
        ("content-type: [application/json]", "content-type:\n      - application/json"),
        ('        "model"', '     "model"'),
        ("      {\n", "        {\n"),
        ("uri: https://api", "uri: https://[api"),
        ("code: 200", "code: 0200"),
    ],
)
def test_what_was_edited_by_hand_is_read_as_yaml(written, edited):
    """The shortcut takes only what it has written itself."""
    piece = GOLDEN[GOLDEN.index("- llmtest") : GOLDEN.rindex("version: 1")]
    assert read_as_written(piece, 1) is not None
    assert written in piece
    edited_piece = piece.replace(written, edited, 1)
    assert read_as_written(edited_piece, 1) is None


def test_two_lists_of_interactions_are_not_read_as_one():
    """YAML would take the last one and lose the other."""
    with pytest.raises(CassetteFileError) as caught:
        Document(VCRPY + VCRPY, "a.yaml")
    assert str(caught.value) == (
        "a.yaml: the cassette has several lists `interactions`, of which only the last would be read. "
        "Put them together, or re-record."
    )


def test_bodies_of_older_recorders_are_read():
    """Text that was decompressed under a header that denies it, and base64 under a name of its own."""
    old = "  response: {status_code: 200, http_version: HTTP/1.1, headers: {Content-Encoding: gzip}, content: hello}\n"
    coded = "  response: {status: {code: 200, message: OK}, headers: {}, body: {base64_string: aGVsbG8=}}\n"
    request = "- request: {method: GET, uri: 'http://a/', body: null, headers: {}}\n"
    document = Document(f"interactions:\n{request}{old}{request}{coded}version: 1\n", "a.yaml")
    assert [document[at].response.body for at in range(2)] == [b"hello", b"hello"]
    assert document[0].response.headers == {}
