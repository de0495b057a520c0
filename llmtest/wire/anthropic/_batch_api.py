"""Anthropic's message batches as a client asks for them.

https://platform.claude.com/docs/en/build-with-claude/batch-processing
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from llmtest.errors import ProviderError
from llmtest.types import BatchJob, BatchOutcome, BatchRequest, BatchResult, BatchStatus
from llmtest.wire._answer_bodies import answered
from llmtest.wire._batch_api import BatchSteps, not_over, objects_in, pages
from llmtest.wire._json import count, dumps, loads
from llmtest.wire._records import WireRequest
from llmtest.wire.anthropic import _errors
from llmtest.wire.anthropic._bodies import HEADERS

if TYPE_CHECKING:
    from llmtest.wire._endpoint import Endpoint

__all__ = ["MessageBatches"]

PATH = "/v1/messages/batches"
_READING = tuple(each for each in HEADERS if each[0] != "content-type")
_UNDER_WAY: dict[str, BatchStatus] = {"in_progress": "in_progress", "canceling": "cancelling"}
_OUTCOMES: dict[str, BatchOutcome] = {"succeeded": "succeeded", "canceled": "cancelled", "expired": "expired"}


class MessageBatches:
    """Batches of messages; see `BatchApi` for the contract."""

    def create(self, requests: Sequence[BatchRequest], chat: Endpoint) -> BatchSteps[BatchJob]:
        """Hand requests over."""
        asked = [
            {"custom_id": each.custom_id, "params": loads(chat.encode_call(each.request, stream=False).body)}
            for each in requests
        ]
        made = yield WireRequest("POST", PATH, HEADERS, dumps({"requests": asked}))
        return _job(answered(made.body))

    def get(self, batch_id: str) -> BatchSteps[BatchJob]:
        """Look at a batch."""
        found = yield WireRequest("GET", f"{PATH}/{batch_id}", _READING)
        return _job(answered(found.body))

    def results(self, batch_id: str, chat: Endpoint, now: datetime) -> BatchSteps[list[BatchResult]]:
        """Read the results, in whatever order they are told."""
        del now  # errors of a batch have no headers, and so no date to come back at
        job = yield from self.get(batch_id)
        if not job.is_over:
            raise not_over(job)
        found = yield WireRequest("GET", f"{PATH}/{batch_id}/results", _READING)
        return [_result(line, chat) for line in objects_in(found.body)]

    def cancel(self, batch_id: str) -> BatchSteps[BatchJob]:
        """Call a batch off; it is `cancelling` until what is under way has been given up."""
        found = yield WireRequest("POST", f"{PATH}/{batch_id}/cancel", _READING)
        return _job(answered(found.body))

    def list(self, limit: int) -> BatchSteps[list[BatchJob]]:
        """List the latest batches."""
        found = yield from pages(PATH, _READING, limit, "after_id")
        return [_job(each) for each in found]


def _job(told: dict[str, Any]) -> BatchJob:
    counts = told.get("request_counts")
    counts = {name: count(value) for name, value in counts.items()} if isinstance(counts, dict) else {}
    succeeded, waiting = counts.get("succeeded", 0), counts.get("processing", 0)
    total = sum(counts.values())
    over: BatchStatus = "cancelled" if told.get("cancel_initiated_at") else "completed"
    if total and counts.get("expired") == total:
        over = "expired"
    status = _UNDER_WAY.get(str(told.get("processing_status")), over)
    return BatchJob(str(told.get("id")), status, total, succeeded, total - succeeded - waiting, _instant(told), told)


def _instant(told: dict[str, Any]) -> float | None:
    try:
        return datetime.fromisoformat(str(told.get("created_at"))).timestamp()
    except ValueError:
        return None


def _result(line: dict[str, Any], chat: Endpoint) -> BatchResult:
    identity, told = str(line.get("custom_id")), line.get("result")
    told = told if isinstance(told, dict) else {}
    outcome = _OUTCOMES.get(str(told.get("type")), "failed")
    if outcome == "failed":
        error = told.get("error")
        return BatchResult(
            identity, outcome, error=_errors.decode_stream_error(error if isinstance(error, dict) else {})
        )
    if outcome != "succeeded":
        return BatchResult(identity, outcome)
    try:
        return BatchResult(identity, outcome, chat.decode_answer(dumps(told.get("message")), {}))
    except ProviderError as unread:
        return BatchResult(identity, "failed", error=unread)
