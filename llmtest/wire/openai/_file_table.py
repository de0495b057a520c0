"""The files that OpenAI keeps for a caller."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from llmtest.wire import _ids
from llmtest.wire._records import ResponseMeta
from llmtest.wire._store import Store
from llmtest.wire.openai._checks import refuse
from llmtest.wire.openai._services import missing

__all__ = ["add_file", "delete_file", "file_of", "files_in", "read_expiry"]

_TABLE = "files"
BATCH_SECONDS = 2_592_000
"""Seconds after which a file for a batch is gone, unless it says otherwise: 30 days."""
LEAST_SECONDS = 3600


def add_file(
    store: Store, meta: ResponseMeta, number: int, filename: str, purpose: str, data: bytes, seconds: int | None = None
) -> dict[str, Any]:
    """Keep a file, and return what is told of it.

    Args:
        store: Where.
        meta: What surrounds the answer; its time is that of the file.
        number: What its id is made of.
        filename: Its name.
        purpose: What it is for.
        data: What is in it.
        seconds: How long it is kept; None: 30 days where it is for a batch, else for ever.
    """
    kept_s = BATCH_SECONDS if seconds is None and purpose == "batch" else seconds
    body: dict[str, Any] = {
        "object": "file",
        "id": "file-" + _ids.letters(number, 22),
        "purpose": purpose,
        "filename": filename,
        "bytes": len(data),
        "created_at": meta.created_s,
        "expires_at": None if kept_s is None else meta.created_s + kept_s,
        "status": "processed",
        "status_details": None,
    }
    store.table(_TABLE)[body["id"]] = {"body": body, "data": data}
    return body


def files_in(store: Store, meta: ResponseMeta) -> list[dict[str, Any]]:
    """Return every file whose time is not over."""
    files = store.table(_TABLE)
    for identity, each in tuple(files.items()):
        expires = each["body"]["expires_at"]
        if expires is not None and meta.created_s >= expires:
            del files[identity]
    return list(files.values())


def file_of(store: Store, meta: ResponseMeta, identity: object) -> dict[str, Any]:
    """Return a file.

    Raises:
        WireFormatError: There is none of this id, or no more.
    """
    files_in(store, meta)
    found = store.table(_TABLE).get(str(identity))
    if found is None:
        raise missing(f"No such File object: {identity}", "id")
    return found  # type: ignore[no-any-return]  # what `add_file` put there


def delete_file(store: Store, identity: str) -> None:
    """Forget a file."""
    del store.table(_TABLE)[identity]


def read_expiry(fields: Mapping[str, Any], name: str) -> int | None:
    """Return how many seconds a file is kept; None where a request does not say.

    Raises:
        WireFormatError: It is less than an hour or more than 30 days, or not counted from the file's creation.
    """
    given = fields.get(name)
    if given is None:
        return None
    anchor = given.get("anchor") if isinstance(given, dict) else None
    if anchor != "created_at":
        raise refuse(f"Invalid value: '{anchor}'. Supported values are: 'created_at'.", f"{name}.anchor")
    value = given.get("seconds")
    seconds = int(value) if isinstance(value, int) or (isinstance(value, str) and value.isdigit()) else 0
    if not LEAST_SECONDS <= seconds <= BATCH_SECONDS:
        raise refuse(
            f"Invalid '{name}.seconds': expected a value from {LEAST_SECONDS} to {BATCH_SECONDS}, but got {value} "
            "instead.",
            f"{name}.seconds",
        )
    return seconds
