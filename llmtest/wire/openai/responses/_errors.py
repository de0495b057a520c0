"""The errors of Responses, which says some of them in other words than Chat Completions, and in its own event."""

from __future__ import annotations

from typing import Any

from llmtest.errors import ContextLengthExceededError, ModelNotFoundError, ProviderError
from llmtest.wire._json import dump_text, dumps
from llmtest.wire._records import Headers, ResponseMeta
from llmtest.wire.framing import Framing
from llmtest.wire.framing._sse import frame
from llmtest.wire.openai import _errors
from llmtest.wire.openai._spoken_errors import OpenAIErrors

__all__ = ["ResponsesErrors"]


class ResponsesErrors(OpenAIErrors):
    """OpenAI's errors in the words of Responses; see `Errors` for the contract."""

    def worded(self, error: ProviderError, meta: ResponseMeta) -> ProviderError:
        """Fill in what the error does not say itself."""
        _reword(error, meta)
        return super().worded(error, meta)

    def encode(self, error: ProviderError, meta: ResponseMeta, headers: Headers) -> tuple[int, Headers, bytes]:
        """Write an error as status, headers and body."""
        own = _reword(error, meta)
        if own is not None and error.body is None:
            error.body = dumps({"error": own})
        return super().encode(error, meta, headers)

    def encode_event(self, error: ProviderError, meta: ResponseMeta, framing: Framing) -> bytes:
        """Write an error as an event inside a stream: the nested form, which the official SDKs raise."""
        del framing
        told = _reword(error, meta) or _errors.error_object(error, meta)
        return frame(dump_text({"type": "error", "sequence_number": meta.events_sent, "error": told}), "error")


def _reword(error: ProviderError, meta: ResponseMeta) -> dict[str, Any] | None:
    """Say what only this API says so; None where it has no words of its own, or the error has."""
    if error.message or error.body is not None:
        return None
    if isinstance(error, ModelNotFoundError):
        message = f"The requested model '{error.model or meta.model or 'gpt-4o'}' does not exist."
        code, param = "model_not_found", "model"
    elif isinstance(error, ContextLengthExceededError):
        message = "Your input exceeds the context window of this model. Please adjust your input and try again."
        code, param = "context_length_exceeded", "input"
    else:
        return None
    error.message, error.status, error.code = message, 400, code
    return {"message": message, "type": "invalid_request_error", "param": param, "code": code}
