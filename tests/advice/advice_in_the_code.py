"""Every advice that the package can print, found in its source: texts with `To fix`, and what is handed on as one."""

import ast
import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path

PACKAGE = Path(__file__).parent.parent.parent / "llmtest"

HANDED_ON = {"_require": 2, "_wrong": 1, "UnappliedEditError": 2}
"""Functions that take an advice, and the position of it, counted without `self`."""


@dataclass(frozen=True)
class Advice:
    """One place of the package that advises.

    Args:
        file: Where, below the package.
        line: Line of it.
        pattern: What is printed there, with anything for what is filled in.
    """

    file: str
    line: int
    pattern: str

    def is_in(self, text):
        """Tell whether an advice that was printed is this one."""
        stripped = re.sub(r"^(?:,\\ one\\ of:)?(?:\\?\s)+|(?:\\?\s)+$", "", self.pattern)
        return re.search(stripped, text) is not None

    @property
    def name(self):
        """How a table names it: the file, and the advice's own words."""
        words = re.sub(r"\\(.)", r"\1", self.pattern).replace("(?s:.*?)", "*")
        return f"{self.file}: {words}"


def pattern_of(node):
    """Return the expression that a text of the source matches, from its `To fix` on; None where it is no text."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return re.escape(node.value)
    if isinstance(node, ast.JoinedStr):
        return "".join(re.escape(part.value) if isinstance(part, ast.Constant) else "(?s:.*?)" for part in node.values)
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        left, right = pattern_of(node.left), pattern_of(node.right)
        return None if left is None and right is None else f"{left or '(?s:.*?)'}{right or '(?s:.*?)'}"
    return None


def is_docstring(node, parents):
    """Tell whether a text stands alone, as documentation does."""
    return isinstance(parents.get(node), ast.Expr)


def advice_in(path):
    """Return the advice of one file."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    parents = {child: parent for parent in ast.walk(tree) for child in ast.iter_child_nodes(parent)}
    shown = path.relative_to(PACKAGE).as_posix()
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant | ast.JoinedStr) and not isinstance(
            parents.get(node), ast.JoinedStr | ast.FormattedValue
        ):
            pattern = pattern_of(node)
            if pattern is None or "To\\ fix" not in pattern or is_docstring(node, parents):
                continue
            after = pattern.partition("To\\ fix")[2].removeprefix(":")
            if re.sub(r"\(\?s:\.\*\?\)|\\ |\\\n|[\\\s.,:]", "", after) in {"", "oneof"}:
                continue  # The advice itself is filled in, and found where it is written.
            yield Advice(shown, node.lineno, after)
        elif isinstance(node, ast.Call):
            yield from handed_on(node, shown)


def handed_on(call, shown):
    """Return the advice that a call hands on."""
    name = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
    values = [each.value for each in call.keywords if each.arg in {"fix", "example"}]
    position = HANDED_ON.get(name)
    if position is not None and len(call.args) > position:
        values.append(call.args[position])
    for value in values:
        for node in (value.body, value.orelse) if isinstance(value, ast.IfExp) else (value,):
            pattern = pattern_of(node)
            if pattern is not None:
                yield Advice(shown, node.lineno, pattern)


@cache
def all_advice():
    """Return every advice of the package."""
    return tuple(each for path in sorted(PACKAGE.rglob("*.py")) for each in advice_in(path))
