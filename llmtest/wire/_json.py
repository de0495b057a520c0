"""JSON as providers read and write it: strict in, compact out, and every failure a `ValueError`."""

from __future__ import annotations

import json
from collections.abc import Callable
from json import encoder as _json_encoder
from typing import Any

__all__ = ["count", "dump_string", "dump_text", "dumps", "dumps_text", "encoder_of", "is_counted", "loads"]


def encoder_of(key_separator: str, *, ascii_only: bool) -> Callable[[Any], str]:
    """Return what writes JSON on one line, commas without spaces.

    The standard encoder makes its inner one anew for every value, which takes as long as writing a small one does.

    Args:
        key_separator: What stands between a key and its value.
        ascii_only: Whether letters outside ASCII are escaped.
    """
    whole = json.JSONEncoder(ensure_ascii=ascii_only, separators=(",", key_separator))
    make: Any = getattr(_json_encoder, "c_make_encoder", None)
    if make is None:  # an interpreter without it
        return whole.encode
    string = _json_encoder.encode_basestring_ascii if ascii_only else _json_encoder.encode_basestring
    write = make(None, whole.default, string, None, key_separator, ",", False, False, True)

    def encode(value: Any) -> str:
        try:
            return "".join(write(value, 0))
        except RecursionError as error:
            raise ValueError("nested too deeply") from error

    return encode


_ENCODE = encoder_of(":", ascii_only=False)
_ENCODE_ASCII = encoder_of(":", ascii_only=True)


def _reject_constant(name: str) -> Any:
    raise ValueError(f"`{name}` is not JSON")


_DECODER = json.JSONDecoder(parse_constant=_reject_constant)
_DECODE = _DECODER.decode
_SCAN: Callable[[str, int], tuple[Any, int]] = _DECODER.scan_once  # type: ignore[attr-defined]  # left out of typeshed


def loads(body: bytes | str) -> Any:
    """Parse JSON; `NaN`, wrong UTF-8 and nesting beyond all measure are errors like any other.

    Raises:
        ValueError: The body is not JSON.
    """
    text = body if isinstance(body, str) else body.decode().removeprefix("\ufeff")
    try:
        try:
            value, end = _SCAN(text, 0)
        except StopIteration:  # Spaces before it, or no JSON at all, which `decode` tells apart.
            return _DECODE(text)
        # Most bodies end where their value ends; looking for spaces around it costs as much as reading it.
        return value if end == len(text) else _DECODE(text)
    except RecursionError as error:
        raise ValueError("nested too deeply") from error


def dumps_text(value: Any) -> str:
    """Write compact JSON text, with letters outside ASCII as they are."""
    return _ENCODE(value)


def dump_text(value: Any) -> str:
    """Write compact JSON text that UTF-8 can hold: half of a surrogate pair is escaped."""
    text = _ENCODE(value)
    if text.isascii():
        return text
    try:
        text.encode()
    except UnicodeEncodeError:
        return _ENCODE_ASCII(value)
    return text


def dump_string(value: str) -> str:
    """Write a text as JSON that UTF-8 can hold."""
    text = _json_encoder.encode_basestring(value)
    if text.isascii():
        return text
    try:
        text.encode()
    except UnicodeEncodeError:
        return _json_encoder.encode_basestring_ascii(value)
    return text


def dumps(value: Any) -> bytes:
    """Write compact JSON in UTF-8."""
    try:
        return _ENCODE(value).encode()
    except UnicodeEncodeError:
        return _ENCODE_ASCII(value).encode()


def count(value: object) -> int:
    """Read a token count that may be missing, null or of a wrong type."""
    if type(value) is int:
        return max(value, 0)
    return int(value) if isinstance(value, float) and 0 <= value < 1e15 else 0


def is_counted(*values: object) -> bool:
    """Tell whether somebody has counted: there is at least one number of tokens, and none is below zero."""
    found = False
    for value in values:
        if type(value) is int or type(value) is float:
            if value < 0:
                return False
            found = True
    return found
