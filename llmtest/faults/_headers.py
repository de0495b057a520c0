"""Headers that an answer can carry (RFC 9110 section 5)."""

from __future__ import annotations

import re
from typing import Any

from llmtest.errors import ConfigurationError

__all__ = ["check_header"]

FRAMING = ("content-length", "transfer-encoding")
"""Headers that say how a body travels: whoever carries an answer writes them."""

_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_VALUE = re.compile(r"[\t -~]*")


def check_header(owner: str, example: str, name: Any, value: Any) -> None:
    """Refuse a header that no answer can carry.

    Args:
        owner: What was given it, such as `Reply`.
        example: A call that is right, as `Reply(text, headers={"x-note": "..."})`.
        name: Its name.
        value: Its text.

    Raises:
        ConfigurationError: It cannot be sent, or says how the body travels.
    """
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise ConfigurationError(
            f"{owner}: {name!r} is no name of a header.\n\nTo fix: letters, digits and hyphens, as in {example}"
        )
    if not isinstance(value, str) or not _VALUE.fullmatch(value):
        raise ConfigurationError(
            f"{owner}: the header `{name}` cannot be {value!r}.\n\nTo fix: a text of ASCII characters, on one line"
        )
    if name.lower() in FRAMING:
        raise ConfigurationError(
            f"{owner}: the header `{name}` says how the body travels, and is written by whoever carries it.\n\n"
            "To fix: leave it out; for a body that stays incomplete, faults.StreamDropped(after_chunks=0)"
        )
