"""The ledger: every billed attempt once, exact sums, the unknown apart."""

import threading
from decimal import Decimal, localcontext
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmtest import Budget, CompletionRequest, FallbackChain, LLMClient
from llmtest.costs import CostEntry, CostLedger
from llmtest.errors import ConfigurationError, UnknownPriceError
from llmtest.types import Usage

AMOUNTS = st.decimals(0, 1000, places=12, allow_nan=False, allow_infinity=False)


def test_a_ledger_sums_by_provider_model_and_purpose():
    """Sums come in the order of the first entries, and entries keep what they were told."""
    ledger = CostLedger()
    ledger.record("openai", "gpt-4o", Usage(100, 10), Decimal("0.5"), at_ns=7, call=3)
    ledger.record("ollama", "llama3.2", Usage(5, 5), Decimal(0))
    ledger.record("openai", "gpt-4o", Usage(1, 2, source="estimated"), Decimal("0.25"), purpose="summary")
    assert ledger.total_usd == ledger.known_usd == Decimal("0.75")
    assert ledger.by_provider() == {"openai": Decimal("0.75"), "ollama": 0}
    assert ledger.by_model() == {"gpt-4o": Decimal("0.75"), "llama3.2": 0}
    assert ledger.by_purpose() == {"call": Decimal("0.5"), "summary": Decimal("0.25")}
    assert ledger.entries[0] == CostEntry("openai", "gpt-4o", Usage(100, 10), Decimal("0.5"), "call", 7, 3)
    assert list(ledger) == list(ledger.entries)
    total = ledger.summary
    assert (total.calls, total.total_tokens, total.estimated, total.unknown) == (3, 123, 1, 0)
    ledger.clear()
    assert (len(ledger), ledger.total_usd) == (0, 0)


def test_u10_an_unknown_entry_makes_the_total_unknown():
    """A total with an unknown part raises, names the model, and leaves the known part to be read."""
    ledger = CostLedger()
    ledger.record("openai", "gpt-4o", Usage(100, 10), Decimal("0.5"))
    ledger.record("openai", "gpt-9", Usage(1204, 88), None)
    assert ledger.known_usd == Decimal("0.5")
    assert ledger.by_provider() == {"openai": None}
    assert ledger.by_model() == {"gpt-4o": Decimal("0.5"), "gpt-9": None}
    with pytest.raises(UnknownPriceError) as caught:
        _ = ledger.total_usd
    assert str(caught.value) == (
        "the total is unknown: 1 of 2 calls have no known price.\n\n"
        "  openai:gpt-9   1 of 1 calls without a price   1,204 input and 88 output tokens in all\n\n"
        "The other calls cost $0.5 (`known_usd`). An unknown price is not zero.\n"
        'To fix: add it: `prices.add("openai:gpt-9", input_usd_per_mtok="1.25", output_usd_per_mtok="10")`.'
    )


def test_u07_a_million_tiny_calls_add_up_exactly():
    """Nothing is rounded per call, and nothing drifts; without kept entries, memory stays constant."""
    ledger = CostLedger(keep=False)
    usage, cost = Usage(1, 0), Decimal("0.00000015")
    for _ in range(100_000):
        ledger.record("openai", "gpt-4o-mini", usage, cost)
    assert ledger.total_usd == Decimal("0.015")
    assert ledger.entries == ()
    assert len(ledger) == 100_000


def test_an_account_that_keeps_no_entries_has_its_sums_after_it_was_cleared():
    """What is entered after `clear` stays in the sums, however often somebody looks."""
    ledger = CostLedger(keep=False)
    ledger.clear()
    ledger.record("openai", "gpt-4o", Usage(1000, 100), Decimal("0.0035"))
    assert [ledger.total_usd, ledger.total_usd, ledger.known_usd] == [Decimal("0.0035")] * 3
    assert ledger.by_provider() == {"openai": Decimal("0.0035")}


@given(st.lists(AMOUNTS, max_size=50))
def test_u07_sums_equal_those_of_fractions(amounts):
    """The sum is the mathematical one, also where the program's own decimals have four digits."""
    ledger = CostLedger()
    with localcontext() as context:
        context.prec = 4
        for number, amount in enumerate(amounts):
            ledger.record(f"p{number % 3}", "m", Usage(), amount)
        total = ledger.total_usd
        parts = ledger.by_provider()
    assert Fraction(total) == sum(map(Fraction, amounts), Fraction(0))
    assert sum(map(Fraction, parts.values()), Fraction(0)) == Fraction(total)


def test_threads_lose_no_entry():
    """Eight threads that record at once are all in the sum."""
    ledger = CostLedger()

    def work():
        for _ in range(500):
            ledger.record("openai", "gpt-4o", Usage(1, 1), Decimal("0.001"))

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(ledger) == len(ledger.entries) == 4000
    assert ledger.total_usd == 4


def filled():
    """Return an account of three calls on two days."""
    ledger = CostLedger(test="tests/test_it.py::test_it")
    day = 86_400 * 10**9
    ledger.record(
        "openai", "gpt-4o", Usage(1_000, 100), Decimal("0.0035"), call=1, label="ask", time_ns=day, task="letter",
        requested_model="gpt-4o-latest", metadata={"team": "blue"}, tenant="acme",
    )  # fmt: skip
    ledger.record("openai", "gpt-4o", Usage(1_000, 100), Decimal("0.0035"), call=1, purpose="hedge", time_ns=day)
    ledger.record("ollama", "llama3", Usage(10, 1), Decimal(9), time_ns=2 * day + 3_600 * 10**9, billed=False)
    return ledger


@pytest.mark.parametrize(
    ("names", "groups"),
    [
        (("test",), {("tests/test_it.py::test_it",): 3}),
        (("label",), {("ask",): 1, ("",): 2}),
        (("task",), {("letter",): 1, ("",): 2}),
        (("tenant",), {("acme",): 1, ("",): 2}),
        (("call",), {("1",): 2, ("",): 1}),
        (("tag:team",), {("blue",): 1, ("",): 2}),
        (("requested_model",), {("gpt-4o-latest",): 1, ("gpt-4o",): 1, ("llama3",): 1}),
        (("hour",), {("1970-01-02T00",): 2, ("1970-01-03T01",): 1}),
        (("day", "purpose"), {("1970-01-02", "call"): 1, ("1970-01-02", "hedge"): 1, ("1970-01-03", "call"): 1}),
        (("month", "provider"), {("1970-01", "openai"): 2, ("1970-01", "ollama"): 1}),
        (("model", "tier"), {("gpt-4o", ""): 2, ("llama3", ""): 1}),
    ],
    ids=str,
)
def test_m04_costs_are_summed_by_whatever_an_entry_says(names, groups):
    """By test, label, task, tenant, call, tag, model asked for, hour, day, month, and by several at once."""
    assert {key: spend.calls for key, spend in filled().by(*names).items()} == groups


def test_m04_an_entry_knows_its_attempt_and_whether_it_is_billed():
    """Entries of a logical call are numbered; what is not billed costs nothing, whatever was given."""
    entries = filled().entries
    assert [entry.attempt for entry in entries] == [1, 2, 0]
    assert [(entry.billed, entry.cost_usd) for entry in entries][-1] == (False, 0)


def test_m04_a_simulation_and_a_budget_say_the_same_of_a_call(llm_sim):
    """Both tell the test or the task, the label and the day; the sums are equal."""
    ledger = CostLedger()
    budget = Budget(ledger=ledger)
    llm_sim.openai.replies("Paris")
    client = LLMClient(FallbackChain([llm_sim.openai.as_provider("gpt-4o")], budget=budget))
    with llm_sim.call("capital"), budget.task("geography"):
        client.complete(CompletionRequest.ask("Capital of France?"))
    (bill,), (entry,) = llm_sim.costs.entries, ledger.entries
    assert (bill.label, bill.test) == ("capital", f"{__name__.replace('.', '/')}.py::{bill.test.partition('::')[2]}")
    assert (entry.label, entry.task, entry.requested_model) == ("capital", "geography", "gpt-4o")
    assert llm_sim.costs.by("day") == ledger.by("day")
    assert list(ledger.by("day")) == [("2026-01-01",)]


def test_m03_an_account_shows_itself_as_a_table():
    """What is printed are the sums, the total below, and what is not known."""
    ledger = CostLedger()
    ledger.record("openai", "gpt-4o", Usage(1_000, 100), Decimal("0.0035"))
    ledger.record("openai", "gpt-99", Usage(10, 1), None, purpose="hedge")
    assert repr(ledger).splitlines() == [
        "provider  model   purpose  calls  input  output  cost",
        "openai    gpt-4o  call         1  1,000     100  $0.0035",
        "openai    gpt-99  hedge        1     10       1  unknown (1 of 1; the others $0)",
        "total                          2  1,010     101  unknown (1 of 2; the others $0.0035)",
    ]
    assert repr(CostLedger()).splitlines()[-1].split() == ["total", "0", "0", "0", "$0"]


@pytest.mark.parametrize(
    ("ledger", "name", "said"),
    [
        (CostLedger(), "modle", r"costs cannot be summed by `modle`\. Did you mean `model`\?"),
        (CostLedger(keep=False), "model", r"this account keeps no entries \(`keep=False`\)"),
    ],
)
def test_m04_what_costs_cannot_be_summed_by_is_told(ledger, name, said):
    """A name that no entry has, and an account without entries."""
    with pytest.raises(ConfigurationError, match=said):
        ledger.by(name)
