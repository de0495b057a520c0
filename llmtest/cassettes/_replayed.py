"""What is told of a played answer to whoever keeps account: what was asked, what came, how much of it was heard."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from llmtest.cassettes._bills import owner_in
from llmtest.cassettes._compression import decompressed, plain_request
from llmtest.cassettes._interactions import RecordedRequest, RecordedResponse
from llmtest.cassettes._reading import spoken_to
from llmtest.interception import Replay, replay_witness

__all__ = ["Heard"]


class Heard:
    """One played answer on its way to the client.

    Args:
        request: The request as it was sent.
        response: The recorded answer.
    """

    def __init__(self, request: RecordedRequest, response: RecordedResponse) -> None:
        witness = replay_witness()
        self._end = None if witness is None else witness.begins(_replay_of(request, response))
        self._status = response.status
        self._pieces: list[bytes] = []
        self._left = 0 if self._end is None else len(response.pieces())

    @contextmanager
    def waiting(self) -> Iterator[None]:
        """Wait for the head of the answer: a client that waits no longer has gone."""
        try:
            yield
        except BaseException:
            self._tell("abandoned")
            raise

    def heard(self, piece: bytes) -> None:
        """Note a piece that is handed over; it counts, also where the client stops at it."""
        if self._end is not None:
            self._pieces.append(piece)
            self._left -= 1

    def end(self, error: str = "") -> None:
        """Note that nothing more comes.

        Args:
            error: How the connection broke, as the recording has it.
        """
        broken = "stalled" if error.startswith("ReadTimeout") else "dropped"
        self._tell(broken if error else str(self._status))

    def leave(self, *, early: bool = False) -> None:
        """Note that the client lets go: of a refusal, or of what was all there, that is its end.

        Args:
            early: Whether there would have been more, though no piece of it was recorded.
        """
        self._tell("abandoned" if (self._left or early) and self._status < 400 else str(self._status))

    def _tell(self, outcome: str) -> None:
        end, self._end = self._end, None
        if end is not None:
            end(outcome, self._pieces)


def _replay_of(request: RecordedRequest, response: RecordedResponse) -> Replay:
    request, response = plain_request(request), decompressed(response)
    match = spoken_to(request)
    return Replay(
        request.method.upper(),
        request.uri,
        {name.lower(): ", ".join(values) for name, values in request.headers.items()},
        request.body,
        "" if match is None else owner_in(match, request.uri),
        None if match is None else match.dialect.name,
        response.status,
        tuple((name.lower(), value) for name, values in response.headers.items() for value in values),
        response.body,
    )
