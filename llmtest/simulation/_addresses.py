"""Which providers exist, where they are reached, and what they speak."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from urllib.parse import urlsplit

from llmtest.errors import ConfigurationError
from llmtest.wire import dialects, owner_of

__all__ = ["Place", "environment_places", "first_places", "parse_host", "parse_place"]

_NO_HOST = re.compile(r"[^\w.:*?%-]|^\w[^:]*:\d+$")
_HOST_IN = re.compile(r"(?:^|//|[\"'\[ ])([\w*?-]+(?:\.[\w*?-]+)+)")
_DEFAULT_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True)
class Place:
    """Where a provider is reached.

    Args:
        host: Lower case; a `*` stands for any text, so that `*.` at its start stands for any subdomain.
        port: Port; None: any.
        prefix: Start of the path, without a slash at its end.
        is_own: Whether it is an address of the real API, where paths are exactly the API's own.
    """

    host: str
    port: int | None
    prefix: str = ""
    is_own: bool = False

    def covers(self, host: str, port: int, path: str) -> bool:
        """Tell whether a URL lies here."""
        if (self.port is not None and self.port != port) or not self.is_at(host):
            return False
        return not self.prefix or path == self.prefix or path.startswith(self.prefix + "/")

    def is_at(self, host: str) -> bool:
        """Tell whether this is at a host, whatever the port and the path."""
        return fnmatchcase(host, self.host) if "*" in self.host else host == self.host


def parse_host(host: str) -> str:
    """Read the name of a host that may be reached; `*` stands for any text.

    Raises:
        ConfigurationError: It is a URL, or a list as another kind of file would have it.
    """
    plain = host.strip().lower()
    if plain.startswith("[") and plain.endswith("]") and '"' not in plain and "'" not in plain:
        plain = plain[1:-1]
    if plain and not _NO_HOST.search(plain):
        return plain
    found = _HOST_IN.search(host)
    example = found[1] if found else "example.org"
    raise ConfigurationError(
        f"`{host}` is no host: a host is allowed by its bare name, on every port.\n\n"
        f'To fix: llm_sim.allow("{example}"), or a line of its own in pytest.ini\'s llmtest_allowed_hosts'
    )


def parse_place(base_url: str) -> Place:
    """Read a base URL.

    Raises:
        ConfigurationError: Not an http or https URL.
    """
    try:
        parts = urlsplit(base_url)
        port = parts.port
    except ValueError:
        parts, port = urlsplit(""), None
    if parts.scheme not in _DEFAULT_PORTS or not parts.hostname:
        raise ConfigurationError(
            f"`{base_url}` is no base URL: it needs a scheme and a host.\n\n"
            'To fix: write it in full, such as "http://localhost:8000"'
        )
    return Place(parts.hostname, port or _DEFAULT_PORTS[parts.scheme], parts.path.rstrip("/"))


def first_places() -> list[tuple[str, Place]]:
    """Return where providers are reached from the start: each at its own hosts."""
    found = []
    for name, dialect in dialects().items():
        for url in dialect.hosts:
            place = parse_place(url)
            found.append((name, Place(place.host, None if dialect.any_port else place.port, place.prefix, is_own=True)))
    return found


def environment_places(environment: Mapping[str, str] | None = None) -> list[tuple[str, Place]]:
    """Return what the environment says about where providers are; what cannot be read is left alone.

    A variable that everybody's clients are pointed elsewhere with names whoever is there: `OPENAI_BASE_URL`.
    """
    given = os.environ if environment is None else environment
    found = []
    for name, dialect in dialects().items():
        if not dialect.is_provider:
            continue
        for variable in dialect.variables.base_urls:
            value = given.get(variable, "").strip()
            if not value:
                continue
            try:
                url = dialect.variables.complete_url(value)
                owner = owner_of(url) if dialect.is_default else None
                place = parse_place(url)
                if owner is not None and owner is not dialect:
                    # Who is known to be there has more than the API that the variable is about.
                    place = Place(place.host, place.port, is_own=True)
                found.append((name if owner is None else owner.name, place))
            except ConfigurationError:
                # The SDK that reads the variable says what is wrong with it; here it names no place.
                continue
    return found
