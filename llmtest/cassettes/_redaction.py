"""Keep credentials off the disk: by the name before them, by their shape, and by the value of the environment.

Three nets, because each alone has leaked somewhere: names miss the key in a sentence, shapes miss tomorrow's prefix,
the environment misses a key that was read from a file. A last scan of the finished text (`Redactor.find`) refuses what
slipped through all three, and names the place, never the value.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from urllib.parse import unquote

from llmtest.cassettes._secret_names import (
    LONGEST,
    NAMED_KINDS,
    NO_VALUE,
    PLACEHOLDER,
    named,
    names_header,
    names_parameter,
)
from llmtest.cassettes._shapes import KINDS, SHAPES, begins, shaped
from llmtest.cassettes._unfolding import coded_place, decoded, folded_place, unfolded
from llmtest.errors import ConfigurationError
from llmtest.wire import dialects

SECRET_HEADERS = frozenset(
    {
        *(header for dialect in dialects().values() for header in dialect.private_headers),
        "api-key",
        "authorization",
        "cookie",
        "proxy-authorization",
        "set-cookie",
        "x-amz-security-token",
        "x-api-key",
        "x-auth-token",
        "x-goog-api-key",
        "x-ms-client-request-id",
    }
)
"""Headers whose value is replaced whole, in requests and in answers, whatever their case: those that are called so
everywhere, and those of each dialect."""

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

SECRET_VARIABLE = re.compile(r"(API_?KEY|(ACCESS|SECRET)_KEY|SECRET|TOKEN|PASSWORD|CREDENTIAL)S?$", re.IGNORECASE)
"""Environment variables whose values are secrets: `OPENAI_API_KEY`, `AWS_SECRET_ACCESS_KEY`, `HF_TOKEN`."""

KEY_VARIABLE = re.compile(r"_(KEY|PAT)$", re.IGNORECASE)
KEY_VALUE = re.compile(r"(?=.*\d)[A-Za-z0-9_-]{16,}")
"""Variables whose value is a secret if it looks like one: `AZURE_OPENAI_KEY`, but not `SORT_KEY=created_at`."""

SHORTEST_VALUE = 8
"""A shorter value of such a variable is no credential (`unused`, `ollama`) and would be found in ordinary text."""


URLS_MAX = 1024
"""Redacted URLs that are remembered; a session has few, and asks for each of them often."""

SCHEME = re.compile(r"(bearer|basic)(?:\s|%(?:25)*20|\+|\\[nrt])+(?!<)([A-Za-z0-9._~+/=-]{8,})", re.IGNORECASE)
"""An `Authorization` as it stands in texts. What follows the word may be prose; see `_is_credential`."""

FIELDS = ("access_token", "refresh_token", "id_token", "client_secret", "client_assertion")
FIELD = re.compile(
    rf"(?<![A-Za-z0-9_])({'|'.join(FIELDS)})"
    r"(?:\"\s*:\s*\"|=)(?!<)([^\"&\\\s]{8,})"
)
"""Fields of OAuth in JSON and in forms, whose values have no shape of their own."""
FIELD_MARKS = ("_token", "client_")

KEY_FIELD = re.compile(
    r"(?:api[_-]?key|access[_-]?key)\\*\"\s*:\s*\\*\"(?!<)(?=[^\"\\]*\d)([A-Za-z0-9_+/=.~-]{16,})(?=\\*\")",
    re.IGNORECASE,
)
"""A key of a provider whose keys have no shape, as the value of a field of JSON that says what it is."""
KEY_FIELD_MARKS = ("api_key", "apikey", "api-key", "access_key", "accesskey", "access-key")


USER_PART = re.compile(r":\\{0,8}/\\{0,8}/[^\s/:@\"'\\<>]{0,128}:([^\s/@\"'\\<>]{1,256})@")
"""The password of a connection string."""


@dataclass(frozen=True, slots=True)
class _Writing:
    """One way in which the value of a variable may be written; `mark` stands in every text that holds it."""

    name: str
    mark: str
    pattern: re.Pattern[str]


@dataclass(frozen=True, slots=True)
class Finding:
    """A credential that is still there: what it looks like and where, never what it is."""

    kind: str
    start: int


class Redactor:
    r"""Replaces credentials by placeholders that say what stood there.

    Args:
        environment: Where to read secret values from; usually `os.environ`.
        headers: Further header names to replace.
        values: Further secret values, by the name to show instead.
        keep: What is no credential though it looks like one: names of headers, fields and parameters
            (`order_token`), or the texts themselves (`sk-example-*`); `*` stands for any text. Values of the
            environment are replaced all the same.
        patterns: Regular expressions of what else is replaced, wherever it stands: the first group of a match, or all
            of it; a named group names its placeholder (`(?P<customer>cust-\d+)`: `<redacted customer>`).

    Raises:
        ConfigurationError: A pattern is none, or matches the empty text.
    """

    def __init__(
        self,
        environment: Mapping[str, str],
        *,
        headers: Iterable[str] = (),
        values: Mapping[str, str] | None = None,
        keep: Iterable[str] = (),
        patterns: Iterable[str] = (),
    ) -> None:
        self._keep = tuple(keep)
        self._patterns = [_own_pattern(pattern) for pattern in patterns]
        self._urls: dict[str, str] = {}
        self._headers = SECRET_HEADERS | {name.lower() for name in headers}
        known = {name: value for name, value in environment.items() if _is_secret(name, value)} | dict(values or {})
        self._values = [writing for name, value in sorted(known.items()) for writing in _ways(name, value)]
        own = [name for _, name in self._patterns]
        names = "|".join(
            map(
                re.escape, ["redacted", *(f"redacted {name}" for name in (*KINDS, *FIELDS, *NAMED_KINDS, *own)), *known]
            )
        )
        self._placeholder = re.compile(f"<(?:{names})>")

    def is_secret_header(self, name: str) -> bool:
        """Tell whether a header's value is replaced whole."""
        return not self.keeps(name) and (name.lower() in self._headers or names_header(name))

    def is_secret_parameter(self, name: str, value: str) -> bool:
        """Tell whether the value of a parameter of a URL is replaced, by its name as it stands there."""
        for _ in range(4):
            name = unquote(name)
        known = bool(value) and name.lower() in SECRET_PARAMETERS
        return (known or names_parameter(name, value)) and not self.keeps(name)

    def keeps(self, text: str) -> bool:
        """Tell whether a name or a text is kept on purpose."""
        return any(fnmatchcase(text, kept) for kept in self._keep)

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
        found = [*self._as_it_is(text), *self._by_name(text), *self._coded(text)]
        way = unfolded(text)
        if way is not None:
            found += [
                (folded_place(way, start), folded_place(way, end - 1) + 1, placeholder)
                for start, end, placeholder in (*self._as_it_is(way[0]), *self._by_name(way[0]))
            ]
        return self._apart(text, found)

    def _as_it_is(self, text: str) -> list[tuple[int, int, str]]:
        """Return what a text holds in the clear, by its value or its shape."""
        found = [
            (*match.span(), f"<{value.name}>")
            for value in self._values
            if value.mark in text
            for match in value.pattern.finditer(text)
        ]
        for pattern, name in self._patterns:
            group = 1 if pattern.groups else 0
            found += [(*match.span(group), f"<redacted {name}>") for match in pattern.finditer(text) if match[group]]
        for shape in SHAPES:
            if any(mark in text for mark in shape.marks):
                found += [(*span, f"<redacted {shape.name}>") for span in shaped(shape, text)]
        return found

    def _by_name(self, text: str) -> list[tuple[int, int, str]]:
        """Return what stands behind the name of a credential, or between a user and a host."""
        found: list[tuple[int, int, str]] = []
        lower = text.lower()
        if "bearer" in lower or "basic" in lower:
            found += [
                (*match.span(2), "<redacted>")
                for match in SCHEME.finditer(text)
                if begins(text, match.start()) and _is_credential(match[1], match[2])
            ]
        if "key" in lower and any(mark in lower for mark in KEY_FIELD_MARKS):
            found += [(*match.span(1), "<redacted key>") for match in KEY_FIELD.finditer(text)]
        if any(mark in text for mark in FIELD_MARKS):
            found += [(*match.span(2), f"<redacted {match[1]}>") for match in FIELD.finditer(text)]
        found += [(start, end, f"<redacted {kind}>") for start, end, kind in named(text, self.keeps)]
        if "://" in text:
            found += [
                (*match.span(1), "<redacted password>")
                for match in USER_PART.finditer(text)
                if not PLACEHOLDER.fullmatch(match[1]) and match[1] not in NO_VALUE
            ]
        return found

    def _coded(self, text: str) -> list[tuple[int, int, str]]:
        """Return the base64 of what a text holds, and of the base64 of it."""
        found = []
        for start, step, letters in decoded(text):
            inner = self._as_it_is(letters)
            if not inner and letters.isascii() and len(letters) < LONGEST:
                inner = self._coded(letters)
            for first, last, placeholder in inner:
                begin, end = coded_place(start, step, first, last)
                found.append((begin, min(end, len(text)), placeholder))
        return found

    def _apart(self, text: str, found: list[tuple[int, int, str]]) -> list[tuple[int, int, str]]:
        """Return what was found in order, without overlaps and without what is kept on purpose."""
        if self._keep:
            mine = {f"<{value.name}>" for value in self._values}
            found = [span for span in found if span[2] in mine or not self.keeps(text[span[0] : span[1]])]
        if not found:
            return found
        marked = [match.span() for match in self._placeholder.finditer(text)]
        if marked:  # a value that is a word of a placeholder (`redacted`) has been replaced there
            found = [span for span in found if not any(start <= span[0] and span[1] <= end for start, end in marked)]
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
        known = self._urls.get(url)
        if known is None:
            if len(self._urls) >= URLS_MAX:
                self._urls.clear()
            known = self._urls[url] = self._redacted_url(url)
        return known

    def _redacted_url(self, url: str) -> str:
        head, mark, query = url.partition("?")
        head = re.sub(r"^([\w+.-]+://)[^/#]*@", r"\1<redacted>@", head)
        if mark:
            query = "&".join(self._parameter(pair) for pair in query.split("&"))
        return self.text(head) + mark + self.text(query)

    def _parameter(self, pair: str) -> str:
        name, equals, value = pair.partition("=")
        return f"{name}=<redacted>" if equals and self.is_secret_parameter(name, value) else pair

    def variable_in(self, text: str) -> str | None:
        """Return the name of the first variable whose value a text holds, or None."""
        return next((value.name for value in self._values if value.mark in text and value.pattern.search(text)), None)

    def find(self, text: str) -> Finding | None:
        """Return the first credential that a text still holds, or None."""
        for start, _, placeholder in self.spans(text):
            return _finding(start, placeholder)
        return None

    def find_in_file(self, text: str) -> Finding | None:
        """Return the first value or shape in the text of a file, or None; names mean something in its fields only."""
        for start, _, placeholder in self._apart(text, self._as_it_is(text)):
            return _finding(start, placeholder)
        return None


def _own_pattern(pattern: str) -> tuple[re.Pattern[str], str]:
    """Return a pattern of the user's, and the name of what it finds.

    Raises:
        ConfigurationError: It is none, or finds nothing between any two letters.
    """
    try:
        compiled = re.compile(pattern)
    except re.error as error:
        raise ConfigurationError(f"`{pattern}` is no regular expression: {error}.") from error
    if compiled.fullmatch("") is not None:
        raise ConfigurationError(f"the pattern `{pattern}` matches the empty text, which stands everywhere.")
    return compiled, next(iter(compiled.groupindex), "by own pattern")


def _finding(start: int, placeholder: str) -> Finding:
    return Finding(placeholder.strip("<>").removeprefix("redacted").strip() or "credential", start)


def _is_secret(name: str, value: str) -> bool:
    """Tell whether a variable of the environment holds a credential."""
    if SECRET_VARIABLE.search(name):
        return len(value) >= SHORTEST_VALUE
    return KEY_VARIABLE.search(name) is not None and KEY_VALUE.fullmatch(value) is not None


def _is_credential(scheme: str, token: str) -> bool:
    """Tell a credential from prose: `basic introduction`, `Bearer authentication`, `Bearer YOUR_API_KEY`."""
    if scheme.lower() == "basic":
        return _is_user_and_password(token)
    in_one_word = len(token) >= 24 and not re.search(r"[._~+/=-]", token)
    return bool(re.search(r"\d", token)) or in_one_word or bool(len(token) >= 16 and re.search(r"[a-z][A-Z]", token))


def _is_user_and_password(token: str) -> bool:
    """Tell whether something is the base64 of `user:password`; what stands behind it may look like more of it."""
    letters = re.match(r"[A-Za-z0-9+/_-]*", token)
    coded = letters[0].replace("-", "+").replace("_", "/") if letters is not None else ""
    decoded = base64.b64decode(coded[: len(coded) // 4 * 4])
    text = decoded[:-3].decode("utf-8", "replace").rstrip("\ufffd")
    return b":" in decoded and "\ufffd" not in text and text.isprintable()


def _ways(name: str, value: str) -> Iterator[_Writing]:
    """Yield the ways in which a value may be written: in texts, JSON, JSON inside JSON, URLs and forms; in base64."""
    in_base64 = sorted(_in_base64(value.encode("utf-8", "surrogateescape")))
    for form in [value, *(form for form in in_base64 if len(form) >= SHORTEST_VALUE)]:
        mark = max(re.findall(r"[A-Za-z0-9]+", form), key=len, default="")
        yield _Writing(name, mark, re.compile("".join(_letter(letter) for letter in form)))


BACKSLASH = r"(?:\\|%(?:25)*5C)+"
"""As JSON writes it in JSON, in JSON inside JSON, and in the JSON of a URL."""


def _letter(letter: str) -> str:
    """Return a pattern of every way to write a letter; who escapes what differs from library to library."""
    if letter.isascii() and letter.isalnum():
        return letter
    in_url = "".join(f"%(?:25)*{byte:02X}" for byte in letter.encode("utf-8", "surrogateescape"))
    ways = [re.escape(letter), in_url]
    escapes = json.dumps(letter)[1:-1].split("\\")[1:]
    if letter == "\\":
        ways = [BACKSLASH]
    elif letter in {'"', "/"}:
        ways.append(f"{BACKSLASH}(?:{letter}|{in_url})")
    elif escapes:
        ways.append("".join(f"{BACKSLASH}{escape}" for escape in escapes))
    elif letter == " ":
        ways += [r"\+", "%(?:25)*2B"]
    return f"(?i:{'|'.join(ways)})"


def _in_base64(value: bytes) -> set[str]:
    """Return what is in the base64 of every text that holds a value, wherever in that text the value begins."""
    forms = set()
    for shift, unsure in ((0, 0), (1, 2), (2, 3)):
        sure = (shift + len(value)) * 8 // 6
        for encode in (base64.b64encode, base64.urlsafe_b64encode):
            forms.add(encode(bytes(shift) + value).decode()[unsure:sure])
    return forms
