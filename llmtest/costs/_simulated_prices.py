"""Tables of prices that other systems simulate with. They are no prices of anybody, and say so."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

from llmtest.costs._prices import Prices
from llmtest.errors import ConfigurationError
from llmtest.types._spelling import did_you_mean

__all__ = ["TABLES", "simulated_prices"]

TABLES: Mapping[str, Mapping[str, str]] = {
    # `MockCostTracker.record_simulated_call`: USD per million tokens of both kinds; every other provider is free.
    "vapora": {"claude:*": "3", "anthropic:*": "3", "openai:*": "1", "gemini:*": "0.5", "google:*": "0.5", "*:*": "0"},
    # `cost_per_1k_tokens` of its configuration: what it estimates a call by before it is made.
    "vapora-estimate": {"claude:*": "15", "anthropic:*": "15", "openai:*": "30", "*:*": "10"},
}
"""USD per million tokens, of prompt and answer alike, by table and model. Both are VAPORA's; they disagree with each
other there as well."""


def simulated_prices(table: str) -> Prices:
    """Return the prices that another system simulates with; `Prices.simulated` has the table's name.

    Args:
        table: `vapora` is what its mocks record: 3 USD per million tokens of `claude`, 1 of `openai`, 0.5 of `gemini`,
            and nothing for any other provider. `vapora-estimate` is what it expects a call to cost beforehand: 15, 30,
            and 10 for any other.

    Raises:
        ConfigurationError: There is no such table.

    Example:
        >>> simulated_prices("vapora").cost("claude", "opus", Usage(2_000, 1_333))
        Decimal('0.009999')
    """
    if table not in TABLES:
        raise ConfigurationError(
            f"no table of simulated prices `{table}`.{did_you_mean(str(table), list(TABLES))}\n"
            f"Known tables: {', '.join(TABLES)}.\n"
            'To fix: simulated_prices("vapora")'
        )
    prices = Prices()
    prices.simulated = table
    for model, usd in TABLES[table].items():
        prices.add(model, input_usd_per_mtok=Decimal(usd), output_usd_per_mtok=Decimal(usd))
    return prices
