"""A streamed call in chained words."""

import pytest

from llmtest import AsyncLLMClient, ChatMessage, LLMClient, ToolDefinition
from llmtest.errors import ConfigurationError


def test_f020_a_stream_is_written_in_chained_words(llm_sim):
    """System prompt, user, settings, start: the same stream as of a request."""
    llm_sim.openai.replies("Once upon a time")
    client = LLMClient(llm_sim.openai.as_provider("gpt-4o"))
    with (
        client.stream().system("You are helpful.").user("Tell a story").max_tokens(50).temperature(0.5).start() as told
    ):
        text = "".join(event.text for event in told if event.kind == "text")
    assert (text, told.response.content) == ("Once upon a time", "Once upon a time")
    (seen,) = llm_sim.openai.requests
    asked = seen.request
    assert [(each.role, each.text) for each in asked.messages] == [
        ("system", "You are helpful."),
        ("user", "Tell a story"),
    ]
    assert (asked.max_tokens, asked.temperature) == (50, 0.5)


def test_f020_on_an_event_loop_too(llm_sim):
    """The asynchronous client has the same words; a conversation may be longer, with a model and tools of its own."""
    llm_sim.openai.replies("Rome")
    client = AsyncLLMClient(llm_sim.openai.as_provider("gpt-4o"))
    tool = ToolDefinition("look_up", "Looks things up", {"type": "object"})

    async def story():
        started = client.stream().user("Capital of France?").assistant("Paris").message(ChatMessage.user("Of Italy?"))
        async with started.model("gpt-4o-mini").tools(tool).start() as stream:
            return [event.text async for event in stream if event.kind == "text"]

    assert "".join(llm_sim.run(story())) == "Rome"
    (seen,) = llm_sim.openai.requests
    assert (seen.model, len(seen.request.messages), seen.request.tools) == ("gpt-4o-mini", 3, (tool,))


def test_f020_a_stream_without_words_is_refused(llm_sim):
    """Nothing is asked, and the message shows how."""
    client = LLMClient(llm_sim.openai.as_provider("gpt-4o"))
    with pytest.raises(ConfigurationError, match=r'client\.stream\(\)\.user\("Tell a story"\)\.start\(\)'):
        client.stream().start()
