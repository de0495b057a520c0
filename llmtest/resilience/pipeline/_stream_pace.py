"""How fast a stream has to come: one that is alive and hardly moves is given up like one that is silent."""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import TYPE_CHECKING

from llmtest.clock import Clock
from llmtest.errors import ProviderTimeoutError
from llmtest.types import StreamEvent

if TYPE_CHECKING:
    from llmtest.resilience._timeout import Pace

__all__ = ["paced"]

NS = 1_000_000_000


async def paced(
    source: AsyncGenerator[StreamEvent, None], pace: Pace, clock: Clock, provider: str, model: str | None
) -> AsyncGenerator[StreamEvent, None]:
    """Hand on the events of a stream as long as they come fast enough.

    Only time that is waited for the provider counts, from the first piece on: how fast the caller reads is nobody's
    fault, and what comes before the first piece has a limit of its own.

    Args:
        source: The events.
        pace: How fast they have to come.
        clock: The time.
        provider: Who sends them.
        model: Its model.

    Raises:
        ProviderTimeoutError: Too little came over a whole window.
    """
    window_ns = round(pace.window * NS)
    least = pace.characters * pace.window
    waited_ns: int | None = None
    arrived: deque[tuple[int, int]] = deque()
    total = 0
    async with aclosing(source):
        while True:
            asked_ns = clock.now_ns()
            try:
                event = await source.__anext__()
            except StopAsyncIteration:
                return
            if event.kind in {"finish", "end"}:
                least = 0.0
            size = len(event.text)
            if waited_ns is not None:
                waited_ns += clock.now_ns() - asked_ns
            elif size:
                waited_ns = 0
            if waited_ns is not None:
                arrived.append((waited_ns, size))
                total += size
                while arrived[0][0] <= waited_ns - window_ns:
                    total -= arrived.popleft()[1]
                if waited_ns >= window_ns and total < least:
                    error = ProviderTimeoutError(
                        f"the stream came at {total / pace.window / pace.per:.3g} {pace.unit} a second over "
                        f"{pace.window:g} s, less than {pace.characters / pace.per:g}",
                        provider=provider,
                        model=model,
                    )
                    error.phase = "throughput"
                    error.timeout = pace.window
                    raise error
            yield event
