"""What it costs: prices, token counts, the ledger, and budgets. All money is exact `Decimal` USD."""

from llmtest.costs._budget import Budget
from llmtest.costs._budget_scopes import outside_scopes
from llmtest.costs._default_prices import context_window, default_prices, use_prices
from llmtest.costs._estimate import Estimate
from llmtest.costs._ledger import CostLedger
from llmtest.costs._ledger_entry import CostEntry, Spend
from llmtest.costs._ledger_store import LedgerStore, MemoryLedgerStore
from llmtest.costs._limits import BudgetConfig, CostManagementPolicy, Limit
from llmtest.costs._model_facts import ModelFacts
from llmtest.costs._most_tokens import most_request_tokens, most_tokens
from llmtest.costs._partial import partial_usage
from llmtest.costs._prices import Prices
from llmtest.costs._rates import Rates
from llmtest.costs._reservation import Charge, Reservation
from llmtest.costs._simulated_prices import TABLES, simulated_prices
from llmtest.costs._snapshot import home_of_host as priced_host
from llmtest.costs._sqlite import SqliteBudgetStore
from llmtest.costs._sqlite_ledger import SqliteLedgerStore
from llmtest.costs._store import Balance, BudgetStore, MemoryBudgetStore
from llmtest.costs._tokenizers import Tokenizer, find_tokenizer, use_tokenizer
from llmtest.costs._tokens import cache_blocks, count_tokens, estimate_prompt_tokens, estimate_request_tokens

__all__ = [
    "TABLES",
    "Balance",
    "Budget",
    "BudgetConfig",
    "BudgetStore",
    "Charge",
    "CostEntry",
    "CostLedger",
    "CostManagementPolicy",
    "Estimate",
    "LedgerStore",
    "Limit",
    "MemoryBudgetStore",
    "MemoryLedgerStore",
    "ModelFacts",
    "Prices",
    "Rates",
    "Reservation",
    "Spend",
    "SqliteBudgetStore",
    "SqliteLedgerStore",
    "Tokenizer",
    "cache_blocks",
    "context_window",
    "count_tokens",
    "default_prices",
    "estimate_prompt_tokens",
    "estimate_request_tokens",
    "find_tokenizer",
    "most_request_tokens",
    "most_tokens",
    "outside_scopes",
    "partial_usage",
    "priced_host",
    "simulated_prices",
    "use_prices",
    "use_tokenizer",
]
