"""The ledger's file in rough hands: moved, replaced, oddly named, tampered with, forked, copied, reclaimed."""

import copy
import os
import pickle
import sqlite3
from contextlib import closing
from datetime import UTC, datetime
from decimal import Decimal

import pytest

from llmtest import CompletionRequest, FallbackChain, LLMClient, Simulation
from llmtest.clock import VirtualClock
from llmtest.costs import (
    Budget,
    BudgetConfig,
    CostLedger,
    CostManagementPolicy,
    Estimate,
    MemoryBudgetStore,
    SqliteBudgetStore,
)
from llmtest.errors import ConfigurationError
from llmtest.types import Usage

DOLLAR = BudgetConfig(max_cost_per_day=1)
CENT = Estimate(1, Decimal("0.01"))
MOVED = (
    "cannot be used: it was moved, replaced or deleted while it was open; nothing was changed.\n"
    "To fix: put it back, or make a new SqliteBudgetStore, which goes by what is there now."
)


@pytest.fixture
def path(tmp_path):
    """A ledger that does not exist yet."""
    return tmp_path / "budget.db"


@pytest.fixture
def store(path):
    """An open ledger."""
    with SqliteBudgetStore(path) as opened:
        yield opened


def replace(path):
    """Put another ledger into a ledger's place."""
    other = path.with_name("other.db")
    SqliteBudgetStore(other).close()
    other.replace(path)


@pytest.mark.parametrize("move", [lambda path: path.rename(f"{path}.old"), lambda path: path.unlink(), replace])
def test_a_ledger_that_was_moved_away_is_not_written_any_more(path, store, move):
    """What is spent is never written where nobody looks, however often it is tried, until the file is back."""
    budget = Budget(DOLLAR, store=store)
    reservation = budget.reserve(CENT)
    move(path)
    for _ in range(2):
        with pytest.raises(ConfigurationError) as caught:
            reservation.settle(cost_usd=Decimal("0.01"))
        assert str(caught.value) == f"the budget ledger `{path}` {MOVED}"
    old = path.with_name("budget.db.old")
    if old.exists():
        old.rename(path)
        assert reservation.settle(cost_usd=Decimal("0.01")).usd == Decimal("0.01")


def test_the_journal_of_a_ledger_that_is_gone_is_not_played_into_a_new_one(path):
    """What a killed process left in a journal belongs to its file; a new one begins with nothing, or not at all."""
    with SqliteBudgetStore(path) as store:
        store.charge(("day:2026-01-01",), 1, Decimal(1))
        journal = path.with_name("budget.db-wal")
        left = journal.read_bytes()
    path.unlink()
    journal.write_bytes(left)
    with pytest.raises(ConfigurationError) as caught:
        SqliteBudgetStore(path)
    assert str(caught.value) == (
        f"the budget ledger `{path}` cannot be used: its journal `budget.db-wal` is there without it; "
        "nothing was changed.\n"
        "To fix: put the ledger back, or remove the journal to start a new ledger, which knows of no spending."
    )
    assert (path.exists(), journal.read_bytes()) == (False, left)
    journal.unlink()
    with SqliteBudgetStore(path) as store:
        assert store.balance("day:2026-01-01").spent_usd == 0


def test_a_ledger_that_is_gone_when_it_is_opened_again_is_not_begun_anew(path, store):
    """Only the constructor makes a file: one that begins anew in the middle of a run knows of no spending."""
    store.close()
    path.unlink()
    with pytest.raises(ConfigurationError, match="cannot be used: it was moved or deleted after it was opened"):
        store.new_session()
    assert not path.exists()


def test_a_ledger_may_have_any_name(tmp_path, monkeypatch):
    """A name that means something to SQLite is a file's name here, and a change of folder changes nothing."""
    monkeypatch.chdir(tmp_path)
    with SqliteBudgetStore(":memory:") as store:
        store.close()
        (tmp_path / "elsewhere").mkdir()
        monkeypatch.chdir(tmp_path / "elsewhere")
        assert store.new_session() == "session:1"
    assert (tmp_path / ":memory:").stat().st_size > 0
    (tmp_path / "link.db").symlink_to(tmp_path / "real.db")
    with SqliteBudgetStore(tmp_path / "link.db"):
        assert (tmp_path / "real.db").exists()


@pytest.mark.parametrize("name", [None, b"budget.db", "bud\0get.db", 7])
def test_a_ledger_is_named_by_a_path(name):
    """What cannot name a file is refused by one error."""
    with pytest.raises(ConfigurationError) as caught:
        SqliteBudgetStore(name)
    assert str(caught.value) == f"a budget ledger is named by a path, not {name!r}"


@pytest.mark.parametrize("timeout", [-1, float("nan"), float("inf"), "5", True, None])
def test_a_wrong_wait_is_refused(path, timeout):
    """A wait is a number of seconds; nothing is made."""
    with pytest.raises(ConfigurationError, match=r"^`timeout` must be a number of seconds, 0 or more, got "):
        SqliteBudgetStore(path, timeout=timeout)
    assert not path.exists()


def test_a_very_long_wait_is_a_long_wait(path):
    """A number that SQLite could not take does not turn into no wait at all."""
    with SqliteBudgetStore(path, timeout=10**12) as store:
        assert store.new_session() == "session:1"


def test_more_tokens_than_the_file_can_hold_are_one_clear_error(store):
    """The number does not fit, nothing is changed, and the next call is counted."""
    budget = Budget(BudgetConfig(max_tokens_per_day=10**30), store=store)
    reservation = budget.reserve(Estimate(5, Decimal(0)))
    for work in (
        lambda: budget.reserve(Estimate(2**63, Decimal(0))),
        lambda: reservation.settle(Usage(2**63, 0)),
        lambda: budget.charge(Usage(2**63, 0)),
    ):
        with pytest.raises(ConfigurationError, match="more tokens than it can hold would be added up; nothing was cha"):
            work()
    assert reservation.settle(Usage(3, 0)).tokens == 3
    balance = budget.balance("day")
    assert (balance.spent_tokens, balance.reserved_tokens) == (3, 0)


def test_a_number_that_was_tampered_with_is_told(path, store):
    """A ledger that holds no number where one should be is damaged."""
    budget = Budget(DOLLAR, store=store)
    budget.charge(Usage(1, 1), cost_usd="0.1")
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("UPDATE balances SET spent_usd = 'a lot'")
    with pytest.raises(
        ConfigurationError, match="cannot be used: it is damaged: a number in it cannot be read; nothin"
    ):
        budget.reserve(CENT)


@pytest.mark.parametrize("year", [1, 1969, 2300, 9999])
def test_days_of_any_year_can_be_kept(store, year):
    """Virtual time may be far away; the moment of a reservation is then as far as SQLite can tell."""
    clock = VirtualClock(datetime(year, 6, 30, tzinfo=UTC))
    budget = Budget(DOLLAR, CostManagementPolicy(monthly_limit_usd=1), store=store, clock=clock)
    budget.reserve(CENT).settle(cost_usd="0.01")
    assert budget.balance("day").spent_usd == budget.balance("month").spent_usd == Decimal("0.01")


def test_u03_what_was_given_back_too_early_is_charged_when_the_call_ends(store):
    """A reservation that somebody took for abandoned was not: what its call spent is counted, once."""
    budget = Budget(DOLLAR, store=store)
    kept, reclaimed = budget.reserve(CENT), budget.reserve(CENT)
    assert store.release_abandoned(2**70) == 2
    assert reclaimed.settle(cost_usd="0.005").usd == Decimal("0.005")
    with pytest.raises(RuntimeError, match="was settled or released before"):
        reclaimed.settle(cost_usd="0.005")
    assert not kept.release()
    balance = budget.balance("day")
    assert (balance.spent_usd, balance.reserved_usd, balance.reserved_tokens) == (Decimal("0.005"), 0, 0)


@pytest.mark.parametrize("moment", [1.5, "yesterday", None, True])
def test_a_moment_is_a_whole_number(store, moment):
    """A moment that SQLite would compare in its own way gives nothing back."""
    with pytest.raises(ConfigurationError, match=r"^`before_ns` must be a whole number of nanoseconds, got "):
        store.release_abandoned(moment)


@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")  # The child only gives up what it inherited.
def test_u02_a_forked_process_neither_settles_nor_releases_what_its_parent_holds(store):
    """A child inherits streams and reservations under way; giving them up there leaves the parent's account alone."""
    ledger = CostLedger()
    budget = Budget(DOLLAR, store=store, ledger=ledger)
    with Simulation() as sim:
        sim.openai.replies("one two three four")
        client = LLMClient(FallbackChain([sim.openai.as_provider("gpt-4o")], budget=budget))
        stream = client.stream(CompletionRequest.ask("Count").with_max_tokens(9))
        while not next(stream).visible:
            pass
        reservation = budget.reserve(CENT)
        held = budget.balance("day")
        child = os.fork()
        if child == 0:
            try:
                stream.close()
                del stream
                released = reservation.release()
                with pytest.raises(RuntimeError, match="this one was made by process"):
                    reservation.settle(cost_usd="0.01")
                os._exit(0 if not released and len(ledger) == 0 else 3)
            finally:
                os._exit(4)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        assert budget.balance("day") == held
        assert reservation.release()
        list(stream)
        balance = budget.balance("day")
        assert balance.spent_usd == ledger.total_usd == sim.costs.total_usd > 0
        assert (balance.reserved_usd, balance.reserved_tokens) == (0, 0)


@pytest.mark.parametrize("copied", [lambda it: pickle.loads(pickle.dumps(it)), copy.copy, copy.deepcopy])
def test_a_budget_in_a_file_can_be_sent_to_another_process(store, copied):
    """A copy is one budget more on the same account, with a connection of its own."""
    budget = Budget(DOLLAR, store=store)
    other = copied(budget)
    budget.charge(Usage(1, 1), cost_usd="0.25")
    other.charge(Usage(1, 1), cost_usd="0.5")
    assert other.balance("day").spent_usd == budget.balance("day").spent_usd == Decimal("0.75")
    del other
    assert budget.balance("day").spent_usd == Decimal("0.75")
    with copied(store) as again:
        assert again.path == store.path
    assert store.new_session() == "session:2"


@pytest.mark.parametrize("copied", [lambda it: pickle.loads(pickle.dumps(it)), copy.copy, copy.deepcopy])
def test_balances_in_memory_are_not_copied(copied):
    """Each copy would let the limits be spent once more, so the error says what to share instead."""
    with pytest.raises(TypeError, match=r"^balances in memory cannot be copied or sent to another process"):
        copied(MemoryBudgetStore())


def test_an_account_can_be_sent_to_another_process():
    """Entries and sums of a ledger come out as they went in, and both go on by themselves."""
    ledger = CostLedger()
    ledger.record("openai", "gpt-4o", Usage(1, 1), Decimal("0.1"))
    other = pickle.loads(pickle.dumps(ledger))
    other.record("openai", "gpt-4o", Usage(1, 1), Decimal("0.2"))
    assert (ledger.total_usd, other.total_usd, len(other.entries)) == (Decimal("0.1"), Decimal("0.3"), 2)
