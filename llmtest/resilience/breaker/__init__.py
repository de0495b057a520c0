"""The circuit breaker: leave a provider alone that keeps failing.

| file | what it is |
|---|---|
| `_breaker` | the circuit: when it opens, who is let through, how it closes again |
| `_breaker_layer` | the circuit around a place of a chain |
"""
