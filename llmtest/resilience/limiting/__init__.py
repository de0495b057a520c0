"""Limits of our own: so many requests and tokens a minute, so many at a time, and a queue before them.

| file | what it is |
|---|---|
| `_limits` | what is allowed, and who may not go on waiting |
| `_window` | so many in any minute; what a provider says is left |
| `_store` | what a limiter remembers of its keys, in memory: one atomic call to acquire, one to release |
| `_waiting` | how a request waits until its turn may have come |
| `_limiter` | the guard of attempts |
| `_limited_provider` | limits alone, around one provider |
"""
