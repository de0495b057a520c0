"""Credentials by the name that stands before them: which names say so, and what of their values is one."""

from __future__ import annotations

import re
from collections.abc import Callable, Generator, Iterator
from functools import lru_cache
from typing import Literal

Trust = Literal["word", "key", "weak", "bare", "link"]
"""How much a name says: `word` (`password`: any word is one), `key` (`api_key`: what has a digit), `weak` (`token`:
what is a little longer), `bare` (`key`: what looks drawn at random), `link` (`signature`, `code`: in URLs only)."""

WORDS = {
    "password": "password",
    "passwd": "password",
    "pwd": "password",
    "passphrase": "password",
    "passcode": "password",
    "secret": "secret",
    "credential": "credential",
    "apikey": "key",
    "accesskey": "key",
    "secretkey": "key",
    "privatekey": "key",
    "key": "key",
    "authtoken": "token",
    "accesstoken": "token",
    "token": "token",
    "jwt": "token",
    "bearer": "token",
    "auth": "auth",
    "authorization": "auth",
    "authentication": "auth",
    "cookie": "cookie",
    "signature": "signature",
    "sig": "signature",
    "code": "code",
}
"""The words of a name that make it one of a credential, each with what its placeholder says."""
NAMED_KINDS = tuple(dict.fromkeys(WORDS.values()))

_KEY_WORDS = (
    "account admin api app application access auth client consumer deploy encryption functions host license master "
    "personal private secret service shared signing ssh storage subscription webhook"
)
KEY_WORDS = frozenset(_KEY_WORDS.split())
"""What a key is the key of, where it is a credential."""
_WORDS_OF_TOKENS = (
    "access api app auth bearer bot csrf deploy device id personal private push refresh security service session "
    "subscription user vault xsrf"
)
TOKEN_WORDS = frozenset(_WORDS_OF_TOKENS.split())
_HARMLESS = (
    "allow backup bos cache cancel cls columns continuation dedupe eos foreign group idempotency image mask next "
    "object page pad partition per primary prompt public query range ratelimit reset row sep sort special stop "
    "surrogate sync unk websocket"
)
HARMLESS = frozenset(_HARMLESS.split())
"""Words of names that no credential has: `next_page_token`, `eos_token`, `prompt_cache_key`, `primary_key`."""

PLACEHOLDER = re.compile(
    r"\W*(?:(?:redacted|filtered|scrubbed|sanitized|removed|hidden|masked|dummy|fake|mock|test|testing|example|unused"
    r"|none|null|placeholder|secret|your|my|some|api|access|auth|key|token|value|header|cookie|id|org|x{3,}(?!x))"
    r"[\W_]*)+",
    re.IGNORECASE,
)
"""What people write where a credential stood."""
_NO_VALUE = (
    "any anything bool boolean bytes default disabled enabled false int integer number object optional pass password "
    "passwd passphrase required str string text true type undefined unknown varchar"
)
NO_VALUE = frozenset(_NO_VALUE.split())
"""What schemas and forms say of a value instead of one."""

NAME = r"[a-z0-9_.\[\]-]"
NAMED = re.compile(
    r"(?:token|secret|passw|passphrase|passcode|pwd|key|auth|credential|signature|sig|jwt|bearer|cookie|code)"
    rf"{NAME}{{0,32}}(?:\\{{0,15}}[\"'])?[ \t]{{0,4}}[:=]"
)
"""Where a name ends that may be one of a credential; in a text of small letters."""
BEFORE = re.compile(r"[A-Za-z0-9_.\[\]-]{0,48}\Z")
QUOTE = re.compile(r"\s{0,40}(\\{0,15}[\"'])")
BARE = re.compile(r"[ \t]{0,4}([^\s&;,\"'\\<>(){}\[\]$`]{3,4096})")
OPENING = re.compile(r"\s{0,40}([\[{])")
STRING = re.compile(r"(\\{0,15}\")([A-Za-z0-9_+/=.~-]{8,512})\\{0,15}\"(?!\s{0,4}:)")
PART = re.compile(r"\bname=\"([^\"\r\n]{1,64})\"[^\r\n]{0,200}\r?\n(?:[^\r\n]{1,200}\r?\n){0,4}\r?\n([^\r\n]{1,4096})")
"""A part of an uploaded form."""
LONGEST = 8192


def words_of(name: str) -> list[str]:
    """Return the words of a name, however they are set apart: `x-api-key`, `X_API_KEY`, `xApiKey`."""
    words = re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+", name)
    while words and words[-1].isdigit():
        words.pop()
    return [word.lower() for word in words]


def _singular(word: str) -> str:
    return word[:-1] if word.endswith("s") and word[:-1] in WORDS else word


@lru_cache(maxsize=4096)
def trust_of(name: str) -> Trust | None:
    """Return how sure a name says that its value is a credential; None where it does not."""
    words = words_of(name)
    if not words or HARMLESS & {*words}:
        return None
    if words[-1] == "id" and words[-2:-1] == ["key"] and {"private", "access"} & {*words}:
        return "key"
    last, others = _singular(words[-1]), {*words[:-1]}
    kind = WORDS.get(last)
    if kind is None or (words[-1] == "tokens" and others and not TOKEN_WORDS & others) or (kind == "code" and others):
        return None  # nothing, a count, or the code of something else
    return _trust_of(kind, last, others)


def _trust_of(kind: str, last: str, others: set[str]) -> Trust:
    if kind in {"password", "secret"} or (kind == "key" and "secret" in {last.removesuffix("key"), *others}):
        return "word"
    if kind in {"signature", "code"}:
        return "link"
    if last == "key":
        return "key" if KEY_WORDS & others else "bare"
    if kind in {"credential", "key"}:
        return "key"
    return "key" if kind == "token" and (last != "token" or TOKEN_WORDS & others) else "weak"


def names_header(name: str) -> bool:
    """Tell whether a header is called a credential."""
    words = words_of(name)
    return words != ["code"] and (
        trust_of(name) is not None or ("jwt" in words and not HARMLESS & {*words}) or words[-1:] == ["apikey"]
    )


def names_parameter(name: str, value: str) -> bool:
    """Tell whether a parameter of a URL holds a credential."""
    trust = trust_of(name)
    if trust is None or not value or value.startswith("<"):
        return False
    if trust == "bare" or words_of(name)[-1] in {"code", "tokens"}:
        return looks_like_key(value, 8)
    return True


def kind_of_name(name: str) -> str:
    """Return what the placeholder of a named credential says."""
    words = words_of(name)
    return WORDS.get(_singular(words[-1]), "key") if words else "key"


def named(text: str, kept: Callable[[str], bool]) -> Iterator[tuple[int, int, str]]:
    """Yield `(start, end, kind)` of what stands behind the name of a credential: in JSON, forms, URLs and texts.

    Args:
        text: Any text; JSON inside JSON is one too.
        kept: Whether a name is to be passed over.
    """
    small = text.lower()
    if len(small) != len(text):  # a few letters have no small one of the same length
        small = "".join(letter.lower() if letter.isascii() else letter for letter in text)
    seen = 0
    for match in NAMED.finditer(small):
        start, stop = match.span()
        before = BEFORE.search(text, max(0, start - 48), start)
        begins = before.start() if before is not None else start
        name = text[begins : stop - 1].rstrip(" \t\"'\\")
        trust = trust_of(name)
        if trust is None or kept(name):
            continue
        kind = kind_of_name(name)
        quoted = text[stop - 2] in "\"'" or text[begins + len(name) : begins + len(name) + 1] in {'"', "'", "\\"}
        opening = OPENING.match(text, stop) if trust != "link" else None
        if opening is not None:
            if opening.end() >= seen:
                seen = yield from _inside(text, opening, kind)
            continue
        quote = QUOTE.match(text, stop)
        if quote is not None:
            end = _closing(text, quote.end(), quote[1])
            if end > 0 and trust != "link" and is_value(text[quote.end() : end], trust):
                yield quote.end(), end, kind
            continue
        value = BARE.match(text, stop)
        if value is None or (quoted and text[stop - 1] == ":") or text[value.end() : value.end() + 1] in {"(", "["}:
            continue
        in_form = (begins == 0 or text[begins - 1] in "&?") and text[value.end() : value.end() + 1] in {"", "&"}
        if _is_bare_value(value[1], trust, name, text[stop - 1], in_form=in_form):
            yield *value.span(1), kind
    for match in PART.finditer(text) if "name=" in text else ():
        trust = trust_of(match[1])
        if trust not in {None, "link"} and not kept(match[1]) and is_value(match[2], trust):
            yield *match.span(2), kind_of_name(match[1])


def _inside(text: str, opening: re.Match[str], kind: str) -> Generator[tuple[int, int, str], None, int]:
    """Yield the keys in a list or an object that is called so; returns where it ends."""
    start = opening.end()
    end = text.find("]" if opening[1] == "[" else "}", start, start + LONGEST)
    end = min(start + LONGEST, len(text)) if end < 0 else end
    if re.search(r"\"type\\{0,15}\"\s{0,4}:|\"type\\{1,15}\"", text[start : start + 200]) is None:
        for match in STRING.finditer(text, start, end):
            if looks_like_key(match[2], 8):
                yield *match.span(2), kind
    return end


def _closing(text: str, start: int, quote: str) -> int:
    """Return where a quoted text ends; what is escaped deeper than its quotes does not end it."""
    position = start
    while (position := text.find(quote, position, start + LONGEST)) >= 0:
        behind = position - len(text[max(start, position - 16) : position].rstrip("\\")) - max(start, position - 16)
        if behind % 2 == 0:
            return position
        position += 1
    return -1


def is_value(value: str, trust: Trust | None) -> bool:
    """Tell whether the value of a field is a credential, as sure as its name says."""
    if value[:1] in {"<", "$", "{", "%", ""} or value.lower() in NO_VALUE or "://" in value[:64]:
        return False
    scheme, space, rest = value.partition(" ")
    value = rest if space and scheme.lower() in {"bearer", "basic", "token", "apikey", "key", "digest"} else value
    if re.search(r"\s|\\+n", value) or (len(value) < 64 and PLACEHOLDER.fullmatch(value)):
        return False
    if trust == "word":
        return len(value) >= 4
    if trust in {"key", "weak"}:
        return looks_like_key(value, 6 if trust == "key" else 8)
    return is_random(value)


def _is_bare_value(value: str, trust: Trust, name: str, sign: str, *, in_form: bool) -> bool:
    if trust == "link":
        return sign == "=" and looks_like_key(value, 10)
    if trust == "bare" and sign == ":":
        return False
    if in_form:
        return is_value(value, trust)
    if trust == "word":
        return is_value(value, trust) and re.search(r"\d", value) is not None
    return is_value(value, trust) and (trust != "weak" or name.lower() != "token" or len(value) >= 8)


def looks_like_key(value: str, shortest: int) -> bool:
    """Tell whether a value is no word: it has digits and letters, or is a long row of letters."""
    if len(value) < shortest or re.search(r"\s", value):
        return False
    if re.search(r"\d", value) and re.search(r"[A-Za-z]", value):
        return True
    return re.fullmatch(r"\d{12,}", value) is not None or any(
        len(part) >= 20 for part in re.findall(r"[A-Z]?[a-z]+|[A-Z]+", value)
    )


def is_random(value: str) -> bool:
    """Tell whether a value looks drawn at random, for where its name says little."""
    if not re.fullmatch(r"[A-Za-z0-9_+/=~-]{16,4096}", value):
        return False
    runs = [run for run in re.findall(r"[A-Za-z0-9+/]{16,}", value) if re.search(r"\d", run)]
    return any(
        (re.search(r"[a-z]", run) and re.search(r"[A-Z]", run)) or re.fullmatch(r"[0-9a-f]{32,}", run) for run in runs
    )
