"""Script files: every step they know, and what is said where one is wrong."""

import json

import pytest

from llmtest.clock import SystemClock, VirtualClock
from llmtest.errors import ScenarioError
from llmtest.events import Trace
from llmtest.serving import load_script, parse_script
from llmtest.simulation import World
from tests.serving.served_asgi import ask, world_that_answers

CHAT = {"model": "gpt-4o", "messages": [{"role": "user", "content": "What weather?"}]}


@pytest.fixture
def world():
    """Return an empty world."""
    return World(SystemClock(), Trace(), strict=False)


@pytest.fixture
def follow(tmp_path, world):
    """Return a function that writes a script file and gives it to the world."""

    def write(text, name="script.yaml"):
        path = tmp_path / name
        path.write_text(text, encoding="utf-8")
        load_script(path).apply(world)

    return write


def answers(world, number, path="/v1/chat/completions", **changes):
    """Ask so often, and return statuses and first choices."""
    found = [ask("POST", path, json.dumps({**CHAT, **changes}).encode(), world=world) for _ in range(number)]
    return [
        (each.status, each.json["choices"][0]["message"]["content"] if each.status == 200 else None) for each in found
    ]


def test_a_fault_may_last_for_a_time_and_lie_on_a_reply(tmp_path):
    """`for` is a window, `fault` breaks the text of its reply, and errors inside streams are faults too."""
    world = World(VirtualClock(), Trace(), strict=False)
    (tmp_path / "script.yaml").write_text(
        """
        openai:
          - fails: {rate_limited: {retry_after: date, seconds: 20s, headers: {x-note: a}}}
          - fails: {stream_error: {after_chunks: 1, error: {rate_limited: {retry_after: 20s}}}}
          - replies: {text: Paris, fault: malformed_body}
          - {fails: {server_error: {status: 503}}, for: 1m}
          - {replies: back, times: forever}
        """
    )
    load_script(tmp_path / "script.yaml").apply(world)
    body = json.dumps(CHAT).encode()
    found = [ask("POST", "/v1/chat/completions", body, world=world) for _ in range(5)]
    assert [each.status for each in found] == [429, 429, 200, 503, 503]
    assert found[0].headers["x-note"] == "a"
    assert found[0].headers["retry-after"].endswith("GMT")
    assert found[1].headers["retry-after"] == "20"
    world.clock.advance(60)
    assert answers(world, 1) == [(200, "back")]


def test_a_reply_may_be_written_oddly(follow, world):
    """Exact events, edits and pieces are said in a file as in a test."""
    follow(
        r"""
        openai:
          - replies: {text: Paris, edit: {comment: hello}, fragmentation: whole}
          - replies: {text: Paris, edit: [{before: "\n"}, {drop: usage}]}
          - replies: {events: [{choices: []}, "data: [DONE]\n\n"]}
          - {fails: {wire_edit: {keep_alive: 10ms, comment: still here}}, when: {model: slow}}
          - fails: {wire_edit: {drop: -1}}
        anthropic:
          fragmentation: 7
          steps: [{replies: "one two"}]
        """
    )
    streamed, whole = ({**CHAT, "stream": stream} for stream in (True, False))
    bodies = [
        ask("POST", "/v1/chat/completions", json.dumps(body).encode(), world=world)
        for body in (streamed, whole, streamed, streamed)
    ]
    assert bodies[0].body.startswith(b": hello\n\ndata: {")
    assert bodies[1].body.startswith(b"\n{")
    assert "usage" not in bodies[1].json
    assert bodies[2].body == b'data: {"choices":[]}\n\ndata: [DONE]\n\n'
    assert b"[DONE]" not in bodies[3].body
    assert world.provider("anthropic")._engine.fragmentation == 7


def test_steps_are_played_in_order(follow, world):
    """Texts, rows, repetitions and faults follow one another as they are written."""
    follow(
        """
        openai:
          - replies: one
          - {replies: [two, three], times: 2}
          - {fails: {rate_limited: {retry_after: 20s}}, times: 2}
          - fails: overloaded
          - {replies: last, times: forever}
        """
    )
    assert answers(world, 11) == [
        (200, "one"),
        (200, "two"),
        (200, "three"),
        (200, "two"),
        (200, "three"),
        (429, None),
        (429, None),
        (503, None),
        (200, "last"),
        (200, "last"),
        (200, "last"),
    ]


def test_a_fault_has_its_arguments(follow, world):
    """Arguments of faults are written as in scenario files."""
    follow("openai: [{fails: {rate_limited: {retry_after: 20s}}}]")
    answer = ask("POST", "/v1/chat/completions", json.dumps(CHAT).encode(), world=world)
    assert (answer.status, answer.headers["retry-after"]) == (429, "20")


def test_a_reply_may_have_more_than_a_text(follow, world):
    """A mapping says finish reason, usage, headers and thinking."""
    follow(
        """
        openai:
          - replies:
              text: Paris
              finish_reason: length
              usage: {input_tokens: 7, output_tokens: 9}
              headers: {x-team: blue}
              latency: 1ms
        """
    )
    answer = ask("POST", "/v1/chat/completions", json.dumps(CHAT).encode(), world=world)
    assert answer.json["choices"][0]["finish_reason"] == "length"
    assert (answer.json["usage"]["prompt_tokens"], answer.json["usage"]["completion_tokens"]) == (7, 9)
    assert answer.headers["x-team"] == "blue"


def test_tools_are_called(follow, world):
    """One call, several calls, and arguments that are no JSON."""
    follow(
        """
        openai:
          - {calls_tool: {name: weather, arguments: {city: Paris}}}
          - calls_tools: [{name: news, id: call_1}, {name: weather, arguments: '{"q": '}]
        """
    )
    calls = [
        ask("POST", "/v1/chat/completions", json.dumps(CHAT).encode(), world=world).json["choices"][0]["message"][
            "tool_calls"
        ]
        for _ in range(2)
    ]
    assert json.loads(calls[0][0]["function"]["arguments"]) == {"city": "Paris"}
    assert [(call["function"]["name"], call["function"]["arguments"]) for call in calls[1]] == [
        ("news", "{}"),
        ("weather", '{"q": '),
    ]
    assert calls[1][0]["id"] == "call_1"


def test_steps_for_some_requests_only(follow, world):
    """`when` chooses by prompt, model and turn; equal conditions share their steps in order."""
    follow(
        """
        openai:
          - {replies: a, when: {prompt_contains: weather}}
          - {replies: b, when: {prompt_contains: weather}}
          - {replies: c, when: {prompt_contains: weather, model: "gpt-5*"}}
          - echoes: true
        """
    )
    assert answers(world, 1, model="gpt-5-mini") == [(200, "c")]
    assert answers(world, 3) == [(200, "a"), (200, "b"), (200, "What weather?")]


def test_a_behaviour_answers_where_no_step_is_left(follow, world):
    """`generates` may say how many words."""
    follow("openai: [{generates: {words: 3}}, {replies: first}]\nollama: [{generates: true}]")
    (_, first), (_, second) = answers(world, 2)
    assert (first, len(second.split())) == ("first", 3)
    assert len(answers(world, 1, "/ollama/v1/chat/completions")[0][1].split()) == 40


def test_a_provider_of_one_s_own(follow, world):
    """A provider of any name says what it speaks, and may have quotas and a latency."""
    follow(
        """
        mine:
          dialect: anthropic
          limits: {rpm: 1}
          latency: {total: 1ms}
          steps: [{replies: hello}]
        """
    )
    body = json.dumps({**CHAT, "max_tokens": 5}).encode()
    first, second = (ask("POST", "/mine/v1/messages", body, world=world) for _ in range(2))
    assert first.json["content"][0]["text"] == "hello"
    assert (second.status, second.json["error"]["type"]) == (429, "rate_limit_error")


def test_json_is_a_script_too(follow, world):
    """A JSON file is read, with tabs at the start of its lines."""
    follow('{\n\t"openai": [\n\t\t{"replies": "caf\\u00e9"}\n\t]\n}', "script.json")
    assert answers(world, 1) == [(200, "café")]


def test_what_is_no_conversation_has_answers_in_a_file(follow, world):
    """Vectors wait for a request for vectors; JSON and bytes answer whatever comes next, a conversation too."""
    follow(
        """
        openai:
          - replies: Paris
          - replies: {embedding: [0.5, 0.25], usage: {input_tokens: 7}}
          - replies:
              - {json: {ok: true}, status: 202, headers: {x-note: a}}
              - {raw: "a,b", headers: {content-type: text/csv}}
          - replies: {embedding: null}
          - replies: {raw: {base64: AP8=}, status: 418}
        """
    )
    embed = json.dumps({"model": "e", "input": ["a", "b"]}).encode()
    chat = json.dumps(CHAT).encode()
    vectors = ask("POST", "/v1/embeddings", embed, world=world)
    assert [row["embedding"] for row in vectors.json["data"]] == [[0.5, 0.25]] * 2
    assert vectors.json["usage"]["prompt_tokens"] == 7
    assert answers(world, 1) == [(200, "Paris")]
    said, table = (ask("POST", "/v1/chat/completions", chat, world=world) for _ in range(2))
    assert (said.status, said.json, said.headers["x-note"]) == (202, {"ok": True}, "a")
    assert (table.body, table.headers["content-type"]) == (b"a,b", "text/csv")
    assert len(ask("POST", "/v1/embeddings", embed, world=world).json["data"][0]["embedding"]) == 1536
    last = ask("POST", "/v1/chat/completions", chat, world=world)
    assert (last.status, last.body) == (418, b"\x00\xff")
    assert world.unused_steps() == []


def test_an_endpoint_that_nobody_models_is_scripted_in_a_file(follow, world):
    """`on` is a method and a path, bare or below the provider's name; with `when` it is narrower."""
    follow(
        """
        openai:
          - {on: post /v1/images/generations, replies: {json: {data: []}}, times: 2}
          - {on: POST /v1/images/generations, fails: overloaded}
          - {on: POST /v1/images/generations, when: {model: big}, replies: {json: [big]}}
          - {on: "GET /v1/files/{id}", replies: {raw: text}}
          - {on: POST /v1/embeddings, replies: {embedding: [[1.0]]}}
        """
    )
    path, body = "/v1/images/generations", b'{"model": "m"}'
    assert ask("POST", path, b'{"model": "big"}', world=world).json == ["big"]
    assert ask("POST", path, body, world=world).json == {"data": []}
    assert ask("POST", f"/openai{path}", body, world=world).json == {"data": []}
    assert ask("POST", path, body, world=world).status == 503
    assert ask("GET", "/v1/files/f-1", b"", world=world).body == b"text"
    vectors = ask("POST", "/v1/embeddings", b'{"model": "e", "input": "a"}', world=world)
    assert vectors.json["data"][0]["embedding"] == [1.0]
    assert world.unused_steps() == []


def test_json_that_was_posted_says_json():
    """The body of `POST /_llmtest/script` has the same answers; `null` is JSON too."""
    world = world_that_answers()
    parse_script(b'{"openai": [{"replies": {"json": null}}, {"replies": {"json": "2026-01-01"}}]}').apply(world)
    body = json.dumps(CHAT).encode()
    assert [ask("POST", "/v1/chat/completions", body, world=world).json for _ in range(2)] == [None, "2026-01-01"]


WRONG = {
    "an-unknown-key-of-an-answer": (
        "openai:\n  - replies: {json: {}, stauts: 503}\n",
        (
            "script.yaml:2: `openai[0].replies`: unknown key `stauts` beside `json`. Did you mean `status`?\n"
            "Known keys: json, status, headers."
        ),
    ),
    "a-text-beside-json": (
        "openai:\n  - replies: {json: {}, text: a}\n",
        "script.yaml:2: `openai[0].replies`: unknown key `text` beside `json`.\nKnown keys: json, status, headers.",
    ),
    "two-answers-in-one": (
        "openai:\n  - replies: {json: {}, raw: a}\n",
        (
            "script.yaml:2: `openai[0].replies`: `json` and `raw` are two answers; give a list of them, one for each "
            "request."
        ),
    ),
    "a-status-that-is-none": (
        "openai:\n  - replies: {json: {}, status: 99}\n",
        "script.yaml:2: `openai[0].replies.status`: `99` is no status from 100 to 599.",
    ),
    "a-vector-of-words": (
        "openai:\n  - replies: {embedding: [a]}\n",
        "script.yaml:2: `openai[0].replies`: Embedding: a vector is a list of finite numbers, got ['a'].",
    ),
    "bytes-that-are-a-mapping": (
        "openai:\n  - replies: {raw: {a: 1}}\n",
        (
            "script.yaml:2: `openai[0].replies.raw`: must be a text, or `{base64: iVBORw0KGgo=}` for other bytes; JSON "
            "is `json: {...}`."
        ),
    ),
    "bytes-that-cannot-be-decoded": (
        "openai:\n  - replies: {raw: {base64: '*'}}\n",
        "script.yaml:2: `openai[0].replies.raw`: `base64` cannot be decoded.",
    ),
    "a-header-of-json": (
        "openai:\n  - replies: {json: {}, headers: {x: 1}}\n",
        "script.yaml:2: `openai[0].replies.headers`: must be a mapping of names to texts; put numbers in quotes.",
    ),
    "vectors-that-bill-an-answer": (
        "openai:\n  - replies: {embedding: [1], usage: {input_tokens: 1, output_tokens: 1}}\n",
        "script.yaml:2: unknown key `output_tokens` in `openai[0].replies.usage`. Did you mean `input_tokens`?",
    ),
    "a-path-without-a-method": (
        "openai:\n  - {on: /v1/images, replies: a}\n",
        "script.yaml:2: `openai[0].on`: `/v1/images` is no method and path, such as `POST /v1/images/generations`.",
    ),
    "on-and-an-operation": (
        "openai:\n  - {on: POST /v1/images, when: {operation: chat}, replies: {json: 1}}\n",
        (
            "script.yaml:2: `openai[0]`: `on` says which operation is meant already, so that `when` has no `operation` "
            "beside it."
        ),
    ),
    "a-text-to-what-is-no-conversation": (
        "openai:\n  - {on: POST /v1/images, replies: a}\n",
        (
            "script.yaml:2: `openai[0]`: replies('a') would never be played: it is no answer to `POST /v1/images`, "
            "which takes a Json, a Raw or a fault."
        ),
    ),
    "a-misspelt-key": (
        "openai:\n  - replies: a\n  - fials: overloaded\n",
        (
            "script.yaml:3: unknown key `fials` in `openai[1]`. Did you mean `fails`?\n"
            "Known keys: replies, calls_tool, calls_tools, fails, echoes, generates, times, for, on, when."
        ),
    ),
    "a-misspelt-fault": (
        "openai:\n  - fails: overload\n",
        "script.yaml:2: `openai[0].fails`: unknown fault `overload`. Did you mean `overloaded`?",
    ),
    "a-wrong-argument": (
        "openai:\n  - fails: {rate_limited: {retry: 3}}\n",
        "script.yaml:2: `openai[0].fails`: unknown key `retry` in `rate_limited`. Did you mean `retry_after`?",
    ),
    "nothing-to-do": (
        "openai:\n  - times: 2\n",
        (
            "script.yaml:2: `openai[0]`: a step needs exactly one of `replies`, `calls_tool`, `calls_tools`, `fails`, "
            "`echoes`, `generates`; none is given."
        ),
    ),
    "two-things-to-do": (
        "openai:\n  - {replies: a, fails: overloaded}\n",
        (
            "script.yaml:2: `openai[0]`: a step needs exactly one of `replies`, `calls_tool`, `calls_tools`, `fails`, "
            "`echoes`, `generates`; `replies` and `fails` are given."
        ),
    ),
    "a-number": (
        "openai:\n  - replies: 42\n",
        (
            "script.yaml:2: `openai[0].replies`: must be a text (put numbers in quotes), a mapping such as "
            "`{text: Paris}`, or a list of them."
        ),
    ),
    "times-below-one": (
        "openai:\n  - {replies: a, times: 0}\n",
        "script.yaml:2: `openai[0].times`: `0` is neither a whole number of 1 or more nor `forever`.",
    ),
    "times-of-a-behaviour": (
        "openai:\n  - {echoes: true, times: 2}\n",
        "script.yaml:2: `openai[0]`: `echoes` answers whenever no step is left, and has no `times`.",
    ),
    "no-condition": (
        "openai:\n  - {replies: a, when: {}}\n",
        "script.yaml:2: `openai[0].when`: needs at least one condition, such as `{prompt_contains: weather}`.",
    ),
    "a-step-never-reached": (
        "openai:\n  - {replies: a, times: forever}\n  - replies: b\n",
        "script.yaml:3: `openai[1]`: this step is never reached: step 1 before it, replies('a'), repeats for ever.",
    ),
    "chunks-that-do-not-add-up": (
        "openai:\n  - replies: {text: ab, chunks: [a, c]}\n",
        "script.yaml:2: `openai[0].replies`: Reply: chunks must add up to the text.",
    ),
    "a-wrong-header": (
        'openai:\n  - replies: {text: a, headers: {x: "a\\nb"}}\n',
        "script.yaml:2: `openai[0].replies",
    ),
    "an-unknown-reason": (
        "openai:\n  - replies: {text: a, finish_reason: end}\n",
        "script.yaml:2: `openai[0].replies",
    ),
    "usage-below-zero": (
        "openai:\n  - replies: {text: a, usage: {input_tokens: -1, output_tokens: 1}}\n",
        "script.yaml:2: `openai[0].replies",
    ),
    "usage-that-is-no-number": (
        "openai:\n  - replies: {text: a, usage: {input_tokens: many, output_tokens: 1}}\n",
        "script.yaml:2: `openai[0].replies",
    ),
    "chunks-that-are-no-texts": (
        "openai:\n  - replies: {chunks: [1, 2]}\n",
        "script.yaml:2: `openai[0].replies",
    ),
    "headers-that-are-no-texts": (
        "openai:\n  - replies: {text: a, headers: {x: 1}}\n",
        "script.yaml:2: `openai[0].replies",
    ),
    "an-unknown-key-of-a-reply": (
        "openai:\n  - replies: {txt: a}\n",
        "script.yaml:2: `openai[0].replies`: unknown key `txt`. Did you mean `text`?",
    ),
    "arguments-that-are-a-list": (
        "openai:\n  - calls_tool: {name: a, arguments: [1]}\n",
        "script.yaml:2: `openai[0].calls_tool.arguments`: must be a mapping, or JSON text that goes out as it is.",
    ),
    "no-calls": (
        "openai:\n  - calls_tools: []\n",
        "script.yaml:2: `openai[0]`: `calls_tools` needs at least one call.",
    ),
    "generates-a-word": (
        "openai:\n  - generates: much\n",
        "script.yaml:2: `openai[0].generates`: must be `true`, or a mapping such as `{words: 40}`.",
    ),
    "echoes-something": ("openai:\n  - echoes: false\n", "script.yaml:2: `openai[0].echoes`: must be `true`."),
    "an-unknown-provider": (
        "openia:\n  - replies: a\n",
        "script.yaml:1: unknown provider `openia`. Did you mean `openai`?",
    ),
    "a-wrong-dialect": (
        "mine:\n  dialect: gemni\n  steps: []\n",
        "script.yaml:2: `mine.dialect`: unknown dialect `gemni`. Did you mean `gemini`?",
    ),
    "no-list": ("openai: hello\n", "script.yaml:1: `openai`: must be a list of steps, such as `[{replies: Paris}]`."),
    "an-empty-file": (
        "",
        "script.yaml: the file is empty.\nTo fix: write at least `openai: [{replies: Paris}]`.",
    ),
    "a-name-with-a-slash": (
        "a/b: {dialect: openai}\n",
        "script.yaml:1: no URL leads to a provider named `a/b`: its name is the first part of a path.",
    ),
    "a-name-that-is-empty": ('"": {dialect: openai}\n', "script.yaml:1: no URL leads to a provider named ``:"),
    "the-name-of-the-control-plane": (
        "_llmtest: {dialect: openai}\n",
        "script.yaml:1: no URL leads to a provider named `_llmtest`:",
    ),
    "no-mapping": ("- replies: a\n", "script.yaml:1: the file must be a mapping of keys to values, not a list."),
}


@pytest.mark.parametrize(("text", "message"), WRONG.values(), ids=WRONG)
def test_a_mistake_is_named_with_its_line(follow, tmp_path, monkeypatch, text, message):
    """A wrong script says file, line, what is wrong, and what was probably meant."""
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ScenarioError) as caught:
        follow(text)
    assert str(caught.value).replace(f"{tmp_path}/", "").startswith(message)


def test_a_step_may_be_for_an_operation():
    """`operation` in `when` keeps a step for requests of that kind."""
    world = world_that_answers()
    parse_script(b'{"openai": [{"fails": "overloaded", "when": {"operation": "embeddings"}}]}').apply(world)
    assert ask("POST", "/v1/chat/completions", json.dumps(CHAT).encode(), world=world).status == 200
    body = json.dumps({"model": "e", "input": "a"}).encode()
    assert [ask("POST", "/v1/embeddings", body, world=world).status for _ in range(2)] == [503, 200]
