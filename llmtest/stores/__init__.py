"""Shared state in Redis, for many processes and machines; what a store has to do stands with whoever asks it.

| file | what it is |
|---|---|
| `_redis_server` | a server: connections of threads and of event loops, and scripts that run there |
| `_outages` | what happens while the server cannot be asked |
| `_redis_cache` | answers that are kept |
| `_breaker_scripts`, `_redis_breaker` | circuits |
| `_limiter_scripts`, `_redis_limiter` | limits |
| `_redis_account`, `_redis_decimals` | what the two below share: numbers of their own, exact amounts in scripts |
| `_redis_budget`, `_budget_scripts` | balances of a budget |
| `_redis_ledger` | entries of an account |
| `_redis_keys` | keys that were refused |
| `_redis_health` | who is ill |
| `_redis_state` | all of them as one, for a chain |
"""

from llmtest.stores._redis_breaker import RedisBreakerStore
from llmtest.stores._redis_budget import RedisBudgetStore
from llmtest.stores._redis_cache import RedisCacheStore
from llmtest.stores._redis_health import RedisHealthStore
from llmtest.stores._redis_keys import RedisKeyStore
from llmtest.stores._redis_ledger import RedisLedgerStore
from llmtest.stores._redis_limiter import RedisLimiterStore
from llmtest.stores._redis_state import RedisState

__all__ = [
    "RedisBreakerStore",
    "RedisBudgetStore",
    "RedisCacheStore",
    "RedisHealthStore",
    "RedisKeyStore",
    "RedisLedgerStore",
    "RedisLimiterStore",
    "RedisState",
]
