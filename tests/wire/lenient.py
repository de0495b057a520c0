"""Dialects that read what they are sent without refusing what only the real provider refuses."""

from functools import cache

from llmtest.wire import Dialect
from llmtest.wire import dialect as dialect_of


@cache
def lenient(name):
    """Return a server that speaks like a provider and is not as strict as it."""
    if name == "openai":
        return dialect_of("openai_compatible")
    strict = dialect_of(name)
    return Dialect(f"like_{name}", endpoints=strict.endpoints, auth=strict.auth, read_key=strict.read_key)
