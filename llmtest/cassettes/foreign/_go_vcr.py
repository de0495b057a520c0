"""The files of Go's go-vcr, versions 1 and 2 of its format: `url` beside the method, the status as one text.

See `cassette.Interaction` in its `pkg/cassette/cassette.go`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

REQUEST = {
    "proto",
    "proto_major",
    "proto_minor",
    "content_length",
    "transfer_encoding",
    "trailer",
    "host",
    "remote_addr",
    "request_uri",
    "form",
    "url",
}
RESPONSE = {
    "proto",
    "proto_major",
    "proto_minor",
    "transfer_encoding",
    "trailer",
    "content_length",
    "uncompressed",
    "duration",
    "code",
}
"""What a Go program knows of a message beside method, headers and body; replay needs none of it."""


def is_go_vcr(entry: Any) -> bool:
    """Tell whether an entry is one of go-vcr: its answer has a code beside a status that is a text."""
    if not isinstance(entry, Mapping):
        return False
    request, response = entry.get("request"), entry.get("response")
    return isinstance(request, Mapping) and isinstance(response, Mapping) and "url" in request and "code" in response


def vcrpy_entry(entry: Any) -> Any:
    """Return an interaction as vcrpy would have written it."""
    if not is_go_vcr(entry):
        return entry
    request, response = entry["request"], entry["response"]
    code = response["code"]
    reason = str(response.get("status") or "").removeprefix(str(code)).strip()
    return {
        **{key: value for key, value in entry.items() if key != "id"},
        "request": {key: value for key, value in request.items() if key not in REQUEST} | {"uri": request["url"]},
        "response": {key: value for key, value in response.items() if key not in RESPONSE}
        | {"status": {"code": code, "message": reason}, "body": {"string": response.get("body")}},
    }
