"""Credentials of less usual kinds: none reaches the disk, and what only looks like one is kept."""

import base64
import json
import random
import time

import pytest

from llmtest.cassettes import Cassette, Document, Interaction, RecordedRequest, RecordedResponse, Redactor
from tests.cassettes.unusual_secrets import (
    ANTHROPIC,
    CODED,
    FIELDS,
    FORMS,
    HEADERS,
    MIXED,
    OPENAI,
    QUERIES,
    SPLIT,
    TEXTS,
    URL,
    WIDE,
)


def saved(tmp_path, request, response=None, redactor=None):
    """Record one exchange; return the text of the file and what is read back from it."""
    path = tmp_path / "a.yaml"
    cassette = Cassette(path, "rewrite", redactor=redactor or Redactor({}))
    cassette.record(Interaction(request, response or RecordedResponse(200)))
    assert cassette.save()
    text = path.read_text(encoding="utf-8")
    assert Cassette(path, redactor=redactor or Redactor({})).answer(request) is not None, "it must still replay"
    return text, Document(text, "a.yaml")[0]


def sides(body, kind="application/json"):
    """Return an exchange with a body in its request, and one with it in its answer."""
    headers = {"content-type": [kind]}
    return [
        (RecordedRequest("POST", URL, headers, body), RecordedResponse(200)),
        (RecordedRequest("POST", URL), RecordedResponse(200, "OK", headers, body)),
    ]


@pytest.mark.parametrize("name", HEADERS)
def test_t40_a_header_that_is_called_a_credential_loses_its_value(tmp_path, name):
    """Whatever the header is called exactly, in requests and in answers, however short the value is."""
    text, _ = saved(
        tmp_path,
        RecordedRequest("POST", URL, {name: ["abcxyz"]}),
        RecordedResponse(200, headers={name.title(): ["uvwdef"]}),
    )
    assert "abcxyz" not in text
    assert "uvwdef" not in text


@pytest.mark.parametrize(("query", "secret"), QUERIES)
def test_t40_a_parameter_that_is_called_a_credential_loses_its_value(tmp_path, query, secret):
    """Also if its name is percent-encoded, or stands in a URL inside the URL, or in a URL inside a text."""
    text, _ = saved(tmp_path, RecordedRequest("GET", f"{URL}?a=b&{query}"))
    assert secret not in text
    for request, response in sides(json.dumps({"text": f"see {URL}?a=b&{query} there"}).encode()):
        assert secret not in saved(tmp_path, request, response)[0]


@pytest.mark.parametrize(("body", "secret"), FIELDS, ids=lambda value: str(value)[:24])
@pytest.mark.parametrize("indent", [None, 2])
def test_t40_a_field_that_is_called_a_credential_loses_its_value(tmp_path, body, secret, indent):
    """Nested, in lists and objects, in JSON inside JSON; the rest of the body is JSON still."""
    for request, response in sides(json.dumps(body, indent=indent).encode()):
        text, kept = saved(tmp_path, request, response)
        assert secret not in text
        json.loads(kept.request.body or kept.response.body)


@pytest.mark.parametrize(("body", "secret"), FORMS)
def test_t40_a_form_loses_its_credentials(tmp_path, body, secret):
    """A form has names too, whichever way it is written."""
    for request, response in sides(body.encode(), "application/x-www-form-urlencoded"):
        assert secret not in saved(tmp_path, request, response)[0]


@pytest.mark.parametrize(("planted", "secret"), TEXTS, ids=lambda value: value[:16])
def test_t40_a_text_loses_what_looks_like_a_credential(tmp_path, planted, secret):
    """Connection strings, private keys, cloud sessions, webhooks and keys of many vendors, on both sides."""
    for request, response in sides(json.dumps({"messages": [{"content": f"this: {planted}\nthat"}]}).encode()):
        assert secret not in saved(tmp_path, request, response)[0]
    for request, response in sides(f"before {planted} after".encode(), "text/plain"):
        assert secret not in saved(tmp_path, request, response)[0]
    note = planted.replace("\n", " ")
    assert secret not in saved(tmp_path, RecordedRequest("POST", URL, {"x-note": [note]}))[0]


@pytest.mark.parametrize("planted", CODED, ids=lambda value: value[:12])
def test_t40_a_key_that_is_written_as_something_else_is_found(tmp_path, planted):
    """In base64 once and twice, in escapes of JSON and of URLs."""
    for request, response in sides(f'{{"content": "this: {planted} that"}}'.encode()):
        assert planted not in saved(tmp_path, request, response)[0]


@pytest.mark.parametrize("body", WIDE)
def test_t40_a_key_in_utf_16_is_found(tmp_path, body):
    """Its letters stand apart, and are found all the same."""
    for request, response in sides(body, "text/plain; charset=utf-16"):
        text, kept = saved(tmp_path, request, response)
        said = (kept.request.body or kept.response.body).replace(b"\0", b"")
        assert MIXED.encode() not in said
        assert base64.b64encode(body).decode() not in text.replace("\n", "").replace(" ", "")


@pytest.mark.parametrize("kind", SPLIT)
@pytest.mark.parametrize("size", [1, 4, 9])
def test_t40_a_key_that_a_stream_brings_in_pieces_is_replaced(tmp_path, kind, size):
    """The pieces are read together, and what is left of the text comes as it came."""
    line, (before, secret, after) = SPLIT[kind]
    whole = before + secret + after
    pieces = [whole[at : at + size] for at in range(0, len(whole), size)]
    events = [(line % json.dumps(piece)).encode() for piece in pieces]
    response = RecordedResponse(
        200, "OK", {"content-type": ["text/event-stream"]}, b"".join(events), tuple((1, len(each)) for each in events)
    )
    _, kept = saved(tmp_path, RecordedRequest("POST", URL), response)
    lines = [each.partition("data: ")[2] or each for each in kept.response.body.decode().splitlines()]
    said = "".join(text for each in lines if each.startswith("{") for text in deltas(json.loads(each)))
    assert secret not in said
    assert said.startswith(before)
    assert said.endswith(after)
    assert "<redacted " in said
    assert sum(length for _, length in kept.response.chunks) == len(kept.response.body)


def deltas(value):
    """Yield what one event says, in any of the dialects above."""
    if isinstance(value, dict):
        for name, item in value.items():
            if name in {"content", "arguments", "partial_json"} and isinstance(item, str):
                yield item
            else:
                yield from deltas(item)
    for item in value if isinstance(value, list) else ():
        yield from deltas(item)


def test_t40_two_calls_whose_pieces_come_by_turns_are_read_apart(tmp_path):
    """Pieces belong together that have one place and one index."""
    line = 'data: {"choices":[{"index":0,"delta":{"tool_calls":[{"index":%d,"function":{"arguments":%s}}]}}]}\n\n'
    first, second = f"a {OPENAI} b", f"c {ANTHROPIC} d"
    body = "".join(
        line % (index, json.dumps(text[at : at + 7]))
        for at in range(0, 70, 7)
        for index, text in enumerate((first, second))
        if text[at : at + 7]
    ).encode()
    response = RecordedResponse(200, "OK", {"content-type": ["text/event-stream"]}, body)
    _, kept = saved(tmp_path, RecordedRequest("POST", URL), response)
    said = "".join(
        text
        for each in kept.response.body.decode().splitlines()
        if each
        for text in deltas(json.loads(each.partition("data: ")[2]))
    )
    assert not [part for part in (MIXED[at : at + 7] for at in range(0, 25, 7)) if part in said]


SCHEMA = {
    "type": "object",
    "properties": {
        "key": {"type": "string", "description": "The key to look up, such as user-42"},
        "api_key": {"type": "string"},
        "password": {"type": "string", "minLength": 8, "pattern": "^[A-Za-z0-9]{8,32}$"},
        "tokens": {"type": "array", "items": {"type": "string", "enum": ["one", "two"]}},
    },
    "required": ["key", "api_key", "password"],
}
IMAGE = base64.b64encode(random.Random(7).randbytes(30_000)).decode()

ORDINARY = [
    {"max_tokens": 100, "token_count": 12345678, "max_completion_tokens": "100"},
    {"usage": {"prompt_tokens": 10, "completion_tokens": 20, "completion_tokens_details": {"reasoning_tokens": 5}}},
    {"tools": [{"name": "lookup", "input_schema": SCHEMA}]},
    {"arguments": json.dumps({"key": "value", "keys": ["a", "b"], "sort_key": "created_at"})},
    {"arguments": json.dumps({"key": "user-42", "primary_key": "order_20260301", "key_name": "weather_paris_2026"})},
    {"id": "chatcmpl-C3a9f0c71e5b24d86af10c29b7e63d854", "system_fingerprint": "fp_44709d6fcb"},
    {"id": "msg_01XFDUDYJgAACzvnptvVoYEL", "tool_use_id": "toolu_01A09q90qw90lq917835lq9"},
    {"id": "resp_67ccd2bed1ec8190b14f964abc0542670bb6a6b452d3795b", "call_id": "call_abc123XYZ789def456"},
    {"thread_id": "thread_abc123", "task_id": "task-3f9a0c71e5b24d86af10c29b7e63d854"},
    {"session_id": "0f8fad5b-d9cb-469f-a165-70867728950e", "prompt_cache_key": "tenant-42-session-9f8e7d6c5b4a"},
    {"image_url": {"url": f"data:image/png;base64,{IMAGE}"}},
    {"logprobs": {"content": [{"token": "Hello", "logprob": -0.3, "top_logprobs": [{"token": " 2024"}]}]}},
    {"signature": IMAGE[:400], "thoughtSignature": IMAGE[400:900], "type": "thinking"},
    {"nextPageToken": "CAUQAA3f9a0c71e5b24d86", "pad_token": "<|endoftext|>", "eos_token": "</s2>"},
    {"content": "The secret of good bread is time: the key ingredient is patience. Password: ask your mother."},
    {"content": "Set the password to something long, and never share your token = your identity."},
    {"content": "def f(token, key=lambda x: x[1]):\n    api_key = os.environ['API_KEY']\n    token = next(tokens2)"},
    {"content": 'client = OpenAI(api_key="YOUR_API_KEY", password=get_password(), token=${TOKEN})'},
    {"content": "postgres://user:password@localhost/db and https://example.com:8080/a@b"},
    {"content": "tokens: 1234, token: 5678, tokens per minute = 90000, key: value, auth: none"},
    {"content": "see https://example.com/docs?code=404&page=2&author=smith2020 and /keyboards?key_size=60"},
    {"content": "commit 3f9a0c71e5b24d86af10c29b7e63d85412345678, sha256 of it, task-management-system-design-v2"},
    {"content": "uuid 0f8fad5b-d9cb-469f-a165-70867728950e at 2026-03-01T10:00:00Z, version 12.34.56"},
    {"password": "", "secret": None, "token": True, "api_key": "string", "auth": "none"},
    {"tool_choice": {"type": "function", "function": {"name": "get_secret_password_token_key"}}},
]


@pytest.mark.parametrize("body", ORDINARY, ids=lambda value: str(value)[:40])
def test_t40_ordinary_traffic_is_kept_as_it_is(tmp_path, body):
    """Counts, schemas, arguments, ids, images, log probabilities, signed thoughts, prose and code stay."""
    for indent in (None, 2):
        wire = json.dumps(body, indent=indent).encode()
        for request, response in sides(wire):
            _, kept = saved(tmp_path, request, response)
            assert (kept.request.body or kept.response.body) == wire


def test_t40_ordinary_headers_and_parameters_are_kept(tmp_path):
    """Limits, counts and ids are what a session is about."""
    headers = {
        "anthropic-ratelimit-tokens-remaining": ["1000"],
        "x-ratelimit-reset-tokens": ["6ms"],
        "idempotency-key": ["stainless-python-retry-1"],
        "x-request-id": ["req_011CSHoEeqs5C35K2UUqR7Fy"],
        "surrogate-key": ["docs"],
        "www-authenticate": ["Bearer realm"],
    }
    url = f"{URL}?api-version=2024-10-21&alt=sse&max_tokens=10&code=404"
    _, kept = saved(tmp_path, RecordedRequest("POST", url, headers), RecordedResponse(200, "OK", headers))
    assert kept.request.uri == url
    assert kept.request.headers == kept.response.headers == headers


@pytest.mark.slow
def test_t40_a_recording_with_much_text_is_redacted_in_little_time():
    """Every rule looks at a text once: what is double as long takes about double the time, and 2 MB little."""
    chance = random.Random(3)
    words = ["token", "key:", '"text":', "password", "sk-", "https://h/", "a=b&", "%20", "\\n", "ordinary", "eyJ", '"']
    texts = [
        " ".join(chance.choice(words) for _ in range(350_000)),
        base64.b64encode(chance.randbytes(1_500_000)).decode(),
        "a" * 2_000_000,
        "-----BEGIN PRIVATE KEY-----" * 75_000,
        "token" * 400_000,
        "a=" * 1_000_000,
        '"api_keys": [' * 150_000,
    ]
    for text in texts:
        took = []
        for part in (text[: len(text) // 4], text):
            began = time.process_time()
            Redactor({"OPENAI_API_KEY": OPENAI}).text(part)
            took.append(time.process_time() - began)
        assert took[1] < 3, text[:40]
        assert took[1] < max(10 * took[0], 0.2), text[:40]


def test_t40_what_is_kept_on_purpose_is_kept(tmp_path):
    """A false hit is named once, as a text or as the name of its field, and stands in the file from then on."""
    body = json.dumps({"order_token": "a1b2c3d4", "note": OPENAI, "secret": "opensesame"}).encode()
    redactor = Redactor({}, keep=["order_token", "sk-proj-*"])
    request = RecordedRequest("POST", f"{URL}?order_token=a1b2c3d4", {"order_token": ["a1b2c3d4"]}, body)
    _, kept = saved(tmp_path, request, redactor=redactor)
    assert kept.request.body == body.replace(b"opensesame", b"<redacted secret>")
    assert kept.request.uri.endswith("order_token=a1b2c3d4")
    assert kept.request.headers == {"order_token": ["a1b2c3d4"]}
