"""OpenAI's Responses, simulated: the official SDK reads, streams, goes on and fails as it does with the real thing."""

import asyncio
import json

import openai
import pydantic
import pytest
from openai.types.responses import (
    ResponseCompletedEvent,
    ResponseFunctionToolCall,
    ResponseIncompleteEvent,
    ResponseOutputMessage,
    ResponseReasoningItem,
)

from llmtest import Json, Reply, Simulation, faults
from llmtest.types import ChatMessage, TextPart, ToolCall

WEATHER = {
    "type": "function",
    "name": "weather",
    "description": "Tells the weather.",
    "parameters": {
        "type": "object",
        "properties": {"city": {"type": "string"}},
        "required": ["city"],
        "additionalProperties": False,
    },
    "strict": True,
}
ORDER = [
    "response.created",
    "response.in_progress",
    "response.output_item.added",
    "response.content_part.added",
    "response.output_text.delta",
    "response.output_text.done",
    "response.content_part.done",
    "response.output_item.done",
    "response.completed",
]


class City(pydantic.BaseModel):
    """What a structured answer is parsed into."""

    name: str
    people: int


@pytest.fixture
def llm():
    """A simulation whose OpenAI is asked by the official SDK."""
    with Simulation() as llm_sim:
        yield llm_sim


def ask(**fields):
    """Ask for a response."""
    return openai.OpenAI().responses.create(**{"model": "gpt-4o", "input": "Capital of France?", **fields})


def once(kinds):
    """Return an order in which what comes several times in a row comes once."""
    return [kind for place, kind in enumerate(kinds) if place == 0 or kind != kinds[place - 1]]


def test_an_answer_repeats_what_was_asked(llm):
    """The response has every field that OpenAI's has, with what the request said in it."""
    llm.openai.replies("Paris.")
    told = ask(instructions="Be brief.", temperature=0.5, tools=[WEATHER], metadata={"team": "a"})
    assert told.output_text == "Paris."
    assert (told.status, told.instructions, told.temperature) == ("completed", "Be brief.", 0.5)
    assert (told.metadata, told.tools[0].name, told.tool_choice) == ({"team": "a"}, "weather", "auto")
    assert told.usage.total_tokens == told.usage.input_tokens + told.usage.output_tokens > 0
    assert told.id.startswith("resp_")
    assert isinstance(told.output[0], ResponseOutputMessage)
    assert told.output[0].id.startswith("msg_")


def test_the_script_sees_a_conversation(llm):
    """Items are messages to conditions and to the request log: instructions, roles, tool calls and their outputs."""
    llm.openai.replies("It is warm.")
    talk = [
        {"role": "user", "content": [{"type": "input_text", "text": "Weather in Paris?"}]},
        {"type": "function_call", "call_id": "call_1", "name": "weather", "arguments": '{"city":"Paris"}'},
        {"type": "function_call_output", "call_id": "call_1", "output": "22 C"},
    ]
    ask(instructions="Be brief.", input=talk, tools=[WEATHER])
    seen = llm.openai.requests[0]
    assert seen.operation == "responses"
    assert seen.request.messages == (
        ChatMessage.system("Be brief."),
        ChatMessage.user((TextPart("Weather in Paris?"),)),
        ChatMessage.assistant_with_tool_calls(None, (ToolCall("call_1", "weather", '{"city":"Paris"}'),)),
        ChatMessage.tool_result("call_1", "22 C"),
    )


def test_a_stream_has_the_events_of_the_real_one_in_their_order(llm):
    """The typed events come in OpenAI's order, numbered from 0, and the SDK puts the answer together from them."""
    llm.openai.replies("Paris it is.")
    with openai.OpenAI().responses.stream(model="gpt-4o", input="Capital?") as stream:
        events = list(stream)
        whole = stream.get_final_response()
    assert once([event.type for event in events]) == ORDER
    assert [event.sequence_number for event in events] == list(range(len(events)))
    assert "".join(event.delta for event in events if event.type == "response.output_text.delta") == "Paris it is."
    assert whole.output_text == "Paris it is."
    assert isinstance(events[-1].response.usage.output_tokens, int)


def test_thoughts_text_refusal_and_calls_are_items(llm):
    """What an answer is made of arrives as the items that OpenAI has for it."""
    call = ToolCall("call_9", "weather", '{"city":"Paris"}')
    said = Reply("Looking.", thinking="Let me see.", tool_calls=[call])
    llm.openai.replies(said, said, Reply("No.", finish_reason="refusal"))
    whole = ask(tools=[WEATHER])
    thoughts, message, called = whole.output
    assert isinstance(thoughts, ResponseReasoningItem)
    assert [part.text for part in thoughts.summary] == ["Let me see."]
    assert message.content[0].text == "Looking."
    assert isinstance(called, ResponseFunctionToolCall)
    assert (called.call_id, called.name, called.arguments) == ("call_9", "weather", '{"city":"Paris"}')
    events = list(ask(stream=True, tools=[WEATHER]))
    kinds = {event.type for event in events}
    assert {"response.reasoning_summary_text.delta", "response.function_call_arguments.delta"} <= kinds
    assert [item.type for item in events[-1].response.output] == ["reasoning", "message", "function_call"]
    assert ask().output[0].content[0].refusal == "No."


def test_structured_output_is_valid_on_generated_answers(llm):
    """`responses.parse` succeeds without a script, and a required tool is called with arguments that fit."""
    llm.openai.generates()
    parsed = openai.OpenAI().responses.parse(model="gpt-4o", input="A city, please", text_format=City)
    assert isinstance(parsed.output_parsed, City)
    called = ask(tools=[WEATHER], tool_choice="required").output[0]
    assert json.loads(called.arguments).keys() == {"city"}
    assert ask(tools=[WEATHER], tool_choice={"type": "function", "name": "weather"}).output[0].name == "weather"
    assert json.loads(ask(text={"format": {"type": "json_object"}}, input="JSON, please").output_text) is not None


def test_a_limit_makes_an_answer_incomplete(llm):
    """`max_output_tokens` cuts the text; the response and the stream's last event say that it is incomplete."""
    llm.openai.replies("word " * 50).replies("word " * 50)
    whole = ask(max_output_tokens=16)
    assert (whole.status, whole.incomplete_details.reason) == ("incomplete", "max_output_tokens")
    assert whole.usage.output_tokens == 16
    last = list(ask(max_output_tokens=16, stream=True))[-1]
    assert isinstance(last, ResponseIncompleteEvent)


def test_log_probabilities_come_where_they_are_asked_for(llm):
    """`include` brings them, whole and streamed, as many of the likeliest as `top_logprobs` says."""
    llm.openai.replies("Paris it is.").replies("Paris it is.")
    asked = {"include": ["message.output_text.logprobs"], "top_logprobs": 2}
    tokens = ask(**asked).output[0].content[0].logprobs
    assert "".join(token.token for token in tokens) == "Paris it is."
    assert all(len(token.top_logprobs) == 2 for token in tokens)
    deltas = [event for event in ask(stream=True, **asked) if event.type == "response.output_text.delta"]
    assert [token.token for event in deltas for token in event.logprobs] == [token.token for token in tokens]


def test_a_conversation_goes_on_from_a_response(llm):
    """`previous_response_id` brings back what was said, except for the instructions."""
    llm.openai.replies("Paris.").replies("Two million.")
    first = ask(instructions="Be brief.")
    second = ask(input="How many people?", previous_response_id=first.id)
    assert second.previous_response_id == first.id
    assert llm.openai.requests[1].request.messages == (
        ChatMessage.user("Capital of France?"),
        ChatMessage.assistant("Paris."),
        ChatMessage.user("How many people?"),
    )


def test_what_is_kept_can_be_asked_for_until_it_is_deleted(llm):
    """A response is retrieved, its input listed, and deleted; one that is not stored is not there."""
    llm.openai.replies("Paris.").replies("Rome.")
    client = openai.OpenAI()
    told = ask(input=[{"role": "user", "content": "One"}, {"role": "user", "content": "Two"}])
    assert client.responses.retrieve(told.id) == told
    items = client.responses.input_items.list(told.id, order="asc", limit=1)
    assert [item.content[0].text for item in items] == ["One", "Two"]
    client.responses.delete(told.id)
    with pytest.raises(openai.NotFoundError, match=f"Response with id '{told.id}' not found."):
        client.responses.retrieve(told.id)
    unkept = ask(store=False)
    with pytest.raises(openai.NotFoundError):
        client.responses.retrieve(unkept.id)
    with pytest.raises(openai.BadRequestError) as caught:
        ask(previous_response_id=unkept.id)
    assert caught.value.body == {
        "message": f"Previous response with id '{unkept.id}' not found.",
        "type": "invalid_request_error",
        "param": "previous_response_id",
        "code": "previous_response_not_found",
    }


def test_work_in_the_background_is_queued_and_can_be_cancelled(llm):
    """A response in the background has nothing yet; it is done when asked for, and only such a one is cancelled."""
    llm.openai.replies("Paris.").replies("Rome.").replies("Bern.")
    client = openai.OpenAI()
    queued = ask(background=True)
    assert (queued.status, queued.output) == ("queued", [])
    assert client.responses.retrieve(queued.id).output_text == "Paris."
    assert client.responses.cancel(ask(background=True).id).status == "cancelled"
    with pytest.raises(openai.BadRequestError, match="Cannot cancel a synchronous response"):
        client.responses.cancel(ask().id)


def test_conversations_keep_what_is_said_in_them(llm):
    """A conversation is begun, added to by responses, listed, changed and deleted."""
    llm.openai.replies("Paris.").replies("Two million.")
    client = openai.OpenAI()
    talk = client.conversations.create(metadata={"a": "1"}, items=[{"role": "user", "content": "Hello"}])
    ask(conversation=talk.id)
    ask(conversation=talk.id, input="People?")
    said = [item.content[0].text for item in client.conversations.items.list(talk.id, order="asc")]
    assert said == ["Hello", "Capital of France?", "Paris.", "People?", "Two million."]
    assert len(llm.openai.requests[2].request.messages) == 4
    assert client.conversations.update(talk.id, metadata={"b": "2"}).metadata == {"b": "2"}
    assert client.conversations.delete(talk.id).deleted
    with pytest.raises(openai.NotFoundError):
        client.conversations.retrieve(talk.id)


def test_tokens_are_counted_and_a_conversation_compacted(llm):
    """Both endpoints answer without a script, as requests of their own."""
    client = openai.OpenAI()
    assert client.responses.input_tokens.count(model="gpt-4o", input="Hello there").input_tokens > 0
    compacted = client.responses.compact(model="gpt-4o", input=[{"role": "user", "content": "Hi"}])
    assert [item.type for item in compacted.output] == ["message", "compaction"]
    assert [seen.operation for seen in llm.openai.requests] == ["input_tokens", "responses.compact"]


def test_a_service_can_be_scripted_and_can_fail(llm):
    """What answers by itself follows a script all the same, by its operation."""
    llm.openai.when(operation="responses.compact").replies(Json({"id": "resp_x", "output": []}))
    client = openai.OpenAI(max_retries=0)
    assert client.responses.compact(model="gpt-4o", input="x").id == "resp_x"
    llm.openai.on("POST", "/v1/responses/input_tokens").fails(faults.ServerError())
    with pytest.raises(openai.InternalServerError):
        client.responses.input_tokens.count(model="gpt-4o", input="x")


@pytest.mark.parametrize(
    ("fault", "kind", "code", "param"),
    [
        (faults.ContextLengthExceeded(), openai.BadRequestError, "context_length_exceeded", "input"),
        (faults.ModelNotFound(), openai.BadRequestError, "model_not_found", "model"),
        (faults.AuthenticationFailed(), openai.AuthenticationError, "invalid_api_key", None),
        (faults.QuotaExceeded(), openai.RateLimitError, "insufficient_quota", None),
    ],
)
def test_a_refusal_has_the_words_of_responses(llm, fault, kind, code, param):
    """Some errors are worded otherwise than those of Chat Completions, and none is a 404."""
    llm.openai.fails(fault)
    with pytest.raises(kind) as caught:
        openai.OpenAI(max_retries=0).responses.create(model="gpt-4o", input="x")
    assert (caught.value.code, caught.value.param) == (code, param)


def test_a_rate_limit_is_waited_for_in_virtual_time(llm):
    """The SDK waits as long as it is told to, and asks again."""
    llm.openai.fails(faults.RateLimited(retry_after=30)).replies("Paris.")
    assert ask().output_text == "Paris."
    assert 30 <= llm.clock.elapsed() < 31


def test_an_error_inside_a_stream_is_raised_with_its_words(llm):
    """The nested form of the event, which the SDK raises, numbered as the event that it takes the place of."""
    llm.openai.fails(faults.StreamError(after_chunks=1, error=faults.RateLimited()))
    seen = []
    with pytest.raises(openai.APIError) as caught:
        seen.extend(ask(stream=True))
    assert caught.value.code == "rate_limit_exceeded"
    assert [event.type for event in seen][-1] == "response.output_text.delta"


def test_a_flat_error_and_a_failed_response_are_events_that_the_sdk_does_not_raise(llm):
    """Both other shapes of a failure can be said, and only a client that looks for them notices."""
    flat = {"type": "error", "code": "server_error", "message": "x", "param": None, "sequence_number": 0}
    llm.openai.replies(Reply(events=[flat]))
    assert [event.type for event in ask(stream=True)] == ["error"]


def test_a_broken_stream_ends_without_its_last_event(llm):
    """A stream that ends too early has no `response.completed`, and the SDK does not say so."""
    llm.openai.fails(faults.StreamTruncated(after_chunks=2))
    assert not any(isinstance(event, ResponseCompletedEvent) for event in ask(stream=True))


@pytest.mark.parametrize("fragmentation", ["events", "random", "whole", "bytes=3"])
def test_the_sdk_reads_the_same_however_the_stream_is_cut(fragmentation):
    """Network pieces are no events."""
    with Simulation() as llm:
        llm.openai.fragmentation(fragmentation).replies("Żółć, 東京, and so on.")
        with openai.OpenAI().responses.stream(model="gpt-4o", input="x") as stream:
            assert stream.get_final_response().output_text == "Żółć, 東京, and so on."


@pytest.mark.parametrize(
    ("fields", "message", "param"),
    [
        ({"frobnicate": 1}, "Unknown parameter: 'frobnicate'.", "frobnicate"),
        (
            {"max_output_tokens": 3},
            "Invalid 'max_output_tokens': integer below minimum value. Expected a value >= 16, but got 3 instead.",
            "max_output_tokens",
        ),
        (
            {"input": [{"type": "function_call_output", "call_id": "call_1", "output": "x"}]},
            "No tool call found for function call output with call_id call_1.",
            "input",
        ),
        (
            {"input": [{"type": "function_call", "call_id": "call_1", "name": "f", "arguments": "{}"}]},
            "No tool output found for function call call_1.",
            "input",
        ),
        (
            {"input": [{"role": "robot", "content": "x"}]},
            "Invalid value: 'robot'. Supported values are: 'assistant', 'system', 'developer', and 'user'.",
            "input[0].role",
        ),
        (
            {"tools": [{**WEATHER, "parameters": {"type": "object", "properties": {}}}]},
            (
                "Invalid schema for function 'weather': In context=(), 'additionalProperties' is required to be "
                "supplied and to be false."
            ),
            "tools[0].parameters",
        ),
    ],
)
def test_openai_refuses_what_the_real_one_refuses(llm, fields, message, param):
    """A wrong request gets a 400 in OpenAI's words, before any step is played."""
    llm.openai.echoes()
    body = {"model": "gpt-4o", "input": "x", **fields}
    with pytest.raises(openai.BadRequestError) as caught:
        openai.OpenAI().post("/responses", body=body, cast_to=object)
    assert (caught.value.body["message"], caught.value.param) == (message, param)


def test_a_reference_to_an_item_brings_it_back(llm):
    """An item that was kept is named by its id; one that was not is refused in OpenAI's words."""
    call = ToolCall("call_9", "weather", '{"city":"Paris"}')
    llm.openai.replies(Reply(tool_calls=[call])).replies("Warm.")
    item = ask(tools=[WEATHER]).output[0]
    output = {"type": "function_call_output", "call_id": "call_9", "output": "22 C"}
    ask(input=[{"type": "item_reference", "id": item.id}, output], tools=[WEATHER])
    assert llm.openai.requests[1].request.messages[0].tool_calls[0].id == "call_9"
    with pytest.raises(openai.NotFoundError, match=r"Item with id 'fc_x' not found\. Items are not persisted when"):
        ask(input=[{"type": "item_reference", "id": "fc_x"}])


def test_the_asynchronous_client_works_alike():
    """Ten concurrent calls on the event loop, each answered and kept."""

    async def main():
        client = openai.AsyncOpenAI()
        told = await asyncio.gather(*(client.responses.create(model="gpt-4o", input=f"{n}") for n in range(10)))
        return [(await client.responses.retrieve(each.id)).output_text for each in told]

    with Simulation() as llm:
        llm.openai.echoes()
        assert asyncio.run(main()) == [str(number) for number in range(10)]


def test_responses_are_billed_like_chat(llm):
    """The account has a price for each, and the trace its tokens."""
    llm.openai.replies("Paris.")
    usage = ask().usage
    seen = llm.openai.requests[0]
    assert (seen.usage.input_tokens, seen.usage.output_tokens) == (usage.input_tokens, usage.output_tokens)
    assert seen.cost_usd > 0
