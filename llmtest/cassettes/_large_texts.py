"""Large texts that several bodies of a cassette have in common, written once.

A picture in three requests is one line at the end of the file, to which the three refer:

    - llmtest: {...}
      request:
        body: |-
          {
            ...
            "url": "llmtest:large:5d41402abc4b2a76b9719d911017c592"
          }
    large:
      5d41402abc4b2a76b9719d911017c592: |-
        data:image/png;base64,iVBORw0KGgo...
    version: 1

Where a whole body is there again, YAML's own way says so: `body: &large-1 |-`, and then `body: *large-1`, which vcrpy
reads too. An answer is never shortened otherwise, because vcrpy would play the reference.
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

LARGE = 16_384
"""Letters from which on a text is written once."""

HEAD = "large:\n"
REFERENCE = "llmtest:large:"
_REFERENCE = re.compile(rf"{REFERENCE}([0-9a-f]{{32}})")
_LINE = re.compile(r'( *(?:"[^"\\\n]*+(?:\\.[^"\\\n]*+)*+": )?")(.+)(",?)')
"""A line of JSON, one field a line, whose value is a text."""
_ENTRY = re.compile(r"^  ([0-9a-f]{32}): \|-\n    (.*)\n", re.MULTILINE)
_ANCHOR = re.compile(r"^( +)(body|string): &(large-\d+) (.*\n(?:\1 .*\n|\n)*)", re.MULTILINE)
_ALIAS = re.compile(r"^( +(?:body|string): )\*(large-\d+)\n", re.MULTILINE)
_ANCHORED = re.compile(r"^( +(?:body|string): )&large-\d+ ", re.MULTILINE)

Sides = tuple[str | bytes, str | bytes]
"""The bodies of a request and of its answer, as they would be written."""


class LargeTexts:
    """What of some bodies is written once; asked in the order in which they are written.

    Args:
        bodies: The bodies of every interaction.
    """

    def __init__(self, bodies: Iterable[Sides]) -> None:
        whole: Counter[tuple[int, str | bytes]] = Counter()
        for sides in bodies:
            whole.update((side, body) for side, body in enumerate(sides) if len(body) >= LARGE)
        repeated = [each for each, count in whole.items() if count > 1]
        self._anchors = {each: f"large-{number}" for number, each in enumerate(repeated, 1)}
        self._written: set[str] = set()
        texts = Counter(text for side, body in whole if side == 0 for text in _texts_in(body))
        self._names = {text: _digest(text) for text, count in texts.items() if count > 1}

    def placed(self, side: int, body: str | bytes, name: str, written: str) -> str:
        """Return how a body is written that may be there several times.

        Args:
            side: 0 for a request, 1 for an answer.
            body: The body.
            name: The last key before it.
            written: How it is written otherwise, from its keys on.
        """
        anchor = self._anchors.get((side, body)) if self._anchors else None
        if anchor is None:
            return written
        keys, key, value = written.partition(f"{name}: ")
        if anchor in self._written:
            return f"{keys}{key}*{anchor}\n"
        self._written.add(anchor)
        return f"{keys}{key}&{anchor} {value}"

    def shortened(self, body: str) -> str:
        """Return JSON, one field a line, with references to the texts that are written at the end."""
        if not self._names or len(body) < LARGE:
            return body
        lines = body.split("\n")
        for number, line in enumerate(lines):
            match = _LINE.fullmatch(line) if len(line) >= LARGE else None
            if match is not None and match[2] in self._names:
                lines[number] = f"{match[1]}{REFERENCE}{self._names[match[2]]}{match[3]}"
        return "\n".join(lines)

    def ending(self) -> str:
        """Return what is written behind the interactions."""
        entries = "".join(f"  {name}: |-\n    {text}\n" for text, name in self._names.items())
        return HEAD + entries if entries else ""


class WrittenOnce:
    """Reads what was written once back into the text of an interaction.

    Args:
        text: The text of the file.
        end: Where its interactions end.
    """

    def __init__(self, text: str, end: int) -> None:
        self._texts = {match[1]: match[2] for match in _ENTRY.finditer(text, end)}
        self._bodies: dict[str, str] = {}
        for match in _ANCHOR.finditer(text, 0, end):
            self._bodies.setdefault(match[3], match[4])

    def restored(self, piece: str) -> str:
        """Return the text of an interaction as it would be if nothing were written once."""
        if self._bodies:
            piece = _ANCHORED.sub(r"\1", piece)
            piece = _ALIAS.sub(lambda match: match[1] + self._bodies.get(match[2], f"*{match[2]}\n"), piece)
        return with_texts(piece, self._texts)


def with_texts(text: str, large: Mapping[str, Any]) -> str:
    """Return a text with what its references stand for; one that stands for nothing is left."""
    if not large or REFERENCE not in text:
        return text
    return _REFERENCE.sub(lambda match: str(large.get(match[1], match[0])), text)


def put_back(entries: Iterable[Any], large: Mapping[str, Any]) -> None:
    """Put large texts back into the entries of a file that somebody has laid out anew."""
    for entry in entries:
        request = entry.get("request") if isinstance(entry, dict) else None
        if isinstance(request, dict) and isinstance(request.get("body"), str):
            request["body"] = with_texts(request["body"], large)


def _texts_in(body: str | bytes) -> Iterable[str]:
    """Yield the large texts of JSON that is written one field a line."""
    if not isinstance(body, str) or not body.startswith(("{\n", "[\n")):
        return
    for line in body.split("\n"):
        match = _LINE.fullmatch(line) if len(line) >= LARGE else None
        if match is not None and len(match[2]) >= LARGE:
            yield match[2]


def _digest(text: str) -> str:
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()
