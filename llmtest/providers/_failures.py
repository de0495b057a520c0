"""What an HTTP library raises, as errors of this package.

`httpx` and `httpx2` name their exceptions alike, so they are told apart by name, and neither is imported for it.
"""

from __future__ import annotations

from llmtest.clock import TimeLimits
from llmtest.errors import ConnectionKind, InvalidResponseError, ProviderConnectionError, ProviderError, TimeoutPhase

__all__ = ["translate"]

PHASES: dict[str, TimeoutPhase] = {"ConnectTimeout": "connect", "PoolTimeout": "pool", "WriteTimeout": "write"}
DNS = ("name or service not known", "nodename nor servname", "getaddrinfo", "name resolution")


def translate(error: Exception, limits: TimeLimits, *, reading: bool) -> ProviderError | None:
    """Return what a failure of the transport means; None where it is none.

    Args:
        error: What the library raised.
        limits: The limits that applied.
        reading: Whether the headers had come.
    """
    names = {kind.__name__ for kind in type(error).__mro__}
    for name, phase in PHASES.items():
        if name in names:
            return limits.error(phase)
    if names & {"ReadTimeout", "TimeoutException"} or isinstance(error, TimeoutError):
        late = limits.error((limits.piece() if reading else limits.head()).phase)
        # A limit further out cancels what it ends, and what was cancelled may know that nothing was sent.
        late.accepted = getattr(error.__cause__, "accepted", None)
        return late
    if "DecodingError" in names:
        return InvalidResponseError(f"the body cannot be decoded: {error}")
    if not names & {"TransportError", "StreamError", "ConnectionError"}:
        return None
    found = ProviderConnectionError(str(error) or type(error).__name__)
    found.kind = _kind(names, str(error).lower())
    found.accepted = reading
    return found


def _kind(names: set[str], text: str) -> ConnectionKind:
    if "ConnectError" in names or "ConnectionRefusedError" in names:
        if any(words in text for words in DNS):
            return "dns"
        return "tls" if "certificate" in text or "ssl" in text else "refused"
    if "RemoteProtocolError" in names:
        return "closed"
    return "reset" if names & {"NetworkError", "ConnectionResetError"} else "other"
