"""Requests to a proxy on this machine, which is loopback to the socket and the outside world to the request."""

from __future__ import annotations

import re
from typing import Any

_LONGEST = 2048
"""Bytes of a request's first line that are looked at."""
_METHODS = b"CDGHOPT"
"""First letters of the methods of HTTP."""
_ASKS_PROXY = re.compile(
    rb"(?:CONNECT (?P<tunnel>\[[^\]\s]+\]|[^:\s]+):\d+|"
    rb"[A-Z]{3,7} (?:https?|ftp|wss?)://(?:[^/@\s]*@)?(?P<plain>\[[^\]\s]+\]|[^/:?\s]+)\S*) HTTP/1"
)


def host_behind_proxy(data: Any) -> str | None:
    """Return the host that a request asks a proxy for; None where data are no such request.

    Args:
        data: What is about to be sent: bytes, or the list of them that `sendmsg` takes.
    """
    if isinstance(data, list | tuple):
        data = data[0] if data else b""
    try:
        head = bytes(memoryview(data).cast("B")[:_LONGEST])
    except TypeError:  # whatever it is, sending it fails with a text of its own
        return None
    if head[:1] not in _METHODS or not head[:1]:
        return None
    found = _ASKS_PROXY.match(head)
    if found is None:
        return None
    return (found["tunnel"] or found["plain"]).decode("latin-1").strip("[]")
