"""Who answers for the providers of a chain: the real ones, simulated ones, or a recording, without a change of code."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Iterator, Sequence
from itertools import cycle
from pathlib import Path
from typing import TYPE_CHECKING, Any

from llmtest.config._nearest import did_you_mean, known
from llmtest.errors import ConfigurationError, LLMTestError
from llmtest.interception import current_gate
from llmtest.types import NO_TIMEOUTS, CompletionRequest, CompletionResponse, Provider, StreamEvent, Timeouts

if TYPE_CHECKING:
    from llmtest.cassettes import Cassette
    from llmtest.errors import HarnessError

__all__ = ["MOCK", "Replayed", "answering", "mode_of", "simulated"]

MOCK = "mock"
"""The name of a provider that is always simulated."""
MODES = ("live", MOCK, "replay")
MODE_VARIABLE, CASSETTE_VARIABLE = "LLMTEST_MODE", "LLMTEST_CASSETTE"


def mode_of(given: str | None) -> str:
    """Return who answers: what was given, else `LLMTEST_MODE`, else `live`.

    Raises:
        ConfigurationError: There is no such mode.
    """
    mode = given or os.environ.get(MODE_VARIABLE) or "live"
    if mode not in MODES:
        where = MODE_VARIABLE if given is None else "mode"
        raise ConfigurationError(
            f"{where}={mode}: there is no such mode.{did_you_mean(mode, MODES)}{known('modes', MODES)}"
        )
    return mode


def answering(real: Provider, mode: str) -> Provider:
    """Return who answers for a provider.

    Where a simulation or a cassette is in use already, nothing leaves anyway, and the real one is asked through it.

    Args:
        real: The provider as the configuration makes it.
        mode: `live`, `mock` or `replay`.

    Raises:
        ConfigurationError: A recording is to answer, and none is named.
    """
    if mode == "live" or current_gate() is not None:
        return real
    if mode == MOCK:
        return simulated(real.name, real.model)
    path = os.environ.get(CASSETTE_VARIABLE)
    if not path:
        raise ConfigurationError(
            f"{MODE_VARIABLE}=replay plays a recorded session, and `{CASSETTE_VARIABLE}` does not name one.\n"
            f"To fix: export {CASSETTE_VARIABLE}=cassettes/session.yaml"
        )
    return Replayed(real, Path(path))


def simulated(name: str, model: str | None, responses: Sequence[str] | None = None) -> Provider:
    """Return a simulated provider in a world of its own, which answers without network, key or price.

    Args:
        name: What errors, traces and prices call it.
        model: Model to ask for where a request names none.
        responses: What it answers, in turn, and again from the start; None: text that follows from the prompt, the same
            one every time.
    """
    from llmtest.clock import active_clock
    from llmtest.events import Trace
    from llmtest.simulation import World

    world = World(active_clock(), Trace(), strict=False, keep_requests=False)
    handle = world.provider(name)
    if responses:
        texts = cycle(responses)
        handle.replies(lambda _: next(texts), times=None)
    else:
        handle.generates()
    found: Provider = handle.as_provider(model or world.simulated(name).dialect.default_model or MOCK)
    return found


class Replayed:
    """A provider whose answers come out of a cassette: what was not recorded is an error of the harness.

    Args:
        provider: Who was asked when it was recorded.
        path: The cassette.
    """

    def __init__(self, provider: Provider, path: Path) -> None:
        self._provider, self._path = provider, path
        self._cassette: Cassette | None = None
        self.name, self.model = provider.name, provider.model

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        return getattr(self._provider, name)

    def __repr__(self) -> str:
        return f"Replayed({self._provider!r}, {str(self._path)!r})"

    def _playing(self) -> Any:
        from llmtest.cassettes import Cassette, inserted

        if self._cassette is None:
            self._cassette = Cassette(self._path, "none")
        errors: list[HarnessError] = []
        return inserted(self._cassette, on_error=errors.append)

    def complete(self, request: CompletionRequest, timeouts: Timeouts = NO_TIMEOUTS) -> CompletionResponse:
        """Answer as it was recorded, blocking."""
        with self._playing():
            return self._provider.complete(request, timeouts)

    async def complete_async(self, request: CompletionRequest, timeouts: Timeouts = NO_TIMEOUTS) -> CompletionResponse:
        """Answer as it was recorded, on the event loop."""
        with self._playing():
            return await self._provider.complete_async(request, timeouts)

    def stream(self, request: CompletionRequest, timeouts: Timeouts = NO_TIMEOUTS) -> Iterator[StreamEvent]:
        """Answer as it was recorded, piece by piece; the cassette is in use until the pieces have been read."""
        with self._playing():
            events, error = _read(self._provider.stream(request, timeouts))
        yield from events
        if error is not None:
            raise error

    async def stream_async(
        self, request: CompletionRequest, timeouts: Timeouts = NO_TIMEOUTS
    ) -> AsyncIterator[StreamEvent]:
        """Answer as it was recorded, piece by piece, on the event loop."""
        events: list[StreamEvent] = []
        error: LLMTestError | None = None
        with self._playing():
            try:
                async for event in self._provider.stream_async(request, timeouts):
                    events.append(event)  # noqa: PERF401 - what came before the end is kept
            except LLMTestError as broken:
                error = broken
        for event in events:
            yield event
        if error is not None:
            raise error


def _read(stream: Iterator[StreamEvent]) -> tuple[list[StreamEvent], LLMTestError | None]:
    """Read a stream to the end that it was recorded with."""
    events: list[StreamEvent] = []
    try:
        for event in stream:
            events.append(event)  # noqa: PERF402 - what came before the end is kept
    except LLMTestError as error:
        return events, error
    return events, None
