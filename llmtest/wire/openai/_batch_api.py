"""OpenAI's batches as a client asks for them: a file of requests, a batch of it, and files of results.

https://platform.openai.com/docs/guides/batch
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from hashlib import blake2b
from typing import TYPE_CHECKING, Any

from llmtest.errors import ProviderError, ServerError
from llmtest.types import BatchJob, BatchOutcome, BatchRequest, BatchResult, BatchStatus
from llmtest.wire._answer_bodies import answered
from llmtest.wire._batch_api import BatchSteps, not_over, objects_in, pages
from llmtest.wire._json import count, dumps, loads
from llmtest.wire._records import WireRequest
from llmtest.wire.openai._bodies import JSON_HEADERS

if TYPE_CHECKING:
    from llmtest.wire._endpoint import Endpoint

__all__ = ["FileBatches"]

_ACCEPT = (JSON_HEADERS[1],)
_STATUS: dict[str, BatchStatus] = {
    name: name
    for name in ("validating", "failed", "in_progress", "finalizing", "completed", "expired", "cancelling", "cancelled")
}
_UNANSWERED: dict[str, BatchOutcome] = {"batch_expired": "expired", "batch_cancelled": "cancelled"}
"""Codes of lines that nobody came to."""


class FileBatches:
    """Batches of a file; see `BatchApi` for the contract.

    Args:
        root: What stands before every path at an API that has OpenAI's below another part of its address.
    """

    def __init__(self, root: str = "") -> None:
        self._root = root

    def create(self, requests: Sequence[BatchRequest], chat: Endpoint) -> BatchSteps[BatchJob]:
        """Upload the requests, and make a batch of them."""
        path = "/v1/responses" if chat.operation == "responses" else "/v1/chat/completions"
        lines = b"".join(
            dumps({"custom_id": each.custom_id, "method": "POST", "url": path, "body": _body(each, chat)}) + b"\n"
            for each in requests
        )
        kind, form = _form(lines)
        uploaded = yield WireRequest("POST", f"{self._root}/files", (("content-type", kind), *_ACCEPT), form)
        body = {
            "input_file_id": answered(uploaded.body).get("id"),
            "endpoint": path,
            "completion_window": "24h",
        }
        made = yield WireRequest("POST", f"{self._root}/batches", JSON_HEADERS, dumps(body))
        return _job(answered(made.body))

    def get(self, batch_id: str) -> BatchSteps[BatchJob]:
        """Look at a batch."""
        found = yield WireRequest("GET", f"{self._root}/batches/{batch_id}", _ACCEPT)
        return _job(answered(found.body))

    def results(self, batch_id: str, chat: Endpoint, now: datetime) -> BatchSteps[list[BatchResult]]:
        """Read the file of answers and that of errors, whichever there is."""
        job = yield from self.get(batch_id)
        if not job.is_over:
            raise not_over(job)
        found: list[BatchResult] = []
        for name in ("output_file_id", "error_file_id"):
            identity = job.told.get(name)
            if identity:
                content = yield WireRequest("GET", f"{self._root}/files/{identity}/content", ())
                found += [_result(line, chat, now) for line in objects_in(content.body)]
        return found

    def cancel(self, batch_id: str) -> BatchSteps[BatchJob]:
        """Call a batch off; it is `cancelling` for some minutes."""
        found = yield WireRequest("POST", f"{self._root}/batches/{batch_id}/cancel", _ACCEPT)
        return _job(answered(found.body))

    def list(self, limit: int) -> BatchSteps[list[BatchJob]]:
        """List the latest batches."""
        found = yield from pages(f"{self._root}/batches", _ACCEPT, limit, "after")
        return [_job(each) for each in found]


def _body(each: BatchRequest, chat: Endpoint) -> dict[str, Any]:
    body: dict[str, Any] = loads(chat.encode_call(each.request, stream=False).body)
    return body


def _form(lines: bytes) -> tuple[str, bytes]:
    """Write the form of an upload; its boundary is drawn from the lines, so that it is in none of them."""
    boundary = "llmtest-" + blake2b(lines, digest_size=16).hexdigest()
    head = 'content-disposition: form-data; name="{}"'
    parts = (
        (head.format("purpose"), b"batch"),
        (head.format("file") + '; filename="requests.jsonl"\r\ncontent-type: application/jsonl', lines),
    )
    told = b"".join(f"--{boundary}\r\n{first}\r\n\r\n".encode() + data + b"\r\n" for first, data in parts)
    return f"multipart/form-data; boundary={boundary}", told + f"--{boundary}--\r\n".encode()


def _job(told: dict[str, Any]) -> BatchJob:
    counts = told.get("request_counts")
    counts = counts if isinstance(counts, dict) else {}
    return BatchJob(
        str(told.get("id")),
        _STATUS.get(str(told.get("status")), "in_progress"),
        count(counts.get("total")),
        count(counts.get("completed")),
        count(counts.get("failed")),
        told.get("created_at"),
        told,
    )


def _result(line: dict[str, Any], chat: Endpoint, now: datetime) -> BatchResult:
    identity, response, failure = str(line.get("custom_id")), line.get("response"), line.get("error")
    if not isinstance(response, dict):
        told = failure if isinstance(failure, dict) else {}
        code = str(told.get("code"))
        error: ProviderError = ServerError(str(told.get("message") or "the request was not answered"), code=code)
        return BatchResult(identity, _UNANSWERED.get(code, "failed"), error=error)
    status, body = count(response.get("status_code")) or 200, dumps(response.get("body"))
    if status >= 400:
        return BatchResult(identity, "failed", error=chat.decode_error(status, {}, body, now=now))
    try:
        return BatchResult(identity, "succeeded", chat.decode_answer(body, {}))
    except ProviderError as error:
        return BatchResult(identity, "failed", error=error)
