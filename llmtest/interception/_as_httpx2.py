"""Requests and answers of other libraries, as those of httpx2: what gates and their transports know."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from typing import Any, Literal

__all__ = ["Failure", "failure_of", "network_answer", "request_of", "whole_body"]

Failure = Literal["connect_timeout", "refused", "silent", "closed", "broken"]
"""How a connection failed: none came about, in time or at all; the other end was silent, closed it, or it broke."""


def request_of(
    method: str,
    url: str,
    headers: Sequence[tuple[bytes, bytes]],
    body: bytes,
    *,
    connect: float | None,
    read: float | None,
) -> Any:
    """Return a request.

    Args:
        method: Its method.
        url: Its URL.
        headers: Its headers.
        body: Its body.
        connect: Seconds in which a connection must be there; None: no limit.
        read: Seconds of silence that the client bears; None: no limit.
    """
    import httpx2

    limits = {"timeout": {"connect": connect, "read": read}}
    return httpx2.Request(method, url, headers=headers, content=body, extensions=limits)


def failure_of(error: BaseException) -> Failure | None:
    """Return how the connection failed; None where the error is of another kind."""
    import httpx2

    if isinstance(error, httpx2.ConnectTimeout):
        return "connect_timeout"
    if isinstance(error, httpx2.ConnectError):
        return "refused"
    if isinstance(error, httpx2.TimeoutException):
        return "silent"
    if isinstance(error, httpx2.RemoteProtocolError):
        return "closed"
    return "broken" if isinstance(error, httpx2.TransportError) else None


def whole_body(response: Any) -> bytes | None:
    """Return the body of an answer that is there already; None where it comes piece by piece."""
    import httpx2

    stream = response.stream
    return b"".join(stream) if isinstance(stream, httpx2.ByteStream) else None


def network_answer(
    status: int,
    reason: str,
    headers: Sequence[tuple[bytes, bytes]],
    *,
    pieces: Iterator[bytes] | AsyncIterator[bytes],
    failure: Callable[[Exception], Failure | None],
    close: Callable[[], object],
) -> Any:
    """Return an answer that another library has from the network.

    Args:
        status: Its status.
        reason: The words after the status.
        headers: Its headers.
        pieces: Its body.
        failure: Tells what an error of the library means.
        close: Lets go of the connection.
    """
    import httpx2

    errors = {"silent": httpx2.ReadTimeout, "closed": httpx2.RemoteProtocolError, "broken": httpx2.ReadError}

    def told(error: Exception) -> Exception:
        known = errors.get(failure(error) or "")
        return error if known is None else known(str(error))

    class NetworkBody(httpx2.SyncByteStream, httpx2.AsyncByteStream):
        def __iter__(self) -> Iterator[bytes]:
            try:
                yield from pieces  # type: ignore[misc]  # those of a blocking library
            except Exception as error:
                raise told(error) from error

        async def __aiter__(self) -> AsyncIterator[bytes]:
            try:
                async for piece in pieces:  # type: ignore[union-attr]  # those of the other kind
                    yield piece
            except Exception as error:
                raise told(error) from error

        def close(self) -> None:
            close()

        async def aclose(self) -> None:
            close()

    return httpx2.Response(
        status,
        headers=[each for each in headers if each[0].lower() != b"transfer-encoding"],
        stream=NetworkBody(),
        extensions={"reason_phrase": reason.encode("latin-1"), "http_version": b"HTTP/1.1"},
    )
