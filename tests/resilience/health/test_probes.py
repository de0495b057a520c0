"""Probes: when they are sent, what they tell, what they cost, and that nothing of them is left."""

import asyncio
import logging
from decimal import Decimal

import pytest

from llmtest import (
    Budget,
    BudgetConfig,
    CircuitBreakerConfig,
    CompletionRequest,
    CostLedger,
    FallbackChain,
    FallbackSlot,
    HealthConfig,
    Prices,
    RateLimitConfig,
    RetryConfig,
    TimeoutConfig,
)
from llmtest.errors import (
    AllProvidersFailedError,
    AuthenticationError,
    ConfigurationError,
    InvalidRequestError,
    ModelNotFoundError,
    PermissionDeniedError,
    ProviderConnectionError,
    QuotaExceededError,
    VirtualTimeStalledError,
)
from llmtest.events import AttemptEnded, CallEnded, HealthChanged, HealthProbed, HealthSkipped, KeyRefused
from llmtest.resilience import Pipeline
from llmtest.types import CompletionResponse, FinishReason, Timeouts, Usage
from tests.resilience.scripted_provider import REQUEST, ScriptedProvider, Slow, ask, down, limited

OFTEN = HealthConfig(interval=60.0, timeout=10.0)
ALONE = HealthConfig(interval=60.0, passive=False)
"""Probes alone tell, so that they come at every interval."""


class Asked(ScriptedProvider):
    """A provider that keeps apart when it was asked whether it is well."""

    @property
    def probes(self):
        """When it was asked whether it is well."""
        return [
            at for at, request in zip(self.starts, self.requests, strict=True) if request.messages[0].text == "ping"
        ]


class Answering(ScriptedProvider):
    """A provider whose answers are whole responses."""

    def _response(self, answer):
        return answer


def chain_of(*providers, health=OFTEN, **rest):
    """Return a chain with health and no other policy."""
    return FallbackChain(list(providers), health=health, **{"retry": None, "circuit_breaker": None, **rest})


async def idle(chain, seconds):
    """Call once, so that the chain is in use on this loop, and wait."""
    await ask(chain)
    await asyncio.sleep(seconds)


def states(world):
    """Return the changes of health in the trace."""
    return [(each.provider, each.to_state, each.at) for each in world.trace.of(HealthChanged)]


def test_f162_providers_are_asked_every_interval_on_a_loop(world):
    """A task asks each provider a minute after it was last known; the one that was called, a minute after the call."""
    first, second = Asked("a"), Asked("b")
    chain = chain_of(first, second)
    world.run(idle(chain, 200))
    assert first.probes == [60.0, 120.0, 180.0]
    assert second.probes == [60.0, 120.0, 180.0]


def test_f162_busy_providers_cost_no_probes(world):
    """Who is called more often than he would be asked is not asked; who is not called is."""
    first, second = Asked("a"), Asked("b")
    chain = chain_of(first, second)

    async def scenario():
        for _ in range(20):
            await ask(chain)
            await asyncio.sleep(14)

    world.run(scenario())
    assert first.probes == []
    assert second.probes == [60.0, 120.0, 180.0, 240.0]


def test_f162_without_passive_health_the_interval_is_all_that_counts(world):
    """Where calls do not tell, everybody is asked at every interval, however busy."""
    first = Asked("a")
    chain = chain_of(first, health=ALONE)

    async def scenario():
        for _ in range(20):
            await ask(chain)
            await asyncio.sleep(14)

    world.run(scenario())
    assert first.probes == [60.0, 120.0, 180.0, 240.0]


def test_f162_a_dead_provider_is_found_between_the_calls(world):
    """Three failed probes make a provider ill, so that the next call does not lose time on it; two make it well."""
    dead = Asked("a", "ok", down(), down(), down(), "ok", "ok")
    chain = chain_of(dead, Asked("b"), health=ALONE)

    async def scenario():
        await idle(chain, 185)
        assert [each.state for each in chain.health.report()] == ["unhealthy", "healthy"]
        response = await ask(chain)
        await asyncio.sleep(120)
        return response, await ask(chain)

    response, later = world.run(scenario())
    assert (response.provider, later.provider) == ("b", "a")
    assert states(world) == [("a", "unhealthy", 180.0), ("a", "healthy", 300.0)]
    (ill, well) = world.trace.of(HealthChanged)
    assert (ill.source, ill.count, ill.outcome, ill.error_class) == ("probe", 3, "503", "ServerError")
    assert (well.count, well.outcome) == (2, None)
    (skipped,) = world.trace.of(HealthSkipped)
    assert (skipped.provider, skipped.seconds) == ("a", 5.0)
    assert chain.metrics().provider("a").health_skips == 1


def test_all_probes_of_an_interval_go_at_once(world):
    """One that hangs holds up no other, and is given up after `timeout`."""
    hanging, quick = Asked("a", "ok", Slow(100)), Asked("b")
    chain = chain_of(hanging, quick)
    world.run(idle(chain, 71))
    assert quick.probes == [60.0]
    (failed,) = [event for event in world.trace.of(AttemptEnded) if event.attempt.outcome == "timeout"]
    assert (failed.at, failed.attempt.purpose) == (70.0, "health")
    assert chain.health.report()[0].last_failure == "timeout"


@pytest.mark.parametrize("mode", ["complete", "stream"])
def test_f162_blocking_calls_make_one_probe_that_is_due(world, mode):
    """Where nothing runs between the calls, a call makes the probe that is due the longest, and then goes on."""
    first, second = Asked("a"), Asked("b")
    chain = chain_of(first, second, health=ALONE)

    async def scenario():
        for _ in range(5):
            await ask(chain, mode)
            world.clock.sleep(50)

    world.run(scenario())
    assert first.probes == [100.0, 200.0]
    assert second.probes == [150.0]


def test_a_blocking_call_in_a_hurry_leaves_a_probe_to_the_next(world):
    """A call whose deadline is near does not spend it on a probe."""
    first, second = Asked("a"), Asked("b")
    chain = chain_of(first, second, health=ALONE, timeouts=TimeoutConfig(deadline=60.0))

    async def scenario():
        await ask(chain, "complete")
        world.clock.sleep(100)
        chain.complete(REQUEST, Timeouts(total=5.0))
        assert first.probes == second.probes == []
        await ask(chain, "complete")

    world.run(scenario())
    assert first.probes == [100.0]


@pytest.mark.parametrize(
    ("error", "outcome"),
    [
        (InvalidRequestError("bad", status=400), "400"),
        (ModelNotFoundError("gone", status=404), "404"),
        (AuthenticationError("key", status=401), "401"),
        (PermissionDeniedError("no", status=403), "403"),
        (QuotaExceededError("empty", status=429), "429"),
        (ProviderConnectionError("refused"), "reset"),
        (down(529), "529"),
        (ValueError("a bug of its own"), "error"),
    ],
    ids=lambda value: value if isinstance(value, str) else type(value).__name__,
)
def test_h01_no_refusal_is_health(world, error, outcome):
    """Whatever a right, small call is answered with but an answer is a failure: calls would get the same."""
    chain = chain_of(Asked("a", error), Asked("b"), health=HealthConfig(failure_threshold=1))
    first, second = world.run(chain.health.check_async())
    assert (first.state, second.state) == ("unhealthy", "healthy")
    assert first.last_failure == outcome or isinstance(error, ProviderConnectionError)
    assert chain.is_healthy is True


def test_h01_a_429_is_neither(world):
    """A full quota passes by itself: it makes nobody ill, and nobody well."""
    provider = Asked("a", limited(), down(), limited(), down(), limited(), "ok", limited(), "ok")
    chain = chain_of(provider, health=HealthConfig(failure_threshold=2, recovery_threshold=2))

    async def scenario():
        return [(await chain.health.check_async())[0].state[:2] for _ in range(8)]

    assert world.run(scenario()) == ["he", "he", "he", "un", "un", "un", "un", "he"]


def reply(**facts):
    """Return an answer with nothing to say."""
    return CompletionResponse(**{"usage": Usage(3, 1), "model": "m", **facts})


@pytest.mark.parametrize(
    ("answer", "state"),
    [
        (reply(finish_reason=FinishReason.LENGTH), "healthy"),
        (reply(usage=Usage(3, 1, reasoning_tokens=1)), "healthy"),
        (reply(finish_reason=FinishReason.STOP), "unhealthy"),
        (
            InvalidRequestError(
                "Could not finish the message because max_tokens or model output limit was reached. Please try again "
                "with higher max_tokens.",
                status=400,
            ),
            "healthy",
        ),
    ],
    ids=["cut-off", "has-thought", "says-nothing", "told-by-a-400"],
)
def test_h01_a_model_that_thinks_its_limit_away_is_well(world, answer, state):
    """An answer that is empty because the probe allows one token is told from one that is empty for no reason."""
    chain = chain_of(Answering("a", answer), health=HealthConfig(max_tokens=1, failure_threshold=1))
    (found,) = world.run(chain.health.check_async())
    assert (found.state, found.last_failure) == (state, None if state == "healthy" else "empty")


def test_an_answer_may_have_to_be_accepted(world):
    """A provider that answers something else than it was asked for is not well, where somebody looks at that."""
    config = HealthConfig.caxton(failure_threshold=1, accept=lambda answer: "OK" in (answer.content or ""))
    well, odd = ScriptedProvider("a", "OK"), ScriptedProvider("b", "I am a teapot.")
    chain = chain_of(well, odd, health=config)
    assert [each.state for each in world.run(chain.health.check_async())] == ["healthy", "unhealthy"]
    assert well.requests[0].messages[0].text == "Hello, respond with 'OK'"
    assert chain.health.report()[1].last_failure == "rejected"


def test_c32_probes_are_paid_for_and_tagged(world):
    """A probe is charged like a call, to nobody's task or tenant, and the ledger knows what it was for."""
    prices = Prices()
    prices.add("a:m", input_usd_per_mtok=1, output_usd_per_mtok=1)
    ledger = CostLedger()
    budget = Budget(prices=prices, ledger=ledger)
    chain = chain_of(Asked("a"), budget=budget)

    async def scenario():
        with budget.tenant("acme"), budget.task("report"):
            await idle(chain, 65)

    world.run(scenario())
    call, probe = ledger.entries
    assert (call.purpose, call.tenant, call.task) == ("call", "acme", "report")
    assert (probe.purpose, probe.tenant, probe.task, probe.usage.total_tokens) == ("health", None, None, 12)
    assert ledger.by_purpose()["health"] == probe.cost_usd == Decimal("0.000012")
    (probed,) = world.trace.of(HealthProbed)
    assert (probed.asked, probed.told, probed.outcome, probe.label, probe.call) == (
        "call",
        "success",
        None,
        "health",
        probed.call,
    )
    assert [event.label for event in world.trace.of(CallEnded)] == ["fallback-chain"]


def test_a_probe_that_the_budget_refuses_tells_nothing(world):
    """Our own policies hold a probe back: nothing is sent, and the provider is no worse for it."""
    provider = Asked("a")
    limits = BudgetConfig(max_tokens_per_session=5)
    chain = chain_of(provider, budget=limits, health=HealthConfig(failure_threshold=1))
    (found,) = world.run(chain.health.check_async())
    assert (found.state, found.failures, provider.requests) == ("healthy", 0, [])


def test_a_probe_keeps_to_the_limits_of_the_chain(world):
    """It waits for its turn like any request; one whose turn comes too late tells nothing."""
    provider = Asked("a")
    chain = chain_of(provider, rate_limit=RateLimitConfig(rpm=1), health=HealthConfig(failure_threshold=1))

    async def scenario():
        await ask(chain)
        return await chain.health.check_async()

    (found,) = world.run(scenario())
    assert (found.state, provider.probes) == ("healthy", [])


def test_a_probe_is_asked_once_and_opens_no_circuit(world):
    """Retries and circuits are for calls: a probe is one request, whatever it comes to."""
    provider = Asked("a", down())
    chain = FallbackChain([provider], retry=RetryConfig(max_attempts=5), health=HealthConfig(passive=False))

    async def scenario():
        for _ in range(6):
            await chain.health.check_async()

    world.run(scenario())
    assert len(provider.probes) == 6
    assert chain.breaker("a").state == "closed"


def test_fb10_a_refused_key_is_not_worn_out_by_probes(world):
    """A probe that is refused is remembered as a call is; until that has passed nobody asks with the key again."""
    provider = Asked("a", AuthenticationError("bad", status=401), credential="key-1")
    chain = chain_of(provider, health=HealthConfig(interval=60.0, passive=False), refused_key_interval=300.0)

    async def scenario():
        await chain.health.check_async()
        for _ in range(3):
            await asyncio.sleep(60)
            await chain.health.check_async()
        assert provider.starts == [0.0]
        provider.steps = ["ok"]
        provider.credential = "key-2"
        await chain.health.check_async()

    world.run(scenario())
    assert len(provider.probes) == 2
    (refused,) = world.trace.of(KeyRefused)
    assert (refused.outcome, refused.credential) == ("401", "key-1")
    assert chain.metrics().provider("a").auth_failures == 1


def test_f026_who_has_no_key_is_not_asked(world):
    """Without a key nothing can be asked: that is no health, and costs no request."""

    class Keyless(Asked):
        @staticmethod
        def available():
            return False

    keyless, other = Keyless("a"), Asked("b")
    chain = chain_of(keyless, other, health=HealthConfig(failure_threshold=1))
    assert chain.available()
    first, _ = world.run(chain.health.check_async())
    assert (first.state, first.last_failure, keyless.requests) == ("unhealthy", "no_key", [])
    assert not chain_of(Keyless("a")).available()


def test_a_chain_inside_tells_without_a_request(world):
    """Of a chain nobody asks for an answer: it is well while one of its own providers is."""
    inner_provider = Asked("a", down())
    inner = chain_of(inner_provider, name="inner", health=HealthConfig(failure_threshold=1))
    chain = FallbackChain([inner, Asked("b")], health=HealthConfig(failure_threshold=1))

    async def scenario():
        before = await chain.health.check_async()
        await inner.health.check_async()
        return before, await chain.health.check_async()

    before, after = world.run(scenario())
    assert [each.state for each in before] == ["healthy", "healthy"]
    assert [(each.state, each.last_failure) for each in after] == [("unhealthy", "chain"), ("healthy", None)]
    assert len(inner_provider.probes) == 1


def test_who_is_never_asked_is_not_watched(world):
    """A slot of weight 0 gets no calls, and no probes."""
    unused = Asked("b")
    slots = [FallbackSlot(provider=Asked("a"), weight=1), FallbackSlot(provider=unused, weight=0)]
    chain = chain_of(*slots, strategy="weighted")
    assert [each.provider for each in world.run(chain.health.check_async())] == ["a"]
    assert unused.requests == []


def test_f082_a_slot_is_watched_from_when_calls_go_to_it(world):
    """A slot that gets a weight while the chain runs is asked whether it is well, and one that loses it no more."""
    old, new = Asked("old"), Asked("new", down(), "ok")
    slots = [FallbackSlot(provider=old, weight=1), FallbackSlot(provider=new, weight=0)]
    chain = chain_of(*slots, strategy="weighted", health=HealthConfig(interval=60.0, failure_threshold=1))

    async def scenario():
        await chain.health.check_async()
        chain.set_weights({"new": 1})
        (_, ill) = await chain.health.check_async()
        chain.set_weights({"old": 0})
        await ask(chain)
        return ill, chain.health.report()

    ill, after = world.run(scenario())
    assert (ill.provider, ill.state) == ("new", "unhealthy")
    assert [each.provider for each in after] == ["new"]
    assert (len(old.probes), len(old.requests)) == (2, 2)


def test_models_cost_nothing_until_somebody_is_ill(world):
    """The list of models is asked for while a provider is well; whether it is well again, an answer has to show."""

    class Listing(Asked):
        lists = 0

        async def probe_async(self, request, timeouts):
            from llmtest.types import HealthReport

            assert (request, timeouts.total) == (None, 10.0)
            Listing.lists += 1
            return HealthReport("a", Listing.lists != 2, "models", 0.0, down() if Listing.lists == 2 else None)

    provider = Listing("a")
    chain = chain_of(provider, health=HealthConfig(ask="models", failure_threshold=1, recovery_threshold=1))

    async def scenario():
        return [(await chain.health.check_async())[0].state for _ in range(4)]

    assert world.run(scenario()) == ["healthy", "unhealthy", "healthy", "healthy"]
    assert (Listing.lists, len(provider.probes)) == (3, 1)
    told = [(each.asked, each.told, each.outcome) for each in world.trace.of(HealthProbed)]
    assert told == [
        ("models", "success", None),
        ("models", "failure", "503"),
        ("call", "success", None),
        ("models", "success", None),
    ]


def test_a_chain_that_is_not_called_rests(world):
    """Ten minutes after the last call nobody is asked any more; the next call begins it again."""
    provider = Asked("a")
    chain = chain_of(provider)

    async def scenario():
        await idle(chain, 3600)
        assert provider.probes == [60.0 * n for n in range(1, 10)]
        await idle(chain, 61)

    world.run(scenario())
    assert provider.probes[9:] == [3660.0]


def test_a_program_that_waits_for_ever_is_still_told_of(world):
    """Probes keep no deadlock alive: the chain rests, and then the loop is reported as stalled."""
    provider = Asked("a")
    chain = chain_of(provider)

    async def scenario():
        await ask(chain)
        await asyncio.Event().wait()

    with pytest.raises(VirtualTimeStalledError, match="none of them is waiting for time"):
        world.run(scenario())
    assert len(provider.probes) == 9


def test_a_chain_may_never_rest(world):
    """Where it has to be known of an outage at night, probes go on."""
    provider = Asked("a")
    chain = chain_of(provider, health=HealthConfig(rest_after=None))
    world.run(idle(chain, 1201))
    assert len(provider.probes) == 20


def names_of_tasks():
    """Return the tasks of this loop that send probes."""
    return [task.get_name() for task in asyncio.all_tasks() if task.get_name().startswith("llmtest-health")]


@pytest.mark.parametrize("way", ["close", "aclose"])
def test_h07_nothing_is_left_after_close(world, way):
    """The task ends, with a probe that is under way; no call begins another, and calls go on."""
    provider = Asked("a", "ok", Slow(8, "late"), "ok")
    chain = chain_of(provider, name="answers")

    async def scenario():
        await idle(chain, 62)
        assert (names_of_tasks(), provider.in_flight) == (["llmtest-health-answers"], 1)
        if way == "aclose":
            await chain.aclose()
        else:
            chain.close()
            await asyncio.sleep(0.001)
        assert (names_of_tasks(), provider.in_flight) == ([], 0)
        await idle(chain, 300)
        await chain.aclose()

    world.run(scenario())
    assert len(provider.probes) == 1
    (probe,) = [each.attempt for each in world.trace.of(AttemptEnded) if each.attempt.purpose == "health"]
    assert probe.outcome == "cancelled"
    chain.close()


def test_h07_nothing_is_left_after_the_loop(world):
    """A loop that ends ends its task; the next one has its own."""
    provider = Asked("a")
    chain = chain_of(provider)
    world.run(idle(chain, 10))
    world.run(idle(chain, 61))
    assert provider.probes == [70.0]


def test_a_chain_that_nobody_holds_is_asked_no_more(world):
    """The task keeps no chain alive, and ends without it."""
    provider = Asked("a")

    async def scenario():
        chain = chain_of(provider)
        await ask(chain)
        del chain
        await asyncio.sleep(61)
        return names_of_tasks()

    assert world.run(scenario()) == []
    assert provider.probes == []


def test_two_loops_share_the_probes(world):
    """Each interval has one probe, however many loops and threads look for one."""
    provider = Asked("a")
    chain = chain_of(provider, health=ALONE)

    async def scenario():
        await ask(chain)
        await asyncio.sleep(59)
        await ask(chain, "complete")
        await asyncio.sleep(2)
        await ask(chain, "complete")

    world.run(scenario())
    assert provider.probes == [60.0]


def test_another_clock_begins_anew(world):
    """A chain that has lived longer than the clock of the next test is not silent until that has caught up."""
    provider = Asked("a")
    chain = chain_of(provider)
    world.clock.sleep(10_000)
    world.ask(chain)
    again = type(world)()
    again.run(idle(chain, 61))
    assert provider.probes == [60.0]


def test_a_probe_that_cannot_be_made_is_logged(world, caplog):
    """A fault of our own, such as a function that raises, ends no task."""

    def accept(answer):
        raise RuntimeError("no such field")

    chain = chain_of(Asked("a"), health=HealthConfig(accept=accept))
    with caplog.at_level(logging.ERROR, "llmtest.resilience"):
        world.run(idle(chain, 121))
    assert [record.message for record in caplog.records] == ["the probe of `a` failed in itself"] * 2


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"interval": 0}, "interval must be more than 0 seconds, got 0"),
        ({"interval": float("nan")}, "interval must be"),
        ({"timeout": -1}, "timeout must be more than 0 seconds"),
        ({"rest_after": 0}, "rest_after must be more than 0"),
        ({"failure_threshold": 0}, "failure_threshold must be a whole number, 1 or more"),
        ({"recovery_threshold": 1.5}, "recovery_threshold must be a whole number"),
        ({"max_tokens": True}, "max_tokens must be a whole number"),
        ({"ask": "ping"}, "ask is `call` or `models`, got 'ping'"),
        ({"prompt": " "}, "prompt must be a text that is not empty"),
        ({"active": False, "passive": False}, r"nothing tells of a provider.\nTo fix: HealthConfig\(active=False\)"),
        ({"alerts": True}, r"alerts is an `AlertConfig`, not True.\nTo fix: HealthConfig\(alerts=AlertConfig"),
        ({"accept": "OK"}, "accept must be a function, got 'OK'"),
    ],
)
def test_bad_options_are_refused(options, message):
    """Each is named with its range."""
    with pytest.raises(ConfigurationError, match=f"^health: .*{message}"):
        HealthConfig(**options)


def test_the_builder_makes_the_same_chain(world):
    """A chain built step by step has health by its word."""
    provider = Asked("a")
    chain = FallbackChain.builder().with_health(HealthConfig(interval=30.0)).add_last(provider).build()
    world.run(idle(chain, 31))
    assert provider.probes == [30.0]


def test_something_else_is_no_health():
    """A chain takes a `HealthConfig`, and says how it is written."""
    with pytest.raises(ConfigurationError, match=r"not 60.\nTo fix: health=HealthConfig\(interval=60.0\)"):
        FallbackChain([ScriptedProvider("a")], health=60)


def test_f164_a_chain_is_healthy_while_one_provider_is_well(world):
    """One that is well and may be asked is enough; health, circuits and keys all have a say."""
    first, second = Asked("a", down()), Asked("b")
    chain = chain_of(first, second, health=HealthConfig(failure_threshold=1), circuit_breaker=CircuitBreakerConfig())

    async def scenario():
        await chain.health.check_async()
        told = [(chain.is_healthy, chain.available())]
        chain.breaker("b").isolate()
        return [*told, (chain.is_healthy, chain.available())]

    assert world.run(scenario()) == [(True, True), (False, False)]


def test_f166_llmkit_s_numbers():
    """Every 30 s for 10 s, ill after 3 failures in a row, well after 2 successes."""
    config = HealthConfig.llmkit(max_tokens=1)
    assert (config.interval, config.timeout, config.failure_threshold, config.recovery_threshold) == (30, 10, 3, 2)
    assert config.max_tokens == 1


def test_without_health_there_is_none(world):
    """It is off by default: nobody is asked, and closing is harmless."""
    provider = Asked("a")
    chain = FallbackChain([provider], pipeline=Pipeline())
    assert chain.health is None
    world.run(idle(chain, 600))
    assert provider.probes == []
    chain.close()
    world.run(chain.aclose())


def test_describe_tells_of_health():
    """It is the outermost of what stands around a call; its settings are told, its functions by their names."""
    chain = chain_of(ScriptedProvider("a"), health=HealthConfig.llmkit(on_change=print))
    told = chain.describe()
    assert told.order[0] == "health"
    assert (told.options["health"]["interval"], told.options["health"]["on_change"]) == (30.0, "print")


def test_blocking_check_asks_everybody(world):
    """In blocking code all are asked one after the other, when somebody wants to know."""
    slow, second = Asked("a", Slow(2, "ok")), Asked("b", down())
    chain = chain_of(slow, second, health=HealthConfig(failure_threshold=1))

    async def scenario():
        return chain.health.check()

    assert [each.state for each in world.run(scenario())] == ["healthy", "unhealthy"]
    assert (slow.probes, second.probes) == ([0.0], [2.0])


def test_who_is_ill_is_still_asked_where_all_others_fail(world):
    """Ill is not gone: when nobody else answers, who is ill is asked last, and all of them where all are ill."""
    first, second = ScriptedProvider("a", down(), "ok"), ScriptedProvider("b", down())
    chain = chain_of(first, second, health=HealthConfig(failure_threshold=1, active=False))
    assert isinstance(world.fail(chain), AllProvidersFailedError)
    assert [each.state for each in chain.health.report()] == ["unhealthy", "unhealthy"]
    assert not world.sees_healthy(chain)
    assert world.ask(chain).provider == "a"
    second.steps = [down()]
    assert world.ask(chain, request=CompletionRequest.ask("again")).provider == "a"
