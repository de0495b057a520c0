"""OpenAI: everything this package knows about its API."""
