"""Shared state in Redis, for many processes and machines; what a store has to do stands with whoever asks it.

| file | what it is |
|---|---|
| `_redis_server` | a server: connections of threads and of event loops, and scripts that run there |
| `_redis_cache` | answers that are kept |
"""

from llmtest.stores._redis_cache import RedisCacheStore

__all__ = ["RedisCacheStore"]
