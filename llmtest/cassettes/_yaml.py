"""The YAML of cassettes: how it is read without harm, and how it is written."""

from __future__ import annotations

import base64
import re
from itertools import accumulate
from typing import Any

import yaml
from vcr.serializers import yamlserializer

from llmtest.errors import CassetteFileError

PYTHON = "tag:yaml.org,2002:python/"
"""What stands before the names of Python's tags."""

TEXTS = ("istr", "str")
"""Classes of texts, by the end of their names: `multidict._multidict.istr` is how aiohttp writes a header's name."""

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
    """Return what a text of YAML says; a tag tells of what kind a value was, and nothing is ever run for one.

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
        return yaml.load(text, _LOADER)  # noqa: S506 - a safe one: no tag makes it run anything
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


class TaggedValue:
    """A value of a kind that is not made here; whoever needs it says so, and for who does not it is no harm.

    Args:
        tag: Its tag, as the file has it.
    """

    def __init__(self, tag: str) -> None:
        self.tag = tag

    def __repr__(self) -> str:
        return f"a value tagged `{self.tag}`, for which nothing is run"


def _of_python(loader: Any, suffix: str, node: yaml.Node) -> Any:
    """Return what a tag of Python stands for where that is a text; the class that it names is never looked for."""
    name = suffix.rpartition(".")[2]
    arguments: list[yaml.Node] = node.value if isinstance(node, yaml.SequenceNode) else []
    if name in TEXTS and len(arguments) == 1 and isinstance(arguments[0], yaml.ScalarNode):
        return loader.construct_scalar(arguments[0])
    return TaggedValue(f"!!python/{suffix}")


def _of_ruby(loader: Any, suffix: str, node: yaml.Node) -> Any:
    """Return the plain value that Ruby has put a tag of its own on."""
    if suffix == "binary":
        return base64.b64decode(loader.construct_scalar(node))
    if isinstance(node, yaml.MappingNode):
        return loader.construct_mapping(node, deep=True)
    if isinstance(node, yaml.SequenceNode):
        return loader.construct_sequence(node, deep=True)
    return loader.construct_scalar(node)


_LOADER: type[Any] = type("_LOADER", (yamlserializer._CassetteLoader,), {})  # noqa: SLF001 - vcrpy's own safe loader
_LOADER.add_multi_constructor(PYTHON, _of_python)
_LOADER.add_multi_constructor("!", _of_ruby)


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


def _text(dumper: Any, data: str) -> yaml.Node:
    node: yaml.Node = dumper.represent_scalar("tag:yaml.org,2002:str", data, style="|" if "\n" in data else None)
    return node


_BLOCK_DUMPER: type[Any] = type("_BLOCK_DUMPER", (_DUMPER,), {})
_BLOCK_DUMPER.add_representer(str, _text)


def dump_as_vcrpy(value: Any) -> str:
    """Write a value as vcrpy's serializer does."""
    text: str = yamlserializer.serialize(value)
    return text


def dump(value: Any, *, blocks: bool = False) -> str:
    """Write a value as YAML, a field a line but for `Flow` and `Row`; texts of several lines as blocks, if wanted."""
    dumper = _BLOCK_DUMPER if blocks else _DUMPER
    text: str = yaml.dump(value, Dumper=dumper, sort_keys=False, allow_unicode=True, width=1_000_000)
    return text.removesuffix("...\n")  # libyaml ends a document after a block that keeps its last newlines
