"""httpx2 under a cassette of vcrpy: versions before 9 know httpx alone, and the SDKs of today send by httpx2."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import httpx2
from vcr.errors import CannotOverwriteExistingCassetteException
from vcr.request import Request

__all__ = ["httpx2_stand_ins"]

_TRANSPORTS = ("HTTPTransport", "AsyncHTTPTransport", "MockTransport", "WSGITransport", "ASGITransport")
_METHODS = ("handle_request", "handle_async_request")


def httpx2_stand_ins(cassette: Any) -> Iterator[tuple[type, str, Callable[..., Any]]]:
    """Yield owner, name and stand-in of each method by which httpx2 sends, for one cassette.

    Args:
        cassette: A cassette of vcrpy.
    """
    for name in _TRANSPORTS:
        transport = getattr(httpx2, name)
        for method in _METHODS:
            real = transport.__dict__.get(method)
            if real is not None:
                make = _sending if method == _METHODS[0] else _sending_async
                yield transport, method, make(cassette, real)


def _sending(cassette: Any, real: Any) -> Any:
    def handle_request(self: Any, request: Any) -> Any:
        body = b"".join(request.stream)
        request.stream = httpx2.ByteStream(body)
        asked = Request(request.method, str(request.url), body, request.headers)
        if (played := _played(cassette, asked)) is not None:
            return played
        response = real(self, request)
        try:
            content = b"".join(response.stream)
        finally:
            response.stream.close()
        return _recorded(cassette, asked, response, content)

    return handle_request


def _sending_async(cassette: Any, real: Any) -> Any:
    async def handle_async_request(self: Any, request: Any) -> Any:
        body = b"".join([piece async for piece in request.stream])
        request.stream = httpx2.ByteStream(body)
        asked = Request(request.method, str(request.url), body, request.headers)
        if (played := _played(cassette, asked)) is not None:
            return played
        response = await real(self, request)
        try:
            content = b"".join([piece async for piece in response.stream])
        finally:
            await response.stream.aclose()
        return _recorded(cassette, asked, response, content)

    return handle_async_request


def _played(cassette: Any, asked: Request) -> Any:
    """Return the recorded answer; None where the request is to be sent.

    Raises:
        CannotOverwriteExistingCassetteException: Nothing recorded answers it, and the cassette does not record.
    """
    if cassette.can_play_response_for(asked):
        found = cassette.play_response(asked)
        message = found["status"].get("message")
        return httpx2.Response(
            found["status"]["code"],
            headers=[(name, value) for name, values in found["headers"].items() for value in _listed(values)],
            stream=httpx2.ByteStream(found["body"]["string"] or b""),
            extensions={"reason_phrase": message.encode("ascii", "replace")} if message else None,
        )
    if cassette.write_protected and cassette.filter_request(asked):
        raise CannotOverwriteExistingCassetteException(cassette=cassette, failed_request=asked)
    return None


def _listed(values: Any) -> list[str]:
    return [values] if isinstance(values, str) else list(values)


def _recorded(cassette: Any, asked: Request, response: Any, content: bytes) -> Any:
    response.stream = httpx2.ByteStream(content)
    headers: dict[str, list[str]] = {}
    for name, value in response.headers.multi_items():
        headers.setdefault(name, []).append(value)
    status = {"code": response.status_code, "message": response.reason_phrase}
    cassette.append(asked, {"status": status, "headers": headers, "body": {"string": content}})
    return response
