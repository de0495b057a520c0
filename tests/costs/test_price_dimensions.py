"""What changes the price of a token: how long a cache keeps it, which tier serves it, sound, tools at the provider."""

from datetime import UTC, datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmtest.costs import Budget, BudgetConfig, CostLedger, Prices
from llmtest.errors import UnknownPriceError
from llmtest.types import ChatMessage, CompletionRequest, TextPart, ToolDefinition, Usage

NOW = datetime(2026, 11, 21, tzinfo=UTC)
PRICES = Prices()
MILLION = Usage(1_000_000, 0)


def advice(error, prices):
    """Run the line of code that an error advises."""
    line = str(error).rpartition("add it: `")[2].rpartition("`")[0]
    eval(line, {"prices": prices})
    return line


@pytest.mark.parametrize(
    ("hour", "usd"), [(100_000, "0.6"), (0, "0.375"), (40_000, "0.465")], ids=["1h", "5m", "some-of-each"]
)
def test_e12_a_cache_write_for_an_hour_has_a_price_of_its_own(hour, usd):
    """100,000 written tokens of claude-sonnet-4-6 cost $0.60 for an hour, $0.375 for five minutes."""
    usage = Usage(100_000, 0, cache_write_tokens=100_000, cache_write_1h_tokens=hour)
    assert PRICES.cost("anthropic", "claude-sonnet-4-6", usage, NOW) == Decimal(usd)


def test_e12_a_write_for_an_hour_without_a_price_is_unknown_and_the_advice_works():
    """Where only short writes have a price, an hour's is unknown; the error says what is missing and how to add it."""
    prices = Prices()
    usd = {"input_usd_per_mtok": "3", "output_usd_per_mtok": "15"}
    prices.add("mine:m", **usd, cache_write_usd_per_mtok="3.75")
    usage = Usage(1_000, 10, cache_write_tokens=1_000, cache_write_1h_tokens=1_000)
    assert prices.cost("mine", "m", usage, NOW) is None
    assert prices.upper_bound("mine", "m", 1_000, 10, NOW, for_an_hour=True) is None
    with pytest.raises(UnknownPriceError) as caught:
        prices.require("mine", "m", usage, NOW)
    assert str(caught.value) == (
        "`mine:m` has a price on 2026-11-21, but none for cache writes for an hour.\n"
        "The call used 1,000 input and 10 output tokens; its cost is unknown, not zero.\n"
        'To fix: add it: `prices.add("mine:m", input_usd_per_mtok="1.25", output_usd_per_mtok="10", '
        'cache_write_1h_usd_per_mtok="6")`.'
    )
    advice(caught.value, prices)
    assert prices.cost("mine", "m", usage, NOW) == Decimal("0.0061")
    prices.add("mine:flat", **usd)
    assert prices.cost("mine", "flat", usage, NOW) == Decimal("0.00315")


@given(
    st.integers(0, 10**6), st.integers(0, 10**6), st.integers(0, 10**6), st.integers(0, 10**6), st.integers(0, 10**5)
)
def test_e12_the_upper_bound_holds_for_writes_of_any_duration(fresh, short, hour, read, answer):
    """What a call that asks for an hour of cache is reserved is never less than what it costs."""
    usage = Usage(
        fresh + short + hour + read,
        answer,
        cache_read_tokens=read,
        cache_write_tokens=short + hour,
        cache_write_1h_tokens=hour,
    )
    bound = PRICES.upper_bound("anthropic", "claude-sonnet-4-6", usage.input_tokens, answer, NOW, for_an_hour=True)
    assert PRICES.cost("anthropic", "claude-sonnet-4-6", usage, NOW) <= bound


@pytest.mark.parametrize(
    ("provider", "model", "tier", "usd"),
    [
        ("openai", "gpt-5", "flex", "0.625"),
        ("openai", "gpt-5-2025-08-07", "flex", "0.625"),
        ("openai", "GPT-5", "Flex", "0.625"),
        ("openai", "gpt-5", "priority", "2.5"),
        ("openai", "gpt-4o-mini", "priority", "0.25"),
        ("openai", "gpt-5", "batch", "0.625"),
        ("anthropic", "claude-opus-5", "batch", "2.5"),
        ("openai", "gpt-5", "default", "1.25"),
        ("openai", "gpt-5", "auto", "1.25"),
        ("openai", "gpt-5", None, "1.25"),
        ("anthropic", "claude-opus-5", "standard", "5"),
        ("ollama", "llama3.2", "flex", "0"),
    ],
)
def test_e13_a_service_tier_has_prices_of_its_own(provider, model, tier, usd):
    """A million prompt tokens cost what the tier asks; `auto`, `default` and `standard` are the standard price."""
    assert PRICES.cost(provider, model, MILLION, NOW, tier=tier) == Decimal(usd)


@pytest.mark.parametrize(
    ("provider", "model", "tier"),
    [
        pytest.param("openai", "gpt-4o", "flex", id="not-served-in-it"),
        pytest.param("openai", "gpt-5", "scale", id="sold-by-contract"),
        pytest.param("openai", "gpt-5", "turbo", id="no-such-tier"),
        pytest.param("azure", "gpt-5", "flex", id="another-provider"),
        pytest.param("anthropic", "claude-opus-5", "priority", id="anthropic-by-contract"),
        pytest.param("openai", "gpt-9", "flex", id="no-such-model"),
    ],
)
def test_e13_a_tier_that_is_not_known_for_a_model_is_an_unknown_price(provider, model, tier):
    """Nothing published is an unknown price: neither the standard price nor zero."""
    assert PRICES.cost(provider, model, MILLION, NOW, tier=tier) is None
    assert PRICES.upper_bound(provider, model, 1000, 10, NOW, tier=tier) is None
    assert not PRICES.is_known(provider, model, NOW, tier=tier)
    assert PRICES.rates(provider, model, NOW, tier=tier) is None


def test_e13_the_error_of_an_unknown_tier_names_the_known_ones_and_its_advice_works():
    """The text says which tiers have a price, and the line of code it shows adds this one."""
    prices = Prices()
    with pytest.raises(UnknownPriceError) as caught:
        prices.require("openai", "gpt-4o", Usage(1000, 10), NOW, tier="flex")
    assert str(caught.value) == (
        "no price for `openai:gpt-4o` in the service tier `flex` on 2026-11-21.\n"
        "Tiers of it with a price: `batch`, `priority`.\n"
        "The call used 1,000 input and 10 output tokens; its cost is unknown, not zero.\n"
        'To fix: add it: `prices.add("openai:gpt-4o", input_usd_per_mtok="1.25", output_usd_per_mtok="10", '
        'tier="flex")`.'
    )
    advice(caught.value, prices)
    assert prices.cost("openai", "gpt-4o", MILLION, NOW, tier="flex") == Decimal("1.25")
    assert prices.cost("openai", "gpt-4o", MILLION, NOW) == Decimal("2.5")


def test_e13_a_model_with_a_price_of_yours_has_the_tiers_that_you_add():
    """A published share of a published price says nothing about a price of your own."""
    prices = Prices()
    prices.add("openai:gpt-5", input_usd_per_mtok="7", output_usd_per_mtok="7")
    assert prices.cost("openai", "gpt-5", MILLION, NOW, tier="flex") is None
    prices.add("openai:gpt-5", tier="flex", input_usd_per_mtok="3", output_usd_per_mtok="3")
    assert prices.cost("openai", "gpt-5", MILLION, NOW, tier="flex") == 3
    assert prices.cost("openai", "gpt-5", MILLION, NOW, tier="default") == 7


def test_e13_a_tier_that_serves_no_long_prompts_has_no_price_for_them():
    """gpt-5.4 has a step at 272,000 tokens; the priority tier ends there, flex has both halves."""
    assert PRICES.cost("openai", "gpt-5.4", Usage(272_000, 0), NOW, tier="priority") == Decimal("1.36")
    assert PRICES.cost("openai", "gpt-5.4", Usage(272_001, 0), NOW, tier="priority") is None
    assert PRICES.upper_bound("openai", "gpt-5.4", 272_001, 0, NOW, tier="priority") is None
    assert PRICES.cost("openai", "gpt-5.4", Usage(272_001, 0), NOW, tier="flex") == Decimal("0.6800025")


def test_sound_has_its_own_price_or_none():
    """Sound costs what the list has for it; at a model without such a price the cost is unknown."""
    sound = Usage(1_000_000, 0, input_audio_tokens=600_000)
    assert PRICES.cost("openai", "gpt-audio", sound, NOW) == Decimal("20.2")
    assert PRICES.cost("openai", "gpt-5", sound, NOW) is None
    assert PRICES.cost("openai", "gpt-5", Usage(0, 10, output_audio_tokens=10), NOW) is None
    prices = Prices()
    with pytest.raises(UnknownPriceError, match="none for sound in a prompt") as caught:
        prices.require("openai", "gpt-5", sound, NOW)
    advice(caught.value, prices)
    assert prices.cost("openai", "gpt-5", sound, NOW) == Decimal("19.7")


def test_tools_at_the_provider_are_charged_by_use_or_unknown():
    """A web search costs what the list has for it; a tool that nobody priced makes the cost unknown."""
    assert PRICES.cost("anthropic", "claude-opus-5", Usage(server_tools=(("web_search", 3),)), NOW) == Decimal("0.03")
    used = Usage(1000, 0, server_tools=(("code_execution", 2), ("web_search", 1)))
    prices = Prices()
    with pytest.raises(UnknownPriceError, match="none for the tool `code_execution`") as caught:
        prices.require("anthropic", "claude-opus-5", used, NOW)
    advice(caught.value, prices)
    assert prices.cost("anthropic", "claude-opus-5", used, NOW) == Decimal("0.03125")


def test_what_the_provider_says_it_costs_is_what_it_costs():
    """OpenRouter states the cost of an answer, which no price list knows better."""
    assert PRICES.cost("openrouter", "who/knows", Usage(10, 10, cost_usd=Decimal("0.123")), NOW) == Decimal("0.123")


def test_e20_entries_carry_tier_and_labels_and_are_summed_by_label():
    """What a request was labelled with is with its cost; an unknown part makes its group unknown."""
    ledger = CostLedger()
    ledger.record("openai", "gpt-5", MILLION, Decimal("0.625"), service_tier="flex", metadata={"team": "search"})
    ledger.record("openai", "gpt-5", MILLION, Decimal("1.25"), metadata={"team": "search"})
    ledger.record("openai", "gpt-9", MILLION, None, metadata={"team": "billing"})
    ledger.record("openai", "gpt-5", MILLION, Decimal(1))
    assert [(entry.service_tier, dict(entry.metadata)) for entry in ledger] == [
        ("flex", {"team": "search"}),
        (None, {"team": "search"}),
        (None, {"team": "billing"}),
        (None, {}),
    ]
    assert ledger.by_metadata("team") == {"search": Decimal("1.875"), "billing": None, "": 1}
    ledger.clear()
    assert ledger.by_metadata("team") == {}


@pytest.mark.parametrize("keep", [True, False])
def test_e13_the_advice_of_an_unknown_total_names_the_tier(keep):
    """The line of code in the error of a ledger adds the price that was missing."""
    prices, ledger = Prices(), CostLedger(keep=keep)
    ledger.record(
        "openai", "gpt-4o", MILLION, prices.cost("openai", "gpt-4o", MILLION, NOW, tier="flex"), service_tier="flex"
    )
    with pytest.raises(UnknownPriceError) as caught:
        _ = ledger.total_usd
    advice(caught.value, prices)
    assert prices.cost("openai", "gpt-4o", MILLION, NOW, tier="flex") == Decimal("1.25")


CACHED = (ChatMessage.user((TextPart("x" * 4000, cache_ttl="1h"), TextPart("y"))),)
TOOL = ToolDefinition("find", cache_ttl="1h")


@pytest.mark.parametrize(
    ("options", "usd"),
    [
        pytest.param({}, "3.75", id="five-minutes-may-be-written-by-anybody"),
        pytest.param({"messages": CACHED}, "6", id="message"),
        pytest.param({"tools": (TOOL,)}, "6", id="tool"),
        pytest.param({"extra": {"anthropic": {"cache_control": {"type": "ephemeral", "ttl": "1h"}}}}, "6", id="all"),
    ],
)
def test_e12_a_budget_reserves_the_price_of_the_cache_that_is_asked_for(options, usd):
    """Whoever asks for an hour of cache is set aside the price of an hour, wherever the request says it."""
    request = CompletionRequest(**{"messages": (ChatMessage.user("hi"),), "max_tokens": 1, **options})
    estimate = Budget().estimate(request, "anthropic", "claude-sonnet-4-6")
    assert estimate.usd == (estimate.tokens - 1) * Decimal(usd) / 10**6 + Decimal("0.000015")


def test_e13_a_budget_reserves_the_dearer_of_the_tier_and_the_standard():
    """Flex may not be cheaper before it is served, priority is dearer, and a tier without a price is refused."""
    ask = CompletionRequest.ask("hi").with_max_tokens(1_000_000)
    budget = Budget(BudgetConfig(max_cost_per_day=100))
    usd = {
        tier: budget.estimate(
            CompletionRequest(ask.messages, max_tokens=1_000_000, service_tier=tier), "openai", "gpt-5"
        ).usd
        for tier in (None, "auto", "flex", "priority")
    }
    assert usd[None] == usd["auto"] == usd["flex"] == usd["priority"] / 2
    with pytest.raises(UnknownPriceError, match="in the service tier `flex`"):
        budget.reserve(CompletionRequest(ask.messages, service_tier="flex"), provider="openai", model="gpt-4o")
    elsewhere = budget.estimate(CompletionRequest(ask.messages, service_tier="flex"), "ollama", "llama3.2")
    assert (elsewhere.usd, elsewhere.service_tier) == (0, None)


def test_e13_e20_a_reservation_is_settled_in_its_tier_and_with_its_labels():
    """What was asked for is charged and entered, unless the answer says that another tier served it."""
    ledger = CostLedger()
    budget = Budget(ledger=ledger)
    request = CompletionRequest((ChatMessage.user("hi"),), service_tier="flex", metadata={"team": "search"})
    for served in (None, "default", "priority"):
        budget.reserve(request, provider="openai", model="gpt-5").settle(MILLION, service_tier=served)
    budget.charge(MILLION, provider="openai", model="gpt-5", service_tier="flex", metadata={"team": "billing"})
    assert [(entry.cost_usd, entry.service_tier) for entry in ledger] == [
        (Decimal("0.625"), "flex"),
        (Decimal("1.25"), None),
        (Decimal("2.5"), "priority"),
        (Decimal("0.625"), "flex"),
    ]
    assert ledger.by_metadata("team") == {"search": Decimal("4.375"), "billing": Decimal("0.625")}
