"""What is said of a cassette: the facts of each interaction, its findings, and never what a credential is."""

import io
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
import yaml
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from rich.console import Console
from vcr.serializers import jsonserializer

from llmtest.cassettes import (
    CassetteFileError,
    Document,
    Interaction,
    RecordedRequest,
    RecordedResponse,
    Redactor,
    in_days,
    inspect_cassette,
    verify_cassette,
    write_document,
)
from llmtest.cassettes._credentials import STUFFING, is_placeholder
from llmtest.cassettes._reading import text_of
from llmtest.cassettes.review._inspection import inspect_interaction
from llmtest.cassettes.review._layout import Layout
from llmtest.reporting import print_cassette
from tests.cassettes.planting import CHAT, ENVIRONMENT, PLACES, plantings

NOW = datetime(2026, 4, 1, tzinfo=UTC)
REDACTOR = Redactor(ENVIRONMENT)
MESSAGES = "https://api.anthropic.com/v1/messages"


def exchange(sent, came, *, uri=CHAT, method="POST", status=200, **response):
    """Make an interaction of two JSON values."""
    bodies = [value if isinstance(value, bytes) else json.dumps(value).encode() for value in (sent, came)]
    answer = RecordedResponse(status, "OK", response.pop("headers", {}), bodies[1], **response)
    return Interaction(RecordedRequest(method, uri, {}, bodies[0]), answer)


def facts_of(interaction):
    """Return the facts of one interaction."""
    return inspect_interaction(interaction, 1, REDACTOR)


def asks(*messages):
    """Make the body of a chat request."""
    return {"model": "m", "max_tokens": 9, "messages": [{"role": role, "content": text} for role, text in messages]}


def says(**message):
    """Make the body of a chat answer."""
    return {"model": "m-2026", "choices": [{"index": 0, "message": {"role": "assistant", **message}}]}


TOOL_CALL = {"id": "c", "type": "function", "function": {"name": "weather", "arguments": '{"city":"Paris"}'}}
IMAGE = {"type": "image_url", "image_url": {"url": "data:image/png;base64,aaaa"}}


@pytest.mark.parametrize(
    ("interaction", "expected"),
    [
        pytest.param(
            exchange(asks(("user", "Hello\n  you"), ("assistant", "Yes?"), ("user", "Bye")), says(content="So\n long")),
            ("openai", "chat", "m", "Bye", "So long"),
            id="last-message-on-one-line",
        ),
        pytest.param(
            exchange(asks(("user", [{"type": "text", "text": "What is this?"}, IMAGE])), says(refusal="No.")),
            ("openai", "chat", "m", "What is this? [image]", "No."),
            id="image-and-refusal",
        ),
        pytest.param(
            exchange(asks(("system", "Be brief.")), says(content=None, tool_calls=[TOOL_CALL])),
            ("openai", "chat", "m", None, 'weather({"city":"Paris"})'),
            id="no-user-and-a-tool-call",
        ),
        pytest.param(
            exchange(asks(("user", "x" * 300)), says(content="y" * 240)),
            ("openai", "chat", "m", "x" * 239 + "…", "y" * 240),
            id="long-texts-are-cut",
        ),
        pytest.param(
            exchange(asks(("user", "Hi")), {"error": {"message": "Slow down."}}, status=429),
            ("openai", "chat", "m", "Hi", "Slow down."),
            id="error",
        ),
        pytest.param(
            exchange(
                asks(("user", "Hi")),
                {"type": "message", "content": [{"type": "text", "text": "Hello"}], "stop_reason": "end_turn"},
                uri=MESSAGES,
            ),
            ("anthropic", "chat", "m", "Hi", "Hello"),
            id="anthropic",
        ),
        pytest.param(
            exchange(asks(("user", "Hi")), {"input_tokens": 8}, uri=f"{MESSAGES}/count_tokens"),
            ("anthropic", "count_tokens", "m", "Hi", '{"input_tokens": 8}'),
            id="count-tokens",
        ),
        pytest.param(
            exchange(
                {"model": "e", "input": ["one", "two", "three"]},
                {"data": [{"embedding": [0.1, 0.2]}, {"embedding": [0.1, 0.2]}, {"embedding": [0.1, 0.2]}]},
                uri="https://api.openai.com/v1/embeddings",
            ),
            ("openai", "embeddings", "e", "one (and 2 more)", "3 vectors of 2 numbers"),
            id="embeddings",
        ),
        pytest.param(
            exchange(
                {"model": "e", "input": [1, 2]},
                {"data": [{"embedding": "AACAPwAAgD8AAIA/"}]},
                uri="https://h.openai.azure.com/openai/deployments/d/embeddings?api-version=1",
            ),
            ("openai", "embeddings", "e", "2 tokens", "1 vector of 3 numbers"),
            id="embeddings-of-tokens-in-base64",
        ),
        pytest.param(
            exchange(b"", {"data": []}, uri="https://api.openai.com/v1/models", method="GET"),
            ("openai", "models", None, None, '{"data": []}'),
            id="models",
        ),
        pytest.param(
            exchange({"model": "jamba", "say": "Hi"}, {"text": "Hello"}, uri="https://api.ai21.com/studio/v1/say"),
            ("other", "", "jamba", '{"model": "jamba", "say": "Hi"}', '{"text": "Hello"}'),
            id="other",
        ),
        pytest.param(
            exchange({"model": 4}, says(content="Hi")),
            ("openai", "chat", "m-2026", '{"model": 4}', "Hi"),
            id="request-that-no-provider-would-take",
        ),
    ],
)
def test_an_exchange_is_known_again_by_its_facts(interaction, expected):
    """Who was asked what, and what came back, whichever way it was said."""
    facts = facts_of(interaction)
    assert (facts.dialect, facts.operation, facts.model, facts.prompt, facts.answer) == expected
    assert facts.error == ""


def test_tokens_are_counted_as_everywhere_else():
    """Cached tokens are part of the input; an answer that does not say has no count, which is not zero."""
    usage = {"input_tokens": 3, "output_tokens": 5, "cache_read_input_tokens": 100}
    answer = {"type": "message", "content": [], "usage": usage}
    facts = facts_of(exchange(asks(("user", "Hi")), answer, uri=MESSAGES))
    assert (facts.input_tokens, facts.output_tokens) == (103, 5)
    facts = facts_of(exchange({}, {"usage": {"prompt_tokens": 4}}, uri="https://api.openai.com/v1/completions"))
    assert (facts.input_tokens, facts.output_tokens) == (4, 0)
    facts = facts_of(exchange(asks(("user", "Hi")), says(content="Hi")))
    assert (facts.input_tokens, facts.output_tokens) == (None, None)


def test_a_stream_says_when_its_pieces_came():
    """Seconds since the request; JSON lines count as events; a stream nobody heard to its end says so."""
    body = b'{"message":{"content":"a"}}\n{"message":{"content":"b"}}\n'
    streamed = exchange({}, body, uri="http://127.0.0.1:11434/api/chat", head_ms=200, complete=False)
    streamed.response.chunks = ((0, 20), (50, len(body) - 20))
    stream = facts_of(streamed).stream
    assert stream is not None
    assert (stream.events, stream.chunks, stream.first_s, stream.total_s, stream.complete) == (2, 2, 0.2, 0.25, False)


def test_a_table_keeps_to_80_columns():
    """A narrow terminal cuts what is long, and breaks no line."""
    long = exchange(asks(("user", "What is the meaning of " * 9)), says(content="It is " * 40), head_ms=1234)
    text = write_document([long, exchange(b"\xff\x00", {"a": 1}, uri="https://example.com/" + "deep/" * 30)])
    printed = io.StringIO()
    facts = inspect_cassette(Document(text, "tests/cassettes/a.yaml"), len(text), REDACTOR)
    print_cassette(facts, NOW, Console(file=printed, width=80))
    assert [line.rstrip() for line in printed.getvalue().splitlines()] == [
        "tests/cassettes/a.yaml",
        "2 interactions, 1.7 KB, recorded at an unknown time",
        "",
        " #   request                               answer",
        " ───────────────────────────────────────────────────────────────────────────────",
        " 1   openai chat m                         200  after 1.23 s",
        "     POST api.openai.com/v1/chat/comple…   It is It is It is It is It is It i…",
        "     What is the meaning of What is the…",
        "",
        " 2   other                                 200",
        '     POST example.com/deep/deep/deep/de…   {"a": 1}',
        "     [2 bytes that are no text]",
        "",
    ]


@pytest.mark.parametrize(
    ("value", "marks"),
    [
        ("REDACTED", True),
        ("Bearer <redacted>", True),
        ("test-api-key", True),
        ("Bearer dummy", True),
        ("YOUR_API_KEY", True),
        ("xxxxxxxx", True),
        ("***", True),
        ("", True),
        ("sk-abc123", False),
        ("Bearer abc", False),
        ("session=1", False),
    ],
)
def test_a_placeholder_is_no_credential(value, marks):
    """What people write where a credential stood is not reported."""
    assert is_placeholder(value) is marks


@pytest.mark.parametrize(
    ("age", "text"),
    [
        (timedelta(days=90, hours=3), "90 days"),
        (timedelta(days=1), "1 day"),
        (timedelta(hours=5), "5 hours"),
        (timedelta(minutes=1), "1 minute"),
        (timedelta(seconds=5), "0 minutes"),
        (timedelta(days=1500), "1,500 days"),
    ],
)
def test_an_age_is_told_in_its_largest_unit(age, text):
    """Nobody reads 7,776,000 seconds."""
    assert in_days(age) == text


def test_lines_are_known_in_the_files_of_vcrpys_json_serializer():
    """Also behind letters that JSON writes as two escapes, which YAML refuses."""
    text = as_vcrpy(exchange({"text": "\U0001f600"}, {"a": 1}), jsonserializer.serialize)
    layout = Layout(text)
    lines = text.split("\n")
    assert '"uri"' in lines[layout.line(0, "request", "uri") - 1]
    assert '"code"' in lines[layout.line(0, "response", "status", "code") - 1]
    assert layout.line(7) == 1


def as_vcrpy(interaction, serialize=yaml.dump):
    """Write an interaction as vcrpy does, with all it says."""
    request, response = interaction.request, interaction.response
    bodies = [part.body if text_of(part.body) is None else part.body.decode() for part in (request, response)]
    said = {"method": request.method, "uri": request.uri, "headers": request.headers, "body": bodies[0]}
    status = {"code": response.status, "message": response.reason}
    answer = {"status": status, "headers": response.headers, "body": {"string": bodies[1]}}
    return serialize({"version": 1, "interactions": [{"request": said, "response": answer}]})


def everything_printed(text):
    """Return all that both commands print of a cassette, at both widths and as JSON."""
    document = Document(text, "a.yaml", strict=False)
    facts = inspect_cassette(document, len(text), REDACTOR)
    verdict = verify_cassette(document, text, REDACTOR, now=NOW, max_age=timedelta(days=1))
    printed = io.StringIO()
    for width in (80, 400):
        print_cassette(facts, NOW, Console(file=printed, width=width))
    objects = [json.dumps(each.as_json(), ensure_ascii=False) for each in (facts, verdict)]
    return "\n".join([printed.getvalue(), *objects, *map(str, verdict.findings), *verdict.unreadable]), verdict


@pytest.mark.slow
@pytest.mark.parametrize("place", PLACES)
def test_a_credential_is_found_and_never_printed(place):
    """Whoever wrote the file, and wherever the credential is in it, the finding names its line."""

    @given(plantings((place,)))
    @settings(max_examples=6, deadline=None, suppress_health_check=[HealthCheck.too_slow])
    def check(planting):
        interaction, secret, _ = planting
        assume(not STUFFING.search(secret.planted))
        writers = [lambda each: write_document([each])]
        if place != "error":  # vcrpy has no field for how a connection broke
            writers.append(as_vcrpy)
        if place not in {"error", "compressed body", "compressed answer"}:  # nor has JSON one for bytes
            writers.append(lambda each: as_vcrpy(each, jsonserializer.serialize))
        for write in writers:
            text = write(interaction)
            printed, verdict = everything_printed(text)
            found = [finding for finding in verdict.findings if finding.kind == "secrets"]
            assert found != []
            for forbidden in secret.forbidden:
                assert forbidden not in printed
            lines = text.split("\n")
            holding = {number for number, line in enumerate(lines, 1) if secret.planted in line}
            assert not holding or holding & {finding.line for finding in found}

    check()


@pytest.mark.slow
@pytest.mark.parametrize("place", PLACES)
def test_what_was_saved_has_no_secrets_left_to_find(place):
    """Redaction and the judge agree: what the one has written, the other lets pass."""

    @given(plantings((place,)))
    @settings(max_examples=6, deadline=None, suppress_health_check=[HealthCheck.too_slow])
    def check(planting):
        from llmtest.cassettes._saving import redact_interaction

        text = write_document([redact_interaction(planting[0], REDACTOR)])
        verdict = verify_cassette(Document(text, "a.yaml"), text, REDACTOR, now=NOW)
        assert [str(finding) for finding in verdict.findings if finding.kind == "secrets"] == []

    check()


def test_a_broken_interaction_keeps_no_other_from_being_judged():
    """It is told apart, and its texts are redacted too."""
    good = exchange(asks(("user", "Hi")), says(content="Hi"))
    text = yaml.dump(
        {
            "interactions": [
                {
                    "request": {"method": "GET", "uri": "http://h/"},
                    "response": {"status": {"code": "my-own-proxy-key-123"}},
                },
                yaml.safe_load(as_vcrpy(replace(good)))["interactions"][0],
            ]
        }
    )
    document = Document(text, "a.yaml", strict=False)
    verdict = verify_cassette(document, text, REDACTOR, now=NOW)
    facts = inspect_cassette(document, len(text), REDACTOR)
    expected = "interaction 1 cannot be read: invalid literal for int() with base 10: '<OPENAI_API_KEY>'. Re-record it."
    assert verdict.unreadable == (f"a.yaml: {expected}",)
    assert [row.error or row.answer for row in facts.interactions] == [expected, "Hi"]
    assert [finding.kind for finding in verdict.findings] == ["secrets"]


JUNK = [
    "\t",
    "\0",
    "'",
    '"',
    "{",
    "[",
    "]",
    ":",
    "- ",
    "!!binary ",
    "2026-99-99",
    "*a",
    "? ",
    "|",
    "http://[x",
    "null",
    "é",
]
SEEDS = [
    write_document([exchange(asks(("user", "Hi")), says(content="Hi"), chunks=((1, 9),)), exchange({}, {"a": [1]})]),
    as_vcrpy(exchange(asks(("user", "Hi")), says(content="Hi"), headers={"date": ["Tue, 30 Dec 2025 18:44:02 GMT"]})),
    as_vcrpy(exchange({"a": "\U0001f600"}, {"a": 1}), jsonserializer.serialize),
]


@given(st.sampled_from(SEEDS), st.integers(0, 2000), st.integers(0, 30), st.sampled_from(JUNK))
@settings(max_examples=100, deadline=None)
def test_whatever_is_done_to_a_file_it_is_judged_or_refused(text, start, cut, junk):
    """Cut, mangled or edited anywhere, a file gives findings or one clear error, and nothing else."""
    start %= len(text)
    mangled = text[:start] + junk + text[start + cut :]
    try:
        everything_printed(mangled)
    except CassetteFileError as error:
        assert str(error).startswith("a.yaml:")  # noqa: PT017 - most files can be judged, and raise nothing
