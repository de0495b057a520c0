"""Hearing of a library when it is imported for the first time in the middle of a simulation."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any


class LateImports(MetaPathFinder):
    """Calls back when a module is there: at once where it was imported before, else right after its import.

    Install it in front of `sys.meta_path`; it finds nothing itself. What it waits for is imported in real time: a
    library that knows of clocks keeps what it finds, for the rest of the process.

    Args:
        real_time: A context in which the functions of `time` are the machine's.
    """

    def __init__(self, real_time: Callable[[], AbstractContextManager[None]]) -> None:
        self._real_time = real_time
        self._hooks: dict[str, list[Callable[[], None]]] = {}

    def when_imported(self, name: str, hook: Callable[[], None]) -> None:
        """Call `hook` once the module is complete.

        Args:
            name: Its full name.
            hook: What to do, in the thread that imports it.
        """
        if name in sys.modules:
            hook()
        else:
            self._hooks.setdefault(name, []).append(hook)

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Let the other finders find a module that somebody waits for, and take part in its loading."""
        if fullname not in self._hooks:
            return None
        for finder in sys.meta_path:
            find: Any = None if finder is self else getattr(finder, "find_spec", None)
            spec: ModuleSpec | None = find(fullname, path, target) if find is not None else None
            if spec is not None:
                if spec.loader is not None:
                    spec.loader = _ThenCall(spec.loader, self._real_time, self._hooks.pop(fullname))
                return spec
        return None


class _ThenCall(Loader):
    """Loads a module as its own loader does, then calls back."""

    def __init__(
        self, loader: Any, real_time: Callable[[], AbstractContextManager[None]], hooks: list[Callable[[], None]]
    ) -> None:
        self._loader = loader
        self._real_time = real_time
        self._hooks = hooks

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        module: ModuleType | None = self._loader.create_module(spec)
        return module

    def exec_module(self, module: ModuleType) -> None:
        if module.__spec__ is not None:
            module.__spec__.loader = self._loader
        module.__loader__ = self._loader
        with self._real_time():
            self._loader.exec_module(module)
        for hook in self._hooks:
            hook()
