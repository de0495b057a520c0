"""OpenAI's batches: made of a file of requests, worked off over time, their results in files."""

from __future__ import annotations

from typing import Any

from llmtest.wire import _ids
from llmtest.wire._batches import BatchWork
from llmtest.wire._records import ResponseMeta, WireCall
from llmtest.wire._store import Store
from llmtest.wire.openai._batch_files import read_lines, settle, usage_of
from llmtest.wire.openai._checks import refuse
from llmtest.wire.openai._file_table import file_of, read_expiry
from llmtest.wire.openai._services import expected, missing, page, refuse_value, service

__all__ = ["BATCHES"]

ROOT = "/v1"
ENDPOINTS = (
    "/v1/responses",
    "/v1/chat/completions",
    "/v1/embeddings",
    "/v1/completions",
    "/v1/moderations",
    "/v1/images/generations",
    "/v1/images/edits",
)
"""What a batch may ask for: `types/batch_create_params.py` of the official SDK, without videos, which nobody makes."""


def _bare(path: str) -> str:
    return path.removeprefix(ROOT)


def _create(call: WireCall, meta: ResponseMeta, store: Store) -> dict[str, Any]:
    fields = call.shaping
    expected(fields, "input_file_id", "endpoint", "completion_window")
    # Azure writes its paths without a version, too.
    known = ENDPOINTS if call.endpoint.dialect.root == ROOT else (*ENDPOINTS, *map(_bare, ENDPOINTS))
    if fields["endpoint"] not in known:
        raise refuse_value("endpoint", fields["endpoint"], known)
    if fields["completion_window"] != "24h":
        raise refuse_value("completion_window", fields["completion_window"], ("24h",))
    file = file_of(store, meta, fields["input_file_id"])
    if file["body"]["purpose"] != "batch":
        raise refuse(
            f"Invalid file purpose: '{file['body']['purpose']}'. Must be 'batch'.", "input_file_id", "invalid_value"
        )
    lines, problems = read_lines(file["data"], fields["endpoint"])
    number = meta.number or 0
    job = BatchWork(
        "batch_" + _ids.hexadecimal(number, 32),
        lines,
        meta.created_s,
        store.batch_seconds,
        is_valid=not problems,
        facts={
            "number": number,
            "seconds": read_expiry(fields, "output_expires_after"),
            "problems": problems,
            "endpoint": fields["endpoint"],
            "input_file_id": fields["input_file_id"],
            "metadata": fields.get("metadata"),
        },
    )
    store.begin(job)
    return _told(job, meta, store)


def _told(job: BatchWork, meta: ResponseMeta, store: Store) -> dict[str, Any]:
    """Return what is told of a batch now."""
    settle(store, meta)
    now, facts = meta.created_s, job.facts
    stage = job.stage(now)
    output, error = facts.get("files", (None, None))
    is_checked = stage not in {"validating", "failed"} and now >= job.begun_s
    is_written = stage in {"finalizing", "completed"}
    model = next((line.body.get("model") for line in job.lines), None)
    return {
        "id": job.id,
        "object": "batch",
        "endpoint": facts["endpoint"],
        "model": model,
        "errors": {"object": "list", "data": facts["problems"]} if stage == "failed" else None,
        "input_file_id": facts["input_file_id"],
        "completion_window": "24h",
        "status": stage,
        "output_file_id": output,
        "error_file_id": error,
        "created_at": int(job.made_s),
        "in_progress_at": int(job.begun_s) if is_checked else None,
        "expires_at": int(job.expires_s),
        "finalizing_at": int(job.worked_off_s) if is_written else None,
        "completed_at": int(job.done_s) if stage == "completed" else None,
        "failed_at": int(job.begun_s) if stage == "failed" else None,
        "expired_at": int(job.expires_s) if stage == "expired" else None,
        "cancelling_at": None if job.cancelled_s is None else int(job.cancelled_s),
        "cancelled_at": int(job.given_up_s) if stage == "cancelled" and job.given_up_s is not None else None,
        "request_counts": {
            "total": len(job.lines) if is_checked else 0,
            "completed": job.succeeded,
            "failed": job.failed,
        },
        "usage": usage_of(job.results),
        "metadata": facts["metadata"],
    }


def _found(call: WireCall, store: Store) -> BatchWork:
    identity = call.shaping["batch_id"]
    found = store.table("batches").get(identity)
    if found is None:
        raise missing(f"No batch found with id '{identity}'.")
    return found  # type: ignore[no-any-return]  # what `Store.begin` put there


def _retrieve(call: WireCall, meta: ResponseMeta, store: Store) -> dict[str, Any]:
    return _told(_found(call, store), meta, store)


def _list(call: WireCall, meta: ResponseMeta, store: Store) -> dict[str, Any]:
    return page([_told(job, meta, store) for job in store.table("batches").values()], call.shaping)


def _cancel(call: WireCall, meta: ResponseMeta, store: Store) -> dict[str, Any]:
    job = _found(call, store)
    if not job.cancel(meta.created_s) and job.cancelled_s is None:
        raise refuse(f"Cannot cancel a batch with status '{job.stage(meta.created_s)}'.")
    return _told(job, meta, store)


BATCHES = (
    service("batches.create", "POST", "/batches", _create),
    service("batches.list", "GET", "/batches", _list),
    service("batches.retrieve", "GET", "/batches/{batch_id}", _retrieve),
    service("batches.cancel", "POST", "/batches/{batch_id}/cancel", _cancel),
)
"""What OpenAI answers about batches."""
