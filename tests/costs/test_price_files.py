"""Prices of your own: wildcards, files, tables of a simulation, and where each is read from (row M01, F127 to F140)."""

from datetime import UTC, date, datetime
from decimal import Decimal

import pytest

from llmtest import BudgetConfig, CompletionRequest, Usage
from llmtest.config import build_chain, load_config, load_prices
from llmtest.costs import Budget, Prices, default_prices, simulated_prices, use_prices
from llmtest.errors import ConfigurationError, ScenarioError, UnknownPriceError

NOW = datetime(2026, 11, 30, tzinfo=UTC)
MILLION = Usage(1_000_000, 0)

TOML = """
version = 1
currency = "USD"
free = ["cellar"]
aliases = {openai-eu = "openai"}

[prices."openai:gpt-99"]
input_usd_per_mtok = "1.25"
output_usd_per_mtok = 10
cache_write_usd_per_mtok = 2
cache_write_1h_usd_per_mtok = 3
input_audio_usd_per_mtok = 32
input_image_usd_per_mtok = 5
usd_per_tool_use = {web_search = "0.01"}
usd_per_request = "0.5"
context_window = "400k"

[[prices."claude:*"]]
input_usd_per_mtok = 3
output_usd_per_mtok = 15

[[prices."claude:*"]]
input_usd_per_mtok = 4
output_usd_per_mtok = 20
since = 2026-11-30

[[prices."claude:*"]]
input_usd_per_mtok = "1.5"
output_usd_per_mtok = "7.5"
tier = "batch"
"""

YAML = """
prices:
  openai:gpt-99: {input_usd_per_mtok: 1.25, output_usd_per_mtok: 10}
  claude:*:
    - {input_usd_per_mtok: 3, output_usd_per_mtok: 15}
    - {input_usd_per_mtok: 4, output_usd_per_mtok: 20, since: 2026-11-30}
"""


def price(prices, model, usage=MILLION, at=NOW, **settings):
    """Return what a usage costs of `provider:model`."""
    provider, _, name = model.partition(":")
    return prices.cost(provider, name, usage, at, **settings)


def test_m01_a_price_of_a_whole_provider_is_the_price_of_each_of_its_models():
    """`claude:*` matches whatever claude serves, a model that nobody names included."""
    prices = Prices()
    prices.add("claude:*", input_usd_per_mtok="3", output_usd_per_mtok="15", context_window=200_000)
    assert price(prices, "claude:opus-9") == price(prices, "Claude:any") == 3
    assert prices.cost("claude", None, MILLION, NOW) == 3
    assert prices.context_window("claude", "opus-9") == 200_000
    assert price(prices, "clyde:opus-9") is None


@pytest.mark.parametrize(
    ("model", "usd"),
    [
        ("openai:gpt-99", 1),
        ("openai:gpt-99-2026-11-01", 1),
        ("openai:gpt-99-mini", 2),
        ("openai:gpt-9", 3),
        ("openai:gpt-4o", 4),
        ("other:gpt-99", 5),
        ("other:else", 6),
    ],
)
def test_m01_the_full_name_comes_first_then_the_pattern_that_says_most(model, usd):
    """Whatever the order in which they were added, the narrowest one counts, over the published list."""
    prices = Prices()
    patterns = {"*:*": 6, "*:gpt*": 5, "openai:*": 4, "openai:gpt-9*": 3, "openai:gpt-99-*": 2, "openai:gpt-99": 1}
    for pattern, each in patterns.items():
        prices.add(pattern, input_usd_per_mtok=each, output_usd_per_mtok=each)
    assert price(prices, model) == usd


def test_m01_a_pattern_has_days_tiers_aliases_and_copies_like_any_other_price():
    """What holds for a price of one model holds for one of many."""
    prices = Prices()
    prices.add("claude:*", input_usd_per_mtok=3, output_usd_per_mtok=3, since=date(2026, 11, 30))
    prices.add("claude:*", input_usd_per_mtok=1, output_usd_per_mtok=1, tier="flex")
    prices.alias("claude-eu", of="claude")
    twin = prices.copy()
    twin.add("claude:*", input_usd_per_mtok=9, output_usd_per_mtok=9)
    assert price(prices, "claude:x", at=datetime(2026, 11, 29, tzinfo=UTC)) is None
    assert price(prices, "claude-eu:x") == 3
    assert price(prices, "claude:x", tier="flex") == 1
    assert price(prices, "claude:x", tier="batch") is None
    assert prices.has_tier("claude", "flex")


@pytest.mark.parametrize(("name", "text"), [("prices.toml", TOML), ("prices.yaml", YAML)])
def test_m01_a_price_file_is_laid_over_the_published_prices(tmp_path, name, text):
    """TOML and YAML say the same; what they do not say is as published."""
    (tmp_path / name).write_text(text)
    prices = load_prices(tmp_path / name)
    assert price(prices, "claude:any") == 4
    assert price(prices, "claude:any", at=datetime(2026, 11, 29, tzinfo=UTC)) == 3
    assert price(prices, "openai:gpt-4o") == Decimal("2.5")
    assert price(prices, "openai:gpt-98") is None


def test_a_price_file_has_every_kind_of_price(tmp_path):
    """Tiers, hours of cache, sound, pictures, searches, requests, free machines, names of one's own, and windows."""
    (tmp_path / "prices.toml").write_text(TOML)
    prices = load_prices(tmp_path / "prices.toml")
    usage = Usage(
        4_000_000,
        cache_write_tokens=1_000_000,
        cache_write_1h_tokens=1_000_000,
        input_audio_tokens=1_000_000,
        input_image_tokens=1_000_000,
        server_tools=(("web_search", 2),),
    )
    assert price(prices, "openai-eu:gpt-99", usage) == Decimal("0.5") + Decimal("1.25") + 3 + 32 + 5 + Decimal("0.02")
    assert price(prices, "claude:any", tier="batch") == Decimal("1.5")
    assert price(prices, "cellar:any") == 0
    assert prices.context_window("openai", "gpt-99") == 400_000


def test_pictures_cost_as_other_tokens_where_they_have_no_price_of_their_own():
    """A price for pictures replaces that of the tokens they are part of."""
    prices = Prices()
    prices.add("a:plain", input_usd_per_mtok=1, output_usd_per_mtok=2)
    prices.add("a:seeing", input_usd_per_mtok=1, output_usd_per_mtok=2, output_image_usd_per_mtok=30)
    usage = Usage(1_000_000, 1_500_000, input_image_tokens=1_000_000, output_image_tokens=1_000_000)
    assert price(prices, "a:plain", usage) == 4
    assert price(prices, "a:seeing", usage) == 32
    assert prices.upper_bound("a", "seeing", 1_000_000, 1_500_000, NOW, media=True) == 46
    assert price(prices, "openai:gpt-image-1", Usage(0, 1_000_000, output_image_tokens=1_000_000)) == 40


BROKEN = """
currency = "EUR"
fre = ["x"]
[prices."openai:gpt-99"]
input_usd_per_mtok = "1.25"
outputusd_per_mtok = 10
[prices."claude:*"]
input_usd_per_mtok = "nan"
output_usd_per_mtok = -1
since = 2026
[prices.gpt]
input_usd_per_mtok = 2
output_usd_per_mtok = 2
"""


def test_a_broken_price_file_is_told_line_by_line(tmp_path):
    """Each mistake has its line, its key, the nearest valid thing or the way out; all come at once."""
    path = tmp_path / "prices.toml"
    path.write_text(BROKEN)
    with pytest.raises(ScenarioError) as caught:
        load_prices(path)
    told = [line for line in str(caught.value).splitlines() if line.startswith(str(path))]
    assert [line.removeprefix(f"{path}:").split(": ", 1) for line in told] == [
        ["2", "`currency`: `EUR` is not a currency that prices are in: everything here is in `USD`."],
        ["3", "unknown key `fre`. Did you mean `free`?"],
        ["6", "unknown key `outputusd_per_mtok` in `prices.openai:gpt-99`. Did you mean `output_usd_per_mtok`?"],
        ["8", "`prices.claude:*.input_usd_per_mtok`: `nan` is not an amount of US dollars; write `25.00`."],
        ["9", "`prices.claude:*.output_usd_per_mtok`: `-1` is not an amount of US dollars; write `25.00`."],
        ["10", "`prices.claude:*.since`: `2026` is not a day; write `2026-11-30`."],
        [
            "11",
            (
                "`prices.gpt`: `gpt` names no model of a provider; write `provider:model`, such as `gateway:gpt`, or "
                "`gpt:*` for everything that a provider has."
            ),
        ],
    ]
    assert "To fix: convert the prices, and write `currency: USD`, or leave it out" in str(caught.value)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "the file is empty.\nTo fix: write at least `prices:`."),
        ("version: 2\nfree: [a]", "`version: 2` is not known here; write `version: 1`"),
        ("currency: USD", "says nothing: write `prices`, `free`, `aliases` or `simulated`"),
        ("simulated: vapra", "`simulated`: unknown table `vapra`. Did you mean `vapora`?"),
        ("prices: [1]", "`prices`: must be a mapping."),
    ],
)
def test_a_price_file_that_says_nothing_is_refused(tmp_path, text, said):
    """A file that would change no price is no price file."""
    path = tmp_path / "prices.yaml"
    path.write_text(text)
    with pytest.raises(ScenarioError) as caught:
        load_prices(path)
    assert said in str(caught.value)


def test_f138_vapora_s_table_is_what_its_mocks_record():
    """3,333 tokens of claude cost 0.009999 USD, not 0 cents; every other provider is free."""
    prices = simulated_prices("vapora")
    assert price(prices, "claude:opus", Usage(2_000, 1_333)) == Decimal("0.009999")
    assert price(prices, "anthropic:claude-opus-4-5") == 3
    assert price(prices, "openai:gpt-4o") == 1
    assert price(prices, "gemini:pro") == Decimal("0.5")
    assert price(prices, "ollama:llama3") == price(prices, "mock:x") == 0
    assert prices.simulated == prices.copy().simulated == "vapora"
    assert Prices().simulated is None


def test_f139_a_hundred_tasks_of_mocks_cost_nothing():
    """Mocks are free in that table, and free is known: nothing is refused, and the total is zero."""
    budget = Budget(BudgetConfig(max_cost_per_day=0), prices=simulated_prices("vapora"))
    for _ in range(100):
        budget.reserve(CompletionRequest.ask("go"), provider="mock-1", model="mock").settle(Usage(1_000, 1_000))
    assert budget.balance("day").spent_usd == 0


def test_f140_the_estimates_of_vapora_are_a_table_of_their_own():
    """Its configuration has other prices than its mocks: USD per thousand tokens, in USD per million here."""
    prices = simulated_prices("vapora-estimate")
    thousand = Usage(500, 500)
    assert [price(prices, f"{provider}:x", thousand) for provider in ("claude", "openai", "custom")] == [
        Decimal("0.015"),
        Decimal("0.030"),
        Decimal("0.010"),
    ]
    with pytest.raises(ConfigurationError, match=r"no table of simulated prices `vapor`\. Did you mean `vapora`"):
        simulated_prices("vapor")


def test_prices_in_use_are_the_default_until_the_block_ends():
    """Whatever is made inside the block without prices goes by them."""
    before = default_prices()
    with use_prices(simulated_prices("vapora")) as prices:
        assert default_prices() is Budget().prices is prices
    assert default_prices() is before
    with pytest.raises(ConfigurationError, match=r"prices are a `Prices`, such as .*, not 'x'"), use_prices("x"):
        pass


CHAIN = """
version: 1
prices: {prices}
budget: {{max_cost_per_day: "1.00"}}
providers:
  - {{provider: mock, model: small, name: gateway}}
"""
INLINE = "{prices: {'gateway:*': {input_usd_per_mtok: 5, output_usd_per_mtok: 5}}}"


@pytest.mark.parametrize("given", [INLINE, "prices.yaml"])
def test_a_chain_file_has_prices_or_names_a_file_of_them(tmp_path, given):
    """The path is read from the folder of the chain file on; the budget and the attempts go by these prices."""
    (tmp_path / "prices.yaml").write_text(INLINE)
    (tmp_path / "chain.yaml").write_text(CHAIN.format(prices=given).replace("version: 1\n", ""))
    chain = load_config(tmp_path / "chain.yaml").build()
    assert price(chain.prices, "gateway:small") == price(chain.budget.prices, "gateway:small") == 5


def test_prices_of_a_chain_are_laid_over_those_that_it_is_given():
    """The argument comes first in line, the file's own prices on top of it; neither list is changed."""
    given = Prices()
    given.add("gateway:other", input_usd_per_mtok=7, output_usd_per_mtok=7)
    config = {"prices": {"free": ["gateway"]}, "providers": [{"provider": "mock"}]}
    chain = build_chain(config, prices=given)
    assert price(chain.prices, "gateway:other") == 7
    assert price(chain.prices, "gateway:small") == 0
    assert price(given, "gateway:small") is None


def test_a_chain_s_prices_that_are_neither_path_nor_section_are_refused():
    """The text says what a file may hold there."""
    with pytest.raises(ScenarioError, match="`prices`: `7` is neither the path of a price file nor what stands in one"):
        build_chain({"prices": 7, "providers": [{"provider": "mock"}]})


def test_u10_a_file_makes_no_unknown_price_zero(tmp_path):
    """What neither the file nor the published list knows stays unknown."""
    (tmp_path / "prices.yaml").write_text(YAML)
    with pytest.raises(UnknownPriceError, match="no price for `openai:gpt-98`"):
        load_prices(tmp_path / "prices.yaml").require("openai", "gpt-98", MILLION, NOW)
