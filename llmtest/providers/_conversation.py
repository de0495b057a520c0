"""Which of an API's endpoints a provider completes conversations with."""

from __future__ import annotations

from difflib import get_close_matches

from llmtest.errors import ConfigurationError
from llmtest.wire import Dialect, Endpoint

__all__ = ["conversation"]


def conversation(dialect: Dialect, api: str | None) -> Endpoint:
    """Return the endpoint that answers conversations.

    Raises:
        ConfigurationError: There is no such API.
    """
    found = dialect.conversation(api)
    if found is None:
        known = [each.operation for each in dialect.served if each.gives == "completion"]
        near = get_close_matches(str(api), known, n=1, cutoff=0.0)[0]
        raise ConfigurationError(
            f"`{dialect.name}` has no API `{api}` for conversations. Its APIs: {', '.join(known)}.\n\n"
            f'To fix: api="{near}"'
        )
    return found
