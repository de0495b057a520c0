"""`${VAR}` and `${VAR:-default}` in the texts of a file; `$${` stands for a literal `${`."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from llmtest.config._nearest import did_you_mean
from llmtest.config._secrets import SECRET_VARIABLE, SHORTEST

if TYPE_CHECKING:
    from llmtest.config._document import Document, Location
    from llmtest.config._mistakes import Mistakes

__all__ = ["interpolate"]

_REFERENCE = re.compile(r"\$(\$)?\{([^}]*)\}")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def interpolate(document: Document, environment: Mapping[str, str] | None = None) -> Any:
    """Return the document's data with every reference replaced.

    Args:
        document: The file, as parsed.
        environment: The variables; None takes the environment of the process.

    Raises:
        ScenarioError: A variable is not set and has no default, or a reference is malformed.
    """
    from llmtest.config._mistakes import Mistakes

    mistakes = Mistakes(document)
    variables = os.environ if environment is None else environment
    found = _walk(mistakes, document.data, (), variables, document.secrets)
    if len(mistakes) > len(document.mistakes):
        mistakes.raise_all()  # Without its value nothing can be said of what a variable stands for.
    return found


def _walk(mistakes: Mistakes, value: Any, location: Location, variables: Mapping[str, str], secrets: set[str]) -> Any:
    if isinstance(value, dict):
        return {key: _walk(mistakes, item, (*location, key), variables, secrets) for key, item in value.items()}
    if isinstance(value, list):
        return [_walk(mistakes, item, (*location, index), variables, secrets) for index, item in enumerate(value)]
    if not isinstance(value, str) or "${" not in value:
        return value

    def replaced(match: re.Match[str]) -> str:
        if match[1]:
            return match[0][1:]
        name, separator, default = match[2].partition(":-")
        if not _NAME.fullmatch(name):
            mistakes.note(
                location, f"`{match[0]}` is not a reference to a variable; write `${{NAME}}` or `${{NAME:-default}}`."
            )
            return ""
        found = variables.get(name)
        if found or (found is not None and not separator):
            if len(found) >= SHORTEST and SECRET_VARIABLE.search(name):
                secrets.add(found)
            return found
        if separator:
            return default
        mistakes.note(
            location,
            f"the environment variable `{name}` is not set.{did_you_mean(name, variables)}\n"
            f"To fix: set it, or give a default: `${{{name}:-value}}`.",
        )
        return ""

    return _REFERENCE.sub(replaced, value)
