"""Whose an address is: an `OPENAI_BASE_URL` may point to anybody who speaks like OpenAI."""

from __future__ import annotations

from urllib.parse import urlsplit

from llmtest.wire._dialect import Dialect
from llmtest.wire._registry import dialects

__all__ = ["owner_of"]

_PORTS = {"http": 80, "https": 443}
_THIS_MACHINE = frozenset({"localhost", "127.0.0.1", "::1", "0.0.0.0"})  # noqa: S104 - nothing is bound


def owner_of(base_url: str | None) -> Dialect | None:
    """Return the dialect of the provider that is usually at an address; None where nobody is known to be there.

    A provider is at its hosts, and where its own base URL says: a server of one's own at its usual port.

    Args:
        base_url: The address; what is no URL is nobody's.

    Example:
        >>> owner_of("http://localhost:11434/v1").name
        'ollama'
    """
    asked = _origin(base_url or "")
    if asked is None:
        return None
    owners = (each for each in dialects().values() if each.is_provider)
    return next((each for each in owners if _is_at(each, *asked)), None)


def _is_at(owner: Dialect, host: str, port: int) -> bool:
    for url, any_port in (*((each, owner.any_port) for each in owner.hosts), (owner.base_url or "", False)):
        known = _origin(url)
        if known is None or not (any_port or known[1] == port):
            continue
        name = known[0]
        if host.endswith(name[1:]) if name.startswith("*.") else name == host:
            return True
    return False


def _origin(url: str) -> tuple[str, int] | None:
    """Return host and port, in which all names of this machine are one."""
    try:
        parts = urlsplit(url)
        port = parts.port or _PORTS[parts.scheme]
    except (ValueError, KeyError):
        return None
    host = parts.hostname or ""
    return ("localhost" if host in _THIS_MACHINE else host, port) if host else None
