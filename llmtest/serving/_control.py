"""The control plane below `/_llmtest/`: what the providers saw, what it cost, and what they shall say next."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from dataclasses import fields
from typing import TYPE_CHECKING, Any

from starlette.applications import Starlette
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from llmtest.errors import ConfigurationError
from llmtest.events import Trace, describe, facts_of
from llmtest.serving._host_check import is_own_host
from llmtest.simulation import RequestRecord, World
from llmtest.types import CompletionRequest, Usage

if TYPE_CHECKING:
    from llmtest.serving._script import ServedScript

__all__ = ["control_plane"]

MOST_SCRIPT_BYTES = 4 * 1024 * 1024
"""The largest script that is read."""

NOT_RARE = frozenset({"input_tokens", "output_tokens", "source", "server_tools", "cost_usd"})
RARE_COUNTS = tuple(field.name for field in fields(Usage) if field.name not in NOT_RARE)
"""Counts of rarer kinds of tokens, which are told where there are some."""

ENDPOINTS = (
    ("GET", "health"),
    ("GET", "requests"),
    ("GET", "costs"),
    ("GET", "trace"),
    ("POST", "script"),
    ("POST", "reset"),
)


def control_plane(world: World, on_reset: Callable[[], None] | None, host: str = "") -> Any:
    """Return the application that serves the control plane of a world.

    Args:
        world: The providers.
        on_reset: Called when everything has been forgotten, to give the providers what they begin with.
        host: Where the server listens, which is one of the names it answers to.
    """
    plane = _Plane(world, on_reset)
    routes = [Route(f"/_llmtest/{name}", getattr(plane, name), methods=[method]) for method, name in ENDPOINTS]
    handlers: Any = {HTTPException: _refused, ConfigurationError: _wrong, ClientDisconnect: _gone}
    application = Starlette(routes=routes, exception_handlers=handlers)

    async def guarded(scope: Any, receive: Any, send: Any) -> None:
        asked = Headers(scope=scope).get("host", "")
        if is_own_host(asked, host):
            await application(scope, receive, send)
            return
        text = (
            f"`Host: {asked}` is a name of the internet, which any web page can let lead here. "
            "To fix: ask by address, as in http://127.0.0.1, or by a name without dots."
        )
        refused = _Answer({"error": {"type": "ControlPlaneError", "message": text}}, 403)
        await refused(scope, receive, send)

    return guarded


class _Answer(Response):
    """JSON in plain ASCII, because what clients send holds texts that no encoding can write, such as half a pair."""

    media_type = "application/json"

    def render(self, content: Any) -> bytes:
        return json.dumps(content, allow_nan=False, separators=(",", ":")).encode("ascii")


class _Plane:
    """The endpoints; they run in the server's thread, as every decision about a request does."""

    def __init__(self, world: World, on_reset: Callable[[], None] | None) -> None:
        self._world = world
        self._on_reset = on_reset

    async def health(self, request: Request) -> Response:  # noqa: ARG002 - an endpoint takes its request
        world = self._world
        providers = {handle.name: handle.dialect for handle in world.handles}
        return _Answer({"status": "ok", "seed": world.seed, "uptime_s": world.clock.elapsed(), "providers": providers})

    async def requests(self, request: Request) -> Response:
        wanted = request.query_params.get("provider")
        names = [handle.name for handle in self._world.handles]
        if wanted is not None and wanted not in names:
            raise ConfigurationError(f"unknown provider `{wanted}`.\nKnown providers: {', '.join(names)}.")
        found = [
            (record.at_ns, _record(handle.name, record))
            for handle in self._world.handles
            if wanted in (None, handle.name)
            for record in handle.requests
        ]
        found.sort(key=lambda entry: entry[0])
        return Response(f'{{"requests":[{",".join(record for _, record in found)}]}}', media_type="application/json")

    async def costs(self, request: Request) -> Response:  # noqa: ARG002 - an endpoint takes its request
        costs = self._world.costs
        total = costs.summary
        return _Answer(
            {
                "total_usd": None if total.unknown else _usd(total.known_usd),
                "known_usd": _usd(total.known_usd),
                "calls": total.calls,
                "calls_of_unknown_price": total.unknown,
                "input_tokens": total.input_tokens,
                "output_tokens": total.output_tokens,
                "by_provider": {name: _usd(usd) for name, usd in costs.by_provider().items()},
                "by_model": {name: _usd(usd) for name, usd in costs.by_model().items()},
            }
        )

    async def trace(self, request: Request) -> Response:  # noqa: ARG002 - an endpoint takes its request
        trace = self._world.trace
        events = []
        for event in trace:
            who, what = describe(event)
            shown = {"at_s": event.at, "call": event.call or None, "event": event.kind, "who": who, "what": what}
            events.append({**shown, "facts": facts_of(event)})
        return _Answer({"events": events, "text": trace.render()})

    async def script(self, request: Request) -> Response:
        from llmtest.serving._script import parse_script

        _refuse_pages(request)
        body = await _body_of(request)

        def read() -> ServedScript:
            script = parse_script(body)
            script.check(self._world)
            return script

        script = await asyncio.to_thread(read)  # a long one takes seconds, and clients are answered meanwhile
        with self._world.lock:
            script.add(self._world)
        return _Answer({"status": "ok", "steps": script.counts()})

    async def reset(self, request: Request) -> Response:
        _refuse_pages(request)
        world = self._world
        with world.lock:
            world.reset()
            world.trace = Trace()
            if self._on_reset is not None:
                self._on_reset()
        return _Answer({"status": "ok"})


def _refuse_pages(request: Request) -> None:
    """Refuse what the script of a web page sends: browsers let any page post plain text to this machine."""
    if "origin" in request.headers:
        raise HTTPException(
            403,
            "a web page may not change what the providers say. To fix: ask from the test itself, without the header "
            "`Origin`.",
        )


def _record(provider: str, record: RequestRecord) -> str:
    """Return a request as JSON; headers are left out, because they hold keys."""
    try:
        return _written(provider, record, json.loads(record.body) if record.body else None)
    except (ValueError, RecursionError):
        # Not JSON, or more than JSON can say: `NaN`, a number beyond all bounds.
        return _written(provider, record, record.body.decode("utf-8", "replace"))


def _written(provider: str, record: RequestRecord, body: Any) -> str:
    usage = record.usage
    shown = {
        "provider": provider,
        "number": record.number,
        "at_s": record.at,
        "method": record.method,
        "path": record.path,
        "operation": record.operation,
        "model": record.model,
        "stream": record.stream,
        "outcome": record.outcome,
        "usage": None if usage is None else _counts(usage),
        "cost_usd": _usd(record.cost_usd),
        **_more(record),
        "body": body,
    }
    return json.dumps(shown, allow_nan=False, separators=(",", ":"))


def _counts(usage: Usage) -> dict[str, Any]:
    """Return the tokens of an answer: of prompt and answer always, of rarer kinds where there are some."""
    counts: dict[str, Any] = {"input_tokens": usage.input_tokens, "output_tokens": usage.output_tokens}
    counts |= {name: count for name in RARE_COUNTS if (count := getattr(usage, name))}
    if usage.source != "exact":
        counts["source"] = usage.source
    if usage.server_tools:
        counts["server_tools"] = dict(usage.server_tools)
    return counts


def _more(record: RequestRecord) -> dict[str, Any]:
    """Return the tier that served a request and the labels that it carried, where it had any."""
    tier = None if record.response is None else record.response.service_tier
    labels = record.request.metadata if isinstance(record.request, CompletionRequest) else {}
    more = {"service_tier": tier, "metadata": dict(labels)}
    return {name: value for name, value in more.items() if value}


def _usd(amount: Any) -> str | None:
    """Return money as text that loses nothing."""
    return None if amount is None else f"{amount:f}"


async def _body_of(request: Request) -> bytes:
    pieces: list[bytes] = []
    size = 0
    async for piece in request.stream():
        size += len(piece)
        if size > MOST_SCRIPT_BYTES:
            raise HTTPException(413, f"a script may have {MOST_SCRIPT_BYTES:,} bytes")
        pieces.append(piece)
    return b"".join(pieces)


async def _refused(request: Request, error: HTTPException) -> Response:
    path = request.url.path
    listed = ", ".join(f"{method} /_llmtest/{name}" for method, name in ENDPOINTS)
    text = error.detail
    if error.status_code in {404, 405}:
        text = f"no endpoint {request.method} {path}. The control plane has {listed}."
    return _Answer({"error": {"type": "ControlPlaneError", "message": text}}, error.status_code, error.headers)


async def _wrong(request: Request, error: ConfigurationError) -> Response:  # noqa: ARG001 - what a handler takes
    return _Answer({"error": {"type": type(error).__name__, "message": str(error)}}, 400)


async def _gone(request: Request, error: ClientDisconnect) -> Response:  # noqa: ARG001 - what a handler takes
    """Nobody reads this answer: the client left while it sent its script."""
    return Response(status_code=400)
