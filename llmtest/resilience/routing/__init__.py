"""Routing: which provider a prompt is worth.

| file | what it is |
|---|---|
| `_score` | how much a prompt asks for, from 0 to 1, with the reasons |
| `_smart_config` | what goes to the cheap provider, and when its answer does not do |
| `_smart_layer` | the decision about a call, and the cascade from the cheap provider to the primary one |
| `_smart_provider` | both providers as one |
| `_adaptive` | the fastest, cheapest or most reliable provider of a chain, as they have answered lately |
| `_context_caps` | how much of a conversation a provider is sent for the sake of a tool |
| `_tasks` | tasks, and what is known of them |
| `_task_router` | the provider that a task goes to |
| `_task_flow` | a task from its choice of a provider to its account |
"""
