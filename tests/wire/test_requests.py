"""Bad requests get the provider's own refusal, never an exception of Python."""

import json
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmtest.errors import ConfigurationError, InvalidRequestError
from llmtest.types import EmbeddingRequest
from llmtest.wire import ResponseMeta, WireFormatError
from llmtest.wire import dialect as dialect_of
from tests.wire.lenient import lenient

OPENAI, ANTHROPIC = dialect_of("openai").chat, dialect_of("anthropic").chat
NOW = datetime(2026, 1, 1, tzinfo=UTC)
USER = {"role": "user", "content": "hi"}
CHAT = {"model": "m", "messages": [USER]}
MESSAGE = {"model": "m", "messages": [USER], "max_tokens": 5}


def refused(codec, path, body, method="POST"):
    """Return status, and the `error` object of the body that a refused request is answered with."""
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    with pytest.raises(WireFormatError) as caught:
        codec.dialect.read(method, path, "", {}, raw)
    status, headers, sent = codec.encode_error(caught.value.error, ResponseMeta(request_id="req_1"))
    assert dict(headers)["content-type"] == "application/json"
    again = codec.decode_error(status, dict(headers), sent, now=NOW)
    assert type(again) is InvalidRequestError
    assert again.message == str(caught.value)
    return status, json.loads(sent)


NOT_JSON = (
    "We could not parse the JSON body of your request. (HINT: This likely means you aren't using your HTTP library "
    "correctly. The OpenAI API expects a JSON payload, but what was sent was not valid JSON. If you have trouble "
    "figuring out how to fix this, please contact us through our help center at help.openai.com.)"
)


@pytest.mark.parametrize(
    ("body", "message", "param", "code"),
    [
        (b"{", NOT_JSON, None, None),
        (b"[]", NOT_JSON, None, None),
        (b"\xff\xfe", NOT_JSON, None, None),
        (b'{"model": NaN}', NOT_JSON, None, None),
        (b"[" * 100_000, NOT_JSON, None, None),
        ({"messages": [USER]}, "you must provide a model parameter", None, None),
        (
            {**CHAT, "model": 7},
            "Invalid type for 'model': expected a string, but got an integer instead.",
            "model",
            "invalid_type",
        ),
        ({"model": "m"}, "Missing required parameter: 'messages'.", "messages", "missing_required_parameter"),
        (
            {**CHAT, "messages": "hi"},
            "Invalid type for 'messages': expected an array of objects, but got a string instead.",
            "messages",
            "invalid_type",
        ),
        (
            {**CHAT, "messages": []},
            "Invalid 'messages': empty array. Expected an array with minimum length 1, but got an empty array instead.",
            "messages",
            "empty_array",
        ),
        (
            {**CHAT, "messages": ["hi"]},
            "Invalid type for 'messages[0]': expected an object, but got a string instead.",
            "messages[0]",
            "invalid_type",
        ),
        (
            {**CHAT, "messages": [{"content": "hi"}]},
            "Missing required parameter: 'messages[0].role'.",
            "messages[0].role",
            "missing_required_parameter",
        ),
        (
            {**CHAT, "messages": [USER, {"role": "robot", "content": "hi"}]},
            (
                "Invalid value: 'robot'. Supported values are: 'system', 'assistant', 'user', 'function', 'tool', "
                "and 'developer'."
            ),
            "messages[1].role",
            "invalid_value",
        ),
        (
            {**CHAT, "messages": [{"role": ["user"], "content": "hi"}]},
            "Invalid type for 'messages[0].role': expected a string, but got an array instead.",
            "messages[0].role",
            "invalid_type",
        ),
        (
            {**CHAT, "messages": [{"role": "user"}]},
            "Missing required parameter: 'messages[0].content'.",
            "messages[0].content",
            "missing_required_parameter",
        ),
        (
            {**CHAT, "messages": [{"role": "user", "content": 5}]},
            (
                "Invalid type for 'messages[0].content': expected one of a string or array of objects, "
                "but got an integer instead."
            ),
            "messages[0].content",
            "invalid_type",
        ),
        (
            {**CHAT, "messages": [{"role": "user", "content": ["hi"]}]},
            "Invalid type for 'messages[0].content[0]': expected an object, but got a string instead.",
            "messages[0].content[0]",
            "invalid_type",
        ),
        (
            {**CHAT, "messages": [{"role": "tool", "content": "42"}]},
            "Missing required parameter: 'messages[0].tool_call_id'.",
            "messages[0].tool_call_id",
            "missing_required_parameter",
        ),
        (
            {**CHAT, "messages": [{"role": "assistant", "tool_calls": "f()"}]},
            "Invalid type for 'messages[0].tool_calls': expected an array of objects, but got a string instead.",
            "messages[0].tool_calls",
            "invalid_type",
        ),
        (
            {**CHAT, "temperature": -1},
            "Invalid 'temperature': decimal below minimum value. Expected a value >= 0, but got -1 instead.",
            "temperature",
            "decimal_below_min_value",
        ),
        (
            {**CHAT, "temperature": 2.5},
            "Invalid 'temperature': decimal above maximum value. Expected a value <= 2, but got 2.5 instead.",
            "temperature",
            "decimal_above_max_value",
        ),
        (
            {**CHAT, "top_p": True},
            "Invalid type for 'top_p': expected a decimal, but got a boolean instead.",
            "top_p",
            "invalid_type",
        ),
        (
            {**CHAT, "max_tokens": 0},
            "Invalid 'max_tokens': integer below minimum value. Expected a value >= 1, but got 0 instead.",
            "max_tokens",
            "integer_below_min_value",
        ),
        (
            {**CHAT, "n": 1.5},
            "Invalid type for 'n': expected an integer, but got a decimal instead.",
            "n",
            "invalid_type",
        ),
        (
            {**CHAT, "n": 129},
            "Invalid 'n': integer above maximum value. Expected a value <= 128, but got 129 instead.",
            "n",
            "integer_above_max_value",
        ),
        (
            {**CHAT, "presence_penalty": -3},
            "Invalid 'presence_penalty': decimal below minimum value. Expected a value >= -2, but got -3 instead.",
            "presence_penalty",
            "decimal_below_min_value",
        ),
        (
            {**CHAT, "tool_choice": 1},
            "Invalid type for 'tool_choice': expected one of a string or object, but got an integer instead.",
            "tool_choice",
            "invalid_type",
        ),
        (
            {**CHAT, "response_format": "json"},
            "Invalid type for 'response_format': expected an object, but got a string instead.",
            "response_format",
            "invalid_type",
        ),
        (
            {**CHAT, "logprobs": 5},
            "Invalid type for 'logprobs': expected a boolean, but got an integer instead.",
            "logprobs",
            "invalid_type",
        ),
        (
            {**CHAT, "user": ["me"]},
            "Invalid type for 'user': expected a string, but got an array instead.",
            "user",
            "invalid_type",
        ),
        (
            {**CHAT, "stop": [5]},
            "Invalid type for 'stop': expected one of a string or array of strings, but got an array instead.",
            "stop",
            "invalid_type",
        ),
        (
            {**CHAT, "stream": "yes"},
            "Invalid type for 'stream': expected a boolean, but got a string instead.",
            "stream",
            "invalid_type",
        ),
        (
            {**CHAT, "seed": "x"},
            "Invalid type for 'seed': expected an integer, but got a string instead.",
            "seed",
            "invalid_type",
        ),
        (
            {**CHAT, "tools": {}},
            "Invalid type for 'tools': expected an array of objects, but got an object instead.",
            "tools",
            "invalid_type",
        ),
        (
            {**CHAT, "tools": [None]},
            "Invalid type for 'tools[0]': expected an object, but got null instead.",
            "tools[0]",
            "invalid_type",
        ),
        (
            {**CHAT, "stream": True, "stream_options": 5},
            "Invalid type for 'stream_options': expected an object, but got an integer instead.",
            "stream_options",
            "invalid_type",
        ),
        (
            {**CHAT, "stream_options": {"include_usage": True}},
            "The 'stream_options' parameter is only allowed when 'stream' is enabled.",
            "stream_options",
            None,
        ),
    ],
)
def test_openai_refuses_a_bad_chat_request(body, message, param, code):
    """Status 400 with all four keys of OpenAI's error object."""
    status, sent = refused(OPENAI, "/v1/chat/completions", body)
    expected = {"message": message, "type": "invalid_request_error", "param": param, "code": code}
    assert (status, sent) == (400, {"error": expected})


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({"input": "hi"}, "you must provide a model parameter"),
        ({"model": "e"}, "Missing required parameter: 'input'."),
        (
            {"model": "e", "input": [1, "x"]},
            "'$.input' is invalid. Please check the API reference: https://platform.openai.com/docs/api-reference.",
        ),
    ],
)
def test_openai_refuses_a_bad_embedding_request(body, message):
    """Embeddings are checked as well."""
    status, sent = refused(OPENAI, "/v1/embeddings", body)
    assert (status, sent["error"]["message"]) == (400, message)


@pytest.mark.parametrize(
    ("sent", "inputs"),
    [("hi", ("hi",)), (["a", "b"], ("a", "b")), ([1, 2], ((1, 2),)), ([[1], [2, 3]], ((1,), (2, 3)))],
)
def test_embeddings_take_texts_and_tokens(sent, inputs):
    """Every form of `input` is read."""
    body = {"model": "e", "input": sent, "dimensions": 8, "user": "u"}
    call = OPENAI.dialect.read("POST", "/v1/embeddings", "", {}, json.dumps(body).encode())
    assert call.request == EmbeddingRequest(inputs, "e", "float", 8, {"openai": {"user": "u"}})
    again = call.endpoint.encode_call(call.request)
    assert OPENAI.dialect.read("POST", "/v1/embeddings", "", {}, again.body).request == call.request


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"[]", "Input should be a valid dictionary"),
        ({**MESSAGE, "model": None}, "model: Field required"),
        ({**MESSAGE, "model": 7}, "model: Input should be a valid string"),
        ({**MESSAGE, "model": ""}, "model: String should have at least 1 character"),
        (CHAT, "max_tokens: Field required"),
        ({**MESSAGE, "max_tokens": "5"}, "max_tokens: Input should be a valid integer"),
        ({**MESSAGE, "max_tokens": -1}, "max_tokens: must be greater than or equal to 0"),
        ({"model": "m", "max_tokens": 5}, "messages: Field required"),
        ({**MESSAGE, "messages": "hi"}, "messages: Input should be a valid list"),
        ({**MESSAGE, "messages": []}, "messages: at least one message is required"),
        (
            {**MESSAGE, "messages": ["hi"]},
            "messages.0: Input should be a valid dictionary or object to extract fields from",
        ),
        ({**MESSAGE, "messages": [{"content": "hi"}]}, "messages.0.role: Field required"),
        (
            {**MESSAGE, "messages": [{"role": "system", "content": "hi"}]},
            (
                'messages: Unexpected role "system". The Messages API accepts a top-level `system` parameter, '
                'not "system" as an input message role.'
            ),
        ),
        (
            {**MESSAGE, "messages": [{"role": "robot", "content": "hi"}]},
            "messages.0.role: Input should be 'user' or 'assistant'",
        ),
        ({**MESSAGE, "messages": [{"role": "user"}]}, "messages.0.content: Field required"),
        ({**MESSAGE, "messages": [{"role": "user", "content": 5}]}, "messages.0.content: Input should be a valid list"),
        (
            {**MESSAGE, "messages": [{"role": "user", "content": ["hi"]}]},
            "messages.0.content.0: Input should be a valid dictionary or object to extract fields from",
        ),
        ({**MESSAGE, "messages": [{"role": "user", "content": [{}]}]}, "messages.0.content.0.type: Field required"),
        ({**MESSAGE, "system": 5}, "system: Input should be a valid list"),
        ({**MESSAGE, "temperature": -1}, "temperature: range: 0..1"),
        ({**MESSAGE, "temperature": "hot"}, "temperature: Input should be a valid number"),
        ({**MESSAGE, "stream": 1}, "stream: Input should be a valid boolean"),
        ({**MESSAGE, "stop_sequences": "x"}, "stop_sequences: Input should be a valid list"),
        ({**MESSAGE, "tools": [1]}, "tools: Input should be a valid list"),
        ({**MESSAGE, "top_k": 1.5}, "top_k: Input should be a valid integer"),
        ({**MESSAGE, "top_k": -1}, "top_k: Input should be greater than or equal to 0"),
        (
            {**MESSAGE, "thinking": True},
            "thinking: Input should be a valid dictionary or object to extract fields from",
        ),
        ({**MESSAGE, "service_tier": 1}, "service_tier: Input should be a valid string"),
        (
            {**MESSAGE, "tool_choice": "auto"},
            "tool_choice: Input should be a valid dictionary or object to extract fields from",
        ),
    ],
)
def test_anthropic_refuses_a_bad_request(body, message):
    """Status 400 with Anthropic's error body and request id."""
    status, sent = refused(ANTHROPIC, "/v1/messages", body)
    error = {"type": "invalid_request_error", "message": message}
    assert (status, sent) == (400, {"type": "error", "error": error, "request_id": "req_1"})


LATER = [USER, {"role": "system", "content": "Answer in French."}, USER]


@pytest.mark.parametrize(
    "model", ["claude-opus-4-8", "claude-opus-4-10", "claude-opus-5", "claude-sonnet-5-5-20260801", "claude-fable-5"]
)
@pytest.mark.parametrize("content", ["Answer in French.", [{"type": "text", "text": "Answer in French."}]])
def test_newer_claudes_take_a_system_message_in_mid_conversation(model, content):
    """It stays where it was, in the types and on the way back to the wire."""
    sent = [USER, {"role": "assistant", "content": "ho"}, USER, {"role": "system", "content": content}]
    body = {"model": model, "max_tokens": 5, "system": "Be short.", "messages": sent}
    request = ANTHROPIC.dialect.read("POST", "/v1/messages", "", {}, json.dumps(body).encode()).request
    assert [(message.role, message.text) for message in request.messages] == [
        ("system", "Be short."),
        ("user", "hi"),
        ("assistant", "ho"),
        ("user", "hi"),
        ("system", "Answer in French."),
    ]
    assert json.loads(ANTHROPIC.encode_call(request, stream=False).body) == body


@pytest.mark.parametrize(
    "model",
    [
        "claude-3-5-sonnet-20241022",
        "claude-2.1",
        "claude-sonnet-4-20250514",
        "claude-opus-4-1-20250805",
        "claude-haiku-4-5",
        "claude-opus-4-7",
        "claude-opus-4",
    ],
)
def test_older_claudes_refuse_a_system_message_in_mid_conversation(model):
    """They know the system's word only beside the conversation."""
    _, sent = refused(ANTHROPIC, "/v1/messages", {**MESSAGE, "model": model, "messages": LATER})
    assert sent["error"]["message"].startswith('messages: Unexpected role "system". ')


def test_a_function_s_result_may_be_null():
    """The message of the legacy role `function` has content, or null."""
    call = {"role": "assistant", "content": None, "function_call": {"name": "f", "arguments": "{}"}}
    body = {**CHAT, "messages": [USER, call, {"role": "function", "name": "f", "content": None}]}
    request = OPENAI.dialect.read("POST", "/v1/chat/completions", "", {}, json.dumps(body).encode()).request
    assert [message.role for message in request.messages] == ["user", "assistant", "tool"]
    assert json.loads(OPENAI.encode_call(request, stream=False).body)["messages"] == body["messages"]


def test_anthropic_refuses_what_is_not_json():
    """The words say what is wrong with the JSON."""
    status, sent = refused(ANTHROPIC, "/v1/messages", b"{")
    assert status == 400
    assert sent["error"]["message"].startswith("The request body is not valid JSON: ")


def test_unknown_paths_and_methods_get_the_provider_s_own_answer():
    """404 and 405, in each provider's form."""
    status, sent = refused(OPENAI, "/v1/chat/complete", CHAT)
    assert (status, sent["error"]["message"]) == (404, "Invalid URL (POST /v1/chat/complete)")
    status, sent = refused(OPENAI, "/v1/embeddings", b"", "GET")
    assert (status, sent["error"]["message"]) == (
        405,
        "Not allowed to GET on /v1/embeddings. (HINT: Perhaps you meant to use a different HTTP method?)",
    )
    assert refused(OPENAI, "/v1/models/m", b"", "PUT")[0] == 405
    status, sent = refused(ANTHROPIC, "/v1/message", MESSAGE)
    assert (status, sent["error"]) == (404, {"type": "not_found_error", "message": "Not Found"})
    status, sent = refused(ANTHROPIC, "/v1/messages", b"", "GET")
    assert (status, sent["error"]) == (405, {"type": "invalid_request_error", "message": "Method Not Allowed"})
    assert refused(ANTHROPIC, "/v1/models/m", b"", "POST")[0] == 405


@pytest.mark.parametrize(
    ("path", "operation", "model"),
    [
        ("/chat/completions", "chat", "m"),
        ("/openai/v1/chat/completions/", "chat", "m"),
        ("/api/v1/models", "models", None),
        ("/v1/models/org/some-model", "model", "org/some-model"),
    ],
)
def test_any_prefix_of_a_base_url_is_accepted(path, operation, model):
    """Only the end of the path says what is asked for."""
    method = "POST" if operation == "chat" else "GET"
    call = OPENAI.dialect.read(method, path, "", {"api-key": "k"}, json.dumps(CHAT).encode())
    assert (call.operation, call.model, call.api_key) == (operation, model, "k")


@pytest.mark.parametrize(
    ("headers", "key"),
    [
        ({"x-api-key": "k"}, "k"),
        ({"authorization": "Bearer k"}, "k"),
        ({"Authorization": "bearer k"}, "k"),
        ({"authorization": "Basic k"}, None),
        ({"authorization": "Bearer "}, None),
        ({}, None),
    ],
)
def test_anthropic_s_key_comes_in_either_header(headers, key):
    """The SDK sends a bearer token, older clients `x-api-key`."""
    call = ANTHROPIC.dialect.read("POST", "/v1/messages", "beta=true", headers, json.dumps(MESSAGE).encode())
    assert call.api_key == key


def test_the_switches_of_a_stream_are_read():
    """`stream_options` are flags of the call, not fields of the request."""
    body = {**CHAT, "stream": True, "stream_options": {"include_usage": True, "include_obfuscation": False}}
    call = OPENAI.dialect.read("POST", "/v1/chat/completions", "", {}, json.dumps(body).encode())
    assert (call.stream, call.include_usage, call.include_obfuscation) == (True, True, False)
    assert "stream_options" not in call.request.extra_for("openai")
    call = OPENAI.dialect.read("POST", "/v1/chat/completions", "", {}, json.dumps({**CHAT, "stream": True}).encode())
    assert (call.stream, call.include_usage, call.include_obfuscation) == (True, False, True)


def test_the_limit_goes_by_the_name_that_the_model_knows():
    """OpenAI's models get the new name, all others the old one; both are read."""
    for model, name in (("gpt-5.2", "max_completion_tokens"), ("o3-mini", "max_completion_tokens")):
        assert _limit_name(model) == name
    for model in ("llama3.2", "gpt-oss-20b", "mistral-large"):
        assert _limit_name(model) == "max_tokens"


def _limit_name(model):
    body = json.dumps({**CHAT, "model": model, "max_tokens": 9}).encode()
    request = lenient("openai").read("POST", "/v1/chat/completions", "", {}, body).request
    written = json.loads(OPENAI.encode_call(request, stream=False).body)
    return next(name for name in ("max_tokens", "max_completion_tokens") if written.get(name) == 9)


def test_anthropic_gets_a_limit_where_the_request_has_none():
    """`max_tokens` is required there, so one is sent."""
    request = OPENAI.dialect.read("POST", "/v1/chat/completions", "", {}, json.dumps(CHAT).encode()).request
    assert json.loads(ANTHROPIC.encode_call(request, stream=False).body)["max_tokens"] == 4096


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)
blocks = st.lists(
    st.fixed_dictionaries({}, optional=dict.fromkeys(("type", "text", "image_url", "source", "id"), json_values))
    | json_values
)
messages = st.lists(
    st.fixed_dictionaries(
        {},
        optional={
            "role": st.sampled_from(["user", "assistant", "tool", "system"]) | json_values,
            "content": st.text() | blocks | json_values,
            **dict.fromkeys(("tool_calls", "tool_call_id", "name", "function_call"), json_values),
        },
    ),
    max_size=3,
)


@pytest.mark.parametrize("dialect", ["openai", "anthropic"])
@given(
    body=st.fixed_dictionaries(
        {},
        optional={
            "messages": messages,
            **dict.fromkeys(
                (
                    "model",
                    "max_tokens",
                    "temperature",
                    "top_p",
                    "tools",
                    "tool_choice",
                    "stop",
                    "system",
                    "stream",
                    "stream_options",
                    "seed",
                    "n",
                ),
                json_values,
            ),
        },
    ),
    usual=st.booleans(),
)
@settings(max_examples=300, deadline=None)
def test_no_request_raises_an_exception_of_python(dialect, body, usual):
    """Whatever JSON comes, it is understood or refused in the provider's words."""
    if usual:
        body = {**body, "model": "m", "max_tokens": 5}
    codec = dialect_of(dialect).chat
    path = "/v1/chat/completions" if dialect == "openai" else "/v1/messages"
    try:
        call = codec.dialect.read("POST", path, "", {}, json.dumps(body).encode())
    except WireFormatError as error:
        refusal = error.error
    else:
        codec.encode_call(call.request, stream=False)
        return
    assert codec.encode_error(refusal, ResponseMeta())[0] == 400


def test_an_unknown_dialect_is_named_with_its_nearest():
    """The message has the nearest dialect and all that exist."""
    with pytest.raises(ConfigurationError) as caught:
        dialect_of("open-ai")
    assert str(caught.value) == (
        "unknown dialect `open-ai`. Did you mean `openai`?\n"
        "Known dialects: openai, anthropic, azure, bedrock, cohere, deepseek, gemini, groq, huggingface, "
        "mistral, near_ai, ollama, openai_compatible, openrouter, perplexity, tinfoil, together_ai, vertex, vllm, xai."
    )
