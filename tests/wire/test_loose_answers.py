"""What servers that speak like OpenAI write loosely is read as OpenAI's own SDK reads it."""

import json

import httpx2
import openai
import pytest

from llmtest import use_cassette
from llmtest.cassettes import Interaction, RecordedRequest, RecordedResponse, write_document
from llmtest.cassettes._reading import read
from llmtest.errors import StreamInterruptedError
from llmtest.wire import dialect

HEAD = {"id": "c1", "created": 1, "model": "m"}
EMPTY_CALL = {"role": "assistant", "content": "Hi", "function_call": {"name": "", "arguments": ""}}
LEGACY_CALL = {"role": "assistant", "content": None, "function_call": {"name": "f", "arguments": '{"a": 1}'}}
NULL_ARGUMENTS = {"id": "t1", "type": "function", "function": {"name": "f", "arguments": None}}


def chat(name):
    """Return the chat endpoint of a dialect."""
    return next(each for each in dialect(name).endpoints if each.operation == "chat")


def whole(message, finish="stop"):
    """Write a complete answer."""
    choice = {"index": 0, "message": message, "finish_reason": finish}
    return json.dumps({**HEAD, "object": "chat.completion", "choices": [choice]}).encode()


def stream(*deltas, finish="stop", done=True):
    """Write a streamed answer."""
    reasons = [None] * len(deltas) + [finish]
    chunks = [
        {**HEAD, "object": "chat.completion.chunk", "choices": [{"index": 0, "delta": delta, "finish_reason": reason}]}
        for delta, reason in zip((*deltas, {}), reasons, strict=True)
    ]
    return (
        "".join(f"data: {json.dumps(chunk)}\n\n" for chunk in chunks) + ("data: [DONE]\n\n" if done else "")
    ).encode()


def read_stream(name, body):
    """Read a streamed answer to its end."""
    decoder = chat(name).stream_decoder({})
    decoder.feed(body)
    return decoder.close()[-1].response


def of_sdk(body, kind):
    """Return what OpenAI's SDK reads: the texts and the names of the calls of a stream."""
    transport = httpx2.MockTransport(lambda _: httpx2.Response(200, headers={"content-type": kind}, content=body))
    with httpx2.Client(transport=transport) as http:
        client = openai.OpenAI(api_key="k", max_retries=0, http_client=http)
        ask = client.chat.completions.create
        return list(ask(model="m", messages=[{"role": "user", "content": "Hi"}], stream=True))


def test_k10_a_stream_that_ends_with_its_reason_is_whole_where_servers_write_so():
    """OpenAI's SDK reads it without an error; a server that speaks like OpenAI may write it, OpenAI itself does not."""
    body = stream({"role": "assistant", "content": "Hi"}, done=False)
    assert [chunk.choices[0].finish_reason for chunk in of_sdk(body, "text/event-stream")] == [None, "stop"]
    assert read_stream("openai_compatible", body).content == "Hi"
    with pytest.raises(StreamInterruptedError, match="the stream ended without its terminator"):
        read_stream("openai", body)


def test_k10_a_stream_that_ends_without_a_reason_is_cut_off_everywhere():
    """No terminator and no reason: somebody has cut it."""
    body = stream({"role": "assistant", "content": "Hi"}, finish=None, done=False)
    with pytest.raises(StreamInterruptedError, match="the stream ended without its terminator"):
        read_stream("openai_compatible", body)


@pytest.mark.parametrize(
    ("host", "problem"), [("llm.example", ""), ("api.openai.com", "the stream ends without its terminator")]
)
def test_k10_a_recorded_stream_is_judged_by_who_wrote_it(host, problem):
    """The host tells a server that speaks like OpenAI from OpenAI."""
    asked = {"model": "m", "stream": True, "messages": [{"role": "user", "content": "Hi"}]}
    request = RecordedRequest("POST", f"https://{host}/v1/chat/completions", {}, json.dumps(asked).encode())
    body = stream({"role": "assistant", "content": "Hi"}, done=False)
    reading = read(Interaction(request, RecordedResponse(200, "OK", {"content-type": ["text/event-stream"]}, body)))
    assert (reading.answer, reading.problem) == ("Hi", problem)


@pytest.mark.parametrize("name", ["openai", "openai_compatible", "azure"])
def test_k11_an_empty_function_call_beside_text_calls_nothing(name):
    """Whole and streamed; a real legacy call is one all the same."""
    assert chat(name).decode_answer(whole(EMPTY_CALL), {}).tool_calls == ()
    assert read_stream(name, stream(EMPTY_CALL)).tool_calls == ()
    for answer in (
        chat(name).decode_answer(whole(LEGACY_CALL, "function_call"), {}),
        read_stream(name, stream(LEGACY_CALL, finish="function_call")),
        read_stream(
            name,
            stream(
                {"function_call": {"name": "f", "arguments": ""}},
                {"function_call": {"arguments": '{"a"'}},
                {"function_call": {"arguments": ": 1}"}},
                finish="function_call",
            ),
        ),
    ):
        assert [(call.name, call.parsed_arguments()) for call in answer.tool_calls] == [("f", {"a": 1})]


def test_arguments_that_are_null_are_none():
    """A call of a tool that takes nothing, as some servers write it."""
    message = {"role": "assistant", "content": None, "tool_calls": [NULL_ARGUMENTS]}
    delta = {"tool_calls": [{"index": 0, **NULL_ARGUMENTS}]}
    for answer in (
        chat("openai").decode_answer(whole(message, "tool_calls"), {}),
        read_stream("openai", stream(delta, finish="tool_calls")),
    ):
        assert [(call.name, call.parsed_arguments()) for call in answer.tool_calls] == [("f", {})]


def test_k12_azures_model_stands_in_the_path(tmp_path):
    """A recorded request that names no model is read, and replays for Azure's own client."""
    uri = "https://x.openai.azure.com/openai/deployments/gpt-4o/chat/completions?api-version=2024-06-01"
    asked = {"messages": [{"role": "user", "content": "Hi"}]}
    headers = {"content-type": ["application/json"]}
    request = RecordedRequest("POST", uri, headers, json.dumps(asked).encode())
    answer = RecordedResponse(200, "OK", headers, whole({"role": "assistant", "content": "Hello"}))
    reading = read(Interaction(request, answer))
    assert (reading.dialect, reading.model, reading.prompt, reading.problem) == ("azure", "gpt-4o", "Hi", "")
    path = tmp_path / "a.yaml"
    path.write_text(write_document([Interaction(request, answer)]))
    with use_cassette(path, match_on={"body": {"ignore": ["model"]}}), httpx2.Client() as http:
        client = openai.AzureOpenAI(
            api_key="k",
            api_version="2024-06-01",
            azure_endpoint="https://x.openai.azure.com",
            http_client=http,
        )
        said = client.chat.completions.create(model="gpt-4o", messages=asked["messages"])
    assert said.choices[0].message.content == "Hello"
