"""Retry: ask the same provider again.

| file | what it is |
|---|---|
| `_retry` | when, how often and after how long; a limit on retries as a share of all calls |
| `_retry_layer` | the retries around a place of a chain |
"""
