"""The socket of a connection that is answered in this process; `http.client` and urllib3 write to it and read it."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from typing import Any, Protocol

from llmtest.interception._as_httpx2 import Failure, failure_of
from llmtest.interception._decision import decided
from llmtest.interception._http_bytes import Framing, RequestReader, Target

__all__ = ["ConnectErrors", "MemorySocket"]

_REFUSED = (111, "Connection refused")
_RESET = (104, "Connection reset by peer")


class ConnectErrors(Protocol):
    """How a library tells that no connection came about."""

    def refused(self, error: OSError) -> Exception:
        """Return the library's error for an error of the socket."""
        ...

    def timed_out(self) -> Exception:
        """Return the library's error for a limit that has passed."""
        ...


class MemorySocket:
    """One request and its answer.

    What a socket would have raised on connecting is raised where the request has been written, since who answers looks
    at all of it; the rest comes when the answer is read, as from the network.

    Args:
        carrier: The transport of httpx2 that answers.
        target: Where the request goes.
        connect: Seconds in which a connection must be there; None: no limit.
        read: Seconds of silence that the client bears; None: no limit.
        errors: How the library tells that no connection came about.
        is_sent: Tells whether a request that goes on to the network has left.
        before: The socket that the connection had, which it gets back.
    """

    def __init__(
        self,
        carrier: Any,
        target: Target,
        *,
        connect: float | None,
        read: float | None,
        errors: ConnectErrors,
        is_sent: Callable[[], bool],
        before: Any,
    ) -> None:
        self.before = before
        self.request = RequestReader()
        self._carrier = carrier
        self._target = target
        self._connect, self._read = connect, read
        self._errors = errors
        self._is_sent = is_sent
        self._pieces: Iterator[bytes] = iter(())
        self._response: Any = None

    # What a client writes.

    def sendall(self, data: Any) -> None:
        """Take a piece of the request, and have it answered once it is complete."""
        if not self.request.is_complete and self.request.feed(memoryview(data)):
            self._answer()

    def send(self, data: Any) -> int:
        """Take a piece of the request."""
        self.sendall(data)
        return len(data)

    def _answer(self) -> None:
        request = self.request.request(self._target, self._connect, self._read)
        try:
            with decided(False):
                self._response = self._carrier.handle_request(request)
        except Exception as error:
            failure = failure_of(error)
            if failure == "connect_timeout":
                raise self._errors.timed_out() from error
            if failure == "refused":
                raise self._errors.refused(ConnectionRefusedError(*_REFUSED)) from error
            if failure is None and not self._is_sent():
                raise
            self._pieces = self._failing(failure, error)
        else:
            self._pieces = self._answered(Framing(self._response, request.method))

    def _answered(self, framing: Framing) -> Iterator[bytes]:
        yield framing.head
        try:
            for piece in self._response.stream:
                yield framing.piece(piece)
        except Exception as error:  # noqa: BLE001 - what is none of httpx2's own is raised as it is
            yield from self._failing(failure_of(error), error)
        else:
            yield framing.end

    def _failing(self, failure: Failure | None, error: Exception) -> Iterator[bytes]:
        """Fail as a socket does; where the other end just closes, that is no error of the socket's."""
        if failure == "silent":
            raise TimeoutError("The read operation timed out" if self._target.scheme == "https" else "timed out")
        if failure == "broken":
            raise ConnectionResetError(*_RESET)
        if failure is None:
            raise error
        yield b""

    # What a client reads.

    def makefile(self, *_: Any, **__: Any) -> io.BufferedReader:
        """Return the answer as a file."""
        return io.BufferedReader(_Incoming(self))

    def read_piece(self) -> bytes:
        """Return the next piece of the answer; empty at its end."""
        return next((piece for piece in self._pieces if piece), b"")

    def let_go(self) -> None:
        """Read no further."""
        response, self._response = self._response, None
        if response is not None:
            response.stream.close()

    # What else is asked of a socket.

    def settimeout(self, seconds: float | None) -> None:
        """Nothing: the limits are known already."""

    def gettimeout(self) -> float | None:
        """Return the seconds of silence that the client bears."""
        return self._read

    def setsockopt(self, *_: Any) -> None:
        """Nothing: there is nothing to tune."""

    def shutdown(self, _: int) -> None:
        """Read no further."""
        self.let_go()

    def close(self) -> None:
        """Close the socket that the connection had; the answer is its reader's to close."""
        if self.before is not None:
            self.before.close()
            self.before = None


class _Incoming(io.RawIOBase):
    """The bytes of an answer; one read gives what came in one piece."""

    def __init__(self, socket: MemorySocket) -> None:
        self._socket = socket
        self._left = b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        if not self._left:
            self._left = self._socket.read_piece()
        size = min(len(buffer), len(self._left))
        buffer[:size] = self._left[:size]
        self._left = self._left[size:]
        return size

    def close(self) -> None:
        if not self.closed:
            self._socket.let_go()
        super().close()
