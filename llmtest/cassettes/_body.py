"""How a body is written so that a person can read it and a machine can restore every byte.

A JSON body is written pretty-printed, one field a line, so that a change shows as a one-line diff; how it was
formatted on the wire is kept beside it as a hint, and the hint is only used where it restores the very bytes.
Everything else is kept as text, or as base64 where it is no text.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal

Separation = Literal["compact", "spaced", "mixed"]
SEPARATORS: dict[Separation, tuple[str, str]] = {"compact": (",", ":"), "spaced": (", ", ": "), "mixed": (",", ": ")}


@dataclass(frozen=True, slots=True)
class JsonStyle:
    """How JSON was formatted: enough to write the same bytes again.

    Args:
        separators: `compact` (`,` `:`), `spaced` (`, ` `: `) or `mixed` (`,` and `: `, as pretty printers write).
        indent: Spaces of indentation; None for one line.
        ascii: Whether characters outside ASCII were escaped.
        ending: What followed the document: usually nothing, or a newline.
    """

    separators: Separation = "compact"
    indent: int | None = None
    ascii: bool = False
    ending: str = ""

    def write(self, value: Any) -> str:
        """Write a value in this style."""
        return _encoder(self.separators, self.indent, self.ascii).encode(value) + self.ending

    def as_hint(self) -> str:
        """Write the style as one word for the file: `compact`, `spaced ascii`, `mixed indent=2 newline`."""
        words: list[str] = [self.separators]
        if self.indent is not None:
            words.append(f"indent={self.indent}")
        if self.ascii:
            words.append("ascii")
        if self.ending:
            words.append(f"ending={json.dumps(self.ending)}")
        return " ".join(words)

    @classmethod
    @lru_cache(maxsize=128)
    def from_hint(cls, hint: str) -> JsonStyle:
        """Read a style from its hint.

        Raises:
            ValueError: The hint is none that `as_hint` writes.
        """
        first, _, rest = hint.partition(" ")
        separators = next((name for name in SEPARATORS if name == first), None)
        if separators is None:
            raise ValueError(f"unknown JSON style {hint!r}")
        rest, _, ending = rest.partition("ending=")
        indent, ascii_only = None, False
        for word in rest.split():
            if word == "ascii":
                ascii_only = True
            elif word.startswith("indent="):
                indent = int(word.removeprefix("indent="))
            else:
                raise ValueError(f"unknown word {word!r} in JSON style {hint!r}")
        return cls(separators, indent, ascii_only, json.loads(ending) if ending else "")


@lru_cache(maxsize=16)
def _encoder(separators: Separation, indent: int | None, ascii_only: bool) -> json.JSONEncoder:
    return json.JSONEncoder(ensure_ascii=ascii_only, indent=indent, separators=SEPARATORS[separators])


PRETTY = JsonStyle("mixed", indent=2)
"""How JSON stands in a cassette, but for `UNSEEN`."""

UNSEEN = re.compile("[\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff\ud800-\udfff]")
"""Letters that JSON may hold and a block of YAML may not, or that break its lines; they are written as escapes."""

LAYOUTS: tuple[tuple[Separation, int | None], ...] = (("compact", None), ("spaced", None), ("mixed", 2), ("mixed", 4))
STYLES = tuple(
    JsonStyle(separators, indent, ascii_only) for separators, indent in LAYOUTS for ascii_only in (False, True)
)


def pretty(text: str) -> tuple[str, JsonStyle] | None:
    """Return JSON pretty-printed, with the style that restores the original; None where no style does.

    Numbers such as `1.0e5`, duplicate keys and free-hand spacing have no style; such a body is kept as it is.
    """
    body = text.rstrip("\r\n ")
    ending = text[len(body) :]
    if body[:1] not in {"{", "["}:
        return None
    try:
        value = json.loads(body)
        for style in STYLES:
            if style.write(value) == body:
                exact = JsonStyle(style.separators, style.indent, style.ascii, ending)
                return UNSEEN.sub(lambda match: f"\\u{ord(match[0]):04x}", PRETTY.write(value)), exact
    except (ValueError, RecursionError):
        return None
    return None


def restore(text: str, style: JsonStyle) -> str:
    """Return a pretty-printed body in the style it had on the wire.

    Raises:
        ValueError: It is no JSON.
        RecursionError: It is nested too deeply.
    """
    value = json.loads(text)
    if (
        style.indent == PRETTY.indent
        and style.separators == PRETTY.separators
        and not style.ascii
        and "\\u" not in text
    ):
        return text + style.ending  # as it stands in the file, which saves the slow half of the work
    return style.write(value)
