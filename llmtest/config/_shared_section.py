"""The schema of shared state in a chain file, and the state that it means."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import BeforeValidator, PrivateAttr, WithJsonSchema

from llmtest.config._fields import Seconds, Text
from llmtest.config._secrets import Key
from llmtest.config._validation import Section, one_of, show_location
from llmtest.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from llmtest.config._document import Document, Location
    from llmtest.resilience import SharedState

__all__ = ["Shared", "SharedSection", "shared_in"]

ON_DOWN = ("open", "closed")


def _on_down(value: Any) -> str:
    if value not in ON_DOWN:
        raise ValueError(one_of("choice", value, list(ON_DOWN)))
    return str(value)


OnDown = Annotated[str, BeforeValidator(_on_down), WithJsonSchema({"enum": list(ON_DOWN)})]


class SharedSection(Section):
    """Keep in Redis what the policies remember, for every process and machine that names the same place."""

    url: Key
    """The server: `redis://host:6379/0`, or where that is written: `env:REDIS_URL`, `file:PATH`."""
    namespace: Text | None = None
    """Begins the name of every key; `llmtest` by default."""
    timeout: Seconds | None = None
    """Longest wait for a connection and for an answer, in real time; 1s by default."""
    on_down: OnDown | None = None
    """What circuits and limits say while the server is away: `open` lets calls pass (the default), `closed` refuses."""
    lease: Seconds | None = None
    """Time after which a request counts as ended, whose process may have been killed; 10m by default."""

    _state: Any = PrivateAttr(default=None)

    def state(self, environment: Mapping[str, str] | None, folder: Path | None) -> SharedState:
        """Return the state; of one section it is one, however many chains are made of it.

        Raises:
            ConfigurationError: The address is not where the reference says, or is none of Redis.
        """
        if self._state is None:
            from llmtest.stores import RedisState

            given = {key: value for key, value in self if value is not None and key != "url"}
            self._state = RedisState(self.url.reveal(environment, folder), **given)
        state: SharedState = self._state
        return state


def _shared(value: Any) -> Any:
    return {"url": value} if isinstance(value, str) else value


Shared = Annotated[
    SharedSection,
    BeforeValidator(_shared),
    WithJsonSchema({"anyOf": [{"type": "string", "minLength": 1}, {"x-section": "SharedSection"}]}),
]
"""Where state is shared: an address, or settings."""


def shared_in(section: SharedSection | None, document: Document, at: Location, mode: str) -> SharedState | None:
    """Return what a chain shares; None where it shares nothing, or nobody real is asked.

    Args:
        section: What the file says.
        document: The file.
        at: Where the section is in it.
        mode: Who answers for providers that are built.

    Raises:
        ScenarioError: The state cannot be made; with its line.
    """
    if section is None or mode != "live":
        return None
    try:
        return section.state(document.environment, None if document.path is None else Path(document.path).parent)
    except ConfigurationError as error:
        raise document.error(at, f"`{show_location(at)}`: {error}") from error
