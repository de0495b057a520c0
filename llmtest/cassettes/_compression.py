"""Undo the compression of a body, piece by piece: a compressed body can be neither reviewed nor redacted."""

from __future__ import annotations

import importlib
import zlib
from collections.abc import Callable, Sequence
from dataclasses import replace

from llmtest.cassettes._interactions import Headers, RecordedRequest, RecordedResponse

Feed = Callable[[bytes], bytes]


def _gzip() -> Feed:
    return zlib.decompressobj(zlib.MAX_WBITS | 16).decompress


def _deflate() -> Feed:
    """Return a decoder of both things that servers call deflate: a zlib stream, as the standard says, or a bare one."""
    chosen: list[Feed] = []

    def feed(data: bytes) -> bytes:
        if not chosen and data:
            wrapped = data[0] & 0x0F == 8 and (len(data) < 2 or int.from_bytes(data[:2]) % 31 == 0)
            chosen.append(zlib.decompressobj(zlib.MAX_WBITS if wrapped else -zlib.MAX_WBITS).decompress)
        return chosen[0](data) if chosen else b""

    return feed


def _brotli() -> Feed:
    """Return a decoder; a client asks for brotli only where one of the two libraries is installed."""
    try:
        library = importlib.import_module("brotlicffi")
    except ImportError:
        library = importlib.import_module("brotli")
    decoder = library.Decompressor()
    feed: Feed = getattr(decoder, "decompress", None) or decoder.process
    return feed


def _zstandard() -> Feed:
    feed: Feed = importlib.import_module("zstandard").ZstdDecompressor().decompressobj().decompress
    return feed


DECODERS: dict[str, Callable[[], Feed]] = {
    "gzip": _gzip,
    "x-gzip": _gzip,
    "deflate": _deflate,
    "br": _brotli,
    "zstd": _zstandard,
}


def decompressed(response: RecordedResponse) -> RecordedResponse:
    """Return an answer with its body as the application sees it, in the same pieces; headers say so.

    A body that cannot be decoded (an unknown coding, a library that is missing, bytes cut short) is left as it is.
    """
    codings = [
        word.strip().lower()
        for name, values in response.headers.items()
        if name.lower() == "content-encoding"
        for value in values
        for word in value.split(",")
        if word.strip().lower() not in {"", "identity"}
    ]
    if not codings or not response.body:
        return response
    try:
        feeds = [DECODERS[coding]() for coding in reversed(codings)]
        pieces = response.pieces()
        bodies = [_fed(feeds, piece) for _, piece in pieces]
    except Exception:  # noqa: BLE001 - each library has errors of its own, and each means: keep the bytes
        return response
    body = b"".join(bodies)
    chunks = tuple((at_ms, len(data)) for (at_ms, _), data in zip(pieces, bodies, strict=True) if data)
    return replace(
        response,
        body=body,
        chunks=chunks if response.chunks else (),
        headers=_plain_headers(response.headers, len(body)),
    )


def plain_request(request: RecordedRequest) -> RecordedRequest:
    """Return a request with its body as the application wrote it; headers say so."""
    if not any(name.lower() == "content-encoding" for name in request.headers):
        return request
    plain = decompressed(RecordedResponse(0, headers=request.headers, body=request.body))
    return replace(request, headers=plain.headers, body=plain.body)


def _fed(feeds: Sequence[Feed], data: bytes) -> bytes:
    for feed in feeds:
        data = feed(data)
    return data


def _plain_headers(headers: Headers, length: int) -> Headers:
    plain = {name: values for name, values in headers.items() if name.lower() != "content-encoding"}
    return {name: [str(length)] if name.lower() == "content-length" else values for name, values in plain.items()}
