"""A budget and an account in Redis: one round trip each, never over the limit, exact, done once, told when it fails."""

import itertools
import json
import subprocess
import sys
from decimal import Decimal
from fractions import Fraction
from pathlib import Path

import pytest
import redis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from llmtest import CompletionRequest, FallbackChain, LLMClient, RedisBudgetStore, RedisLedgerStore, Simulation
from llmtest.costs import Budget, BudgetConfig, CostLedger, Estimate
from llmtest.errors import BudgetExceededError, ConfigurationError
from llmtest.events import BudgetWarned
from llmtest.types import Usage
from tests.costs.budget_crowd import Crowd

ROOT = Path(__file__).parents[2]
NAMESPACES = itertools.count()
CENT = Estimate(1, Decimal("0.01"))
DOLLAR = BudgetConfig(max_cost_per_day=1)
REQUEST = CompletionRequest.ask("Capital of France?").with_max_tokens(20)
GONE = "redis://127.0.0.1:1/0"


@pytest.fixture
def namespace():
    """A name that no other test has."""
    return f"money-{next(NAMESPACES)}"


@pytest.fixture
def store(redis_url, namespace):
    """Keep balances on a real Redis."""
    with RedisBudgetStore(redis_url, namespace=namespace) as opened:
        yield opened


@pytest.fixture
def ledger(redis_url, namespace):
    """Keep entries on a real Redis."""
    with RedisLedgerStore(redis_url, namespace=namespace) as opened:
        yield CostLedger(store=opened)


@pytest.fixture
def server(redis_url):
    """A client of the server."""
    with redis.Redis.from_url(redis_url) as client:
        yield client


def counted(server, work):
    """Return how many scripts and other commands of a client a piece of work takes, those inside scripts left out."""
    names = ("evalsha", "eval", "incr")

    def count():
        stats = server.info("commandstats")
        return sum(stats.get(f"cmdstat_{name}", {"calls": 0})["calls"] for name in names)

    before = count()
    work()
    return count() - before


def test_reserving_settling_releasing_and_entering_are_one_round_trip_each(store, ledger, server):
    """A script that the server knows is one command, whatever number of limits and balances it looks at."""
    limits = BudgetConfig(max_tokens_per_day=10**6, max_cost_per_day=5, max_cost_per_session=5, max_cost_per_month=9)
    budget = Budget(limits, store=store)
    budget.reserve(CENT).settle(Usage(1, 1))
    budget.reserve(CENT).release()
    budget.charge(Usage(1, 1))
    ledger.record("openai", "gpt-4o", Usage(1, 1), Decimal(1))
    held = []
    assert counted(server, lambda: held.append(budget.reserve(CENT))) == 1
    assert counted(server, held[0].settle) == 1
    assert counted(server, lambda: held.append(budget.reserve(CENT))) == 1
    assert counted(server, held[1].release) == 1
    assert counted(server, lambda: budget.charge(Usage(1, 1))) == 1
    assert counted(server, lambda: ledger.record("openai", "gpt-4o", Usage(1, 1), Decimal(1))) == 1


SPENDERS = """
import os, sys
from decimal import Decimal
from llmtest import RedisBudgetStore, RedisLedgerStore
from llmtest.costs import Budget, BudgetConfig, CostLedger, Estimate
from llmtest.errors import BudgetExceededError
from llmtest.types import Usage

url, namespace = sys.argv[1:]
ledger = CostLedger(store=RedisLedgerStore(url, namespace=namespace, timeout=30))
store = RedisBudgetStore(url, namespace=namespace, timeout=30)
budget = Budget(BudgetConfig(max_cost_per_month=1), store=store, ledger=ledger)
for _ in range(3):
    pid = os.fork()
    if not pid:
        break
else:
    sys.exit(sum(os.waitstatus_to_exitcode(os.wait()[1]) for _ in range(3)))
passed = 0
for number in range(45):
    try:
        reservation = budget.reserve(Estimate(1, Decimal("0.01"), "openai", "gpt-4o"))
    except BudgetExceededError:
        continue
    if number % 10 == 9:
        reservation.release()
        continue
    reservation.settle(Usage(1, 0), cost_usd=Decimal("0.01"))
    passed += 1
os._exit(passed)
"""


@pytest.mark.slow
def test_u14_three_processes_never_pass_one_limit(redis_url, namespace, store, ledger):
    """They spend exactly the limit, nothing stays reserved, and the account is what was spent, to the last digit."""
    done = subprocess.run([sys.executable, "-c", SPENDERS, redis_url, namespace], cwd=ROOT, check=False)
    assert done.returncode == 100
    budget = Budget(BudgetConfig(max_cost_per_month=1), store=store)
    balance = budget.balance("month")
    assert (balance.spent_usd, balance.spent_tokens) == (1, 100)
    assert (balance.reserved_usd, balance.reserved_tokens) == (0, 0)
    assert (ledger.total_usd, len(ledger)) == (1, 100)
    assert len({entry.run for entry in ledger}) == 3
    with pytest.raises(BudgetExceededError) as caught:
        budget.reserve(CENT)
    assert (caught.value.spent, caught.value.left) == (1, 0)


def test_u04_a_crowd_never_passes_the_limit_and_the_account_is_the_bill(store):
    """Failures, retries, fallbacks, cancellations, abandoned streams and a midnight, on a server."""
    crowd = Crowd(seed=11, store=store, start=86_400 - 30, limit="0.0004", calls=40)
    with crowd.sim:
        crowd.sim.run(crowd.run_async())
        crowd.check()
    assert {"ok", "BudgetExceededError"} <= set(crowd.ends)


AMOUNTS = st.decimals(0, 10**30, places=25, allow_nan=False, allow_infinity=False) | st.sampled_from(
    [Decimal(0), Decimal("0.1"), Decimal("1E-40"), Decimal("9.99999999999999999"), Decimal(10) ** 60]
)


@settings(max_examples=25, suppress_health_check=list(HealthCheck), deadline=None)
@given(st.lists(st.tuples(AMOUNTS, AMOUNTS, st.integers(0, 10**20)), max_size=6))
def test_u07_amounts_on_the_server_are_exact(store, spendings):
    """What is reserved, given back and spent is what fractions make of it, of any size; nothing stays reserved."""
    budget = Budget(BudgetConfig(max_cost_per_day=Decimal(10) ** 70), store=store)
    money, tokens, reserved = Fraction(0), 0, Fraction(0)
    held = []
    for estimate, cost, count in spendings:
        held.append((budget.reserve(Estimate(count, estimate)), cost, count))
        reserved += Fraction(estimate)
        assert Fraction(budget.balance().reserved_usd) == reserved
    for reservation, cost, count in held:
        reservation.settle(Usage(count, 1), cost_usd=cost)
        money, tokens = money + Fraction(cost), tokens + count + 1
    balance = budget.balance()
    assert (Fraction(balance.spent_usd), balance.spent_tokens) == (money, tokens)
    assert (balance.reserved_usd, balance.reserved_tokens) == (0, 0)


@pytest.mark.parametrize(("limit", "fits"), [("0.3", True), ("0.29999999999999999999", False)])
def test_c18_spending_exactly_the_limit_is_allowed(store, limit, fits):
    """Ten times a tenth and the like are compared digit by digit: a float would be wrong about each of them."""
    budget = Budget(BudgetConfig(max_cost_per_day=limit), store=store)
    budget.charge(Usage(), cost_usd="0.1")
    if fits:
        assert budget.reserve(Estimate(0, Decimal("0.2"))).release()
    else:
        with pytest.raises(BudgetExceededError) as caught:
            budget.reserve(Estimate(0, Decimal("0.2")))
        assert (caught.value.spent, caught.value.requested) == (Decimal("0.1"), Decimal("0.2"))


class Twice:
    """A server on whose line each answer is lost once, so that everything is sent again."""

    def __init__(self, server):
        self.server = server
        self.client, self.failures = server.client, server.failures

    def run(self, script, keys, arguments):
        """Do it, lose the answer, and send it again."""
        self.server.run(script, keys, arguments)
        return self.server.run(script, keys, arguments)

    def close(self):
        """End."""
        self.server.close()


def test_what_is_sent_again_is_done_once(store, ledger):
    """An answer that is lost on the way charges nothing twice, and enters nothing twice."""
    for each in (store, ledger._store):
        each._account._server = Twice(each._account._server)
    budget = Budget(DOLLAR, store=store, ledger=ledger)
    budget.reserve(CENT).settle(Usage(1, 1), cost_usd="0.01")
    budget.reserve(CENT).release()
    budget.charge(Usage(1, 1), cost_usd="0.5")
    balance = budget.balance("day")
    assert (balance.spent_usd, balance.spent_tokens) == (Decimal("0.51"), 4)
    assert (balance.reserved_usd, balance.reserved_tokens) == (0, 0)
    assert (ledger.total_usd, len(ledger)) == (Decimal("0.51"), 2)


def test_what_a_dead_process_reserved_counts_until_it_is_given_back(store, redis_url, namespace):
    """Somebody decides; a call that ends after all is charged what it cost, once."""
    budget = Budget(DOLLAR, store=store)
    reservation = budget.reserve(Estimate(5, Decimal("0.3")))
    with RedisBudgetStore(redis_url, namespace=namespace) as other:
        assert other.release_abandoned(0) == 0
        assert other.release_abandoned(2**62) == 1
        assert other.release_abandoned(2**62) == 0
        assert budget.balance("day").reserved_usd == 0
        reservation.settle(Usage(2, 1), cost_usd="0.2")
        balance = budget.balance("day")
        assert (balance.spent_usd, balance.spent_tokens, balance.reserved_usd) == (Decimal("0.2"), 3, 0)
        with pytest.raises(ConfigurationError, match="`before_ns` must be a whole number of nanoseconds, got "):
            other.release_abandoned(1.5)


def test_a_budget_whose_server_is_away_refuses_the_call_before_it_is_sent():
    """What cannot be asked lets nothing pass, and one error says which server, why, and what to do."""
    budget = Budget(DOLLAR, store=RedisBudgetStore(GONE, namespace="away", timeout=0.2), session="s")
    with Simulation(strict=False) as sim:
        sim.openai.replies("Paris")
        client = LLMClient(FallbackChain([sim.openai.as_provider("gpt-4o")], budget=budget))
        with pytest.raises(ConfigurationError) as caught:
            client.complete(REQUEST)
        assert len(sim.openai.requests) == 0
    text = str(caught.value)
    assert text.startswith("the budget `away` in Redis at `127.0.0.1:1` cannot be used: ")
    assert text.endswith(
        "To fix: start the server, correct the URL, or wait longer: RedisBudgetStore(url, timeout=10)."
    )


def test_an_account_whose_server_is_away_loses_no_entry(ledger, namespace, redis_url):
    """An answered call is handed over and told of; its entry goes in when the server is there again."""
    away = CostLedger(store=RedisLedgerStore(GONE, namespace=namespace, timeout=0.2))
    with pytest.raises(ConfigurationError, match=r"the ledger `money-\d+` in Redis at `127.0.0.1:1` cannot be used"):
        away.record("openai", "gpt-4o", Usage(1, 1), Decimal(1))
    with Simulation() as sim:
        sim.openai.replies("Paris", "Rome")
        chain = FallbackChain([sim.openai.as_provider("gpt-4o")], budget=Budget(ledger=away))
        assert LLMClient(chain).complete(REQUEST).content == "Paris"
        assert [event.scope for event in sim.trace if isinstance(event, BudgetWarned)] == ["ledger"]
        away._store._account._server = ledger._store._account._server
        assert LLMClient(chain).complete(REQUEST).content == "Rome"
        assert ledger.total_usd == sim.costs.total_usd > 0
        assert len(ledger) == 2


@pytest.mark.parametrize("text", ["1 2", "a b c d", "1 2 3 x"])
def test_a_balance_that_cannot_be_read_is_told(store, server, namespace, text):
    """Neither reading nor reserving goes by what is no balance."""
    budget = Budget(DOLLAR, store=store, session="s")
    server.set(f"{{{namespace}:budget}}:bucket:s", text)
    with pytest.raises(ConfigurationError, match=f"the budget `{namespace}` in Redis at .* cannot be"):
        budget.reserve(CENT)
    with pytest.raises(ConfigurationError, match="is damaged: the balance `s` cannot be read") as caught:
        budget.balance()
    assert "use another namespace, which knows of no spending" in str(caught.value)


@pytest.mark.parametrize("line", ["[", "{}", json.dumps(list("abcdefghijklmnopq"))])
def test_an_entry_that_cannot_be_read_is_told(ledger, server, namespace, line):
    """A sum that leaves it out would be wrong."""
    ledger.record("openai", "gpt-4o", Usage(1, 1), Decimal(1))
    server.rpush(f"{{{namespace}:ledger}}:entries", line)
    with pytest.raises(ConfigurationError, match="is damaged: an entry cannot be read"):
        _ = ledger.total_usd


def test_balances_go_when_nobody_has_used_them_for_long(store, server, namespace):
    """Every key of a balance has an end, which each use puts off."""
    budget = Budget(DOLLAR, store=store, session="s")
    budget.reserve(CENT).settle(cost_usd="0.01")
    left = [server.pttl(f"{{{namespace}:budget}}:bucket:{bucket}") for bucket in ("s",)]
    assert all(399 * 86_400_000 < each <= 400 * 86_400_000 for each in left)


@pytest.mark.parametrize("kind", [RedisBudgetStore, RedisLedgerStore])
def test_a_wrong_place_is_refused_at_once(kind):
    """A URL that is none, a wait that is none, a name with braces."""
    with pytest.raises(ConfigurationError, match="the URL of Redis cannot be read"):
        kind("http://localhost")
    with pytest.raises(ConfigurationError, match="timeout must be above 0 seconds"):
        kind("redis://localhost", timeout=0)
    with pytest.raises(ConfigurationError, match="namespace must be a name without braces"):
        kind("redis://localhost", namespace="{a}")
