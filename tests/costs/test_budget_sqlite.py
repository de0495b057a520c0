"""The ledger in a file: shared by processes, kept after them, and never guessed at when it is damaged."""

import asyncio
import gc
import os
import sqlite3
import subprocess
import sys
import threading
from contextlib import closing
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from shutil import rmtree
from tempfile import mkdtemp

import pytest

from llmtest import AsyncLLMClient, CompletionRequest, FallbackChain, LLMClient, Simulation, faults
from llmtest.clock import VirtualClock
from llmtest.costs import Budget, BudgetConfig, CostLedger, CostManagementPolicy, Estimate, SqliteBudgetStore
from llmtest.errors import BudgetExceededError, ConfigurationError, ProviderError
from llmtest.events import BudgetWarned, describe
from llmtest.types import Usage

REQUEST = CompletionRequest.ask("Capital of France?").with_max_tokens(20)
CENT = Estimate(1, Decimal("0.01"))
NOON = datetime(2026, 1, 31, 12, tzinfo=UTC)
TO_FIX = "\nTo fix: restore the file from a copy, or move it away to start a new ledger, which knows of no spending."


@pytest.fixture
def path(tmp_path):
    """A ledger that does not exist yet."""
    return tmp_path / "budget.db"


@pytest.fixture
def opened():
    """Open ledgers, closed at the end."""
    stores = []

    def open_store(path, **settings):
        stores.append(SqliteBudgetStore(path, **settings))
        return stores[-1]

    yield open_store
    for store in stores:
        store.close()


def test_spending_outlives_the_process_that_spent(path, opened):
    """A new store on the same file knows the day and the month, and starts a new session."""
    clock = VirtualClock(NOON)
    limits = (BudgetConfig(max_cost_per_day=1, max_cost_per_session=1), CostManagementPolicy(monthly_limit_usd=5))
    first = Budget(*limits, clock=clock, store=opened(path))
    first.reserve(Estimate(10, Decimal("0.7"))).settle(Usage(4, 3), cost_usd=Decimal("0.600000000000000001"))
    second = Budget(*limits, clock=clock, store=opened(path))
    assert second.session != first.session
    assert second.balance().spent_usd == 0
    for scope in ("day", "month"):
        balance = second.balance(scope)
        assert (balance.spent_tokens, balance.spent_usd) == (7, Decimal("0.600000000000000001"))
        assert (balance.reserved_tokens, balance.reserved_usd) == (0, 0)
    with pytest.raises(BudgetExceededError):
        second.reserve(Estimate(1, Decimal("0.4")))
    second.charge(Usage(1, 1), cost_usd=Decimal(1))
    assert second.balance("month").spent_usd == Decimal("1.600000000000000001")


def test_u03_a_reservation_is_settled_once(path, opened):
    """Settling twice raises and charges once; releasing twice gives back once; the file agrees."""
    clock = VirtualClock(NOON)
    budget = Budget(BudgetConfig(max_cost_per_day=1), clock=clock, store=opened(path))
    reservation = budget.reserve(CENT)
    reservation.settle(cost_usd=Decimal("0.01"))
    with pytest.raises(RuntimeError, match=r"\Athis reservation of 1 tokens and \$0.01 was settled or released before"):
        reservation.settle(cost_usd=Decimal("0.01"))
    assert reservation.release() is False
    other = budget.reserve(CENT)
    assert other.release() is True
    assert other.release() is False
    balance = budget.balance("day")
    assert (balance.spent_usd, balance.reserved_usd) == (Decimal("0.01"), 0)


def test_a_budget_that_does_not_halt_lets_the_call_pass(path, opened):
    """The store holds what passes a limit that does not halt."""
    limits = BudgetConfig(max_cost_per_day=0, halt_on_budget_exceeded=False)
    budget = Budget(limits, clock=VirtualClock(NOON), store=opened(path))
    with budget.reserve(CENT):
        assert budget.balance("day").reserved_usd == Decimal("0.01")


def test_u01_threads_share_one_file(path, opened):
    """Eight threads on one store spend the limit exactly."""
    budget = Budget(BudgetConfig(max_cost_per_day="0.2"), clock=VirtualClock(NOON), store=opened(path))
    passed = []

    def work():
        for _ in range(5):
            try:
                passed.append(budget.reserve(CENT).settle(cost_usd=Decimal("0.01")))
            except BudgetExceededError:
                continue

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    balance = budget.balance("day")
    assert (len(passed), balance.spent_usd, balance.reserved_usd) == (20, Decimal("0.2"), 0)


SPENDER = """
import sys
from datetime import UTC, datetime
from decimal import Decimal
from llmtest.clock import VirtualClock
from llmtest.costs import Budget, BudgetConfig, Estimate, SqliteBudgetStore
from llmtest.errors import BudgetExceededError

clock = VirtualClock(datetime(2026, 1, 31, 12, tzinfo=UTC))
budget = Budget(BudgetConfig(max_cost_per_day=1), clock=clock, store=SqliteBudgetStore(sys.argv[1], timeout=60))
print("ready", flush=True)
sys.stdin.readline()
passed = 0
for _ in range(80):
    try:
        reservation = budget.reserve(Estimate(1, Decimal("0.01")))
    except BudgetExceededError:
        continue
    reservation.settle(cost_usd=Decimal("0.01"))
    passed += 1
print(passed)
"""


def start(code, *arguments):
    """Start Python beside the test."""
    command = [sys.executable, "-c", code, *map(str, arguments)]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


@pytest.mark.slow
def test_u14_two_processes_share_one_limit(path, opened):
    """Two processes that make the file together and spend at once spend the limit, and not a cent more."""
    spenders = [start(SPENDER, path) for _ in range(2)]
    for spender in spenders:
        assert spender.stdout.readline() == "ready\n"
    outputs = [spender.communicate("go\n", timeout=60)[0] for spender in spenders]
    assert sum(map(int, outputs)) == 100
    balance = opened(path).balance("day:2026-01-31")
    assert (balance.spent_usd, balance.reserved_usd) == (1, 0)


CRASHER = SPENDER.partition("passed = 0")[0] + "budget.reserve(Estimate(1, Decimal('0.3'))); import os; os._exit(1)"


@pytest.mark.slow
def test_what_a_dead_process_reserved_counts_until_it_is_given_back(path, opened):
    """The provider may have billed the call that died, so its upper bound goes on counting, until somebody decides."""
    crasher = start(CRASHER, path)
    crasher.communicate("go\n", timeout=60)
    assert crasher.returncode == 1
    store = opened(path)
    assert store.balance("day:2026-01-31").reserved_usd == Decimal("0.3")
    noon_ns = int(NOON.timestamp()) * 10**9
    assert store.release_abandoned(noon_ns) == 0
    assert store.release_abandoned(noon_ns + 1) == 1
    assert store.balance("day:2026-01-31").reserved_usd == 0


@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")  # The child only opens the file and ends.
def test_a_forked_process_opens_the_file_for_itself(path, opened):
    """A child does not use the connection of its parent."""
    store = opened(path)
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.write(writer, store.new_session().encode())
        os._exit(0)
    os.waitpid(child, 0)
    assert os.read(reader, 100) == b"session:1"
    os.close(reader)
    os.close(writer)
    assert store.new_session() == "session:2"


def test_a_locked_file_is_one_clear_error_and_nothing_is_lost(path, opened):
    """While another process holds the lock nothing changes; afterwards the call is settled as if nothing had been."""
    budget = Budget(BudgetConfig(max_cost_per_day=1), clock=VirtualClock(NOON), store=opened(path, timeout=0))
    reservation = budget.reserve(CENT)
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        for operation in (lambda: budget.reserve(CENT), reservation.settle, reservation.release):
            with pytest.raises(ConfigurationError) as caught:
                operation()
            assert str(caught.value) == (
                f"the budget ledger `{path}` is locked by another process for more than 0 s; nothing was changed.\n"
                "To fix: end the process that holds the lock, or wait longer: SqliteBudgetStore(path, timeout=30)."
            )
        other.execute("ROLLBACK")
    assert budget.balance("day").reserved_usd == Decimal("0.01")
    reservation.settle(cost_usd=Decimal("0.01"))
    assert budget.balance("day").spent_usd == Decimal("0.01")


def fill(path):
    """Write a ledger of a few pages."""
    store = SqliteBudgetStore(path)
    for number in range(400):
        store.charge((f"task:{number}",), 1, Decimal(1))
    store.close()


@pytest.mark.parametrize("share", [0.02, 0.3, 0.6, 0.99])
def test_a_file_that_was_cut_short_is_refused_and_left_alone(path, share):
    """Wherever it was cut, the ledger is not opened, and not a byte of it changes."""
    fill(path)
    whole = path.read_bytes()
    cut = whole[: int(len(whole) * share)]
    path.write_bytes(cut)
    with pytest.raises(ConfigurationError) as caught:
        SqliteBudgetStore(path)
    text = str(caught.value)
    assert text.startswith(f"the budget ledger `{path}` cannot be used: ")
    assert text.endswith("; nothing was changed." + TO_FIX)
    assert path.read_bytes() == cut


def make_foreign(path):
    """Make an SQLite file that is something else."""
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE cats (name TEXT)")


def make_newer(path):
    """Make a ledger of a later format."""
    fill(path)
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA user_version = 99")


@pytest.mark.parametrize(
    ("make", "why"),
    [
        pytest.param(lambda path: path.touch(), "it is empty, so it may have been cut short", id="empty"),
        pytest.param(lambda path: path.write_text("hello" * 500), "file is not a database", id="text"),
        pytest.param(make_foreign, "it is an SQLite file, but no budget ledger", id="foreign"),
        pytest.param(make_newer, "it has format 99, and this version of llmtest reads format 1", id="newer"),
    ],
)
def test_a_file_that_is_no_ledger_is_refused(path, make, why):
    """Each kind of wrong file is named."""
    make(path)
    with pytest.raises(ConfigurationError) as caught:
        SqliteBudgetStore(path)
    assert str(caught.value) == f"the budget ledger `{path}` cannot be used: {why}; nothing was changed.{TO_FIX}"


def test_a_missing_folder_is_named(tmp_path):
    """A ledger is made, its folder is not."""
    path = tmp_path / "missing" / "budget.db"
    with pytest.raises(ConfigurationError) as caught:
        SqliteBudgetStore(path)
    assert str(caught.value) == (
        f"the budget ledger `{path}` cannot be used: its folder is missing; nothing was changed.\n"
        "To fix: make it; only the ledger itself is made here."
    )


def test_a_folder_is_no_ledger(tmp_path):
    """A path that names a folder asks for a file in it."""
    with pytest.raises(ConfigurationError) as caught:
        SqliteBudgetStore(tmp_path)
    assert str(caught.value) == (
        f"the budget ledger `{tmp_path}` cannot be used: it is a folder; nothing was changed.\n"
        "To fix: name a file in it, such as `budget.db`."
    )


def told_to_nobody(path):
    """Open a ledger as a user without any rights; return what was said."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            if os.geteuid() == 0:
                os.setuid(65534)
            SqliteBudgetStore(path)
            os.write(writer, b"opened")
        except BaseException as error:  # noqa: BLE001 - told to the parent
            os.write(writer, f"{type(error).__name__}: {error}".encode())
        finally:
            os._exit(0)
    os.close(writer)
    os.waitpid(child, 0)
    with os.fdopen(reader, "rb") as pipe:
        return pipe.read().decode()


@pytest.fixture
def shared():
    """A folder that everybody may enter, and nobody else may write to."""
    folder = Path(mkdtemp())
    folder.chmod(0o755)
    yield folder
    folder.chmod(0o755)
    rmtree(folder)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="users are a matter of Unix")
@pytest.mark.parametrize(
    ("rights", "folder_rights"),
    [(0o600, 0o755), (0o444, 0o555), (0o666, 0o555), (None, 0o555)],
    ids=["file-of-another", "read-only", "no-journal", "no-new-file"],
)
def test_a_ledger_that_may_not_be_written_is_refused_and_left_alone(shared, rights, folder_rights):
    """Without the right to write, one error says which right is missing, and the ledger stays as it is."""
    path = shared / "budget.db"
    if rights is not None:
        fill(path)
        before = path.read_bytes()
        path.chmod(0o444 if os.geteuid() else rights)
    shared.chmod(folder_rights)
    assert told_to_nobody(path) == (
        f"ConfigurationError: the budget ledger `{path}` cannot be used: this user may not write it; nothing was "
        "changed.\nTo fix: let this user read and write the file and its folder, "
        "where SQLite keeps a journal beside it."
    )
    if rights is not None:
        assert path.read_bytes() == before
    assert len(list(shared.iterdir())) == (rights is not None)


def test_a_chain_whose_ledger_is_locked_asks_nobody(path, opened):
    """The error of the ledger is the caller's at once: no provider is asked, and no other one in its place."""
    with Simulation() as sim:
        budget = Budget(BudgetConfig(max_cost_per_day=1), store=opened(path, timeout=0))
        chain = FallbackChain([sim.openai.as_provider("gpt-4o"), sim.anthropic.as_provider("m")], budget=budget)
        sim.openai.replies("Paris")
        with closing(sqlite3.connect(path, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            with pytest.raises(ConfigurationError, match="is locked by another process"):
                LLMClient(chain).ask("Capital of France?")
            other.execute("ROLLBACK")
        assert len(sim.openai.requests) == 0
        assert LLMClient(chain).ask("Capital of France?") == "Paris"
        assert budget.balance("day").spent_usd == sim.costs.total_usd > 0


@pytest.mark.parametrize("streams", [False, True], ids=["complete", "stream"])
@pytest.mark.parametrize("fault", [None, faults.Timeout(), faults.ServerError()], ids=["answer", "billed", "free"])
def test_a_call_that_ends_while_its_ledger_is_locked_loses_nothing(path, opened, fault, streams):
    """An answer that was paid for is handed over, what was set aside counts on, and the next call settles it first."""
    ledger, store = CostLedger(), opened(path, timeout=0)
    with Simulation() as sim, closing(sqlite3.connect(path, isolation_level=None)) as other:
        budget = Budget(BudgetConfig(max_cost_per_day=1), store=store, ledger=ledger)
        chain = FallbackChain([sim.openai.as_provider("gpt-4o")], retry=None, budget=budget)
        client = LLMClient(chain)

        def lock(request):
            other.execute("BEGIN IMMEDIATE")
            return "Paris" if fault is None else fault

        def ask():
            return [event.text for event in client.stream(REQUEST)] if streams else [client.complete(REQUEST).content]

        sim.openai.replies(lock, "Rome")
        if fault is None:
            assert "Paris" in ask()
        else:
            with pytest.raises(ProviderError) as caught:
                ask()
            assert "is locked by another process" in caught.value.__notes__[0]
        other.execute("ROLLBACK")
        [warning] = [event for event in sim.trace if isinstance(event, BudgetWarned)]
        assert warning.scope == "ledger"
        assert describe(warning)[1].startswith("not settled yet: the budget ledger")
        assert budget.balance("day").spent_usd == 0 < budget.balance("day").reserved_usd
        assert "Rome" in ask()
        balance = budget.balance("day")
        assert balance.spent_usd == ledger.total_usd == sim.costs.total_usd > 0
        assert (balance.reserved_usd, balance.reserved_tokens) == (0, 0)


def test_a_cancelled_call_stays_cancelled_where_its_ledger_is_locked(path, opened):
    """A ledger in trouble does not turn a cancellation into something else; what was reserved goes on counting."""
    with Simulation() as sim:
        budget = Budget(BudgetConfig(max_cost_per_day=1), store=opened(path, timeout=0))
        sim.openai.latency(10).echoes()
        client = AsyncLLMClient(FallbackChain([sim.openai.as_provider("gpt-4o")], budget=budget))

        async def main():
            task = asyncio.create_task(client.ask("Capital of France?"))
            await asyncio.sleep(1)
            with closing(sqlite3.connect(path, isolation_level=None)) as other:
                other.execute("BEGIN IMMEDIATE")
                task.cancel()
                with pytest.raises(asyncio.CancelledError) as caught:
                    await task
            return caught.value

        assert "is locked by another process" in sim.run(main()).__notes__[0]
        balance = budget.balance("day")
        assert balance.spent_usd == 0 < balance.reserved_usd


def test_nothing_but_the_ledger_is_left_behind(path, opened):
    """The file is made in one step, and closing it leaves nothing beside it; it opens again by itself."""
    with opened(path) as store:
        store.charge(("day:x",), 1, Decimal(1))
    assert [file.name for file in path.parent.iterdir()] == ["budget.db"]
    assert store.balance("day:x").spent_usd == 1


def test_a_forgotten_store_closes_its_file(path):
    """Without `close`, the last reference closes the file, and nothing warns."""
    SqliteBudgetStore(path).charge(("day:x",), 1, Decimal(1))
    gc.collect()
    assert [file.name for file in path.parent.iterdir()] == ["budget.db"]
