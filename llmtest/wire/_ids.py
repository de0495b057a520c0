"""Ids in each provider's own form, built from numbers that the caller draws: wire has no randomness of its own."""

from __future__ import annotations

from functools import cache

_BASE62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_BASE58 = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
_SPREAD = 0x9E3779B97F4A7C15F39CC0605CEDC8341082276BF3A27251F86C6A11D0C18E95
_MASK = (1 << 256) - 1
_AT_ONCE = 4
"""Letters that are cut off a number in one division: dividing a number of 256 bits is what an id costs."""


def letters(value: int, length: int, alphabet: str = _BASE62) -> str:
    """Return `length` letters that depend on every bit of `value`, small numbers too."""
    value = (value + 1) * _SPREAD & _MASK
    value ^= value >> 128
    pairs = _pairs(alphabet)
    size = len(pairs)
    found = []
    for _ in range(-(-length // _AT_ONCE)):
        value, rest = divmod(value, size * size)
        found.append(pairs[rest % size])
        found.append(pairs[rest // size])
    return "".join(found)[:length]


@cache
def _pairs(alphabet: str) -> list[str]:
    """Return every two letters, by the number they stand for; the lower digit comes first."""
    return [first + second for second in alphabet for first in alphabet]


def hexadecimal(value: int, length: int) -> str:
    """Return `length` hexadecimal digits, in the same way."""
    value = (value + 1) * _SPREAD & _MASK
    value ^= value >> 128
    return f"{value & (1 << 4 * length) - 1:0{length}x}"


def base58(value: int, length: int) -> str:
    """Return `length` letters without those that look alike, as Anthropic's ids have them."""
    return letters(value, length, _BASE58)
