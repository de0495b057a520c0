"""Anthropic: everything this package knows about its API."""
