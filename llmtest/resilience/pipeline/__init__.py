"""What happens to one call: what is under way, what stands around it, and streams.

| file | what it is |
|---|---|
| `_running_slot` | a place of a chain at run time: what it can do, its limits, its counts |
| `_running_call` | a call under way: its attempts so far, its time |
| `_visit` | a call at one place: the request in that place's terms, whether it was asked |
| `_running_attempt` | an attempt under way: its limits, its permits, what it turns into |
| `_open_stream` | a stream past its commit point, and what is told at its end |
| `_layers` | the seams: layers around a call, a selection of places, layers around a place, guards of an attempt |
| `_pipeline` | what stands around the calls of a chain, as data |
| `_sender` | innermost: the guards are asked, the request is sent |
| `_partial_bill` | what is billed for an attempt that gave no whole answer |
| `_completion_stream`, `_call_mark` | streams as the caller holds them; logical calls in the trace |
| `_sync_async` | the two worlds that every policy runs in |
"""
