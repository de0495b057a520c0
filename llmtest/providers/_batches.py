"""Batches of a provider: handed over, looked at, read, called off, listed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TypeVar

from llmtest.clock import active_clock, run_blocking
from llmtest.errors import ConfigurationError, NotSupportedError, ProviderError
from llmtest.providers._http_clients import Door
from llmtest.providers._http_exchange import HttpExchange
from llmtest.types import NO_TIMEOUTS, BatchJob, BatchRequest, BatchResult
from llmtest.wire import BatchApi, BatchSteps, WireAnswer

__all__ = ["BatchCalls"]

T = TypeVar("T")
USUALLY_LISTED = 20


class BatchCalls(HttpExchange):
    """The calls of a provider about batches; blocking, and with `_async` behind the name on the event loop."""

    @property
    def supports_batch(self) -> bool:
        """Whether its API takes batches, as far as this package speaks it."""
        return self._batches is not None

    def create_batch(self, requests: Sequence[BatchRequest]) -> BatchJob:
        """Hand requests over, to be answered within a day at a lower price; blocking.

        Args:
            requests: One or more, each with a `custom_id` of its own.

        Raises:
            ConfigurationError: There are none, or two are called the same.
            NotSupportedError: The API takes no batches, or cannot say what a request asks.
            ProviderError: The provider, or the way to it, failed.
        """
        return run_blocking(self._create_batch(requests, self._blocking))

    async def create_batch_async(self, requests: Sequence[BatchRequest]) -> BatchJob:
        """Hand requests over, on the event loop; see `create_batch`."""
        return await self._create_batch(requests, self._async)

    def get_batch(self, batch_id: str) -> BatchJob:
        """Look at a batch, blocking.

        Raises:
            NotSupportedError: The API takes no batches.
            ProviderError: There is no such batch, or the provider or the way to it failed.
        """
        return run_blocking(self._stepped(self._batch_api().get(batch_id), self._blocking))

    async def get_batch_async(self, batch_id: str) -> BatchJob:
        """Look at a batch, on the event loop; see `get_batch`."""
        return await self._stepped(self._batch_api().get(batch_id), self._async)

    def get_batch_results(self, batch_id: str) -> list[BatchResult]:
        """Read what became of each request of a batch, blocking; by `custom_id`, for their order is nobody's promise.

        Raises:
            InvalidRequestError: The batch is not over.
            NotSupportedError: The API takes no batches.
            ProviderError: There is no such batch, or the provider or the way to it failed.
        """
        return run_blocking(self._get_batch_results(batch_id, self._blocking))

    async def get_batch_results_async(self, batch_id: str) -> list[BatchResult]:
        """Read what became of each request of a batch, on the event loop; see `get_batch_results`."""
        return await self._get_batch_results(batch_id, self._async)

    def cancel_batch(self, batch_id: str) -> BatchJob:
        """Call a batch off, blocking; what is answered by then stays answered.

        Raises:
            NotSupportedError: The API takes no batches.
            ProviderError: There is no such batch, it is over, or the provider or the way to it failed.
        """
        return run_blocking(self._stepped(self._batch_api().cancel(batch_id), self._blocking))

    async def cancel_batch_async(self, batch_id: str) -> BatchJob:
        """Call a batch off, on the event loop; see `cancel_batch`."""
        return await self._stepped(self._batch_api().cancel(batch_id), self._async)

    def list_batches(self, limit: int = USUALLY_LISTED) -> list[BatchJob]:
        """List the latest batches, blocking.

        Args:
            limit: Most batches; 1 or more.

        Raises:
            NotSupportedError: The API takes no batches.
            ProviderError: The provider, or the way to it, failed.
        """
        return run_blocking(self._list_batches(limit, self._blocking))

    async def list_batches_async(self, limit: int = USUALLY_LISTED) -> list[BatchJob]:
        """List the latest batches, on the event loop; see `list_batches`."""
        return await self._list_batches(limit, self._async)

    def _batch_api(self) -> BatchApi:
        if self._batches is None:
            raise NotSupportedError(f"`{self.name}` takes no batches", provider=self.name)
        return self._batches

    async def _create_batch(self, requests: Sequence[BatchRequest], door: Door) -> BatchJob:
        api = self._batch_api()
        names = [each.custom_id for each in requests]
        twice = next((name for place, name in enumerate(names) if name in names[:place]), None)
        if not requests or twice is not None:
            what = "has no requests" if not requests else f"has two requests called `{twice}`"
            raise ConfigurationError(
                f"the batch {what}.\n\n"
                'To fix: provider.create_batch([BatchRequest("first", CompletionRequest.ask("..."))])'
            )
        addressed = [replace(each, request=self._addressed(each.request)) for each in requests]
        return await self._stepped(api.create(addressed, self._chat), door)

    async def _get_batch_results(self, batch_id: str, door: Door) -> list[BatchResult]:
        found = await self._stepped(self._batch_api().results(batch_id, self._chat, active_clock().now()), door)
        return [replace(each, response=each.response and replace(each.response, provider=self.name)) for each in found]

    async def _list_batches(self, limit: int, door: Door) -> list[BatchJob]:
        if limit < 1:
            raise ConfigurationError(f"list_batches: limit must be 1 or more, got {limit}")
        return await self._stepped(self._batch_api().list(limit), door)

    async def _stepped(self, steps: BatchSteps[T], door: Door) -> T:
        """Send one request after the other, each answered before the next is written."""
        answer: WireAnswer | None = None
        try:
            while True:
                wire = next(steps) if answer is None else steps.send(answer)
                answer = WireAnswer(*await self._fetch(wire, self._limits(NO_TIMEOUTS, streaming=False), door))
        except StopIteration as done:
            found: T = done.value
            return found
        except ProviderError as error:
            raise self._named(error, None) from error.__cause__
        finally:
            steps.close()
