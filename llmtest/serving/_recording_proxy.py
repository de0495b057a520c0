"""A recording proxy: requests go on to a real API, its answers come back piece by piece, and a cassette keeps both."""

from __future__ import annotations

import asyncio
import json
import logging
from contextlib import suppress
from functools import partial
from http.cookiejar import DefaultCookiePolicy
from typing import TYPE_CHECKING, Any
from urllib.parse import SplitResult, urlsplit

from llmtest.cassettes import Cassette, Interaction, RecordedRequest
from llmtest.cassettes._recording import Recording, said
from llmtest.cassettes._replayed import Heard
from llmtest.clock import active_clock
from llmtest.errors import ConfigurationError
from llmtest.interception import witnessed_by
from llmtest.serving._saving_along import SavedAlong
from llmtest.serving._usual_address import usual_address
from llmtest.simulation import Exchange, World
from llmtest.simulation.http._replayed import WorldWitness

if TYPE_CHECKING:
    from llmtest.serving._plan_sender import Line, Send
    from llmtest.serving._server import Server

__all__ = ["RecordingProxy", "target_of"]

HOP_BY_HOP = frozenset(
    {
        "connection",
        "content-length",
        "expect",
        "host",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authorization",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)
"""Headers about one connection, which go no further (RFC 9110, 7.6.1), and what the next one says for itself."""

SAID_HERE = HOP_BY_HOP | {"date"}
"""Headers of an answer that the server says itself."""

CODINGS = "gzip, deflate"
"""Compression that a cassette can undo without other libraries."""

SILENCE_S = 600.0
"""Longest silence of the real API, in seconds: what the official SDKs wait themselves."""

OPENING_S = 10.0
"""How long a connection to the real API may take to open, in seconds."""

logger = logging.getLogger("llmtest.serving")


def target_of(url: str) -> SplitResult:
    """Read where requests go.

    Raises:
        ConfigurationError: Not an http or https URL.
    """
    fix = f"To fix: the address of the API, as in --to {usual_address()}"
    try:
        parts = urlsplit(url.rstrip("/"))
        is_address = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        is_address = False
    if not is_address:
        raise ConfigurationError(f"--to: `{url}` is no address that starts with http:// or https://.\n\n{fix}")
    if parts.query or parts.fragment or parts.username:
        raise ConfigurationError(f"--to: `{url}` has more than a host and a path.\n\n{fix}")
    return parts


class RecordingProxy:
    """Sends requests on to a real API, and keeps what was said.

    Keys go through as they come; the cassette is redacted when it is saved. An answer passes as its pieces come, and is
    kept with their times. What is not reached is answered with a 502, and not kept.

    Args:
        world: In its trace and its account is what was answered, at the provider who is at that address.
        cassette: Where it is recorded. Whatever was answered is saved soon after; the last save is the caller's.
        to: Address of the API. A path in it is put before that of a request that does not begin with it.

    Raises:
        ConfigurationError: `to` is no http or https URL.
    """

    def __init__(self, world: World, cassette: Cassette, to: str) -> None:
        self._witness = WorldWitness(world)
        self.cassette = cassette
        self._saved = SavedAlong(cassette)
        self._target = target_of(to)
        self._client: Any = None

    def refuse_itself(self, server: Server) -> None:
        """Refuse to send requests on to the server that they come from, which would ask itself without end.

        Raises:
            ConfigurationError: The API is said to be at an address of this server.
        """
        target = self._target
        port = target.port or {"https": 443, "http": 80}[target.scheme]
        if server.listens_at(target.hostname or "", port):
            raise ConfigurationError(
                f"--to: `{target.geturl()}` is this server itself, which would wait for its own answers.\n\n"
                f"To fix: the address of the real API, as in --to {usual_address()}"
            )

    def url_of(self, exchange: Exchange) -> str:
        """Return where a request goes."""
        target, path = self._target, exchange.path
        prefix = target.path.rstrip("/")
        if prefix and not f"{path}/".startswith(f"{prefix}/"):
            path = prefix + path
        query = f"?{exchange.query}" if exchange.query else ""
        return f"{target.scheme}://{target.netloc}{path}{query}"

    async def __call__(self, exchange: Exchange, send: Send, line: Line | None) -> None:
        """Answer one request; a client that leaves takes its request along."""
        going = asyncio.create_task(self._pass_on(exchange, send, line))
        leaving = asyncio.create_task(_left(line))
        try:
            await asyncio.wait({going, leaving}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (going, leaving):
                task.cancel()
            with suppress(asyncio.CancelledError):
                await leaving
            with suppress(asyncio.CancelledError):
                await going

    async def _pass_on(self, exchange: Exchange, send: Send, line: Line | None) -> None:
        import httpx2

        if self._client is None:
            self._client = httpx2.AsyncClient(timeout=httpx2.Timeout(SILENCE_S, connect=OPENING_S))
            # What it says is what its client says, and what an answer tells a client to keep is not for the next one.
            self._client.headers.clear()
            self._client.cookies.jar.set_policy(DefaultCookiePolicy(allowed_domains=[]))
        sent = RecordedRequest(exchange.method, self.url_of(exchange), _onward(exchange.headers), exchange.body)
        headers = [(name, value) for name, values in sent.headers.items() for value in values]
        request = self._client.build_request(sent.method, sent.uri, headers=headers, content=sent.body)
        place, sent_ns = self.cassette.begin(), active_clock().now_ns()
        try:
            response = await self._client.send(request, stream=True)
        except httpx2.TransportError as error:
            logger.warning("%s %s was not reached: %s", sent.method, sent.uri, said(error))
            await _refuse(send, f"{self._target.netloc} could not be reached: {said(error)}")
            return
        recording = Recording(sent, sent_ns, response, partial(self._keep, place))
        try:
            await self._deliver(response, recording, send)
        except httpx2.TransportError as error:
            recording.end(error=said(error))
            if line is not None:
                line.hang_up()
        finally:
            recording.end()
            await response.aclose()

    def _keep(self, place: int, found: Interaction) -> None:
        """Keep what was said, and tell of it."""
        logger.info("%s %s: %s", found.request.method, urlsplit(found.request.uri).path, found.response.status)
        self.cassette.record(found, place)
        self._saved.note()
        with witnessed_by(self._witness):
            heard = Heard(found.request, found.response)
        for _, piece in found.response.pieces():
            heard.heard(piece)
        if found.response.complete or found.response.error:
            heard.end(found.response.error)
        else:
            heard.leave(early=True)

    async def aclose(self) -> None:
        """Close the connections to the real API, and save no further."""
        await self._saved.aclose()
        if self._client is not None:
            await self._client.aclose()

    async def _deliver(self, response: Any, recording: Recording, send: Send) -> None:
        kept = [(name, value) for name, value in response.headers.raw if name.decode().lower() not in SAID_HERE]
        length = response.headers.get("content-length")
        if length is not None:
            kept.append((b"content-length", length.encode()))
        await send({"type": "http.response.start", "status": response.status_code, "headers": kept})
        await send({"type": "http.response.body", "body": b"", "more_body": True})
        async for piece in response.aiter_raw():
            recording.heard(piece)
            await send({"type": "http.response.body", "body": piece, "more_body": True})
        recording.end(complete=True)
        await send({"type": "http.response.body", "body": b"", "more_body": False})


def _onward(headers: dict[str, str]) -> dict[str, list[str]]:
    """Return the headers that go on; a body comes back compressed only as it can be read in a review."""
    kept = {name: [value] for name, value in headers.items() if name not in HOP_BY_HOP}
    kept["accept-encoding"] = [CODINGS if "gzip" in headers.get("accept-encoding", "") else "identity"]
    return kept


async def _left(line: Line | None) -> None:
    """Return when the client has left."""
    if line is None:
        await asyncio.Event().wait()
    else:
        await line.ends_within(None)


async def _refuse(send: Send, text: str) -> None:
    """Tell the client that nobody was reached, in a shape that every SDK shows."""
    body = json.dumps({"error": {"message": f"llmtest: {text}", "type": "llmtest_proxy_error"}}).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": 502, "headers": [*headers, (b"x-should-retry", b"false")]})
    await send({"type": "http.response.body", "body": body, "more_body": False})
