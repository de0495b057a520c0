"""The files of Ruby's VCR, and of betamax: `http_interactions`, bodies with their encoding.

VCR writes the method in small letters, the body as a mapping of `encoding` and `string` (or `base64_string`), and the
time as HTTP does; see `VCR::HTTPInteraction#to_hash` in its `lib/vcr/structs.rb`.
"""

from __future__ import annotations

import base64
import codecs
from collections.abc import Mapping
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import Any


def vcrpy_entry(entry: Any) -> Any:
    """Return an interaction as vcrpy would have written it; what is no interaction stays what it is."""
    if not isinstance(entry, Mapping):
        return entry
    request, response = entry.get("request"), entry.get("response")
    translated = dict(entry)
    if isinstance(request, Mapping):
        method = request.get("method")
        translated["request"] = {
            **request,
            "method": method.lstrip(":").upper() if isinstance(method, str) else method,
            "body": _bytes_of(request.get("body")),
        }
    if isinstance(response, Mapping):
        body = response.get("body")
        given = body if isinstance(body, Mapping) else {}
        others = {key: value for key, value in given.items() if key != "base64_string"}
        translated["response"] = {**response, "body": {**others, "string": _bytes_of(body)}}
    if isinstance(entry.get("recorded_at"), str):
        translated["recorded_at"] = _in_rfc_3339(entry["recorded_at"])
    return translated


def _bytes_of(body: Any) -> Any:
    """Return the bytes of a body in the encoding that it had; YAML holds its letters."""
    if not isinstance(body, Mapping):
        return body
    coded = body.get("base64_string")
    if isinstance(coded, str | bytes):
        return base64.b64decode(coded)
    text = body.get("string")
    encoding = body.get("encoding")
    if not isinstance(text, str) or not isinstance(encoding, str):
        return text
    try:
        return text.encode(codecs.lookup(encoding).name)
    except (LookupError, UnicodeEncodeError):  # `ASCII-8BIT` is Ruby's word for bytes
        return text


def _in_rfc_3339(time: str) -> str:
    try:
        return parsedate_to_datetime(time).astimezone(UTC).isoformat().replace("+00:00", "Z")
    except ValueError:
        return time
