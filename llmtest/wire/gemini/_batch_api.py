"""Gemini's batches, as a client asks for them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from llmtest.errors import ConfigurationError, ProviderError
from llmtest.types import BatchJob, BatchRequest, BatchResult, BatchStatus
from llmtest.wire._answer_bodies import answered
from llmtest.wire._batch_api import BatchSteps, not_over
from llmtest.wire._endpoint import Endpoint
from llmtest.wire._json import count, dumps, loads
from llmtest.wire._records import WireRequest
from llmtest.wire.gemini._batches import CODES
from llmtest.wire.gemini._errors import STATUS_OF, decode_stream_error
from llmtest.wire.gemini._generate import HEADERS

__all__ = ["GeminiBatches"]

PATH = "/batches"
_READING = tuple(each for each in HEADERS if each[0] != "content-type")
_STATUS: dict[str, BatchStatus] = {
    "PENDING": "validating",
    "SUCCEEDED": "completed",
    "FAILED": "failed",
    "CANCELLED": "cancelled",
    "EXPIRED": "expired",
}
_WORDS = {number: word for word, number in CODES.items()}


class GeminiBatches:
    """Batches of Gemini; see `BatchApi` for the contract."""

    def create(self, requests: Sequence[BatchRequest], chat: Endpoint) -> BatchSteps[BatchJob]:
        """Hand requests over; a batch has one model, so they all name the same.

        Raises:
            ConfigurationError: They name several.
        """
        sent = [chat.encode_call(each.request, stream=False) for each in requests]
        paths = sorted({each.path.partition("?")[0] for each in sent})
        if len(paths) > 1:
            models = ", ".join(f"`{path.removeprefix('/models/').partition(':')[0]}`" for path in paths)
            raise ConfigurationError(
                f"a batch has one model here, and its requests name {models}.\nTo fix: make a batch for each model"
            )
        asked = [
            {"request": loads(wire.body), "metadata": {"key": each.custom_id}}
            for wire, each in zip(sent, requests, strict=True)
        ]
        path = paths[0].removesuffix(":generateContent") + ":batchGenerateContent"
        batch = {"displayName": requests[0].custom_id, "inputConfig": {"requests": {"requests": asked}}}
        made = yield WireRequest("POST", path, HEADERS, dumps({"batch": batch}))
        return _job(answered(made.body))

    def get(self, batch_id: str) -> BatchSteps[BatchJob]:
        """Look at a batch."""
        return _job((yield from self._told(batch_id)))

    def _told(self, batch_id: str) -> BatchSteps[dict[str, Any]]:
        found = yield WireRequest("GET", f"{PATH}/{batch_id.removeprefix('batches/')}", _READING)
        return answered(found.body)

    def results(self, batch_id: str, chat: Endpoint, now: datetime) -> BatchSteps[list[BatchResult]]:
        """Read the results; a batch that has expired has none."""
        del now  # errors of a batch have no headers, and so no date to come back at
        told = yield from self._told(batch_id)
        job = _job(told)
        if not job.is_over:
            raise not_over(job)
        return [_result(each, chat) for each in _inlined(told)]

    def cancel(self, batch_id: str) -> BatchSteps[BatchJob]:
        """Call a batch off; it is `cancelling` until the provider says that it is over."""
        yield WireRequest("POST", f"{PATH}/{batch_id.removeprefix('batches/')}:cancel", HEADERS, b"{}")
        told = yield from self._told(batch_id)
        job = _job(told)
        return job if job.is_over else _job(told, "cancelling")

    def list(self, limit: int) -> BatchSteps[list[BatchJob]]:
        """List the latest batches."""
        found: list[BatchJob] = []
        token = ""
        while len(found) < limit:
            begin = f"&pageToken={token}" if token else ""
            size = min(limit - len(found), 100)
            answer = yield WireRequest("GET", f"{PATH}?pageSize={size}{begin}", _READING)
            told = answered(answer.body)
            found += [_job(each) for each in told.get("operations") or () if isinstance(each, dict)]
            token = str(told.get("nextPageToken") or "")
            if not token:
                break
        return found[:limit]


def _job(told: dict[str, Any], status: BatchStatus | None = None) -> BatchJob:
    facts = told.get("metadata")
    facts = facts if isinstance(facts, dict) else {}
    stats = facts.get("batchStats")
    stats = stats if isinstance(stats, dict) else {}
    names = ("requestCount", "successfulRequestCount", "failedRequestCount")
    total, succeeded, failed = (count(_number(stats.get(name))) for name in names)
    word = str(facts.get("state") or "").removeprefix("BATCH_STATE_")
    found = status or _STATUS.get(word, "in_progress")
    if found in {"cancelled", "expired"}:
        failed = total - succeeded
    try:
        created = datetime.fromisoformat(str(facts.get("createTime"))).timestamp()
    except ValueError:
        created = None
    return BatchJob(str(told.get("name")), found, total, succeeded, failed, created, told)


def _number(text: object) -> object:
    """Return a whole number that JSON has as text, because it may be too large for one."""
    return int(text) if isinstance(text, str) and text.isdecimal() else text


def _inlined(told: dict[str, Any]) -> list[dict[str, Any]]:
    facts, found = told.get("metadata"), told.get("response")
    output = found if isinstance(found, dict) else facts.get("output") if isinstance(facts, dict) else None
    inlined = output.get("inlinedResponses") if isinstance(output, dict) else None
    listed = inlined.get("inlinedResponses") if isinstance(inlined, dict) else None
    return [each for each in listed or () if isinstance(each, dict)]


def _result(line: dict[str, Any], chat: Endpoint) -> BatchResult:
    own = line.get("metadata")
    identity = str(own.get("key")) if isinstance(own, dict) else ""
    error = line.get("error")
    if isinstance(error, dict):
        word = _WORDS.get(error.get("code", 0), "INTERNAL")
        if word == "CANCELLED":
            return BatchResult(identity, "cancelled")
        said = {"error": {**error, "code": STATUS_OF.get(word, 500), "status": word}}
        return BatchResult(identity, "failed", error=decode_stream_error(said))
    try:
        return BatchResult(identity, "succeeded", chat.decode_answer(dumps(line.get("response")), {}))
    except ProviderError as unread:
        return BatchResult(identity, "failed", error=unread)
