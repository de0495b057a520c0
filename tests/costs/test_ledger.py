"""The ledger: every billed attempt once, exact sums, the unknown apart."""

import threading
from decimal import Decimal, localcontext
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmtest.costs import CostEntry, CostLedger
from llmtest.errors import UnknownPriceError
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
