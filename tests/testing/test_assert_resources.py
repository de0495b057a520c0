"""`assert_waited` and `assert_spend`."""

from decimal import Decimal

import pytest

from llmtest.errors import ConfigurationError
from llmtest.testing._assert_resources import check_spend, check_waited
from tests.testing.handmade_traces import TraceBuilder, traced


def headline(error):
    """Return the first line of a failure."""
    return str(error.value).partition("\n")[0]


def test_waited_takes_bounds_in_seconds():
    """Elapsed time within the bounds passes; outside, the failure names both numbers."""
    check_waited(traced(), 60.0, at_least=60, at_most=60)
    with pytest.raises(AssertionError) as caught:
        check_waited(traced(), 60.0, at_most=59.5)
    assert str(caught.value) == ("assert_waited: 60 s passed, expected at most 59.5 s.\n\nTrace:\n  (no events)")
    with pytest.raises(AssertionError) as caught:
        check_waited(traced(), 60.0, at_least=61)
    assert headline(caught) == "assert_waited: 60 s passed, expected at least 61 s."


def test_spend_takes_text_or_decimal():
    """Money is compared exactly, and the failure lists what was billed."""
    builder = TraceBuilder()
    builder.answer(builder.receive("openai/a"), "openai/a", "200", billed=True, cost_usd=Decimal("0.03"))
    builder.answer(builder.receive("openai/b"), "openai/b", "200", billed=True)
    check_spend(builder.trace, Decimal("0.03"), at_most="0.03", at_least=Decimal("0.03"))
    with pytest.raises(AssertionError) as caught:
        check_spend(builder.trace, Decimal("0.03"), at_most="0.02")
    assert str(caught.value).startswith(
        "assert_spend: $0.03 was spent, expected at most $0.02.\n\n  openai/a  $0.03\n  openai/b  price unknown\n"
    )
    with pytest.raises(AssertionError) as caught:
        check_spend(builder.trace, Decimal("0.03"), at_least=1)
    assert headline(caught) == "assert_spend: $0.03 was spent, expected at least $1."


@pytest.mark.parametrize(
    ("bounds", "message"),
    [
        pytest.param(
            {},
            'assert_spend was given no number, so it would accept anything.\nTo fix: assert_spend(at_most="0.05")',
            id="none",
        ),
        pytest.param({"at_most": -0.1}, 'at_most=-0.1 is no amount of USD.\nTo fix: at_most="0.05"', id="float"),
        pytest.param(
            {"at_least": "five"},
            "at_least='five' is no amount of USD.\nTo fix: at_least=\"0.05\"",
            id="word",
        ),
    ],
)
def test_an_amount_that_cannot_be_exact_is_refused(bounds, message):
    """Floats and words are no money."""
    with pytest.raises(ConfigurationError) as caught:
        check_spend(traced(), Decimal(0), **bounds)
    assert str(caught.value) == message


def test_waited_needs_a_bound():
    """An assertion that would accept anything is a mistake of the test."""
    with pytest.raises(ConfigurationError) as caught:
        check_waited(traced(), 1.0)
    assert str(caught.value) == (
        "assert_waited was given no number, so it would accept anything.\nTo fix: assert_waited(at_most=30)"
    )
