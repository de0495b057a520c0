"""Agents in MoFA's words: conversations that share limits, and single questions."""

import asyncio

import pytest

from llmtest import (
    BudgetConfig,
    ChatMessage,
    CompletionRequest,
    FallbackChain,
    LLMAgent,
    LLMAgentBuilder,
    LLMClient,
    Simulation,
    TokenBudgetConfig,
    ToolCall,
    faults,
)
from llmtest.errors import BudgetExceededError, ConfigurationError, ServerError
from llmtest.events import ContextCompressed
from llmtest.resilience import AsyncLLMAgent

LONG = "word " * 60
LIMITED = TokenBudgetConfig(budget=BudgetConfig(max_tokens_per_session=100))


class Agent:
    """An agent of either kind, behind the same words; streams are read to their end."""

    def __init__(self, builder, *, is_async):
        self.agent = asyncio.run(builder.build_async()) if is_async else builder.build()
        self._is_async = is_async

    def __getattr__(self, way):
        def call(*said):
            answer = getattr(self.agent, way)(*said)
            if not self._is_async:
                return answer if isinstance(answer, str) else "".join(answer)

            async def read():
                if "stream" not in way:
                    return await answer
                return "".join([text async for text in answer])

            return asyncio.run(read())

        return call


@pytest.fixture(params=[False, True], ids=["sync", "async"])
def built(request):
    """Build agents of either kind."""
    return lambda builder: Agent(builder, is_async=request.param)


@pytest.fixture
def sim():
    """Run a simulation."""
    with Simulation() as sim:
        yield sim


def builder_of(sim, max_tokens=20):
    """Return a builder whose agent asks the simulated provider."""
    return (
        LLMAgentBuilder().with_provider(sim.openai.as_provider(model="gpt-4o")).with_id("x").with_max_tokens(max_tokens)
    )


def said(sim, number=-1):
    """Return the texts of a request that the provider saw."""
    return [message.text for message in sim.openai.requests[number].request.messages]


@pytest.mark.parametrize("way", ["chat", "chat_stream"])
def test_f154_chat_remembers(sim, built, way):
    """Each message follows what was said, after the system prompt."""
    sim.openai.replies("One.", "Two.")
    agent = built(builder_of(sim).with_system_prompt("Be brief."))
    assert getattr(agent, way)("1?") == "One."
    assert getattr(agent, way)("2?") == "Two."
    assert said(sim) == ["Be brief.", "1?", "One.", "2?"]
    assert agent.agent.id == "x"


@pytest.mark.parametrize("way", ["ask", "ask_stream"])
def test_f154_ask_is_a_single_question(sim, built, way):
    """Nothing of the conversation goes along, nothing is remembered, compressed, or held against the limits."""
    sim.openai.replies("One.", "Two.")
    config = TokenBudgetConfig(context_window_tokens=50, budget=BudgetConfig(max_tokens_per_session=100))
    agent = built(builder_of(sim).with_system_prompt("Be brief.").with_token_budget_config(config))
    agent.chat("1?")
    used = agent.agent.budget.balance().spent_tokens
    assert used > 0
    assert getattr(agent, way)(LONG) == "Two."
    assert said(sim) == ["Be brief.", LONG]
    assert sim.openai.requests[-1].request.max_tokens == 20
    assert len(agent.agent.session().history) == 2
    assert agent.agent.budget.balance().spent_tokens == used
    assert sim.trace.of(ContextCompressed) == []


@pytest.mark.parametrize("way", ["chat", "chat_stream"])
def test_f154_a_long_talk_is_summed_up(sim, built, way):
    """Before it is sent, whole and streamed alike."""
    sim.openai.replies(*(f"A{number} {LONG}" for number in range(5)), "They counted.", "Fine.")
    agent = built(
        builder_of(sim, max_tokens=200).with_token_budget_config(TokenBudgetConfig(context_window_tokens=1000))
    )
    for number in range(5):
        getattr(agent, way)(f"Q{number} {LONG}")
    assert getattr(agent, way)("And now?") == "Fine."
    assert said(sim)[0].endswith("They counted.")


def test_f154_conversations_do_not_mix(sim, built):
    """Each session has its own history; the agent knows their names."""
    sim.openai.replies("One.", "Two.", "Three.")
    agent = built(builder_of(sim))
    agent.chat_with_session("a", "1?")
    agent.chat_with_session("b", "2?")
    agent.chat_stream_with_session("a", "3?")
    assert said(sim) == ["1?", "One.", "3?"]
    assert agent.agent.session_ids == ("default", "a", "b")
    assert agent.agent.session().history == ()


def test_f154_the_whole_text_of_a_stream(sim):
    """It is there at the end of the stream, and not before."""
    sim.openai.replies("One two.", "Three.")
    agent = builder_of(sim).build()
    stream, full = agent.chat_stream_with_full("1?")
    with pytest.raises(ConfigurationError, match="read to the end"):
        full()
    assert "".join(stream) == full() == "One two."

    async def read():
        stream, full = (await builder_of(sim).build_async()).chat_stream_with_full("2?")
        return [text async for text in stream], full()

    texts, whole = asyncio.run(read())
    assert "".join(texts) == whole == "Three."


def test_f154_a_stream_that_is_left_is_not_recorded(sim):
    """Neither the history nor a hook knows of it."""
    sim.openai.replies("One two three.", "Two.")
    heard = []
    handler = type("Handler", (), {"after_chat": lambda self, text: heard.append(text)})()
    agent = builder_of(sim).with_event_handler(handler).build()
    stream = agent.chat_stream("1?")
    next(stream)
    stream.close()
    assert agent.session().history == ()
    assert agent.chat("2?") == "Two."
    assert heard == ["Two."]


def test_f155_both_ways_of_building_hold_the_same_limits(sim, built):
    """The first message counts, sessions share the limit, and what could pass it is not sent."""
    sim.openai.replies("One.", "Two.")
    agent = built(builder_of(sim).with_token_budget_config(LIMITED))
    assert agent.agent.budget.balance().spent_tokens == 0
    agent.chat_with_session("a", "1?")
    assert agent.agent.budget.balance().spent_tokens > 0
    agent.chat_with_session("b", "2?")
    with pytest.raises(BudgetExceededError):
        agent.chat_with_session("c", LONG)
    assert len(sim.openai.requests) == 2
    assert agent.agent.session("c").history == ()


def test_f155_agents_of_one_builder_have_limits_of_their_own(sim):
    """What one has used is nothing to the other."""
    sim.openai.replies("One.")
    builder = builder_of(sim).with_token_budget_config(LIMITED)
    one, other = builder.build(), builder.build()
    one.chat("1?")
    assert other.budget.balance().spent_tokens == 0
    assert other.session().history == ()


@pytest.mark.parametrize(
    ("word", "value", "told"),
    [
        ("with_sliding_window", 0, "whole number of messages"),
        ("with_sliding_window", True, "whole number of messages"),
        ("with_id", " ", "the id of an agent"),
        ("with_token_budget_config", {"context_window_tokens": 8192}, "takes a `TokenBudgetConfig`"),
    ],
)
def test_f155b_a_wrong_word_is_refused_at_once(word, value, told):
    """With the word as it is written."""
    with pytest.raises(ConfigurationError, match=told) as refusal:
        getattr(LLMAgentBuilder(), word)(value)
    assert f"To fix: builder.{word}(" in str(refusal.value)


@pytest.mark.parametrize(
    ("setting", "value"),
    [("context_window_tokens", 0), ("auto_summarize_threshold", 0.0), ("auto_summarize_threshold", 1.1)],
)
def test_f155b_a_wrong_budget_is_refused_at_once(setting, value):
    """A window is above 0, a threshold above 0 and at most 1."""
    with pytest.raises(ConfigurationError, match=setting):
        LLMAgentBuilder().with_token_budget_config(TokenBudgetConfig(**{setting: value}))
    assert LLMAgentBuilder().with_token_budget_config(TokenBudgetConfig(auto_summarize_threshold=1.0)) is not None


def test_f155b_an_agent_without_a_provider(monkeypatch):
    """Nobody was named; or the environment has no key."""
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    with pytest.raises(ConfigurationError, match="nobody who answers"):
        LLMAgentBuilder().build()
    with pytest.raises(ConfigurationError, match="`OPENAI_API_KEY` is not set"):
        LLMAgentBuilder.from_env().build()


def test_f155b_wrong_options_and_handlers(sim):
    """An option that no request has, an object that hears nothing."""
    with pytest.raises(ConfigurationError, match="modell"):
        LLMAgent(sim.openai.as_provider(model="gpt-4o"), modell="gpt-4o")
    with pytest.raises(ConfigurationError, match="`before_chat`, `after_chat`"):
        builder_of(sim).with_event_handler(print).build()


class Loud:
    """Hears everything, and changes it."""

    def __init__(self):
        self.heard = []

    def before_chat(self, text):
        """Say it louder."""
        return text.upper()

    def after_chat_with_metadata(self, text, response):
        """Note what was answered, and by which model."""
        self.heard.append((text, response.model))
        return f"{text}!"


def test_f156_hooks_around_a_chat(sim, built):
    """What they return is said, or returned; the history has what the model has said."""
    sim.openai.replies("One", "Two")
    handler = Loud()
    agent = built(builder_of(sim).with_event_handler(handler))
    assert agent.chat("a?") == "One!"
    assert agent.chat_stream("b?") == "Two"
    assert said(sim) == ["A?", "One", "B?"]
    assert [text for text, _ in handler.heard] == ["One", "Two"]
    assert all(model.startswith("gpt-4o") for _, model in handler.heard)


def test_f156_a_hook_hears_what_is_recorded(sim):
    """After the answer is part of the conversation, and its tokens are counted; on a loop it may be a coroutine."""
    sim.openai.replies("One.").fails(faults.ServerError())
    seen = []

    class Handler:
        async def after_chat(self, text):
            seen.append((text, len(agent.session().history), agent.budget.balance().spent_tokens > 0))

    agent = asyncio.run(builder_of(sim).with_token_budget_config(LIMITED).with_event_handler(Handler()).build_async())
    assert asyncio.run(agent.chat("1?")) == "One."
    with pytest.raises(ServerError):
        asyncio.run(agent.chat("2?"))
    assert seen == [("One.", 2, True)]
    assert len(agent.session().history) == 2


def test_f157_a_sliding_window_keeps_the_latest_messages(sim, built):
    """Ten of them at most, from one of the user on; the system prompt is not counted."""
    sim.openai.replies(*(f"A{number}" for number in range(9)))
    agent = built(builder_of(sim).with_system_prompt("Be brief.").with_sliding_window(10))
    for number in range(9):
        agent.chat(f"Q{number}")
    sent = said(sim)
    assert sent[:2] == ["Be brief.", "Q4"]
    assert len(sent) == 10
    assert sent[-1] == "Q8"
    assert max(len(each.request.messages) for each in sim.openai.requests) <= 11


@pytest.mark.parametrize("first", ["window", "config"])
def test_f157_a_sliding_window_beside_a_budget(sim, first):
    """In either order both count."""
    sim.openai.replies("One.", "Two.")
    builder = builder_of(sim)
    if first == "window":
        builder.with_sliding_window(1).with_token_budget_config(LIMITED)
    else:
        builder.with_token_budget_config(LIMITED).with_sliding_window(1)
    agent = builder.build()
    agent.chat("1?")
    agent.chat("2?")
    assert said(sim) == ["2?"]
    assert agent.budget.balance().spent_tokens > 0


def test_f157_a_tool_call_stays_with_its_result(sim):
    """The current turn is sent whole, however many messages it has; what came before it is left out by blocks."""
    sim.openai.replies("Fine.")
    config = TokenBudgetConfig(max_messages=2)
    chain = FallbackChain([sim.openai.as_provider("gpt-4o")], context=config)
    call = ToolCall(id="call_1", name="look", arguments={})
    turn = [
        ChatMessage.user("Look."),
        ChatMessage("assistant", tool_calls=(call,)),
        ChatMessage("tool", "seen", tool_call_id="call_1"),
    ]
    chain.complete(CompletionRequest(messages=(ChatMessage.user("old"), ChatMessage.assistant("older"), *turn)))
    assert [message.role for message in sim.openai.requests[0].request.messages] == ["user", "assistant", "tool"]


def test_f157_a_window_of_messages_has_a_range():
    """One message is the least."""
    with pytest.raises(ConfigurationError, match="max_messages is a whole number of 1 or more"):
        TokenBudgetConfig(max_messages=0)


def test_an_agent_of_a_client_or_a_chain(sim):
    """A client is its provider; a chain brings its policies along, for `ask` too."""
    sim.openai.replies("One.").fails(faults.ServerError()).replies("Two.")
    chain = FallbackChain([sim.openai.as_provider("gpt-4o")])
    agent = LLMAgent(LLMClient(chain), id="x")
    assert (agent.chat("1?"), agent.ask("2?")) == ("One.", "Two.")
    assert AsyncLLMAgent(chain).session_ids == ("default",)
