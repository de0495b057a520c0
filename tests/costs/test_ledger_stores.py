"""Accounts that are kept: the same in memory, in a file and on a server, whole whatever happens to process or file."""

import copy
import gc
import itertools
import os
import pickle
import sqlite3
import subprocess
import sys
import threading
from contextlib import closing
from decimal import Decimal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from llmtest import Budget, BudgetConfig, CompletionRequest, FallbackChain, LLMClient, RedisLedgerStore, Simulation
from llmtest.costs import CostLedger, MemoryLedgerStore, SqliteLedgerStore
from llmtest.errors import ConfigurationError, UnknownPriceError
from llmtest.events import BudgetWarned, describe
from llmtest.types import Usage
from tests.costs.test_ledger import filled

REQUEST = CompletionRequest.ask("Capital of France?").with_max_tokens(20)
KINDS = ["memory", "sqlite", "redis"]
NAMESPACES = itertools.count()
FULL = Usage(9, 8, 7, 6, 5, "estimated", 4, 3, 2, (("web_search", 2),), Decimal("0.1"), 1, 1)


@pytest.fixture
def path(tmp_path):
    """A ledger that does not exist yet."""
    return tmp_path / "costs.db"


def make_store(kind, path, request):
    """Return an empty store of a kind."""
    if kind == "memory":
        return MemoryLedgerStore()
    if kind == "redis":
        store = RedisLedgerStore(request.getfixturevalue("redis_url"), namespace=f"ledger-{next(NAMESPACES)}")
    else:
        store = SqliteLedgerStore(path)
    request.addfinalizer(store.close)
    return store


@pytest.fixture(params=KINDS)
def store(request, path):
    """Keep entries in memory, in a file, and on a server."""
    return make_store(request.param, path, request)


def test_u06_what_is_entered_comes_back_as_it_was(store):
    """Every fact of an entry, amounts to the last digit, in the order in which they were entered."""
    ledger = CostLedger(store=store, test="tests/test_it.py::test_it")
    plain = CostLedger(test="tests/test_it.py::test_it")
    for account in (ledger, plain):
        account.record(
            "openai", "gpt-4o", FULL, Decimal("0.000000000000000001"), purpose="hedge", at_ns=7, call=3,
            service_tier="flex", metadata={"team": "blue"}, requested_model="gpt-4o-latest", label="ask",
            task="letter", tenant="acme", time_ns=9,
        )  # fmt: skip
        account.record("ollama", None, Usage(), None, test="another", call=3)
        account.record("ollama", "llama3", Usage(1, 2), Decimal(5), billed=False)
    assert ledger.entries == plain.entries
    assert [entry.attempt for entry in ledger] == [1, 2, 0]
    assert repr(ledger) == repr(plain)
    with pytest.raises(UnknownPriceError) as caught, plain.total_usd:
        pass
    with pytest.raises(UnknownPriceError) as again, ledger.total_usd:
        pass
    assert str(again.value) == str(caught.value)
    assert ledger.known_usd == Decimal("0.000000000000000001")


@pytest.mark.parametrize(
    "names",
    [
        ("provider",), ("model",), ("purpose",), ("tag:team",), ("test",), ("label",), ("task",), ("tenant",),
        ("hour",), ("day",), ("month", "provider"), ("requested_model", "tier"),
    ],
    ids=str,
)  # fmt: skip
def test_m04_a_kept_account_is_summed_by_whatever_its_entries_say(store, names):
    """The same groups, in the same order, as of an account that is not kept."""
    ledger, plain = CostLedger(store=store), filled()
    for entry in plain:
        facts = {name: getattr(entry, name) for name in entry.__slots__ if name not in {"attempt", "run"}}
        ledger.record(**facts)
    assert list(ledger.by(*names).items()) == list(plain.by(*names).items())
    assert ledger.by_metadata("team") == plain.by_metadata("team")
    assert ledger.spends() == plain.spends()


def test_accounts_on_one_store_are_one_account(store):
    """Each sees what the others enter, also after it has been summed up, and what is cleared is gone for all."""
    one, other = CostLedger(store=store, test="one"), CostLedger(store=store, test="other")
    one.record("openai", "gpt-4o", Usage(1, 1), Decimal("0.1"))
    assert (one.total_usd, other.total_usd) == (Decimal("0.1"), Decimal("0.1"))
    other.record("openai", "gpt-4o", Usage(1, 1), Decimal("0.2"))
    assert one.total_usd == other.total_usd == Decimal("0.3")
    assert [entry.test for entry in one] == ["one", "other"]
    other.clear()
    assert (one.total_usd, len(one), one.entries) == (0, 0, ())
    one.record("anthropic", "claude", Usage(2, 2), Decimal("0.4"))
    assert other.by_provider() == one.by_provider() == {"anthropic": Decimal("0.4")}


def test_u07_threads_lose_no_entry(store):
    """Eight threads on two accounts of one store: every entry once, the sum exact."""
    ledgers = [CostLedger(store=store) for _ in range(2)]

    def work(number):
        for _ in range(20):
            ledgers[number % 2].record("openai", "gpt-4o", Usage(1, 1), Decimal("0.0000001"))

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for ledger in ledgers:
        assert (len(ledger), len(ledger.entries), ledger.total_usd) == (160, 160, Decimal("0.000016"))


AMOUNTS = st.one_of(st.none(), st.decimals(0, 1000, places=12, allow_nan=False, allow_infinity=False))
ENTRIES = st.tuples(
    st.sampled_from(["openai", "ollama"]), st.one_of(st.none(), st.text(max_size=5)), AMOUNTS, st.booleans(), st.text()
)


@pytest.mark.parametrize("kind", KINDS)
def test_m03_a_kept_account_shows_what_a_forgotten_one_does(kind, tmp_path, request):
    """Whatever is entered, and whenever somebody looks: table, sums and entries are those of a plain account."""
    numbers = iter(range(10**6))

    @settings(max_examples=8, suppress_health_check=list(HealthCheck))
    @given(st.lists(ENTRIES, max_size=12), st.integers(0, 12))
    def agrees(entries, looks):
        kept = CostLedger(store=make_store(kind, tmp_path / f"{next(numbers)}.db", request))
        plain = CostLedger()
        for number, (provider, model, amount, billed, label) in enumerate(entries):
            for ledger in (kept, plain):
                facts = {"billed": billed, "label": label, "metadata": {label: label}, "call": number // 2}
                ledger.record(provider, model, Usage(number, 1), amount, **facts)
            if number == looks:
                assert kept.summary == plain.summary
        assert repr(kept) == repr(plain)
        assert kept.entries == plain.entries

    agrees()


def test_an_account_that_is_kept_cannot_keep_nothing(store):
    """The two settings contradict each other."""
    with pytest.raises(ConfigurationError, match=r"To fix: CostLedger\(store=store\), or CostLedger\(keep=False\)"):
        CostLedger(keep=False, store=store)


def test_an_account_outlives_the_process_that_made_it(path):
    """A forked child and a copy enter in the same file; calls of each process have numbers of their own."""
    with SqliteLedgerStore(path) as store:
        ledger = CostLedger(store=store)
        ledger.record("openai", "gpt-4o", Usage(1, 1), Decimal("0.1"), call=1)
        other = copy.deepcopy(ledger)
        pickle.loads(pickle.dumps(ledger)).record("openai", "gpt-4o", Usage(1, 1), Decimal("0.2"), call=1)
        assert ledger.total_usd == other.total_usd == Decimal("0.3")
        assert [(entry.call, entry.attempt) for entry in ledger] == [(1, 1), (1, 1)]
        assert list(ledger.by("call")) == [("1/1",), ("2/1",)]
    with SqliteLedgerStore(path) as store:
        assert CostLedger(store=store).total_usd == Decimal("0.3")


def test_a_budget_enters_its_calls_in_a_file(path):
    """The account is the bill, to the last digit, in the process that comes after."""
    with Simulation() as sim, SqliteLedgerStore(path) as store:
        budget = Budget(BudgetConfig(max_cost_per_day=1), ledger=CostLedger(store=store))
        sim.openai.replies("Paris", times=3)
        client = LLMClient(FallbackChain([sim.openai.as_provider("gpt-4o")], budget=budget))
        for _ in range(3):
            client.complete(REQUEST)
        with SqliteLedgerStore(path) as later:
            ledger = CostLedger(store=later)
            assert ledger.total_usd == sim.costs.total_usd == budget.balance("day").spent_usd > 0
            assert ledger.by("day") == sim.costs.by("day")


KILLER = """
import os, signal, sys
from decimal import Decimal
from llmtest.costs import SqliteLedgerStore
from llmtest.types import Usage

for child in range(200):
    reader, writer = os.pipe()
    pid = os.fork()
    if not pid:
        os.close(reader)
        store = SqliteLedgerStore(sys.argv[1])
        for number in range(100_000):
            facts = (Decimal(f"0.{number:06}"), "call", 0, 0, None, {}, None, None, None, None, None, 1, True, 0)
            store.append([("p", str(child), Usage(number, half), *facts) for half in range(2)])
            os.write(writer, b".")
    os.close(writer)
    heard = len(os.read(reader, 1 + child % 40))
    os.kill(pid, signal.SIGKILL)
    while piece := os.read(reader, 65536):
        heard += len(piece)
    os.waitpid(pid, 0)
    os.close(reader)
    print(heard)
"""


@pytest.mark.slow
def test_u14_an_account_survives_two_hundred_kills(path):
    """A process that is killed in the middle of writing loses nothing that it was told is entered, and leaves no half.

    Each child opens what the one before it left, enters as fast as it can, and tells after each pair of entries, which
    goes in as one. The file opens each time, and at the end holds what was told, in order and whole.
    """
    command = [sys.executable, "-c", KILLER, str(path)]
    told = [int(line) for line in subprocess.run(command, capture_output=True, check=True, text=True).stdout.split()]
    assert len(told) == 200
    assert min(told) > 0
    with SqliteLedgerStore(path) as store:
        entries = CostLedger(store=store).entries
    kept = {}
    for entry in entries:
        kept.setdefault(int(entry.model), []).append((entry.usage.input_tokens, entry.usage.output_tokens))
        assert entry.cost_usd == Decimal(f"0.{entry.usage.input_tokens:06}")
    for child, count in enumerate(told):
        whole = len(kept[child]) // 2
        assert kept[child] == [(number, half) for number in range(whole) for half in range(2)]
        assert count <= whole <= count + 1


WRITERS = """
import os, sys
from decimal import Decimal
from llmtest.costs import CostLedger, SqliteLedgerStore
from llmtest.types import Usage

ledger = CostLedger(store=SqliteLedgerStore(sys.argv[1], timeout=60))
for child in range(2):
    if not os.fork():
        for number in range(150):
            ledger.record("p", str(child), Usage(number, 1), Decimal("0.0000001"), call=number + 1)
        os._exit(0)
sys.exit(any(os.waitstatus_to_exitcode(os.wait()[1]) for _ in range(2)))
"""


@pytest.mark.slow
def test_u14_two_processes_enter_in_one_account_at_once(path):
    """Every entry of both is there once, each process's in its order, and the sum is exact."""
    subprocess.run([sys.executable, "-c", WRITERS, str(path)], check=True)
    with SqliteLedgerStore(path) as store:
        ledger = CostLedger(store=store)
        assert (len(ledger), ledger.total_usd) == (300, Decimal("0.00003"))
        for model in ("0", "1"):
            mine = [entry for entry in ledger if entry.model == model]
            assert [entry.usage.input_tokens for entry in mine] == list(range(150))
            assert {entry.attempt for entry in mine} == {1}
        assert len({entry.run for entry in ledger}) == 2


def test_a_locked_account_is_one_clear_error_and_nothing_is_lost(path):
    """What was refused was not entered, and what came before and comes after is there."""
    with SqliteLedgerStore(path, timeout=0) as store, closing(sqlite3.connect(path, isolation_level=None)) as other:
        ledger = CostLedger(store=store)
        ledger.record("openai", "gpt-4o", Usage(1, 1), Decimal("0.1"))
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(ConfigurationError) as caught:
            ledger.record("openai", "gpt-4o", Usage(1, 1), Decimal("0.2"))
        assert str(caught.value) == (
            f"the cost ledger `{path}` is locked by another process for more than 0 s; nothing was changed.\n"
            "To fix: end the process that holds the lock, or wait longer: SqliteLedgerStore(path, timeout=30)."
        )
        assert ledger.total_usd == Decimal("0.1")  # whoever reads need not wait
        other.execute("ROLLBACK")
        ledger.record("openai", "gpt-4o", Usage(1, 1), Decimal("0.4"))
        assert ledger.total_usd == Decimal("0.5")


def test_a_call_whose_account_is_locked_is_answered_and_entered_later(path):
    """The answer is handed over and charged, the trace tells, and the entry goes in before the next one, once."""
    with (
        Simulation() as sim,
        SqliteLedgerStore(path, timeout=0) as store,
        closing(sqlite3.connect(path, isolation_level=None)) as other,
    ):
        budget = Budget(BudgetConfig(max_cost_per_day=1), ledger=CostLedger(store=store))
        client = LLMClient(FallbackChain([sim.openai.as_provider("gpt-4o")], budget=budget))
        sim.openai.replies("Paris", "Rome", "Oslo")
        other.execute("BEGIN IMMEDIATE")
        assert [client.complete(REQUEST).content for _ in range(2)] == ["Paris", "Rome"]
        warnings = [event for event in sim.trace if isinstance(event, BudgetWarned)]
        assert [event.scope for event in warnings] == ["ledger", "ledger"]
        assert describe(warnings[0])[1].startswith("not settled yet: the cost ledger")
        assert budget.balance("day").spent_usd == sim.costs.total_usd
        with pytest.raises(ConfigurationError, match="is locked"):
            _ = budget.ledger.total_usd  # it would be less than what was spent
        other.execute("ROLLBACK")
        assert client.complete(REQUEST).content == "Oslo"
        assert budget.ledger.total_usd == sim.costs.total_usd
        assert [entry.call for entry in budget.ledger] == [entry.call for entry in sim.costs.entries]


@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")  # The child only enters what is its own.
def test_a_forked_child_does_not_enter_what_its_parent_owes(path):
    """An entry that waits is its parent's; the child goes on with its own."""
    with SqliteLedgerStore(path, timeout=0) as store, closing(sqlite3.connect(path, isolation_level=None)) as other:
        ledger = CostLedger(store=store)
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(ConfigurationError):
            ledger.record("parent", None, Usage(), Decimal(1), may_wait=True)
        other.execute("ROLLBACK")
        pid = os.fork()
        if not pid:
            try:
                ledger.record("child", None, Usage(), Decimal(2))
                os._exit(0)
            finally:
                os._exit(1)
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
        assert sorted(ledger.by_provider().items()) == [("child", 2), ("parent", 1)]


def test_an_entry_that_the_collector_makes_in_the_middle_of_another_is_kept(path):
    """A stream that nobody holds any more settles while something else is being entered on the same store."""

    class Late:
        def __init__(self, store):
            self.ledger = CostLedger(store=store)
            self.me = self

        def __del__(self):
            self.ledger.record("late", None, Usage(), Decimal(1))

    class Metadata(dict):
        def items(self):
            gc.collect()
            return super().items()

        def keys(self):
            gc.collect()
            return super().keys()

    with SqliteLedgerStore(path) as store:
        Late(store)
        CostLedger(store=store).record("first", None, Usage(), Decimal(1), metadata=Metadata(a="b"))
        gc.collect()
        assert [entry.provider for entry in CostLedger(store=store)] == ["first", "late"]


class Small(sqlite3.Connection):
    """A connection to a disk of few pages."""

    def execute(self, statement, *parameters):
        """Say how much room there is before anything is written."""
        if statement == "BEGIN IMMEDIATE":
            super().execute("PRAGMA max_page_count = 12")
        return super().execute(statement, *parameters)


def test_a_full_disk_is_one_clear_error_and_everything_before_it_is_there(path, monkeypatch):
    """Every entry that was taken is there when the file is opened again, and none of the one that did not fit."""
    connect = sqlite3.connect
    with monkeypatch.context() as patch:
        patch.setattr(sqlite3, "connect", lambda *given, **named: connect(*given, **named, factory=Small))
        store = SqliteLedgerStore(path)
        ledger, taken = CostLedger(store=store), itertools.count()

        def enter():
            for number in range(1000):
                ledger.record("openai", "gpt-4o", Usage(number, 1), Decimal(1), label="x" * 500)
                next(taken)

        with pytest.raises(ConfigurationError) as caught:
            enter()
        store.close()
    taken = next(taken)
    assert str(caught.value) == (
        f"the cost ledger `{path}` cannot be used: database or disk is full; nothing was changed.\n"
        "To fix: make room on its disk; whatever was entered before is still there."
    )
    with SqliteLedgerStore(path) as store:
        again = CostLedger(store=store)
        assert [entry.usage.input_tokens for entry in again] == list(range(taken))
        again.record("openai", "gpt-4o", Usage(), Decimal(1))
        assert again.total_usd == taken + 1 > 1


def fill(path):
    """Enter a few pages."""
    with SqliteLedgerStore(path) as store:
        row = ("openai", "gpt-4o", Usage(1, 1), Decimal(1), "call", 0, 0, None, {}, *[None] * 5, 1, True, 0)
        store.append([row] * 400)


@pytest.mark.parametrize("share", [0.02, 0.3, 0.6, 0.99])
def test_an_account_that_was_cut_short_is_refused_and_left_alone(path, share):
    """Wherever it was cut, it is not opened, and not a byte of it changes; the copy that is restored opens."""
    fill(path)
    whole = path.read_bytes()
    cut = whole[: int(len(whole) * share)]
    path.write_bytes(cut)
    with pytest.raises(ConfigurationError) as caught:
        SqliteLedgerStore(path)
    text = str(caught.value)
    assert text.startswith(f"the cost ledger `{path}` cannot be used: ")
    assert "To fix: restore the file from a copy" in text
    assert path.read_bytes() == cut
    path.write_bytes(whole)
    with SqliteLedgerStore(path) as store:
        assert CostLedger(store=store).total_usd == 400


def make_newer(path):
    """Make an account of a later format."""
    fill(path)
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA user_version = 99")


def make_budget(path):
    """Make a file of balances."""
    from llmtest.costs import SqliteBudgetStore

    SqliteBudgetStore(path).close()


@pytest.mark.parametrize(
    ("make", "why"),
    [
        pytest.param(lambda path: path.touch(), "it is empty, so it may have been cut short", id="empty"),
        pytest.param(make_newer, "it has format 99, and this version of llmtest reads format 1", id="newer"),
        pytest.param(make_budget, "it is an SQLite file, but no cost ledger", id="budget"),
    ],
)
def test_a_file_that_is_no_account_is_refused(path, make, why):
    """Each kind of wrong file is named, and stays as it is."""
    make(path)
    before = path.read_bytes()
    with pytest.raises(ConfigurationError) as caught:
        SqliteLedgerStore(path)
    assert str(caught.value) == (
        f"the cost ledger `{path}` cannot be used: {why}; nothing was changed.\n"
        "To fix: restore the file from a copy, or move it away to start a new ledger, which knows of no spending."
    )
    assert path.read_bytes() == before


@pytest.mark.parametrize(
    ("column", "value"), [("cost_usd", "a lot"), ("usage", "{"), ("usage", '{"tokens": 1}'), ("metadata", "[")]
)
def test_an_entry_that_was_tampered_with_is_told(path, column, value):
    """An entry that cannot be read makes no sum that leaves it out."""
    fill(path)
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute(f"UPDATE entries SET {column} = ? WHERE id = 7", (value,))
    with SqliteLedgerStore(path) as store, pytest.raises(ConfigurationError, match="it is damaged: a number in it"):
        _ = CostLedger(store=store).total_usd
