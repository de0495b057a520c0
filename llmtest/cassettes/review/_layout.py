"""Where in the text of a cassette something stands, and how it is written there: for those who have to find it."""

from __future__ import annotations

import re
from dataclasses import dataclass

import yaml

from llmtest.cassettes._yaml import is_shallow

Key = str | int
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_SURROGATE = re.compile(r"\\u[dD][89a-fA-F][0-9a-fA-F]{2}")
_BINARY = "tag:yaml.org,2002:binary"


@dataclass(frozen=True, slots=True)
class Scalar:
    """A text as it stands in the file.

    Args:
        value: The text; base64 where it is binary.
        line: Its first line, from 1.
        end: Its last line.
        literal: Whether it stands there as it is, line by line.
        binary: Whether the file calls it binary.
    """

    value: str
    line: int
    end: int
    literal: bool
    binary: bool


class Layout:
    """The lines of a cassette by what they say: `("response", "headers", "date", 0)` of interaction 2 is line 31.

    Args:
        text: The text of a file that is valid YAML or JSON.
    """

    def __init__(self, text: str) -> None:
        self.lines = text.split("\n")
        # JSON writes letters beyond the first plane as two escapes, which YAML refuses; lines stay what they are.
        try:
            root = yaml.compose(_SURROGATE.sub(r"\\u003f", text), _LOADER) if is_shallow(text) else None
        except (yaml.YAMLError, RecursionError):  # valid JSON may still be no YAML; then everything is on line 1
            root = None
        interactions = _child(root, "interactions") or _child(root, "http_interactions") or _child(root, "fixtures")
        self._nodes = list(interactions.value) if isinstance(interactions, yaml.SequenceNode) else []

    def line(self, position: int, *keys: Key) -> int:
        """Return the line of what the keys lead to, or of the innermost thing around it that there is."""
        node = self._follow(position, keys)[0]
        return 1 if node is None else node.start_mark.line + 1

    def scalar(self, position: int, *keys: Key) -> Scalar | None:
        """Return the text that the keys lead to, if there is one."""
        node, whole = self._follow(position, keys)
        if not whole or not isinstance(node, yaml.ScalarNode):
            return None
        end = node.end_mark.line + (node.end_mark.column > 0)
        return Scalar(
            node.value,
            node.start_mark.line + 1,
            max(end, node.start_mark.line + 1),
            node.style == "|",
            _is_binary(node),
        )

    def line_of(self, needle: str, position: int, *keys: Key) -> int:
        """Return the line inside what the keys lead to that holds a text, or the first line of it."""
        node = self._follow(position, keys)[0]
        if node is None:
            return 1
        first = node.start_mark.line
        for number in range(first, min(node.end_mark.line + 1, len(self.lines))):
            if needle in self.lines[number]:
                return number + 1
        return first + 1

    def _follow(self, position: int, keys: tuple[Key, ...]) -> tuple[yaml.Node | None, bool]:
        if position >= len(self._nodes):
            return None, False
        node: yaml.Node = self._nodes[position]
        for key in keys:
            child = _child(node, key)
            if child is None and key == "body":
                child = _child(node, "parsed_body")
                return (node, False) if child is None else (child, False)
            if child is None:
                return node, False
            node = child
        return node, True


def _child(node: yaml.Node | None, key: Key) -> yaml.Node | None:
    if isinstance(node, yaml.MappingNode):
        found = [value for name, value in node.value if name.value == key]
        return found[-1] if found else None
    if isinstance(node, yaml.SequenceNode) and isinstance(key, int) and key < len(node.value):
        child: yaml.Node = node.value[key]
        return child
    return None


def _is_binary(node: yaml.ScalarNode) -> bool:
    return bool(node.tag == _BINARY)
