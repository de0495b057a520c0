"""Errors of an API that speaks like another one and says some things in words of its own."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from llmtest.errors import InvalidRequestError, ProviderError, RateLimitedError
from llmtest.wire import _classify
from llmtest.wire._dialect import Errors
from llmtest.wire._json import dumps
from llmtest.wire._records import Headers, ResponseMeta
from llmtest.wire.framing import Framing

__all__ = ["OwnWords", "Said"]


class Said(NamedTuple):
    """What an API says of one class of failure.

    Args:
        kind: The class; subclasses stand before their bases.
        status: Status of it, whatever others give it; a server error with another status is left to the other API.
        body: The whole body, of the error and what surrounds it: JSON, or bytes; None leaves it to the other API.
    """

    kind: type[ProviderError]
    status: int
    body: Callable[[Any, ResponseMeta], Any]


class OwnWords:
    """Errors of such an API; see `Errors` for the contract.

    Args:
        spoken: The errors of the API that it speaks like, for everything it has no words for.
        said: Its own words, the first class that fits.
        meant: Pieces of its messages that tell the class where its status misleads.
        nowhere: Message of a path where nothing is; None: that of the other API.
    """

    def __init__(
        self,
        spoken: Errors,
        said: Sequence[Said],
        *,
        meant: Mapping[str, type[ProviderError]] | None = None,
        nowhere: str | None = None,
    ) -> None:
        self._spoken = spoken
        self._said = tuple(said)
        self._meant = dict(meant or {})
        self._nowhere = nowhere

    def passing_on(self, spoken: Errors) -> OwnWords:
        """Return the same words around those of another endpoint."""
        return OwnWords(spoken, self._said, meant=self._meant, nowhere=self._nowhere)

    def decode(self, status: int, headers: Mapping[str, str], body: bytes, now: datetime) -> ProviderError:
        """Read an error."""
        error = self._spoken.decode(status, headers, body, now)
        kind = next((kind for piece, kind in self._meant.items() if piece in error.message), None)
        if kind is None or isinstance(error, kind):
            return error
        found = kind(error.message, status=error.status, code=error.code)
        for name in ("request_id", "retry_after", "should_retry", "body"):
            setattr(found, name, getattr(error, name))
        if isinstance(found, RateLimitedError):
            found.limit_kind = _classify.limit_kind(error.code, error.message)
        return found

    def worded(self, error: ProviderError, meta: ResponseMeta) -> ProviderError:
        """Fill in what the error does not say itself."""
        self._reword(error, meta)
        return self._spoken.worded(error, meta)

    def encode(self, error: ProviderError, meta: ResponseMeta, headers: Headers) -> tuple[int, Headers, bytes]:
        """Write an error as status, headers and body."""
        said = self._reword(error, meta)
        if said is not None and error.body is None:
            error.body = said if isinstance(said, bytes) else dumps(said)
        return self._spoken.encode(error, meta, headers)

    def encode_event(self, error: ProviderError, meta: ResponseMeta, framing: Framing) -> bytes:
        """Write an error as an event inside a stream."""
        self._reword(error, meta)
        return self._spoken.encode_event(error, meta, framing)

    def not_found(self, method: str, path: str) -> InvalidRequestError:
        """Say that nothing is at a path."""
        if self._nowhere is None:
            return self._spoken.not_found(method, path)
        return InvalidRequestError(self._nowhere, status=404, code="404")

    def not_allowed(self, method: str, path: str) -> InvalidRequestError:
        """Say that a path has other methods."""
        return self._spoken.not_allowed(method, path)

    def _reword(self, error: ProviderError, meta: ResponseMeta) -> Any:
        """Say what only this API says so; None where it has no words of its own, or the error has."""
        if error.message or error.body is not None:
            return None
        row = next((row for row in self._said if isinstance(error, row.kind)), None)
        if row is None or (error.status is not None and error.status >= 500 and error.status != row.status):
            return None
        body = row.body(error, meta)
        if body is None:
            return None
        parsed = body if isinstance(body, dict) else {}
        told = parsed.get("error")
        told = told if isinstance(told, dict) else parsed
        error.status = row.status
        error.code = _classify.text_of(told.get("code")) or _classify.text_of(told.get("type")) or error.code
        error.message = _classify.message_of(parsed, row.status, body if isinstance(body, bytes) else dumps(body))
        error.args = (error.message,)
        return body
