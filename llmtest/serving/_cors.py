"""Answers that the scripts of any web page may read, as OpenAI's own API lets them: an app may run in a browser.

The control plane is left out: what the providers saw is nobody's business but the machine's.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from llmtest.simulation import Chunk, Head, Plan

__all__ = ["is_preflight", "permission", "readable"]

ANY_PAGE = (("access-control-allow-origin", "*"), ("access-control-expose-headers", "*"))

A_DAY_S = "86400"
"""How long a browser may remember the permission."""


def is_preflight(method: str, headers: Mapping[str, str]) -> bool:
    """Tell whether a browser asks what it may send."""
    return method == "OPTIONS" and "access-control-request-method" in headers


def permission(headers: Mapping[str, str]) -> Plan:
    """Return the answer to a browser that asks what it may send: whatever it likes to."""
    # A star for the headers would leave `authorization` out.
    allowed = [
        ("access-control-allow-methods", headers["access-control-request-method"]),
        ("access-control-allow-headers", headers.get("access-control-request-headers", "*")),
        ("access-control-max-age", A_DAY_S),
        ("vary", "access-control-request-method, access-control-request-headers"),
    ]
    if "access-control-request-private-network" in headers:
        allowed.append(("access-control-allow-private-network", "true"))
    return Plan((Head(200, (*ANY_PAGE, *allowed)), Chunk(b"")), "200", _nothing)


def readable(plan: Plan) -> Plan:
    """Return the same plan, whose answer any page may read."""
    steps = plan.steps
    plan.steps = [_shown(step) for step in steps] if isinstance(steps, list | tuple) else _each_shown(steps)
    return plan


def _shown(step: Any) -> Any:
    return Head(step.status, (*step.headers, *ANY_PAGE)) if isinstance(step, Head) else step


def _each_shown(steps: Iterable[Any]) -> Iterator[Any]:
    for step in steps:
        yield _shown(step)


def _nothing(outcome: str) -> None:
    """Nobody keeps count of a browser's questions."""
