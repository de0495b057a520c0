"""Budgets in chain files and scenarios: the same limits, and errors that name the place."""

from decimal import Decimal

import pytest

from llmtest import RedisLedgerStore, Simulation, build_chain, load_config
from llmtest.costs import Budget, BudgetConfig, CostLedger, Prices, SqliteBudgetStore, SqliteLedgerStore
from llmtest.errors import BudgetExceededError, ConfigurationError, ScenarioError, UnknownPriceError
from llmtest.events import BudgetWarned, describe
from llmtest.scenarios import load_scenario, run_scenario
from llmtest.types import CompletionRequest, Usage

REQUEST = CompletionRequest.ask("Capital of France?", model="big").with_max_tokens(20)


def chain_of(sim, budget, **settings):
    """Make a chain of one provider with a budget as a file has it."""
    providers = {"openai": sim.openai.as_provider("big")}
    return build_chain({"providers": [{"provider": "openai"}], "budget": budget}, providers, **settings)


@pytest.fixture
def sim():
    """A simulation with one priced model: 72 tokens, $0.0001312, is what the request may need; it costs $0.0000173."""
    prices = Prices()
    prices.add("openai:big", input_usd_per_mtok="1.1", output_usd_per_mtok="3.7")
    with Simulation(prices=prices, strict=False) as sim:
        sim.openai.replies("Paris", times=None)
        yield sim


@pytest.mark.parametrize(
    ("budget", "scope", "unit"),
    [
        ({"max_tokens_per_session": 73}, "session", "tokens"),
        ({"max_tokens_per_day": 73}, "day", "tokens"),
        ({"max_tokens_per_month": 73}, "month", "tokens"),
        ({"max_cost_per_session": 0.00014}, "session", "usd"),
        ({"max_cost_per_day": "0.00014"}, "day", "usd"),
        ({"max_cost_per_month": "$0.00014"}, "month", "usd"),
    ],
)
def test_every_limit_of_a_file_holds(sim, budget, scope, unit):
    """The first call fits, the second is refused by the limit that the file names."""
    ledger = CostLedger()
    chain = chain_of(sim, budget, prices=sim.world.prices, ledger=ledger)
    chain.complete(REQUEST)
    with pytest.raises(BudgetExceededError) as caught:
        chain.complete(REQUEST)
    assert (caught.value.scope, caught.value.unit) == (scope, unit)
    assert ledger.total_usd == sim.costs.total_usd == Decimal("0.0000173")


def test_a_limit_per_task_of_a_file_holds_for_each_call(sim):
    """A call without a task is a task of its own."""
    chain = chain_of(sim, {"max_cost_per_task": 0.00008}, prices=sim.world.prices)
    with pytest.raises(BudgetExceededError, match="task limit"):
        chain.complete(REQUEST)


@pytest.mark.parametrize(
    ("budget", "scope"),
    [
        ({"max_tokens_per_call": 71}, "call"),
        ({"max_cost_per_call": "0.00013"}, "call"),
        ({"max_tokens_per_task": 71}, "task"),
    ],
)
def test_f130_a_limit_of_a_file_holds_for_a_single_call(sim, budget, scope):
    """A request that may need more by itself is refused, and nobody is asked."""
    chain = chain_of(sim, budget, prices=sim.world.prices)
    with pytest.raises(BudgetExceededError) as caught:
        chain.complete(REQUEST)
    assert caught.value.scope == scope
    sim.assert_attempts("openai", 0)


def test_a_file_can_warn_of_a_daily_limit_and_let_calls_pass(sim):
    """The threshold is for limits per day too, and `halt_on_budget_exceeded: false` only tells."""
    budget = {"max_cost_per_day": 0.00003, "warn_threshold_percent": 50, "halt_on_budget_exceeded": False}
    chain = chain_of(sim, budget, prices=sim.world.prices)
    chain.complete(REQUEST)
    chain.complete(REQUEST)
    assert [describe(event)[1] for event in sim.trace.of(BudgetWarned)] == [
        "not halted: spent 0 + reserved 0 + requested 0.0001312 > limit $0.00003",
        "spent $0.0000173 of $0.00003, 50 % or more",
        "not halted: spent 0.0000173 + reserved 0 + requested 0.0001312 > limit $0.00003",
        "spent $0.0000346 of $0.00003: not halted",
    ]


@pytest.mark.parametrize(
    "budget",
    [
        {"max_cost_per_day": -1},
        {"max_cost_per_day": float("nan")},
        {"max_cost_per_day": float("inf")},
        {"max_cost_per_day": True},
        {"max_cost_per_day": "a lot"},
        {"max_tokens_per_day": -5},
        {"max_tokens_per_day": 1.5},
        {"max_tokens_per_session": "many"},
        {"max_tokens_per_session": True},
        {"max_cost_per_week": 5},
        {"halt_on_budget_exceeded": "perhaps"},
        {"warn_threshold_percent": 0, "max_cost_per_day": 1},
        {"warn_threshold_percent": 101, "max_cost_per_day": 1},
        25,
    ],
    ids=str,
)
def test_a_wrong_limit_of_a_file_is_one_error_that_names_it(sim, budget):
    """Each mistake is an error of the file, with the setting's name in it."""
    with pytest.raises(ScenarioError) as caught:
        chain_of(sim, budget)
    name = next(iter(budget)) if isinstance(budget, dict) else "budget"
    assert name in str(caught.value)


@pytest.mark.parametrize(
    ("budget", "problem"),
    [
        ({"max_cost_per_day": True}, "`true` is not an amount of US dollars; write `25.00`."),
        ({"max_cost_per_day": "1e400"}, "`1e400` is too large for US dollars; write `25.00`."),
        ({"max_cost_per_day": "1e-41"}, "`1e-41` is too small for US dollars; write `25.00`."),
        ({"max_tokens_per_day": True}, "`true` is not a whole number; write `600`, `400k` or `1M`."),
        ({"on_unknown_price": "wran"}, "unknown choice `wran`. Did you mean `warn`?\nKnown choices: error, warn."),
        ({"warn_threshold_percent": "80%"}, "`80%` is not a number above 0 and up to 100; write `80`."),
    ],
)
def test_a_wrong_limit_of_a_file_is_shown_as_it_is_written(sim, budget, problem):
    """The value is told as a file has it, and so is a right one."""
    with pytest.raises(ScenarioError) as caught:
        chain_of(sim, budget)
    assert str(caught.value) == f"`budget.{next(iter(budget))}`: {problem}"


@pytest.mark.parametrize(("choice", "answered"), [("error", False), ("warn", True)])
def test_u10_a_file_says_what_becomes_of_a_call_without_a_price(sim, choice, answered):
    """The call is refused unless the file lets it pass; then the trace is told that nobody counts it."""
    chain = chain_of(sim, {"max_cost_per_day": 1, "on_unknown_price": choice}, prices=Prices())
    if answered:
        assert chain.complete(REQUEST).content == "Paris"
        assert [event.scope for event in sim.trace if isinstance(event, BudgetWarned)] == ["price"]
    else:
        with pytest.raises(UnknownPriceError, match="no price for `openai:big`"):
            chain.complete(REQUEST)


def test_chains_from_files_can_share_a_budget(sim, tmp_path):
    """Two chains spend from one budget, which may be kept in a file; the second finds what the first has left."""
    path = tmp_path / "chain.yaml"
    path.write_text("providers: [{provider: openai}]\n")
    limits = BudgetConfig(max_cost_per_day="0.00014")
    providers = {"openai": sim.openai.as_provider("big")}
    with SqliteBudgetStore(tmp_path / "budget.db") as store:
        budget = Budget(limits, prices=sim.world.prices, store=store)
        load_config(path).build(providers, budget=budget).complete(REQUEST)
        with pytest.raises(BudgetExceededError, match="day limit"):
            build_chain({"providers": [{"provider": "openai"}]}, providers, budget=budget).complete(REQUEST)
        assert budget.balance("day").spent_usd == sim.costs.total_usd == Decimal("0.0000173")


def test_a_chain_has_one_budget(sim):
    """A limit of the file is not silently replaced by another."""
    with pytest.raises(ConfigurationError) as caught:
        build_chain(
            {"providers": [{"provider": sim.openai.as_provider("big")}], "budget": {"max_cost_per_day": 1}},
            budget=Budget(BudgetConfig(max_cost_per_day=5)),
        )
    assert str(caught.value) == (
        "chain `fallback-chain` has a `budget` of its own, and was given another, of which only one would hold.\n"
        "To fix: keep one of the two"
    )


SCENARIO = """
version: 1
name: a small budget
providers:
  openai: {model: gpt-4o, latency: {ttft: 1s, tokens_per_second: 50}}
  anthropic: {model: claude-sonnet-4-5}
chain:
  retry: {max_attempts: 2}
  timeouts: {total: 3s}
  providers: [{provider: openai}, {provider: anthropic, trigger: any_error}]
budget: {max_cost_per_day: 0.50}
load: {rate: 2/s, duration: 10m, stream: true}
faults:
  - {name: slow, where: {provider: openai}, when: {probability: 0.2}, what: {slow_first_token: {seconds: 30s}}}
  - {name: drops, where: {provider: openai}, when: {probability: 0.2}, what: {stream_dropped: {after_chunks: 1}}}
  - {name: refusals, where: {provider: openai}, when: {probability: 0.2}, what: {server_error: {status: 503}}}
expect:
  spend: "<= 0.50"
  rejected: ">= 1"
"""


def test_a_scenario_holds_its_budget_through_timeouts_and_broken_streams(tmp_path):
    """With failures that are billed among the calls, the spend stays within the limit, and the verdict says so."""
    path = tmp_path / "small.yaml"
    path.write_text(SCENARIO)
    result = run_scenario(load_scenario(path))
    assert result.ok, result.expectations
    assert Decimal("0.4") < result.cost_usd <= Decimal("0.50")
    assert "budget_overshoot" not in str(result)


@pytest.mark.parametrize(
    ("limit", "findings"),
    [
        ("1.1625", {}),
        ("1.16", {"budget_overshoot": "$1.1625 were spent of the month's $1.16. To blame: the chain."}),
    ],
)
def test_u09_the_verdict_counts_each_month_by_itself(tmp_path, limit, findings):
    """Forty days of traffic, $1.50 in all, pass a month's limit only if one of the months does."""
    text = SCENARIO.partition("budget:")[0] + (
        f"budget: {{max_cost_per_month: {limit}, halt_on_budget_exceeded: false}}\n"
        "load: {rate: 0.25/h, arrivals: constant, duration: 40d}\n"
    )
    path = tmp_path / "scenario.yaml"
    path.write_text(text)
    result = run_scenario(load_scenario(path))
    assert (result.cost_usd, result.findings) == (Decimal("1.5"), findings)


def asked(chain, *, tenant=None, model="big"):
    """Ask for a model, for a tenant, and say whether it was answered."""
    request = CompletionRequest.ask("Capital of France?", model=model).with_max_tokens(20)
    try:
        with chain.budget.tenant(tenant or "somebody"):
            chain.complete(request)
    except BudgetExceededError:
        return False
    return True


@pytest.mark.parametrize("key", ["per_provider", "per_model", "per_tenant"])
def test_limits_of_single_providers_models_and_tenants_stand_in_a_file(sim, key):
    """The call fits once within them; whoever is not named is not held to them."""
    name = {"per_provider": "openai", "per_model": "openai:bi*", "per_tenant": "acme"}[key]
    chain = chain_of(sim, {key: {name: {"max_tokens_per_day": "73"}}}, prices=sim.world.prices)
    assert asked(chain, tenant="acme")
    assert not asked(chain, tenant="acme")
    if key == "per_tenant":
        assert asked(chain, tenant="another")
    if key == "per_model":
        assert asked(chain, model="small")


def test_the_days_of_a_file_are_those_of_its_zone(sim):
    """Midnight in Berlin is an hour before midnight in UTC."""
    budget = {"max_tokens_per_day": 73, "timezone": "Europe/Berlin"}
    chain = chain_of(sim, budget, prices=sim.world.prices)
    assert asked(chain)
    sim.clock.advance(22.5 * 3600)
    assert not asked(chain)
    sim.clock.advance(3600)
    assert asked(chain)


def test_everything_else_that_a_budget_can_be_told_stands_in_a_file(sim):
    """What is charged of what was cut off, how long an answer is, what counts, which account and session."""
    keys = {"cut_off": "reserved", "default_max_tokens": "1k", "name": "batch", "session": "s-17"}
    limits = {"max_cost_per_day": 1, "warn_threshold_percent": 50, "halt_on_budget_exceeded": False}
    budget = chain_of(sim, {**keys, **limits}, prices=sim.world.prices).budget
    assert (budget.default_max_tokens, budget.session) == (1000, "s-17")
    assert [(limit.scope, limit.warn_percent, limit.halt) for limit in budget.limits] == [("day", 50, False)]
    reservation = budget.reserve(CompletionRequest.ask("Hi", model="big"), provider="openai")
    assert reservation.tokens > 1000
    reservation.settle(Usage(1, 1, source="estimated"))
    assert budget.balance().spent_tokens == reservation.tokens


def kept(path, sim, text, **settings):
    """Write a chain file, and build its chain on the simulated provider."""
    path.write_text(f"{text}\nproviders: [{{provider: openai}}]\n")
    return build_chain(
        load_config(path), {"openai": sim.openai.as_provider("big")}, prices=sim.world.prices, **settings
    )


def test_a_file_says_where_balances_and_entries_are_kept(sim, tmp_path):
    """Files of SQLite beside the chain file, which the next run opens again; a ledger needs no limit."""
    text = "ledger: {sqlite: costs.db}\nbudget: {max_tokens_per_day: 73, store: {sqlite: budget.db, timeout: 2s}}"
    chain = kept(tmp_path / "chain.yaml", sim, text)
    assert asked(chain)
    assert not asked(kept(tmp_path / "chain.yaml", sim, text))
    with SqliteLedgerStore(tmp_path / "costs.db") as store:
        assert CostLedger(store=store).total_usd == sim.costs.total_usd > 0
    assert (tmp_path / "budget.db").exists()
    alone = kept(tmp_path / "chain.yaml", sim, "ledger: {sqlite: more.db}")
    assert asked(alone)
    assert len(alone.budget.ledger) == 1


def test_a_file_names_a_server_by_a_variable(sim, tmp_path, redis_url, monkeypatch):
    """Machines that read the same file share the budget and the account."""
    monkeypatch.setenv("MONEY_URL", redis_url)
    place = "{redis: 'env:MONEY_URL', namespace: chain-file, timeout: 2s}"
    text = f"ledger: {place}\nbudget: {{max_tokens_per_day: 73, store: {place}}}"
    with RedisLedgerStore(redis_url, namespace="chain-file") as store:
        assert asked(kept(tmp_path / "chain.yaml", sim, text))
        assert not asked(kept(tmp_path / "chain.yaml", sim, text))
        assert CostLedger(store=store).total_usd == sim.costs.total_usd > 0


def test_a_chain_that_asks_nobody_keeps_nothing(tmp_path):
    """What mocks answer costs nothing, and is entered in no account of real money."""
    path = tmp_path / "chain.yaml"
    path.write_text("ledger: {sqlite: costs.db}\nproviders: [{provider: openai, model: gpt-4o}]\n")
    chain = build_chain(load_config(path), mode="mock")
    chain.complete(CompletionRequest.ask("Hi"))
    assert len(chain.budget.ledger) == 1
    assert not (tmp_path / "costs.db").exists()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("budget: {per_model: {gpt-4o: {max_cost_per_dya: 1}}}", "Did you mean `max_cost_per_day`?"),
        ("budget: {timezone: Mars}", "no time zone 'Mars' is known"),
        ("budget: {cut_off: guessed}", "`guessed`"),
        ("budget: {store: {}}", "takes `sqlite` or `redis`, one of the two, such as `{sqlite: costs.db}`"),
        ("ledger: {sqlite: a.db, redis: 'redis://localhost'}", "takes `sqlite` or `redis`, one of the two"),
        ("ledger: {sqlite: a.db, namespace: x}", "`namespace` belongs to `redis`"),
        ("ledger: {sqlite: missing/costs.db}", "its folder is missing"),
        ("ledger: {redis: 'http://localhost'}", "the URL of Redis cannot be read"),
        ("ledger: {redis: 'env:NO_SUCH_URL'}", "the environment variable `NO_SUCH_URL` is not set"),
        ("budget: {tokenizer: o201k}", "o201k"),
    ],
)
def test_a_mistake_about_accounts_is_told_with_its_line(sim, tmp_path, text, said):
    """File and line, what is wrong, and what to write."""
    with pytest.raises(ScenarioError) as caught:
        kept(tmp_path / "chain.yaml", sim, text)
    assert f"{tmp_path / 'chain.yaml'}:1" in str(caught.value)
    assert said in str(caught.value)


def test_one_account_is_kept(sim, tmp_path):
    """A ledger in the file and another in the code contradict each other; so does one in a chain inside."""
    with pytest.raises(ConfigurationError, match="To fix: keep one of the two"):
        kept(tmp_path / "chain.yaml", sim, "ledger: {sqlite: costs.db}", ledger=CostLedger())
    inner = {"providers": [{"provider": "openai"}], "ledger": {"sqlite": "costs.db"}}
    with pytest.raises(ScenarioError, match="To fix: write `ledger` in the outer chain"):
        build_chain({"providers": [{"name": "inner", "chain": inner}]}, {"openai": sim.openai.as_provider("big")})
