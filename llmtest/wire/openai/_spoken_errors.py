"""OpenAI's errors as a dialect has them: read, worded, written as an answer and as an event."""

from __future__ import annotations

from llmtest.errors import InvalidRequestError
from llmtest.wire._worded_errors import WordedErrors
from llmtest.wire.openai import _errors
from llmtest.wire.openai.chat import _stream_writer

__all__ = ["OpenAIErrors"]


class OpenAIErrors(WordedErrors):
    """OpenAI's errors; see `Errors` for the contract."""

    def __init__(self) -> None:
        super().__init__(_errors, _stream_writer.encode_stream_error)

    def not_found(self, method: str, path: str) -> InvalidRequestError:
        """Say that nothing is at a path."""
        return InvalidRequestError(f"Invalid URL ({method} {path})", status=404, code="invalid_request_error")

    def not_allowed(self, method: str, path: str) -> InvalidRequestError:
        """Say that a path has other methods."""
        message = f"Not allowed to {method} on {path}. (HINT: Perhaps you meant to use a different HTTP method?)"
        return InvalidRequestError(message, status=405, code="invalid_request_error")
