"""What fits into the window: a conversation made shorter before it is too long, and once more when it was.

`_token_budget_config` what is said, `_compression` what may be left out, `_summary` how it is summed up,
`_compressor` both in their order, `_context_layer` around the calls of a chain. `ChatSession` is beside the clients.
"""

from llmtest.resilience.context._compression import within
from llmtest.resilience.context._context_layer import ContextLayer
from llmtest.resilience.context._token_budget_config import TokenBudgetConfig

__all__ = ["ContextLayer", "TokenBudgetConfig", "within"]
