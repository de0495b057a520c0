"""Hearing of a library when it is imported for the first time in the middle of a simulation, or under an open gate."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

__all__ = ["LateImports"]


class LateImports(MetaPathFinder):
    """Calls back when a module is there: at once where it was imported before, else right after its import.

    It finds nothing itself. A module whose import fails is waited for again.

    Args:
        around: A context in which what is waited for is imported; by default none. A simulation imports in real time:
            a library that knows of clocks keeps what it finds, for the rest of the process.
    """

    def __init__(self, around: Callable[[], AbstractContextManager[None]] = nullcontext) -> None:
        self.around = around
        self._hooks: dict[str, list[Callable[[], None]]] = {}

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Hear of imports while the context is open; afterwards nobody is called back any more."""
        sys.meta_path.insert(0, self)
        try:
            yield
        finally:
            self._hooks.clear()
            sys.meta_path.remove(self)

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
                    spec.loader = _ThenCall(spec.loader, fullname, self)
                return spec
        return None

    def call_back(self, name: str) -> None:
        """Do what was to be done once a module is complete."""
        for hook in self._hooks.pop(name, ()):
            hook()


class _ThenCall(Loader):
    """Loads a module as its own loader does, then calls back."""

    def __init__(self, loader: Any, name: str, imports: LateImports) -> None:
        self._loader = loader
        self._name = name
        self._imports = imports

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        module: ModuleType | None = self._loader.create_module(spec)
        return module

    def exec_module(self, module: ModuleType) -> None:
        if module.__spec__ is not None:
            module.__spec__.loader = self._loader
        module.__loader__ = self._loader
        with self._imports.around():
            self._loader.exec_module(module)
        self._imports.call_back(self._name)
