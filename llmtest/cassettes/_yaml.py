"""The YAML of cassettes: how it is read without harm, and how it is written."""

from __future__ import annotations

import re
from itertools import accumulate
from typing import Any

import yaml
from vcr.serializers import yamlserializer

from llmtest.errors import CassetteFileError

CONFLICT = re.compile(r"^(<{7}|={7}|>{7})( |$)", re.MULTILINE)

DEEPEST = 500
"""Levels of nesting that are read; libyaml's reader of trees takes the process down with some ten thousand."""
BRACKETS = re.compile(r"[\[\]{}]")
STEPS = re.compile(rf"(?:[-?:][ \t]+){{{DEEPEST}}}|\n {{{DEEPEST}}}")


def refuse_conflict(text: str, path: str, first_line: int = 0) -> None:
    """Refuse a text in which a merge left its marks.

    Raises:
        CassetteFileError: It did; says on which line.
    """
    conflict = CONFLICT.search(text)
    if conflict is not None:
        line = first_line + text.count("\n", 0, conflict.start()) + 1
        raise CassetteFileError(f"{path}:{line}: a merge conflict was left in the cassette. Resolve it, or re-record.")


def is_shallow(text: str) -> bool:
    """Tell whether a text of YAML can be read as a tree."""
    suspect = text.count("[") + text.count("{") > DEEPEST and (
        max(accumulate(1 if match[0] in "[{" else -1 for match in BRACKETS.finditer(text))) > DEEPEST
    )
    if not suspect and not STEPS.search(text):
        return True
    depth = 0
    for event in yaml.parse(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader)):
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
            if depth > DEEPEST:
                return False
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
    return True


def load_yaml(text: str, path: str, first_line: int = 0) -> Any:
    """Return what a text of YAML says; of tags only those that vcrpy itself writes.

    Args:
        text: The text, or a part of one.
        path: Name of the file, for errors.
        first_line: How many lines of the file stand before the text.

    Raises:
        CassetteFileError: It is no YAML; says where.
    """
    try:
        if not is_shallow(text):
            raise CassetteFileError(f"{path}: the cassette is nested too deeply. Restore it, or re-record.")
        return yamlserializer.deserialize(text)
    except yaml.YAMLError as error:
        refuse_conflict(text, path, first_line)
        mark = getattr(error, "problem_mark", None)
        where = f"{path}:{first_line + mark.line + 1}" if mark is not None else path
        problem = getattr(error, "problem", None) or str(error).partition("\n")[0]
        raise CassetteFileError(
            f"{where}: the cassette is not valid YAML: {problem}. Restore it, or re-record."
        ) from error
    except (ValueError, RecursionError) as error:  # a date in month 13, a loop of aliases
        raise CassetteFileError(
            f"{path}: the cassette is not valid YAML: {error}. Restore it, or re-record."
        ) from error


class Flow(dict[str, Any]):
    """A mapping that is written on one line."""


class Row(list[Any]):
    """A sequence that is written on one line."""

    __slots__ = ()


_DUMPER: type[Any] = type("_DUMPER", (getattr(yaml, "CSafeDumper", yaml.SafeDumper),), {})
_DUMPER.add_representer(
    Flow, lambda dumper, data: dumper.represent_mapping("tag:yaml.org,2002:map", data.items(), flow_style=True)
)
_DUMPER.add_representer(
    Row, lambda dumper, data: dumper.represent_sequence("tag:yaml.org,2002:seq", data, flow_style=True)
)


def dump(value: Any) -> str:
    """Write a value as YAML, a field a line but for `Flow` and `Row`."""
    text: str = yaml.dump(value, Dumper=_DUMPER, sort_keys=False, allow_unicode=True, width=1_000_000)
    return text.removesuffix("...\n")  # libyaml ends a document after a block that keeps its last newlines
