"""Bedrock's Converse, by botocore: any model, whole and streamed, with tools, thoughts, documents and every failure."""

import importlib
import json

import pytest

from llmtest import CompletionRequest, FinishReason, Reply, Simulation, ToolCall, ToolDefinition, faults
from llmtest.errors import NotSupportedError, RateLimitedError, StreamInterruptedError
from llmtest.types import (
    ChatMessage,
    CompletionResponse,
    FilePart,
    ImagePart,
    ResponseFormat,
    TextPart,
    ThinkingPart,
    Usage,
)
from llmtest.wire import ResponseMeta, dialect

exceptions = importlib.import_module("botocore.exceptions")
MODEL = "us.anthropic.claude-sonnet-4-5-20250929-v1:0"
ASKED = [{"role": "user", "content": [{"text": "Capital of France?"}]}]
TOOLS = {
    "tools": [
        {
            "toolSpec": {
                "name": "weather",
                "description": "Tells the weather.",
                "inputSchema": {"json": {"type": "object", "properties": {"city": {"type": "string"}}}},
            }
        }
    ]
}


@pytest.fixture(scope="module")
def client():
    """Botocore's client, which asks once."""
    session = importlib.import_module("botocore.session").get_session()
    config = importlib.import_module("botocore.config").Config(retries={"max_attempts": 0})
    keys = {"aws_access_key_id": "k", "aws_secret_access_key": "s"}
    return session.create_client("bedrock-runtime", region_name="us-east-1", config=config, **keys)


@pytest.fixture
def llm():
    """A simulation."""
    with Simulation() as llm_sim:
        yield llm_sim


def streamed(client, **fields):
    """Return the events of a streamed answer, each as its name and what it says."""
    answer = client.converse_stream(**{"modelId": MODEL, "messages": ASKED, **fields})
    return [next(iter(event.items())) for event in answer["stream"]]


@pytest.mark.parametrize("model", [MODEL, "amazon.nova-pro-v1:0", "meta.llama3-3-70b-instruct-v1:0"])
def test_p13_any_model_answers_in_amazon_s_form(llm, client, model):
    """Text, reason, usage and latency; what was asked is in the log, under the model of the path."""
    llm.bedrock.replies(Reply("Paris.", usage=Usage(12, 3, 4, 2)))
    answer = client.converse(
        modelId=model,
        messages=ASKED,
        system=[{"text": "Be brief."}],
        inferenceConfig={"maxTokens": 9, "temperature": 0.5, "topP": 0.9, "stopSequences": ["END"]},
        additionalModelRequestFields={"top_k": 5},
        requestMetadata={"team": "red"},
    )
    assert answer["output"]["message"] == {"role": "assistant", "content": [{"text": "Paris."}]}
    assert answer["stopReason"] == "end_turn"
    usage = {name: answer["usage"][name] for name in ("inputTokens", "outputTokens", "totalTokens")}
    assert usage == {"inputTokens": 6, "outputTokens": 3, "totalTokens": 15}
    assert (answer["usage"]["cacheReadInputTokens"], answer["usage"]["cacheWriteInputTokens"]) == (4, 2)
    assert answer["metrics"]["latencyMs"] >= 0
    (seen,) = llm.bedrock.requests
    asked = seen.request
    assert (asked.model, [message.text for message in asked.messages]) == (model, ["Be brief.", "Capital of France?"])
    assert (asked.max_tokens, asked.temperature, asked.top_p, asked.stop_sequences) == (9, 0.5, 0.9, ("END",))
    assert (asked.top_k, asked.metadata) == (5, {"team": "red"})


def test_p13_a_streamed_answer_has_amazon_s_events(llm, client):
    """A start, pieces, an end, and what it took."""
    llm.bedrock.replies("Paris is it.")
    events = streamed(client)
    names = [name for name, _ in events]
    assert (names[0], names[-3:]) == ("messageStart", ["contentBlockStop", "messageStop", "metadata"])
    pieces = [each["delta"]["text"] for name, each in events if name == "contentBlockDelta"]
    assert ("".join(pieces), len(pieces) > 1) == ("Paris is it.", True)
    assert events[-2][1]["stopReason"] == "end_turn"
    assert events[-1][1]["usage"]["outputTokens"] == 3


def test_p13_tools_are_called_and_answered(llm, client):
    """The call has its id, name and input, whole and streamed; its result comes back as a message of the tool."""
    llm.bedrock.calls_tool("weather", {"city": "Rome"}).calls_tool("weather", {"city": "Oslo"}).replies("Sunny.")
    first = client.converse(modelId=MODEL, messages=ASKED, toolConfig=TOOLS)
    (block,) = first["output"]["message"]["content"]
    assert (first["stopReason"], block["toolUse"]["name"], block["toolUse"]["input"]) == (
        "tool_use",
        "weather",
        {"city": "Rome"},
    )
    events = streamed(client, toolConfig={**TOOLS, "toolChoice": {"any": {}}})
    start = next(each["start"]["toolUse"] for name, each in events if name == "contentBlockStart")
    said = "".join(each["delta"]["toolUse"]["input"] for name, each in events if name == "contentBlockDelta")
    assert (start["name"], json.loads(said)) == ("weather", {"city": "Oslo"})
    result = {"toolUseId": block["toolUse"]["toolUseId"], "content": [{"json": {"sky": "clear"}}], "status": "error"}
    turn = {"role": "user", "content": [{"toolResult": result}, {"text": "Well?"}]}
    answer = client.converse(modelId=MODEL, messages=[*ASKED, first["output"]["message"], turn], toolConfig=TOOLS)
    assert answer["output"]["message"]["content"] == [{"text": "Sunny."}]
    asked = llm.bedrock.requests[-1].request
    assert [message.role for message in asked.messages] == ["user", "assistant", "tool", "user"]
    assert (asked.messages[2].text, asked.messages[2].is_error) == ('{"sky":"clear"}', True)
    assert llm.bedrock.requests[1].request.tool_choice == "required"


def test_p13_thoughts_and_media(llm, client):
    """Thoughts are told apart; pictures and documents arrive as such, marks of a cache with what they end."""
    llm.bedrock.replies(Reply("Yes.", thinking="Hm."), times=2)
    content = [
        {"text": "Look"},
        {"cachePoint": {"type": "default", "ttl": "1h"}},
        {"image": {"format": "png", "source": {"bytes": b"png"}}},
        {"document": {"format": "pdf", "name": "Report", "source": {"bytes": b"pdf"}}},
    ]
    answer = client.converse(modelId=MODEL, messages=[{"role": "user", "content": content}])
    first, second = answer["output"]["message"]["content"]
    assert first["reasoningContent"]["reasoningText"] == {"text": "Hm."}
    assert second == {"text": "Yes."}
    events = streamed(client)
    told = [each["delta"]["reasoningContent"] for name, each in events if "reasoningContent" in each.get("delta", {})]
    assert told == [{"text": "Hm."}]
    assert llm.bedrock.requests[0].request.messages[0].content == (
        TextPart("Look", cache_ttl="1h"),
        ImagePart(data="cG5n", media_type="image/png"),
        FilePart("cGRm", "application/pdf", "Report"),
    )


@pytest.mark.parametrize(
    ("fault", "name", "status"),
    [
        pytest.param(faults.RateLimited(), "ThrottlingException", 429, id="429"),
        pytest.param(faults.ServerError(503), "ServiceUnavailableException", 503, id="503"),
        pytest.param(faults.AuthenticationFailed(), "UnrecognizedClientException", 403, id="key"),
        pytest.param(faults.ContextLengthExceeded(), "ValidationException", 400, id="too long"),
    ],
)
def test_p13_failures_are_amazon_s(llm, client, fault, name, status):
    """Botocore reads each by its name."""
    llm.bedrock.fails(fault)
    with pytest.raises(exceptions.ClientError) as caught:
        client.converse(modelId=MODEL, messages=ASKED)
    assert caught.value.response["Error"]["Code"] == name
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == status


def test_p13_a_stream_that_fails_says_so(llm, client):
    """What had come is there, then botocore raises the exception of the stream."""
    llm.bedrock.replies(Reply("Paris is it.", fault=faults.StreamError(after_chunks=2, error=faults.Overloaded())))
    with pytest.raises(exceptions.EventStreamError, match="serviceUnavailableException"):
        streamed(client)


@pytest.mark.parametrize(
    ("messages", "fields", "text"),
    [
        pytest.param(
            [{"role": "assistant", "content": [{"text": "Hi"}]}], {}, "must start with a user message", id="role"
        ),
        pytest.param(ASKED * 2, {}, "must alternate between user and assistant roles", id="order"),
        pytest.param([{"role": "user", "content": [{"text": " "}]}], {}, "messages.0.content.0 is blank", id="blank"),
        pytest.param([], {}, "must be a list of messages", id="nothing"),
        pytest.param(
            [
                *ASKED,
                {"role": "assistant", "content": [{"toolUse": {"toolUseId": "t1", "name": "weather", "input": {}}}]},
                {"role": "user", "content": [{"text": "?"}]},
            ],
            {"toolConfig": TOOLS},
            "Expected toolResult blocks at messages.2.content for the following Ids: t1",
            id="result",
        ),
        pytest.param(
            [{"role": "user", "content": [{"toolResult": {"toolUseId": "t1", "content": [{"text": "x"}]}}]}],
            {},
            "The toolConfig field must be defined",
            id="tools",
        ),
    ],
)
def test_p13_what_amazon_refuses_is_refused(llm, client, messages, fields, text):
    """With its own words, before a model is asked."""
    with pytest.raises(exceptions.ClientError, match=text) as caught:
        client.converse(modelId=MODEL, messages=messages, **fields)
    assert caught.value.response["Error"]["Code"] == "ValidationException"
    assert llm.costs.total_usd == 0


def test_p13_structured_output_and_effort(llm, client):
    """A schema is read, and what it asks for is generated."""
    llm.bedrock.generates()
    schema = {
        "type": "object",
        "properties": {"n": {"type": "integer"}},
        "required": ["n"],
        "additionalProperties": False,
    }
    form = {"type": "json_schema", "structure": {"jsonSchema": {"schema": json.dumps(schema), "name": "count"}}}
    answer = client.converse(modelId=MODEL, messages=ASKED, outputConfig={"textFormat": form, "effort": "low"})
    assert isinstance(json.loads(answer["output"]["message"]["content"][0]["text"])["n"], int)
    asked = llm.bedrock.requests[0].request
    assert (asked.response_format, asked.reasoning_effort) == (ResponseFormat.json_schema(schema, name="count"), "low")


CALL = ToolCall("t1", "weather", '{"city":"Rome"}')
SAID = CompletionRequest(
    messages=(
        ChatMessage.system("Be brief."),
        ChatMessage.user((TextPart("Look", cache_ttl="5m"), ImagePart(data="cG5n", media_type="image/png"))),
        ChatMessage.assistant_with_tool_calls("Looking.", (CALL,)),
        ChatMessage.tool_result("t1", "sunny", is_error=True),
    ),
    model=MODEL,
    tools=(ToolDefinition("weather", "Tells.", {"type": "object"}, strict=True),),
    tool_choice="weather",
    service_tier="flex",
    response_format=ResponseFormat.json_schema({"type": "object"}, name="n"),
    reasoning_effort="high",
    top_k=3,
)


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
def test_both_halves_say_the_same(stream):
    """What our layer writes the server half reads again."""
    spoken = dialect("bedrock")
    endpoint = next(
        each for each in spoken.served if each.pattern.endswith("/converse-stream" if stream else "/converse")
    )
    wire = endpoint.encode_call(SAID, stream=stream)
    match = spoken.match(wire.method, wire.path)
    assert match.endpoint.read({}, wire.body, match.parameters).request == (
        CompletionRequest(**{**{name: getattr(SAID, name) for name in SAID.__slots__}, "stream": stream})
    )


@pytest.mark.parametrize(
    "fields",
    [{"n": 2}, {"seed": 1}, {"tool_choice": "none"}, {"max_tokens": 0}, {"temperature": 1.5}, {"logprobs": True}],
    ids=lambda fields: next(iter(fields)),
)
def test_what_converse_has_no_word_for_is_refused(fields):
    """Nothing is left out in silence."""
    endpoint = next(each for each in dialect("bedrock").served if each.pattern.endswith("/converse"))
    with pytest.raises(NotSupportedError, match="bedrock: "):
        endpoint.encode_call(CompletionRequest([ChatMessage.user("hi")], model="m", **fields), stream=False)


@pytest.mark.parametrize("size", [1, 5, 64, 4096])
def test_a_stream_is_read_in_any_pieces(size):
    """Cut anywhere, it gives the same answer; cut off, it is not whole; an exception in it is its error."""
    spoken = dialect("bedrock")
    endpoint = next(each for each in spoken.served if each.pattern.endswith("/converse-stream"))
    meta = ResponseMeta(id="x", model=MODEL)
    said = CompletionResponse(
        parts=(ThinkingPart("Hm."), TextPart("Paris is it."), CALL),
        finish_reason=FinishReason.TOOL_USE,
        usage=Usage(9, 2),
    )
    wire = endpoint.encode_call(SAID, stream=True)
    match = spoken.match(wire.method, wire.path)
    call = match.endpoint.read({}, wire.body, match.parameters)
    pieces = endpoint.encode_stream(said, call, meta)
    body = b"".join(pieces)
    decoder = endpoint.stream_decoder({})
    for start in range(0, len(body), size):
        decoder.feed(body[start : start + size])
    (end,) = decoder.close()
    assert (end.response.parts, end.response.usage) == (said.parts, Usage(9, 2))
    short = endpoint.stream_decoder({})
    short.feed(b"".join(pieces[:-1]))
    with pytest.raises(StreamInterruptedError):
        short.close()
    failing = endpoint.stream_decoder({})
    with pytest.raises(StreamInterruptedError) as caught:
        failing.feed(endpoint.encode_stream_error(RateLimitedError(""), meta))
    assert isinstance(caught.value.__cause__, RateLimitedError)
