"""Requests that come as a form, because they bring files: `multipart/form-data`, and names with brackets in them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from llmtest.wire._headers import header
from llmtest.wire.openai._checks import refuse

__all__ = ["Upload", "form", "is_form", "nested", "uploads"]

_BOUNDARY = re.compile(r'boundary="?([^";]+)"?', re.IGNORECASE)
_NAME = re.compile(rb'\bname="([^"]*)"', re.IGNORECASE)
_FILENAME = re.compile(rb'\bfilename="([^"]*)"', re.IGNORECASE)
_TYPE = re.compile(rb"^content-type:[ \t]*([^\r\n]+)", re.IGNORECASE | re.MULTILINE)
_BRACKETS = re.compile(r"\[([^\]]*)\]")


@dataclass(frozen=True, slots=True)
class Upload:
    """A file in a form."""

    filename: str
    content_type: str
    data: bytes


def is_form(headers: Mapping[str, str]) -> bool:
    """Tell whether a request comes as a form."""
    return (header(headers, "content-type") or "").lower().startswith("multipart/form-data")


def form(headers: Mapping[str, str], body: bytes) -> dict[str, Any]:
    """Read a form: texts, and an `Upload` for each file; `a[]` and a name that comes again are lists, `a[b]` an object.

    Raises:
        WireFormatError: It has no boundary, or a part of it has no name.
    """
    found = _BOUNDARY.search(header(headers, "content-type") or "")
    if found is None:
        raise refuse("Could not parse multipart form: no multipart boundary param in Content-Type")
    parts = (b"\r\n" + body).split(b"\r\n--" + found[1].strip().encode())
    fields: list[tuple[str, Any]] = []
    for part in parts[1:]:
        if part.startswith(b"--"):
            break
        head, _, data = part.partition(b"\r\n\r\n")
        name, filename, kind = (each.search(head) for each in (_NAME, _FILENAME, _TYPE))
        if name is None:
            raise refuse("Could not parse multipart form: a part has no name")
        if filename is None:
            value: Any = data.decode(errors="replace")
        else:
            content_type = "application/octet-stream" if kind is None else kind[1].decode(errors="replace")
            value = Upload(filename[1].decode(errors="replace"), content_type, data)
        fields.append((name[1].decode(errors="replace"), value))
    return nested(fields)


def nested(fields: Iterable[tuple[str, Any]]) -> dict[str, Any]:
    """Return fields whose names have brackets as the lists and objects that they stand for."""
    found: dict[str, Any] = {}
    for name, value in fields:
        keys = _BRACKETS.findall(name)
        first = name.partition("[")[0] if keys else name
        if not keys:
            known = found.get(first)
            found[first] = value if first not in found else [*(known if isinstance(known, list) else [known]), value]
        elif keys[0]:
            inner = found.setdefault(first, {})
            if isinstance(inner, dict):
                inner[keys[0]] = value
        else:
            inner = found.setdefault(first, [])
            if isinstance(inner, list):
                inner.append(value)
    return found


def uploads(fields: Mapping[str, Any], name: str) -> list[Upload]:
    """Return the files of a field, of which there may be one, several or none."""
    value = fields.get(name)
    return [each for each in (value if isinstance(value, list) else [value]) if isinstance(each, Upload)]
