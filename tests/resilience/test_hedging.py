"""Hedging: a second request beside one that takes long, who wins, what the loser costs, what is never sent twice."""

import asyncio
import threading
from decimal import Decimal

import pytest

from llmtest import (
    Budget,
    BudgetConfig,
    ChatMessage,
    CompletionRequest,
    CostLedger,
    FallbackChain,
    HedgedProvider,
    HedgingConfig,
    LLMClient,
    OpenAIProvider,
    Reply,
    Simulation,
    ToolDefinition,
    faults,
)
from llmtest.errors import (
    AllProvidersFailedError,
    BudgetExceededError,
    ConfigurationError,
    DeadlineExceededError,
    ServerError,
)
from llmtest.events import AttemptEnded, BudgetRejected, HedgeDecided, HedgeSent, RequestAnswered
from llmtest.resilience import RetryConfig, TimeoutConfig
from llmtest.types import Usage
from tests.resilience.scripted_provider import REQUEST, Cut, ScriptedProvider, Slow, ask, down

ASYNC = ("complete_async", "stream_async")
SOON = HedgingConfig(delay=1.0)
TOOL = ToolDefinition("pay", "Pay somebody", {"type": "object", "properties": {}})
WITH_TOOLS = CompletionRequest([ChatMessage.user("Pay.")], tools=(TOOL,))


@pytest.fixture(params=ASYNC)
def on_loop(request):
    """Run the test in both asynchronous ways to ask."""
    return request.param


def alone(provider, config=SOON, **settings):
    """Return a chain of one provider with hedging and nothing else."""
    settings = {"retry": None, "circuit_breaker": None, **settings}
    return FallbackChain([provider], hedging=config, **settings)


def test_a_quick_answer_is_asked_for_once(world, on_loop):
    """An answer before the delay sends nothing beside it."""
    provider = ScriptedProvider("a", Slow(0.9, "Paris"))
    response = world.ask(alone(provider), on_loop)
    assert (response.content.strip(), len(provider.requests), world.clock.elapsed()) == ("Paris", 1, 0.9)
    assert world.trace.of(HedgeSent) == []


def test_the_second_request_wins_over_a_slow_first(world, on_loop):
    """After the delay the call is sent again, and the answer that comes first ends it at once."""
    provider = ScriptedProvider("a", Slow(30, "late"), Slow(0.5, "Paris"))
    response = world.ask(alone(provider), on_loop)
    assert (response.content.strip(), world.clock.elapsed()) == ("Paris", 1.5)
    assert provider.starts == [0.0, 1.0]
    assert [(each.purpose, each.outcome) for each in response.attempts] == [("call", "cancelled"), ("hedge", "200")]
    (sent,), (decided,) = world.trace.of(HedgeSent), world.trace.of(HedgeDecided)
    assert (sent.number, sent.waited) == (1, 1.0)
    assert (decided.winner, decided.provider, decided.given_up) == (1, "a", 1)


def test_the_first_request_may_still_win(world, on_loop):
    """Whoever answers first wins; the request beside is cancelled."""
    provider = ScriptedProvider("a", Slow(1.2, "Paris"), Slow(5, "late"))
    response = world.ask(alone(provider), on_loop)
    assert (response.content.strip(), world.clock.elapsed()) == ("Paris", 1.2)
    assert [(each.purpose, each.outcome) for each in response.attempts] == [("hedge", "cancelled"), ("call", "200")]


def test_of_two_that_end_at_once_the_first_wins_and_both_are_charged(world, on_loop):
    """Two answers at the same moment: one is handed over, both are billed."""
    provider = ScriptedProvider("a", Slow(2, "Paris"), Slow(1, "Rome"))
    ledger = CostLedger()
    chain = alone(provider, budget=Budget(BudgetConfig(max_tokens_per_session=10_000), ledger=ledger))
    response = world.ask(chain, on_loop)
    assert response.content.strip() == "Paris"
    assert sorted(entry.purpose for entry in ledger.entries) == ["call", "hedge"]
    assert all(each.billed for each in response.attempts)


@pytest.mark.parametrize("allowed", [False, True])
def test_h08_calls_with_side_effects_are_sent_once(world, on_loop, allowed):
    """Tools and tool results are never sent twice, unless that is asked for."""
    result = CompletionRequest([ChatMessage.user("Pay."), ChatMessage.tool_result("c1", "paid", name="pay")])
    for request in (WITH_TOOLS, result):
        provider = ScriptedProvider("a", Slow(5, "Paris"))
        chain = alone(provider, HedgingConfig(delay=1.0, allow_tools=allowed))
        world.ask(chain, on_loop, request)
        assert len(provider.requests) == (2 if allowed else 1)


def test_h08_the_ledger_has_both_requests_and_the_effect_is_one(on_loop):
    """Of two requests of one call the provider bills both, the ledger has both, and the caller gets one answer."""
    with Simulation() as sim:
        sim.openai.fails(faults.SlowFirstToken(20)).replies("Paris", times=None)
        ledger = CostLedger()
        budget = Budget(BudgetConfig(max_cost_per_session="1.00"), ledger=ledger)
        chain = alone(sim.openai.as_provider("gpt-4o"), budget=budget)
        asyncio.run(ask(chain, on_loop))
        answers = sim.trace.of(RequestAnswered)
    assert sorted(entry.purpose for entry in ledger.entries) == ["call", "hedge"]
    assert len(answers) == 2
    assert ledger.total_usd >= sum(each.cost_usd or 0 for each in answers) > 0
    balance = budget.balance()
    assert (balance.spent_usd, balance.reserved_usd) == (ledger.total_usd, Decimal(0))


def test_u04_the_loser_is_charged_as_far_as_it_had_come(world, on_loop):
    """A cancelled loser is in the ledger with its prompt at least, and nothing stays reserved."""
    ledger = CostLedger()
    budget = Budget(BudgetConfig(max_tokens_per_session=100_000), ledger=ledger)
    provider = ScriptedProvider("a", Slow(30, "late"), "Paris")
    world.ask(alone(provider, budget=budget), on_loop)
    loser, winner = sorted(ledger.entries, key=lambda entry: entry.purpose)
    assert loser.purpose == "call"
    assert loser.usage.input_tokens > 0
    assert (winner.purpose, winner.usage) == ("hedge", Usage(10, 2))
    balance = budget.balance()
    assert (balance.reserved_tokens, balance.spent_tokens) == (0, loser.usage.total_tokens + 12)


def test_h07_no_task_is_left_behind(world, on_loop):
    """When the answer is there, every task of the race has ended, and the loser has given its permit back."""
    provider = ScriptedProvider("a", Slow(30, "late"), "Paris")

    async def scenario():
        await ask(alone(provider), on_loop)
        return len(asyncio.all_tasks()), provider.in_flight

    assert world.run(scenario()) == (1, 0)


def test_h07_a_cancelled_caller_cancels_every_request(world, on_loop):
    """A caller who goes away leaves nothing running, and everything is recorded as cancelled."""
    provider = ScriptedProvider("a", Slow(30, "late"))
    ledger = CostLedger()
    budget = Budget(BudgetConfig(max_tokens_per_session=100_000), ledger=ledger)
    chain = alone(provider, budget=budget)

    async def scenario():
        task = asyncio.ensure_future(ask(chain, on_loop))
        await asyncio.sleep(2)
        task.cancel()
        await asyncio.wait([task])
        return task.cancelled(), len(asyncio.all_tasks()), provider.in_flight

    assert world.run(scenario()) == (True, 1, 0)
    assert [event.attempt.outcome for event in world.trace.of(AttemptEnded)] == ["cancelled", "cancelled"]
    assert budget.balance().reserved_tokens == 0


def test_requests_follow_one_another_up_to_the_most(world, on_loop):
    """With two beside the first, the third follows after twice the delay."""
    provider = ScriptedProvider("a", Slow(30), Slow(30), Slow(1, "Paris"))
    response = world.ask(alone(provider, HedgingConfig(delay=2.0, max_hedges=2)), on_loop)
    assert provider.starts == [0.0, 2.0, 4.0]
    assert [each.outcome for each in response.attempts] == ["cancelled", "cancelled", "200"]


def test_an_error_waits_for_the_requests_that_are_under_way(world, on_loop):
    """The first fails after the second was sent: the second's answer still counts."""
    provider = ScriptedProvider("a", Slow(2, down()), Slow(3, "Paris"))
    response = world.ask(alone(provider), on_loop)
    assert (response.content.strip(), world.clock.elapsed()) == ("Paris", 4.0)
    assert [each.outcome for each in response.attempts] == ["503", "200"]


def test_when_every_request_fails_the_first_error_is_told(world, on_loop):
    """Two failures: the first request's error, with the attempts of both."""
    provider = ScriptedProvider("a", Slow(2, down(500)), Slow(3, down(503)))
    error = world.fail(alone(provider), on_loop)
    assert isinstance(error, ServerError)
    assert error.status == 500
    assert [each.outcome for each in error.attempts] == ["503", "500"]


def test_a_failure_before_the_delay_ends_the_call(world, on_loop):
    """Hedging answers slowness; errors are the business of retry and fallback."""
    provider = ScriptedProvider("a", down())
    assert isinstance(world.fail(alone(provider), on_loop), ServerError)
    assert len(provider.requests) == 1


def test_retry_and_fallback_go_on_inside_each_request(world, on_loop):
    """A request that fails is retried and handed on while the other one is under way."""
    first, second = ScriptedProvider("a", Slow(60), down()), ScriptedProvider("b", Slow(1, "Paris"))
    chain = FallbackChain([first, second], retry=RetryConfig(max_attempts=2, jitter=False), hedging=SOON)
    response = world.ask(chain, on_loop)
    assert (response.provider, len(first.requests), world.clock.elapsed()) == ("b", 3, 3.0)
    assert [each.purpose for each in response.attempts] == ["call", "hedge", "hedge", "hedge"]


def test_the_next_provider_may_be_asked(world, on_loop):
    """With `to="next"`, the second request goes where the first one is not."""
    slow, quick = ScriptedProvider("a", Slow(30, "late")), ScriptedProvider("b", Slow(1, "Paris"))
    chain = FallbackChain([slow, quick], hedging=HedgingConfig(delay=1.0, to="next"))
    response = world.ask(chain, on_loop)
    assert (response.provider, len(slow.requests), len(quick.requests)) == ("b", 1, 1)
    assert [each.provider for each in response.attempts] == ["a", "b"]


def test_the_next_provider_is_next_to_where_the_first_request_is(world, on_loop):
    """The first request has moved on to the second provider, so the one beside goes to the first again."""
    first, second = ScriptedProvider("a", down(), "Paris"), ScriptedProvider("b", Slow(30, "late"))
    chain = FallbackChain([first, second], retry=None, hedging=HedgingConfig(delay=1.0, to="next"))
    response = world.ask(chain, on_loop)
    assert (response.provider, len(first.requests), len(second.requests)) == ("a", 2, 1)


def test_a_stream_is_decided_by_its_first_visible_piece(world):
    """The stream that shows something first is handed over; nothing of the other is mixed in."""
    provider = ScriptedProvider("a", Slow(30, "late late"), "Paris it is")
    chain = alone(provider)

    async def scenario():
        return [event.text async for event in chain.stream_async(REQUEST) if event.text]

    assert "".join(world.run(scenario())) == "Paris it is "


def test_a_stream_that_breaks_after_its_first_piece_is_not_replaced(world):
    """Past the commit point an answer is the caller's; the error has every attempt."""
    provider = ScriptedProvider("a", Slow(30), Cut("The capital", ServerError("gone", status=500)))
    error = world.fail(alone(provider), "stream_async")
    assert error.partial_text.strip() == "The capital"
    assert [each.outcome for each in error.attempts] == ["cancelled", "error"]


def test_a_percentile_is_learnt_first(world, on_loop):
    """Until there are enough answers nothing is sent twice; then the slowest share is."""
    config = HedgingConfig(percentile=90, min_samples=10, samples=10)
    provider = ScriptedProvider("a", *(Slow(n / 10, "ok") for n in range(1, 11)), Slow(50, "late"), Slow(0.1, "Paris"))
    chain = alone(provider, config)
    for _ in range(10):
        world.ask(chain, on_loop)
    assert world.trace.of(HedgeSent) == []
    assert world.ask(chain, on_loop).content.strip() == "Paris"
    (sent,) = world.trace.of(HedgeSent)
    assert sent.waited == 0.9


def test_budgets_hold(world, on_loop):
    """A second request that the budget has no room for is not sent, and the first goes on."""
    budget = Budget(BudgetConfig(max_tokens_per_session=1100))
    provider = ScriptedProvider("a", Slow(5, "Paris"))
    request = REQUEST.with_max_tokens(1000)
    response = world.ask(alone(provider, budget=budget), on_loop, request)
    assert (response.content.strip(), len(provider.requests)) == ("Paris", 1)
    assert len(world.trace.of(BudgetRejected)) == 1
    assert isinstance(
        world.fail(alone(provider, budget=budget), on_loop, request.with_max_tokens(1100)), BudgetExceededError
    )


def test_most_attempts_hold_over_all_requests(world, on_loop):
    """With `max_attempts=1` nothing is sent beside the first."""
    provider = ScriptedProvider("a", Slow(5, "Paris"))
    world.ask(alone(provider, max_attempts=1), on_loop)
    assert len(provider.requests) == 1


def test_the_deadline_ends_every_request(world, on_loop):
    """A deadline is that of the call: both requests end with it, and none is sent when it is too late."""
    provider = ScriptedProvider("a", Slow(60))
    chain = alone(provider, timeouts=TimeoutConfig(deadline=3.0))
    assert isinstance(world.fail(chain, on_loop), DeadlineExceededError)
    assert (world.clock.elapsed(), provider.starts, provider.in_flight) == (3.0, [0.0, 1.0], 0)


def test_requests_of_one_call_have_names_of_their_own():
    """A provider that knows requests by their name would point at the first instead of answering the second."""
    with Simulation() as sim:
        sim.openai.fails(faults.SlowFirstToken(20)).replies("Paris", times=None)
        provider = OpenAIProvider("k", model="gpt-4o", idempotency_header="Idempotency-Key")
        for request in (REQUEST, REQUEST.with_idempotency_key("mine")):
            asyncio.run(alone(provider).complete_async(request))
        names = [each.headers["idempotency-key"] for each in sim.openai.requests]
    assert len(set(names)) == len(names) == 3
    assert names[2] == "mine"


def test_a_chain_inside_is_asked_twice_as_a_whole(world, on_loop):
    """Hedging around a chain: its attempts are told, and tagged, as any other's."""
    provider = ScriptedProvider("a", Slow(30, "late"), "Paris")
    chain = HedgedProvider(FallbackChain([provider], retry=None), SOON)
    response = world.ask(chain, on_loop)
    assert [(each.purpose, each.outcome) for each in response.attempts] == [("call", "cancelled"), ("hedge", "200")]
    assert chain.name == "fallback-chain"


def test_a_wrapped_provider_keeps_its_name_and_model(world):
    """The wrapper answers as the provider does, in clients and chains too."""
    hedged = HedgedProvider(ScriptedProvider("a", "Paris", model="m1"), SOON)
    assert (hedged.name, hedged.model, hedged.capabilities.is_chain) == ("a", "m1", True)
    assert world.ask(FallbackChain([hedged]), "complete_async").provider == "a"


@pytest.mark.parametrize("way", ["complete", "stream"])
def test_h07_blocking_code_is_hedged_with_threads(way):
    """In blocking code threads race in virtual time; the loser is charged when it ends, and leaves no thread."""
    with Simulation() as sim:
        sim.openai.fails(faults.SlowFirstToken(20)).replies("Paris", times=None)
        ledger = CostLedger()
        budget = Budget(BudgetConfig(max_cost_per_session="1.00"), ledger=ledger)
        chain = alone(sim.openai.as_provider("gpt-4o"), budget=budget)
        client = LLMClient(chain)
        if way == "complete":
            assert client.ask("Capital?") == "Paris"
        else:
            with client.stream(REQUEST) as stream:
                assert "".join(event.text for event in stream if event.kind == "text") == "Paris"
        assert sim.clock.elapsed() < 2
        assert [event.winner for event in sim.trace.of(HedgeDecided)] == [1]
        sim.clock.sleep(60)
        assert [thread.name for thread in threading.enumerate() if "hedge" in thread.name] == []
        assert sorted(entry.purpose for entry in ledger.entries) == ["call", "hedge"]
        assert ledger.total_usd >= sum(each.cost_usd or 0 for each in sim.trace.of(RequestAnswered))
        assert budget.balance().reserved_usd == 0


def test_h07_a_thread_that_is_given_up_neither_waits_nor_asks_again():
    """A loser in the wait for its retry ends at once, and asks nobody any more."""
    with Simulation() as sim:
        handle = sim.openai.fails(faults.ServerError(503)).replies(Reply("Paris", latency=1.5))
        retry = RetryConfig(max_attempts=2, base_delay=40, max_delay=40, jitter=False)
        chain = alone(handle.as_provider("gpt-4o"), retry=retry)
        assert LLMClient(chain).ask("Capital?") == "Paris"
        sim.clock.sleep(0.001)
        assert [thread.name for thread in threading.enumerate() if "hedge" in thread.name] == []
        sim.clock.sleep(100)
        assert len(handle.requests) == 2


def test_blocking_code_on_a_clock_of_one_thread_is_refused(world):
    """Where no second thread can live by the clock, that is said, with what to do."""
    error = world.fail(alone(ScriptedProvider("a")), "complete")
    assert isinstance(error, ConfigurationError)
    assert "with Simulation():" in str(error)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({}, "`delay` or `percentile`, got neither"),
        ({"delay": 1.0, "percentile": 95}, "got both"),
        ({"delay": 0}, "delay must be more than 0 seconds"),
        ({"delay": -1.0}, "delay must be more than 0 seconds"),
        ({"delay": float("inf")}, "delay must be more than 0 seconds"),
        ({"percentile": 0}, "more than 0 and less than 100"),
        ({"percentile": 100}, "more than 0 and less than 100"),
        ({"delay": 1.0, "max_hedges": 0}, "max_hedges must be a whole number, 1 or more"),
        ({"delay": 1.0, "max_hedges": 1.5}, "max_hedges must be a whole number"),
        ({"delay": 1.0, "to": "other"}, "to is `same` or `next`"),
        ({"percentile": 95, "samples": 10, "min_samples": 20}, "would never be sent"),
    ],
)
def test_contradictions_are_refused(settings, message):
    """Neither and both, zero, negative and endless are refused when the settings are made."""
    with pytest.raises(ConfigurationError, match=message):
        HedgingConfig(**settings)


def test_a_next_provider_has_to_be_there():
    """One provider cannot be asked next, and something else is no `HedgingConfig`."""
    with pytest.raises(ConfigurationError, match="has one provider"):
        FallbackChain([ScriptedProvider("a")], hedging=HedgingConfig(delay=1.0, to="next"))
    with pytest.raises(ConfigurationError, match=r"HedgingConfig\(delay=2.0\)"):
        FallbackChain([ScriptedProvider("a")], hedging=2.0)


def test_all_requests_of_a_chain_fail_as_one(world, on_loop):
    """Each request goes through the whole chain; what is raised has every attempt of both."""
    chain = FallbackChain(
        [ScriptedProvider("a", Slow(2, down())), ScriptedProvider("b", Slow(2, down()))], retry=None, hedging=SOON
    )
    error = world.fail(chain, on_loop)
    assert isinstance(error, AllProvidersFailedError)
    assert len(error.attempts) == 4
