"""What people write where a credential stood: words, rows of one letter, templates, documented examples."""

from __future__ import annotations

import re
from functools import cache

from llmtest.cassettes._secret_names import PLACEHOLDER
from llmtest.wire import dialects

_SAYING = (
    "anonymised anonymized changeme cleaned dummy empty example fake filtered foo bar hidden invalid masked mock "
    "mocked noop none null obfuscated omitted placeholder real redacted removed replaced sample sanitised sanitized "
    "scrubbed stripped test testing tests unused"
)
SAYING = frozenset(_SAYING.split())
"""Words of which one is enough, beside words that say nothing and runs of counting digits."""

_NEUTRAL = (
    "a access account admin ai ant any api api03 app auth authorization basic bearer client cookie credential enter "
    "for goes header here id in insert is key local my needed no not of org organization own password proj project put "
    "request required secret session set sk sp svcacct team tenant the this to token use user v1 value x you your"
)
NEUTRAL = frozenset(_NEUTRAL.split())

COUNTING = "01234567890123456789"
ALPHABET = "abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyz"
TEMPLATE = re.compile(r"\W*(?:\$?\{+.*\}+|<.*>|%[A-Za-z_]+%|\[.*\]|\(.*\))\W*", re.DOTALL)
MARKED = re.compile(r"(?:^|[\W_])X{3,}(?:[\W_]|$)")
"""crewAI's `AUTHORIZATION-XXX`, `OPENAI-ORG-XXX`."""
DOCUMENTED = re.compile(r"(?:AKIA|ASIA)[A-Z0-9]*EXAMPLE|wJalrXUtnFEMI/K7MDENG.*EXAMPLEKEY")
"""Amazon's own examples of keys, in all of its documentation."""


@cache
def _names() -> frozenset[str]:
    """Return the words of the names of providers: `test_openai_api_key`."""
    return frozenset(word for name in dialects() for word in re.split(r"[\W_]+", name) if word)


def is_placeholder(value: str) -> bool:
    """Tell whether the value of a header or of a parameter only marks where a credential was, or is none."""
    scheme, space, rest = value.strip().partition(" ")
    value = rest if space and scheme.lower() in {"bearer", "basic", "token"} else value.strip()
    if not value.strip(" *.<>[](){}-_") or value.startswith("<") or PLACEHOLDER.fullmatch(value):
        return True
    bare = re.sub(r"[\W_]+", "", value)
    return (
        says_placeholder(value)
        or (len(bare) >= 6 and (len(set(bare)) <= 2 or _counts(bare.lower())))
        or _is_name(value)
    )


def says_placeholder(text: str) -> bool:
    """Tell whether a text says of itself that it is no credential."""
    if TEMPLATE.fullmatch(text) or MARKED.search(text) or DOCUMENTED.search(text):
        return True
    words = [word.lower() for word in re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+", text)]
    rest = [word for word in words if word not in SAYING and word not in NEUTRAL and word not in _names()]
    return bool(SAYING & {*words}) and all(_counts(word) or _is_row(word) for word in rest)


def _is_name(value: str) -> bool:
    """Tell whether a value is made of words that say what stood there: `openai_api_key`, `ollama`."""
    words = [word.lower() for word in re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+", value)]
    return bool(words) and all(word in NEUTRAL or word in _names() or _is_row(word) for word in words)


def _counts(word: str) -> bool:
    """Tell whether a text counts on: `1234567890`, `abcdef`, `123`."""
    return len(word) >= 3 and (word in COUNTING or word in ALPHABET)


def _is_row(word: str) -> bool:
    return len(word) >= 3 and len(set(word)) == 1
