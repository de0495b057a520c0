"""A plan under a client's limits: what to wait for, what to deliver, and how it ended.

Pure: whoever carries the bytes (a transport of `httpx` or `httpx2`, the loopback server) lets the time pass.
"""

from __future__ import annotations

from collections.abc import Iterator

from llmtest.simulation.plan._billing import note_unsent
from llmtest.simulation.plan._plan import Chunk, Failure, Head, Plan
from llmtest.types import Timeouts

__all__ = ["FOREVER", "Performance", "TransportFault"]

FOREVER = -1
"""A wait that only cancellation ends."""


class TransportFault(Exception):  # noqa: N818 - an event on the wire, mapped to the library's own error at once
    """The connection failed; `kind` says how."""

    def __init__(self, kind: str) -> None:
        super().__init__(kind)
        self.kind = kind


class Performance:
    """The steps of a plan under a client's limits: waits in nanoseconds, the head, pieces of body.

    Iterate over it: an `int` is a wait (`FOREVER` for one without end), everything else is to be delivered. The plan's
    `on_end` is called once, with what really came of it.

    Args:
        plan: What the provider decided.
        timeouts: The client's limits; silence longer than `read` ends the connection, as httpx does it.
    """

    __slots__ = ("_begun", "_connecting", "_ended", "_plan", "_refused", "_steps", "_timeouts")

    def __init__(self, plan: Plan, timeouts: Timeouts) -> None:
        self._plan = plan
        self._timeouts = timeouts
        self._steps = iter(plan.steps)
        self._begun = False
        self._connecting = False
        self._refused = False
        self._ended = False

    def actions(self) -> Iterator[int | Head | Chunk]:
        """Yield what to do, in order.

        Raises:
            TransportFault: The connection failed, or a limit was passed.
        """
        read = self._timeouts.read
        allowed = None if read is None else round(read * 1e9)
        silence = 0
        for step in self._steps:
            if isinstance(step, Head | Chunk):
                silence = 0
                if isinstance(step, Head):
                    self._begun = True
                    self._refused = step.status >= 400
                yield step
            elif isinstance(step, Failure):
                yield from self._fail(step, allowed, silence)
            elif allowed is None:
                yield FOREVER if step.ns is None else step.ns
            else:
                if step.ns is None or silence + step.ns > allowed:
                    yield allowed - silence
                    self.end("stalled" if self._begun else "timeout")
                    raise TransportFault("read_timeout")
                silence += step.ns
                yield step.ns
        self.end(self._plan.outcome)

    def _fail(self, failure: Failure, allowed: int | None, silence: int) -> Iterator[int]:
        kind = failure.kind
        if kind == "connect_timeout":
            self._connecting = True
            connect = self._timeouts.connect
            yield FOREVER if connect is None else round(connect * 1e9)
        elif kind == "read_timeout":
            yield FOREVER if allowed is None else allowed - silence
        self.end(self._plan.outcome)
        raise TransportFault(kind)

    def end(self, outcome: str) -> None:
        """Tell the plan how it ended; only the first word counts."""
        if not self._ended:
            self._ended = True
            self._plan.on_end(outcome)

    def abandon(self, error: BaseException | None = None) -> None:
        """Note that the client went away. It may do so when all has been said: then nothing was cut off.

        The status of a refusal says all: a client that is about to retry closes the answer without reading its body.

        Args:
            error: What took it away, such as a cancellation.
        """
        if error is not None and self._connecting:
            note_unsent(error)
        if not self._ended:
            said = self._refused or next(self._steps, None) is None
            self.end(self._plan.outcome if said else "abandoned")
