"""The circuit breaker: leave a provider alone that keeps failing.

| file | what it is |
|---|---|
| `_breaker_config` | when a circuit opens, who is let through, how it closes again: settings |
| `_breaker_store` | the decisions as plain data: what keeps the state of circuits, here or on a server |
| `_windows` | how many of the last calls failed or were slow |
| `_memory_circuit` | the state of circuits in this process |
| `_breaker` | the circuit as others hold it: errors, events, listeners |
| `_breaker_layer` | the circuit around a place of a chain |
| `_chain_circuit` | one circuit around a whole chain |
"""
