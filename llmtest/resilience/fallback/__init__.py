"""From one slot of a chain to the next.

| file | what it is |
|---|---|
| `_trigger` | which failures of a slot send a call to the next one |
| `_slot` | a slot as it is configured |
| `_start_slots` | the slots of a chain made ready to run, with what they take from the chain |
| `_listed_order` | the selection of places that keeps to the order of the list |
| `_strategies` | selections that share calls: in turn, by weight, by lot |
| `_measured_order` | those that watch the places: by calls under way, by latency; and the choice among all of them |
| `_key_store` | where that is kept which keys were refused, for all that share it |
| `_refused_keys` | keys that were refused, and are not tried with every call |
| `_strict_mofa` | a chain that falls back where MoFA's does, and nowhere else |
| `_failover` | a primary and its fallbacks, in the words of IronClaw and llmkit |
| `_walk` | the way of a call through the places, and what is raised where it ends |
"""
