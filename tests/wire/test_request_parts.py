"""Requests with every kind of part: what our client writes, the simulated provider reads back, foreign forms too."""

import json

import pytest

from llmtest.types import (
    ChatMessage,
    CompletionRequest,
    FilePart,
    ImagePart,
    OpaquePart,
    RefusalPart,
    TextPart,
    ThinkingPart,
    ToolCall,
    ToolDefinition,
)
from llmtest.wire import dialect as dialect_of
from tests.wire.lenient import lenient

HEADERS = {
    "openai": {"authorization": "Bearer sk-test"},
    "anthropic": {"x-api-key": "sk-ant", "anthropic-version": "2023-06-01"},
}
PATHS = {"openai": "/v1/chat/completions", "anthropic": "/v1/messages"}
TOOL = ToolDefinition("weather", "Tells it.", {"type": "object", "properties": {"city": {"type": "string"}}})
CALL = ToolCall("t1", "weather", '{"city":"Paris"}')


def read_back(dialect, request):
    """Return the request as a simulated provider reads it."""
    codec = dialect_of(dialect).chat
    wire = codec.encode_call(request, stream=False)
    return lenient(dialect).read("POST", PATHS[dialect], "", HEADERS[dialect], wire.body).request


def sent(dialect, request):
    """Return the body our client writes, parsed."""
    return json.loads(dialect_of(dialect).chat.encode_call(request, stream=False).body)


def received(dialect, body):
    """Return a foreign body as a simulated provider reads it."""
    codec = dialect_of(dialect).chat
    return codec.dialect.read("POST", PATHS[dialect], "", HEADERS[dialect], json.dumps(body).encode()).request


@pytest.mark.parametrize(
    "message",
    [
        pytest.param(ChatMessage("user", (TextPart("a"), TextPart("b"))), id="texts"),
        pytest.param(ChatMessage("user", (TextPart("a"), ImagePart(url="https://example.org/x.png"))), id="url"),
        pytest.param(ChatMessage("user", (ImagePart(data="AAAA", media_type="image/jpeg"),)), id="data"),
        pytest.param(ChatMessage("assistant", None, (CALL,)), id="call"),
        pytest.param(ChatMessage("assistant", "Let me see.", (CALL,)), id="text-and-call"),
    ],
)
@pytest.mark.parametrize("dialect", ["openai", "anthropic"])
def test_a_message_survives_the_way(dialect, message):
    """What our client says is what the provider hears."""
    request = CompletionRequest(
        messages=(ChatMessage("user", "Hi"), message, ChatMessage("user", "Go on.")), model="m", max_tokens=50
    )
    back = read_back(dialect, request).messages[1]
    assert back.role == message.role
    assert back.text == message.text
    assert back.tool_calls == message.tool_calls
    images = [part for part in message.content or () if isinstance(part, ImagePart)]
    assert [part for part in back.content or () if isinstance(part, ImagePart)] == images


def test_a_tool_s_result_survives_the_way():
    """A result keeps the id of its call, and at Anthropic that it is an error."""
    messages = (
        ChatMessage("user", "Hi"),
        ChatMessage("assistant", None, (CALL,)),
        ChatMessage("tool", "storm", tool_call_id="t1", is_error=True),
    )
    request = CompletionRequest(messages=messages, model="m", max_tokens=50, tools=(TOOL,), tool_choice="weather")
    for dialect in ("openai", "anthropic"):
        back = read_back(dialect, request)
        assert (back.messages[2].role, back.messages[2].text, back.messages[2].tool_call_id) == ("tool", "storm", "t1")
        assert (back.tools, back.tool_choice) == ((TOOL,), "weather")
    assert read_back("anthropic", request).messages[2].is_error


@pytest.mark.parametrize("choice", ["auto", "none", "required", "weather"])
@pytest.mark.parametrize("dialect", ["openai", "anthropic"])
def test_every_choice_of_tools_survives_the_way(dialect, choice):
    """The words for choosing tools differ by dialect and mean the same."""
    request = CompletionRequest(
        messages=(ChatMessage("user", "Hi"),), model="m", max_tokens=50, tools=(TOOL,), tool_choice=choice
    )
    assert read_back(dialect, request).tool_choice == choice


def test_what_openai_is_not_told():
    """Thoughts of a model stay with the provider that had them; a refusal and unknown blocks are passed on."""
    parts = (
        ThinkingPart("hm", "sig"),
        TextPart("a"),
        RefusalPart("no"),
        ImagePart(data="AAAA", detail="low"),
        OpaquePart({"type": "file", "file": {"file_id": "f"}}),
    )
    request = CompletionRequest(messages=(ChatMessage("user", parts, name="Ann"),), model="m")
    assert sent("openai", request)["messages"] == [
        {
            "role": "user",
            "name": "Ann",
            "content": [
                {"type": "text", "text": "a"},
                {"type": "refusal", "refusal": "no"},
                {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA", "detail": "low"}},
                {"type": "file", "file": {"file_id": "f"}},
            ],
        }
    ]
    back = read_back("openai", request)
    assert back.messages[0].content == (
        TextPart("a"),
        RefusalPart("no"),
        ImagePart(data="AAAA", media_type="image/png", detail="low"),
        FilePart(file_id="f"),
    )


def test_what_anthropic_is_told():
    """Thoughts go back with their signature, redacted ones as they came, refusals as text, images in their source."""
    parts = (
        ThinkingPart("hm", "sig"),
        ThinkingPart("", "blob", redacted=True),
        RefusalPart("no"),
        ImagePart(url="https://example.org/x.png"),
        ImagePart(data="AAAA"),
        OpaquePart({"type": "document", "source": {}}),
    )
    request = CompletionRequest(messages=(ChatMessage("user", parts),), model="m", max_tokens=5)
    assert sent("anthropic", request)["messages"][0]["content"] == [
        {"type": "thinking", "thinking": "hm", "signature": "sig"},
        {"type": "redacted_thinking", "data": "blob"},
        {"type": "text", "text": "no"},
        {"type": "image", "source": {"type": "url", "url": "https://example.org/x.png"}},
        {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "AAAA"}},
        {"type": "document", "source": {}},
    ]
    assert read_back("anthropic", request).messages[0].content == (
        ThinkingPart("hm", "sig"),
        ThinkingPart("", "blob", redacted=True),
        TextPart("no"),
        ImagePart(url="https://example.org/x.png"),
        ImagePart(data="AAAA", media_type="image/png"),
        OpaquePart({"type": "document", "source": {}}, "anthropic"),
    )


@pytest.mark.parametrize(
    ("change", "choice"),
    [
        ({"tool_choice": {"type": "allowed_tools", "allowed_tools": {}}}, None),
        ({"tool_choice": {"type": "function", "function": {"name": "weather"}}}, "weather"),
        ({"tool_choice": "required"}, "required"),
    ],
    ids=["unknown", "named", "word"],
)
def test_foreign_tools_and_choices_are_kept(change, choice):
    """What our types have no word for is kept as it came, and written back unchanged."""
    body = {
        "model": "gpt-4o",
        "messages": [{"role": "user", "content": "Hi"}],
        "tools": [
            {"type": "function", "function": {"name": "weather"}},
            {"type": "custom", "custom": {"name": "grammar"}},
        ],
        **change,
    }
    request = received("openai", body)
    assert [tool.name for tool in request.tools] == ["weather"]
    assert request.tool_choice == choice
    again = sent("openai", request)
    assert (again["tools"], again["tool_choice"]) == (body["tools"], body["tool_choice"])


def test_a_legacy_function_call_is_a_tool_call():
    """The form of 2023 is read as a call without an id, and goes back as it came."""
    messages = [
        {"role": "user", "content": "Hi"},
        {"role": "assistant", "content": None, "function_call": {"name": "weather", "arguments": "{}"}},
        {"role": "function", "name": "weather", "content": "sun"},
        {"role": "developer", "content": "Be brief."},
    ]
    request = received("openai", {"model": "gpt-4o", "messages": messages})
    assert request.messages[1].tool_calls == (ToolCall("", "weather", "{}"),)
    assert [message.role for message in request.messages] == ["user", "assistant", "tool", "system"]
    assert sent("openai", request)["messages"] == messages


@pytest.mark.parametrize(("model", "name"), [("llama-3", "max_tokens"), ("o3-mini", "max_completion_tokens")])
def test_the_limit_has_the_name_its_model_knows(model, name):
    """Reasoning models take the new name alone, other servers the old one; both are read."""
    request = CompletionRequest(messages=(ChatMessage("user", "Hi"),), model=model, max_tokens=5)
    assert sent("openai", request)[name] == 5
    assert read_back("openai", request).max_tokens == 5
