"""uvicorn's HTTP connection, with what faults need: a way to break it."""

from __future__ import annotations

import logging
import socket
import struct
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from llmtest.serving._application import LINE

__all__ = ["Connection"]

ABORT_ON_CLOSE = struct.pack("ii", 1, 0)
"""`SO_LINGER` of no time at all: closing sends a reset instead of an orderly end."""


class Connection(HttpToolsProtocol):
    """One connection of a client; it is the `Line` that its requests are answered on."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.logger = logging.getLogger("llmtest.serving")
        self.access_log = False

    def on_message_begin(self) -> None:
        """Put the connection into the scope of a request that begins."""
        super().on_message_begin()
        extensions: dict[str, Any] = {LINE: self}
        self.scope["extensions"] = extensions

    def hang_up(self) -> None:
        """End the connection in order, whatever is still to be said."""
        self.transport.close()

    def reset(self) -> None:
        """Break the connection with a TCP reset."""
        handle = self.transport.get_extra_info("socket")
        if handle is not None and not self.transport.is_closing():
            handle.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, ABORT_ON_CLOSE)
        self.transport.abort()
