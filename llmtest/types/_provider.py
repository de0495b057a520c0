"""Whoever answers completion requests, and what is asked of them beside the request."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from llmtest.errors import ProviderError
from llmtest.types._requests import CompletionRequest
from llmtest.types._responses import CompletionResponse
from llmtest.types._streams import StreamEvent

__all__ = ["NO_TIMEOUTS", "Capabilities", "HealthReport", "Provider", "Timeouts"]


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Limits of one attempt, in seconds; None means no limit.

    Args:
        connect: Until the connection stands.
        first_token: Until the first piece of the answer; for an answer that is no stream, until its headers.
        read: Longest silence between two pieces.
        total: The whole attempt.
    """

    connect: float | None = None
    first_token: float | None = None
    read: float | None = None
    total: float | None = None


NO_TIMEOUTS = Timeouts()


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What a provider can do, so that a chain can skip a slot that cannot serve a request."""

    tools: bool = True
    vision: bool = True
    streaming: bool = True
    context_window: int | None = None
    """Tokens that prompt and answer may hold together; None where it is unknown."""
    is_chain: bool = False
    """Whether it is a chain of providers, with policies of its own: a chain around it does not apply its own to it, and
    takes over the attempts of its answers and errors. Whatever wraps a provider hands its capabilities on."""


@dataclass(frozen=True, slots=True)
class HealthReport:
    """What came of asking a provider whether it is well.

    Args:
        provider: Who was asked.
        healthy: Whether it answered as it does when calls succeed. A refusal is no such answer, whatever its status:
            whoever refuses this with a 400 or a 404 would refuse every call too.
        asked: What was asked, by the name of the operation: `models`, `chat`.
        seconds: How long it took.
        error: Why it is not well.
    """

    provider: str
    healthy: bool
    asked: str
    seconds: float
    error: ProviderError | None = None


@runtime_checkable
class Provider(Protocol):
    """Anything that answers completion requests: a real provider, a simulated one, a chain, your own.

    The four methods mean the same; each may be called from the world it belongs to (`complete` and `stream` from
    blocking code, the other two from a running event loop). Errors are those of `llmtest.errors`. A stream ends with
    exactly one `end` event; one that stops without it was truncated. Closing the iterator early gives up the stream.
    """

    name: str
    model: str | None

    @property
    def capabilities(self) -> Capabilities:
        """What this provider can do."""
        ...

    def complete(self, request: CompletionRequest, timeouts: Timeouts = ...) -> CompletionResponse:
        """Answer a request, blocking."""
        ...

    async def complete_async(self, request: CompletionRequest, timeouts: Timeouts = ...) -> CompletionResponse:
        """Answer a request on the event loop."""
        ...

    def stream(self, request: CompletionRequest, timeouts: Timeouts = ...) -> Iterator[StreamEvent]:
        """Answer a request piece by piece, blocking."""
        ...

    def stream_async(self, request: CompletionRequest, timeouts: Timeouts = ...) -> AsyncIterator[StreamEvent]:
        """Answer a request piece by piece on the event loop."""
        ...
