"""What the providers' own records tell of requests: who sent them, and whether one repeats another."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from llmtest.conduct._witness import Witness
from llmtest.events import RequestReceived
from llmtest.simulation import RequestRecord, World

__all__ = ["RETRY_COUNT", "RequestLog"]

RETRY_COUNT = "x-stainless-retry-count"
"""Header in which both official SDKs count their own retries of a request."""


class RequestLog(Witness):
    """The records of a world whose handles keep every request.

    Args:
        received: Every request of the history, in order.
        world: Where they arrived.
        told: Calls that our own layer makes.
    """

    def __init__(self, received: Iterable[RequestReceived], world: World, told: Collection[int] = ()) -> None:
        super().__init__("the app")
        self.told = told
        self._records: dict[int, RequestRecord] = {}
        left = {handle.name: iter(handle.requests) for handle in world.handles}
        for event in received:
            record = next(left.get(event.provider, iter(())), None)
            if record is not None:
                self._records[event.exchange] = record

    def sender(self, exchange: int, call: int) -> str:
        """Return who sent a repeated request: our own layer, the SDK by itself, or the app."""
        if call in self.told:
            return "the provider layer"
        record = self._records.get(exchange)
        if record is not None and record.headers.get(RETRY_COUNT, "0") != "0":
            return "the SDK, which retries by itself"
        return self.caller

    def is_same(self, first: int, second: int) -> bool:
        """Tell whether two exchanges carried the same request with the same key; True where a record is missing."""
        before, after = self._records.get(first), self._records.get(second)
        if before is None or after is None:
            return True
        if before.api_key != after.api_key:
            return False
        if before.body or after.body:
            return before.body == after.body
        return before.request == after.request

    def record(self, exchange: int) -> RequestRecord | None:
        """Return what the provider kept of an exchange; None where nothing was kept."""
        return self._records.get(exchange)
