"""Batches as a client asks for them: requests in one order at every API, although each needs other steps for it.

A step is a request to send; what it was answered with comes back into the generator, whose return value is the result.
So the steps are pure: who sends them, in which world, is somebody else's matter.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, TypeVar

from llmtest.errors import InvalidRequestError, InvalidResponseError
from llmtest.types import BatchJob, BatchRequest, BatchResult
from llmtest.wire._answer_bodies import answered
from llmtest.wire._json import loads
from llmtest.wire._records import WireRequest

if TYPE_CHECKING:
    from llmtest.wire._endpoint import Endpoint

__all__ = ["BatchApi", "BatchSteps", "WireAnswer", "not_over", "objects_in", "pages"]

T = TypeVar("T")


class WireAnswer(NamedTuple):
    """What a step was answered with; an answer that is no success is raised into the generator."""

    headers: Mapping[str, str]
    body: bytes


BatchSteps = Generator[WireRequest, WireAnswer, T]
"""Requests to send one after the other, each answered before the next; then the result."""


class BatchApi(Protocol):
    """What a client can do with batches; an argument of `Dialect`."""

    def create(self, requests: Sequence[BatchRequest], chat: Endpoint) -> BatchSteps[BatchJob]:
        """Hand requests over; `chat` is the endpoint that would answer each."""
        ...

    def get(self, batch_id: str) -> BatchSteps[BatchJob]:
        """Look at a batch."""
        ...

    def results(self, batch_id: str, chat: Endpoint, now: datetime) -> BatchSteps[list[BatchResult]]:
        """Read what became of each request.

        Raises:
            InvalidRequestError: The batch is not over.
        """
        ...

    def cancel(self, batch_id: str) -> BatchSteps[BatchJob]:
        """Call a batch off."""
        ...

    def list(self, limit: int) -> BatchSteps[list[BatchJob]]:
        """List the latest batches, as many as `limit` at most."""
        ...


def pages(path: str, headers: tuple[tuple[str, str], ...], limit: int, after: str) -> BatchSteps[list[dict[str, Any]]]:
    """Read a list page by page, until there are `limit` entries or there is no more.

    Args:
        path: Where it is.
        headers: Headers of each request.
        limit: Most entries.
        after: Name of the field of the query that says after which id a page begins.
    """
    found: list[dict[str, Any]] = []
    last = ""
    while len(found) < limit:
        begin = f"&{after}={last}" if last else ""
        answer = yield WireRequest("GET", f"{path}?limit={min(limit - len(found), 100)}{begin}", headers)
        told = answered(answer.body)
        page = [each for each in told.get("data") or () if isinstance(each, dict)]
        found += page
        if not told.get("has_more") or not page:
            break
        last = str(page[-1].get("id"))
    return found[:limit]


def objects_in(body: bytes) -> list[dict[str, Any]]:
    """Read lines of JSON objects.

    Raises:
        InvalidResponseError: A line is none.
    """
    found = []
    for place, line in enumerate(body.splitlines(), 1):
        if not line.strip():
            continue
        try:
            parsed = loads(line)
        except ValueError:
            parsed = None
        if not isinstance(parsed, dict):
            raise InvalidResponseError(f"line {place} of the results is no JSON object", status=200, body=body)
        found.append(parsed)
    return found


def not_over(job: BatchJob) -> InvalidRequestError:
    """Make the error of results that are asked for too early."""
    return InvalidRequestError(
        f"the batch `{job.id}` is {job.status}: it has no results yet.\n"
        "To fix: look at it with get_batch now and then, until it is over"
    )
