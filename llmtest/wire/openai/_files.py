"""OpenAI's files: uploaded whole or in parts, listed, read again, deleted, and gone when their time is over."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from llmtest.wire import _ids
from llmtest.wire._records import ResponseMeta, WireCall
from llmtest.wire._served import Served
from llmtest.wire._store import Store
from llmtest.wire.openai._batch_files import settle
from llmtest.wire.openai._checks import refuse
from llmtest.wire.openai._file_table import add_file, delete_file, file_of, files_in, read_expiry
from llmtest.wire.openai._forms import Upload
from llmtest.wire.openai._services import expected, missing, page, refuse_value, service

__all__ = ["FILES", "UPLOADS"]

PURPOSES = ("assistants", "batch", "fine-tune", "vision", "user_data", "evals")
_UNREADABLE = frozenset({"assistants", "vision", "user_data"})
"""Purposes of files that OpenAI keeps to itself."""
MOST_LISTED = 10_000
UPLOAD_SECONDS = 3600


def _check_purpose(purpose: object) -> str:
    if purpose not in PURPOSES:
        raise refuse_value("purpose", purpose, PURPOSES)
    return str(purpose)


def _create(call: WireCall, meta: ResponseMeta, store: Store) -> dict[str, Any]:
    fields = call.shaping
    expected(fields, "file", "purpose")
    purpose, upload = _check_purpose(fields["purpose"]), fields["file"]
    if not isinstance(upload, Upload):
        raise refuse("Invalid type for 'file': expected a file, but got a string instead.", "file", "invalid_type")
    if purpose == "batch" and "." in upload.filename and not upload.filename.endswith(".jsonl"):
        raise refuse("Invalid file format for Batch API. Must be .jsonl")
    seconds = read_expiry(fields, "expires_after")
    return add_file(store, meta, meta.number or 0, upload.filename, purpose, upload.data, seconds)


def _list(call: WireCall, meta: ResponseMeta, store: Store) -> dict[str, Any]:
    settle(store, meta)
    purpose = call.shaping.get("purpose")
    found = [each["body"] for each in files_in(store, meta) if purpose in {None, each["body"]["purpose"]}]
    return page(found, call.shaping, usual=MOST_LISTED, most=MOST_LISTED)


def _retrieve(call: WireCall, meta: ResponseMeta, store: Store) -> dict[str, Any]:
    settle(store, meta)
    return file_of(store, meta, call.shaping["file_id"])["body"]  # type: ignore[no-any-return]  # as `add_file` has it


def _content(call: WireCall, meta: ResponseMeta, store: Store) -> Served:
    settle(store, meta)
    found = file_of(store, meta, call.shaping["file_id"])
    purpose = found["body"]["purpose"]
    if purpose in _UNREADABLE:
        raise refuse(f"Not allowed to download files of purpose: {purpose}")
    return Served(found["data"], content_type="application/octet-stream")


def _delete(call: WireCall, meta: ResponseMeta, store: Store) -> dict[str, Any]:
    settle(store, meta)
    identity = file_of(store, meta, call.shaping["file_id"])["body"]["id"]
    delete_file(store, identity)
    return {"id": identity, "object": "file", "deleted": True}


FILES = (
    service("files.create", "POST", "/files", _create),
    service("files.list", "GET", "/files", _list),
    service("files.retrieve", "GET", "/files/{file_id}", _retrieve),
    service("files.delete", "DELETE", "/files/{file_id}", _delete),
    service("files.content", "GET", "/files/{file_id}/content", _content),
)
"""What OpenAI answers about files."""


def _begin(call: WireCall, meta: ResponseMeta, store: Store) -> dict[str, Any]:
    fields = call.shaping
    expected(fields, "bytes", "filename", "mime_type", "purpose")
    body = {
        "id": "upload_" + _ids.letters(meta.number or 0, 24),
        "object": "upload",
        "bytes": fields["bytes"],
        "created_at": meta.created_s,
        "filename": str(fields["filename"]),
        "purpose": _check_purpose(fields["purpose"]),
        "status": "pending",
        "expires_at": meta.created_s + UPLOAD_SECONDS,
        "file": None,
    }
    seconds = read_expiry(fields, "expires_after")
    store.table("uploads")[body["id"]] = {"body": body, "parts": {}, "seconds": seconds}
    return body


def _pending(call: WireCall, meta: ResponseMeta, store: Store) -> dict[str, Any]:
    identity = call.shaping["upload_id"]
    found = store.table("uploads").get(identity)
    if found is None:
        raise missing(f"No such Upload object: {identity}", "id")
    if found["body"]["status"] == "pending" and meta.created_s >= found["body"]["expires_at"]:
        found["body"]["status"] = "expired"
    if found["body"]["status"] != "pending":
        raise refuse(f"Upload '{identity}' has status '{found['body']['status']}' and takes nothing more.")
    return found  # type: ignore[no-any-return]  # what `_begin` put there


def _add_part(call: WireCall, meta: ResponseMeta, store: Store) -> dict[str, Any]:
    found = _pending(call, meta, store)
    data = call.shaping.get("data")
    if not isinstance(data, Upload):
        raise refuse("Missing required parameter: 'data'.", "data", "missing_required_parameter")
    identity = "part_" + _ids.letters(meta.number or 0, 24)
    found["parts"][identity] = data.data
    return {
        "id": identity,
        "object": "upload.part",
        "created_at": meta.created_s,
        "upload_id": found["body"]["id"],
    }


def _complete(call: WireCall, meta: ResponseMeta, store: Store) -> dict[str, Any]:
    found = _pending(call, meta, store)
    expected(call.shaping, "part_ids")
    body, parts = found["body"], found["parts"]
    unknown = [each for each in call.shaping["part_ids"] if each not in parts]
    if unknown:
        raise missing(f"No such Upload Part object: {unknown[0]}", "part_ids")
    data = b"".join(parts[each] for each in call.shaping["part_ids"])
    if len(data) != body["bytes"]:
        raise refuse(f"Expected {body['bytes']} bytes in total, but the parts have {len(data)}.", "bytes")
    file = add_file(store, meta, meta.number or 0, body["filename"], body["purpose"], data, found["seconds"])
    body.update(status="completed", file=file)
    return body  # type: ignore[no-any-return]  # what `_begin` put there


def _cancel(call: WireCall, meta: ResponseMeta, store: Store) -> Mapping[str, Any]:
    body = _pending(call, meta, store)["body"]
    body["status"] = "cancelled"
    return body  # type: ignore[no-any-return]  # what `_begin` put there


UPLOADS = (
    service("uploads.create", "POST", "/uploads", _begin),
    service("uploads.parts.create", "POST", "/uploads/{upload_id}/parts", _add_part),
    service("uploads.complete", "POST", "/uploads/{upload_id}/complete", _complete),
    service("uploads.cancel", "POST", "/uploads/{upload_id}/cancel", _cancel),
)
"""What OpenAI answers about files that come in parts."""
