"""YAML to plain data with lines. The one file that knows PyYAML.

The document is composed, not constructed: PyYAML's nodes carry their marks, and what this package does not want of
YAML is left out. Keys are texts as written (`on:` is `on`, not true), `22:30` is a text, not 1350, and dates are texts.
"""

from __future__ import annotations

import re
from typing import Any

import yaml

from llmtest.config._document import Document, Location, together
from llmtest.errors import ScenarioError

__all__ = ["parse_yaml"]

MAX_NODES = 200_000
"""Most values in one file, aliases unfolded; a file of nested aliases can otherwise fill the memory."""

_SAFE = yaml.SafeLoader("")
_PLAIN_NUMBER = re.compile(r"[-+]?(\d[\d_]*)?\.?\d[\d_]*([eE][-+]?\d+)?")


def parse_yaml(text: str, path: str | None) -> Document:
    """Parse YAML. What can be read past, such as a key that is given twice, is kept as a mistake of the document.

    Args:
        text: The file's content.
        path: The file, for errors; None where it is none.

    Raises:
        ScenarioError: Not YAML, or more than one document.
    """
    tabs = [
        ScenarioError(
            "the line is indented with a tab.\nTo fix: indent with spaces; YAML does not allow tabs there.",
            path=path,
            line=number,
        )
        for number, line in enumerate(text.splitlines(), 1)
        if "\t" in line[: len(line) - len(line.lstrip())]
    ]
    if tabs:
        raise together(tabs)
    try:
        node = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        context = f" {error.context}" if error.context else ""
        raise ScenarioError(
            f"not valid YAML: {error.problem}{context}.", path=path, line=mark.line + 1 if mark else None
        ) from None
    except RecursionError:
        raise ScenarioError("not valid YAML: lists or mappings are nested too deeply.", path=path) from None
    except yaml.reader.ReaderError as error:
        raise ScenarioError(
            f"not valid YAML: the character {error.character:#06x} is not allowed.",
            path=path,
            line=text.count("\n", 0, error.position) + 1,
        ) from None
    document = Document(None, path)
    if node is not None:
        document.data = _Reading(document).value(node, ())
    return document


class _Reading:
    """One pass over the nodes of a document."""

    def __init__(self, document: Document) -> None:
        self.document = document
        self.open: set[int] = set()
        self.count = 0

    def note(self, message: str, line: int) -> None:
        """Keep a mistake that can be read past; what an alias repeats is told once."""
        error = ScenarioError(message, path=self.document.path, line=line)
        if all(str(error) != str(each) for each in self.document.mistakes):
            self.document.mistakes.append(error)

    def value(self, node: yaml.Node, location: Location) -> Any:
        line = node.start_mark.line + 1
        self.document.lines.setdefault(location, line)
        self.count += 1
        if id(node) in self.open or self.count > MAX_NODES:
            cause = "contains itself" if id(node) in self.open else f"unfolds to more than {MAX_NODES:,} values"
            raise ScenarioError(f"an alias {cause}.", path=self.document.path, line=line)
        if isinstance(node, yaml.ScalarNode):
            return _scalar(node)
        self.open.add(id(node))
        try:
            if isinstance(node, yaml.MappingNode):
                return self._mapping(node, location)
            return [self.value(item, (*location, index)) for index, item in enumerate(node.value)]
        finally:
            self.open.discard(id(node))

    def _mapping(self, node: yaml.MappingNode, location: Location) -> dict[str, Any]:
        found: dict[str, Any] = {}
        merged: dict[str, Any] = {}
        first: dict[str, int] = {}
        for key_node, value_node in node.value:
            line = key_node.start_mark.line + 1
            if not isinstance(key_node, yaml.ScalarNode):
                self.note("a key must be a text, not a list or mapping.", line)
                continue
            key = key_node.value
            if key_node.tag == "tag:yaml.org,2002:merge":
                merged |= self._merge(value_node, location)
                continue
            if key in first:
                self.note(
                    f"the key `{key}` is given twice, here and on line {first[key]}.\nTo fix: keep one of the two.",
                    line,
                )
                self.value(value_node, (*location, key))  # which may hold mistakes of its own
                continue
            first[key] = line
            self.document.lines[(*location, key)] = line
            found[key] = self.value(value_node, (*location, key))
        return merged | found

    def _merge(self, node: yaml.Node, location: Location) -> dict[str, Any]:
        parts = node.value if isinstance(node, yaml.SequenceNode) else [node]
        merged: dict[str, Any] = {}
        for part in parts:
            if not isinstance(part, yaml.MappingNode):
                self.note("`<<` merges mappings only.", part.start_mark.line + 1)
                continue
            merged = self._mapping(part, location) | merged
        return merged


def _scalar(node: yaml.ScalarNode) -> Any:
    kind = node.tag.rpartition(":")[2]
    if kind == "int" and not _PLAIN_NUMBER.fullmatch(node.value) and not node.value.startswith("0x"):
        return node.value  # YAML 1.1 reads `22:30` in base 60.
    if kind in {"null", "bool", "int", "float"}:
        return _SAFE.construct_object(node, deep=True)
    return node.value
