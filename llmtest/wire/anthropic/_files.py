"""Files: uploaded, listed, looked at, downloaded, deleted, and named in messages.

https://platform.claude.com/docs/en/build-with-claude/files
"""

from __future__ import annotations

import mimetypes
import re
from collections.abc import Mapping
from typing import Any

from llmtest.types import CompletionRequest
from llmtest.wire import _ids
from llmtest.wire._endpoint import Endpoint
from llmtest.wire._headers import header
from llmtest.wire._records import ResponseMeta, WireCall
from llmtest.wire._served import Served
from llmtest.wire._store import Store
from llmtest.wire.anthropic._checks import refuse
from llmtest.wire.anthropic._services import cursor_page, instant, missing, service

__all__ = ["FILES", "find_files"]

PATH = "/v1/files"
MOST_ASKED = 100
LEAST_LIFE, LONGEST_LIFE = 3_600, 7_776_000
"""Seconds for which a file may be kept: an hour, and ninety days."""
_BOUNDARY = re.compile(r'boundary="?([^";]+)"?', re.IGNORECASE)
_NAME = re.compile(rb'\bname="([^"]*)"', re.IGNORECASE)
_FILENAME = re.compile(rb'\bfilename="([^"]*)"', re.IGNORECASE)
_TYPE = re.compile(rb"^content-type:[ \t]*([^\r\n]+)", re.IGNORECASE | re.MULTILINE)
_UNNAMEABLE = frozenset('<>:"|?*\\/')


def _decode_upload(
    endpoint: Endpoint, headers: Mapping[str, str], body: bytes, parameters: Mapping[str, str]
) -> WireCall:
    del parameters
    found = _BOUNDARY.search(header(headers, "content-type") or "")
    if found is None:
        raise refuse("Expected a multipart/form-data request with a boundary")
    fields: dict[str, Any] = {}
    for part in (b"\r\n" + body).split(b"\r\n--" + found[1].strip().encode())[1:]:
        head, blank, data = part.partition(b"\r\n\r\n")
        name = _NAME.search(head)
        if not blank or name is None:
            continue
        filename, kind = _FILENAME.search(head), _TYPE.search(head)
        fields[name[1].decode(errors="replace")] = (
            None if filename is None else filename[1].decode(errors="replace"),
            None if kind is None else kind[1].decode(errors="replace"),
            data,
        )
    return WireCall(endpoint, api_key=endpoint.dialect.read_key(headers), shaping=fields)


def _upload(call: WireCall, meta: ResponseMeta, store: Store) -> dict[str, Any]:
    given = call.shaping.get("file")
    if given is None:
        raise refuse("file: Field required")
    name, kind, data = given
    if not data:
        raise refuse("file: File is empty")
    name = (name or "").replace("\\", "/").rpartition("/")[2]
    kind = kind or mimetypes.guess_type(name)[0] or "application/octet-stream"
    name = name or f"unnamed{mimetypes.guess_extension(kind) or ''}"
    if len(name) > 255 or _UNNAMEABLE & set(name):
        raise refuse("file: Invalid filename")
    life = _life(call.shaping.get("expires_in_seconds"))
    file_id = "file_011C" + _ids.base58(meta.number or 0, 20)
    file = {
        "id": file_id,
        "type": "file",
        "filename": name,
        "mime_type": kind,
        "size_bytes": len(data),
        "created_at": instant(meta.created_s),
        "downloadable": False,
        "expires_at": None if life is None else instant(meta.created_s + life),
    }
    store.table("files")[file_id] = {
        "file": file,
        "data": data,
        "expires_s": None if life is None else meta.created_s + life,
    }
    return file


def _life(given: tuple[Any, Any, bytes] | None) -> int | None:
    if given is None:
        return None
    text = given[2].decode(errors="replace").strip()
    if not text.isdecimal():
        raise refuse("expires_in_seconds: Input should be a valid integer, unable to parse string as an integer")
    if not LEAST_LIFE <= int(text) <= LONGEST_LIFE:
        raise refuse(f"expires_in_seconds: Input should be between {LEAST_LIFE} and {LONGEST_LIFE}")
    return int(text)


def _kept(store: Store, now_s: float) -> dict[str, Any]:
    """Return the files that have not expired."""
    files = store.table("files")
    return {name: each for name, each in files.items() if each["expires_s"] is None or now_s < each["expires_s"]}


def _found(call: WireCall, meta: ResponseMeta, store: Store) -> dict[str, Any]:
    name = call.shaping["file_id"]
    found = _kept(store, meta.created_s).get(name)
    if found is None:
        raise missing(f"File not found: {name}")
    return dict(found)


def _list(call: WireCall, meta: ResponseMeta, store: Store) -> dict[str, Any]:
    kept = _kept(store, meta.created_s)
    fields, ids = call.shaping, call.shaping.get("ids[]")
    if ids is not None:
        if "page" in fields or "limit" in fields:
            raise refuse("ids: cannot be combined with `page` or `limit`")
        wanted = dict.fromkeys(str(ids).split(","))
        if len(wanted) > MOST_ASKED:
            raise refuse(f"ids: List should have at most {MOST_ASKED} items after validation, not {len(wanted)}")
        found = [kept[name]["file"] for name in wanted if name in kept]
        return {"data": found, "has_more": False, "next_page": None}
    return cursor_page([each["file"] for each in reversed(kept.values())], fields)


def _retrieve(call: WireCall, meta: ResponseMeta, store: Store) -> Any:
    return _found(call, meta, store)["file"]


def _delete(call: WireCall, meta: ResponseMeta, store: Store) -> dict[str, Any]:
    name = _found(call, meta, store)["file"]["id"]
    del store.table("files")[name]
    return {"id": name, "type": "file_deleted"}


def _download(call: WireCall, meta: ResponseMeta, store: Store) -> Served:
    found = _found(call, meta, store)
    if not found["file"]["downloadable"]:
        raise refuse(
            f"File {found['file']['id']} is not downloadable: only files that tools created can be downloaded."
        )
    return Served(found["data"], content_type=found["file"]["mime_type"])


FILES = (
    service("file_upload", "POST", PATH, _upload, _decode_upload),
    service("files", "GET", PATH, _list),
    service("file", "GET", f"{PATH}/{{file_id}}", _retrieve),
    service("file_delete", "DELETE", f"{PATH}/{{file_id}}", _delete),
    service("file_content", "GET", f"{PATH}/{{file_id}}/content", _download),
)
"""`/v1/files`, and what is below it."""


def find_files(call: WireCall, store: Store) -> WireCall:
    """Look for the files that a message names; the `recall` of conversations.

    Raises:
        WireFormatError: One of them is not there.
    """
    if call.unread is not None:
        return call  # Nothing but texts.
    request = call.request
    assert isinstance(request, CompletionRequest)
    for message in request.messages:
        for part in message.content if isinstance(message.content, tuple) else ():
            name = getattr(part, "file_id", None)
            if name is not None and name not in store.table("files"):
                raise missing(f"File not found: {name}")
    return call
