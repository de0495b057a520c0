"""A file as plain data that remembers the line of everything in it, so that every error can point at its place."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from llmtest.config._environment import interpolate
from llmtest.config._nearest import did_you_mean
from llmtest.config._secrets import hidden, secret_values, warn_of_literals
from llmtest.errors import ScenarioError

__all__ = ["Document", "Location", "read_document", "together"]

Location = tuple[str | int, ...]
"""The way to a value: keys and list positions from the top of the file."""

_INDENTATION = re.compile(r"^[\t ]+", re.MULTILINE)
CONFLICT_MARKERS = ("<<<<<<< ", ">>>>>>> ", "||||||| ")


@dataclass(slots=True)
class Document:
    """A file, read.

    Args:
        data: The content: mappings, lists, texts, numbers.
        path: The file as the user named it; None for data that came from Python.
        lines: Line of each value, from 1, by its location.
        secrets: What came out of variables that hold keys; no error shows it.
        environment: What its variables were read from; None: the environment of the process.
        mistakes: What its reader has found and read past, to be told with whatever else is wrong.
    """

    data: Any = field(repr=False)
    path: str | None = None
    lines: dict[Location, int] = field(default_factory=dict, repr=False)
    secrets: set[str] = field(default_factory=set, repr=False)
    environment: Mapping[str, str] | None = field(default=None, repr=False)
    mistakes: list[ScenarioError] = field(default_factory=list, repr=False)

    def alias(self, location: Location, written: Location) -> None:
        """Let a place have the lines of another one: a key that was misspelt, by its right name."""
        for each, line in tuple(self.lines.items()):
            if each[: len(written)] == written:
                self.lines.setdefault((*location, *each[len(written) :]), line)

    def line_of(self, location: Location) -> int | None:
        """Return the line of a value, or of the nearest thing around it that has one."""
        for length in range(len(location), -1, -1):
            if (line := self.lines.get(location[:length])) is not None:
                return line
        return None

    def error(self, location: Location, message: str) -> ScenarioError:
        """Make an error that points at a place, and shows no key."""
        message = hidden(message, self.secrets | secret_values(self.data))
        return ScenarioError(message, path=self.path, line=self.line_of(location))


def together(errors: Sequence[ScenarioError]) -> ScenarioError:
    """Return errors of one file as one that tells each thing with its line, in the order of the file."""
    ordered = sorted(errors, key=lambda error: (error.line or 0, error.message.endswith("is missing.")))
    first, *others = ordered
    if not others:
        return first
    text = "\n\n".join([first.message, *(str(error) for error in others)])
    return ScenarioError(text, path=first.path, line=first.line)


def read_document(
    path: str | Path, *, environment: Mapping[str, str] | None = None, least: str = "`version: 1` and `name:`"
) -> Document:
    """Read a YAML, JSON or TOML file, and replace `${VAR}` by the environment.

    Args:
        path: `.toml` is read as TOML, anything else as YAML, of which JSON is a part.
        environment: What `${VAR}` reads; None takes the environment of the process.
        least: What an empty file is told to hold.

    Raises:
        ScenarioError: Unreadable, malformed, empty, or not a mapping; the text has the file and the line.
    """
    shown = str(path)
    text = _read_text(Path(path), shown)
    conflicts = [
        ScenarioError(
            f"unresolved merge conflict: the line starts with `{line.split()[0]}`.\n"
            "To fix: keep one of the two versions, and delete the marker lines.",
            path=shown,
            line=number,
        )
        for number, line in enumerate(text.splitlines(), 1)
        if line.startswith(CONFLICT_MARKERS)
    ]
    if conflicts:
        begun = [each for each in conflicts if CONFLICT_MARKERS[0].strip() in each.message]
        raise together(begun or conflicts[:1])
    if Path(path).suffix == ".toml":
        from llmtest.config._toml import parse_toml as parse
    else:
        from llmtest.config._yaml import parse_yaml as parse
    if Path(path).suffix == ".json":
        # JSON may be indented with tabs, which YAML does not take.
        text = _INDENTATION.sub(lambda found: " " * len(found[0]), text)
    document = parse(text, shown)
    if document.data is None:
        raise ScenarioError(f"the file is empty.\nTo fix: write at least {least}.", path=shown)
    if not isinstance(document.data, dict):
        raise document.error((), f"the file must be a mapping of keys to values, not {_kind(document.data)}.")
    document.environment = environment
    warn_of_literals(document, stacklevel=3)
    document.data = interpolate(document, environment)
    return document


def _kind(value: object) -> str:
    return {list: "a list", str: "a text", bool: "true or false"}.get(type(value), "a number")


def _read_text(path: Path, shown: str) -> str:
    try:
        return path.read_bytes().decode("utf-8-sig")
    except FileNotFoundError:
        folder = path.parent
        there = sorted(entry.name for entry in folder.iterdir() if entry.is_file()) if folder.is_dir() else []
        hint = did_you_mean(path.name, there)
        missing = "" if folder.is_dir() else f" (the folder `{folder}` does not exist either)"
        raise ScenarioError(f"no such file{missing}.{hint}", path=shown) from None
    except IsADirectoryError:
        raise ScenarioError("is a folder, not a file.\nTo fix: name a file in it.", path=shown) from None
    except UnicodeDecodeError as error:
        line = path.read_bytes()[: error.start].count(b"\n") + 1
        raise ScenarioError(
            "not a text file in UTF-8.\nTo fix: save it as UTF-8 (byte "
            f"0x{error.object[error.start]:02x} is not part of any character).",
            path=shown,
            line=line,
        ) from None
    except OSError as error:
        raise ScenarioError(f"cannot be read: {error.strerror}.", path=shown) from None
