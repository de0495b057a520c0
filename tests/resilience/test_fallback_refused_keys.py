"""Keys that were refused: remembered across calls, told of, tried again when they change or some time has passed."""

import asyncio
from decimal import Decimal

import pytest

from llmtest import OpenAIProvider, Simulation, faults
from llmtest.config import build_chain
from llmtest.costs import Budget, BudgetConfig, CostLedger
from llmtest.errors import (
    AllProvidersFailedError,
    AuthenticationError,
    ConfigurationError,
    InvalidRequestError,
    PermissionDeniedError,
)
from llmtest.events import FallbackTaken, KeyRefused, describe
from llmtest.resilience import FallbackChain, FallbackSlot, FallbackTrigger, LLMClient
from tests.resilience.kept_elsewhere import key_state
from tests.resilience.scripted_provider import ScriptedProvider, Slow, ask, down, outcomes, refused_key


def chain_of(*providers, **options):
    """Return a chain without retries and circuits."""
    return FallbackChain(providers, shared=key_state(), **{"retry": None, "circuit_breaker": None, **options})


def with_key(key, *steps, name="openai", **options):
    """Return a provider that is asked with a key."""
    return ScriptedProvider(name, *steps, credential=key, **options)


def test_r02_a_refused_key_is_asked_with_once(world, mode):
    """Five calls send one request with a refused key, and each of them is answered by the other one."""
    bad = with_key("key-1", refused_key())
    chain = chain_of(bad, with_key("key-2", "Paris"))
    for _ in range(5):
        assert world.ask(chain, mode).content == "Paris"
    assert len(bad.requests) == 1
    assert [event.cause for event in world.events(FallbackTaken)] == ["401"] * 5


def test_fb10_a_refused_key_is_an_event_and_two_counts(world, mode):
    """The refusal is one event that an alert can hang on; the calls that passed it by are counted."""
    chain = chain_of(with_key("key-1", refused_key()), with_key("key-2"))
    for _ in range(3):
        world.ask(chain, mode)
    (refused,) = world.events(KeyRefused)
    assert (refused.provider, refused.outcome, refused.credential, refused.seconds) == ("openai", "401", "key-1", 300)
    assert describe(refused) == ("openai/m", "key key-1 refused with 401, not tried for 300 s")
    first, second = chain.metrics().providers
    assert (first.auth_failures, first.failures, first.refused_key_skips) == (1, 1, 2)
    assert (second.auth_failures, second.refused_key_skips) == (0, 0)


@pytest.mark.parametrize("error", [refused_key(), PermissionDeniedError("not this model", status=403)])
def test_r02_without_another_key_the_call_fails_at_once_and_says_why(world, mode, error):
    """Nobody is asked, and the error of the same class tells what was said, when, and what to do."""
    chain = chain_of(with_key("key-1", error))
    assert world.fail(chain, mode) is error
    world.clock.advance(12)
    later = world.fail(chain, mode)
    assert type(later) is type(error)
    assert (later.status, later.retry_after, later.attempts) == (error.status, 288.0, ())
    assert str(later) == (
        f"`openai` was not asked: this key was refused 12 s ago: {error}.\n"
        "To fix: give it another key, which is tried at once; this one is tried again in 288 s"
    )


def test_r02_a_slot_with_the_same_key_is_passed_by_too(world, mode):
    """What was refused is the key: every slot that is asked with it is passed by, in this call and in later ones."""
    sibling = with_key("key-1", model="mini")
    chain = chain_of(with_key("key-1", refused_key()), sibling, with_key("key-2", down()))
    world.fail(chain, mode)
    error = world.fail(chain, mode)
    assert isinstance(error, AllProvidersFailedError)
    assert [type(each).__name__ for _, each in error.errors] == ["AuthenticationError", "ServerError"]
    assert sibling.requests == []


def test_c5_a_changed_key_is_tried_at_once(world, mode):
    """Another label is another key, of which nothing is known."""
    provider = with_key("key-1", refused_key(), "Paris")
    chain = chain_of(provider)
    world.fail(chain, mode)
    world.fail(chain, mode)
    provider.credential = "key-2"
    assert world.ask(chain, mode).attempts[-1].credential == "key-2"


def test_c5_a_key_is_tried_again_when_the_time_has_passed(world, mode):
    """After the interval the key is tried; where it is taken now, it is known as good."""
    provider = with_key("key-1", refused_key(), "Paris")
    chain = chain_of(provider, refused_key_interval=60)
    world.fail(chain, mode)
    world.clock.advance(59)
    world.fail(chain, mode)
    assert not world.sees_healthy(chain)
    world.clock.advance(1)
    assert world.sees_healthy(chain)
    for _ in range(2):
        assert world.ask(chain, mode).content == "Paris"
    assert len(provider.requests) == 3


def test_c5_one_call_tries_it_again_and_not_all(world):
    """Of 50 concurrent calls after the interval one tries the key; a refusal begins a new interval."""
    bad = with_key("key-1", refused_key(), Slow(1, refused_key()))
    chain = chain_of(bad, with_key("key-2"), refused_key_interval=60)
    world.ask(chain)
    world.clock.advance(60)
    world.run(outcomes(chain, 50))
    assert len(bad.requests) == 2
    world.clock.advance(59)
    world.ask(chain)
    assert len(bad.requests) == 2


def test_c5_a_trial_that_never_ends_does_not_block_the_key_for_ever(world):
    """Half a minute after a trial whose caller left another call may try."""
    provider = with_key("key-1", refused_key(), Slow(600), "Paris")
    chain = chain_of(provider, refused_key_interval=60, timeouts=None)

    async def story():
        await asyncio.gather(ask(chain), return_exceptions=True)
        await asyncio.sleep(60)
        hanging = asyncio.create_task(ask(chain))
        await asyncio.sleep(1)
        hanging.cancel()
        await asyncio.gather(hanging, return_exceptions=True)
        await asyncio.sleep(30)
        return await ask(chain)

    assert world.run(story()).content == "Paris"


def test_r02_nothing_is_remembered_where_nobody_wants_it(world, mode):
    """An interval of 0 asks with every call, and so does a client of a bare provider."""
    for provider, asked in (
        (lambda one: chain_of(one, refused_key_interval=0), 3),
        (lambda one: LLMClient(one), 3),  # noqa: PLW0108 - beside the other
    ):
        one = with_key("key-1", refused_key())
        chain = provider(one)
        for _ in range(3):
            world.fail(getattr(chain, "_chain", chain), mode)
        assert len(one.requests) == asked
    assert world.events(KeyRefused) == []


def test_r02_a_slot_without_a_label_is_remembered_by_itself(world, mode):
    """Where no label tells which key it is, the slot stands for it."""
    bad, other = ScriptedProvider("a", refused_key()), ScriptedProvider("b", "from b")
    chain = chain_of(bad, other)
    for _ in range(3):
        assert world.ask(chain, mode).content == "from b"
    assert len(bad.requests) == 1


def test_r02_the_trigger_judges_a_remembered_refusal_as_it_did_the_first(world, mode):
    """`never` ends the call, `any_error` goes anywhere, in the first call and in every later one."""
    never = FallbackSlot(provider=with_key("key-1", refused_key()), trigger=FallbackTrigger.never())
    other = with_key("key-2")
    chain = chain_of(never, other)
    for _ in range(3):
        assert isinstance(world.fail(chain, mode), AuthenticationError)
    assert other.requests == []


def test_r02_an_inner_chain_remembers_its_own_keys(world, mode):
    """The outer chain keeps asking an inner one of which one key was refused."""
    bad = with_key("key-1", refused_key())
    inner = chain_of(bad, with_key("key-2", down(), "Paris"), name="inner")
    outer = chain_of(inner, ScriptedProvider("z", "from z"))
    assert [world.ask(outer, mode).content for _ in range(3)] == ["from z", "Paris", "Paris"]
    assert len(bad.requests) == 1


@pytest.mark.parametrize("strategy", ["round_robin", "weighted", "load_balance", "least_latency", "random"])
def test_r02_a_refused_key_takes_no_turn(world, strategy):
    """Strategies pass by a place whose key was refused, as one whose circuit is open."""
    bad = with_key("key-1", refused_key())
    chain = chain_of(bad, with_key("key-2"), with_key("key-3"), strategy=strategy)
    for _ in range(12):
        world.ask(chain)
    assert len(bad.requests) == 1
    assert len(world.events(FallbackTaken)) == 1


def test_r02_a_real_provider_is_known_by_the_hash_of_its_key():
    """Over HTTP a refused key costs one request, and no event, error or count shows it."""
    with Simulation() as sim:
        sim.openai.when(api_key="sk-bad-1234567890").fails(faults.AuthenticationFailed(), times=None)
        sim.openai.when(api_key="sk-good-1234567890").replies("Paris", times=None)
        chain = chain_of(OpenAIProvider("sk-bad-1234567890"), OpenAIProvider("sk-good-1234567890"))
        client = LLMClient(chain)
        assert [client.ask("Capital of France?") for _ in range(4)] == ["Paris"] * 4
        sim.assert_sequence("openai:401", *["openai:200"] * 4)
        assert "sk-bad" not in sim.trace.render() + repr(chain.metrics())


@pytest.mark.parametrize("interval", [-1, float("nan"), float("inf"), True, "5m"])
def test_a_wrong_interval_is_refused(interval):
    """It is a number of seconds."""
    with pytest.raises(ConfigurationError) as error:
        chain_of(ScriptedProvider("a"), refused_key_interval=interval)
    assert str(error.value) == (
        f"refused_key_interval of chain `fallback-chain` is a number of seconds, 0 or more, got {interval!r}"
    )


def test_c5_a_file_says_for_how_long(world):
    """`refused_key_interval` is a word of chain files."""
    provider = with_key("key-1", refused_key())
    chain = build_chain({"refused_key_interval": "1m", "providers": [{"provider": provider}]})
    world.fail(chain)
    assert world.fail(chain).retry_after == 60.0


def test_r04_a_ledger_without_a_budget_has_every_call(world):
    """A ledger is kept whether or not anything is limited, and a chain inside the chain is charged once."""
    ledger = CostLedger()
    inner = {
        "name": "inner",
        "chain": {"providers": [{"provider": ScriptedProvider("openai", down(), model="gpt-4o")}]},
    }
    config = {
        "retry": None,
        "providers": [inner, {"provider": ScriptedProvider("anthropic", model="claude-sonnet-4-5")}],
    }
    chain = build_chain(config, ledger=ledger)
    for _ in range(2):
        world.ask(chain)
    assert [(entry.provider, entry.model) for entry in ledger.entries] == [("anthropic", "claude-sonnet-4-5")] * 2
    assert ledger.total_usd == Decimal("0.00012")


def test_r04_a_model_without_a_price_is_entered_as_such(world):
    """Without limits an unknown price refuses nothing; the ledger has the call and says that its price is unknown."""
    ledger = CostLedger()
    chain = build_chain({"providers": [{"provider": ScriptedProvider("mine", model="x")}]}, ledger=ledger)
    assert world.ask(chain).content == "ok"
    assert [entry.cost_usd for entry in ledger.entries] == [None]


def test_r04_a_ledger_that_the_budget_does_not_keep_is_refused():
    """Two ledgers would each have a part; the advice works."""
    ledger = CostLedger()
    config = {"providers": [{"provider": ScriptedProvider("a")}]}
    with pytest.raises(ConfigurationError) as error:
        build_chain(config, ledger=ledger, budget=Budget(BudgetConfig()))
    assert str(error.value) == (
        "build_chain was given a `ledger`, and a `budget` that enters its calls in another one, or in none.\n"
        "To fix: give the ledger to the budget: Budget(limits, ledger=ledger)"
    )
    assert build_chain(config, ledger=ledger, budget=Budget(BudgetConfig(), ledger=ledger)).budget.ledger is ledger


def test_c15_every_error_of_a_fallback_advances_where_the_chain_says_so(world, mode):
    """The primary's trigger is its own; a fallback hands on even a wrong request."""
    wrong = InvalidRequestError("no", status=400)
    first, second, third = ScriptedProvider("a", down()), ScriptedProvider("b", wrong), ScriptedProvider("c", "from c")
    assert isinstance(world.fail(chain_of(first, second, third), mode), AllProvidersFailedError)
    chain = chain_of(first, second, third, advance_on_any_fallback_error=True)
    assert world.ask(chain, mode).content == "from c"
    primary = chain_of(ScriptedProvider("a", wrong), third, advance_on_any_fallback_error=True)
    assert world.fail(primary, mode) is wrong
    slot = FallbackSlot(provider=second, trigger=FallbackTrigger.on("timeout"))
    with pytest.raises(ConfigurationError, match="leave one of the two out"):
        chain_of(first, slot, advance_on_any_fallback_error=True)
