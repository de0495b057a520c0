"""Pieces of a prompt that change from run to run, hidden before requests are compared: dates, ids, folders."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from typing import Any

from llmtest.errors import ConfigurationError

Mask = tuple[str, str]
"""A path of the body, `*` for anywhere, and a regular expression or a word of `KNOWN`."""

MASKED = "<masked>"
KNOWN = {
    "date": r"\b\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d(?::\d\d(?:[.,]\d+)?)?(?:Z|[+-]\d\d:?\d\d)?)?",
    "time": r"\b\d\d:\d\d(?::\d\d(?:[.,]\d+)?)?\b",
    "uuid": r"\b[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}\b",
    "tmp_path": r"(?:/private)?(?:/tmp|/var/folders)/[^\s\"'`<>|]*|[A-Za-z]:\\[^\s\"'`<>|]*\\Temp\\[^\s\"'`<>|]*",
    "number": r"\d+(?:\.\d+)?",
}
"""Patterns by name, so that nobody writes them again; `date` takes a time of day behind it."""

DATED = re.compile(r"-(?:\d{4}-\d\d-\d\d|\d{8}|latest)\Z")
"""What dated names of models end in: `gpt-4o-2024-08-06`, `claude-opus-4-5-20251101`."""


def masks_of(given: Any) -> tuple[Mask, ...]:
    """Read masks: a mapping of paths to a pattern, or to a list of them.

    Raises:
        ConfigurationError: It is none, or a pattern is no regular expression.
    """
    if not isinstance(given, Mapping):
        raise ConfigurationError('match_on: `mask` takes {"messages[*].content": "date"}, a path and a pattern')
    found = [
        (str(path), str(pattern))
        for path, patterns in given.items()
        for pattern in ([patterns] if isinstance(patterns, str) else patterns)
    ]
    for _, pattern in found:
        _compiled(pattern)
    return tuple(found)


def masks_in(lines: Iterable[str]) -> tuple[Mask, ...]:
    """Read masks of a settings file: `messages[*].content = date`, one a line.

    Raises:
        ConfigurationError: A line has no path, or no pattern.
    """
    pairs = [line.partition("=") for line in lines]
    for path, equals, pattern in pairs:
        if not equals or not path.strip() or not pattern.strip():
            raise ConfigurationError(
                f"llmtest_cassette_mask: `{path}{equals}{pattern}` is no mask.\n"
                "To fix: a path, `=` and a pattern: messages[*].content = date"
            )
    masks: dict[str, list[str]] = {}
    for path, _, pattern in pairs:
        masks.setdefault(path.strip(), []).append(pattern.strip())
    return masks_of(masks)


@lru_cache(maxsize=256)
def _compiled(pattern: str) -> re.Pattern[str]:
    try:
        return re.compile(KNOWN.get(pattern, pattern))
    except re.error as error:
        words = ", ".join(KNOWN)
        raise ConfigurationError(
            f"match_on: the mask `{pattern}` is no regular expression ({error}), and none of {words}."
        ) from error


def masked(value: Any, masks: Iterable[Mask]) -> Any:
    """Return a body with what the masks find replaced by `<masked>`; the original is not changed."""
    for path, pattern in masks:
        steps = None if path == "*" else tuple(re.findall(r"[^.\[\]]+", path))
        value = _masked(value, steps, _compiled(pattern))
    return value


def _masked(value: Any, steps: tuple[str, ...] | None, pattern: re.Pattern[str]) -> Any:
    if isinstance(value, str):
        return value if steps else pattern.sub(MASKED, value)
    if not isinstance(value, dict | list) or steps == ():
        # A path that ends at a list or an object means the texts inside.
        return _masked(value, None, pattern) if isinstance(value, dict | list) else value
    if steps is None:
        return _each(value, ((key, None) for key in _keys(value)), pattern)
    here = [key for key in _keys(value) if steps[0] in {"*", str(key)}]
    return _each(value, ((key, steps[1:]) for key in here), pattern)


def _keys(value: Any) -> list[Any]:
    return list(value) if isinstance(value, dict) else list(range(len(value)))


def _each(value: Any, places: Iterator[tuple[Any, tuple[str, ...] | None]], pattern: re.Pattern[str]) -> Any:
    copy = dict(value) if isinstance(value, dict) else list(value)
    for key, rest in places:
        copy[key] = _masked(value[key], rest, pattern)
    return copy


def undated(value: Any) -> Any:
    """Return a body whose `model` is the name without its date."""
    model = value.get("model") if isinstance(value, dict) else None
    return {**value, "model": DATED.sub("", model)} if isinstance(model, str) else value
