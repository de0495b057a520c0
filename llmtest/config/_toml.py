"""TOML to plain data with lines. `tomllib` tells no lines, so headers and keys are located by a second, simple look."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator

from llmtest.config._document import Document, Location, together
from llmtest.errors import ScenarioError

__all__ = ["parse_toml"]

_HEADER = re.compile(r"\s*(\[\[?)\s*([^\[\]]+?)\s*\]\]?\s*(#.*)?")
_KEY = re.compile(r"""\s*((?:[A-Za-z0-9_-]+|"[^"]*"|'[^']*')(?:\s*\.\s*(?:[A-Za-z0-9_-]+|"[^"]*"|'[^']*'))*)\s*=""")
_PART = re.compile(r"""[A-Za-z0-9_-]+|"[^"]*"|'[^']*'""")
MOST_KEYS = 20
"""How many keys that are given twice are read past; what more there is comes in the next pass."""
_PLACE = re.compile(r"(.*) \(at (?:line (\d+), column \d+|end of document)\)", re.DOTALL)


def parse_toml(text: str, path: str) -> Document:
    """Parse TOML. A key that is given twice is read past, and kept as a mistake of the document.

    Args:
        text: The file's content.
        path: The file, for errors.

    Raises:
        ScenarioError: Not TOML.
    """
    text = text.replace("\r\n", "\n")
    lines = text.split("\n")
    mistakes: list[ScenarioError] = []
    while True:
        try:
            data = tomllib.loads("\n".join(lines))
        except tomllib.TOMLDecodeError as error:
            place = _PLACE.fullmatch(str(error))
            problem, line = (place[1], place[2]) if place else (str(error), None)
            number = int(line) if line else text.count("\n") + 1
            problem = problem[:1].lower() + problem[1:]
            is_twice = _is_key_twice(problem, lines, number)
            said = _given_twice(lines, number) if is_twice else f"not valid TOML: {problem}."
            mistakes.append(ScenarioError(said, path=path, line=number))
            if len(mistakes) == MOST_KEYS or not is_twice:
                raise together(mistakes) from None
            lines[number - 1] = ""
        else:
            return Document(data or None, path, _lines(text), mistakes=mistakes)


def _is_key_twice(problem: str, lines: list[str], number: int) -> bool:
    """Tell whether a line holds nothing but a key with its value, and what is wrong is that there is one already."""
    if not problem.startswith("cannot overwrite a value") or number > len(lines):
        return False
    try:
        tomllib.loads(lines[number - 1])
    except tomllib.TOMLDecodeError:
        return False
    return _KEY.match(lines[number - 1]) is not None


def _given_twice(lines: list[str], number: int) -> str:
    place, key = next((place, key) for at, place, key in _places("\n".join(lines)) if at == number)
    first = next(at for at, other, _ in _places("\n".join(lines)) if other == place)
    return f"the key `{key}` is given twice, here and on line {first}.\nTo fix: keep one of the two."


def _names(dotted: str) -> list[str]:
    return [part.strip("\"'") for part in _PART.findall(dotted)]


def _lines(text: str) -> dict[Location, int]:
    lines: dict[Location, int] = {(): 1}
    for number, place, _ in _places(text):
        lines.setdefault(place, number)
    return lines


def _places(text: str) -> Iterator[tuple[int, Location, str]]:
    """Yield line, place and key of every header and key."""
    counts: dict[Location, int] = {}
    table: Location = ()
    for number, line in enumerate(text.split("\n"), 1):
        if header := _HEADER.fullmatch(line):
            table = ()
            names = _names(header[2])
            for name in names:
                table = (*table, name)
                if table in counts and not (header[1] == "[[" and len(table) == len(names)):
                    table = (*table, counts[table] - 1)
            if header[1] == "[[":
                counts[table] = counts.get(table, 0) + 1
                yield number, table, header[2]
                table = (*table, counts[table] - 1)
            yield number, table, header[2]
        elif key := _KEY.match(line):
            yield number, (*table, *_names(key[1])), key[1]
