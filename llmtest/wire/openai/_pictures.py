"""Pictures of one colour and any size, as bytes that every reader of their format takes: they weigh next to nothing."""

from __future__ import annotations

import struct
import zlib
from functools import lru_cache

__all__ = ["picture"]

Colour = tuple[int, int, int]


@lru_cache(maxsize=64)
def picture(form: str, width: int, height: int, colour: Colour) -> bytes:
    """Return a picture.

    Args:
        form: `png`, `jpeg` or `webp`.
        width: Pixels, 1 or more.
        height: Pixels, 1 or more.
        colour: Red, green and blue, each from 0 to 255; a JPEG has the grey of the green alone.
    """
    return {"png": _png, "jpeg": _jpeg, "webp": _webp}[form](width, height, colour)


def _png(width: int, height: int, colour: Colour) -> bytes:
    """Write a palette of one colour and rows of its number: one bit a pixel (PNG specification, 11.2)."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    row = bytes(1 + (width + 7) // 8)
    head = struct.pack(">IIBBBBB", width, height, 1, 3, 0, 0, 0)
    body = chunk(b"IHDR", head) + chunk(b"PLTE", bytes(colour)) + chunk(b"IDAT", zlib.compress(row * height, 9))
    return b"\x89PNG\r\n\x1a\n" + body + chunk(b"IEND", b"")


def _jpeg(width: int, height: int, colour: Colour) -> bytes:
    """Write blocks that are all like the first: a difference of nothing and an end, one bit each (ITU T.81)."""

    def segment(marker: int, data: bytes) -> bytes:
        return struct.pack(">BBH", 0xFF, marker, len(data) + 2) + data

    # The sum of a block of equal values is eight times each, and the table divides it by eight.
    # Codes: `0` for no difference, `10` for one of `size` bits; for the rest of a block `0`, its end.
    value = colour[1] - 128
    size = abs(value).bit_length()
    dc = bytes([1, 1, *([0] * 14)]) + bytes([0, size or 1])
    ac = bytes([1, *([0] * 15)]) + bytes([0])
    blocks = ((width + 7) // 8) * ((height + 7) // 8)
    first = "10" + format(value if value > 0 else value + (1 << size) - 1, f"0{size}b") if value else "0"
    bits = first + "0" + "00" * (blocks - 1)
    bits += "1" * (-len(bits) % 8)
    scan = int(bits, 2).to_bytes(len(bits) // 8, "big").replace(b"\xff", b"\xff\x00")
    return (
        b"\xff\xd8"
        + segment(0xE0, b"JFIF\x00\x01\x01\x00\x00\x01\x00\x01\x00\x00")
        + segment(0xDB, b"\x00" + bytes([8] * 64))
        + segment(0xC0, struct.pack(">BHHBBBB", 8, height, width, 1, 1, 0x11, 0))
        + segment(0xC4, b"\x00" + dc)
        + segment(0xC4, b"\x10" + ac)
        + segment(0xDA, b"\x01\x01\x00\x00\x3f\x00")
        + scan
        + b"\xff\xd9"
    )


def _webp(width: int, height: int, colour: Colour) -> bytes:
    """Write five codes of one symbol each, so that a pixel takes no bit (WebP lossless specification)."""
    bits: list[tuple[int, int]] = [(width - 1, 14), (height - 1, 14), (0, 1), (0, 3), (0, 1), (0, 1), (0, 1)]
    red, green, blue = colour
    for symbol in (green, red, blue, 255, 0):
        bits += [(1, 1), (0, 1), (1, 1), (symbol, 8)]
    number = place = 0
    for value, size in bits:
        number |= value << place
        place += size
    data = b"\x2f" + number.to_bytes((place + 7) // 8, "little")
    padded = data + bytes(len(data) % 2)
    return b"RIFF" + struct.pack("<I", 12 + len(padded)) + b"WEBPVP8L" + struct.pack("<I", len(data)) + padded
