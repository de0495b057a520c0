"""The fault that somebody meant who gave an exception, a status, a word or a class instead: `openai.RateLimitError`."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, fields
from typing import Any

from llmtest.errors import ConfigurationError
from llmtest.faults._connections import Timeout
from llmtest.faults._fault import FAULTS, Fault
from llmtest.faults._refusals import (
    AuthenticationFailed,
    InvalidRequest,
    ModelNotFound,
    Overloaded,
    PermissionDenied,
    QuotaExceeded,
    RateLimited,
    RequestTooLarge,
    ServerError,
)
from llmtest.types import is_whole
from llmtest.types._spelling import did_you_mean, nearest

__all__ = ["fault_meant", "fault_with_status", "no_such_name"]

EXAMPLE = "RateLimited(retry_after=30)"

EXCEPTIONS: Mapping[str, str] = {
    "APIConnectionError": "ConnectionReset()",
    "APIResponseValidationError": "MalformedBody()",
    "APITimeoutError": "Timeout()",
    "AuthenticationError": "AuthenticationFailed()",
    "ConnectError": "ConnectionRefused()",
    "ConnectTimeout": 'Timeout(phase="connect")',
    "ConnectionError": "ConnectionReset()",
    "ConnectionRefusedError": "ConnectionRefused()",
    "ContentFilterFinishReasonError": "ContentFiltered()",
    "ContentFilteredError": "ContentFiltered()",
    "ContentPolicyViolationError": "ContentFiltered()",
    "ContentTooLargeError": "RequestTooLarge()",
    "ContextLengthExceededError": "ContextLengthExceeded()",
    "ContextWindowExceededError": "ContextLengthExceeded()",
    "EmptyResponseError": "EmptyResponse()",
    "InternalServerError": "ServerError(status=500)",
    "InvalidRequestError": "InvalidRequest()",
    "InvalidResponseError": "MalformedBody()",
    "JSONDecodeError": "MalformedBody()",
    "ModelNotFoundError": "ModelNotFound()",
    "OverloadedError": "Overloaded()",
    "PaymentRequiredError": "QuotaExceeded()",
    "ProviderConnectionError": "ConnectionReset()",
    "ProviderTimeoutError": "Timeout()",
    "QuotaExceededError": "QuotaExceeded()",
    "RateLimitedError": "RateLimited()",
    "ReadError": "ConnectionReset()",
    "RemoteProtocolError": "ConnectionClosed()",
    "ServerError": "ServerError(status=500)",
    "SessionExpiredError": "AuthenticationFailed()",
    "StreamInterruptedError": "StreamDropped(after_chunks=2)",
    "Timeout": "Timeout()",
    "TimeoutError": "Timeout()",
    "TimeoutException": "Timeout()",
}
"""What a provider does so that a client raises this, by the name of the exception or of a class that it is derived
from; an exception with a status is told by that."""

STATUSES: Mapping[int, Fault] = {
    400: InvalidRequest(),
    401: AuthenticationFailed(),
    402: QuotaExceeded(status=402),
    403: PermissionDenied(),
    404: ModelNotFound(),
    408: Timeout(phase="server"),
    409: InvalidRequest(status=409),
    413: RequestTooLarge(),
    422: InvalidRequest(status=422),
    429: RateLimited(),
    529: Overloaded(),
    **{status: ServerError(status=status) for status in range(500, 600) if status != 529},
}
"""The fault that answers with a status."""

VALUES = {"after_chunks": "2", "seconds": "20"}
"""What is written for an argument that has no default."""


def fault_meant(given: Any) -> str:
    """Return the fault that was meant, as a test writes it behind `faults.`; an example where nothing tells.

    Args:
        given: What was given instead of a fault: an exception or its class, a fault's class, a status, a word.
    """
    kind = given if isinstance(given, type) else type(given)
    if issubclass(kind, Fault):
        return _written(kind) if given is kind else repr(given)
    if is_whole(given, 400) or isinstance(given, str):
        return _named(str(given))
    return _raised(given, kind) if issubclass(kind, BaseException) else EXAMPLE


def _raised(given: Any, kind: type[BaseException]) -> str:
    """Return the fault for which a client raises an exception."""
    known = next((EXCEPTIONS[each.__name__] for each in kind.__mro__ if each.__name__ in EXCEPTIONS), None)
    status = _with_status(getattr(given, "status_code", None))
    own = EXCEPTIONS.get(kind.__name__)
    if own is None or own.startswith("ServerError"):
        # A status says more than a class that many statuses share, or than what a class is derived from.
        return status or known or _named(kind.__name__)
    return own


def no_such_name(name: str, names: Sequence[str]) -> AttributeError:
    """Make the error of a name that `llmtest.faults` does not have: the nearest fault, or what an exception means."""
    meant = EXCEPTIONS.get(name)
    hint = did_you_mean(name, names) if meant is None else f" Did you mean `{meant}`?"
    kinds = ", ".join(sorted(kind.__qualname__ for kind in FAULTS.values()))
    listed = "" if name.startswith("_") else f" Faults: {kinds}."
    return AttributeError(f"module 'llmtest.faults' has no attribute '{name}'.{hint}{listed}", name=name)


def fault_with_status(status: int) -> Fault:
    """Return the fault that answers with a status.

    Raises:
        ConfigurationError: No fault does.
    """
    found = STATUSES.get(status) if is_whole(status, 400) else None
    if found is None:
        known = ", ".join(str(each) for each in STATUSES if each < 500)
        raise ConfigurationError(
            f"no fault answers with status={status!r}.\nStatuses: {known}, and 500 to 599.\n\nTo fix: status=503"
        )
    return found


def _with_status(status: object) -> str | None:
    fault = STATUSES.get(status) if isinstance(status, int) and not isinstance(status, bool) else None
    return None if fault is None else _code(fault)


def _code(fault: Fault) -> str:
    """Return a fault as people write it: what differs from its defaults."""
    given = [
        f"{each.name}={value!r}".replace("'", '"')
        for each in fields(fault)
        if (value := getattr(fault, each.name)) != each.default
    ]
    return f"{type(fault).__name__}({', '.join(given)})"


def _named(word: str) -> str:
    """Return the fault whose name is most like a word: `rate limit`, `RateLimitError`, `429`."""
    if word.isdigit():
        return _with_status(int(word)) or EXAMPLE
    plain = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", word.strip().replace(" ", "_")).lower()
    found = nearest(plain.removesuffix("_error"), FAULTS)
    return EXAMPLE if found is None else _written(FAULTS[found])


def _written(kind: type[Fault]) -> str:
    needed: list[str] = [each.name for each in fields(kind) if each.default is each.default_factory is MISSING]
    return f"{kind.__name__}({', '.join(f'{name}={VALUES[name]}' for name in needed)})"
