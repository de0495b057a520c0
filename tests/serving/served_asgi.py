"""Requests to the ASGI application itself, without a socket."""

import asyncio
import json
from dataclasses import dataclass, field

from llmtest.clock import SystemClock
from llmtest.events import Trace
from llmtest.serving import Application, Reception
from llmtest.simulation import World
from llmtest.wire import dialects


@dataclass
class Answered:
    """What came back."""

    status: int = 0
    headers: dict = field(default_factory=dict)
    body: bytes = b""

    @property
    def json(self):
        """The body, parsed."""
        return json.loads(self.body)


def world_that_answers():
    """Return a world in which every provider echoes."""
    world = World(SystemClock(), Trace(), strict=False)
    for name in (each.name for each in dialects().values() if each.is_provider):
        world.provider(name).echoes()
    return world


async def exchange(application, method, path, headers, pieces):
    """Send one request, its body in pieces, and return the answer."""
    messages = [
        {"type": "http.request", "body": piece, "more_body": index < len(pieces) - 1}
        for index, piece in enumerate(pieces)
    ]
    answered = Answered()
    over = asyncio.Event()

    async def receive():
        if messages:
            return messages.pop(0)
        await over.wait()
        return {"type": "http.disconnect"}

    async def send(message):
        if message["type"] == "http.response.start":
            answered.status = message["status"]
            answered.headers = {name.decode(): value.decode() for name, value in message["headers"]}
            return
        answered.body += message.get("body", b"")
        if not message.get("more_body", False):
            over.set()

    path, _, query = path.partition("?")
    scope = {
        "type": "http",
        "method": method,
        "path": path,
        "query_string": query.encode("utf-8", "surrogatepass"),
        "headers": [(name.lower().encode(), value.encode("latin-1", "replace")) for name, value in headers.items()],
        "scheme": "http",
        "server": ("127.0.0.1", 4010),
    }
    await application(scope, receive, send)
    return answered


def ask(method, path, body=b"", headers=None, world=None, pieces=None):
    """Send one request to a world behind the application."""
    application = Application(Reception(world or world_that_answers()))
    return asyncio.run(exchange(application, method, path, headers or {}, pieces or [body]))
