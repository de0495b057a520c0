"""Conversations that remember."""

import asyncio

import pytest

from llmtest import (
    AsyncChatSession,
    AsyncLLMClient,
    BudgetConfig,
    ChatMessage,
    ChatSession,
    LLMClient,
    Simulation,
    TokenBudgetConfig,
    ToolDefinition,
    faults,
)
from llmtest.errors import BudgetExceededError, ConfigurationError, ContextLengthExceededError, ServerError
from llmtest.events import ContextCompressed

LONG = "word " * 60


class Talk:
    """A session in blocking code, or on a loop, behind the same words."""

    def __init__(self, provider, *, is_async, **settings):
        self._is_async = is_async
        self.session = (AsyncChatSession if is_async else ChatSession)(provider, **settings)

    def send(self, said, **options):
        """Say something; return the answer's text."""
        if not self._is_async:
            return self.session.send(said, **options).content

        async def send():
            return (await self.session.send(said, **options)).content

        return asyncio.run(send())

    def stream(self, said):
        """Say something; return the texts of the answer's pieces."""
        if not self._is_async:
            return [event.text for event in self.session.stream(said) if event.kind == "text"]

        async def read():
            return [event.text async for event in self.session.stream(said) if event.kind == "text"]

        return asyncio.run(read())


@pytest.fixture(params=[False, True], ids=["sync", "async"])
def talk(request):
    """Make sessions of either kind."""
    return lambda provider, **settings: Talk(provider, is_async=request.param, **settings)


@pytest.fixture
def sim():
    """Run a simulation."""
    with Simulation() as sim:
        yield sim


def provider_of(sim):
    """Return the simulated provider as one of our own."""
    return sim.openai.as_provider(model="gpt-4o")


def roles(sim, number=-1):
    """Return who says what in a request that the provider saw."""
    return [message.role for message in sim.openai.requests[number].request.messages]


def test_f154_each_message_follows_what_was_said(sim, talk):
    """System prompt, questions, answers: whole and streamed alike."""
    sim.openai.replies("One.", "Two.", "Three.")
    session = talk(provider_of(sim), system="Be brief.")
    assert session.send("1?") == "One."
    assert "".join(session.stream("2?")) == "Two."
    assert session.send("3?") == "Three."
    assert roles(sim) == ["system", "user", "assistant", "user", "assistant", "user"]
    assert [message.text for message in session.session.history] == ["1?", "One.", "2?", "Two.", "3?", "Three."]
    session.session.clear()
    assert session.session.history == ()


def test_f154_a_client_s_ask_has_no_history(sim):
    """`ask` is stateless; a session of the same client is not."""
    sim.openai.replies("One.", "Two.", "Three.")
    client = LLMClient(provider_of(sim))
    session = ChatSession(client)
    session.send("1?")
    assert client.ask("2?") == "Two."
    session.send("3?")
    assert roles(sim) == ["user", "assistant", "user"]
    assert AsyncChatSession(AsyncLLMClient(provider_of(sim))).history == ()


def test_f151_a_session_keeps_its_summary(sim, talk):
    """What was summed up once is not summed up again with every message."""
    sim.openai.replies(*(f"A{number} {LONG}" for number in range(5)), "They counted.", "Fine.", "Good.")
    session = talk(provider_of(sim), config=TokenBudgetConfig(context_window_tokens=1000))
    for number in range(5):
        session.send(f"Q{number} {LONG}")
    assert session.send("And now?") == "Fine."
    assert session.session.history[0].text.endswith("They counted.")
    assert len(session.session.history) == 6
    assert session.send("And then?") == "Good."
    assert len(sim.trace.of(ContextCompressed)) == 1


def test_m06_a_message_that_fails_leaves_the_conversation_as_it_was(sim, talk):
    """The question is not part of it, and nothing else is lost; asking again works."""
    sim.openai.replies("One.").fails(faults.ServerError()).replies("Two.")
    session = talk(provider_of(sim))
    session.send("1?")
    before = session.session.history
    with pytest.raises(ServerError):
        session.send("2?")
    assert session.session.history == before
    assert session.send("2?") == "Two."
    assert len(session.session.history) == 4


@pytest.mark.parametrize("way", ["send", "stream"])
def test_m06_after_a_failed_recovery_nothing_is_lost(sim, talk, way):
    """The provider refuses the shorter prompt too."""
    sim.openai.replies(*(f"A{number} {LONG}" for number in range(4)))
    sim.openai.fails(faults.ContextLengthExceeded(), times=2)
    session = talk(provider_of(sim), config=TokenBudgetConfig(context_window_tokens=4000))
    for number in range(4):
        session.send(f"Q{number} {LONG}")
    before = session.session.history
    with pytest.raises(ContextLengthExceededError):
        getattr(session, way)("And now?")
    assert session.session.history == before
    assert len(sim.openai.requests) == 6


@pytest.mark.parametrize("way", ["send", "stream"])
def test_f153_a_refused_prompt_is_sent_once_more(sim, talk, way):
    """At half the window; the conversation goes on from what was sent."""
    sim.openai.replies(*(f"A{number} {LONG}" for number in range(6)))
    sim.openai.fails(faults.ContextLengthExceeded()).replies("Fine.")
    session = talk(provider_of(sim), config=TokenBudgetConfig(context_window_tokens=1500))
    for number in range(6):
        session.send(f"Q{number} {LONG}")
    assert "".join(getattr(session, way)("And now?")) == "Fine."
    assert len(session.session.history) < 14


def test_f154_a_stream_is_recorded_when_it_has_ended(sim):
    """One that is left changes nothing, and lets the next message pass."""
    sim.openai.replies("One two three.", "Two.")
    session = ChatSession(provider_of(sim))
    stream = session.stream("1?")
    next(stream)
    assert session.history == ()
    with pytest.raises(ConfigurationError, match="one message at a time"):
        session.send("2?")
    stream.close()
    assert session.send("2?").content == "Two."
    assert [message.text for message in session.history] == ["2?", "Two."]


def test_f156_limits_of_a_session_hold(sim, talk):
    """From the second message on there is not enough left, and nothing is sent."""
    sim.openai.replies("One.")
    config = TokenBudgetConfig(budget=BudgetConfig(max_tokens_per_session=80))
    session = talk(provider_of(sim), config=config, max_tokens=20)
    session.send("1?")
    with pytest.raises(BudgetExceededError):
        session.send("word " * 200)
    assert len(sim.openai.requests) == 1
    assert len(session.session.history) == 2


def test_f156_limits_may_only_be_told(sim, talk):
    """`halt_on_budget_exceeded=False` lets every message pass."""
    sim.openai.replies("One.", "Two.")
    limits = BudgetConfig(max_tokens_per_session=10)
    session = talk(provider_of(sim), config=TokenBudgetConfig(budget=limits, halt_on_budget_exceeded=False))
    assert session.send("1?") == "One."
    assert session.send("2?") == "Two."


def test_f156_a_hook_is_called_after_each_answer(sim, talk):
    """Once the answer is part of the conversation."""
    sim.openai.replies("One.", "Two.")
    told = []
    session = talk(provider_of(sim), on_answer=lambda answer: told.append(answer.content))
    session.send("1?")
    session.stream("2?")
    assert told == ["One.", "Two."]


def test_tools_are_called_and_answered(sim, talk):
    """The call is part of the conversation, and its result follows it."""
    sim.openai.calls_tool("look", {"x": 1}).replies("Done.")
    session = talk(provider_of(sim), tools=(ToolDefinition("look", "", {"type": "object"}),))
    session.send("Look.")
    (call,) = session.session.history[-1].tool_calls
    assert session.send(ChatMessage.tool_result(call.id, "a tree")) == "Done."
    assert roles(sim) == ["user", "assistant", "tool"]


def test_options_that_no_request_has_are_refused(sim):
    """When the session is made, and when something is said."""
    with pytest.raises(ConfigurationError, match="a chat session takes the options of a request"):
        ChatSession(provider_of(sim), temprature=1)
    with pytest.raises(ConfigurationError, match="there is nothing to say"):
        ChatSession(provider_of(sim)).send([])
