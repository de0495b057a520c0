"""Clients of `httpx` and `httpx2` on their way to simulated providers."""
