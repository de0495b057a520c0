"""Ids in each provider's own form, built from numbers that the caller draws: wire has no randomness of its own."""

from __future__ import annotations

from functools import cache

_BASE62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_BASE58 = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
_SPREAD = 0x9E3779B97F4A7C15F39CC0605CEDC8341082276BF3A27251F86C6A11D0C18E95
_MASK = (1 << 256) - 1


def letters(value: int, length: int, alphabet: str = _BASE62) -> str:
    """Return `length` letters, 32 at most, that depend on every bit of `value`, small numbers too."""
    value = (value + 1) * _SPREAD & _MASK
    value ^= value >> 128
    return value.to_bytes(32, "little")[:length].translate(_letter_of_byte(alphabet)).decode("ascii")


@cache
def _letter_of_byte(alphabet: str) -> bytes:
    """Return the letter that each byte becomes: one look-up instead of a division of a long number."""
    return bytes(ord(alphabet[byte % len(alphabet)]) for byte in range(256))


def hexadecimal(value: int, length: int) -> str:
    """Return `length` hexadecimal digits, in the same way."""
    value = (value + 1) * _SPREAD & _MASK
    value ^= value >> 128
    return f"{value & (1 << 4 * length) - 1:0{length}x}"


def uuid(value: int) -> str:
    """Return a UUID of the fourth version, in the same way."""
    digits = hexadecimal(value, 32)
    return f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-a{digits[17:20]}-{digits[20:]}"


def base58(value: int, length: int) -> str:
    """Return `length` letters without those that look alike, as Anthropic's ids have them."""
    return letters(value, length, _BASE58)
