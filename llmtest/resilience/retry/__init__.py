"""Retry: ask the same provider again.

| file | what it is |
|---|---|
| `_retry` | when, how often and after how long |
| `_retry_condition` | kinds of failure that may pass |
| `_retry_budget` | a limit on retries as a share of all calls |
| `_retry_layer` | the retries around a place of a chain |
| `_prompt_retry` | asking again with what was wrong with an answer |
"""
