"""Read a text as who decodes it would: escapes of JSON and of URLs, UTF-16 and base64, with the way back."""

from __future__ import annotations

import base64
import re
from bisect import bisect_right
from collections.abc import Iterator

FOLDED = re.compile(r"\x00|\\{1,8}u00(?:00|[2-7][0-9A-Fa-f])|%(?:25){0,4}(?:00|[2-7][0-9A-Fa-f])")
PLAIN = re.compile(r"[A-Za-z0-9_.:/?&=@~+\[\]-]")
"""What is unfolded; a quote or a backslash would change what is JSON."""

RUN = re.compile(r"[A-Za-z0-9+/_-]{24,}")
SHORT = 512
"""A run of base64 that is no longer may begin anywhere in what looks like it."""

Unfolded = tuple[str, list[int], list[int]]
"""A text, and where in it stretches begin that stand at which places of the text it was made of."""


def unfolded(text: str) -> Unfolded | None:
    """Return a text with its letters unfolded, and the way back; None where nothing is folded."""
    pieces: list[str] = []
    here, there = [0], [0]
    position = length = 0
    for match in FOLDED.finditer(text):
        letter = chr(int(match[0][-2:], 16)) if match[0] != "\0" else ""
        letter = "" if letter == "\0" else letter
        if letter and not PLAIN.match(letter):
            continue
        before = text[position : match.start()]
        pieces += [before, letter]
        position = match.end()
        length += len(before) + len(letter)
        if letter:
            here.append(length - 1)
            there.append(match.start())
        here.append(length)
        there.append(position)
    if not pieces:
        return None
    return "".join(pieces) + text[position:], here, there


def folded_place(way: Unfolded, position: int) -> int:
    """Return where a place of the unfolded text was in the text it was made of."""
    _, here, there = way
    at = bisect_right(here, position) - 1
    return there[at] + position - here[at]


def decoded(text: str) -> Iterator[tuple[int, int, str]]:
    """Yield `(start, step, letters)` of what stands in base64: its first letter, letters coded, and what they say.

    The step is that of 3 bytes to 4 letters, twice as much where the bytes are UTF-16 and squeezed.
    """
    for match in RUN.finditer(text):
        run = match[0].replace("-", "+").replace("_", "/")
        for skip in range(4) if len(run) <= SHORT else (0,):
            cut = (len(run) - skip) // 4 * 4
            if cut < 16:
                continue
            data = base64.b64decode(run[skip : skip + cut])
            step = 1
            if data.count(0) * 3 > len(data):
                data, step = data.replace(b"\0", b""), 2
            yield match.start() + skip, step, data.decode("latin-1")


def coded_place(start: int, step: int, first: int, last: int) -> tuple[int, int]:
    """Return which letters of base64 hold a stretch of what they say, in whole groups."""
    return start + first * step // 3 * 4, start + -(-(last * step + step - 1) // 3) * 4
