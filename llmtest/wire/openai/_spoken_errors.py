"""OpenAI's errors as a dialect has them: read, worded, written as an answer and as an event."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from llmtest.errors import InvalidRequestError, ProviderError
from llmtest.wire._records import Headers, ResponseMeta
from llmtest.wire.framing import Framing
from llmtest.wire.openai import _errors
from llmtest.wire.openai.chat import _stream

__all__ = ["OpenAIErrors"]


class OpenAIErrors:
    """OpenAI's errors; see `Errors` for the contract."""

    def decode(self, status: int, headers: Mapping[str, str], body: bytes, now: datetime) -> ProviderError:
        """Read an error of OpenAI or of a server that speaks like it."""
        return _errors.decode_error(status, headers, body, now=now)

    def worded(self, error: ProviderError, meta: ResponseMeta) -> ProviderError:
        """Fill in what the error does not say itself."""
        return _errors.worded(error, meta)

    def encode(self, error: ProviderError, meta: ResponseMeta, headers: Headers) -> tuple[int, Headers, bytes]:
        """Write an error as status, headers and body."""
        return _errors.encode_error(error, meta, headers)

    def encode_event(self, error: ProviderError, meta: ResponseMeta, framing: Framing) -> bytes:
        """Write an error as an event inside a stream."""
        del framing
        return _stream.encode_stream_error(_errors.error_object(error, meta))

    def not_found(self, method: str, path: str) -> InvalidRequestError:
        """Say that nothing is at a path."""
        return InvalidRequestError(f"Invalid URL ({method} {path})", status=404, code="invalid_request_error")

    def not_allowed(self, method: str, path: str) -> InvalidRequestError:
        """Say that a path has other methods."""
        message = f"Not allowed to {method} on {path}. (HINT: Perhaps you meant to use a different HTTP method?)"
        return InvalidRequestError(message, status=405, code="invalid_request_error")
