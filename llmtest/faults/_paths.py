"""Paths to fields of a JSON document: `choices[0].delta.tool_calls[*].index`."""

from __future__ import annotations

import re

__all__ = ["PathStep", "parse_path"]

PathStep = str | int | None
"""A name, the number of an element, or None for every element."""

_STEP = re.compile(r"(?:^|\.)([^.\[\]]+)|\[(\d+|\*)\]")


def parse_path(text: str) -> tuple[PathStep, ...]:
    """Read a path.

    Raises:
        ValueError: It is none.
    """
    steps: list[PathStep] = []
    end = 0
    for match in _STEP.finditer(text):
        if match.start() != end:
            break
        name, number = match.groups()
        steps.append(name if name is not None else None if number == "*" else int(number))
        end = match.end()
    if not steps or end != len(text):
        raise ValueError(f"`{text}` is no path")
    return tuple(steps)
