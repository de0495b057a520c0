"""One interaction as plain values of a file: ours, or vcrpy's of any version."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from llmtest.cassettes._body import JsonStyle, restore
from llmtest.cassettes._interactions import Headers, Interaction, RecordedRequest, RecordedResponse
from llmtest.errors import CassetteFileError


class InteractionError(CassetteFileError):
    """One interaction of a cassette cannot be read; the others may."""

    hint: str = ""
    """The hint on its line that no longer fits its body (`response_body`), if that is the reason."""


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
        return Interaction(
            RecordedRequest(
                _text_of(request, "method"),
                checked_url(_text_of(request, "uri")),
                _headers(request.get("headers")),
                body_of(request.get("body"), hints.get("request_body"), "request_body"),
            ),
            _response(response, hints),
            hints.get("recorded_at"),
            hints.get("key"),
            number,
        )
    except (KeyError, TypeError, AttributeError, ValueError, OverflowError) as error:
        what = f"`{error.args[0]}` is missing" if isinstance(error, KeyError) else str(error)
        broken = InteractionError(f"{path}: interaction {number} cannot be read: {what}. Re-record it.")
        broken.hint = error.hint if isinstance(error, _HintError) else ""
        raise broken from error


def _mapping(value: Any, what: str) -> Mapping[str, Any]:
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


def _response(response: Mapping[str, Any], hints: Mapping[str, Any]) -> RecordedResponse:
    if "status_code" in response:  # how vcrpy wrote httpx answers before version 6
        headers, content = _headers(response.get("headers")), response.get("content")
        if isinstance(content, str):  # decoded, under headers that still say how it was compressed
            headers = {name: values for name, values in headers.items() if name.lower() != "content-encoding"}
        return RecordedResponse(_status(response["status_code"]), "", headers, body_of(content))
    status = _mapping(response["status"], "`status`")
    body = response["body"] if hints else response.get("body") or {}
    return RecordedResponse(
        _status(status["code"]),
        _plain(status.get("message") or "", "`message`"),
        _headers(response.get("headers")),
        body_of(_string(body) if isinstance(body, Mapping) else body, hints.get("response_body"), "response_body"),
        tuple((int(at), int(length)) for at, length in hints.get("chunks") or ()),
        bool(hints.get("complete", True)),
        _plain(hints.get("error", ""), "`error`"),
        int(hints.get("head_ms", 0)),
    )


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
    if isinstance(body, bytes):
        return body
    if not isinstance(body, str):
        raise TypeError(f"a body of type {type(body).__name__} is not supported")
    text: str = body
    if style:
        try:
            text = restore(text, JsonStyle.from_hint(style))
        except (ValueError, TypeError, AttributeError, RecursionError) as error:
            raise _HintError(hint, error) from error
    return text.encode("utf-8", "surrogateescape")
