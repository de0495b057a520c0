"""Routing: what a prompt is worth, the cascade and its bill, and the provider that has done best lately."""

import asyncio
import subprocess
import sys
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmtest import (
    AdaptiveRoutingConfig,
    Budget,
    BudgetConfig,
    ChatMessage,
    CompletionRequest,
    CostLedger,
    FallbackChain,
    HedgingConfig,
    LLMClient,
    Simulation,
    SmartRoutingConfig,
    SmartRoutingProvider,
    ToolDefinition,
    faults,
)
from llmtest.errors import (
    AuthenticationError,
    BudgetExceededError,
    ConfigurationError,
    InvalidRequestError,
    ServerError,
)
from llmtest.events import CascadeTaken, FallbackTaken, HedgeSent, RequestAnswered, RouteTaken
from llmtest.resilience import Tier, explain
from tests.resilience.scripted_provider import REQUEST, Cut, ScriptedProvider, Slow, ask, down

HARD = """Refactor this function and explain the trade-offs step by step:
```python
def work(items):
    import os
```
1. analyse why its latency grows in a distributed system
2. compare two designs, then prove which one is exactly right"""
TOOL = ToolDefinition("pay", "Pay somebody", {"type": "object", "properties": {}})


def pair(cheap=("Paris",), primary=("Paris, certainly",), config=None, **policies):
    """Return a smart routing of two scripted providers, and both."""
    one = ScriptedProvider("cheap", *cheap, model="small")
    two = ScriptedProvider("primary", *primary, model="large")
    return SmartRoutingProvider(two, one, config, **policies), one, two


def test_f120_simple_prompts_go_to_the_cheap_provider_and_others_to_the_primary_one(world, mode):
    """The defaults: a cascade, and a threshold of 0.6."""
    smart, _, _ = pair()
    assert (smart.config.cascade_enabled, smart.config.complexity_threshold) == (True, 0.6)
    assert world.ask(smart, mode).provider == "cheap"
    assert world.ask(smart, mode, CompletionRequest.ask(HARD)).provider == "primary"
    simple, hard = world.trace.of(RouteTaken)
    assert (simple.provider, simple.cause, simple.tier) == ("cheap", "score", "flash")
    assert (hard.provider, hard.cause, hard.tier, hard.percent) == ("primary", "score", "frontier", Decimal("100.0"))


def test_f121_a_score_is_the_sum_of_its_parts():
    """The score can be explained: parts with their weight and what was found, which add up to 1 at most."""
    found = explain("Explain why the sky is blue, and compare it with the sea.")
    by_name = {part.name: part for part in found.parts}
    assert by_name["reasoning"].evidence == ("explain", "why", "compar")
    assert found.score == pytest.approx(min(1, sum(part.points for part in found.parts)))
    assert found.tier is Tier.STANDARD
    assert str(found).splitlines()[1].split() == [
        "0.35",
        "reasoning",
        "1.00",
        "x",
        "0.35",
        "explain,",
        "why,",
        "compar",
    ]
    assert explain(HARD).score == 1.0


@pytest.mark.parametrize(
    ("score", "tier"),
    [
        (0, "flash"),
        (0.149, "flash"),
        (0.15, "standard"),
        (0.399, "standard"),
        (0.4, "pro"),
        (0.65, "frontier"),
        (1, "frontier"),
    ],
)
def test_f121_tiers_are_the_score_in_four_steps(score, tier):
    """Flash, standard, pro and frontier, with the bounds of the source."""
    assert Tier.of(score) == tier


@settings(max_examples=80, deadline=None)
@given(text=st.text(max_size=300))
def test_a_score_is_from_0_to_1_and_the_same_each_time(text):
    """Any text has one score, and more words of the same kind never lower it."""
    found = explain(text)
    assert 0 <= found.score <= 1
    assert explain(text) == found
    assert explain(f"{text} Explain why and prove it.").score >= found.score


def test_a_score_is_the_same_in_another_process():
    """No hash seed, clock or order of a set is in it."""
    code = f"from llmtest.resilience import explain; print(explain({HARD!r} + ' for patients'))"
    said = [
        subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=True, env={"PYTHONHASHSEED": seed}
        ).stdout
        for seed in "12"
    ]
    assert said[0] == said[1] == f"{explain(HARD + ' for patients')}\n"


@pytest.mark.parametrize(
    ("hint", "expected"), [("flash", "cheap"), ("standard", "cheap"), ("PRO", "primary"), ("frontier", "primary")]
)
def test_f121_a_hint_goes_before_the_score(world, hint, expected):
    """`[tier:x]` decides, and is not sent."""
    smart, cheap, primary = pair()
    prompt = HARD if expected == "cheap" else "Capital of France?"
    response = world.ask(smart, "complete_async", CompletionRequest.ask(f"[tier:{hint}] {prompt}"))
    assert response.provider == expected
    (sent,) = (*cheap.requests, *primary.requests)
    assert sent.messages[-1].content == prompt
    assert [event.cause for event in world.trace.of(RouteTaken)] == ["hint"]


def test_f121_an_override_goes_before_the_score_and_after_a_hint(world):
    """Regular expressions over the prompt; the first that is found counts."""
    config = SmartRoutingConfig(overrides={r"(?i)^translate": "cheap", r"France": "primary"})
    smart, _, _ = pair(config=config)
    prompts = [f"Translate: {HARD}", "Capital of France?", "[tier:flash] Capital of France?"]
    answers = [world.ask(smart, "complete_async", CompletionRequest.ask(prompt)).provider for prompt in prompts]
    assert answers == ["cheap", "primary", "cheap"]


def test_f121_tools_always_go_to_the_primary_provider(world):
    """Declared, called or answered, whatever hint there is."""
    smart, cheap, _ = pair()
    asked = CompletionRequest([ChatMessage.user("[tier:flash] Pay.")], tools=(TOOL,))
    result = CompletionRequest([ChatMessage.user("Pay."), ChatMessage.tool_result("c1", "paid", name="pay")])
    for request in (asked, result):
        assert world.ask(smart, "complete_async", request).provider == "primary"
    assert cheap.requests == []


def test_only_the_last_message_of_the_user_counts(world):
    """What was asked before was answered already."""
    smart, _, _ = pair()
    talk = [ChatMessage.user(HARD), ChatMessage.assistant("Done."), ChatMessage.user("Thanks.")]
    assert world.ask(smart, "complete_async", CompletionRequest(talk)).provider == "cheap"


def test_a_model_that_is_named_decides(world):
    """The cheap provider's model goes there, any other one to the primary provider."""
    smart, _, primary = pair()
    assert world.ask(smart, "complete_async", REQUEST.with_model("small")).provider == "cheap"
    assert world.ask(smart, "complete_async", REQUEST.with_model("other")).provider == "primary"
    assert primary.requests[0].model == "other"


@pytest.mark.parametrize("answer", ["I'm not sure, but maybe Lyon.", "I don\u2019t know.", ""])
def test_f122_an_uncertain_answer_cascades(world, answer):
    """An empty answer, or one that says that it is none, is asked of the primary provider."""
    smart, cheap, primary = pair(cheap=(answer,))
    response = world.ask(smart, "complete_async")
    assert (response.provider, len(cheap.requests), len(primary.requests)) == ("primary", 1, 1)
    (cascade,) = world.trace.of(CascadeTaken)
    assert (cascade.cause, cascade.from_model, cascade.to_model) == ("uncertain", "small", "large")
    assert cascade.evidence in {"empty", "i'm not sure", "i don't know"}


def test_f122_words_of_doubt_further_on_are_about_a_part(world):
    """A long answer that doubts one point at its end is an answer."""
    smart, _, primary = pair(cheap=("Paris. " * 60 + "I'm not sure about its suburbs.",))
    assert world.ask(smart, "complete_async").provider == "cheap"
    assert primary.requests == []


@pytest.mark.parametrize("streaming", ["stream", "stream_async"])
def test_f122_streams_skip_the_cascade_on_uncertainty(world, streaming):
    """A stream is append-only: what was shown stays, and nothing is asked beside."""
    smart, _, primary = pair(cheap=("I'm not sure.",))
    assert world.ask(smart, streaming).content.strip() == "I'm not sure."
    assert (primary.requests, smart.stats().cascade_escalations) == ([], 0)


def test_c12_an_error_cascades(world, mode):
    """Where the cheap provider fails in a way that another one can mend, the primary one answers."""
    smart, _, _ = pair(cheap=(down(),))
    response = world.ask(smart, mode)
    assert response.provider == "primary"
    assert [(each.provider, each.outcome, each.purpose) for each in response.attempts] == [
        ("cheap", "503", "call"),
        ("primary", "200", "cascade"),
    ]
    (cascade,) = world.trace.of(CascadeTaken)
    assert (cascade.cause, cascade.evidence) == ("error", "503")
    assert len(world.trace.of(FallbackTaken)) == 1


def test_c12_each_cause_can_be_had_alone(world):
    """`cascade_on` names one of the two, or the cascade is off."""
    errors = SmartRoutingConfig(cascade_on={"error"})
    doubts = SmartRoutingConfig(cascade_on={"uncertain"})
    off = SmartRoutingConfig(cascade_enabled=False)
    for config, answered, failed in ((errors, "cheap", "primary"), (doubts, "primary", None), (off, "cheap", None)):
        smart, _, _ = pair(cheap=("I don't know.",), config=config)
        assert world.ask(smart, "complete_async").provider == answered
        smart, _, _ = pair(cheap=(down(),), config=config)
        if failed is None:
            assert isinstance(world.fail(smart, "complete_async"), ServerError)
        else:
            assert world.ask(smart, "complete_async").provider == failed


def test_what_nobody_can_mend_does_not_cascade(world):
    """A wrong request is the caller's; a refused key goes to another key."""
    smart, _, primary = pair(cheap=(InvalidRequestError("no", status=400),))
    assert isinstance(world.fail(smart, "complete_async"), InvalidRequestError)
    assert primary.requests == []
    smart, _, _ = pair(cheap=(AuthenticationError("no", status=401),))
    assert world.ask(smart, "complete_async").provider == "primary"


def test_c13_usage_is_the_served_one_and_every_billed_attempt_is_told():
    """After a cascade the answer has the usage of who gave it; attempts and ledger have both, and the bill agrees."""
    with Simulation() as sim:
        sim.openai.replies("I don't know.")
        sim.anthropic.replies("Paris")
        ledger = CostLedger()
        smart = SmartRoutingProvider(
            primary=sim.anthropic.as_provider("claude-opus-4"),
            cheap=sim.openai.as_provider("gpt-4o-mini"),
            budget=Budget(BudgetConfig(max_cost_per_session="1.00"), ledger=ledger),
        )
        response = smart.complete(REQUEST)
        answers = sim.trace.of(RequestAnswered)
    cheap, served = response.attempts
    assert response.usage == served.usage != cheap.usage
    assert response.cost_usd == served.cost_usd
    assert ledger.total_usd == cheap.cost_usd + served.cost_usd == sum(each.cost_usd for each in answers)


def test_u04_the_cheap_answer_of_a_cascade_is_charged_and_tagged(world):
    """The ledger has the answer that was thrown away, and the second one under its purpose."""
    ledger = CostLedger()
    budget = Budget(BudgetConfig(max_tokens_per_session=10_000), ledger=ledger)
    smart, _, _ = pair(cheap=("I don't know.",), budget=budget)
    world.ask(smart, "complete_async")
    assert [(entry.provider, entry.purpose) for entry in ledger.entries] == [("cheap", "call"), ("primary", "cascade")]
    assert budget.balance().reserved_tokens == 0


def test_an_uncertain_answer_is_kept_where_the_primary_provider_fails(world):
    """A doubtful answer that was paid for is worth more than an error, and the failure is among the attempts."""
    smart, _, _ = pair(cheap=("I don't know.",), primary=(down(),))
    response = world.ask(smart, "complete_async")
    assert (response.provider, response.content.strip()) == ("cheap", "I don't know.")
    assert [(each.provider, each.outcome) for each in response.attempts] == [("primary", "503"), ("cheap", "200")]


def test_an_uncertain_answer_is_kept_where_the_budget_has_no_room(world):
    """A cascade that would pass a limit is not taken."""
    budget = Budget(BudgetConfig(max_tokens_per_session=160))
    smart, _, primary = pair(cheap=("I don't know.",), budget=budget)
    request = REQUEST.with_max_tokens(100)
    assert world.ask(smart, "complete_async", request).provider == "cheap"
    assert primary.requests == []
    assert isinstance(world.fail(smart, "complete_async", REQUEST.with_max_tokens(200)), BudgetExceededError)


def test_f125_stats(world):
    """Calls, those of each provider, and those that went on."""
    smart, _, _ = pair(cheap=("Paris", "I don't know.", down(), "Rome"))
    for prompt in ("a?", "b?", "c?", "d?", HARD):
        world.ask(smart, "complete_async", CompletionRequest.ask(prompt))
    stats = smart.stats()
    assert (stats.total, stats.cheap, stats.primary, stats.cascade_escalations) == (5, 4, 1, 2)


def test_policies_of_a_chain_hold_for_it(world):
    """Deadline, attempts and hedging are those of a chain; a cascade counts as an attempt."""
    smart, _, primary = pair(cheap=("I don't know.",), max_attempts=1)
    assert world.ask(smart, "complete_async").provider == "cheap"
    assert primary.requests == []
    smart, _, _ = pair(cheap=(Slow(30), "I don't know."), hedging=HedgingConfig(delay=1.0))
    response = world.ask(smart, "complete_async")
    assert response.provider == "primary"
    assert sorted(each.purpose for each in response.attempts) == ["call", "cascade", "hedge"]
    assert len(world.trace.of(HedgeSent)) == 1


def test_a_stream_that_breaks_after_its_first_piece_does_not_cascade(world):
    """What was shown is the caller's; before that an error cascades like any other."""
    smart, _, primary = pair(cheap=(Cut("The capital", ServerError("gone", status=500)),))
    error = world.fail(smart, "stream_async")
    assert (error.partial_text.strip(), primary.requests) == ("The capital", [])


def test_h04_answers_of_concurrent_calls_are_attributed_to_who_gave_them(world):
    """Fifty calls at once through a routing that cascades: each answer names the provider that its text is of."""
    cheap = ScriptedProvider(
        "cheap", *(Slow(n % 3, f"cheap {n}" if n % 2 else "I don't know.") for n in range(40)), model="s"
    )
    primary = ScriptedProvider("primary", *(Slow(n % 5, f"primary {n}") for n in range(60)), model="l")
    smart = SmartRoutingProvider(primary, cheap)

    async def scenario():
        prompts = ["Capital?" if number % 3 else HARD for number in range(50)]
        return await asyncio.gather(*(ask(smart, "complete_async", CompletionRequest.ask(each)) for each in prompts))

    answers = world.run(scenario())
    assert all(answer.provider == answer.content.split()[0] == answer.attempts[-1].provider for answer in answers)
    assert {answer.provider for answer in answers} == {"cheap", "primary"}


def test_over_the_wire_with_blocking_clients():
    """Real routes of simulated providers, whole and streamed, in blocking code."""
    with Simulation() as sim:
        sim.openai.replies("Paris").fails(faults.ServerError(503))
        sim.anthropic.replies("Rome")
        smart = SmartRoutingProvider(sim.anthropic.as_provider("claude-opus-4"), sim.openai.as_provider("gpt-4o-mini"))
        client = LLMClient(smart)
        assert client.ask("Capital of France?") == "Paris"
        with client.stream(CompletionRequest.ask("Capital of Italy?")) as stream:
            assert "".join(event.text for event in stream) == "Rome"
        sim.assert_sequence("openai:200", "openai:503", "anthropic:200")


@pytest.mark.parametrize(
    ("given_settings", "message"),
    [
        ({"complexity_threshold": 1.5}, "complexity_threshold must be from 0 to 1"),
        ({"complexity_threshold": -0.1}, "complexity_threshold must be from 0 to 1"),
        ({"complexity_threshold": "high"}, "complexity_threshold must be from 0 to 1"),
        ({"cascade_on": {"errors"}}, "collection of `error` and `uncertain`"),
        ({"cascade_on": "error"}, "collection of `error` and `uncertain`"),
        ({"cascade_on": set()}, "the cascade is on and not"),
        ({"cascade_on": {"error"}, "cascade_enabled": False}, "the cascade is off and not"),
        ({"overrides": {"x": "dear"}}, "leads to `cheap` or `primary`, got 'dear'"),
        ({"overrides": {"(": "cheap"}}, "is no regular expression"),
    ],
)
def test_contradictions_are_refused(given_settings, message):
    """Numbers out of range, words that are none, a cascade that is off and on."""
    with pytest.raises(ConfigurationError, match=message):
        SmartRoutingConfig(**given_settings)


def test_what_would_decide_nothing_is_refused():
    """Arguments that routing overrules, something else than a configuration, and two providers in the wrong order."""
    one, two = ScriptedProvider("a"), ScriptedProvider("b")
    for settings_given in ({"strategy": "random"}, {"routing": AdaptiveRoutingConfig()}, {"on_all_open": "fail"}):
        with pytest.raises(ConfigurationError, match="would decide nothing"):
            SmartRoutingProvider(one, two, **settings_given)
    with pytest.raises(ConfigurationError, match="takes a `SmartRoutingConfig`"):
        SmartRoutingProvider(one, two, 0.6)
    with Simulation() as sim:
        dear, cheap = sim.anthropic.as_provider("claude-opus-4"), sim.openai.as_provider("gpt-4o-mini")
        with pytest.raises(ConfigurationError, match=r"SmartRoutingProvider\(primary=\.\.\., cheap=\.\.\.\)"):
            SmartRoutingProvider(cheap, dear)


def adaptive(world, *providers, **settings_given):
    """Return a chain that asks whom it has found to be best."""
    config = AdaptiveRoutingConfig(**settings_given)
    return FallbackChain(list(providers), routing=config, retry=None, circuit_breaker=None)


def test_f124_the_fastest_is_asked(world):
    """After each was asked once, the one with the least moving average of latency is."""
    slow, fast = ScriptedProvider("slow", Slow(4, "a")), ScriptedProvider("fast", Slow(1, "b"))
    chain = adaptive(world, slow, fast)
    assert [world.ask(chain, "complete_async").provider for _ in range(6)] == ["slow", *["fast"] * 5]
    assert [event.cause for event in world.trace.of(RouteTaken)] == ["exploration", "exploration", *["latency"] * 4]


def test_f124_a_moving_average_of_a_tenth_forgives_one_slow_answer(world):
    """One answer of 10 s among those of 1 s makes the average 1.9 s: still the fastest."""
    steady = ScriptedProvider("steady", Slow(2.5, "a"))
    jumpy = ScriptedProvider("jumpy", Slow(1, "b"), Slow(10, "b"), Slow(1, "b"))
    chain = adaptive(world, steady, jumpy)
    assert [world.ask(chain, "complete_async").provider for _ in range(5)] == ["steady", *["jumpy"] * 4]


def test_f124_reliability_and_cost_can_count_most():
    """`prefer="reliability"` leaves the one that fails; `prefer="cost"` takes the cheaper one."""
    for prefer, expected in (("reliability", ["anthropic"] * 4), ("cost", ["anthropic", *["openai"] * 3])):
        with Simulation() as sim:
            sim.openai.echoes()
            sim.anthropic.echoes()
            if prefer == "reliability":
                sim.openai.fails(faults.ServerError(500))
            providers = [sim.openai.as_provider("gpt-4o-mini"), sim.anthropic.as_provider("claude-opus-4")]
            order = providers if prefer == "reliability" else providers[::-1]
            routing = AdaptiveRoutingConfig(prefer=prefer)
            chain = FallbackChain(order, routing=routing, retry=None, circuit_breaker=None)
            assert [chain.complete(REQUEST).provider for _ in range(4)] == expected


def test_f124_after_a_failure_the_next_two_are_asked(world):
    """The best, and two more at most."""
    providers = [ScriptedProvider(name, down()) for name in "abcd"]
    error = world.fail(adaptive(world, *providers), "complete_async")
    assert [name for name, _ in error.errors] == ["a", "b", "c"]
    error = world.fail(adaptive(world, *providers, fallbacks=0), "complete_async")
    assert isinstance(error, ServerError)


def test_h02_a_provider_that_was_slow_is_asked_again(world):
    """Averages of who is never asked never change: after a while one call tries it, and finds that it is fast now."""
    healed = ScriptedProvider("healed", Slow(20, "a"), Slow(0.1, "a"))
    steady = ScriptedProvider("steady", Slow(1, "b"))
    chain = adaptive(world, healed, steady, alpha=0.5)

    async def scenario():
        return [(await chain.complete_async(REQUEST)).provider for _ in range(600)]

    answered = world.run(scenario())
    assert answered[:30] == ["healed", *["steady"] * 29]
    assert "healed" in answered[30:70]
    assert answered[-100:].count("healed") > 90


def test_h02_only_one_call_tries_a_slow_provider_again(world):
    """Many calls at once do not all go exploring."""
    slow, fast = ScriptedProvider("slow", Slow(9, "a")), ScriptedProvider("fast", Slow(1, "b"))
    chain = adaptive(world, slow, fast)

    async def scenario():
        for _ in range(2):
            await chain.complete_async(REQUEST)
        await asyncio.sleep(70)
        found = await asyncio.gather(*(chain.complete_async(REQUEST) for _ in range(20)))
        return [each.provider for each in found].count("slow")

    assert world.run(scenario()) == 1


def test_adaptive_routing_refuses_what_contradicts_it():
    """A strategy beside it, numbers out of range, something else."""
    provider = ScriptedProvider("a")
    with pytest.raises(ConfigurationError, match="strategy `random`, of which only one would hold"):
        FallbackChain([provider], routing=AdaptiveRoutingConfig(), strategy="random")
    with pytest.raises(ConfigurationError, match="`routing` is an `AdaptiveRoutingConfig`"):
        FallbackChain([provider], routing=SmartRoutingConfig())
    for wrong in ({"alpha": 0}, {"alpha": 1.5}, {"explore_after": 0}, {"fallbacks": -1}, {"prefer": "price"}):
        with pytest.raises(ConfigurationError, match="routing: "):
            AdaptiveRoutingConfig(**wrong)


def test_hedging_goes_with_every_strategy(world):
    """A strategy, or a routing, says where the requests that run side by side go."""
    for settings_given in ({"strategy": "round_robin"}, {"routing": AdaptiveRoutingConfig()}):
        providers = [ScriptedProvider("a", Slow(9, "late")), ScriptedProvider("b", "Paris")]
        chain = FallbackChain(providers, hedging=HedgingConfig(delay=1.0, to="next"), **settings_given)
        assert world.ask(chain, "complete_async").provider == "b"
