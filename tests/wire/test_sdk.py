"""The official SDKs take what we encode for the provider's own, and we understand what they send."""

import json
from datetime import UTC, datetime

import anthropic
import httpx2
import openai
import pytest

from llmtest import errors
from llmtest.types import (
    ChatMessage,
    CompletionResponse,
    EmbeddingRequest,
    EmbeddingResponse,
    FinishReason,
    ModelCard,
    RefusalPart,
    TextPart,
    ThinkingPart,
    ToolCall,
    Usage,
)
from llmtest.wire import ResponseMeta, WireCall
from llmtest.wire import dialect as dialect_of
from tests.wire import wire_sdk

OPENAI, ANTHROPIC = dialect_of("openai").chat, dialect_of("anthropic").chat
META = ResponseMeta(id="id-1", created_s=1_767_225_600, model="m-1", request_id="req_1")
CHAT = WireCall(dialect_of("openai").chat, model="m-1", include_usage=True)
TOOLS = (ToolCall("call_1", "weather", '{"city":"Paris"}'), ToolCall("call_2", "time", "{}"))
FULL = CompletionResponse(
    parts=(ThinkingPart("Let me see.", "sig-1"), TextPart("Both at once."), *TOOLS),
    finish_reason=FinishReason.TOOL_USE,
    usage=Usage(100, 40, 30, 20, 10),
)
REFUSED = CompletionResponse(parts=(RefusalPart("I cannot help with that."),), finish_reason=FinishReason.REFUSAL)


def openai_read(body, *, stream=False):
    """Return what OpenAI's SDK reads."""
    return wire_sdk.read_openai(200, OPENAI.response_headers(META, stream=stream), body, stream=stream)


def anthropic_read(body, *, stream=False):
    """Return what Anthropic's SDK reads."""
    return wire_sdk.read_anthropic(200, ANTHROPIC.response_headers(META, stream=stream), body, stream=stream)


def test_openai_reads_a_full_answer():
    """Text, reasoning, parallel tool calls and every detail of the usage arrive."""
    read = openai_read(OPENAI.encode_answer(FULL, CHAT, META))
    message = read["choices"][0]["message"]
    assert (read["id"], read["model"], read["created"]) == ("id-1", "m-1", 1_767_225_600)
    assert (message["content"], message["reasoning_content"]) == ("Both at once.", "Let me see.")
    assert [call["function"] for call in message["tool_calls"]] == [
        {"name": "weather", "arguments": '{"city":"Paris"}'},
        {"name": "time", "arguments": "{}"},
    ]
    assert read["choices"][0]["finish_reason"] == "tool_calls"
    usage = read["usage"]
    assert (usage["prompt_tokens"], usage["completion_tokens"], usage["total_tokens"]) == (100, 40, 140)
    assert usage["prompt_tokens_details"]["cached_tokens"] == 30
    assert usage["prompt_tokens_details"]["cache_write_tokens"] == 20
    assert usage["completion_tokens_details"]["reasoning_tokens"] == 10


def test_openai_reads_the_same_from_a_stream():
    """The stream sums up to the complete answer."""
    read = openai_read(b"".join(OPENAI.encode_stream(FULL, CHAT, META)), stream=True)
    assert read["choices"][0] == {
        "content": "Both at once.",
        "refusal": "",
        "reasoning": "Let me see.",
        "tool_calls": [
            {"id": "call_1", "name": "weather", "arguments": '{"city":"Paris"}'},
            {"id": "call_2", "name": "time", "arguments": "{}"},
        ],
        "finish_reason": "tool_calls",
    }
    assert read["usage"]["total_tokens"] == 140


def test_openai_s_own_stream_helper_accepts_our_chunks():
    """The accumulating helper of the SDK, which checks more than plain iteration, ends with the whole completion."""
    body = b"".join(OPENAI.encode_stream(FULL, CHAT, META))
    client = wire_sdk.openai_client(200, OPENAI.response_headers(META, stream=True), body)
    with client.chat.completions.stream(model="m", messages=[{"role": "user", "content": "hi"}]) as stream:
        final = stream.get_final_completion()
    assert final.choices[0].message.content == "Both at once."
    assert [call.function.name for call in final.choices[0].message.tool_calls] == ["weather", "time"]
    assert final.usage.total_tokens == 140


def test_openai_reads_a_refusal():
    """A refusal is in its own field, with null content, whole or streamed."""
    message = openai_read(OPENAI.encode_answer(REFUSED, CHAT, META))["choices"][0]["message"]
    assert (message["content"], message["refusal"]) == (None, "I cannot help with that.")
    read = openai_read(b"".join(OPENAI.encode_stream(REFUSED, CHAT, META)), stream=True)
    assert (read["choices"][0]["refusal"], read["choices"][0]["finish_reason"]) == ("I cannot help with that.", "stop")


def test_openai_reads_alternatives():
    """`n` answers are choices with indexes, whole or streamed."""
    two = CompletionResponse(
        parts=(TextPart("heads"),), alternatives=(CompletionResponse(parts=(TextPart("tails"),)),), usage=Usage(1, 2)
    )
    read = openai_read(OPENAI.encode_answer(two, CHAT, META))
    assert [(one["index"], one["message"]["content"]) for one in read["choices"]] == [(0, "heads"), (1, "tails")]
    read = openai_read(b"".join(OPENAI.encode_stream(two, CHAT, META)), stream=True)
    assert {index: one["content"] for index, one in read["choices"].items()} == {0: "heads", 1: "tails"}


def test_malformed_arguments_reach_the_application_as_they_are():
    """Arguments that are no JSON are passed on as text by both SDKs' complete answers."""
    broken = CompletionResponse(parts=(ToolCall("c", "f", '{"a": '),), finish_reason=FinishReason.TOOL_USE)
    call = openai_read(OPENAI.encode_answer(broken, CHAT, META))["choices"][0]["message"]["tool_calls"][0]
    assert call["function"]["arguments"] == '{"a": '
    client = wire_sdk.anthropic_client(
        200, ANTHROPIC.response_headers(META), ANTHROPIC.encode_answer(broken, CHAT, META)
    )
    message = client.messages.create(model="m", max_tokens=5, messages=[{"role": "user", "content": "hi"}])
    assert message.content[0].input == '{"a": '


@pytest.mark.parametrize("streamed", [False, True], ids=["whole", "streamed"])
def test_anthropic_reads_a_full_answer(streamed):
    """Thinking with signature, redacted thinking, text, tool calls and usage arrive, whole or streamed."""
    full = CompletionResponse(
        parts=(ThinkingPart("Let me see.", "sig-1"), ThinkingPart("", "opaque", redacted=True), *FULL.parts[1:]),
        finish_reason=FinishReason.TOOL_USE,
        usage=FULL.usage,
    )
    if streamed:
        read = anthropic_read(b"".join(ANTHROPIC.encode_stream(full, CHAT, META)), stream=True)
    else:
        read = anthropic_read(ANTHROPIC.encode_answer(full, CHAT, META))
    kinds = [block["type"] for block in read["content"]]
    assert kinds == ["thinking", "redacted_thinking", "text", "tool_use", "tool_use"]
    assert read["content"][0]["signature"] == "sig-1"
    assert read["content"][1]["data"] == "opaque"
    assert read["content"][3]["input"] == {"city": "Paris"}
    assert read["content"][4]["input"] == {}
    usage = read["usage"]
    assert (usage["input_tokens"], usage["cache_read_input_tokens"], usage["cache_creation_input_tokens"]) == (
        50,
        30,
        20,
    )
    assert usage["output_tokens"] == 40
    assert usage["output_tokens_details"]["thinking_tokens"] == 10
    assert read["stop_reason"] == "tool_use"


@pytest.mark.parametrize("streamed", [False, True], ids=["whole", "streamed"])
def test_anthropic_reads_a_refusal(streamed):
    """A refusal is a stop reason with its details."""
    if streamed:
        read = anthropic_read(b"".join(ANTHROPIC.encode_stream(REFUSED, CHAT, META)), stream=True)
    else:
        read = anthropic_read(ANTHROPIC.encode_answer(REFUSED, CHAT, META))
    assert read["stop_reason"] == "refusal"
    assert read["stop_details"]["type"] == "refusal"
    assert read["content"][0]["text"] == "I cannot help with that."


OPENAI_ERRORS = {
    errors.RateLimitedError: (429, openai.RateLimitError, "rate_limit_exceeded"),
    errors.QuotaExceededError: (429, openai.RateLimitError, "insufficient_quota"),
    errors.AuthenticationError: (401, openai.AuthenticationError, "invalid_api_key"),
    errors.PermissionDeniedError: (403, openai.PermissionDeniedError, "missing_scope"),
    errors.ContextLengthExceededError: (400, openai.BadRequestError, "context_length_exceeded"),
    errors.InvalidRequestError: (400, openai.BadRequestError, "unsupported_parameter"),
    errors.ContentFilteredError: (400, openai.BadRequestError, "content_policy_violation"),
    errors.ModelNotFoundError: (404, openai.NotFoundError, "model_not_found"),
    errors.RequestTooLargeError: (413, openai.APIStatusError, "request_too_large"),
    errors.ServerError: (500, openai.InternalServerError, None),
    errors.OverloadedError: (503, openai.InternalServerError, None),
    errors.ProviderTimeoutError: (408, openai.APIStatusError, None),
}
ANTHROPIC_ERRORS = {
    errors.RateLimitedError: (429, anthropic.RateLimitError, "rate_limit_error"),
    errors.QuotaExceededError: (402, anthropic.APIStatusError, "billing_error"),
    errors.AuthenticationError: (401, anthropic.AuthenticationError, "authentication_error"),
    errors.PermissionDeniedError: (403, anthropic.PermissionDeniedError, "permission_error"),
    errors.ContextLengthExceededError: (400, anthropic.BadRequestError, "invalid_request_error"),
    errors.InvalidRequestError: (400, anthropic.BadRequestError, "invalid_request_error"),
    errors.ContentFilteredError: (400, anthropic.BadRequestError, "invalid_request_error"),
    errors.ModelNotFoundError: (404, anthropic.NotFoundError, "not_found_error"),
    errors.RequestTooLargeError: (413, anthropic.APIStatusError, "request_too_large"),
    errors.ServerError: (500, anthropic.InternalServerError, "api_error"),
    errors.OverloadedError: (529, anthropic.InternalServerError, "overloaded_error"),
}


@pytest.mark.parametrize("kind", OPENAI_ERRORS)
def test_openai_raises_its_own_class(kind):
    """Every error raises the SDK's class, with its code and request id."""
    expected, sdk_class, code = OPENAI_ERRORS[kind]
    status, headers, body = OPENAI.encode_error(kind(""), META)
    client = wire_sdk.openai_client(status, headers, body)
    with pytest.raises(openai.APIStatusError) as caught:
        client.chat.completions.create(model="m", messages=[{"role": "user", "content": "hi"}])
    assert isinstance(caught.value, sdk_class)
    assert (caught.value.status_code, caught.value.code, caught.value.request_id) == (expected, code, "req_1")


@pytest.mark.parametrize("kind", ANTHROPIC_ERRORS)
def test_anthropic_raises_its_own_class(kind):
    """Every error raises the SDK's class, with its type and request id."""
    expected, sdk_class, error_type = ANTHROPIC_ERRORS[kind]
    status, headers, body = ANTHROPIC.encode_error(kind(""), META)
    client = wire_sdk.anthropic_client(status, headers, body)
    with pytest.raises(anthropic.APIStatusError) as caught:
        client.messages.create(model="m", max_tokens=5, messages=[{"role": "user", "content": "hi"}])
    assert isinstance(caught.value, sdk_class)
    assert (caught.value.status_code, caught.value.type, caught.value.request_id) == (expected, error_type, "req_1")


def test_openai_raises_for_an_error_inside_a_stream():
    """An error event raises the SDK's base class, which knows no status, and ours is typed with its code."""
    events = OPENAI.encode_stream(FULL, CHAT, META)[:3]
    events.append(OPENAI.encode_stream_error(errors.ServerError(""), META))
    client = wire_sdk.openai_client(200, OPENAI.response_headers(META, stream=True), b"".join(events))
    with pytest.raises(openai.APIError) as caught:
        list(client.chat.completions.create(model="m", messages=[{"role": "user", "content": "hi"}], stream=True))
    assert not isinstance(caught.value, openai.APIStatusError)
    assert caught.value.type == "server_error"


def test_anthropic_raises_for_an_error_inside_a_stream():
    """An error event raises the SDK's status error with status 200 and the type of the event."""
    events = ANTHROPIC.encode_stream(FULL, CHAT, META)[:3]
    events.append(ANTHROPIC.encode_stream_error(errors.OverloadedError(""), META))
    client = wire_sdk.anthropic_client(200, ANTHROPIC.response_headers(META, stream=True), b"".join(events))
    with (
        pytest.raises(anthropic.APIStatusError) as caught,
        client.messages.stream(model="m", max_tokens=5, messages=[{"role": "user", "content": "hi"}]) as stream,
    ):
        stream.get_final_message()
    assert (caught.value.status_code, caught.value.type) == (200, "overloaded_error")


class _Desk:
    """A transport that reads what an SDK sends with our server half, and answers from a function."""

    def __init__(self, codec, answer):
        self.codec, self.answer, self.calls = codec, answer, []

    def __call__(self, request):
        call = self.codec.dialect.read(
            request.method, request.url.path, request.url.query.decode(), request.headers, request.read()
        )
        self.calls.append(call)
        headers = self.codec.response_headers(META)
        return httpx2.Response(200, headers=list(headers), content=self.answer(call))

    def client(self):
        """Return an HTTP client in front of the desk."""
        return httpx2.Client(transport=httpx2.MockTransport(self))


@pytest.mark.parametrize("encoding", ["base64", "float"])
def test_openai_embeddings_come_back_in_either_encoding(encoding):
    """The SDK asks for base64 unless told otherwise; both give the same numbers."""
    desk = _Desk(
        OPENAI,
        lambda call: call.endpoint.encode_answer(EmbeddingResponse(((1.0, 2.0),), usage=Usage(3)), call, META),
    )
    client = openai.OpenAI(api_key="k", http_client=desk.client())
    chosen = {} if encoding == "base64" else {"encoding_format": "float"}
    answer = client.embeddings.create(model="e-1", input="hi", **chosen)
    assert answer.data[0].embedding == [1.0, 2.0]
    assert answer.usage.prompt_tokens == 3
    assert desk.calls[0].request == EmbeddingRequest(("hi",), "e-1", encoding)


def test_openai_lists_models():
    """The list and a single card arrive."""
    cards = (ModelCard("m-1", 5, "llmtest"), ModelCard("m-2"))
    desk = _Desk(OPENAI, lambda call: call.endpoint.encode_answer(cards, call, META))
    client = openai.OpenAI(api_key="k", http_client=desk.client())
    assert [(card.id, card.owned_by) for card in client.models.list()] == [("m-1", "llmtest"), ("m-2", "system")]
    assert client.models.retrieve("m-1").created == 5
    assert [(call.operation, call.model) for call in desk.calls] == [("models", None), ("model", "m-1")]


def test_anthropic_counts_tokens_and_lists_models():
    """`count_tokens` needs no limit and gives a number; model cards carry the window."""
    cards = (ModelCard("m-1", 1_767_225_600, display_name="M 1", max_input_tokens=200_000),)
    desk = _Desk(
        ANTHROPIC,
        lambda call: call.endpoint.encode_answer(17 if call.operation == "count_tokens" else cards, call, META),
    )
    client = anthropic.Anthropic(api_key="k", http_client=desk.client())
    counted = client.messages.count_tokens(model="m-1", messages=[{"role": "user", "content": "hi"}], system="s")
    assert counted.input_tokens == 17
    assert desk.calls[0].request.messages == (ChatMessage.system("s"), ChatMessage.user("hi"))
    card = next(iter(client.models.list()))
    assert (card.id, card.display_name, card.max_input_tokens) == ("m-1", "M 1", 200_000)
    assert card.created_at == datetime(2026, 1, 1, tzinfo=UTC)
    assert client.models.retrieve("m-1").id == "m-1"
    assert {call.api_key for call in desk.calls} == {"k"}


CLOSED = {"type": "object", "properties": {}, "required": [], "additionalProperties": False}


def test_openai_s_request_is_understood():
    """Tools, limits, streaming switches and the key of a real SDK call are read."""
    desk = _Desk(OPENAI, lambda call: OPENAI.encode_answer(FULL, call, META))
    client = openai.OpenAI(api_key="sk-1", http_client=desk.client())
    tool = {"type": "function", "function": {"name": "f", "parameters": CLOSED, "strict": True}}
    client.chat.completions.create(
        model="gpt-5.2",
        messages=[
            {"role": "developer", "content": "s"},
            {
                "role": "user",
                "content": [
                    {"type": "text", "text": "hi"},
                    {"type": "image_url", "image_url": {"url": "data:image/png;base64,AA=="}},
                ],
            },
            {
                "role": "assistant",
                "tool_calls": [{"id": "c", "type": "function", "function": {"name": "f", "arguments": "{"}}],
            },
            {"role": "tool", "tool_call_id": "c", "content": "42"},
        ],
        tools=[tool],
        tool_choice={"type": "function", "function": {"name": "f"}},
        max_completion_tokens=9,
        stop="END",
        n=2,
        functions=[{"name": "old", "parameters": {}}],
    )
    call = desk.calls[0]
    request = call.request
    assert (call.api_key, call.model, call.stream) == ("sk-1", "gpt-5.2", False)
    assert [message.role for message in request.messages] == ["system", "user", "assistant", "tool"]
    assert request.messages[1].content[1].data == "AA=="
    assert request.messages[2].tool_calls == (ToolCall("c", "f", "{"),)
    assert (request.max_tokens, request.stop_sequences, request.tool_choice) == (9, ("END",), "f")
    assert request.tools[0].strict is True
    assert (request.n, request.extra_for("openai")["functions"][0]["name"]) == (2, "old")
    written = json.loads(OPENAI.encode_call(request, stream=False).body)
    assert written["messages"][0]["role"] == "developer"


def test_anthropic_s_request_is_understood():
    """Blocks, results, cache marks and the key of a real SDK call are read, and unknown fields kept."""
    desk = _Desk(ANTHROPIC, lambda call: ANTHROPIC.encode_answer(FULL, call, META))
    client = anthropic.Anthropic(api_key="sk-1", http_client=desk.client())
    client.messages.create(
        model="m-1",
        max_tokens=2000,
        system=[{"type": "text", "text": "s", "cache_control": {"type": "ephemeral"}}],
        messages=[
            {"role": "user", "content": "hi"},
            {"role": "assistant", "content": [{"type": "tool_use", "id": "t", "name": "f", "input": {"a": 1}}]},
            {
                "role": "user",
                "content": [{"type": "tool_result", "tool_use_id": "t", "content": "42", "is_error": True}],
            },
        ],
        tools=[{"name": "f", "input_schema": {"type": "object"}}],
        tool_choice={"type": "any"},
        thinking={"type": "enabled", "budget_tokens": 1024},
    )
    call = desk.calls[0]
    request = call.request
    assert (call.api_key, call.operation) == ("sk-1", "chat")
    assert [message.role for message in request.messages] == ["system", "user", "assistant", "tool"]
    assert request.messages[2].tool_calls == (ToolCall("t", "f", '{"a":1}'),)
    assert request.messages[3].is_error
    assert (request.max_tokens, request.tool_choice) == (2000, "required")
    assert request.extra_for("anthropic")["thinking"] == {"type": "enabled", "budget_tokens": 1024}
    written = json.loads(ANTHROPIC.encode_call(request, stream=False).body)
    assert written["system"][0]["cache_control"] == {"type": "ephemeral"}
