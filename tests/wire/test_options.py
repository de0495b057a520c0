"""What may be asked for beside a conversation: one meaning, each dialect's words, and nothing of the other's."""

import json

import anthropic
import httpx2
import openai
import pytest

from llmtest import AnthropicProvider, OpenAIProvider
from llmtest.errors import NotSupportedError
from llmtest.types import (
    AudioPart,
    ChatMessage,
    Citation,
    CompletionRequest,
    FilePart,
    ImagePart,
    OpaquePart,
    ResponseFormat,
    TextPart,
    ThinkingPart,
    ToolCall,
    ToolDefinition,
)
from llmtest.wire import dialect as dialect_of
from tests.wire.lenient import lenient

SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
TOOL = ToolDefinition("weather", "Tells it.", SCHEMA, strict=True)
HI = ChatMessage.user("Hi")


def body_of(dialect, request):
    """Return the body that a request is sent with."""
    return json.loads(dialect_of(dialect).chat.encode_call(request).body)


def read(dialect, body):
    """Return the request that a body is read as."""
    path = "/v1/chat/completions" if dialect == "openai" else "/v1/messages"
    return lenient(dialect).read("POST", path, "", {}, json.dumps(body).encode()).request


@pytest.mark.parametrize(
    ("options", "fields"),
    [
        ({"n": 3}, {"n": 3}),
        ({"response_format": ResponseFormat("text")}, {"response_format": {"type": "text"}}),
        ({"response_format": ResponseFormat("json_object")}, {"response_format": {"type": "json_object"}}),
        (
            {"response_format": ResponseFormat.json_schema(SCHEMA, name="city", strict=True, description="A city.")},
            {
                "response_format": {
                    "type": "json_schema",
                    "json_schema": {"name": "city", "schema": SCHEMA, "strict": True, "description": "A city."},
                }
            },
        ),
        (
            {"response_format": ResponseFormat.json_schema(SCHEMA)},
            {"response_format": {"type": "json_schema", "json_schema": {"name": "answer", "schema": SCHEMA}}},
        ),
        ({"reasoning_effort": "minimal"}, {"reasoning_effort": "minimal"}),
        ({"logprobs": True, "top_logprobs": 2}, {"logprobs": True, "top_logprobs": 2}),
        ({"service_tier": "flex"}, {"service_tier": "flex"}),
        ({"service_tier": "standard_only"}, {"service_tier": "default"}),
        ({"tools": (TOOL,), "parallel_tool_calls": False}, {"parallel_tool_calls": False}),
        ({"metadata": {"user": "u"}, "extra": {"openai": {"store": True}}}, {"store": True, "metadata": {"user": "u"}}),
        ({"metadata": {"user": "u"}}, {}),
        ({"extra": {"anthropic": {"thinking": {"type": "adaptive"}}}}, {}),
    ],
)
def test_what_openai_is_asked_for(options, fields):
    """Each option has OpenAI's name; labels go out where the answer is stored, since OpenAI refuses them else."""
    body = body_of("openai", CompletionRequest([HI], model="gpt-4o", **options))
    assert {name: body[name] for name in body if name not in {"messages", "model", "tools"}} == fields


@pytest.mark.parametrize(
    ("options", "fields"),
    [
        ({"n": 1, "logprobs": False}, {}),
        (
            {"response_format": ResponseFormat.json_schema(SCHEMA, name="city", strict=True)},
            {"output_config": {"format": {"type": "json_schema", "schema": SCHEMA}}},
        ),
        ({"response_format": ResponseFormat("text")}, {}),
        ({"reasoning_effort": "high"}, {"output_config": {"effort": "high"}}),
        ({"top_k": 40}, {"top_k": 40}),
        ({"service_tier": "auto"}, {"service_tier": "auto"}),
        ({"service_tier": "default"}, {"service_tier": "standard_only"}),
        ({"service_tier": "flex"}, {}),
        ({"metadata": {"user_id": "u", "team": "blue"}}, {"metadata": {"user_id": "u"}}),
        ({"metadata": {"team": "blue"}}, {}),
        (
            {"tools": (TOOL,), "parallel_tool_calls": False},
            {"tool_choice": {"type": "auto", "disable_parallel_tool_use": True}},
        ),
        ({"parallel_tool_calls": False}, {}),
        ({"extra": {"openai": {"logit_bias": {"5": 1}, "user": "u"}}}, {}),
        ({"max_tokens": 0}, {"max_tokens": 0}),
    ],
)
def test_what_anthropic_is_asked_for(options, fields):
    """Each option has Anthropic's form; fields of OpenAI and what changes no answer are left out."""
    body = body_of("anthropic", CompletionRequest([HI], model="claude-opus-5", **options))
    left_out = {"messages", "model", "tools", *({"max_tokens"} - fields.keys())}
    assert {name: body[name] for name in body if name not in left_out} == fields


@pytest.mark.parametrize(
    ("dialect", "options", "message"),
    [
        ("anthropic", {"n": 3}, "anthropic: one answer at a time, not n=3"),
        ("anthropic", {"logprobs": True}, "anthropic: there are no log probabilities"),
        ("anthropic", {"top_logprobs": 2}, "anthropic: there are no log probabilities"),
        (
            "anthropic",
            {"response_format": ResponseFormat("json_object")},
            "anthropic: JSON needs a schema: ResponseFormat.json_schema(...)",
        ),
        ("anthropic", {"reasoning_effort": "minimal"}, "anthropic: no effort `minimal`"),
        ("anthropic", {"temperature": 1.5}, "anthropic: temperature is from 0.0 to 1.0, not 1.5"),
        ("openai", {"top_k": 40}, "openai: `gpt-4o` cannot choose among the `top_k` likeliest tokens"),
        ("openai", {"max_tokens": 0}, "openai: an answer has at least one token"),
    ],
)
def test_e32_what_a_dialect_cannot_say_and_would_change_the_answer_is_refused(dialect, options, message):
    """It is no request for that provider, and a chain asks the next one; nothing is sent that says something else."""
    with pytest.raises(NotSupportedError) as caught:
        body_of(dialect, CompletionRequest([HI], model="gpt-4o", **options))
    assert str(caught.value).startswith(message)


def test_p09_what_a_target_does_not_support_is_refused_before_it_is_sent(llm_sim):
    """A temperature that Anthropic would answer with a 400 is refused with what there is; one it knows is sent."""
    provider = AnthropicProvider("k")
    with pytest.raises(NotSupportedError, match=r"temperature is from 0\.0 to 1\.0, not 1\.5"):
        provider.complete(CompletionRequest.ask("hi").with_temperature(1.5))
    assert not llm_sim.anthropic.requests
    llm_sim.anthropic.replies("Paris")
    assert provider.complete(CompletionRequest.ask("hi").with_temperature(1.0)).content == "Paris"
    # OpenAI's own models have the same limit on the answer under another name.
    llm_sim.openai.replies("Paris")
    OpenAIProvider("k", model="o3").complete(CompletionRequest.ask("hi").with_max_tokens(50))
    assert b'"max_completion_tokens":50' in llm_sim.openai.requests[0].body


def test_other_servers_know_top_k():
    """A model that is not OpenAI's by its name is asked with `top_k`, which vLLM, Ollama and OpenRouter know."""
    request = CompletionRequest([HI], model="llama-3", top_k=40)
    assert body_of("openai", request)["top_k"] == 40
    assert read("openai", body_of("openai", request)) == request


@pytest.mark.parametrize(
    ("dialect", "part", "block"),
    [
        ("openai", FilePart("JVBE", name="a.pdf"), ("file", "file_data", "data:application/pdf;base64,JVBE")),
        ("openai", FilePart(text="Hi", name="a.txt"), ("file", "file_data", "data:text/plain;base64,SGk=")),
        ("openai", FilePart(file_id="file-1"), ("file", "file_id", "file-1")),
        ("openai", AudioPart("UklG", "audio/x-wav"), ("input_audio", "format", "wav")),
        ("anthropic", FilePart("JVBE", name="a.pdf"), ("source", "media_type", "application/pdf")),
        ("anthropic", FilePart(text="Hi"), ("source", "data", "Hi")),
        ("anthropic", FilePart(url="https://x.test/a.pdf"), ("source", "url", "https://x.test/a.pdf")),
        ("anthropic", FilePart(file_id="file_1"), ("source", "file_id", "file_1")),
        ("anthropic", ImagePart(file_id="file_1"), ("source", "file_id", "file_1")),
    ],
)
def test_files_and_sound_in_a_prompt(dialect, part, block):
    """A document, an image or a sound has a block of its own in each dialect."""
    request = CompletionRequest([ChatMessage.user((part,))], model="m", max_tokens=5)
    (found,) = body_of(dialect, request)["messages"][-1]["content"]
    holder, field, value = block
    assert found[holder][field] == value


@pytest.mark.parametrize(
    ("dialect", "part"),
    [
        ("openai", FilePart(url="https://x.test/a.pdf")),
        ("openai", ImagePart(file_id="file_1")),
        ("openai", OpaquePart({"type": "search_result"}, "anthropic")),
        ("anthropic", AudioPart("UklG")),
        ("anthropic", OpaquePart({"type": "video_url"}, "openai")),
    ],
)
def test_a_part_that_a_dialect_has_no_block_for_is_refused(dialect, part):
    """A prompt without one of its parts would be another prompt."""
    with pytest.raises(NotSupportedError, match=dialect):
        body_of(dialect, CompletionRequest([ChatMessage.user((part,))], model="m"))


ANSWERED = (
    ThinkingPart("hm", "sig"),
    ThinkingPart("unsigned"),
    ToolCall("s1", "web_search", '{"q":"x"}', server=True),
    OpaquePart({"type": "web_search_tool_result", "tool_use_id": "s1", "content": []}, "anthropic"),
    TextPart("Sunny.", (Citation("https://x.test/", "X", "sunny", proof="e"),)),
    ToolCall("t1", "weather", '{"city":"Paris"}'),
)


def test_an_answer_is_said_to_anthropic_again():
    """The parts of an answer are a message: what it searched and cited stays, thoughts need Anthropic's own proof."""
    request = CompletionRequest(
        [HI, ChatMessage("assistant", ANSWERED), ChatMessage.tool_result("t1", "22")], model="m"
    )
    blocks = body_of("anthropic", request)["messages"][1]["content"]
    kinds = ["thinking", "server_tool_use", "web_search_tool_result", "text", "tool_use"]
    assert [block["type"] for block in blocks] == kinds
    assert blocks[3]["citations"][0]["encrypted_index"] == "e"
    again = read("anthropic", body_of("anthropic", request)).messages[1]
    assert (again.content, again.tool_calls) == (ANSWERED[:1] + ANSWERED[2:5], ANSWERED[5:])


def test_an_answer_of_one_dialect_is_said_to_the_other():
    """Thoughts, searches and their results stay where they were made; text and calls are everybody's."""
    request = CompletionRequest(
        [HI, ChatMessage("assistant", ANSWERED), ChatMessage.tool_result("t1", "22")], model="m"
    )
    message = body_of("openai", request)["messages"][1]
    assert message["content"] == [{"type": "text", "text": "Sunny."}]
    assert [call["id"] for call in message["tool_calls"]] == ["t1"]
    only_calls = ChatMessage("assistant", (ToolCall("t1", "weather"),))
    assert body_of("openai", CompletionRequest([HI, only_calls], model="m"))["messages"][1]["content"] is None


def test_e12_how_long_a_prompt_is_to_be_cached_is_read():
    """Marks on system prompts, tools, text and documents say up to where and for how long."""
    hour, minutes = {"type": "ephemeral", "ttl": "1h"}, {"type": "ephemeral"}
    body = {
        "model": "claude-opus-5",
        "max_tokens": 5,
        "system": [{"type": "text", "text": "Be brief.", "cache_control": hour}],
        "tools": [{"name": "weather", "input_schema": SCHEMA, "cache_control": minutes}],
        "messages": [
            {"role": "user", "content": [{"type": "text", "text": "Hi", "cache_control": minutes}]},
            {
                "role": "assistant",
                "content": [{"type": "tool_use", "id": "t", "name": "weather", "input": {}, "cache_control": hour}],
            },
            {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t", "content": "22"}]},
        ],
    }
    request = read("anthropic", body)
    assert request.messages[0].content == (TextPart("Be brief.", cache_ttl="1h"),)
    assert request.tools[0].cache_ttl == "5m"
    assert request.messages[1].content == (TextPart("Hi", cache_ttl="5m"),)
    assert body_of("anthropic", request) == body
    assert "cache_control" not in json.dumps(body_of("openai", request))


def test_e20_labels_are_on_the_request_that_a_provider_reads():
    """`metadata` is read from either dialect, and said again as it came."""
    for dialect, more in (("openai", {"metadata": {"team": "blue"}}), ("anthropic", {"metadata": {"user_id": "u"}})):
        body = {"model": "m", "max_tokens": 5, "messages": [{"role": "user", "content": "Hi"}], **more}
        request = read(dialect, body)
        assert request.metadata == more["metadata"]
        assert body_of(dialect, request)["metadata"] == more["metadata"]


@pytest.mark.parametrize(
    ("dialect", "fields"),
    [
        ("openai", {"response_format": {"type": "grammar", "grammar": "root ::= 'a'"}}),
        ("openai", {"response_format": {"type": "json_schema", "json_schema": {"name": "x"}}}),
        ("openai", {"top_k": -1}),
        ("anthropic", {"output_config": {"effort": "high", "task_budget": {"total": 5}}}),
        ("anthropic", {"output_format": {"type": "json_schema", "schema": SCHEMA}}),
        ("anthropic", {"output_config": {"format": {"type": "grammar"}}}),
        ("anthropic", {"metadata": {"user_id": "u", "trace": "t"}}),
    ],
)
def test_a_form_that_is_not_modelled_is_kept_and_written_back(dialect, fields):
    """What our fields cannot say stays beside them, verbatim."""
    body = {"model": "m", "max_tokens": 5, "messages": [{"role": "user", "content": "Hi"}], **fields}
    assert body_of(dialect, read(dialect, body)) == body


def test_an_older_form_of_a_schema_is_the_same_wish():
    """`output_format`, as Anthropic's beta had it, is read like `output_config.format`."""
    body = {"model": "m", "max_tokens": 5, "messages": [{"role": "user", "content": "Hi"}]}
    older = read("anthropic", {**body, "output_format": {"type": "json_schema", "schema": SCHEMA}})
    assert older.response_format == ResponseFormat.json_schema(SCHEMA)


def _sent_by(make_client, send):
    """Return the path and the body of the one request that an SDK sends."""
    seen = []

    def answer(request):
        seen.append(request)
        return httpx2.Response(500, json={"error": {"message": "no"}})

    client = make_client(httpx2.Client(transport=httpx2.MockTransport(answer)))
    with pytest.raises((openai.APIError, anthropic.APIError)):
        send(client)
    return seen[0].url.path, seen[0].content


CLOSED = {"type": "object", "properties": {}, "required": [], "additionalProperties": False}
FUNCTION = {"type": "function", "function": {"name": "look", "parameters": CLOSED, "strict": True}}


def test_openai_s_sdk_is_understood_in_every_option():
    """The options of a real SDK call, structured output by a pydantic model included, are read as ours."""
    from pydantic import BaseModel

    class City(BaseModel):
        name: str

    path, content = _sent_by(
        lambda http: openai.OpenAI(api_key="k", http_client=http, max_retries=0),
        lambda client: client.chat.completions.parse(
            model="gpt-4o",
            messages=[{"role": "user", "content": [{"type": "file", "file": {"file_id": "file-1"}}]}],
            response_format=City,
            n=2,
            logprobs=True,
            top_logprobs=3,
            tools=[FUNCTION],
            parallel_tool_calls=False,
            reasoning_effort="low",
            service_tier="flex",
            store=True,
            metadata={"team": "blue"},
            seed=7,
        ),
    )
    request = dialect_of("openai").read("POST", path, "", {}, content).request
    assert (request.n, request.logprobs, request.top_logprobs, request.parallel_tool_calls) == (2, True, 3, False)
    assert (request.reasoning_effort, request.service_tier, request.seed) == ("low", "flex", 7)
    assert (request.response_format.name, request.response_format.strict) == ("City", True)
    assert request.response_format.schema["required"] == ["name"]
    assert (request.metadata, request.extra) == ({"team": "blue"}, {"openai": {"store": True}})
    assert request.messages[0].content == (FilePart(file_id="file-1"),)
    assert {**body_of("openai", request), "stream": False} == json.loads(content)


def test_anthropic_s_sdk_is_understood_in_every_option():
    """The options of a real SDK call are read as ours, and written back as they came."""
    path, content = _sent_by(
        lambda http: anthropic.Anthropic(api_key="k", http_client=http, max_retries=0),
        lambda client: client.messages.create(
            model="claude-opus-5",
            max_tokens=0,
            messages=[{"role": "user", "content": [{"type": "text", "text": "Hi"}]}],
            output_config={"effort": "low", "format": {"type": "json_schema", "schema": SCHEMA}},
            service_tier="standard_only",
            metadata={"user_id": "u"},
            tools=[{"name": "weather", "input_schema": SCHEMA, "strict": True}],
            tool_choice={"type": "any", "disable_parallel_tool_use": True},
        ),
    )
    request = dialect_of("anthropic").read("POST", path, "", {}, content).request
    assert (request.max_tokens, request.reasoning_effort, request.service_tier) == (0, "low", "default")
    assert (request.response_format, request.metadata) == (ResponseFormat.json_schema(SCHEMA), {"user_id": "u"})
    assert (request.tool_choice, request.parallel_tool_calls, request.tools[0].strict) == ("required", False, True)
    assert request.extra == {}
    assert body_of("anthropic", request) == json.loads(content)
