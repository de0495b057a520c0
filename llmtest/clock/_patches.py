"""Replacing attributes for a while, and putting back exactly what was there."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import Field
from types import CellType, FunctionType, ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from llmtest.clock._held import Place

_ABSENT = object()
_WITHOUT_DICTIONARY = (FunctionType, CellType, Field)
"""Owners whose attributes are slots: their defaults, their contents."""


def _held(owner: Any, name: str) -> Any:
    return getattr(owner, name) if isinstance(owner, _WITHOUT_DICTIONARY) else vars(owner).get(name, _ABSENT)


class Patches:
    """Attributes replaced together and restored in reverse order."""

    def __init__(self) -> None:
        self._undo: list[tuple[Any, str, Any, Any]] = []

    def replace(self, owner: Any, name: str, value: Any) -> None:
        """Replace an attribute of a module or a class; an inherited one is covered, not changed."""
        self._undo.append((owner, name, _held(owner, name), value))
        setattr(owner, name, value)

    def replace_place(self, place: Place) -> None:
        """Replace what a place holds; unless, but for a name of a module, it was given something else meanwhile."""
        owner, name, real, value = place
        held = _held(owner, name)
        if held is real or isinstance(owner, ModuleType):  # whose names freezegun replaces as well
            self._undo.append((owner, name, held, value))
            setattr(owner, name, value)

    def __bool__(self) -> bool:
        return bool(self._undo)

    def renew(self) -> None:
        """Replace again what somebody else has meanwhile put back; what he put there is what is restored."""
        for number, (owner, name, _, value) in enumerate(self._undo):
            found = _held(owner, name)
            if found is not value:
                self._undo[number] = (owner, name, found, value)
                setattr(owner, name, value)

    @contextmanager
    def paused(self, owner: Any) -> Iterator[None]:
        """Let an owner have what it had while the context is open."""
        own = [entry for entry in self._undo if entry[0] is owner]
        for _, name, old, _ in own:
            setattr(owner, name, old)
        try:
            yield
        finally:
            for _, name, _, value in own:
                setattr(owner, name, value)

    def undo(self) -> None:
        """Put everything back."""
        while self._undo:
            owner, name, old, _ = self._undo.pop()
            if old is _ABSENT:
                delattr(owner, name)
            else:
                setattr(owner, name, old)
