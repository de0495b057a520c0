"""One interaction as plain values of a file: ours, or vcrpy's of any version, by whatever serializer."""

from __future__ import annotations

import base64
import difflib
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode, urlsplit

from llmtest.cassettes._body import JsonStyle, restore
from llmtest.cassettes._interactions import Headers, Interaction, RecordedRequest, RecordedResponse
from llmtest.cassettes._yaml import TaggedValue
from llmtest.errors import CassetteFileError

KNOWN = {
    "": ("request", "response", "llmtest", "recorded_at"),
    "request": ("method", "uri", "headers", "body", "parsed_body"),
    "response": (
        *("status", "headers", "body", "parsed_body", "url"),
        *("status_code", "http_version", "content", "adapter_metadata"),
    ),
    "response.body": ("string", "base64_string", "encoding"),
}
"""The keys of a cassette, ours, vcrpy's (`url` of aiohttp, `content` of old `httpx`) and those of its like."""


class InteractionError(CassetteFileError):
    """One interaction of a cassette cannot be read; the others may."""

    hint: str = ""
    """The hint on its line that no longer fits its body (`response_body`), if that is the reason."""


@dataclass(frozen=True, slots=True)
class Unread:
    """Stands for an interaction that the reader of another tool's files cannot read, and says why."""

    reason: str


class _HintError(ValueError):
    """A body is no longer what a hint says of it."""

    def __init__(self, hint: str, reason: object) -> None:
        super().__init__(f"its body does not fit the hint `{hint}`: {reason}")
        self.hint = hint


def as_interaction(entry: Any, path: str, number: int) -> Interaction:
    """Return the interaction that plain values describe.

    Args:
        entry: What the file has.
        path: Name of the file, for errors.
        number: Place of the interaction in it, from 1.

    Raises:
        InteractionError: Something is missing or of the wrong kind.
    """
    try:
        entry = _mapping(entry, "an interaction")
        request, response = _mapping(entry["request"], "`request`"), _mapping(entry["response"], "`response`")
        hints = _mapping(entry.get("llmtest") or {}, "`llmtest`")
        unknown = tuple(_unknown_keys(entry, request, response))
        headers = _headers(request.get("headers"))
        return Interaction(
            RecordedRequest(
                _text_of(request, "method"),
                checked_url(_text_of(request, "uri")),
                headers,
                _request_body(request, headers, hints),
            ),
            _response(response, hints, unknown),
            hints.get("recorded_at") or entry.get("recorded_at"),
            hints.get("key"),
            number,
            unknown,
            hints.get("matches"),
        )
    except (KeyError, TypeError, AttributeError, ValueError, OverflowError) as error:
        what = f"`{error.args[0]}` is missing" if isinstance(error, KeyError) else str(error)
        broken = InteractionError(f"{path}: interaction {number} cannot be read: {what}. Re-record it.")
        broken.hint = error.hint if isinstance(error, _HintError) else ""
        raise broken from error


def _unknown_keys(entry: Mapping[str, Any], request: Mapping[str, Any], response: Mapping[str, Any]) -> Iterator[str]:
    """Yield the keys of an interaction that nobody knows: `response.parsed_bdy`."""
    body = response.get("body")
    for place, part in (("", entry), ("request", request), ("response", response), ("response.body", body)):
        for key in part if isinstance(part, Mapping) else ():
            if key not in KNOWN[place]:
                yield f"{place}.{key}".removeprefix(".")


def nearest_key(key: str) -> str:
    """Return what to say of the known key that an unknown one is like; empty where it is like none."""
    place, _, name = key.rpartition(".")
    near = difflib.get_close_matches(name, KNOWN.get(place, ()), 1)
    return f" Did you mean `{near[0]}`?" if near else ""


def _mapping(value: Any, what: str) -> Mapping[str, Any]:
    if isinstance(value, Unread):
        raise TypeError(value.reason)
    if not isinstance(value, Mapping):
        raise TypeError(f"{what} is no mapping")
    return value


def _text_of(mapping: Mapping[str, Any], name: str) -> str:
    value = mapping[name]
    if not isinstance(value, str):
        raise TypeError(f"`{name}` is no text")
    return value


def checked_url(url: str) -> str:
    """Return a URL that can be taken apart.

    Raises:
        ValueError: It cannot.
    """
    try:
        _ = urlsplit(url).port
    except ValueError as error:
        raise ValueError(f"`uri` is no URL: {error}") from error
    return url


def _request_body(request: Mapping[str, Any], headers: Headers, hints: Mapping[str, Any]) -> bytes:
    """Return the body of a request; where it stands there as a value, as the client has written that value."""
    if request.get("parsed_body") is not None:
        return _written(request["parsed_body"], hints.get("request_body"), "request_body")
    body = request.get("body")
    if isinstance(body, Mapping | list):  # what a client of aiohttp was given as `json=` or `data=`
        kinds = [value for name, values in headers.items() if name.lower() == "content-type" for value in values]
        if any("x-www-form-urlencoded" in kind for kind in kinds):
            return urlencode(dict(body) if isinstance(body, Mapping) else body, doseq=True).encode()
        return _written(body, None, "request_body")
    return body_of(body, hints.get("request_body"), "request_body")


def _written(value: Any, style: str | None, hint: str) -> bytes:
    """Write JSON that a file has as a value; as Python's `json` does where the file does not say how it was."""
    try:
        return (json.dumps(value) if style is None else JsonStyle.from_hint(style).write(value)).encode()
    except (ValueError, TypeError, RecursionError) as error:
        if style is None:
            raise ValueError(f"a body that stands there as a value is no JSON: {error}") from error
        raise _HintError(hint, error) from error


def _response(response: Mapping[str, Any], hints: Mapping[str, Any], unknown: Iterable[str] = ()) -> RecordedResponse:
    if "status_code" in response:  # how vcrpy wrote httpx answers before version 6
        headers, content = _headers(response.get("headers")), response.get("content")
        if isinstance(content, str):  # decoded, under headers that still say how it was compressed
            headers = {name: values for name, values in headers.items() if name.lower() != "content-encoding"}
        return RecordedResponse(_status(response["status_code"]), "", headers, body_of(content))
    status = _mapping(response["status"], "`status`")
    return RecordedResponse(
        _status(status["code"]),
        _plain(status.get("message") or "", "`message`"),
        _headers(response.get("headers")),
        _response_body(response, hints, unknown),
        tuple((int(at), int(length)) for at, length in hints.get("chunks") or ()),
        bool(hints.get("complete", True)),
        _plain(hints.get("error", ""), "`error`"),
        int(hints.get("head_ms", 0)),
    )


def _response_body(response: Mapping[str, Any], hints: Mapping[str, Any], unknown: Iterable[str]) -> bytes:
    """Return the body of an answer.

    Raises:
        ValueError: There is none, and a key that nobody knows: it may hold the body, and an empty one would be a lie.
    """
    if response.get("parsed_body") is not None:
        return _written(response["parsed_body"], hints.get("response_body"), "response_body")
    body = response["body"] if hints.keys() - {"recorded_at", "matches"} else response.get("body") or {}
    string = _string(body) if isinstance(body, Mapping) else body
    strange = next((key for key in unknown if key.startswith("response.")), None) if string is None else None
    if strange is not None:
        raise ValueError(f"`response` has no body, and a key that nobody knows, `{strange}`.{nearest_key(strange)}")
    return body_of(string, hints.get("response_body"), "response_body")


def _string(body: Mapping[str, Any]) -> Any:
    """Return what a mapping gives as the body: in the clear, or as old files have what is no text."""
    coded = body.get("base64_string")
    return base64.b64decode(coded) if isinstance(coded, str | bytes) else body.get("string")


def _status(value: Any) -> int:
    if not isinstance(value, int | float | str):
        raise TypeError("the status is no number")
    status = int(value)
    if not 100 <= status <= 999:
        raise ValueError(f"{status} is no status of HTTP")
    return status


def _headers(headers: Any) -> Headers:
    return {
        _plain(name, "the name of a header"): [
            _plain(value, f"header `{name}`") for value in (values if isinstance(values, list | tuple) else [values])
        ]
        for name, values in (_mapping(headers, "`headers`") if headers else {}).items()
    }


def _plain(value: Any, what: str) -> str:
    """Return a value as text; a nest of lists is none, and ten lines of aliases can make one of any size."""
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    if isinstance(value, TaggedValue):
        raise TypeError(f"{what} is {value!r}")
    if isinstance(value, Mapping | list | tuple | set):
        raise TypeError(f"{what} is no text")
    return str(value)


def body_of(body: Any, style: str | None = None, hint: str = "") -> bytes:
    """Return the bytes of a body as it was on the wire.

    Args:
        body: What the file has.
        style: How its JSON was formatted; see `JsonStyle.as_hint`. None for bodies that stand there as they were.
        hint: What the style is called in the file.

    Raises:
        TypeError: It is no body.
        ValueError: It does not fit its style.
    """
    if body is None:
        return b""
    if hasattr(body, "read"):
        body = body.read()
    if isinstance(body, Iterator):  # vcrpy's word for a body that was sent in pieces
        body = b"".join(body_of(piece) for piece in body)
    if isinstance(body, bytes):
        return body
    if isinstance(body, TaggedValue):
        raise TypeError(f"a body is {body!r}")
    if not isinstance(body, str):
        raise TypeError(f"a body of type {type(body).__name__} is not supported")
    text: str = body
    if style:
        try:
            text = restore(text, JsonStyle.from_hint(style))
        except (ValueError, TypeError, AttributeError, RecursionError) as error:
            raise _HintError(hint, error) from error
    return text.encode("utf-8", "surrogateescape")
