"""Prompts that take too much of the window, in chains."""

import asyncio
from decimal import Decimal

import pytest

from llmtest import (
    Budget,
    BudgetConfig,
    ChatMessage,
    CompletionRequest,
    FallbackChain,
    Reply,
    Simulation,
    TokenBudgetConfig,
    ToolCall,
    Usage,
    build_chain,
    faults,
)
from llmtest.errors import (
    BudgetExceededError,
    ConfigurationError,
    ContextLengthExceededError,
    ScenarioError,
    ServerError,
)
from llmtest.events import ContextCompressed, SummaryFailed
from llmtest.resilience import CircuitBreakerConfig, RetryConfig

LONG = "word " * 60
"""About 75 tokens."""


def talk(turns, *, system="Be brief."):
    """Return a conversation of so many turns that ends with a question."""
    messages = [ChatMessage.system(system)]
    for number in range(turns):
        messages += [ChatMessage.user(f"Q{number} {LONG}"), ChatMessage.assistant(f"A{number} {LONG}")]
    return CompletionRequest(messages=(*messages, ChatMessage.user("And now?")), max_tokens=50)


def chain_of(sim, config, **settings):
    """Return a chain of one simulated provider with a window of its own."""
    provider = sim.openai.as_provider(model="gpt-4o")
    return FallbackChain([provider], context=config, **{"retry": None, "circuit_breaker": None, **settings})


def sent(sim, number=-1):
    """Return the texts of a request that the provider saw."""
    return [(message.role, message.text) for message in sim.openai.requests[number].request.messages]


@pytest.mark.parametrize("is_async", [False, True], ids=["sync", "async"])
def test_f151_a_prompt_below_the_threshold_is_sent_as_it_is(is_async):
    """It costs nothing, and leaves no trace."""
    with Simulation() as sim:
        sim.openai.replies("Fine.")
        chain = chain_of(sim, TokenBudgetConfig(context_window_tokens=8192))
        request = talk(3)
        answer = asyncio.run(chain.complete_async(request)) if is_async else chain.complete(request)
        assert answer.content == "Fine."
        assert sim.openai.requests[0].request.messages == request.messages
        assert sim.trace.of(ContextCompressed) == []


@pytest.mark.parametrize("is_async", [False, True], ids=["sync", "async"])
def test_f151_a_long_prompt_is_summed_up_by_the_model(is_async):
    """The summary stands for what came before the recent messages, which stay; it is charged and says what it is."""
    with Simulation() as sim:
        sim.openai.replies("They spoke of words.", "Fine.")
        chain = chain_of(sim, TokenBudgetConfig(context_window_tokens=1000))
        answer = asyncio.run(chain.complete_async(talk(8))) if is_async else chain.complete(talk(8))
        assert answer.content == "Fine."
        roles = [role for role, _ in sent(sim)]
        assert sent(sim)[1] == ("user", "[Summary of the conversation so far]\nThey spoke of words.")
        assert roles == ["system", "user", "assistant", "user", "assistant", "user"]
        assert sent(sim)[-1] == ("user", "And now?")
        (told,) = sim.trace.of(ContextCompressed)
        assert (told.way, told.messages_before, told.messages_after) == ("summary", 18, 6)
        assert told.tokens_after < 800 <= told.tokens_before
        assert [attempt.purpose for attempt in answer.attempts] == ["summary", "call"]
        assert [str(entry.purpose) for entry in sim.costs.entries] or sim.costs.total_usd > Decimal(0)


def test_f151_a_sliding_window_leaves_the_oldest_out():
    """Nobody is asked to sum up; a conversation still begins with the user."""
    with Simulation() as sim:
        sim.openai.replies("Fine.")
        chain_of(sim, TokenBudgetConfig.sliding_window_only(1000)).complete(talk(8))
        texts = sent(sim)
        assert texts[0] == ("system", "Be brief.")
        assert texts[1][0] == "user"
        assert texts[-1] == ("user", "And now?")
        (told,) = sim.trace.of(ContextCompressed)
        assert told.way == "sliding_window"
        assert told.tokens_after < 800


def test_a_stream_is_made_shorter_too():
    """Before it is opened."""
    with Simulation() as sim:
        sim.openai.replies("Fine.")
        chain = chain_of(sim, TokenBudgetConfig.sliding_window_only(1000))
        with chain.stream(talk(8)) as stream:
            assert "".join(event.text for event in stream if event.kind == "text") == "Fine."
        assert len(sent(sim)) < 18


@pytest.mark.parametrize("turns", [1, 2, 5, 9])
def test_m01_a_tool_call_is_never_parted_from_its_result(turns):
    """Whichever of them the window would cut."""
    messages = [ChatMessage.system("s")]
    for number in range(turns):
        call = ToolCall(f"c{number}", "look", '{"x": 1}')
        messages += [
            ChatMessage.user(f"Q{number} {LONG}"),
            ChatMessage.assistant_with_tool_calls(None, (call,)),
            ChatMessage.tool_result(f"c{number}", LONG),
            ChatMessage.assistant(f"A{number}"),
        ]
    request = CompletionRequest(messages=(*messages, ChatMessage.user("And now?")))
    with Simulation() as sim:
        sim.openai.replies("Fine.")
        chain_of(sim, TokenBudgetConfig(context_window_tokens=400, use_llm_summarize=False)).complete(request)
        seen = sim.openai.requests[0].request.messages
        calls = {call.id for message in seen for call in message.tool_calls}
        assert calls == {message.tool_call_id for message in seen if message.role == "tool"}


def test_m02_system_prompt_last_question_and_recent_messages_stay():
    """`keep_recent_on_summarize` says how many."""
    with Simulation() as sim:
        sim.openai.replies("Summary.", "Fine.")
        config = TokenBudgetConfig(context_window_tokens=1200, keep_recent_on_summarize=6)
        chain_of(sim, config).complete(talk(9))
        assert [text[:2] for _, text in sent(sim)] == ["Be", "[S", "A6", "Q7", "A7", "Q8", "A8", "An"]


def test_m03_a_refused_prompt_is_sent_once_more_at_half_the_window():
    """And once only: the second refusal is the caller's."""
    with Simulation() as sim:
        sim.openai.fails(faults.ContextLengthExceeded(), times=2)
        chain = chain_of(sim, TokenBudgetConfig(context_window_tokens=4000))
        with pytest.raises(ContextLengthExceededError):
            chain.complete(talk(15))
        assert len(sim.openai.requests) == 2
        (told,) = sim.trace.of(ContextCompressed)
        assert told.way == "recovery"
        assert told.tokens_after <= 2000


def test_f153_recovery_answers_where_the_shorter_prompt_fits():
    """The refusal and the answer are both attempts of the one call."""
    with Simulation() as sim:
        sim.openai.fails(faults.ContextLengthExceeded()).replies("Fine.")
        answer = chain_of(sim, TokenBudgetConfig(context_window_tokens=4000)).complete(talk(15))
        assert answer.content == "Fine."
        assert [attempt.outcome for attempt in answer.attempts] == ["400", "200"]
        assert sent(sim)[-1] == ("user", "And now?")


def test_m03_a_prompt_that_cannot_be_shorter_is_not_sent_again():
    """A single question has nothing that could go."""
    with Simulation() as sim:
        sim.openai.fails(faults.ContextLengthExceeded())
        with pytest.raises(ContextLengthExceededError):
            chain_of(sim, TokenBudgetConfig()).complete(CompletionRequest.ask("Hi"))
        assert len(sim.openai.requests) == 1


def test_m04_a_summary_that_fails_blocks_nothing():
    """The conversation is sent as it is, and the trace is told why."""
    with Simulation() as sim:
        sim.openai.fails(faults.ServerError()).replies("Fine.")
        request = talk(8)
        answer = chain_of(sim, TokenBudgetConfig(context_window_tokens=1000)).complete(request)
        assert answer.content == "Fine."
        assert sim.openai.requests[-1].request.messages == request.messages
        (told,) = sim.trace.of(SummaryFailed)
        assert told.cause == "error"
        assert isinstance(told.error, ServerError)


def test_c26_a_summary_that_fails_may_leave_the_oldest_out_instead():
    """`on_failure="sliding_window"`."""
    with Simulation() as sim:
        sim.openai.fails(faults.ServerError()).replies("Fine.")
        config = TokenBudgetConfig(context_window_tokens=1000, on_failure="sliding_window")
        chain_of(sim, config).complete(talk(8))
        assert len(sent(sim)) < 18


def test_m05_a_summary_that_is_longer_than_its_source_is_not_used():
    """Nothing would be gained."""
    with Simulation() as sim:
        sim.openai.replies(Reply("blah " * 4000, usage=Usage(10, 10), finish_reason="stop"), "Fine.")
        request = talk(8)
        chain_of(sim, TokenBudgetConfig(context_window_tokens=1000)).complete(request)
        assert sim.openai.requests[-1].request.messages == request.messages
        (told,) = sim.trace.of(SummaryFailed)
        assert told.cause == "too_long"


def test_c28_a_summary_that_the_budget_refuses_is_left_out():
    """It is charged like any attempt, so it may be refused like one; the call itself is judged for itself."""
    with Simulation() as sim:
        sim.openai.replies("Fine.")
        budget = Budget(BudgetConfig(max_cost_per_day="0.0052"))
        config = TokenBudgetConfig(context_window_tokens=1000, summary_max_tokens=250, on_failure="sliding_window")
        answer = chain_of(sim, config, budget=budget).complete(talk(8))
        assert answer.content == "Fine."
        assert isinstance(sim.trace.of(SummaryFailed)[0].error, BudgetExceededError)


def test_a_retried_summary_and_call_go_through_every_policy():
    """A summary is a request like any other: retried, counted by the circuit."""
    with Simulation() as sim:
        sim.openai.fails(faults.ServerError()).replies("Summary.", "Fine.")
        chain = chain_of(
            sim,
            TokenBudgetConfig(context_window_tokens=1000),
            retry=RetryConfig(max_attempts=2),
            circuit_breaker=CircuitBreakerConfig(),
        )
        answer = chain.complete(talk(8))
        assert [(attempt.purpose, attempt.outcome) for attempt in answer.attempts] == [
            ("summary", "500"),
            ("summary", "200"),
            ("call", "200"),
        ]


def test_c29_the_published_window_counts_where_none_is_named():
    """gpt-4o has 128,000 tokens, of which a short talk takes nothing."""
    with Simulation() as sim:
        sim.openai.replies("Fine.")
        chain_of(sim, TokenBudgetConfig()).complete(talk(40))
        assert len(sent(sim)) == 82


def test_f150_the_defaults_are_mofa_s():
    """And `sliding_window_only` and `default` are what they say."""
    config = TokenBudgetConfig.default()
    assert (config.auto_summarize_threshold, config.keep_recent_on_summarize) == (0.8, 4)
    assert config.use_llm_summarize
    assert (config.halt_on_budget_exceeded, config.budget) == (True, None)
    assert config.window(None) == 8192
    assert TokenBudgetConfig.sliding_window_only(10).context_window_tokens == 10


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"context_window_tokens": 0}, "context_window_tokens is a whole number of 1 or more, got 0"),
        ({"auto_summarize_threshold": 0}, "auto_summarize_threshold is a share above 0 and at most 1, got 0"),
        ({"auto_summarize_threshold": 1.5}, "auto_summarize_threshold is a share above 0 and at most 1, got 1.5"),
        ({"keep_recent_on_summarize": -1}, "keep_recent_on_summarize is a whole number of 0 or more, got -1"),
        ({"on_failure": "panic"}, "on_failure is `original` or `sliding_window`, got 'panic'"),
        ({"budget": 5}, "budget is a `BudgetConfig`, got 5"),
    ],
)
def test_f155b_impossible_settings_are_refused(settings, message):
    """With the setting, its value and what is possible."""
    with pytest.raises(ConfigurationError) as caught:
        TokenBudgetConfig(**settings)
    assert message in str(caught.value)


def test_limits_of_a_context_would_not_apply_to_a_chain():
    """A chain has limits of its own."""
    with Simulation() as sim, pytest.raises(ConfigurationError, match="would not apply"):
        chain_of(sim, TokenBudgetConfig(budget=BudgetConfig(max_tokens_per_session=5)))


def test_a_chain_file_has_a_context():
    """With the same words."""
    with Simulation() as sim:
        sim.openai.replies("Fine.")
        provider = sim.openai.as_provider(model="gpt-4o")
        context = {"context_window_tokens": 1000, "use_llm_summarize": False}
        chain = build_chain({"providers": [{"provider": provider}], "context": context})
        chain.complete(talk(8))
        assert len(sent(sim)) < 18
    with pytest.raises(ScenarioError, match="on_failure"):
        build_chain({"providers": [{"provider": provider}], "context": {"on_failure": "panic"}})
