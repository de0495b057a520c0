"""Somebody's own callable instead of a chain: found, imported and called under the same load and faults."""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from inspect import iscoroutinefunction
from pathlib import Path
from typing import Any

from llmtest.config import did_you_mean
from llmtest.errors import ScenarioError
from llmtest.simulation import DUMMY_KEY, missing_keys

__all__ = ["dummy_keys", "import_target", "is_async"]


@contextmanager
def dummy_keys() -> Iterator[None]:
    """Set the API keys that are missing, so that clients can be made; nothing leaves the process anyway."""
    missing = missing_keys()
    before = {key: os.environ.get(key) for key in missing}
    os.environ.update(dict.fromkeys(missing, DUMMY_KEY))
    try:
        yield
    finally:
        for key, value in before.items():
            if value is None:
                os.environ.pop(key, None)
            else:
                os.environ[key] = value


def import_target(name: str, path: str | None) -> Callable[[str], Any]:
    """Return the callable that `module:callable` names.

    Modules are found in the current folder, in the scenario's folder, and where Python finds them anyway.

    Raises:
        ScenarioError: No such module or callable, or importing it failed.
    """
    module_name, _, attribute = name.partition(":")
    folders = ["", *([str(Path(path).parent)] if path else [])]
    added = [folder for folder in folders if folder not in sys.path]
    sys.path[:0] = added
    try:
        module = importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        if error.name is not None and (module_name == error.name or module_name.startswith(error.name + ".")):
            raise ScenarioError(
                f"`target`: no module `{error.name}`.\n"
                "To fix: run from the folder that holds it, or install the package it belongs to.",
                path=path,
            ) from None
        raise ScenarioError(f"`target`: importing `{module_name}` failed: {error}.", path=path) from error
    except Exception as error:
        raise ScenarioError(
            f"`target`: importing `{module_name}` failed: {type(error).__name__}: {error}", path=path
        ) from error
    finally:
        for folder in added:
            sys.path.remove(folder)
    found: Any = module
    for part in attribute.split("."):
        if not hasattr(found, part):
            raise ScenarioError(
                f"`target`: `{module_name}` has no `{attribute}`.{did_you_mean(part, dir(found))}", path=path
            )
        found = getattr(found, part)
    if not callable(found):
        raise ScenarioError(f"`target`: `{name}` is not callable.", path=path)
    return found  # type: ignore[no-any-return]  # whatever the user's module holds


def is_async(target: Callable[[str], Any]) -> bool:
    """Tell whether a target is a coroutine function, or an object whose `__call__` is one."""
    return iscoroutinefunction(target) or iscoroutinefunction(getattr(target, "__call__", None))  # noqa: B004 - the method itself is looked at
