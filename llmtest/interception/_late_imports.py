"""Patch a library that is imported while a gate is open, as soon as it is there."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

__all__ = ["Hooks", "when_imported"]

Hooks = dict[str, Callable[[], None]]
"""What to do once a module is complete, by its full name."""


@contextmanager
def when_imported(hooks: Hooks) -> Iterator[None]:
    """Call each hook once, at once where its module has been imported, else right after its import.

    Args:
        hooks: The hooks.
    """
    waiting = {}
    for name, hook in hooks.items():
        if name in sys.modules:
            hook()
        else:
            waiting[name] = hook
    finder = _Finder(waiting)
    sys.meta_path.insert(0, finder)
    try:
        yield
    finally:
        waiting.clear()
        sys.meta_path.remove(finder)


class _Finder(MetaPathFinder):
    """Finds nothing itself: takes part in the loading of what somebody waits for."""

    def __init__(self, waiting: Hooks) -> None:
        self._waiting = waiting

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname not in self._waiting:
            return None
        for finder in sys.meta_path:
            find: Any = None if finder is self else getattr(finder, "find_spec", None)
            spec: ModuleSpec | None = find(fullname, path, target) if find is not None else None
            if spec is not None:
                if spec.loader is not None:
                    spec.loader = _ThenCall(spec.loader, fullname, self._waiting)
                return spec
        return None


class _ThenCall(Loader):
    """Loads a module as its own loader does, then calls back."""

    def __init__(self, loader: Any, name: str, waiting: Hooks) -> None:
        self._loader = loader
        self._name = name
        self._waiting = waiting

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        module: ModuleType | None = self._loader.create_module(spec)
        return module

    def exec_module(self, module: ModuleType) -> None:
        if module.__spec__ is not None:
            module.__spec__.loader = self._loader
        module.__loader__ = self._loader
        self._loader.exec_module(module)
        # The gate may have been closed meanwhile, and then there is nothing to do any more.
        hook = self._waiting.pop(self._name, None)
        if hook is not None:
            hook()
