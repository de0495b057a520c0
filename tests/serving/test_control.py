"""The control plane: what the providers saw, what it cost, new scripts, and back to the beginning."""

import httpx2
import pytest

from llmtest.events import event_of
from llmtest.serving import Server, served_world

CHAT = {"model": "gpt-4o", "messages": [{"role": "user", "content": "Hi"}]}


@pytest.fixture(scope="module")
def server():
    """Return one server for all tests of this file."""
    world, set_up = served_world(seed=3)
    with Server(world, on_reset=set_up) as running:
        yield running


@pytest.fixture
def client(server):
    """Return a client of a server that has forgotten everything."""
    with httpx2.Client(base_url=server.base_url) as found:
        assert found.post("/_llmtest/reset").json() == {"status": "ok"}
        yield found


def said(client, provider="openai"):
    """Ask one question and return the answer's text."""
    answer = client.post(f"/{provider}/v1/chat/completions", json=CHAT)
    return answer.json()["choices"][0]["message"]["content"]


def test_health_names_the_providers(client):
    """`GET health` says that the server is there, and who answers."""
    answer = client.get("/_llmtest/health").json()
    assert (answer["status"], answer["seed"]) == ("ok", 3)
    assert answer["providers"]["anthropic"] == "anthropic"


def test_every_provider_answers_without_a_script(client):
    """Without a script the same prompt gets the same generated text."""
    first, second = said(client), said(client)
    assert first == second
    assert len(first.split()) == 40


def test_requests_are_listed_without_their_keys(client):
    """`GET requests` lists what the providers saw, in order; no header, and so no key, is shown."""
    client.post("/v1/chat/completions", json=CHAT, headers={"authorization": "Bearer sk-secret"})
    client.post("/v1/messages", json={**CHAT, "max_tokens": 5})
    client.post("/v1/messages", content=b"nonsense")
    answer = client.get("/_llmtest/requests")
    assert "sk-secret" not in answer.text
    rows = [(row["provider"], row["path"], row["outcome"]) for row in answer.json()["requests"]]
    assert rows == [
        ("openai", "/v1/chat/completions", "200"),
        ("anthropic", "/v1/messages", "200"),
        ("anthropic", "/v1/messages", "400"),
    ]
    first, _, last = answer.json()["requests"]
    assert first["body"] == CHAT
    assert first["usage"]["input_tokens"] == 5
    assert last["body"] == "nonsense"
    only = client.get("/_llmtest/requests", params={"provider": "openai"}).json()["requests"]
    assert [row["provider"] for row in only] == ["openai"]


def test_costs_are_exact_and_unknown_ones_are_not_zero(client):
    """`GET costs` has money as text; a total with a part of unknown price is null."""
    client.post(
        "/_llmtest/script",
        json={"openai": [{"replies": {"text": "a", "usage": {"input_tokens": 1000000, "output_tokens": 0}}}]},
    )
    said(client)
    answer = client.get("/_llmtest/costs").json()
    assert (answer["total_usd"], answer["known_usd"], answer["calls"]) == ("2.50000000", "2.50000000", 1)
    said(client, "openrouter")
    answer = client.get("/_llmtest/costs").json()
    assert (answer["total_usd"], answer["known_usd"]) == (None, "2.50000000")
    assert answer["calls_of_unknown_price"] == 1


def test_the_trace_is_there_as_data_and_as_text(client):
    """`GET trace` has the events, and the table that tests print."""
    said(client)
    answer = client.get("/_llmtest/trace").json()
    assert [(event["event"], event["who"]) for event in answer["events"]] == [
        ("request", "openai/gpt-4o"),
        ("answer", "openai/gpt-4o"),
    ]
    assert [event["facts"]["outcome"] for event in answer["events"][1:]] == ["200"]
    assert [event_of(event["facts"]).kind for event in answer["events"]] == ["request", "answer"]
    assert "answer   openai/gpt-4o" in answer["text"]


def test_a_script_adds_steps_and_a_reset_takes_them_away(client):
    """`POST script` adds to the script; `POST reset` goes back to the beginning."""
    steps = [{"replies": "one"}, {"fails": {"server_error": {"status": 503}}}]
    answer = client.post("/_llmtest/script", json={"openai": steps, "mine": {"dialect": "openai", "steps": []}})
    assert answer.json() == {"status": "ok", "steps": {"openai": 2, "mine": 0}}
    assert client.post("/_llmtest/script", content=b"openai:\n  - replies: three\n").status_code == 200
    assert said(client) == "one"
    assert client.post("/v1/chat/completions", json=CHAT).status_code == 503
    assert said(client) == "three"
    client.post("/_llmtest/script", json={"openai": [{"replies": "never"}]})
    client.post("/_llmtest/reset")
    assert len(said(client).split()) == 40
    assert len(client.get("/_llmtest/requests").json()["requests"]) == 1


WRONG = [
    (b"{", "not valid JSON: Expecting property name enclosed in double quotes: line 1 column 2 (char 1)."),
    (b"a: b: c", "script:1: not valid YAML: mapping values are not allowed here."),
    (b"openai:\n- fails: overload", "script:2: `openai[0].fails`: unknown fault `overload`."),
    (b"[]", 'a script is a mapping of providers to steps.\nTo fix: {"openai": [{"replies": "Paris"}]}'),
    (b"", 'a script is a mapping of providers to steps.\nTo fix: {"openai": [{"replies": "Paris"}]}'),
    (b"\xff", "the body is not text in UTF-8."),
    (b"[" * 100_000, "the body is nested too deeply."),
    (b'{"openai": 1}', "`openai`: must be a list of steps, such as `[{replies: Paris}]`."),
    (b'{"openai": [{"reply": "a"}]}', "unknown key `reply` in `openai[0]`. Did you mean `replies`?"),
    (b'{"openia": [{"replies": "a"}]}', "unknown provider `openia`. Did you mean `openai`?"),
    (
        b'{"openai": [{"fails": "rate_limit"}]}',
        "`openai[0].fails`: unknown fault `rate_limit`. Did you mean `rate_limited`?",
    ),
]


@pytest.mark.parametrize(("body", "text"), WRONG, ids=[str(row[0][:20]) for row in WRONG])
def test_a_wrong_script_is_one_clear_error_and_changes_nothing(client, body, text):
    """A script with a mistake is refused with a 400 that says what and where; none of its steps is played."""
    answer = client.post("/_llmtest/script", content=body)
    assert answer.status_code == 400
    assert answer.json()["error"]["message"].startswith(text)
    assert len(said(client).split()) == 40


def test_a_script_is_taken_whole_or_not_at_all(client):
    """Where one step could never be reached, the steps before it are not added either."""
    client.post("/_llmtest/script", json={"openai": [{"replies": "for ever", "times": "forever"}]})
    script = {"anthropic": [{"replies": "added"}], "openai": [{"replies": "too late"}]}
    answer = client.post("/_llmtest/script", json=script)
    assert answer.status_code == 400
    assert answer.json()["error"]["message"] == (
        "`openai[0]` is never reached: the script has replies('for ever') already, which repeats for ever.\n"
        "To fix: POST /_llmtest/reset first, which forgets what was posted; a script that the server was started with "
        "stays, so let that one end."
    )
    answer = client.post("/v1/messages", json={**CHAT, "max_tokens": 5})
    assert answer.json()["content"][0]["text"] != "added"


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [("GET", "/_llmtest/nothing", 404), ("POST", "/_llmtest/health", 405), ("GET", "/_llmtest/script", 405)],
)
def test_an_endpoint_that_is_not_there(client, method, path, status):
    """An unknown endpoint or method is one JSON error that lists the endpoints."""
    answer = client.request(method, path)
    assert answer.status_code == status
    text = f"no endpoint {method} {path}. The control plane has GET /_llmtest/health, GET /_llmtest/requests, "
    assert answer.json()["error"]["message"].startswith(text)


def test_requests_of_nobody(client):
    """A provider that does not exist has no requests, which is an error and no empty list."""
    answer = client.get("/_llmtest/requests?provider=openia")
    assert answer.status_code == 400
    assert answer.json()["error"]["message"].startswith("unknown provider `openia`.\nKnown providers: openai, ")


def test_a_script_over_the_limit(client):
    """A script that is too large to be one is refused."""
    answer = client.post("/_llmtest/script", content=b" " * (4 * 1024 * 1024 + 1))
    assert answer.status_code == 413
    assert answer.json()["error"]["message"] == "a script may have 4,194,304 bytes"


def test_old_requests_are_forgotten(client, monkeypatch):
    """A server remembers the latest requests of each provider, and no more."""
    from llmtest.serving._served_world import MOST_KEPT

    for _ in range(MOST_KEPT + 3):
        client.get("/v1/models")
    rows = client.get("/_llmtest/requests").json()["requests"]
    assert [rows[0]["number"], rows[-1]["number"], len(rows)] == [4, MOST_KEPT + 3, MOST_KEPT]


def test_large_requests_are_forgotten_sooner(client):
    """Bodies are remembered up to a limit of memory, which few large ones reach; the last one always is."""
    question = {"model": "m", "messages": [{"role": "user", "content": "x" * 6_000_000}]}
    for _ in range(4):
        assert client.post("/v1/chat/completions", json=question).status_code < 500
    rows = client.get("/_llmtest/requests").json()["requests"]
    assert [row["number"] for row in rows] == [3, 4]


@pytest.mark.parametrize(
    ("body", "shown"),
    [
        (b'{"model": "\\ud800"}', {"model": "\ud800"}),
        (b'{"model": NaN}', '{"model": NaN}'),
        (b'{"model": 1e999}', '{"model": 1e999}'),
        (b'{"model": "m", "max_tokens": ' + b"9" * 5000 + b"}", '{"model": "m", "max_tokens": ' + "9" * 5000 + "}"),
        (b"[" * 100_000, "[" * 100_000),
    ],
    ids=["half-a-pair", "nan", "beyond-all-bounds", "5000-digits", "nested-beyond-measure"],
)
def test_whatever_was_sent_can_be_looked_at(client, body, shown):
    """No request, however odd, keeps the control plane from telling of it and of the others."""
    client.post("/v1/chat/completions", content=body)
    assert client.get("/_llmtest/requests").json()["requests"][-1]["body"] == shown


def test_a_model_that_no_encoding_can_write_is_told_of(client):
    """Half a pair of characters in a model's name is shown as JSON has it, in costs and trace as well."""
    client.post("/v1/chat/completions", content=b'{"model": "\\ud800", "messages": [{"role": "user", "content": "a"}]}')
    assert client.get("/_llmtest/costs").json()["by_model"] == {"\ud800": None}
    assert client.get("/_llmtest/trace").json()["events"][0]["who"] == "openai/\ud800"
    answer = client.post("/_llmtest/script", content=b'{"\\ud800": []}')
    assert (answer.status_code, answer.json()["error"]["type"]) == (400, "ScenarioError")


def test_a_provider_of_one_s_own_answers_after_a_reset(client):
    """A reset takes the steps of a provider that a script brought, and leaves it to generate as all others do."""
    client.post("/_llmtest/script", json={"late": {"dialect": "openai", "steps": [{"replies": "now"}]}})
    assert said(client, "late") == "now"
    client.post("/_llmtest/reset")
    assert said(client, "late") == said(client)
