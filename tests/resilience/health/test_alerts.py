"""Alerts: somebody is told when a provider is down, fails, costs, or slows down, once, and when that is over."""

import asyncio
import logging
from decimal import Decimal

import pytest

from llmtest import AlertConfig, FallbackChain, HealthConfig, Prices
from llmtest.errors import AuthenticationError, ConfigurationError
from llmtest.events import HealthAlert
from tests.resilience.scripted_provider import ScriptedProvider, Slow, ask, down

QUIET = {"downtime": None, "error_rate": None}


def chain_of(*providers, alerts, **rest):
    """Return a chain whose health is told by calls, with alerts and no other policy."""
    health = HealthConfig(active=rest.pop("active", False), alerts=alerts)
    return FallbackChain(list(providers), health=health, **{"retry": None, "circuit_breaker": None, **rest})


def told(world):
    """Return the alerts of the trace."""
    return [(each.alert, each.is_raised, each.at) for each in world.trace.of(HealthAlert)]


async def calls(chain, count, pause=1.0):
    """Ask so often, with pauses."""
    for _ in range(count):
        await asyncio.gather(ask(chain), return_exceptions=True)
        await asyncio.sleep(pause)


def test_f163_downtime(world):
    """A provider that is ill is told of once, and again when it is well."""
    seen = []
    provider = ScriptedProvider("a", *[down()] * 4, "ok")
    chain = chain_of(provider, ScriptedProvider("b"), alerts=AlertConfig(on_alert=seen.append), active=True)
    world.run(calls(chain, 10, pause=30))
    assert [(each.alert, each.is_raised) for each in seen] == [("downtime", True), ("downtime", False)]
    assert (seen[0].provider, seen[0].at, seen[0].outcome, seen[0].unit) == ("a", 60.0, "503", "seconds")
    assert world.trace.of(HealthAlert) == seen


def test_f163_downtime_that_lasts(world):
    """Where only a long outage matters, a short one is not told of."""
    provider = ScriptedProvider("a", down())
    alerts = AlertConfig(downtime=120.0, error_rate=None)
    chain = chain_of(provider, ScriptedProvider("b"), alerts=alerts, active=True)
    world.run(calls(chain, 10, pause=30))
    (alert,) = world.trace.of(HealthAlert)
    assert (alert.alert, alert.value, alert.limit) == ("downtime", Decimal(120), Decimal("120.0"))
    assert alert.at == 180.0


def test_f163_error_rate(world):
    """Half of ten calls in five minutes; it is over when enough others have answered."""
    provider = ScriptedProvider("a", *["ok", down()] * 5, "ok")
    chain = chain_of(provider, alerts=AlertConfig(downtime=None, error_rate=0.5, minimum_calls=10))
    world.run(calls(chain, 20))
    raised, over = world.trace.of(HealthAlert)
    assert (raised.alert, raised.at, raised.unit, raised.value) == ("error_rate", 9.0, "percent", Decimal("50.0"))
    assert (raised.limit, raised.outcome) == (Decimal("50.0"), "503")
    assert (over.is_raised, over.at, over.value, over.outcome) == (False, 10.0, Decimal("45.5"), None)


def test_an_error_rate_looks_back_no_further_than_its_window(world):
    """Failures of long ago do not count, however few calls there were since."""
    provider = ScriptedProvider("a", *[down()] * 9, "ok", down())
    chain = chain_of(provider, alerts=AlertConfig(downtime=None, error_rate=0.1, minimum_calls=10, window=60))
    world.run(calls(chain, 11, pause=7))
    assert told(world) == []


@pytest.mark.parametrize("mode", ["complete_async", "stream_async"])
def test_f163_cost(world, mode):
    """What was spent with a provider within the window, probes and failed attempts included."""
    prices = Prices()
    prices.add("a:m", input_usd_per_mtok="50000", output_usd_per_mtok="50000")
    alerts = AlertConfig(cost_usd="1.50", window=60, **QUIET)
    chain = chain_of(ScriptedProvider("a"), alerts=alerts, prices=prices)

    async def scenario():
        for _ in range(4):
            await ask(chain, mode)
            await asyncio.sleep(1)
        await asyncio.sleep(100)
        await ask(chain, mode)

    world.run(scenario())
    raised, over = world.trace.of(HealthAlert)
    assert (raised.alert, raised.unit, raised.value, raised.limit) == ("cost", "usd", Decimal("1.8"), Decimal("1.50"))
    assert (raised.at, over.is_raised, over.value) == (2.0, False, Decimal("0.6"))


def test_f163_probes_cost_too(world):
    """An idle chain is told of when its probes alone cost too much."""
    prices = Prices()
    prices.add("a:m", input_usd_per_mtok="50000", output_usd_per_mtok="50000")
    alerts = AlertConfig(cost_usd=2, window=600, **QUIET)
    chain = chain_of(ScriptedProvider("a"), alerts=alerts, prices=prices, active=True)

    async def scenario():
        await ask(chain)
        await asyncio.sleep(300)

    world.run(scenario())
    assert told(world) == [("cost", True, 180.0)]


@pytest.mark.parametrize("mode", ["complete_async", "stream_async"])
def test_f163_degradation(world, mode):
    """More slow answers than usual: told at the share that was set, and over when it is fast again."""
    provider = ScriptedProvider("a", *[Slow(6)] * 4, "ok")
    alerts = AlertConfig(slow=5.0, slow_rate=0.5, minimum_calls=4, **QUIET)
    chain = chain_of(provider, alerts=alerts)

    async def scenario():
        for _ in range(10):
            await ask(chain, mode)

    world.run(scenario())
    raised, over = world.trace.of(HealthAlert)
    assert (raised.alert, raised.value, raised.at) == ("degradation", Decimal("100.0"), 24.0)
    assert (over.is_raised, over.value) == (False, Decimal("44.4"))


def test_fb10_a_refused_key_is_an_alert_and_a_count(world):
    """A bad key that falls back is told of at once and once, not only counted."""
    provider = ScriptedProvider("a", AuthenticationError("bad", status=401), credential="key-1")
    chain = chain_of(provider, ScriptedProvider("b"), alerts=AlertConfig())

    async def scenario():
        await calls(chain, 5)
        provider.steps, provider.credential = ["ok"], "key-2"
        await calls(chain, 1)

    world.run(scenario())
    raised, over = world.trace.of(HealthAlert)
    assert (raised.alert, raised.outcome, raised.unit, over.alert) == ("key_refused", "401", None, "key_refused")
    assert (raised.at, over.at, over.is_raised) == (0.0, 5.0, False)
    metrics = chain.metrics().provider("a")
    assert (metrics.auth_failures, metrics.refused_key_skips) == (1, 4)


def test_a_function_that_is_told_may_fail(world, caplog):
    """What it raises is logged, and the call is answered."""

    def page(alert):
        raise RuntimeError("no pager")

    provider = ScriptedProvider("a", AuthenticationError("bad", status=401))
    chain = chain_of(provider, ScriptedProvider("b"), alerts=AlertConfig(on_alert=page))
    with caplog.at_level(logging.ERROR, "llmtest.resilience"):
        assert world.ask(chain).provider == "b"
    assert [record.message for record in caplog.records] == [
        "the function that is told of alerts failed at `key_refused` of `a`"
    ]


def test_alerts_without_calls_that_tell(world):
    """Where probes alone make ill, calls still count for alerts."""
    alerts = AlertConfig(downtime=None, minimum_calls=2)
    health = HealthConfig(passive=False, alerts=alerts)
    chain = FallbackChain([ScriptedProvider("a", down())], health=health, retry=None, circuit_breaker=None)
    world.fail(chain)
    world.fail(chain)
    assert told(world) == [("error_rate", True, 0.0)]
    assert chain.health.report()[0].failures == 0


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"downtime": -1}, "downtime must be 0 seconds or more, or None, got -1"),
        ({"error_rate": 0}, "error_rate must be a share above 0 and up to 1, got 0"),
        ({"error_rate": 50}, "error_rate must be a share"),
        ({"slow_rate": None}, "slow_rate must be a share"),
        ({"slow": 0}, "slow must be more than 0 seconds, got 0"),
        ({"window": None}, "window must be more than 0 seconds, got None"),
        ({"minimum_calls": 0}, "minimum_calls must be a whole number, 1 or more, got 0"),
        ({"cost_usd": "-1"}, "cost_usd must be more than 0 USD, got '-1'"),
        ({"cost_usd": "many"}, "cost_usd must be more than 0 USD, got 'many'"),
        ({"cost_usd": True}, "cost_usd must be more than 0 USD, got True"),
        ({"on_alert": 3}, "on_alert must be a function, got 3"),
    ],
)
def test_bad_options_are_refused(options, message):
    """Each is named with its range."""
    with pytest.raises(ConfigurationError, match=f"^alerts: {message}"):
        AlertConfig(**options)


def test_money_is_exact():
    """An amount is a decimal, however it is written."""
    assert AlertConfig(cost_usd=0.1).cost_usd == Decimal("0.1")
