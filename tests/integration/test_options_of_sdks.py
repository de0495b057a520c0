"""What the official SDKs ask of an answer, honoured over the wire: structured output, tools, limits, tiers, caches."""

import json
from decimal import Decimal
from typing import Literal

import anthropic
import openai
import pytest
from jsonschema import Draft202012Validator
from pydantic import BaseModel, Field

from llmtest import OpenAIProvider, Reply, Usage
from llmtest.costs import count_tokens
from llmtest.types import ChatMessage, CompletionRequest, FinishReason, ToolCall, ToolDefinition
from tests.integration.sdk_calls import ANTHROPIC_MODEL, MESSAGES, OPENAI_MODEL


class Stop(BaseModel):
    """A stop of a trip."""

    city: str
    kind: Literal["museum", "park"]


class Trip(BaseModel):
    """A trip, as an application wants it back."""

    title: str
    days: int = Field(ge=1, le=14)
    stops: list[Stop]
    note: str | None


TOOL_SCHEMA = Trip.model_json_schema()
OPENAI_TOOL = {"type": "function", "function": {"name": "plan_trip", "parameters": TOOL_SCHEMA}}
ANTHROPIC_TOOL = {"name": "plan_trip", "input_schema": TOOL_SCHEMA}


def ask_openai(**options):
    """Ask openai's client for a whole answer."""
    return openai.OpenAI().chat.completions.create(**{"model": OPENAI_MODEL, "messages": MESSAGES, **options})


def ask_anthropic(**options):
    """Ask anthropic's client for a whole answer."""
    given = {"model": ANTHROPIC_MODEL, "messages": MESSAGES, "max_tokens": 100, **options}
    return anthropic.Anthropic().messages.create(**given)


def test_e05_openai_parse_gets_a_valid_model(llm_sim):
    """`chat.completions.parse(Model)` succeeds on `generates()`, the same model every time."""
    llm_sim.openai.generates()
    client = openai.OpenAI()
    found = [
        client.chat.completions.parse(model=OPENAI_MODEL, messages=MESSAGES, response_format=Trip).choices[0].message
        for _ in range(2)
    ]
    assert isinstance(found[0].parsed, Trip)
    assert found[0].parsed == found[1].parsed


def test_e05_openai_parse_reads_a_stream(llm_sim):
    """The SDK's own streaming parser ends with the same model."""
    llm_sim.openai.generates()
    client = openai.OpenAI()
    with client.chat.completions.stream(model=OPENAI_MODEL, messages=MESSAGES, response_format=Trip) as stream:
        parsed = stream.get_final_completion().choices[0].message.parsed
    whole = client.chat.completions.parse(model=OPENAI_MODEL, messages=MESSAGES, response_format=Trip)
    assert parsed == whole.choices[0].message.parsed


def test_e05_anthropic_parse_gets_a_valid_model(llm_sim):
    """`messages.parse(output_format=Model)` succeeds on `generates()`."""
    llm_sim.anthropic.generates()
    client = anthropic.Anthropic()
    message = client.messages.parse(model=ANTHROPIC_MODEL, max_tokens=1000, messages=MESSAGES, output_format=Trip)
    assert isinstance(message.parsed_output, Trip)


def test_e05_openai_json_mode_gets_an_object(llm_sim):
    """`json_object` is answered with an object."""
    llm_sim.openai.generates()
    messages = [{"role": "user", "content": "Answer in JSON: capital of France?"}]
    answer = ask_openai(messages=messages, response_format={"type": "json_object"})
    assert isinstance(json.loads(answer.choices[0].message.content), dict)


NAMED = {"type": "function", "function": {"name": "plan_trip"}}


@pytest.mark.parametrize(("choice", "ends"), [("required", "tool_calls"), ("auto", "tool_calls"), (NAMED, "stop")])
def test_e05_openai_calls_the_tool_that_it_must(llm_sim, choice, ends):
    """Required, offered or named, which is what instructor and pydantic-ai send, a tool is called with a valid model.

    Where the tool is named OpenAI says `stop`, as its own guide to function calling warns.
    """
    llm_sim.openai.generates()
    (choice,) = ask_openai(tools=[OPENAI_TOOL], tool_choice=choice).choices
    (call,) = choice.message.tool_calls
    assert choice.finish_reason == ends
    assert call.function.name == "plan_trip"
    assert Trip.model_validate_json(call.function.arguments)
    assert Draft202012Validator(TOOL_SCHEMA).is_valid(json.loads(call.function.arguments))


@pytest.mark.parametrize("choice", [NAMED, "required"], ids=["named", "required"])
@pytest.mark.parametrize("says_why", [False, True], ids=["by-itself", "as-written"])
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
def test_openai_ends_with_stop_where_a_tool_is_named(llm_sim, choice, says_why, stream):
    """A scripted call too, streamed or not, unless the step says itself why it ends; compatible servers never do."""
    reply = Reply(tool_calls=(ToolCall("", "plan_trip", "{}"),), finish_reason="tool_use" if says_why else None)
    llm_sim.openai.replies(reply)
    llm_sim.openrouter.replies(reply)
    options = {"model": OPENAI_MODEL, "messages": MESSAGES, "tools": [OPENAI_TOOL], "tool_choice": choice}
    found = []
    for client in (openai.OpenAI(), openai.OpenAI(base_url="https://openrouter.ai/api/v1", api_key="k")):
        if stream:
            chunks = list(client.chat.completions.create(stream=True, **options))
            found.append(chunks[-1].choices[0].finish_reason)
        else:
            found.append(client.chat.completions.create(**options).choices[0].finish_reason)
    assert found == ["stop" if choice is NAMED and not says_why else "tool_calls", "tool_calls"]


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
def test_a_named_tool_ends_alike_with_and_without_http(llm_sim, stream):
    """The direct path says what our own provider reads from the wire."""
    llm_sim.openai.calls_tool("plan_trip", {}, times=2)
    tool = ToolDefinition("plan_trip", "", TOOL_SCHEMA)
    request = CompletionRequest((ChatMessage.user("hi"),), tools=(tool,), tool_choice="plan_trip")
    found = []
    for provider in (llm_sim.openai.as_provider(OPENAI_MODEL), OpenAIProvider(model=OPENAI_MODEL)):
        answer = list(provider.stream(request))[-1].response if stream else provider.complete(request)
        found.append((answer.finish_reason, [call.name for call in answer.tool_calls]))
    assert found == [(FinishReason.STOP, ["plan_trip"])] * 2


@pytest.mark.parametrize("choice", [{"type": "any"}, {"type": "tool", "name": "plan_trip"}])
def test_e05_anthropic_calls_the_tool_that_it_must(llm_sim, choice):
    """Any or named, a tool is called with a valid model, and the message says why it stopped."""
    llm_sim.anthropic.generates()
    message = ask_anthropic(tools=[ANTHROPIC_TOOL], tool_choice=choice, max_tokens=1000)
    (block,) = message.content
    assert Trip.model_validate(block.input)
    assert message.stop_reason == "tool_use"


def test_e19_functions_of_2023_are_called_in_kind(llm_sim):
    """A legacy request that names its function gets a `function_call` with arguments that fit."""
    llm_sim.openai.generates()
    function = {"name": "plan_trip", "parameters": TOOL_SCHEMA}
    choice = ask_openai(functions=[function], function_call={"name": "plan_trip"}).choices[0]
    assert choice.message.tool_calls is None
    assert choice.finish_reason == "stop"
    assert Trip.model_validate_json(choice.message.function_call.arguments)


@pytest.mark.parametrize("stream", [False, True])
def test_e04_openai_cuts_a_scripted_text(llm_sim, stream):
    """Five tokens of fifty words, `length`, and five on the bill, whole and streamed."""
    llm_sim.openai.replies("word " * 50)
    if not stream:
        answer = ask_openai(max_tokens=5)
        text, reason, usage = answer.choices[0].message.content, answer.choices[0].finish_reason, answer.usage
    else:
        chunks = list(ask_openai(max_tokens=5, stream=True, stream_options={"include_usage": True}))
        text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
        reason, usage = chunks[-2].choices[0].finish_reason, chunks[-1].usage
    assert (count_tokens(text), reason, usage.completion_tokens) == (5, "length", 5)


def test_e04_anthropic_cuts_a_scripted_text(llm_sim):
    """Five tokens, `max_tokens`, and five on the bill."""
    llm_sim.anthropic.replies("word " * 50)
    message = ask_anthropic(max_tokens=5)
    assert (message.stop_reason, message.usage.output_tokens) == ("max_tokens", 5)
    assert count_tokens(message.content[0].text) == 5


def test_e04_a_structured_answer_that_is_cut_is_what_the_sdk_says_it_is(llm_sim):
    """The SDK refuses to parse half a model, as it does with the real one."""
    llm_sim.openai.generates()
    with pytest.raises(openai.LengthFinishReasonError):
        openai.OpenAI().chat.completions.parse(
            model=OPENAI_MODEL, messages=MESSAGES, response_format=Trip, max_tokens=3
        )


def test_e27_openai_ends_at_a_stop_sequence(llm_sim):
    """The text ends before it, with `stop`."""
    llm_sim.openai.replies("one two END three")
    choice = ask_openai(stop=["END"]).choices[0]
    assert (choice.message.content, choice.finish_reason) == ("one two ", "stop")


def test_e27_anthropic_says_which_stop_sequence_it_was(llm_sim):
    """The text ends before it, and the message names it, streamed or not."""
    llm_sim.anthropic.replies("one two END three", times=2)
    message = ask_anthropic(stop_sequences=["END", "two END"])
    assert (message.content[0].text, message.stop_reason, message.stop_sequence) == ("one ", "stop_sequence", "two END")
    client = anthropic.Anthropic()
    with client.messages.stream(
        model=ANTHROPIC_MODEL, max_tokens=50, messages=MESSAGES, stop_sequences=["END"]
    ) as stream:
        streamed = stream.get_final_message()
    assert (streamed.content[0].text, streamed.stop_sequence) == ("one two ", "END")


def test_e27_openai_tells_log_probabilities(llm_sim):
    """Every token of a scripted or generated text has one, and so many likeliest others as were asked for."""
    llm_sim.openai.replies("Paris it is").generates()
    for _ in range(2):
        choice = ask_openai(logprobs=True, top_logprobs=2).choices[0]
        assert "".join(token.token for token in choice.logprobs.content) == choice.message.content
        assert all(token.logprob <= 0 and len(token.top_logprobs) == 2 for token in choice.logprobs.content)


def test_n_choices_of_openai_differ(llm_sim):
    """Several generated answers are several; scripted ones are what the test said."""
    llm_sim.openai.replies("Paris").generates()
    assert [choice.message.content for choice in ask_openai(n=3).choices] == ["Paris"] * 3
    assert len({choice.message.content for choice in ask_openai(n=3).choices}) == 3


def test_e13_openai_tells_and_prices_the_tier(llm_sim):
    """A million prompt tokens of gpt-5 in flex are $0.625, and the answer says `flex`."""
    llm_sim.openai.replies(Reply("x", usage=Usage(1_000_000, 0)))
    assert ask_openai(model="gpt-5", service_tier="flex").service_tier == "flex"
    assert llm_sim.costs.total_usd == Decimal("0.625")


@pytest.mark.parametrize(("ttl", "hour", "usd"), [("1h", 100_000, "0.6"), ("5m", 0, "0.375")])
def test_e12_anthropic_counts_and_prices_writes_by_their_duration(llm_sim, ttl, hour, usd):
    """100,000 written tokens of claude-sonnet-4-6: $0.60 for an hour, $0.375 for five minutes."""
    llm_sim.anthropic.replies(Reply("ok", usage=Usage(100_000, 0, cache_write_tokens=100_000)))
    system = [{"type": "text", "text": "long", "cache_control": {"type": "ephemeral", "ttl": ttl}}]
    usage = ask_anthropic(system=system).usage
    assert usage.cache_creation_input_tokens == 100_000
    assert usage.cache_creation.ephemeral_1h_input_tokens == hour
    assert usage.cache_creation.ephemeral_5m_input_tokens == 100_000 - hour
    assert llm_sim.costs.total_usd == Decimal(usd)


def test_e12_anthropic_reads_what_it_wrote(llm_sim):
    """A marked prompt is written by the first call and read by the second, as far as it is the same."""
    llm_sim.anthropic.replies("ok", times=2)
    system = [{"type": "text", "text": "x" * 40_000, "cache_control": {"type": "ephemeral"}}]
    first, second = ask_anthropic(system=system).usage, ask_anthropic(system=system).usage
    assert (first.cache_creation_input_tokens, first.cache_read_input_tokens) == (10_004, 0)
    assert (second.cache_creation_input_tokens, second.cache_read_input_tokens) == (0, 10_004)


def test_reasoning_effort_of_openai_is_billed(llm_sim):
    """Thoughts that are not shown are in the usage, as part of the answer's tokens."""
    llm_sim.openai.replies("Paris")
    usage = ask_openai(model="gpt-5", reasoning_effort="low").usage
    assert (usage.completion_tokens, usage.completion_tokens_details.reasoning_tokens) == (66, 64)


def test_e20_metadata_of_openai_reaches_the_ledger(llm_sim):
    """What a stored request is labelled with is with its cost."""
    llm_sim.openai.replies("Paris")
    ask_openai(store=True, metadata={"team": "search"})
    assert llm_sim.costs.entries[0].metadata == {"team": "search"}
