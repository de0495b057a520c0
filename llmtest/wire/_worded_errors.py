"""Errors of a dialect whose words are functions of a module of its own: one for each direction."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Protocol

from llmtest.errors import ProviderError
from llmtest.wire._records import Headers, ResponseMeta
from llmtest.wire.framing import Framing

__all__ = ["WordedErrors"]


class Words(Protocol):
    """A module that reads and writes errors."""

    def decode_error(self, status: int, headers: Mapping[str, str], body: bytes, *, now: datetime) -> ProviderError:
        """Read an error of any make."""
        ...

    def worded(self, error: ProviderError, meta: ResponseMeta) -> ProviderError:
        """Fill in what an error does not say itself."""
        ...

    def encode_error(self, error: ProviderError, meta: ResponseMeta, headers: Headers) -> tuple[int, Headers, bytes]:
        """Write an error as status, headers and body."""
        ...

    def error_object(self, error: ProviderError, meta: ResponseMeta) -> dict[str, Any]:
        """Return what an event inside a stream says of an error."""
        ...


class WordedErrors:
    """All of `Errors` but what is said of a path where nothing is.

    Args:
        words: The module.
        encode_event: Writes what it says of an error as an event inside a stream.
    """

    def __init__(self, words: Words, encode_event: Callable[[dict[str, Any]], bytes]) -> None:
        self._words = words
        self._encode_event = encode_event

    def decode(self, status: int, headers: Mapping[str, str], body: bytes, now: datetime) -> ProviderError:
        """Read an error."""
        return self._words.decode_error(status, headers, body, now=now)

    def worded(self, error: ProviderError, meta: ResponseMeta) -> ProviderError:
        """Fill in what the error does not say itself."""
        return self._words.worded(error, meta)

    def encode(self, error: ProviderError, meta: ResponseMeta, headers: Headers) -> tuple[int, Headers, bytes]:
        """Write an error as status, headers and body."""
        return self._words.encode_error(error, meta, headers)

    def encode_event(self, error: ProviderError, meta: ResponseMeta, framing: Framing) -> bytes:
        """Write an error as an event inside a stream."""
        del framing
        return self._encode_event(self._words.error_object(error, meta))
