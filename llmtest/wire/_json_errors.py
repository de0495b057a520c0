"""Errors as most APIs write them, for a dialect that says nothing else: `{"error": {"message", "type", "code"}}`."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import datetime

from llmtest.errors import InvalidRequestError, OverloadedError, ProviderError
from llmtest.wire import _classify
from llmtest.wire._headers import header, number
from llmtest.wire._json import dumps
from llmtest.wire._records import Headers, ResponseMeta
from llmtest.wire.framing import SSE, Framing, frame

__all__ = ["JsonErrors"]


class JsonErrors:
    """Errors whose words follow from their class; see `Errors` for the contract."""

    def decode(self, status: int, headers: Mapping[str, str], body: bytes, now: datetime) -> ProviderError:
        """Read an error of any make."""
        parsed = _classify.read_body(body)
        error = parsed.get("error", parsed)
        error = error if isinstance(error, dict) else {}
        facts = {name: _classify.text_of(error.get(name)) for name in ("code", "type", "param")}
        request_id = header(headers, "x-request-id")
        return _classify.decode(status, headers, body, now=now, request_id=request_id, facts=facts, parsed=parsed)

    def worded(self, error: ProviderError, meta: ResponseMeta) -> ProviderError:
        """Fill in what the error does not say itself."""
        status, code = _classify.status_of(error)
        message = _classify.words_of(error)
        return _classify.fill(error, status=status, code=code, message=message, request_id=meta.request_id)

    def encode(self, error: ProviderError, meta: ResponseMeta, headers: Headers) -> tuple[int, Headers, bytes]:
        """Write an error as status, headers and body."""
        self.worded(error, meta)
        body = error.body if error.body is not None else dumps(_object(error))
        found = list(headers)
        if error.retry_after is not None:
            found.append(("retry-after", str(math.ceil(error.retry_after))))
            found.append(("retry-after-ms", number(round(error.retry_after * 1000, 6))))
        return error.status or 500, tuple(found), body

    def encode_event(self, error: ProviderError, meta: ResponseMeta, framing: Framing) -> bytes:
        """Write an error as an event inside a stream."""
        text = dumps(_object(self.worded(error, meta)))
        return frame(text.decode()) if framing is SSE else text + framing.separator

    def not_found(self, method: str, path: str) -> InvalidRequestError:
        """Say that nothing is at a path."""
        return InvalidRequestError(f"Not Found: {method} {path}", status=404, code="not_found")

    def not_allowed(self, method: str, path: str) -> InvalidRequestError:
        """Say that a path has other methods."""
        return InvalidRequestError(f"Method Not Allowed: {method} {path}", status=405, code="method_not_allowed")


def _object(error: ProviderError) -> dict[str, object]:
    kind = "overloaded" if isinstance(error, OverloadedError) else error.code
    return {"error": {"message": error.message, "type": kind, "code": error.code}}
