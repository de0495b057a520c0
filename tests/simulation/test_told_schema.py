"""A schema that is told in the words of a prompt, as libraries do for models without structured output."""

import json
from textwrap import dedent

import anthropic
import openai
import pytest

from llmtest import Simulation
from llmtest.types import ChatMessage, CompletionRequest, ToolCall, ToolDefinition
from tests.simulation.sim_calls import make_world

SCHEMA = {
    "title": "Trip",
    "type": "object",
    "properties": {"title": {"type": "string"}, "days": {"type": "integer", "minimum": 1}},
    "required": ["title", "days"],
}
ASK = ChatMessage.user("Plan a weekend in Paris.")
# As instructor 1.17 writes it, in its modes MD_JSON and ANTHROPIC_JSON.
INSTRUCTOR = dedent(
    f"""
    As a genius expert, your task is to understand the content and provide
    the parsed objects in json that match the following json_schema:\n

    {json.dumps(SCHEMA, indent=2)}

    Make sure to return an instance of the JSON, not the schema itself
    """
)
FENCED = "Return the correct JSON response within a ```json codeblock. not the JSON_SCHEMA"
# As Pydantic AI 2.38 writes it for `PromptedOutput`.
PROMPTED = f"Always respond with a JSON object that's compatible with this schema:\n\n{json.dumps(SCHEMA)}\n"
# As LangChain writes it: an example of a schema first, and then the one that counts.
EXAMPLE = {"properties": {"foo": {"type": "array", "items": {"type": "string"}}}, "required": ["foo"]}
LANGCHAIN = (
    "The output should be formatted as a JSON instance that conforms to the JSON schema below.\n\n"
    f"As an example, for the schema {json.dumps(EXAMPLE)}\n"
    'the object {"foo": ["bar", "baz"]} is a well-formatted instance of the schema.\n\n'
    f"Here is the output schema:\n```\n{json.dumps(SCHEMA)}\n```"
)
FIND = ToolDefinition("find", "Finds", {"type": "object", "properties": {"q": {"type": "string"}}, "required": ["q"]})


def ask(*messages, **options):
    """Ask a provider that generates its answers."""
    handle = make_world().provider("openai").generates(words=9)
    return handle.as_provider("gpt-4o").complete(CompletionRequest(messages, **options))


def is_a_trip(text):
    """Tell whether a text is what the schema describes."""
    value = json.loads(text)
    return isinstance(value["title"], str) and value["days"] >= 1


@pytest.mark.parametrize(
    "messages",
    [
        (ChatMessage.system(INSTRUCTOR), ASK),
        (ChatMessage.system(PROMPTED), ASK),
        (ChatMessage.user(f"Plan a weekend in Paris.\n{LANGCHAIN}"),),
        (ChatMessage.system(INSTRUCTOR), ASK, ChatMessage.assistant("Paris!"), ChatMessage.user("No JSON. Again.")),
    ],
    ids=["instructor", "pydantic-ai", "langchain", "asked-again"],
)
def test_e05_json_that_is_asked_for_in_words_is_answered_in_json(messages):
    """No field of the request says so; the answer is valid all the same, and the same every time."""
    first, second = ask(*messages), ask(*messages)
    assert is_a_trip(first.content)
    assert first.content == second.content


def test_e05_json_is_put_in_a_block_of_code_where_the_words_want_one():
    """A prompt that wants a block gets one with nothing else in it."""
    text = ask(ChatMessage.system(INSTRUCTOR), ChatMessage.user(f"Plan a weekend.\n\n{FENCED}")).content
    assert text.startswith("```json\n")
    assert text.endswith("\n```")
    assert is_a_trip(text.removeprefix("```json\n").removesuffix("\n```"))


@pytest.mark.parametrize(
    "prompt",
    [
        f"What is wrong with this? {json.dumps(SCHEMA)}",
        f"Explain this JSON schema: {json.dumps(SCHEMA)}",
        "Return JSON that matches the schema.",
        'Return JSON that matches the schema {"properties": {"a": ',
        f"Answer in French, whatever this JSON says: {json.dumps({'a': 1, 'schema': 'properties'})}",
    ],
    ids=["no-word-of-json", "about-it", "no-schema", "half-a-schema", "other-json"],
)
def test_a_prompt_that_does_not_ask_for_json_gets_words(prompt):
    """A schema that is only talked about changes nothing."""
    assert len(ask(ChatMessage.user(prompt)).content.split()) == 9


def test_e05_a_tool_that_is_offered_is_called_once():
    """`auto`, said in so many words, gets a call; once the tool has answered, the answer is text."""
    call = ask(ASK, tools=(FIND,), tool_choice="auto").tool_calls[0]
    assert call.name == "find"
    assert isinstance(json.loads(call.arguments)["q"], str)
    asked = ChatMessage.assistant_with_tool_calls(None, [ToolCall("c1", "find", call.arguments)])
    assert ask(ASK, asked, ChatMessage.tool_result("c1", "three"), tools=(FIND,), tool_choice="auto").content
    assert ask(ASK, tools=(FIND,)).tool_calls == ()
    assert ask(ASK, tools=(FIND,), tool_choice="none").tool_calls == ()
    assert ask(ASK, tool_choice="auto").content


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
def test_e05_the_official_sdks_carry_such_prompts(stream):
    """The bytes that instructor sends at OpenAI and at Anthropic are answered with a valid object."""
    messages = [{"role": "user", "content": "Plan a weekend in Paris."}]
    with Simulation() as sim:
        sim.openai.generates()
        sim.anthropic.generates()
        said = [{"role": "system", "content": INSTRUCTOR}, *messages, {"role": "user", "content": FENCED}]
        answer = openai.OpenAI().chat.completions.create(model="gpt-4o", messages=said, stream=stream)
        if stream:
            text = "".join(chunk.choices[0].delta.content or "" for chunk in answer)
        else:
            text = answer.choices[0].message.content
        assert is_a_trip(text.removeprefix("```json\n").removesuffix("\n```"))
        system = [{"type": "text", "text": INSTRUCTOR}]
        options = {"model": "claude-sonnet-4-6", "max_tokens": 500, "messages": messages, "system": system}
        client = anthropic.Anthropic()
        if stream:
            with client.messages.stream(**options) as events:
                text = events.get_final_text()
        else:
            text = client.messages.create(**options).content[0].text
        assert is_a_trip(text)
