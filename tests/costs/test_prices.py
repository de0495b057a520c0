"""Prices: exact, dated, in steps, with the unknown kept apart from zero."""

from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal, localcontext

import genai_prices
import pytest
from genai_prices.data_snapshot import get_snapshot
from hypothesis import given, settings
from hypothesis import strategies as st

from llmtest.clock import VirtualClock, run_virtual
from llmtest.costs import Prices, Rates, context_window, default_prices
from llmtest.errors import ConfigurationError, UnknownPriceError
from llmtest.types import Usage

NOW = datetime(2026, 11, 21, tzinfo=UTC)
PRICES = Prices()


@pytest.mark.parametrize(
    ("provider", "model", "usd"),
    [
        ("openai", "gpt-4o", "0.0035"),
        ("openai", "gpt-4o-2024-08-06", "0.0035"),
        ("azure", "gpt-4o", "0.0035"),
        ("azure-openai", "gpt-4o", "0.0035"),
        ("OpenAI", "GPT-4o", "0.0035"),
        ("anthropic", "claude-sonnet-4-5-20250929", "0.0045"),
        ("anthropic", "claude-sonnet-4-5-latest", "0.0045"),
        ("gemini", "gemini-2.0-flash", "0.00014"),
        ("openrouter", "openai/gpt-4o", "0.0035"),
        ("ollama", "llama3.2", "0"),
        ("vllm", "anything", "0"),
        ("ollama", None, "0"),
        ("openrouter", "meta-llama/llama-3.3-70b-instruct:free", "0"),
    ],
)
def test_a_known_model_has_an_exact_price(provider, model, usd):
    """Aliases, snapshots and local providers are known; 1,000 and 100 tokens cost what the list says."""
    assert PRICES.cost(provider, model, Usage(1000, 100), NOW) == Decimal(usd)


@pytest.mark.parametrize(
    ("provider", "model"),
    [("openai", "gpt-9"), ("openai", None), ("nobody", "gpt-4o"), ("groq", "whisper-large-v3")],
)
def test_u10_an_unknown_price_is_none_and_never_zero(provider, model):
    """No price, no provider, or a price of something that is not tokens: the cost is unknown."""
    assert PRICES.cost(provider, model, Usage(1000, 100), NOW) is None
    assert not PRICES.is_known(provider, model, NOW)
    assert not PRICES.is_free(provider, model, NOW)
    assert PRICES.rates(provider, model, NOW) is None


def test_unknown_usage_has_an_unknown_cost_except_where_everything_is_free():
    """Nobody can price tokens that nobody counted; a free model costs nothing however many they are."""
    assert PRICES.cost("openai", "gpt-4o", Usage(source="unknown"), NOW) is None
    assert PRICES.cost("ollama", "llama3.2", Usage(source="unknown"), NOW) == 0


def test_prices_have_dates():
    """The price is the one of the day of the call, in UTC; a naive time is UTC."""
    usage = Usage(1000, 100)
    assert PRICES.cost("openai", "o3", usage, datetime(2025, 1, 1)) == Decimal("0.014")  # noqa: DTZ001 - on purpose
    assert PRICES.cost("openai", "o3", usage, datetime(2025, 6, 9, 23, tzinfo=UTC)) == Decimal("0.014")
    assert PRICES.cost("openai", "o3", usage, datetime(2025, 6, 10, tzinfo=UTC)) == Decimal("0.0028")
    new_york = timezone(timedelta(hours=-5))
    assert PRICES.cost("openai", "o3", usage, datetime(2025, 6, 9, 20, tzinfo=new_york)) == Decimal("0.0028")


def test_prices_follow_the_active_clock():
    """Without a date, the day is the one of the clock that runs."""

    async def cost():
        return PRICES.cost("openai", "o3", Usage(1000, 100))

    assert run_virtual(cost(), VirtualClock(datetime(2025, 1, 1, tzinfo=UTC))) == Decimal("0.014")
    assert run_virtual(cost(), VirtualClock(NOW)) == Decimal("0.0028")


def test_prices_can_depend_on_the_time_of_day():
    """An off-peak price holds within its hours only, and is not remembered for the day."""
    usage = Usage(1_000_000, 0)
    assert PRICES.cost("deepseek", "deepseek-chat", usage, NOW.replace(hour=12)) == Decimal("0.27")
    assert PRICES.cost("deepseek", "deepseek-chat", usage, NOW.replace(hour=20)) == Decimal("0.135")
    assert PRICES.cost("deepseek", "deepseek-chat", usage, NOW.replace(hour=12)) == Decimal("0.27")


@pytest.mark.parametrize(("tokens", "usd"), [(200_000, "0.6"), (200_001, "1.200006")])
def test_a_long_prompt_is_billed_at_its_step(tokens, usd):
    """The step applies to all tokens of a prompt that is longer than its start."""
    assert PRICES.cost("anthropic", "claude-sonnet-4-5", Usage(tokens, 0), NOW) == Decimal(usd)


def test_u08_cached_tokens_have_their_own_price():
    """Cache reads and writes are part of the prompt, each at its price; without one they cost as other input."""
    usage = Usage(1_000_000, 0, cache_read_tokens=200_000, cache_write_tokens=100_000)
    expected = Decimal("0.7") * 5 + Decimal("0.2") * Decimal("0.5") + Decimal("0.1") * Decimal("6.25")
    assert PRICES.cost("anthropic", "claude-opus-5", usage, NOW) == expected
    prices = Prices()
    prices.add("openai:plain", input_usd_per_mtok=2, output_usd_per_mtok=8)
    assert prices.cost("openai", "plain", usage, NOW) == 2


def test_u08_reasoning_has_its_own_price_where_the_list_has_one():
    """Reasoning tokens are part of the answer and cost as other output, unless they have a price."""
    prices = Prices()
    prices.add("p:same", input_usd_per_mtok=0, output_usd_per_mtok=10)
    prices.add("p:dear", input_usd_per_mtok=0, output_usd_per_mtok=10, reasoning_usd_per_mtok=30)
    usage = Usage(0, 1_000_000, reasoning_tokens=400_000)
    assert prices.cost("p", "same", usage, NOW) == 10
    assert prices.cost("p", "dear", usage, NOW) == 6 + 12


def test_usage_that_contradicts_itself_is_charged_by_its_parts():
    """More cached tokens than prompt tokens never makes a call cheaper than its parts."""
    usage = Usage(100, 0, cache_read_tokens=1_000_000)
    assert PRICES.cost("openai", "gpt-4o", usage, NOW) == Decimal("1.25")


def test_tokens_without_a_price_make_the_cost_unknown():
    """An embedding model has no price for answers; a usage that has some is not priced by guessing."""
    assert PRICES.cost("openai", "text-embedding-3-small", Usage(1_000_000, 0), NOW) == Decimal("0.02")
    assert PRICES.cost("openai", "text-embedding-3-small", Usage(10, 10), NOW) is None
    assert PRICES.upper_bound("openai", "text-embedding-3-small", 10, 10, NOW) is None


LISTED = [
    ("openai", "gpt-4o", "openai"),
    ("openai", "gpt-5.2", "openai"),
    ("anthropic", "claude-sonnet-4-5", "anthropic"),
    ("anthropic", "claude-opus-5", "anthropic"),
    ("gemini", "gemini-2.5-pro", "google"),
    ("azure", "gpt-4o-mini", "azure"),
    ("perplexity", "sonar", "perplexity"),
    ("perplexity", "sonar-deep-research", "perplexity"),
    ("openrouter", "anthropic/claude-sonnet-4.5", "openrouter"),
]


@settings(max_examples=150, deadline=None)
@given(
    listed=st.sampled_from(LISTED),
    fresh=st.integers(0, 400_000),
    read=st.integers(0, 200_000),
    write=st.integers(0, 200_000),
    answer=st.integers(0, 100_000),
    reasoning=st.integers(0, 100_000),
    day=st.integers(0, 700),
)
def test_costs_equal_those_of_the_price_list_s_own_calculator(listed, fresh, read, write, answer, reasoning, day):
    """For every usage and day, our fast arithmetic gives what genai-prices calculates, to the last digit."""
    provider, model, home = listed
    at = datetime(2025, 1, 1, 15, tzinfo=UTC) + timedelta(days=day)
    usage = Usage(fresh + read + write, answer + reasoning, read, write, reasoning)
    theirs = genai_prices.calc_price(
        genai_prices.Usage(
            input_tokens=usage.input_tokens,
            output_tokens=usage.output_tokens,
            cache_read_tokens=read,
            cache_write_tokens=write,
            output_reasoning_tokens=reasoning,
        ),
        model,
        provider_id=home,
        genai_request_timestamp=at,
    )
    cost = PRICES.cost(provider, model, usage, at)
    assert cost == theirs.total_price
    assert PRICES.upper_bound(provider, model, usage.input_tokens, usage.output_tokens, at) >= cost


def test_u07_the_caller_s_decimal_context_rounds_nothing():
    """A program that works with three digits elsewhere still gets every digit of its costs."""
    with localcontext() as context:
        context.prec = 3
        assert str(PRICES.cost("openai", "gpt-4o", Usage(1_234_567, 7_654_321), NOW)) == "79.62962750"


def test_an_added_price_comes_first_and_has_a_first_day():
    """What is added replaces the list from its first day on; snapshots of the model have it too."""
    prices = Prices()
    prices.add("openai:gpt-9", input_usd_per_mtok="1.25", output_usd_per_mtok="10", context_window=1_000)
    prices.add("openai:gpt-9", input_usd_per_mtok="1", output_usd_per_mtok="10", since=date(2026, 11, 21))
    prices.add("openai:o3", input_usd_per_mtok="99", output_usd_per_mtok="99", since=date(2026, 11, 21))
    million = Usage(1_000_000, 0)
    assert prices.cost("openai", "gpt-9", million, NOW - timedelta(days=1)) == Decimal("1.25")
    assert prices.cost("openai", "gpt-9", million, NOW) == 1
    assert prices.cost("openai", "gpt-9-2026-10-01", million, NOW) == 1
    assert prices.cost("openai", "o3", million, NOW - timedelta(days=1)) == 2
    assert prices.cost("openai", "o3", million, NOW) == 99
    assert prices.context_window("openai", "gpt-9-2026-10-01") == 1_000
    prices.add("openai:gpt-9", input_usd_per_mtok="3", output_usd_per_mtok="10", since=date(2026, 11, 21))
    assert prices.rates("openai", "gpt-9", NOW) == Rates(Decimal(3), Decimal(10))
    prices.add("ollama:rented", input_usd_per_mtok="1", output_usd_per_mtok="1", usd_per_request="0.5")
    assert prices.cost("ollama", "rented", Usage(), NOW) == Decimal("0.5")


def test_a_provider_of_your_own_name_is_told_with_an_alias():
    """An alias has the other's prices, its added ones too; a local machine of your own is free."""
    prices = Prices()
    usage = Usage(1000, 100)
    assert prices.cost("openai-eu", "gpt-4o", usage, NOW) is None
    prices.alias("openai-eu", of="openai")
    prices.add("openai:gpt-9", input_usd_per_mtok="1000", output_usd_per_mtok="0")
    assert prices.cost("openai-eu", "gpt-4o", usage, NOW) == Decimal("0.0035")
    assert prices.cost("openai-eu", "gpt-9", usage, NOW) == 1
    prices.alias("desk", of="ollama")
    prices.add_free("cellar")
    assert prices.cost("desk", "x", usage, NOW) == prices.cost("cellar", "x", usage, NOW) == 0
    assert prices.is_free("cellar", "x", NOW)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            {"model": "gpt-9", "input_usd_per_mtok": 1, "output_usd_per_mtok": 1},
            'a model is named "provider:model", such as "openai:gpt-4o"; got \'gpt-9\'',
        ),
        (
            {"model": "a:b", "input_usd_per_mtok": "-1", "output_usd_per_mtok": 1},
            "`input_usd_per_mtok` must be finite and 0 or more, got '-1'",
        ),
        (
            {"model": "a:b", "input_usd_per_mtok": 1, "output_usd_per_mtok": float("nan")},
            "`output_usd_per_mtok` must be finite and 0 or more, got nan",
        ),
        (
            {"model": "a:b", "input_usd_per_mtok": 1, "output_usd_per_mtok": "much"},
            "`output_usd_per_mtok` must be a number such as \"0.05\", got 'much'",
        ),
        (
            {"model": "a:b", "input_usd_per_mtok": True, "output_usd_per_mtok": 1},
            "`input_usd_per_mtok` must be a number, got True",
        ),
    ],
)
def test_a_wrong_price_is_refused(arguments, message):
    """A malformed reference or amount is an error that names it."""
    with pytest.raises(ConfigurationError) as caught:
        Prices().add(**arguments)
    assert str(caught.value) == message


def test_require_says_which_price_is_missing_and_how_to_add_it():
    """The error has the day, the nearest models, the tokens, and the line that adds the price."""
    with pytest.raises(UnknownPriceError) as caught:
        PRICES.require("openai", "gpt-4o-mini-2", Usage(1204, 88), NOW)
    first, near, used, fix = str(caught.value).split("\n")
    assert first.startswith("no price for `openai:gpt-4o-mini-2` on 2026-11-21 (genai-prices ")
    assert first.endswith(" models of `openai`).")
    assert near.startswith("Nearest: `gpt-4o-mini`")
    assert used == "The call used 1,204 input and 88 output tokens; its cost is unknown, not zero."
    assert fix == (
        'To fix: add it: `prices.add("openai:gpt-4o-mini-2", input_usd_per_mtok="1.25", output_usd_per_mtok="10")`.'
    )
    assert (caught.value.provider, caught.value.model) == ("openai", "gpt-4o-mini-2")


def test_require_returns_the_cost_and_refuses_unknown_usage():
    """A known price is returned; tokens that nobody counted are an error of their own."""
    assert PRICES.require("openai", "gpt-4o", Usage(1000, 100), NOW) == Decimal("0.0035")
    assert PRICES.require("openai", "gpt-4o", at=NOW) == 0
    with pytest.raises(UnknownPriceError) as caught:
        PRICES.require("openai", "gpt-4o", Usage(source="unknown"), NOW)
    assert str(caught.value) == (
        "nobody counted the tokens of a call to `openai:gpt-4o`, so its cost is unknown, not zero.\n"
        'To fix: let the provider report usage (OpenAI streams: `stream_options={"include_usage": True}`), or count an '
        'estimate: `Usage(..., source="estimated")`.'
    )


@pytest.mark.parametrize(
    ("provider", "model", "tokens"),
    [
        ("openai", "gpt-4o", 128_000),
        ("openai", "gpt-4o-2024-08-06", 128_000),
        ("gemini", "gemini-2.5-pro", 1_048_576),
        ("openai", "gpt-9", None),
        ("ollama", "llama3.2", 131_072),
        ("ollama", "a-model-of-mine", None),
        ("openai", None, None),
    ],
)
def test_context_windows_come_from_the_list(provider, model, tokens):
    """The window is the list's, or unknown."""
    assert context_window(provider, model) == tokens


def test_the_default_prices_are_shared():
    """There is one set of default prices in a process."""
    assert default_prices() is default_prices()


@pytest.mark.parametrize("day", [datetime(2025, 3, 1, 9, tzinfo=UTC), NOW])
def test_every_model_of_the_list_costs_what_the_list_s_own_calculator_says(day):
    """Of each provider and model, on days of several price lists, short and long prompts cost the same to the digit."""
    checked = 0
    for home in get_snapshot().providers:
        for model in home.models:
            price = model.get_prices(day)
            if PRICES.rates(home.id, model.id, day) is None or price.output_mtok is None:
                continue
            for prompt in (1_000, 300_000):
                usage = Usage(prompt, 1_000, 500, 300)
                theirs = price.calc_price(
                    genai_prices.Usage(
                        input_tokens=prompt, output_tokens=1_000, cache_read_tokens=500, cache_write_tokens=300
                    )
                )
                assert PRICES.cost(home.id, model.id, usage, day) == theirs["total_price"], model.id
            checked += 1
    assert checked > 1_500
