"""Hedging: a second request beside one that takes long, and the answer of whichever is first.

| file | what it is |
|---|---|
| `_hedging` | when a second request is sent, and how long answers have taken |
| `_branch` | the same call once more, beside the first |
| `_lanes` | requests side by side: tasks on an event loop, threads in blocking code |
| `_hedge_layer` | the race around a call of a chain, and where its requests go |
| `_hedged_provider` | hedging alone, around one provider |
"""
