"""What it costs: prices, token counts, the ledger, and budgets. All money is exact `Decimal` USD."""

from llmtest.costs._ledger import CostEntry, CostLedger, Spend
from llmtest.costs._prices import Prices, context_window, default_prices
from llmtest.costs._rates import Rates
from llmtest.costs._tokens import count_tokens, estimate_request_tokens

__all__ = [
    "CostEntry",
    "CostLedger",
    "Prices",
    "Rates",
    "Spend",
    "context_window",
    "count_tokens",
    "default_prices",
    "estimate_request_tokens",
]
