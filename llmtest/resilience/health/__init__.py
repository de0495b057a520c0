"""How well the providers of a chain are: asked at intervals, told by the calls, and kept to by the selection.

| file | what it is |
|---|---|
| `_health_config` | when a provider is asked, how many failures make it ill, and what an alert is |
| `_health_store` | where it is kept which provider is ill: decisions as plain data in and out |
| `_memory_health` | the store of one process |
| `_criterion` | what an answer or an error tells of a provider, and what tells nothing |
| `_alerts` | shares of failures and of slow answers, what was spent, how long a provider is down |
| `_slot_health` | the health of one slot: what is told of it becomes a state, events and alerts |
| `_prober` | one probe: a small call, paid for and tagged |
| `_watch` | the task of an event loop that sends them when they are due |
| `_chain_health` | the health of a chain: what its calls go by, and what an application asks it |
"""
