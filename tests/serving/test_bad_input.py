"""Bad requests to every path: the dialect's own refusal, never a 500, never a broken connection."""

import json
import string

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from llmtest.events import RequestReceived
from llmtest.serving import _receive
from tests.serving.served_asgi import ask, world_that_answers

CHAT = {"model": "gpt-4o", "messages": [{"role": "user", "content": "Hi"}]}
MESSAGES = {**CHAT, "max_tokens": 5}
EMBED = {"model": "text-embedding-3-small", "input": "a", "dimensions": 4}
POSTED = {
    "/v1/chat/completions": CHAT,
    "/v1/embeddings": EMBED,
    "/v1/messages": MESSAGES,
    "/v1/messages/count_tokens": CHAT,
    "/ollama/v1/chat/completions": CHAT,
    "/azure/openai/v1/chat/completions": CHAT,
}
ANTHROPIC = {"/v1/messages", "/v1/messages/count_tokens"}
BAD_BODIES = {
    "empty": b"",
    "not-json": b"{",
    "not-utf-8": b"\xff\xfe{}",
    "a-list": b"[]",
    "a-number": b"1",
    "null": b"null",
    "no-fields": b"{}",
    "nan": b'{"model": NaN}',
    "a-form": b"model=gpt-4o&messages=hi",
    "nested-beyond-measure": b"[" * 100_000,
    "a-number-of-5000-digits": b'{"model": "gpt-4o", "max_tokens": ' + b"9" * 5000 + b"}",
}


def is_refusal(answer, path):
    """Tell whether an answer is an error in the dialect of a path."""
    error = answer.json["error"]
    if path in ANTHROPIC:
        return answer.json["type"] == "error" and set(error) >= {"type", "message"}
    return set(error) == {"message", "type", "param", "code"}


@pytest.mark.parametrize("path", POSTED)
@pytest.mark.parametrize("body", BAD_BODIES.values(), ids=BAD_BODIES)
def test_an_unreadable_body_is_a_400(path, body):
    """A body that is no request is refused in the dialect's own words."""
    answer = ask("POST", path, body)
    assert (answer.status, answer.headers["content-type"]) == (400, "application/json")
    assert is_refusal(answer, path)


@pytest.mark.parametrize("path", POSTED)
@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "", "multipart/form-data"])
def test_a_wrong_content_type_does_no_harm(path, kind):
    """JSON under another name is read as what it is."""
    answer = ask("POST", path, json.dumps(POSTED[path]).encode(), {"content-type": kind})
    assert answer.status == 200


@pytest.mark.parametrize("path", [*POSTED, "/v1/models", "/v1/models/gpt-4o"])
@pytest.mark.parametrize("method", ["PUT", "PATCH", "OPTIONS", "BREW"])
def test_a_wrong_method_is_a_405(path, method):
    """A method that a path does not have is refused in the dialect's own words."""
    answer = ask(method, path)
    assert answer.status == 405
    assert is_refusal(answer, path)


UNKNOWN = [
    ("POST", "/v1/assistants", {}, "/{provider}. To fix: have the code call Responses: POST "),
    ("GET", "/", {}, "Invalid URL (GET /). llmtest serves "),
    ("POST", "/openia/v1/chat/completions", {}, "Did you mean the provider `openai`?"),
    ("POST", "/openai/v1/nothing", {}, "Invalid URL (POST /openai/v1/nothing). "),
    ("POST", "/v1/complete", {"anthropic-version": "2023-06-01"}, "llmtest serves POST /v1/messages, "),
    (
        "POST",
        "/azure/openai/deployments/d/nothing",
        {},
        "Resource not found: POST /azure/openai/deployments/d/n",
    ),
]


@pytest.mark.parametrize(("method", "path", "headers", "text"), UNKNOWN, ids=[row[1] for row in UNKNOWN])
def test_an_unknown_path_is_a_404_that_says_what_exists(method, path, headers, text):
    """A path that is not simulated is the dialect's own 404, with the paths that are."""
    answer = ask(method, path, b"{}", headers)
    assert answer.status == 404
    assert text in answer.json["error"]["message"]
    assert is_refusal(answer, "/v1/messages" if headers else "")


def test_e03_a_path_that_nobody_serves_is_an_event_on_a_port_too():
    """It is answered in the API's words, counted, in the trace, and an error of the test."""
    world = world_that_answers()
    paths = [("POST", "/v1/nothing"), ("POST", "/v1/assistants"), ("POST", "/api/nothing"), ("PUT", "/v1/models")]
    assert [ask(method, path, world=world).status for method, path in paths] == [404, 404, 404, 405]
    assert len(world.harness_errors) == 4
    assert [(record.operation, record.path) for record in world.provider("openai").requests] == [
        ("unserved", path) for _, path in paths
    ]
    assert [event.operation for event in world.trace.of(RequestReceived)] == ["unserved"] * 4


def test_e24_a_wrong_base_url_is_not_hidden():
    """A path is the API's own, bare or below a provider's name; anything before it is a mistake."""
    body = json.dumps(POSTED["/v1/chat/completions"]).encode()
    assert ask("POST", "/openai/v1/foo/bar/chat/completions", body).status == 404
    assert ask("POST", "/openai/deployments/gpt/chat/completions", body).status == 404
    assert ask("POST", "/openai/v1/chat/completions", body).status == 200
    assert ask("POST", "/openai/chat/completions", body).status == 200


@pytest.mark.parametrize("length_is_told", [True, False], ids=["by-its-length", "while-it-comes"])
@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/messages", "/v1/nothing"])
def test_a_body_over_the_limit_is_a_413(monkeypatch, path, length_is_told):
    """A body is read up to a limit; beyond it the dialect's 413 comes at once."""
    monkeypatch.setattr("llmtest.serving._application.MOST_BYTES", 1000)
    headers = {"content-length": "1001"} if length_is_told else {}
    answer = ask("POST", path, headers=headers, pieces=[b"x" * 600, b"x" * 401, b"x"])
    assert answer.status == 413
    assert is_refusal(answer, path)
    assert _receive.MOST_BYTES == 32 * 1024 * 1024


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"dimensions": 4_000}, "dimensions"),
        ({"dimensions": 10**12}, "dimensions"),
        ({"dimensions": 0}, "dimensions"),
        ({"dimensions": "many"}, "dimensions"),
        ({"input": []}, "input"),
        ({"input": ["a"] * 2049}, "input"),
        ({"input": [["a"]]}, "input"),
        ({"model": "x", "input": ["a"] * 2048, "dimensions": 16_384}, "dimensions"),
        ({"encoding_format": "hex"}, "encoding_format"),
    ],
    ids=str,
)
def test_an_embedding_that_no_model_makes_is_a_400(change, text):
    """Sizes that the provider would refuse are refused, before they cost time or memory."""
    answer = ask("POST", "/v1/embeddings", json.dumps({**EMBED, **change}).encode())
    assert answer.status == 400
    assert text in answer.body.decode()


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.integers(10**15, 10**40)
    | st.floats(allow_nan=False)
    | st.text(max_size=8)
    | st.sampled_from(["user", "assistant", "tool", "text", "function", "auto", "\ud800", "tool_use", "tool_result"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                [
                    "role",
                    "content",
                    "type",
                    "text",
                    "name",
                    "id",
                    "function",
                    "arguments",
                    "tool_call_id",
                    "input",
                    "source",
                ]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=8,
)
FIELDS = st.sampled_from(
    [
        *CHAT,
        "max_tokens",
        "stream",
        "stream_options",
        "tools",
        "tool_choice",
        "temperature",
        "stop",
        "stop_sequences",
        "system",
        "n",
        "input",
        "dimensions",
        "encoding_format",
        "response_format",
        "metadata",
        "thinking",
        "seed",
        "user",
    ]
)
PATHS = st.sampled_from(
    [*POSTED, "/v1/models", "/v1/models/", "/v1/models/a/b", "/v1/messages/", "/x", "//", "/openai"]
)
HEADERS = st.dictionaries(
    st.sampled_from(["authorization", "x-api-key", "anthropic-version", "content-type", "accept", "content-length"]),
    st.text(string.printable.strip(), max_size=12),
    max_size=3,
)
FUZZ = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=True)


def check(answer):
    """Assert that an answer is one of the dialect's."""
    assert answer.status in {200, 400, 404, 405, 413}, answer.body
    if answer.status != 200:
        assert "message" in answer.json["error"]


@FUZZ
@given(st.sampled_from(list(POSTED)), st.dictionaries(FIELDS, JSON, min_size=1, max_size=3))
def test_any_value_in_any_field_has_an_answer(path, changes):
    """A request with wrong values anywhere is answered or refused, and nothing else."""
    check(ask("POST", path, json.dumps({**POSTED[path], **changes}).encode()))


@FUZZ
@given(st.sampled_from(["GET", "POST", "HEAD", "PUT"]), PATHS | st.text(max_size=20), HEADERS, st.binary(max_size=60))
def test_any_request_at_all_has_an_answer(method, path, headers, body):
    """Whatever method, path, headers and bytes come, an answer goes back."""
    check(ask(method, f"/{path}" if not path.startswith("/") else path, body, headers))


def test_e31_ollama_s_native_paths_fail_with_a_text():
    """Clients of Ollama's own API print what stands under `error`: a text, not an object."""
    answer = ask("POST", "/ollama/api/imagine", json.dumps({"model": "llama3.2"}).encode())
    assert answer.status == 404
    assert answer.json["error"].startswith("Not Found: POST /ollama/api/imagine. llmtest serves ")
    answer = ask("POST", "/ollama/api/chat", json.dumps({"messages": []}).encode())
    assert (answer.status, answer.json) == (400, {"error": "model is required"})
    answer = ask("POST", "/ollama/elsewhere", b"{}")
    assert answer.json["error"].endswith("llmtest serves its OpenAI-compatible one below /ollama/v1.")


def test_e21_a_deployment_is_answered_on_a_port_as_it_is_in_process():
    """An address of Azure's own is answered with Azure's bytes, bare and below the provider's name."""
    world = world_that_answers()
    body = json.dumps(POSTED["/v1/chat/completions"]).encode()
    path = "deployments/gpt/chat/completions?api-version=2024-10-21"
    answers = [ask("POST", f"{start}/{path}", body, world=world) for start in ("/openai", "/azure/openai")]
    assert [answer.status for answer in answers] == [200, 200]
    assert all("prompt_filter_results" in answer.json for answer in answers)
    assert [record.model for record in world.provider("azure").requests] == ["gpt", "gpt"]


@pytest.mark.parametrize(
    ("method", "path", "owner"),
    [
        ("GET", "/api/version", "ollama"),
        ("GET", "/api/tags", "ollama"),
        ("GET", "/api/v1/models", "openrouter"),
        ("GET", "/api/v1/key", "openrouter"),
        ("GET", "/version", "vllm"),
        ("GET", "/health", "vllm"),
    ],
)
def test_bare_paths_tell_whose_they_are(method, path, owner):
    """A path that only one API has needs no provider's name before it."""
    world = world_that_answers()
    assert ask(method, path, world=world).status == 200
    assert world.provider(owner).received == 1
