"""What the real providers refuse, in their words; servers that only speak like them take it (findings E22, E26)."""

import json

import anthropic
import openai
import pytest

from llmtest import Simulation
from llmtest.wire import WireFormatError
from llmtest.wire import dialect as dialect_of
from tests.wire.lenient import lenient

SAY = [{"role": "user", "content": "Hi"}]
CALL = {"id": "c1", "type": "function", "function": {"name": "weather", "arguments": "{}"}}
CALLED = {"role": "assistant", "content": None, "tool_calls": [CALL]}
TWICE = {**CALLED, "tool_calls": [CALL, {**CALL, "id": "c2"}]}
RESULT = {"role": "tool", "tool_call_id": "c1", "content": "22"}
USE = {"role": "assistant", "content": [{"type": "tool_use", "id": "t1", "name": "weather", "input": {}}]}
GIVEN = {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t1", "content": "22"}]}
THOUGHT = {"type": "thinking", "thinking": "hm"}
ORPHAN = "Invalid parameter: messages with role 'tool' must be a response to a preceeding message with 'tool_calls'."
UNANSWERED = (
    "An assistant message with 'tool_calls' must be followed by tool messages responding to each 'tool_call_id'. The "
    "following tool_call_ids did not have response messages: "
)
NO_JSON = "'messages' must contain the word 'json' in some form, to use 'response_format' of type 'json_object'."
NO_MAX_TOKENS = (
    "Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead."
)
NO_RESULT = (
    "messages.1: `tool_use` ids were found without `tool_result` blocks immediately after: t1. Each `tool_use` block "
    "must have a corresponding `tool_result` block in the next message."
)
NO_USE = (
    "messages.0.content.0: unexpected `tool_use_id` found in `tool_result` blocks: t1. Each `tool_result` block must "
    "have a corresponding `tool_use` block in the previous message."
)
JSON = {"response_format": {"type": "json_object"}}


def read(dialect, fields, headers=None):
    """Read a request with the given fields."""
    body = {"model": "gpt-4o", "messages": SAY, "max_tokens": 5, **fields}
    body = {name: value for name, value in body.items() if value is not ...}
    path = "/v1/messages" if "anthropic" in dialect.name else "/v1/chat/completions"
    return dialect.read("POST", path, "", headers or {}, json.dumps(body).encode()).request


@pytest.mark.parametrize(
    ("fields", "message", "param", "code"),
    [
        ({"top_k": 5}, "Unrecognized request argument supplied: top_k", None, "invalid_request_error"),
        (
            {"top_k": None, "chat_template_kwargs": {}},
            "Unrecognized request arguments supplied: chat_template_kwargs, top_k",
            None,
            "invalid_request_error",
        ),
        ({"model": "o3-mini"}, NO_MAX_TOKENS, "max_tokens", "unsupported_parameter"),
        ({"model": "gpt-5.2"}, NO_MAX_TOKENS, "max_tokens", "unsupported_parameter"),
        (JSON, NO_JSON, "messages", "invalid_request_error"),
        (
            {"metadata": {"team": "blue"}},
            "The 'metadata' parameter is only allowed when 'store' is enabled.",
            "metadata",
            "invalid_request_error",
        ),
        ({"messages": [*SAY, RESULT]}, ORPHAN, "messages.[1].role", "invalid_request_error"),
        ({"messages": [*SAY, CALLED, *SAY]}, UNANSWERED + "c1", "messages.[2].role", "invalid_request_error"),
        ({"messages": [*SAY, TWICE, RESULT, *SAY]}, UNANSWERED + "c2", "messages.[3].role", "invalid_request_error"),
        ({"messages": [*SAY, CALLED]}, UNANSWERED + "c1", "messages.[2].role", "invalid_request_error"),
        ({"messages": [*SAY, CALLED, RESULT, *SAY, RESULT]}, ORPHAN, "messages.[4].role", "invalid_request_error"),
        (
            {"messages": [*SAY, CALLED, {**RESULT, "tool_call_id": "c9"}]},
            "Invalid parameter: 'tool_call_id' of 'c9' not found in 'tool_calls' of previous message.",
            "messages.[2].tool_call_id",
            "invalid_request_error",
        ),
    ],
)
def test_e26_what_openai_refuses_and_others_take(fields, message, param, code):
    """OpenAI itself refuses it in these words; a compatible server reads it."""
    with pytest.raises(WireFormatError) as caught:
        read(dialect_of("openai"), fields)
    error = caught.value.error
    assert (error.message, error.param, error.code, error.status) == (message, param, code, 400)
    assert read(lenient("openai"), fields).model


@pytest.mark.parametrize("name", ["max_tokens", "max_completion_tokens"])
def test_e22_openai_s_limits_are_1_or_more(name):
    """Both names of the limit are checked alike, as the API does; the official SDK's own suite asks a mock."""
    with pytest.raises(WireFormatError) as caught:
        read(dialect_of("openai"), {"max_tokens": ..., name: 0})
    message = f"Invalid '{name}': integer below minimum value. Expected a value >= 1, but got 0 instead."
    assert caught.value.error.message == message


@pytest.mark.parametrize(
    "fields",
    [
        {**JSON, "messages": [{"role": "system", "content": "Say it in JSON."}, *SAY]},
        {**JSON, "messages": [{"role": "user", "content": [{"type": "text", "text": "As Json, please"}]}]},
        {"response_format": {"type": "json_schema", "json_schema": {"name": "a", "schema": {"type": "object"}}}},
        {"model": "o3-mini", "max_tokens": ..., "max_completion_tokens": 5},
        {"model": "gpt-5-chat-latest"},
        {"metadata": {"team": "blue"}, "store": True},
        {"messages": [*SAY, TWICE, {**RESULT, "tool_call_id": "c2"}, RESULT, *SAY]},
        {"verbosity": "low", "prompt_cache_key": "k", "safety_identifier": "s", "web_search_options": {}},
    ],
)
def test_what_openai_takes(fields):
    """What the API takes is taken."""
    assert read(dialect_of("openai"), fields).model


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"response_format": {"type": "text"}}, "response_format: Extra inputs are not permitted"),
        ({"n": None}, "n: Extra inputs are not permitted"),
        ({"context_management": {}}, "context_management: Extra inputs are not permitted"),
        ({"messages": [{**SAY[0], "name": "Ann"}]}, "messages.0.name: Extra inputs are not permitted"),
        (
            {"messages": [{"role": "user", "content": [{"type": "text", "text": "Hi", "id": "x"}]}]},
            "messages.0.content.0.text.id: Extra inputs are not permitted",
        ),
        ({"messages": [*SAY, USE, *SAY]}, NO_RESULT),
        ({"messages": [*SAY, USE]}, NO_RESULT),
        ({"messages": [GIVEN]}, NO_USE),
        (
            {"messages": [*SAY, {"role": "assistant", "content": [THOUGHT]}, *SAY]},
            "messages.1.content.0.thinking.signature: Field required",
        ),
        (
            {"messages": [*SAY, {"role": "assistant", "content": [{**THOUGHT, "signature": ""}]}, *SAY]},
            "messages.1.content.0: Invalid `signature` in `thinking` block",
        ),
    ],
)
def test_e26_what_anthropic_refuses(fields, message):
    """Anthropic refuses it in these words; a server that only speaks like it reads it."""
    with pytest.raises(WireFormatError) as caught:
        read(dialect_of("anthropic"), fields)
    error = caught.value.error
    assert (error.message, error.code, error.status) == (message, "invalid_request_error", 400)
    assert read(lenient("anthropic"), fields).model


@pytest.mark.parametrize(
    ("fields", "headers"),
    [
        ({"max_tokens": 0}, {}),
        ({"context_management": {}}, {"anthropic-beta": "context-management-2025-06-27"}),
        ({"temperature": 0.5, "top_p": 0.5, "top_k": 5}, {}),
        ({"messages": [*SAY, USE, GIVEN, *SAY]}, {}),
        ({"messages": [*SAY, USE, *([GIVEN] * 2)]}, {}),
    ],
)
def test_e22_what_anthropic_takes(fields, headers):
    """No tokens at all warm a cache, a beta header allows more fields, and turns in a row are one turn."""
    assert read(dialect_of("anthropic"), fields, headers).model


def test_e26_the_official_sdks_raise_what_they_raise_for_the_real_thing():
    """Through a simulation the SDKs get a 400 for what is not known; vLLM takes it."""
    with Simulation() as sim:
        sim.vllm.at("http://localhost:8000/v1").replies("one")
        with pytest.raises(openai.BadRequestError, match="Unrecognized request argument supplied: top_k") as caught:
            openai.OpenAI(api_key="k").chat.completions.create(model="gpt-4o", messages=SAY, extra_body={"top_k": 5})
        assert (caught.value.param, caught.value.code) == (None, None)
        with pytest.raises(anthropic.BadRequestError, match="n: Extra inputs are not permitted"):
            anthropic.Anthropic(api_key="k").messages.create(
                model="claude-opus-5", max_tokens=5, messages=SAY, extra_body={"n": 2}
            )
        client = openai.OpenAI(api_key="k", base_url="http://localhost:8000/v1")
        client.chat.completions.create(model="llama-3", messages=SAY, extra_body={"top_k": 5})
        assert sim.vllm.requests[0].request.top_k == 5


def test_a_thread_that_goes_on_brings_results_alone():
    """The tool runner of the SDK for Node leaves the calls with the provider (beta `thread`)."""
    result = {"type": "tool_result", "tool_use_id": "toolu_1", "content": "18 degrees"}
    body = {"model": "claude-sonnet-4-6", "max_tokens": 9, "messages": [{"role": "user", "content": [result]}]}
    headers = {"x-api-key": "k", "anthropic-version": "2023-06-01", "anthropic-beta": "message-threads-2026-08-12"}
    thread = {"type": "continue", "previous_message_id": "msg_1"}
    read = dialect_of("anthropic").read
    assert read("POST", "/v1/messages", "", headers, json.dumps({**body, "thread": thread}).encode()).model
    with pytest.raises(WireFormatError):
        read("POST", "/v1/messages", "", headers, json.dumps({**body, "thread": {"type": "create"}}).encode())
