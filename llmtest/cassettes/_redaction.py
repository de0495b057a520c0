"""Keep credentials off the disk: by the name of a header, by their shape, and by the value of the environment.

Three nets, because each alone has leaked somewhere: a list of header names misses the key in a body, a list of shapes
misses tomorrow's prefix, the environment misses a key that was read from a file. A last scan of the finished text
(`Redactor.find`) refuses what slipped through all three, and names the place, never the value.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from urllib.parse import quote

SECRET_HEADERS = frozenset(
    {
        "anthropic-organization-id",
        "api-key",
        "authorization",
        "cookie",
        "openai-organization",
        "openai-project",
        "proxy-authorization",
        "set-cookie",
        "x-amz-security-token",
        "x-api-key",
        "x-auth-token",
        "x-goog-api-key",
        "x-ms-client-request-id",
    }
)
"""Headers whose value is replaced whole, in requests and in answers, whatever their case."""

SECRET_PARAMETERS = frozenset(
    {
        "access_token",
        "api_key",
        "api-key",
        "apikey",
        "auth",
        "client_secret",
        "key",
        "password",
        "sig",
        "signature",
        "token",
    }
)
"""Query parameters whose value is replaced."""

SECRET_VARIABLE = re.compile(r"(API_?KEY|ACCESS_KEY|AUTH_TOKEN|SECRET|TOKEN|PASSWORD|CREDENTIAL)S?$")
"""Environment variables whose values are secrets: `OPENAI_API_KEY`, `AWS_SECRET_ACCESS_KEY`, `HF_TOKEN`."""

SHORTEST_VALUE = 8
"""A shorter value of such a variable is no credential (`unused`, `ollama`) and would be found in ordinary text."""

SHAPES: tuple[tuple[str, re.Pattern[str]], ...] = tuple(
    (name, re.compile(rf"(?<![A-Za-z0-9_-]){pattern}(?![A-Za-z0-9_-])"))
    for name, pattern in (
        ("anthropic key", r"sk-ant-[A-Za-z0-9_-]{8,}"),
        ("openrouter key", r"sk-or-[A-Za-z0-9_-]{8,}"),
        ("openai key", r"sk-[A-Za-z0-9_-]{16,}"),
        ("google key", r"AIza[A-Za-z0-9_-]{30,}"),
        ("google token", r"ya29\.[A-Za-z0-9_-]{16,}"),
        ("aws key id", r"(?:AKIA|ASIA)[A-Z0-9]{16}"),
        ("github token", r"(?:gh[pousr]_[A-Za-z0-9]{20,}|github_pat_[A-Za-z0-9_]{20,})"),
        ("slack token", r"xox[abprs]-[A-Za-z0-9-]{10,}"),
        ("hugging face token", r"hf_[A-Za-z0-9]{20,}"),
        ("groq key", r"gsk_[A-Za-z0-9]{20,}"),
        ("perplexity key", r"pplx-[A-Za-z0-9]{20,}"),
        ("replicate token", r"r8_[A-Za-z0-9]{20,}"),
        ("xai key", r"xai-[A-Za-z0-9]{20,}"),
        ("json web token", r"eyJ[A-Za-z0-9_-]{8,}\.eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{4,}"),
    )
)
"""What a credential looks like, wherever it stands."""

BEARER = re.compile(r"(?i)\b(bearer|basic)\s+(?!<)([A-Za-z0-9._~+/=-]{8,})")


@dataclass(frozen=True, slots=True)
class Finding:
    """A credential that is still there: what it looks like and where, never what it is."""

    kind: str
    start: int


class Redactor:
    """Replaces credentials by placeholders that say what stood there.

    Args:
        environment: Where to read secret values from; usually `os.environ`.
        headers: Further header names to replace.
        values: Further secret values, by the name to show instead.
    """

    def __init__(
        self,
        environment: Mapping[str, str],
        *,
        headers: Iterable[str] = (),
        values: Mapping[str, str] | None = None,
    ) -> None:
        self._headers = SECRET_HEADERS | {name.lower() for name in headers}
        known = {
            name: value
            for name, value in environment.items()
            if SECRET_VARIABLE.search(name) and len(value) >= SHORTEST_VALUE
        }
        known |= values or {}
        self._values = {
            form: name for name, value in sorted(known.items()) for form in _forms(value) if len(form) >= SHORTEST_VALUE
        }
        longest_first = sorted(self._values, key=lambda form: (-len(form), form))
        self._value_pattern = re.compile("|".join(map(re.escape, longest_first))) if longest_first else None

    def is_secret_header(self, name: str) -> bool:
        """Tell whether a header's value is replaced whole."""
        return name.lower() in self._headers

    def header(self, name: str, value: str) -> str:
        """Return a header's value as it may be kept."""
        if not self.is_secret_header(name):
            return self.text(value)
        scheme, space, rest = value.partition(" ")
        if space and rest and scheme.lower() in {"bearer", "basic"}:
            return f"{scheme} <redacted>"
        return "<redacted>"

    def spans(self, text: str) -> list[tuple[int, int, str]]:
        """Return `(start, end, placeholder)` of every credential in a text, in order and without overlaps."""
        found = []
        if self._value_pattern is not None:
            found += [
                (*match.span(), f"<{self._values[match.group()]}>") for match in self._value_pattern.finditer(text)
            ]
        for name, pattern in SHAPES:
            found += [(*match.span(), f"<redacted {name}>") for match in pattern.finditer(text)]
        found += [(*match.span(2), "<redacted>") for match in BEARER.finditer(text)]
        found.sort(key=lambda span: (span[0], -span[1]))
        kept: list[tuple[int, int, str]] = []
        for start, end, placeholder in found:
            if kept and start < kept[-1][1]:
                if end > kept[-1][1]:
                    kept[-1] = (kept[-1][0], end, kept[-1][2])
                continue
            kept.append((start, end, placeholder))
        return kept

    def text(self, text: str) -> str:
        """Return a text without its credentials."""
        pieces, position = [], 0
        for start, end, placeholder in self.spans(text):
            pieces += [text[position:start], placeholder]
            position = end
        return "".join(pieces) + text[position:] if pieces else text

    def url(self, url: str) -> str:
        """Return a URL without credentials in its user part, its query or its path."""
        head, mark, query = url.partition("?")
        head = re.sub(r"^(\w+://)[^/@]*@", r"\1<redacted>@", head)
        if mark:
            query = "&".join(self._parameter(pair) for pair in query.split("&"))
        return self.text(head) + mark + self.text(query)

    def _parameter(self, pair: str) -> str:
        name, equals, value = pair.partition("=")
        return f"{name}=<redacted>" if equals and value and name.lower() in SECRET_PARAMETERS else pair

    def find(self, text: str) -> Finding | None:
        """Return the first credential that a text still holds, or None."""
        for start, _, placeholder in self.spans(text):
            return Finding(placeholder.strip("<>").removeprefix("redacted").strip() or "credential", start)
        return None


def _forms(value: str) -> set[str]:
    """Return the ways a value may be written: plain, JSON-escaped (both ways), URL-encoded."""
    return {value, json.dumps(value)[1:-1], json.dumps(value, ensure_ascii=False)[1:-1], quote(value, safe="")}
