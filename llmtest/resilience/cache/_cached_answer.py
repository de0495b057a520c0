"""An answer that is kept."""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass, field, replace

from llmtest.types import CompletionResponse, OpaquePart, StreamEvent

__all__ = ["NEVER_NS", "CachedAnswer", "own_copy", "own_event"]

NEVER_NS = 1 << 62
"""A time to live that does not end."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CachedAnswer:
    """An answer that is kept. Treat it as read-only.

    Args:
        key: What all requests have in common that get it.
        response: The answer, without attempts.
        provider: Who gave it.
        model: The model that was asked for.
        stored_ns: When it was kept, by the time of the store.
        ttl_ns: For how long it is used, in nanoseconds.
        events: The pieces that it came in, without the last; None where it came as a whole.
        tenant: Whose request it was.
        labels: The `metadata` of the request.
        space: What a request must be equal in to be alike; None where only an equal one gets it.
        vector: The vector of its text.
    """

    key: str
    response: CompletionResponse
    provider: str
    model: str | None
    stored_ns: int
    ttl_ns: int
    events: tuple[StreamEvent, ...] | None = None
    tenant: str | None = None
    labels: Mapping[str, str] = field(default_factory=dict)
    space: str | None = None
    vector: tuple[float, ...] | None = None

    def is_live(self, now_ns: int) -> bool:
        """Tell whether it may still be used. One that was kept later than now is of another run of time."""
        return 0 <= now_ns - self.stored_ns < self.ttl_ns


def own_copy(response: CompletionResponse) -> CompletionResponse:
    """Return an answer that shares with the given one nothing that somebody could change, and has no attempts.

    All of an answer is fixed when it is made, but for the objects that hold what only one API has a word for.
    """
    changed: dict[str, object] = {}
    if response.attempts:
        changed["attempts"] = ()
    if response.extra:
        changed["extra"] = deepcopy(dict(response.extra))
    if any(isinstance(part, OpaquePart) for part in response.parts):
        changed["parts"] = tuple(
            replace(part, data=deepcopy(dict(part.data))) if isinstance(part, OpaquePart) else part
            for part in response.parts
        )
    if response.alternatives:
        changed["alternatives"] = tuple(own_copy(other) for other in response.alternatives)
    return replace(response, **changed) if changed else response  # type: ignore[arg-type]  # fields by their names


def own_event(event: StreamEvent) -> StreamEvent:
    """Return a piece of a stream that shares with the given one nothing that somebody could change."""
    return event if event.data is None else replace(event, data=deepcopy(dict(event.data)))
