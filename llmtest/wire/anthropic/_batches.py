"""Message batches: made, looked at, called off, deleted, and their results as lines of JSON.

https://platform.claude.com/docs/en/build-with-claude/batch-processing
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from llmtest.wire import _ids
from llmtest.wire._batches import BatchLine, BatchWork, LineResult
from llmtest.wire._json import dumps
from llmtest.wire._records import ResponseMeta, WireCall
from llmtest.wire._served import Served
from llmtest.wire._store import Store
from llmtest.wire.anthropic._checks import refuse
from llmtest.wire.anthropic._services import instant, missing, page, service

__all__ = ["BATCHES"]

MOST_REQUESTS = 100_000
PATH = "/v1/messages/batches"
_CUSTOM_ID = re.compile(r"[a-zA-Z0-9_-]{1,64}")
_KEPT = ("anthropic-beta", "anthropic-version", "authorization", "x-api-key")
"""Headers of a batch that count for each of its requests."""
_FAILED = {"type": "error", "error": {"type": "api_error", "message": "Internal server error"}}
_STATUS = {"validating": "in_progress", "in_progress": "in_progress", "cancelling": "canceling"}
"""Anthropic's words for what goes on; everything else has ended."""


def _create(call: WireCall, meta: ResponseMeta, store: Store) -> dict[str, Any]:
    headers: Mapping[str, str] = call.shaping["headers"]
    kept = tuple((name, headers[name]) for name in _KEPT if name in headers)
    lines = [
        BatchLine(each["custom_id"], "POST", f"{call.endpoint.dialect.root}/v1/messages", each["params"], kept)
        for each in _requests(call.shaping["sent"])
    ]
    number = meta.number or 0
    job = BatchWork(
        "msgbatch_01" + _ids.base58(number, 22),
        lines,
        meta.created_s,
        store.batch_seconds,
        validating_s=0.0,
        finalizing_s=0.0,
    )
    store.begin(job)
    return _shown(job, call, meta)


def _requests(sent: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the requests of a batch; what each asks for is looked at when its turn comes.

    Raises:
        WireFormatError: Anthropic would refuse the batch.
    """
    unknown = next((name for name in sent if name != "requests"), None)
    if unknown is not None:
        raise refuse(f"{unknown}: Extra inputs are not permitted")
    requests = sent.get("requests")
    if requests is None:
        raise refuse("requests: Field required")
    if not isinstance(requests, list):
        raise refuse("requests: Input should be a valid list")
    if not requests:
        raise refuse("requests: List should have at least 1 item after validation, not 0")
    if len(requests) > MOST_REQUESTS:
        raise refuse(f"requests: List should have at most {MOST_REQUESTS} items after validation, not {len(requests)}")
    seen: set[str] = set()
    for index, each in enumerate(requests):
        _check_request(f"requests.{index}", each)
        if each["custom_id"] in seen:
            raise refuse(f"requests.{index}.custom_id: Duplicate custom_id '{each['custom_id']}'")
        seen.add(each["custom_id"])
    return requests


def _check_request(at: str, each: object) -> None:
    if not isinstance(each, dict):
        raise refuse(f"{at}: Input should be a valid dictionary or object to extract fields from")
    for name in ("custom_id", "params"):
        if each.get(name) is None:
            raise refuse(f"{at}.{name}: Field required")
    if not isinstance(each["custom_id"], str):
        raise refuse(f"{at}.custom_id: Input should be a valid string")
    if not _CUSTOM_ID.fullmatch(each["custom_id"]):
        raise refuse(f"{at}.custom_id: String should match pattern '^[a-zA-Z0-9_-]{{1,64}}$'")
    if not isinstance(each["params"], dict):
        raise refuse(f"{at}.params: Input should be a valid dictionary or object to extract fields from")


def _found(call: WireCall, store: Store) -> BatchWork:
    """Return the batch that a path names.

    Raises:
        WireFormatError: There is none.
    """
    name = call.shaping["message_batch_id"]
    job = store.table("batches").get(name)
    if not isinstance(job, BatchWork):
        raise missing(f"No message batch found with ID {name}")
    return job


def _kinds(job: BatchWork, now_s: float) -> list[str]:
    """Return what became of each request, once all is over."""
    found = ["succeeded" if result.succeeded else "errored" for result in job.results]
    rest = "expired" if job.stage(now_s) == "expired" else "canceled"
    return found + [rest] * len(job.undone())


def _shown(job: BatchWork, call: WireCall, meta: ResponseMeta) -> dict[str, Any]:
    now = meta.created_s
    status = _STATUS.get(job.stage(now), "ended")
    is_over = status == "ended"
    kinds = _kinds(job, now) if is_over else ["processing"] * len(job.lines)
    names = ("processing", "succeeded", "errored", "canceled", "expired")
    return {
        "id": job.id,
        "type": "message_batch",
        "processing_status": status,
        "request_counts": {name: kinds.count(name) for name in names},
        "ended_at": instant(_ended_s(job)) if is_over else None,
        "created_at": instant(job.made_s),
        "expires_at": instant(job.expires_s),
        "archived_at": None,
        "cancel_initiated_at": instant(job.cancelled_s),
        "results_url": f"{_address(call)}{PATH}/{job.id}/results" if is_over else None,
    }


def _ended_s(job: BatchWork) -> float:
    return job.given_up_s if job.given_up_s is not None else min(job.done_s, job.expires_s)


def _address(call: WireCall) -> str:
    """Return where results are: at the host that was asked, which may be a server on this machine."""
    headers: Mapping[str, str] = call.shaping["headers"]
    root, own = call.endpoint.dialect.root, call.endpoint.dialect.base_url or ""
    host = headers.get("host")
    if not host or own.endswith(f"//{host}"):
        return own + root
    return f"http://{host}{headers.get('x-forwarded-prefix', '')}{root}"


def _retrieve(call: WireCall, meta: ResponseMeta, store: Store) -> dict[str, Any]:
    return _shown(_found(call, store), call, meta)


def _list(call: WireCall, meta: ResponseMeta, store: Store) -> dict[str, Any]:
    jobs = [each for each in reversed(store.table("batches").values()) if isinstance(each, BatchWork)]
    return page([_shown(job, call, meta) for job in jobs], call.shaping)


def _cancel(call: WireCall, meta: ResponseMeta, store: Store) -> dict[str, Any]:
    job = _found(call, store)
    if job.is_over(meta.created_s):
        raise refuse(f"Batch {job.id} has already ended and cannot be canceled.")
    job.cancel(meta.created_s)
    return _shown(job, call, meta)


def _delete(call: WireCall, meta: ResponseMeta, store: Store) -> dict[str, Any]:
    job = _found(call, store)
    if not job.is_over(meta.created_s):
        raise refuse(f"Batch {job.id} is still processing. Cancel it, or wait until it has ended, before deleting it.")
    del store.table("batches")[job.id]
    return {"id": job.id, "type": "message_batch_deleted"}


def _results(call: WireCall, meta: ResponseMeta, store: Store) -> Served:
    job = _found(call, store)
    if not job.is_over(meta.created_s):
        raise missing(f"Batch {job.id} has no available results.")
    results: list[LineResult | None] = [*job.results, *(None for _ in job.undone())]
    lines = (
        dumps({"custom_id": line.custom_id, "result": _result(kind, result)})
        for line, kind, result in zip(job.lines, _kinds(job, meta.created_s), results, strict=True)
    )
    return Served(b"".join(line + b"\n" for line in lines), content_type="application/x-jsonl")


def _result(kind: str, result: LineResult | None) -> dict[str, Any]:
    if result is None:
        return {"type": kind}
    if kind == "errored":
        return {"type": "errored", "error": result.body if isinstance(result.body, dict) else _FAILED}
    message = result.body
    if isinstance(message, dict) and isinstance(message.get("usage"), dict):
        message = {**message, "usage": {**message["usage"], "service_tier": "batch"}}
    return {"type": "succeeded", "message": message}


BATCHES = (
    service("batch_create", "POST", PATH, _create),
    service("batches", "GET", PATH, _list),
    service("batch", "GET", f"{PATH}/{{message_batch_id}}", _retrieve),
    service("batch_delete", "DELETE", f"{PATH}/{{message_batch_id}}", _delete),
    service("batch_cancel", "POST", f"{PATH}/{{message_batch_id}}/cancel", _cancel),
    service("batch_results", "GET", f"{PATH}/{{message_batch_id}}/results", _results),
)
"""`/v1/messages/batches`, and what is below it."""
