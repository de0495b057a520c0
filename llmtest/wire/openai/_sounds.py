"""Silence as bytes that every player of their format takes."""

from __future__ import annotations

import struct

__all__ = ["CONTENT_TYPES", "RATE", "silence"]

RATE = 24_000
"""Samples a second of OpenAI's speech: its guide to text to speech."""
CONTENT_TYPES = {
    "mp3": "audio/mpeg",
    "opus": "audio/opus",
    "aac": "audio/aac",
    "flac": "audio/flac",
    "wav": "audio/wav",
    "pcm": "audio/pcm",
}
_MP3 = b"\xff\xf3\x84\xc4" + bytes(188)
"""A frame of MPEG 2 layer III at 64 kbit/s and 24 kHz, one channel, of which every count is nothing: 576 samples."""
_AAC = b"\x00\xc8\x00\x80\x23\x80"
"""A block of AAC LC, one channel, of 1024 samples without a sound."""
_OPUS = b"\xf8\xff\xfe"
"""A packet of 20 ms without a sound: RFC 6716, 3.1; and of the decoder's tests."""


def silence(form: str, seconds: float) -> bytes:
    """Return silence.

    Args:
        form: One of `CONTENT_TYPES`.
        seconds: How long it is, about; above 0.
    """
    samples = max(1, round(seconds * RATE))
    if form == "pcm":
        return bytes(2 * samples)
    if form == "wav":
        return _wav(samples)
    if form == "flac":
        return _flac(samples)
    if form == "opus":
        return _ogg(max(1, round(seconds * 50)))
    if form == "aac":
        return _adts() * max(1, round(samples / 1024))
    return _MP3 * max(1, round(samples / 576))


def _wav(samples: int) -> bytes:
    size = 2 * samples
    form = struct.pack("<IHHIIHH", 16, 1, 1, RATE, 2 * RATE, 2, 16)
    return b"RIFF" + struct.pack("<I", 36 + size) + b"WAVEfmt " + form + b"data" + struct.pack("<I", size) + bytes(size)


def _adts() -> bytes:
    """Return a frame with its header: ISO 13818-7, 6.2; profile LC, index 6 is 24 kHz, one channel."""
    size = 7 + len(_AAC)
    head = 0xFFF1 << 40 | 1 << 38 | 6 << 34 | 1 << 30 | size << 13 | 0x7FF << 2
    return head.to_bytes(7, "big") + _AAC


def _crc(data: bytes, polynomial: int, bits: int) -> int:
    """Return a checksum, the highest bit first, that begins with nothing."""
    value, top = 0, 1 << (bits - 1)
    for byte in data:
        value ^= byte << (bits - 8)
        for _ in range(8):
            value = (value << 1 ^ polynomial if value & top else value << 1) & (1 << bits) - 1
    return value


def _flac(samples: int) -> bytes:
    """Write frames of 4096 samples that are all nothing: RFC 9639, 8 and 9."""
    size = 4096
    count = -(-samples // size)
    info = struct.pack(">HH", size, size) + bytes(6)
    info += (RATE << 44 | 0 << 41 | 15 << 36 | count * size).to_bytes(8, "big") + bytes(16)
    found = b"fLaC" + b"\x80" + len(info).to_bytes(3, "big") + info
    for number in range(count):
        # Fixed size of 4096, the rate and width of the head, one channel, the number of the frame as UTF-8 has it.
        frame = b"\xff\xf8\xc0\x00" + chr(number).encode()
        frame += bytes([_crc(frame, 0x07, 8)]) + b"\x00\x00\x00"
        found += frame + _crc(frame, 0x8005, 16).to_bytes(2, "big")
    return found


def _ogg(packets: int) -> bytes:
    """Write packets of 20 ms in pages: RFC 3533, 6, and RFC 7845."""
    head = b"OpusHead" + struct.pack("<BBHIHB", 1, 1, 0, RATE, 0, 0)
    tags = b"OpusTags" + struct.pack("<I", 7) + b"llmtest" + struct.pack("<I", 0)
    pages = [_page(0, 2, 0, [head]), _page(1, 0, 0, [tags])]
    for start in range(0, packets, 100):
        here = min(100, packets - start)
        last = start + here == packets
        pages.append(_page(len(pages), 4 if last else 0, 960 * (start + here), [_OPUS] * here))
    return b"".join(pages)


def _page(number: int, flags: int, position: int, packets: list[bytes]) -> bytes:
    sizes = bytes(map(len, packets))
    head = b"OggS" + struct.pack("<BBqII", 0, flags, position, 1, number)
    rest = bytes([len(sizes)]) + sizes + b"".join(packets)
    return head + struct.pack("<I", _crc(head + bytes(4) + rest, 0x04C11DB7, 32)) + rest
