"""The control plane below `/_llmtest/`: what the providers saw, what it cost, and what they shall say next."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from llmtest.events import Trace
from llmtest.simulation import World

__all__ = ["control_plane"]


def control_plane(world: World, on_reset: Callable[[], None] | None) -> Starlette:
    """Return the application that serves the control plane of a world."""
    plane = _Plane(world, on_reset)
    return Starlette(
        routes=[
            Route("/_llmtest/health", plane.health, methods=["GET"]),
        ],
        exception_handlers={HTTPException: _refused},
    )


class _Plane:
    def __init__(self, world: World, on_reset: Callable[[], None] | None) -> None:
        self._world = world
        self._on_reset = on_reset

    async def health(self, request: Request) -> JSONResponse:
        return JSONResponse({"status": "ok", "seed": self._world.seed})


async def _refused(request: Request, error: Exception) -> JSONResponse:
    return JSONResponse({"error": {"message": str(error)}}, 400)
