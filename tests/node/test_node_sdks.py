"""The official SDKs for Node read what `llmtest serve` answers: chats, streams, tools, embeddings, models, counts."""

import json

import pytest

from tests.node.node_process import HERE, require

require("openai", "@anthropic-ai/sdk")
pytestmark = pytest.mark.slow

WEATHER = {"name": "weather", "arguments": {"city": "Paris"}}
PIECES = ["Par", "is, ", "of course"]
TEXT = "Paris, of course"
USAGE = {"input_tokens": 11, "output_tokens": 7}
OPENAI_TOOLS = [{"type": "function", "function": {"name": "weather", "parameters": {"type": "object"}}}]
ANTHROPIC_TOOLS = [{"name": "weather", "input_schema": {"type": "object"}}]


def test_the_sdks_are_the_ones_that_are_pinned(node):
    """What is proven here is proven of the versions in package.json."""
    pinned = json.loads((HERE / "package.json").read_text(encoding="utf-8"))["dependencies"]
    assert (node.versions["openai"], node.versions["anthropic"]) == (pinned["openai"], pinned["@anthropic-ai/sdk"])


def test_a_chat_completion(served, node):
    """Text, reason, usage and request id arrive where the SDK's types have them."""
    served.script(openai=[{"replies": {"text": TEXT, "usage": USAGE, "headers": {"x-own": "yes"}}}])
    answer = node.value("chat")
    assert (answer["object"], answer["model"]) == ("chat.completion", "gpt-4o")
    assert answer["id"].startswith("chatcmpl-")
    choice = answer["choices"][0]
    assert (choice["message"]["role"], choice["message"]["content"], choice["finish_reason"]) == (
        "assistant",
        TEXT,
        "stop",
    )
    usage = answer["usage"]
    assert (usage["prompt_tokens"], usage["completion_tokens"], usage["total_tokens"]) == (11, 7, 18)
    assert answer["request_id"].startswith("req_")
    assert answer["request_id"] == answer["headers"]["x-request-id"]
    assert answer["headers"]["x-own"] == "yes"


def test_a_chat_stream_gives_its_pieces_in_order_and_then_the_usage(served, node):
    """Role, pieces, reason, usage: one chunk each."""
    served.script(openai=[{"replies": {"text": TEXT, "chunks": PIECES, "usage": USAGE}}])
    told = node.call("chatStream", body={"stream_options": {"include_usage": True}})
    assert told["error"] is None
    *chunks, last = told["chunks"]
    assert {chunk["object"] for chunk in chunks} == {"chat.completion.chunk"}
    assert len({chunk["id"] for chunk in chunks}) == 1
    deltas = [chunk["choices"][0]["delta"] for chunk in chunks]
    assert [delta.get("content") for delta in deltas] == ["", *PIECES, None]
    assert deltas[0]["role"] == "assistant"
    assert [chunk["choices"][0]["finish_reason"] for chunk in chunks] == [None] * 4 + ["stop"]
    assert [chunk["usage"] for chunk in chunks] == [None] * 5
    assert (last["choices"], last["usage"]["prompt_tokens"], last["usage"]["total_tokens"]) == ([], 11, 18)


def test_a_chat_stream_without_usage_asked_for_has_none(served, node):
    """The chunk with the usage is there only for who asks."""
    served.script(openai=[{"replies": TEXT}])
    told = node.call("chatStream")
    assert told["error"] is None
    assert [bool(chunk["choices"]) and not chunk.get("usage") for chunk in told["chunks"]] == [True] * 5


def test_the_stream_helper_of_openai_puts_an_answer_together(served, node):
    """`chat.completions.stream` is stricter than the stream itself: it checks every chunk."""
    served.script(openai=[{"replies": {"text": TEXT, "chunks": PIECES}}])
    told = node.call("chatStreamHelper")
    assert told["error"] is None
    assert told["chunks"] == PIECES
    assert told["value"]["choices"][0]["message"]["content"] == TEXT


def test_tool_calls_of_openai(served, node):
    """Two calls beside each other, whole and streamed, with the arguments as they were written."""
    calls = [{**WEATHER, "id": "call_1"}, {"name": "news", "arguments": '{"q": '}]
    served.script(openai=[{"calls_tools": calls, "times": 2}])
    choice = node.value("chat", body={"tools": OPENAI_TOOLS})["choices"][0]
    assert choice["finish_reason"] == "tool_calls"
    assert choice["message"]["content"] is None
    first, second = choice["message"]["tool_calls"]
    assert (first["id"], first["type"], first["function"]["name"]) == ("call_1", "function", "weather")
    assert json.loads(first["function"]["arguments"]) == {"city": "Paris"}
    assert (second["function"]["name"], second["function"]["arguments"]) == ("news", '{"q": ')
    assert second["id"].startswith("call_")

    chunks = node.call("chatStream", body={"tools": OPENAI_TOOLS})["chunks"]
    assert chunks[-1]["choices"][0]["finish_reason"] == "tool_calls"
    pieces = [piece for chunk in chunks for piece in chunk["choices"][0]["delta"].get("tool_calls", ())]
    streamed = {0: "", 1: ""}
    for piece in pieces:
        streamed[piece["index"]] += piece["function"].get("arguments", "")
    assert json.loads(streamed[0]) == {"city": "Paris"}
    assert streamed[1] == '{"q": '
    assert next((piece["id"], piece["function"]["name"]) for piece in pieces if "id" in piece) == ("call_1", "weather")


def test_the_tool_loop_of_openai(served, node):
    """`runTools` calls the function with what the answer says, and brings its result back to us."""
    served.script(
        openai=[{"calls_tool": WEATHER}, {"replies": "Sunny.", "when": {"tool_result_contains": "18 degrees"}}]
    )
    told = node.call("runTools", result="18 degrees")
    assert (told["value"], told["chunks"], told["requests"]) == ("Sunny.", [{"city": "Paris"}], 2)


def test_embeddings(served, node):
    """As base64, which the SDK asks for by itself, and as numbers they are the same; dimensions count."""
    by_default = node.value("embeddings", body={"input": ["a", "b"], "dimensions": 8})
    as_numbers = node.value("embeddings", body={"input": ["a", "b"], "dimensions": 8, "encoding_format": "float"})
    assert [entry["index"] for entry in by_default["data"]] == [0, 1]
    for ours, theirs in zip(by_default["data"], as_numbers["data"], strict=True):
        assert len(ours["embedding"]) == 8
        assert ours["embedding"] == pytest.approx(theirs["embedding"], abs=1e-6)
    assert len(node.value("embeddings", body={"input": "a"})["data"][0]["embedding"]) == 1536
    assert served.outcomes("openai") == ["200"] * 3


def test_models_of_openai(served, node):
    """The list pages through, and each of them can be had by its name."""
    listed = node.call("models")["chunks"]
    assert listed
    for entry in listed:
        assert entry["object"] == "model"
        assert node.value("model", id=entry["id"])["id"] == entry["id"]


def test_a_message(served, node):
    """Text, reason, usage and request id arrive where the SDK's types have them."""
    served.script(anthropic=[{"replies": {"text": TEXT, "usage": USAGE, "finish_reason": "length"}}])
    answer = node.value("message")
    assert (answer["type"], answer["role"], answer["model"]) == ("message", "assistant", "claude-sonnet-4-6")
    assert answer["id"].startswith("msg_")
    assert answer["content"] == [{"type": "text", "text": TEXT}]
    assert answer["stop_reason"] == "max_tokens"
    assert (answer["usage"]["input_tokens"], answer["usage"]["output_tokens"]) == (11, 7)
    assert answer["request_id"].startswith("req_")
    assert answer["request_id"] == answer["headers"]["request-id"]


def test_a_message_stream_gives_its_events_in_order(served, node):
    """Start, block, pieces, end of the block, usage and reason, end."""
    served.script(anthropic=[{"replies": {"text": TEXT, "chunks": PIECES, "usage": USAGE}}])
    told = node.call("messageStream")
    assert told["error"] is None
    events = told["chunks"]
    assert [event["type"] for event in events] == [
        "message_start",
        "content_block_start",
        *["content_block_delta"] * 3,
        "content_block_stop",
        "message_delta",
        "message_stop",
    ]
    assert [event["delta"]["text"] for event in events[2:5]] == PIECES
    assert events[0]["message"]["usage"]["input_tokens"] == 11
    assert events[-2]["delta"]["stop_reason"] == "end_turn"
    assert events[-2]["usage"]["output_tokens"] == 7


def test_the_stream_helper_of_anthropic_puts_a_message_together(served, node):
    """Thinking, text and a tool call become the blocks that the SDK builds from the events."""
    served.script(
        anthropic=[
            {"replies": {"text": TEXT, "chunks": PIECES, "thinking": "Hm."}},
            {"calls_tools": [{**WEATHER, "id": "toolu_1"}, {"name": "news"}]},
        ]
    )
    told = node.call("messageStreamHelper")
    assert told["error"] is None
    assert told["chunks"] == PIECES
    thinking, text = told["value"]["content"]
    assert (thinking["type"], thinking["thinking"], text["text"]) == ("thinking", "Hm.", TEXT)

    told = node.call("messageStreamHelper", body={"tools": ANTHROPIC_TOOLS})
    first, second = told["value"]["content"]
    assert (first["type"], first["id"], first["name"], first["input"]) == (
        "tool_use",
        "toolu_1",
        "weather",
        {"city": "Paris"},
    )
    assert (second["name"], second["input"]) == ("news", {})
    assert told["value"]["stop_reason"] == "tool_use"


def test_tool_calls_of_anthropic(served, node):
    """A call in a whole answer has its arguments as an object."""
    served.script(anthropic=[{"calls_tool": WEATHER}])
    answer = node.value("message", body={"tools": ANTHROPIC_TOOLS})
    (block,) = answer["content"]
    assert (block["type"], block["name"], block["input"], answer["stop_reason"]) == (
        "tool_use",
        "weather",
        {"city": "Paris"},
        "tool_use",
    )
    assert block["id"].startswith("toolu_")


def test_the_tool_loop_of_anthropic(served, node):
    """`toolRunner` of the beta API runs the tool and brings its result back to us."""
    served.script(
        anthropic=[{"calls_tool": WEATHER}, {"replies": "Sunny.", "when": {"tool_result_contains": "18 degrees"}}]
    )
    told = node.call("toolRunner", result="18 degrees")
    assert told["error"] is None
    assert (told["value"]["content"][0]["text"], told["chunks"], told["requests"]) == ("Sunny.", [{"city": "Paris"}], 2)


def test_tokens_are_counted(served, node):
    """A longer prompt has more of them."""
    short = node.value("countTokens")["input_tokens"]
    longer = node.value("countTokens", body={"messages": [{"role": "user", "content": "a word " * 100}]})
    assert 0 < short < longer["input_tokens"]


def test_models_of_anthropic(served, node):
    """One path serves both: whoever names a version of Anthropic's API gets Anthropic's models."""
    listed = node.call("anthropicModels")["chunks"]
    assert listed
    for entry in listed:
        assert entry["type"] == "model"
        assert node.value("anthropicModel", id=entry["id"])["id"] == entry["id"]


def test_fifty_chats_at_once_get_their_own_answers(served, node):
    """Answers go to the request that they belong to."""
    served.script(openai=[{"echoes": True}])
    assert node.value("manyChats", count=50) == [f"number {number}" for number in range(50)]
